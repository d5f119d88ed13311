"""Puts open messages into groups that say much the same, ranks them by harm, and keeps what a reviewer knows them by.

Everything is reckoned outside of transactions; one short transaction writes. Whoever reviews meanwhile is not
disturbed: a message that is no longer open when the groups are written stays as it is. Only for processes of their own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from core.db import Database
from core.handoff.rules import Rules
from core.learning import harm
from core.learning.likeness import Distances, Likeness
from core.learning.naming import names_of
from core.learning.settings import LearningSettings
from core.learning.tables import OPEN, LearningGroup, LearningItem
from core.locking import one_at_a_time


class Overtaken(Exception):
    """Another run has written groups since this one began to reckon."""


@dataclass(frozen=True)
class Grouped:
    """What a run made: messages looked at, groups, groups that were there before, messages that wait for their turn."""

    items: int
    groups: int
    kept: int
    waiting: int


@dataclass(frozen=True)
class _Cluster:
    places: Sequence[int]  # of its messages, in the order of the items
    middle: int  # the place of the message nearest to the others


def regroup(
    bridge: Database, settings: LearningSettings, rules: Rules, known: Sequence[tuple[str, str]], *, now: datetime
) -> Grouped:  # fmt: skip
    """Group the newest open messages; `known` are messages of training, from which likeness is learnt.

    Raises:
        Overtaken: if another run was faster; nothing was changed then.
    """
    with bridge.reading() as session:
        before = _newest(session)
        items, waiting = _open_items(session, settings.groups.most)
        near = harm.around(session, items)
        groups = {group.id for group in session.scalars(select(LearningGroup))}
    parts = {item.id: harm.parts_of(item, near, settings.harm, rules) for item in items}
    texts = [item.text for item in items]
    likeness = Likeness(known, settings.groups, settings.placeholders)
    clusters = cluster(likeness.distances(texts), len(texts), settings.groups.distance) if len(texts) > 1 else [
        _Cluster([0], 0) for _ in texts
    ]  # fmt: skip
    names = names_of(
        [[texts[place] for place in one.places] for one in clusters], [texts[one.middle] for one in clusters],
        settings.names,
    )  # fmt: skip
    ids = same_ids([[items[place].group_id for place in one.places] for one in clusters], groups)
    with bridge.transaction() as session:
        one_at_a_time(session, "learning_groups")
        if _newest(session) != before:
            raise Overtaken
        _write(session, items, parts, list(zip(clusters, names, ids, strict=True)), settings, now)
    return Grouped(len(items), len(clusters), sum(one is not None for one in ids), waiting)


def cluster(distances: Distances, count: int, limit: float) -> list[_Cluster]:
    """Return the groups of average linkage whose members lie at most so far apart, the largest first."""
    marks: Any = fcluster(linkage(distances, "average"), limit, "distance")
    found: dict[int, list[int]] = defaultdict(list)
    for place in range(count):
        found[int(marks[place])].append(place)
    square = squareform(distances)
    groups = [_Cluster(places, _middle(square, places)) for places in found.values()]
    return sorted(groups, key=lambda one: (-len(one.places), one.places[0]))


def same_ids(members: Sequence[Sequence[int | None]], known: set[int]) -> list[int | None]:
    """Return for each new group the id of the old one of which it holds most, each given once; None: it is new.

    `members`: the former group of each message of each new group. An old id goes where most of its messages went, if
    these are at least half of them.
    """
    sizes = Counter(old for each in members for old in each if old is not None)
    shares = [
        (count, old, place) for place, each in enumerate(members)
        for old, count in Counter(one for one in each if one is not None).items()
    ]  # fmt: skip
    found: list[int | None] = [None] * len(members)
    given: set[int] = set()
    for count, old, place in sorted(shares, key=lambda one: (-one[0], one[1], one[2])):
        if old in known and old not in given and found[place] is None and 2 * count >= sizes[old]:
            found[place] = old
            given.add(old)
    return found


def _open_items(session: Session, most: int) -> tuple[list[LearningItem], int]:
    """Return the newest open messages in the order of their ids, and how many older ones wait."""
    total = session.scalar(select(func.count()).select_from(LearningItem).where(LearningItem.state == OPEN)) or 0
    query = select(LearningItem).where(LearningItem.state == OPEN)
    rows = list(session.scalars(query.order_by(LearningItem.at.desc(), LearningItem.id.desc()).limit(most)))
    return sorted(rows, key=lambda row: row.id), total - len(rows)


def _newest(session: Session) -> datetime | None:
    return session.scalar(select(func.max(LearningGroup.made_at)))


def _middle(square: Any, places: Sequence[int]) -> int:
    among = square[np.ix_(places, places)].sum(axis=1)
    return places[int(np.argmin(among))]


def _write(
    session: Session, items: Sequence[LearningItem], parts: dict[int, dict[str, float]],
    groups: Sequence[tuple[_Cluster, str, int | None]], settings: LearningSettings, now: datetime,
) -> None:  # fmt: skip
    locked = select(LearningItem).where(LearningItem.state == OPEN).order_by(LearningItem.id)
    rows = {row.id: row for row in session.scalars(locked.with_for_update())}
    for item_id, found in parts.items():
        if item_id in rows:
            rows[item_id].parts, rows[item_id].harm = found, round(sum(found.values()), 3)
    for one, name, group_id in groups:
        mine = [rows[items[place].id] for place in one.places if items[place].id in rows]
        if not mine:
            continue
        middle = rows.get(items[one.middle].id, mine[0])
        _put(session, group_id, name, mine, middle.text, settings, now)
    session.flush()
    _tidy(session)


def _put(
    session: Session, group_id: int | None, name: str, mine: Sequence[LearningItem], example: str,
    settings: LearningSettings, now: datetime,
) -> None:  # fmt: skip
    parts = harm.of_group(mine, settings.harm, now)
    values = {
        "name": name, "size": len(mine), "harm": round(sum(parts.values()), 3), "parts": parts, "example": example,
        "made_at": now,
    }  # fmt: skip
    group = session.get(LearningGroup, group_id) if group_id is not None else None
    if group is None:
        group = LearningGroup(**values)
        session.add(group)
        session.flush()
    else:
        for key, value in values.items():
            setattr(group, key, value)
    for item in mine:
        item.group_id = group.id


def _tidy(session: Session) -> None:
    """Delete groups in which no message is left, and count the others anew."""
    used = select(LearningItem.group_id).where(LearningItem.group_id.is_not(None))
    session.execute(delete(LearningGroup).where(LearningGroup.id.not_in(used)))
    counts = dict(
        session.execute(
            select(LearningItem.group_id, func.count()).where(LearningItem.state == OPEN)
            .group_by(LearningItem.group_id)
        ).tuples().all()
    )  # fmt: skip
    for group in session.scalars(select(LearningGroup)):
        group.size = counts.get(group.id, 0)
        if not group.size:
            group.harm, group.parts = 0.0, {}
