"""The ledger of promises: which time was given for what, who was told it, and what became of it.

Who was told a time that no longer holds is told the new one, once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ForeignKey, Index, String, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import notice
from core.db import Instant, WorkOrderBase
from core.locking import one_at_a_time

ARRIVAL, RESTORE, CONTACT, ANSWER, COMPLETE = "arrival", "restore", "contact", "answer", "complete"
About = Literal["order", "outage", "case"]
KINDS = (ARRIVAL, RESTORE, CONTACT, ANSWER, COMPLETE)


class Promise(WorkOrderBase):
    """One time given for one thing: to a conversation, or (without one) only set for the thing itself."""

    __tablename__ = "promises"
    __table_args__ = (
        Index("ix_promises_subject", "subject_kind", "subject_id", "kind"),
        Index("ix_promises_due", "kept_at", "moved_to", "due_at"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    subject_kind: Mapped[str] = mapped_column(String(8))  # order | outage | case
    subject_id: Mapped[int]
    kind: Mapped[str] = mapped_column(String(10))  # one of KINDS
    conversation_id: Mapped[str | None] = mapped_column(String(36), index=True)
    due_at: Mapped[datetime] = mapped_column(Instant)
    told_at: Mapped[datetime] = mapped_column(Instant)
    moved_to: Mapped[int | None] = mapped_column(ForeignKey("promises.id"))  # the promise that took its place
    kept_at: Mapped[datetime | None] = mapped_column(Instant)


@dataclass(frozen=True)
class Subject:
    """What a promise is about, by its id: an order, an outage, or a case of the desk (`core.handoff`)."""

    kind: About
    id: int


@dataclass(frozen=True)
class Standing:
    """The time that stands for a subject, since when; `moved`: it took the place of another, so it is no average."""

    kind: str
    due_at: datetime
    since: datetime
    moved: bool


@dataclass(frozen=True)
class Late:
    """A time that was told and has passed: one for each subject and kind, however many were told.

    `ids` are the promises, one a conversation told, and `conversation_id` is the first of those; `due_at` is the
    earliest of the times.
    """

    subject: Subject
    kind: str
    due_at: datetime
    conversation_id: str
    ids: tuple[int, ...]


class UnknownPromiseKind(ValueError):
    """There is no such kind of promise."""


def record(session: Session, subject: Subject, kind: str, due_at: datetime, *, now: datetime) -> Promise:
    """Set a time for the subject, which nobody was told yet; the same time again is the same promise."""
    return tell(session, subject, kind, due_at, conversation_id=None, now=now)


def tell(
    session: Session, subject: Subject, kind: str, due_at: datetime, *, conversation_id: str | None, now: datetime
) -> Promise:
    """Record what a conversation was told; idempotent for the same time, and another time takes the place of the old.

    Raises:
        UnknownPromiseKind: if `kind` is none of KINDS.
    """
    _check(kind)
    hold(session, subject)
    mine = [one for one in _standing(session, subject, kind) if one.conversation_id == conversation_id]
    if mine and mine[-1].due_at == due_at:
        return mine[-1]
    promise = _add(session, subject, kind, due_at, conversation_id, now)
    for old in mine:
        old.moved_to = promise.id
    return promise


def give(
    session: Session, subject: Subject, kind: str, due_at: datetime, *, conversation_id: str, now: datetime
) -> Promise:
    """Record one more time that a conversation was told, beside those that stand; each call is another promise.

    Raises:
        UnknownPromiseKind: if `kind` is none of KINDS.
    """
    _check(kind)
    hold(session, subject)
    return _add(session, subject, kind, due_at, conversation_id, now)


def move(
    session: Session,
    subject: Subject,
    kind: str,
    due_at: datetime,
    *,
    now: datetime,
    reason: str = "",
    values: Mapping[str, str] | None = None,
) -> int:
    """Set a new time; whoever was told another one gets one notice `moved_<subject>_<kind>` with the new one.

    `values` name the subject in the notice (order_no and title; area). Return how many notices were put.
    """
    hold(session, subject)
    outdated = [one for one in _standing(session, subject, kind) if one.due_at != due_at]
    told = {one.conversation_id: one for one in outdated}
    for conversation_id, last in told.items():
        newer = _add(session, subject, kind, due_at, conversation_id, now)
        last.moved_to = newer.id
        for older in outdated:
            if older.conversation_id == conversation_id:
                older.moved_to = newer.id
    if not _standing(session, subject, kind):
        _add(session, subject, kind, due_at, None, now)
    shown = {**(values or {}), "due_at": due_at.isoformat(), "reason": reason}
    return sum(
        notice.put(
            session, key=f"moved:{last.id}", conversation_id=conversation_id,
            wording=f"moved_{subject.kind}_{kind}", values=shown, now=now,
        )
        for conversation_id, last in told.items() if conversation_id is not None
    )  # fmt: skip


def keep(session: Session, subject: Subject, kind: str | None = None, *, now: datetime) -> None:
    """Note that the promises of this kind (all, without one) are done with."""
    query = update(Promise).where(
        Promise.subject_kind == subject.kind, Promise.subject_id == subject.id,
        Promise.moved_to.is_(None), Promise.kept_at.is_(None),
    )  # fmt: skip
    session.execute(query.where(Promise.kind == kind) if kind else query, {"kept_at": now})


def due_of(session: Session, subject: Subject, kind: str) -> Promise | None:
    """Return the promise that stands at present, None if there is none (any more)."""
    return next(reversed(_standing(session, subject, kind)), None)


def standing(session: Session, subject: Subject) -> list[Standing]:
    """Return what stands of each kind at present, the one that is due first at the head."""
    rows = _standing(session, subject, None)
    newest = {one.kind: one for one in rows}
    moved = set(
        session.scalars(select(Promise.moved_to).where(Promise.moved_to.in_([one.id for one in rows])))
    )  # fmt: skip
    found = []
    for kind, last in newest.items():
        same = [one for one in rows if one.kind == kind and one.due_at == last.due_at]
        since = min(one.told_at for one in same)
        found.append(Standing(kind, last.due_at, since, moved=any(one.id in moved for one in same)))
    return sorted(found, key=lambda one: one.due_at)


def told(session: Session, subject: Subject, kind: str, conversation_id: str) -> list[Promise]:
    """Return all that a conversation was ever told of a subject, whatever became of it, oldest first."""
    query = select(Promise).where(
        Promise.subject_kind == subject.kind, Promise.subject_id == subject.id, Promise.kind == kind,
        Promise.conversation_id == conversation_id,
    )  # fmt: skip
    return list(session.scalars(query.order_by(Promise.id)))


def late(session: Session, now: datetime, *, limit: int = 1000) -> list[Late]:
    """Return the times that somebody was told and that passed before `now` unkept and unmoved, the latest last.

    `limit` is of promises: the longest overdue are returned.
    """
    query = select(Promise).where(
        Promise.kept_at.is_(None), Promise.moved_to.is_(None), Promise.due_at < now,
        Promise.conversation_id.is_not(None),
    )  # fmt: skip
    found: dict[tuple[str, int, str], list[Promise]] = {}
    for one in session.scalars(query.order_by(Promise.due_at, Promise.id).limit(limit)):
        found.setdefault((one.subject_kind, one.subject_id, one.kind), []).append(one)
    return [_late(rows) for rows in found.values()]


def hold(session: Session, subject: Subject) -> None:
    """Let nobody else change the promises of a subject until this transaction ends."""
    one_at_a_time(session, f"promises:{subject.kind}:{subject.id}")


def _late(rows: Sequence[Promise]) -> Late:
    first = rows[0]
    assert first.conversation_id is not None
    subject = Subject(cast(About, first.subject_kind), first.subject_id)
    return Late(subject, first.kind, first.due_at, first.conversation_id, tuple(sorted(one.id for one in rows)))


def _check(kind: str) -> None:
    if kind not in KINDS:
        raise UnknownPromiseKind(kind)


def _standing(session: Session, subject: Subject, kind: str | None) -> list[Promise]:
    query = select(Promise).where(
        Promise.subject_kind == subject.kind, Promise.subject_id == subject.id,
        Promise.moved_to.is_(None), Promise.kept_at.is_(None),
    )  # fmt: skip
    return list(session.scalars((query.where(Promise.kind == kind) if kind else query).order_by(Promise.id)))


def _add(
    session: Session, subject: Subject, kind: str, due_at: datetime, conversation_id: str | None, now: datetime
) -> Promise:
    promise = Promise(
        subject_kind=subject.kind, subject_id=subject.id, kind=kind, conversation_id=conversation_id, due_at=due_at,
        told_at=now,
    )  # fmt: skip
    session.add(promise)
    session.flush()
    return promise


class Commitments(BaseModel):
    """What the company commits itself to on average (data/promises.yaml), by area class (city, rural, remote)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    date: str
    arrival_minutes: Mapping[str, Annotated[int, Field(gt=0)]]
    restore_hours: Mapping[str, Annotated[int, Field(gt=0)]]

    @classmethod
    def load(cls, path: Path) -> Commitments:
        """Read the file.

        Raises:
            pydantic.ValidationError: if a figure is missing, unknown or not above zero.
        """
        return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))

    def arrival(self, area_class: str | None, now: datetime) -> datetime | None:
        """Return when somebody is there by the average, None if the area class is not known."""
        minutes = self.arrival_minutes.get(area_class or "")
        return now + timedelta(minutes=minutes) if minutes else None

    def restore(self, area_class: str | None, arrived_at: datetime) -> datetime | None:
        """Return when power is back by the average after arrival, None if the area class is not known."""
        hours = self.restore_hours.get(area_class or "")
        return arrived_at + timedelta(hours=hours) if hours else None
