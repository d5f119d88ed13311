"""Which databases the tests run on, and how an empty one is asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

DIALECTS = ("sqlite", "postgresql")
NewUrl = Callable[[str, Path], str]  # makes the URL of an empty database: (dialect, directory for files)
