"""Writes groups in short transactions: the bridge goes on writing, and a kill in between leaves the old groups in use.

What each message weighs is written first, some hundreds at a time; nobody sees that until the groups change, which
they do in one transaction of a few statements. Whoever reviews meanwhile is not disturbed: a message that is no longer
open when the groups are written stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Table, bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from core.db import Database
from core.learning import harm
from core.learning.settings import LearningSettings
from core.learning.tables import OPEN, LearningGroup, LearningItem
from core.locking import one_at_a_time

BATCH = 500  # messages in one transaction
_ITEMS: Table = LearningItem.metadata.tables[LearningItem.__tablename__]
_GROUPS: Table = LearningGroup.metadata.tables[LearningGroup.__tablename__]


class Overtaken(Exception):
    """Another run has written groups since this one began to reckon."""


@dataclass(frozen=True)
class Made:
    """One group as it is to be written; `group_id` is that of the old one that it goes on, None for a new one."""

    items: Sequence[LearningItem]  # as they were read, with the parts of their harm
    middle: LearningItem
    name: str
    group_id: int | None
    is_phrase: bool


def write(
    bridge: Database, items: Sequence[LearningItem], groups: Sequence[Made], settings: LearningSettings,
    is_newest: Callable[[Session], bool], *, now: datetime,
) -> None:  # fmt: skip
    """Write what messages weigh, then the groups, all at once.

    Raises:
        Overtaken: if `is_newest` says so; the groups are as they were then.
    """
    for at in range(0, len(items), BATCH):
        with bridge.transaction() as session:
            _weigh(session, items[at : at + BATCH])
    with bridge.transaction() as session:
        one_at_a_time(session, "learning_groups")
        if not is_newest(session):
            raise Overtaken
        _switch(session, groups, settings, now)


def _weigh(session: Session, items: Sequence[LearningItem]) -> None:
    change = update(_ITEMS).where(_ITEMS.c.id == bindparam("item"), _ITEMS.c.state == OPEN)
    change = change.values(harm=bindparam("weight"), parts=bindparam("made_of"))
    values = [{"item": one.id, "weight": round(sum(one.parts.values()), 3), "made_of": one.parts} for one in items]
    session.connection().execute(change, values)


def _switch(session: Session, groups: Sequence[Made], settings: LearningSettings, now: datetime) -> None:
    """Let the messages belong to the new groups; only those that are still open."""
    locked = select(LearningItem.id).where(LearningItem.state == OPEN).order_by(LearningItem.id)
    still_open = set(session.scalars(locked.with_for_update()))
    there = set(session.scalars(select(LearningGroup.id)))
    fresh: list[LearningGroup] = []
    changed: list[dict[str, Any]] = []
    moved: list[tuple[LearningItem, int | LearningGroup]] = []
    for one in groups:
        mine = [item for item in one.items if item.id in still_open]
        if not mine:
            continue
        values = _values(one, mine, settings, now)
        if one.group_id in there:
            changed.append({"number": one.group_id, **values})
            moved += [(item, one.group_id) for item in mine if item.group_id != one.group_id]
        else:  # a new one, or all of the old one was erased meanwhile
            fresh.append(LearningGroup(**{key.removeprefix("new_"): value for key, value in values.items()}))
            moved += [(item, fresh[-1]) for item in mine]
    session.add_all(fresh)
    session.flush()
    _change_groups(session, changed)
    _move(session, moved)
    _tidy(session)


def _values(one: Made, mine: Sequence[LearningItem], settings: LearningSettings, now: datetime) -> dict[str, Any]:
    share = settings.harm.phrase_share if one.is_phrase else 1.0
    parts = {name: round(value * share, 3) for name, value in harm.of_group(mine, settings.harm, now).items()}
    middle = one.middle if any(item.id == one.middle.id for item in mine) else mine[0]
    return {
        "new_name": one.name, "new_size": len(mine), "new_harm": round(sum(parts.values()), 3), "new_parts": parts,
        "new_example": middle.text, "new_made_at": now,
    }  # fmt: skip


def _change_groups(session: Session, changed: Sequence[dict[str, Any]]) -> None:
    if not changed:
        return
    names = ("name", "size", "harm", "parts", "example", "made_at")
    change = update(_GROUPS).where(_GROUPS.c.id == bindparam("number"))
    session.connection().execute(change.values({name: bindparam(f"new_{name}") for name in names}), list(changed))


def _move(session: Session, moved: Sequence[tuple[LearningItem, int | LearningGroup]]) -> None:
    if not moved:
        return
    change = update(_ITEMS).where(_ITEMS.c.id == bindparam("item")).values(group_id=bindparam("into"))
    values = [{"item": item.id, "into": into if isinstance(into, int) else into.id} for item, into in moved]
    session.connection().execute(change, values)


def _tidy(session: Session) -> None:
    """Delete groups in which no message is left, and count anew those in which something was reviewed."""
    used = select(LearningItem.group_id).where(LearningItem.group_id.is_not(None))
    session.execute(delete(LearningGroup).where(LearningGroup.id.not_in(used)))
    mine = select(func.count()).where(LearningItem.group_id == LearningGroup.id, LearningItem.state == OPEN)
    size = mine.correlate(LearningGroup).scalar_subquery()
    as_is = {"synchronize_session": False}
    session.execute(update(LearningGroup).where(LearningGroup.size != size).values(size=size), execution_options=as_is)
    done = update(LearningGroup).where(LearningGroup.size == 0, LearningGroup.harm != 0)
    session.execute(done.values(harm=0.0, parts={}), execution_options=as_is)
