"""The supervisor's wall: who waits, who works, what is late; and stepping in: whisper, take over, reassign."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from weakref import WeakKeyDictionary

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.bus import MemoryBus
from api.deps import Parts, PartsDep
from api.desk.access import SupervisorDep
from api.desk.callback_views import CallBackCount
from api.desk.cases import agent_names
from api.desk.inbox import case_views
from api.desk.options import calendars_of, options_of
from api.desk.pressing import ArrivalView, HelpView, arrival_views, help_views
from api.desk.promises import LateView, late_views
from api.desk.redaction import redactor_for
from api.desk.scope import conversation_in_scope
from api.desk.steps import publish, refuse_unseen
from api.desk.supervision import SupervisionRoute, auditor
from api.desk.tiles import AgentTile, SkillTile, agent_tile, skill_tile
from api.desk.views import CaseView, NoteView, Viewer
from core import agent as people
from core import call_back
from core.agent import Agent
from core.call_back import Owed
from core.clock import SHANGHAI
from core.conversation import Conversation, find_conversation
from core.desk_feed import last_seq
from core.desk_note import MAX_NOTE, DeskNote
from core.handoff import life
from core.handoff.figures import CaseFigures, ServiceFigures, cases_requested, open_cases, service_figures, span_of
from core.handoff.help import open_calls
from core.handoff.tables import SKILLS, Handoff
from core.roster import Worker, on_duty
from core.survey import Survey

router = APIRouter(prefix="/v1/desk", tags=["desk"], route_class=SupervisionRoute)
MOST_OPEN = 500  # cases on one wall
FRESH = timedelta(seconds=5)  # so long the day's figures stand while nothing happens


class WallFigures(BaseModel):
    """The day so far; shares are between 0 and 1, None while there is nothing to share."""

    waiting: int
    longest_wait_seconds: int
    messages: int
    requested_today: int
    answered_today: int
    within_15min: float | None
    within_3min: float | None
    left_queue: int
    average_wait_seconds: int | None
    closure_within_2h: float | None
    satisfaction: float | None
    satisfaction_count: int
    breaches: list[CaseView]
    warnings: list[CaseView]
    promises_late: list[LateView] | None  # None: the work-order system is away
    arrivals: list[ArrivalView] | None  # late, or nearly so; None as above
    call_backs: CallBackCount


class Wall(BaseModel):
    """Everything at one instant; `seq` is the number of the last hint it knows of."""

    seq: int
    now: datetime
    helps: list[HelpView]
    queue: list[CaseView]
    messages: list[CaseView]
    agents: list[AgentTile]
    figures: WallFigures
    skills: list[SkillTile]


class WhisperBody(BaseModel):
    """What to say to the agent alone."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(min_length=1, max_length=MAX_NOTE)]


class ReassignBody(BaseModel):
    """To whom, and what he has to know."""

    model_config = ConfigDict(extra="forbid")

    agent_id: int
    note: Annotated[str, Field(min_length=1, max_length=MAX_NOTE)]


@dataclass(frozen=True)
class _Day:
    """The figures of one day as they were computed; `seq`, `at`: after which hint, and when."""

    seq: int
    at: datetime
    day: datetime
    counted: ServiceFigures
    open: tuple[CaseFigures, ...]
    satisfaction: float | None
    satisfaction_count: int


@dataclass(frozen=True)
class _Read:
    """What one transaction has read."""

    seq: int
    rows: list[Handoff]
    agents: list[Agent]
    workers: dict[int, Worker]
    skills: list[SkillTile]
    day: _Day
    calls: list[DeskNote]
    asked: dict[str, Conversation]  # where help is asked for
    names: dict[int, str]
    call_backs: Owed


_days: WeakKeyDictionary[MemoryBus, _Day] = WeakKeyDictionary()


@router.get("/wall")
async def wall(parts: PartsDep, signed: SupervisorDep) -> Wall:
    """Return the wall as it stands."""
    now = parts.clock()
    read = await parts.store.read(lambda session: _read(session, parts, now))
    views = await case_views(parts, signed, read.rows)
    figures = _figures(read, views, await late_views(parts), await arrival_views(parts), now)
    return Wall(
        seq=read.seq, now=now.astimezone(SHANGHAI), figures=figures, skills=read.skills,
        helps=await help_views(parts, read.calls, read.asked, views, read.names),
        queue=[one for one in views if one.mode in ("queued", "offered") and not one.left_message],
        messages=[one for one in views if one.left_message and one.holder is None],
        agents=[agent_tile(one, read.workers.get(one.id), views, now) for one in read.agents],
    )  # fmt: skip


@router.post("/conversations/{conversation_id}/whisper")
async def whisper(conversation_id: str, body: WhisperBody, parts: PartsDep, signed: SupervisorDep) -> NoteView:
    """Say something to the agent who has the conversation; neither the customer nor another agent sees it."""
    conversation, now = await conversation_in_scope(parts, signed, conversation_id), parts.clock()

    def work(session: Session) -> tuple[DeskNote, dict[int, str]]:
        note = life.whisper(session, conversation_id, agent_id=signed.agent_id, text=body.text, now=now)
        auditor(parts, signed).note(session, "whispered", conversation_id, now=now, to=note.to_agent)
        return note, agent_names(session)

    note, names = await parts.store.write(work)
    publish(parts, conversation_id)
    viewer = Viewer(options_of(parts.settings.data_dir), names)
    return viewer.note(note, await redactor_for(parts, conversation))


@router.post("/conversations/{conversation_id}/take_over")
async def take_over(conversation_id: str, parts: PartsDep, signed: SupervisorDep) -> CaseView:
    """Answer the customer oneself, whoever had the conversation until now; that one is told so."""
    await conversation_in_scope(parts, signed, conversation_id)
    now = parts.clock()

    def work(session: Session) -> Handoff:
        case = life.take_over(session, conversation_id, agent_id=signed.agent_id, book=parts.book, now=now)
        auditor(parts, signed).note(session, "taken_over", conversation_id, now=now, case=case.id)
        return case

    case = await parts.store.write(work)
    publish(parts, conversation_id)
    return (await case_views(parts, signed, [case]))[0]


@router.post("/conversations/{conversation_id}/reassign")
async def reassign(conversation_id: str, body: ReassignBody, parts: PartsDep, signed: SupervisorDep) -> CaseView:
    """Give a case, waiting or taken, to an agent, with a note."""
    await conversation_in_scope(parts, signed, conversation_id)
    now = parts.clock()

    def work(session: Session) -> Handoff:
        refuse_unseen(session, parts, body.agent_id)
        note = life.reassign(
            session, conversation_id, agent_id=signed.agent_id, to_agent=body.agent_id, note=body.note,
            book=parts.book, now=now,
        )  # fmt: skip
        auditor(parts, signed).note(session, "reassigned", conversation_id, now=now, to=body.agent_id)
        return session.get_one(Handoff, note.handoff_id)

    case = await parts.store.write(work)
    publish(parts, conversation_id)
    return (await case_views(parts, signed, [case]))[0]


def _read(session: Session, parts: Parts, now: datetime) -> _Read:
    seq = last_seq(session)  # first: what changes meanwhile comes as another hint
    query = select(Handoff).where(Handoff.ended_at.is_(None)).order_by(Handoff.rank_at, Handoff.id)
    workers = on_duty(session, now=now)
    day = _day(session, parts, seq, now)
    calendar = calendars_of(session, parts.settings.data_dir).present
    calls = open_calls(session)
    return _Read(
        seq, list(session.scalars(query.limit(MOST_OPEN))), people.list_agents(session, active=True),
        {one.id: one for one in workers},
        [skill_tile(session, parts, skill, calendar, workers, now) for skill in SKILLS], day,
        calls, {one.conversation_id: find_conversation(session, one.conversation_id) for one in calls},
        agent_names(session), call_back.owed(session, now=now),
    )  # fmt: skip


def _day(session: Session, parts: Parts, seq: int, now: datetime) -> _Day:
    """Return the figures of today; while nothing happens they stand for a few seconds."""
    today = now.astimezone(SHANGHAI).date()
    start, end = span_of(today, today)
    known = _days.get(parts.bus)
    if known and (known.seq, known.day) == (seq, start) and timedelta(0) <= now - known.at < FRESH:
        return known
    calendars = calendars_of(session, parts.settings.data_dir)
    counted = service_figures(cases_requested(session, calendars, start, end, now=now))
    rated = select(func.avg(Survey.score), func.count(Survey.score)).where(
        Survey.answered_at >= start, Survey.answered_at < end
    )
    mean, count = session.execute(rated).one()
    found = _Day(
        seq, now, start, counted, tuple(open_cases(session, calendars, now=now)),
        round(float(mean), 2) if mean is not None else None, int(count),
    )  # fmt: skip
    _days[parts.bus] = found
    return found


def _figures(
    read: _Read, views: list[CaseView], promises: list[LateView] | None, arriving: list[ArrivalView] | None,
    now: datetime,
) -> WallFigures:  # fmt: skip
    day, owed = read.day, read.call_backs
    first, closure = day.counted.first_response, day.counted.closure
    waits = [now - one.waiting_since for one in day.open if one.waiting_since is not None]
    late = [one for one in views if any(clock.state == "breached" for clock in one.clocks.values())]
    warned = [one for one in views if one not in late and _is_warned(one, now)]
    return WallFigures(
        waiting=len(waits), longest_wait_seconds=int(max(waits, default=timedelta(0)).total_seconds()),
        messages=sum(one.standing == "message" for one in day.open),
        requested_today=day.counted.cases, answered_today=day.counted.answered, within_15min=first.share,
        within_3min=first.within_aim, left_queue=day.counted.left_queue, average_wait_seconds=first.mean_seconds,
        closure_within_2h=closure.share, satisfaction=day.satisfaction, satisfaction_count=day.satisfaction_count,
        breaches=late, warnings=warned, promises_late=promises, arrivals=arriving,
        call_backs=CallBackCount(open=owed.open, overdue=owed.overdue),
    )  # fmt: skip


def _is_warned(view: CaseView, now: datetime) -> bool:
    """Tell whether a clock that runs has used up the share of its promise after which to warn."""
    return any(
        clock.state == "running" and clock.warn_at is not None and clock.warn_at <= now
        for clock in view.clocks.values()
    )
