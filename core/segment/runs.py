"""The life of a run: begun or gone on with, published in one small transaction, or failed; old portraits go.

All but the readers hold `core.segment.lock.alone`: a run that is `running` then belongs to nobody who lives.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from core.clock import SHANGHAI
from core.db import Database
from core.portrait.tables import Portrait, PortraitEvent
from core.segment.tables import FAILED, PUBLISHED, RETIRED, RUNNING, SegmentRun

FEATURES_STAGE, CLUSTERS_STAGE, NAMES_STAGE = "features", "clusters", "names"
STEP = 5_000  # portraits taken away in one transaction


class RunNotFound(Exception):
    """There is no such run."""


@dataclass(frozen=True)
class Begun:
    """A run to be made: from the start, or gone on with after this account and stage."""

    run_id: int
    as_of: date
    cursor: int
    stage: str
    resumed: bool


def published(session: Session) -> SegmentRun | None:
    """Return the run in use, None before the first one is complete."""
    query = select(SegmentRun).where(SegmentRun.state == PUBLISHED).order_by(SegmentRun.id.desc())
    return session.scalar(query.limit(1))


def published_day(session: Session) -> tuple[int, date] | None:
    """Return the number and the day of the run in use, without its results, which are long; None as `published`."""
    query = select(SegmentRun.id, SegmentRun.as_of).where(SegmentRun.state == PUBLISHED).order_by(SegmentRun.id.desc())
    row = session.execute(query.limit(1)).first()
    return None if row is None else (row.id, row.as_of)


def unfinished(session: Session) -> SegmentRun | None:
    """Return the newest run that was begun and not ended."""
    query = select(SegmentRun).where(SegmentRun.state == RUNNING).order_by(SegmentRun.id.desc())
    return session.scalar(query.limit(1))


def find(session: Session, run_id: int) -> SegmentRun:
    """Return a run; raises RunNotFound."""
    run = session.get(SegmentRun, run_id)
    if run is None:
        raise RunNotFound(str(run_id))
    return run


def begin(
    bridge: Database, *, as_of: date, seed: int, settings: dict[str, Any], resume_hours: float, now: datetime
) -> Begun:
    """Go on with the unfinished run if it is of the same day, seed and settings and not too old, else begin one.

    Other unfinished runs fail, and what they wrote is taken away.
    """
    _clear(bridge, as_of=as_of, seed=seed, settings=settings, since=now - timedelta(hours=resume_hours), now=now)
    with bridge.transaction() as session:
        old = unfinished(session)
        if old is not None:
            old.heartbeat_at = now
            return Begun(old.id, old.as_of, old.cursor, old.stage, resumed=True)
        run = SegmentRun(
            as_of=as_of, state=RUNNING, stage=FEATURES_STAGE, seed=seed, started_at=now, heartbeat_at=now,
            settings=settings,
        )  # fmt: skip
        session.add(run)
        session.flush()
        return Begun(run.id, as_of, 0, FEATURES_STAGE, resumed=False)


def reach(bridge: Database, run_id: int, stage: str, *, now: datetime, **columns: Any) -> None:
    """Note that a run came to a stage, and what it found so far."""
    with bridge.transaction() as session:
        run = find(session, run_id)
        run.stage, run.heartbeat_at = stage, now
        for name, value in columns.items():
            setattr(run, name, value)


def publish(bridge: Database, run_id: int, *, now: datetime) -> None:
    """Let a complete run be the one in use: readers see the old one or the new one, never a part."""
    with bridge.transaction() as session:
        for old in session.scalars(select(SegmentRun).where(SegmentRun.state == PUBLISHED)).all():
            old.state = RETIRED
        session.flush()
        run = find(session, run_id)
        run.state, run.stage, run.heartbeat_at = PUBLISHED, "", now
        run.finished_at = run.published_at = now


def fail(bridge: Database, run_id: int, why: str, *, now: datetime) -> None:
    """Note that a run cannot be ended, and take away what it wrote; the one in use stays."""
    with bridge.transaction() as session:
        run = find(session, run_id)
        run.state, run.error, run.finished_at = FAILED, why, now
    _take_away(bridge, run_id)


def prune(bridge: Database, *, keep: int) -> list[int]:
    """Take away the portraits of all runs but the newest published ones; return whose. The runs' records stay.

    Events go that are older than all runs that keep their portraits: nobody asks for them any more.
    """
    with bridge.reading() as session:
        ids = select(SegmentRun.id).where(SegmentRun.state.in_((PUBLISHED, RETIRED))).order_by(SegmentRun.id.desc())
        kept = set(session.scalars(ids.limit(keep)))
        oldest = session.scalar(select(func.min(SegmentRun.as_of)).where(SegmentRun.id.in_(kept)))
        over = select(SegmentRun.id).where(SegmentRun.state != RUNNING, SegmentRun.id.not_in(kept))
        old = [run_id for run_id in session.scalars(over.order_by(SegmentRun.id)) if _has_portraits(session, run_id)]
    for run_id in old:
        _take_away(bridge, run_id)
    if oldest is not None:
        _forget_events(bridge, datetime.combine(oldest, time(), SHANGHAI))
    return old


def _forget_events(bridge: Database, before: datetime) -> None:
    some = select(PortraitEvent.id).where(PortraitEvent.at < before).order_by(PortraitEvent.id).limit(STEP)
    while True:
        with bridge.transaction() as session:
            ids = list(session.scalars(some))
            session.execute(delete(PortraitEvent).where(PortraitEvent.id.in_(ids)))
        if len(ids) < STEP:
            return


def _clear(
    bridge: Database, *, as_of: date, seed: int, settings: dict[str, Any], since: datetime, now: datetime
) -> None:
    with bridge.reading() as session:
        running = session.scalars(select(SegmentRun).where(SegmentRun.state == RUNNING).order_by(SegmentRun.id)).all()
    same = [
        run.id for run in running
        if run.as_of == as_of and run.seed == seed and run.settings == settings and run.heartbeat_at >= since
    ]  # fmt: skip
    for run in running:
        if run.id not in same[-1:]:
            fail(bridge, run.id, "it was cut off, and could not be gone on with", now=now)


def _has_portraits(session: Session, run_id: int) -> bool:
    return session.scalar(select(Portrait.run_id).where(Portrait.run_id == run_id).limit(1)) is not None


def _take_away(bridge: Database, run_id: int) -> None:
    while True:
        with bridge.transaction() as session:
            some = select(Portrait.account_id).where(Portrait.run_id == run_id)
            last = session.scalar(
                select(func.max(Portrait.account_id)).where(
                    Portrait.account_id.in_(some.order_by(Portrait.account_id).limit(STEP)), Portrait.run_id == run_id
                )
            )
            if last is None:
                return
            session.execute(delete(Portrait).where(Portrait.run_id == run_id, Portrait.account_id <= last))
