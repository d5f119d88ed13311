"""Portraits as arrays, for what reckons over all of them: in chunks, so that a million need little memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, select

from core.db import Database
from core.portrait.sql import long_reading
from core.portrait.tables import Portrait

SIZE = 50_000


@dataclass(frozen=True)
class Frame:
    """Portraits in the order of their accounts: a row each, a column for each name; what is not known is NaN.

    Single precision is enough for distances and halves the memory; what is held against the bounds of rules is double.
    `extra` holds other columns as they are (segment, thin, user_class), by name.
    """

    account_ids: NDArray[np.int64]
    values: NDArray[np.floating[Any]]
    names: tuple[str, ...]
    extra: dict[str, list[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.account_ids)

    def column(self, name: str) -> NDArray[np.floating[Any]]:
        """Return one column; raises ValueError if it was not asked for."""
        return self.values[:, self.names.index(name)]


def chunks(
    bridge: Database, run_id: int, names: Sequence[str], size: int = SIZE, *, extra: Sequence[str] = (),
    only_full: bool = False, exact: bool = False,
) -> Iterator[Frame]:  # fmt: skip
    """Give the portraits of a run, so many at a time; `only_full` leaves out the thin ones; `exact`: as they are kept.

    Each chunk is read in a session of its own, so that nothing stays open while the caller reckons.

    Raises:
        ValueError: if a name is no column of the portraits.
    """
    columns = [_column(name) for name in (*names, *extra)]
    after = 0
    while True:
        query = select(Portrait.account_id, *columns).where(Portrait.run_id == run_id, Portrait.account_id > after)
        if only_full:
            query = query.where(Portrait.thin.is_(None))
        with long_reading(bridge) as session:
            rows = session.execute(query.order_by(Portrait.account_id).limit(size)).all()
        if not rows:
            return
        after = rows[-1][0]
        yield _frame(rows, tuple(names), tuple(extra), exact=exact)


def load(
    bridge: Database, run_id: int, names: Sequence[str], *, extra: Sequence[str] = (), only_full: bool = False
) -> Frame:
    """Return the portraits of a run in one frame (four bytes a value); raises ValueError as `chunks` does."""
    parts = list(chunks(bridge, run_id, names, extra=extra, only_full=only_full))
    if not parts:
        return _frame([], tuple(names), tuple(extra))
    return Frame(
        np.concatenate([part.account_ids for part in parts]),
        np.concatenate([part.values for part in parts]),
        tuple(names),
        {name: [value for part in parts for value in part.extra[name]] for name in extra},
    )


def _column(name: str) -> ColumnElement[Any]:
    if name not in Portrait.__table__.columns:
        raise ValueError(f"portraits have no column {name}")
    column: ColumnElement[Any] = Portrait.__table__.columns[name]
    return column


def _frame(rows: Sequence[Any], names: tuple[str, ...], extra: tuple[str, ...], *, exact: bool = False) -> Frame:
    count, kind = len(names), np.float64 if exact else np.float32
    values: NDArray[np.floating[Any]] = np.array([row[1 : count + 1] for row in rows], dtype=kind)
    others = {name: [row[count + 1 + place] for row in rows] for place, name in enumerate(extra)}
    ids = np.array([row[0] for row in rows], dtype=np.int64)
    return Frame(ids, values.reshape(len(rows), count), names, others)
