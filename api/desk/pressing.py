"""What presses on the wall besides the clocks of cases: calls for help, and nobody on the spot in time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from api.deps import Parts
from api.desk.options import calendars_of, options_of
from api.desk.redaction import redactor_for
from api.desk.views import CaseView, NoteView, Viewer
from core.conversation import Conversation
from core.desk_note import DeskNote
from core.handoff.figures import arrivals
from core.promise import Commitments
from core.work_order.tables import WorkOrder

log = structlog.get_logger("api.desk")
ON_THE_WAY = ("accepted", "dispatched", "taken")  # nobody is there yet
SO_LONG = timedelta(days=366)


class HelpView(BaseModel):
    """An agent's call for help that no supervisor has turned to yet."""

    case: CaseView
    note: NoteView


class ArrivalView(BaseModel):
    """An order to whose place nobody has come; `state`: breached, or running with little time left."""

    order_no: str
    title: str
    state: str
    due_at: datetime
    conversation_id: str | None


async def help_views(
    parts: Parts, calls: list[DeskNote], conversations: Mapping[str, Conversation], cases: list[CaseView],
    names: Mapping[int, str],
) -> list[HelpView]:  # fmt: skip
    """Return the calls of the cases that are shown, the oldest first."""
    viewer, shown = Viewer(options_of(parts.settings.data_dir), names), {one.handoff_id: one for one in cases}
    return [
        HelpView(
            case=shown[one.handoff_id],
            note=viewer.note(one, await redactor_for(parts, conversations[one.conversation_id])),
        )
        for one in calls if one.handoff_id in shown
    ]  # fmt: skip


async def arrival_views(parts: Parts) -> list[ArrivalView] | None:
    """Return the orders late on the spot or about to be, the most urgent first; None if they cannot be read."""
    data_dir, now = parts.settings.data_dir, parts.clock()
    commitments = Commitments.load(data_dir / "promises.yaml")
    calendars = await parts.store.read(lambda session: calendars_of(session, data_dir))

    def read() -> list[ArrivalView]:
        with parts.workorder.reading() as session:
            found = arrivals(session, commitments, calendars, now - SO_LONG, now, now=now, states=ON_THE_WAY)
            pressing = {
                number: one for number, one in found.items()
                if one.stopped_at is None and one.state != "none" and one.warn_at is not None and one.warn_at <= now
            }  # fmt: skip
            rows = session.scalars(select(WorkOrder).where(WorkOrder.order_no.in_(pressing)))
            return [
                ArrivalView(
                    order_no=row.order_no, title=row.title, conversation_id=row.conversation_id,
                    state=pressing[row.order_no].state, due_at=due,
                )
                for row in rows if (due := pressing[row.order_no].due_at) is not None
            ]  # fmt: skip

    try:
        return sorted(await asyncio.to_thread(read), key=lambda one: (one.due_at, one.order_no))
    except SQLAlchemyError as error:
        log.error("arrivals_unavailable", error=type(error).__name__)
        return None
