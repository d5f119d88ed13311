"""What has moved since the published run: the distribution of each feature (PSI), and accounts between segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from core.portrait.tables import Portrait
from core.segment.method import DriftRules
from core.segment.scale import Matrix

_FLOOR = 1e-4  # of a share, so that an empty bin does not become infinite


def bins_of(values: Matrix, names: Sequence[str], rules: DriftRules) -> dict[str, Any]:
    """Return the edges of equal bins of each feature, and the shares in them; the last share is that of the unknown."""
    found = {}
    for place, name in enumerate(names):
        column = values[:, place]
        known = column[~np.isnan(column)]
        steps = np.linspace(0, 1, rules.bins + 1)[1:-1]
        edges = sorted({float(one) for one in np.quantile(known, steps)}) if len(known) else []
        found[name] = {"edges": edges, "shares": shares(column, edges)}
    return found


def shares(column: NDArray[np.float32], edges: Sequence[float]) -> list[float]:
    """Return the share of accounts in each bin, and of those of which nothing is known."""
    unknown = np.isnan(column)
    places = np.searchsorted(np.asarray(edges), column[~unknown].astype(float), side="right")
    counts = [*np.bincount(places, minlength=len(edges) + 1).tolist(), int(unknown.sum())]
    return [round(count / max(len(column), 1), 6) for count in counts]


def psi(before: Sequence[float], after: Sequence[float]) -> float:
    """Return the population stability index: Σ (after − before) · ln(after / before)."""
    old, new = np.maximum(np.asarray(before), _FLOOR), np.maximum(np.asarray(after), _FLOOR)
    return float(((new - old) * np.log(new / old)).sum())


def drift(values: Matrix, names: Sequence[str], before: Mapping[str, Any], rules: DriftRules) -> dict[str, Any]:
    """Return the PSI of each feature against the bins of an earlier run, and which are notable or large."""
    found = {}
    for place, name in enumerate(names):
        if name in before:
            now = shares(values[:, place], before[name]["edges"])
            found[name] = round(psi(before[name]["shares"], now), 4)
    return {
        "psi": found,
        "notable": sorted(name for name, value in found.items() if rules.notable <= value < rules.large),
        "large": sorted(name for name, value in found.items() if value >= rules.large),
    }


def moves(session: Session, before: int, after: int) -> list[dict[str, Any]]:
    """Return how many accounts went from which segment to which; None stands for not being there."""
    old, new = aliased(Portrait), aliased(Portrait)
    query = (
        select(old.segment, new.segment, func.count())
        .select_from(new)
        .outerjoin(old, (old.account_id == new.account_id) & (old.run_id == before))
        .where(new.run_id == after)
        .group_by(old.segment, new.segment)
    )
    rows = session.execute(query).all()
    made = [{"before": row[0], "after": row[1], "accounts": row[2]} for row in rows]
    return sorted(made, key=lambda one: (-one["accounts"], str(one["before"]), str(one["after"])))
