"""What a training and a comparison need of the machine that they run on."""

from __future__ import annotations

import re
from pathlib import Path

from core.learning.held_out import SETS
from core.learning.models import ModelError

BOT_PYTHON = Path(".venv-bot") / "bin" / "python"  # Rasa's own environment, which trains and measures
_KIB = 1024


class NoSets(ModelError):
    """The validation sets are not installed: they belong to the checkout, and nothing is promoted without them."""

    code = "no_sets"


class LowMemory(ModelError):
    """There is not memory enough to train beside what answers customers."""

    code = "low_memory"


class NotInstalled(ModelError):
    """Rasa's environment is not on this machine."""

    code = "not_installed"


def free_mib(path: Path = Path("/proc/meminfo")) -> int | None:
    """Return the MiB of memory that can be had, None where the system does not tell."""
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB", path.read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) // _KIB if found else None


def check_memory(needed: int, free: int | None) -> None:
    """Raise LowMemory if there is too little."""
    if free is not None and free < needed:
        raise LowMemory(f"a training needs {needed} MiB, {free} are free", needed=needed, free=free)


def check_installed(root: Path) -> None:
    """Raise NotInstalled if Rasa's environment is not there."""
    if not (root / BOT_PYTHON).exists():
        raise NotInstalled(f"{BOT_PYTHON} is missing: run `make setup`")


def check_sets(root: Path) -> None:
    """Raise NoSets if the validation sets are not there."""
    if not any((root / SETS).glob("*.tsv")):
        raise NoSets(f"{SETS} has no validation sets: a model is compared where the source code is checked out")
