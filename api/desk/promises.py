"""Promises that have passed, as the supervisor's wall shows them."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from api.deps import Parts
from api.desk_watch import LatePromise, late_promises
from core.clock import SHANGHAI


class LateView(BaseModel):
    """A promise of an order, of a case, or of an outage in an area; `told`: how many conversations were told it."""

    kind: str
    due_at: datetime
    conversation_id: str
    order_no: str | None
    title: str | None
    handoff_id: int | None
    area: str | None
    told: int


async def late_views(parts: Parts) -> list[LateView] | None:
    """Return them, the longest overdue first; None if the work-order system is away."""
    found = await late_promises(parts)
    return None if found is None else [_view(one) for one in found]


def _view(one: LatePromise) -> LateView:
    return LateView(
        kind=one.late.kind, due_at=one.late.due_at.astimezone(SHANGHAI), conversation_id=one.late.conversation_id,
        order_no=one.order_no, title=one.title, handoff_id=one.handoff_id, area=one.area, told=len(one.late.ids),
    )  # fmt: skip
