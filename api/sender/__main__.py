"""Starts the sender: `python -m api.sender [--alive FILE]`."""

from __future__ import annotations

import os
from contextlib import suppress

NICE = 10  # turns of conversations come first, also before what is loaded here


def main() -> None:
    """Send until told to stop."""
    with suppress(OSError):
        os.nice(NICE)
    from api.sender.process import run

    run()


if __name__ == "__main__":
    main()
