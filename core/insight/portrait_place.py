"""Where an account lies among those of its class: read once a run and class, of a sample where there are many."""

from __future__ import annotations

import statistics
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.db import Database
from core.portrait.tables import FEATURES, Portrait

SAMPLE, MOST_KEPT = 4_000, 12


@dataclass(frozen=True)
class Peers:
    """The accounts of one class in one run: the known values of each feature, lowest first."""

    count: int
    sample: int
    values: Mapping[str, Sequence[float]]

    def percentile(self, feature: str, value: float | None) -> float | None:
        """Return the share of them (of which the feature is known) that lie below a value."""
        known = self.values[feature]
        if value is None or not known:
            return None
        return round(bisect_left(known, value) / len(known), 4)

    def usual(self, feature: str) -> float | None:
        """Return the median."""
        known = self.values[feature]
        return statistics.median(known) if known else None


_kept: WeakKeyDictionary[Database, dict[tuple[int, str], Peers]] = WeakKeyDictionary()


def peers_of(database: Database, session: Session, run_id: int, user_class: str) -> Peers:
    """Return the accounts of a class; `session` reads `database`. Portraits of a published run never change."""
    kept = _kept.setdefault(database, {})
    if (run_id, user_class) not in kept:
        kept[run_id, user_class] = _read(session, run_id, user_class)
        while len(kept) > MOST_KEPT:
            kept.pop(next(iter(kept)), None)
    return kept[run_id, user_class]


def _read(session: Session, run_id: int, user_class: str) -> Peers:
    mine = (Portrait.run_id == run_id, Portrait.user_class == user_class)
    count = session.scalar(select(func.count()).select_from(Portrait).where(*mine)) or 0
    step = -(-count // SAMPLE)  # every so manieth account, where there are too many
    query = select(*(getattr(Portrait, name) for name in FEATURES)).where(*mine)
    rows = session.execute(query.where(Portrait.account_id % step == 0) if step > 1 else query).all()
    values = {name: sorted(row[place] for row in rows if row[place] is not None) for place, name in enumerate(FEATURES)}
    return Peers(count, len(rows), values)
