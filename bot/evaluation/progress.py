"""How far the reading of a set is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

NOTICE_EVERY = 100
T = TypeVar("T")


def noticed(name: str, rows: Sequence[T], show: Callable[[str], None]) -> Iterator[T]:
    """Yield the rows of a set; after every hundred, and after the last, `show` gets a line."""
    for number, row in enumerate(rows, 1):
        yield row
        if number % NOTICE_EVERY == 0 or number == len(rows):
            show(f"{name}: {number} of {len(rows)} messages read")
