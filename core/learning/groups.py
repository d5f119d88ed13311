"""Puts open messages into groups that say much the same, ranks them by harm, and keeps what a reviewer knows them by.

Everything is reckoned outside of transactions, `core.learning.group_rows` writes. Only for processes of their own.
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
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.db import Database
from core.handoff.rules import Rules
from core.learning import harm
from core.learning.group_rows import Made, write
from core.learning.likeness import Distances, Likeness
from core.learning.naming import name_of_phrases, names_of
from core.learning.settings import LearningSettings
from core.learning.tables import OPEN, LearningGroup, LearningItem
from core.learning.words import is_phrase


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
    is_phrase: bool = False  # they say nothing of a matter


def regroup(
    bridge: Database, settings: LearningSettings, rules: Rules, known: Sequence[tuple[str, str]], *, now: datetime
) -> Grouped:  # fmt: skip
    """Group the newest open messages; `known` are messages of training, from which likeness is learnt.

    Raises:
        core.learning.group_rows.Overtaken: if another run was faster; nothing was changed then.
    """
    with bridge.reading() as session:
        before = _newest(session)
        items, waiting = _open_items(session, settings.groups.most)
        near = harm.around(session, items)
        groups = {group.id for group in session.scalars(select(LearningGroup))}
    for item in items:  # read, and given back: these objects belong to no session any more
        item.parts = harm.parts_of(item, near, settings.harm, rules)
    texts = [item.text for item in items]
    clusters = clusters_of(texts, Likeness(known, settings.groups, settings.placeholders, settings.names), settings)
    names = names_for(clusters, texts, settings)
    ids = same_ids([[items[place].group_id for place in one.places] for one in clusters], groups)
    made = [
        Made([items[place] for place in one.places], items[one.middle], name, number, one.is_phrase)
        for one, name, number in zip(clusters, names, ids, strict=True)
    ]
    write(bridge, items, made, settings, lambda session: _newest(session) == before, now=now)
    return Grouped(len(items), len(clusters), sum(one is not None for one in ids), waiting)


def clusters_of(texts: Sequence[str], likeness: Likeness, settings: LearningSettings) -> list[_Cluster]:
    """Return the groups of what speaks of a matter, then those of what does not: the two never mix."""
    empty = [is_phrase(text, settings.names) for text in texts]
    found: list[_Cluster] = []
    for kind in (False, True):
        places = [place for place, phrase in enumerate(empty) if phrase is kind]
        some = [texts[place] for place in places]
        made = cluster(likeness.distances(some), len(some), settings.groups.distance) if len(some) > 1 else [
            _Cluster([0], 0) for _ in some
        ]  # fmt: skip
        found += [_Cluster([places[at] for at in one.places], places[one.middle], kind) for one in made]
    return found


def names_for(clusters: Sequence[_Cluster], texts: Sequence[str], settings: LearningSettings) -> list[str]:
    """Return a name for each group, no two the same."""
    matters, phrases = ([one for one in clusters if one.is_phrase is kind] for kind in (False, True))
    names = names_of(
        [[texts[place] for place in one.places] for one in matters], [texts[one.middle] for one in matters],
        settings.names,
    )  # fmt: skip
    for one in phrases:
        names.append(name_of_phrases(names, texts[one.middle], settings.names))
    return names


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
