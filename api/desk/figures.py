"""The supervisor's figures: the three service clocks over some days, and the events behind each one."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import datetime
from typing import Any

import structlog
from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.deps import Parts, PartsDep
from api.desk.access import SupervisorDep
from api.desk.cases import agent_names
from api.desk.options import calendars_of
from api.desk.supervision import SpanDep, SupervisionRoute, no_such_case
from api.desk.views import ClockView, Person
from core.clock import SHANGHAI
from core.handoff.figures import (
    Calendars,
    CaseFigures,
    ClockSummary,
    ServiceFigures,
    arrivals,
    case_figures,
    cases_requested,
    events_of,
    service_figures,
    summary,
)
from core.handoff.tables import CaseNotFound
from core.promise import Commitments
from core.redact import Redactor

router = APIRouter(prefix="/v1/desk", tags=["desk"], route_class=SupervisionRoute)
log = structlog.get_logger("api.desk")
_redactor = Redactor()


class SummaryView(BaseModel):
    """One clock over many cases; `cases` are their numbers (of arrival: those of the orders)."""

    count: int
    met: int
    breached: int
    open: int
    share: float | None
    within_aim: float | None
    mean_seconds: int | None
    median_seconds: int | None
    p90_seconds: int | None
    cases: list[int | str]
    breached_cases: list[int | str]

    @classmethod
    def of(cls, found: ClockSummary[Any]) -> SummaryView:
        """Return a summary as it is shown."""
        return cls.model_validate(asdict(found))


class FiguresView(BaseModel):
    """The cases requested in some time, counted; `arrival` None: the work orders cannot be read at present."""

    start: datetime
    end: datetime
    cases: int
    answered: int
    left_queue: int
    messages: int
    transfers: int
    reopened: int
    vanished: int
    first_response: SummaryView
    closure: SummaryView
    arrival: SummaryView | None


class EventView(BaseModel):
    """One row of a case's log."""

    id: int
    at: datetime
    kind: str
    agent: Person | None
    data: dict[str, Any]


class CaseFiguresView(BaseModel):
    """The clocks of one case and its whole log; each clock names the rows it was computed from."""

    handoff_id: int
    conversation_id: str
    clocks: dict[str, ClockView]
    events: list[EventView]


async def cases_between(parts: Parts, start: datetime, end: datetime) -> list[CaseFigures]:
    """Return the cases requested in this time with their figures; the one source of page, wall and export."""
    now = parts.clock()

    def work(session: Session) -> list[CaseFigures]:
        return cases_requested(session, calendars_of(session, parts.settings.data_dir), start, end, now=now)

    return await parts.store.read(work)


@router.get("/figures")
async def figures(parts: PartsDep, _signed: SupervisorDep, span: SpanDep) -> FiguresView:
    """Return the figures of the days from `from` to `to`, both included; without them those of today."""
    start, end = span
    counted = service_figures(await cases_between(parts, start, end))
    return figures_view(counted, start, end, await _arrival(parts, start, end))


@router.get("/figures/{handoff_id}")
async def figures_of_case(handoff_id: int, parts: PartsDep, _signed: SupervisorDep) -> CaseFiguresView:
    """Return the clocks of one case with the events behind them."""
    now = parts.clock()

    def work(session: Session) -> CaseFiguresView:
        calendars = calendars_of(session, parts.settings.data_dir)
        try:
            found = case_figures(session, calendars, handoff_id, now=now)
        except CaseNotFound as error:
            raise no_such_case() from error
        names = agent_names(session)
        return CaseFiguresView(
            handoff_id=found.handoff_id, conversation_id=found.conversation_id, clocks=clocks_of(found, calendars),
            events=[
                EventView(
                    id=one.id, at=one.at.astimezone(SHANGHAI), kind=one.kind, agent=_person(one.agent_id, names),
                    data=_redactor.tree(one.data),
                )
                for one in events_of(session, handoff_id)
            ],
        )  # fmt: skip

    return await parts.store.read(work)


def figures_view(
    counted: ServiceFigures, start: datetime, end: datetime, arrival: SummaryView | None
) -> FiguresView:  # fmt: skip
    """Return the figures as they are shown."""
    numbers = {name: value for name, value in vars(counted).items() if isinstance(value, int)}
    return FiguresView(
        start=start, end=end, arrival=arrival, first_response=SummaryView.of(counted.first_response),
        closure=SummaryView.of(counted.closure), **numbers,
    )  # fmt: skip


def clocks_of(one: CaseFigures, calendars: Calendars) -> dict[str, ClockView]:
    """Return the two clocks of a case as the console draws them."""
    clocks = calendars.at(one.requested_at).desk.clocks
    minutes = clocks.message_minutes if one.left_message else clocks.first_response.promise_minutes
    return {
        one.first_response.name: ClockView.of(one.first_response, minutes * 60),
        one.closure.name: ClockView.of(one.closure, clocks.closure.promise_minutes * 60),
    }


async def _arrival(parts: Parts, start: datetime, end: datetime) -> SummaryView | None:
    commitments = Commitments.load(parts.settings.data_dir / "promises.yaml")
    data_dir, now = parts.settings.data_dir, parts.clock()
    calendars = await parts.store.read(lambda session: calendars_of(session, data_dir))

    def read() -> SummaryView:
        with parts.workorder.reading() as session:
            return SummaryView.of(summary(arrivals(session, commitments, calendars, start, end, now=now)))

    try:
        return await asyncio.to_thread(read)
    except SQLAlchemyError as error:
        log.error("arrivals_unavailable", error=type(error).__name__)
        return None


def _person(agent_id: int | None, names: dict[int, str]) -> Person | None:
    return None if agent_id is None else Person(id=agent_id, name=names.get(agent_id, ""))
