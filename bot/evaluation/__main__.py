"""`python -m bot.evaluation [massive FILE… | ablation]`: `make eval`, `make eval-massive`, what each part brings."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence


def run(arguments: Sequence[str]) -> int:
    """Run the command that the arguments name and return its exit code."""
    _hush()
    # Imported only now: the libraries warn of much while they load.
    if arguments and arguments[0] == "massive":
        from .massive_run import main as massive

        return massive(arguments[1:])
    if list(arguments) == ["ablation"]:
        from .ablation import main as ablation

        return ablation()
    from .command import main

    return main(arguments)


def _hush() -> None:
    """Keep the libraries' warnings and logs of every message read out of the tables."""
    import structlog

    logging.captureWarnings(True)
    logging.getLogger("py.warnings").setLevel(logging.ERROR)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
