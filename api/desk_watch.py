"""What the loop of the desk measures, and the promises that have passed: each escalated to the supervisors once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.deps import Parts
from core import outbox, promise
from core.agent import STATUSES, Agent, list_agents, present
from core.desk_feed import announce
from core.handoff.queue import waiting
from core.handoff.tables import SKILLS, Handoff
from core.locking import one_at_a_time
from core.outage import Outage
from core.outbox import OutboxItem
from core.promise import Late
from core.work_order import WorkOrder

log = structlog.get_logger("api.dispatch")
KIND = "promise_late"  # of the outbox, and what the warning is about
# A promise is said in minutes, and is kept until its minute is over; what a case does about it is entered meanwhile.
GRACE = timedelta(minutes=1)
LOST = "lost"


@dataclass(frozen=True)
class LatePromise:
    """A promise that has passed, with what people call its subject."""

    late: Late
    order_no: str | None = None
    title: str | None = None
    area: str | None = None

    @property
    def handoff_id(self) -> int | None:
        """The case that it is of, None of an order or an outage."""
        return self.late.subject.id if self.late.subject.kind == "case" else None


async def late_promises(parts: Parts) -> list[LatePromise] | None:
    """Return the promises that have passed, the longest overdue first; None if the work-order system is away."""
    try:
        return await asyncio.to_thread(_late, parts)
    except SQLAlchemyError as error:
        log.warning("promises_unknown", error=type(error).__name__)
        return None


async def escalate_late(parts: Parts) -> int:
    """Warn the supervisors of each promise that has passed, once; return how many subjects that was."""
    found = await late_promises(parts)
    if not found:
        return 0
    known = await parts.store.read(lambda session: _known(session, found))
    done = 0
    for one in found:
        if not known.issuperset(one.late.ids):
            done += await parts.store.write(partial(_warn, one, parts.clock()))
    return done


async def measure(parts: Parts) -> None:
    """Set the figures of the queue and of the people."""
    now = parts.clock()

    def read(session: Session) -> tuple[list[Handoff], list[Agent]]:
        return waiting(session), list_agents(session, active=True)

    line, agents = await parts.store.read(read)
    skills = Counter(one.skill for one in line)
    longest = max((now - one.requested_at for one in line), default=timedelta(0))
    parts.metrics.desk.stands(_every(SKILLS, skills), longest, _statuses(agents, now))


def _statuses(agents: Iterable[Agent], now: datetime) -> dict[str, int]:
    counts = Counter(one.status if one.status != "online" or present(one, now) else LOST for one in agents)
    return _every((*STATUSES, LOST), counts)


def _every(names: Sequence[str], counts: Mapping[str, int]) -> dict[str, int]:
    return {name: counts.get(name, 0) for name in names}


def _late(parts: Parts) -> list[LatePromise]:
    with parts.workorder.reading() as session:
        found = promise.late(session, parts.clock() - GRACE)
        orders = select(WorkOrder).where(WorkOrder.id.in_(_ids(found, "order")))
        outages = select(Outage).where(Outage.id.in_(_ids(found, "outage")))
        order_of = {one.id: one for one in session.scalars(orders)}
        outage_of = {one.id: one for one in session.scalars(outages)}
    return [_named(one, order_of, outage_of) for one in found]


def _ids(found: Iterable[Late], kind: str) -> set[int]:
    return {one.subject.id for one in found if one.subject.kind == kind}


def _named(late: Late, orders: Mapping[int, WorkOrder], outages: Mapping[int, Outage]) -> LatePromise:
    if late.subject.kind == "order" and late.subject.id in orders:
        order = orders[late.subject.id]
        return LatePromise(late, order_no=order.order_no, title=order.title)
    if late.subject.kind == "outage" and late.subject.id in outages:
        return LatePromise(late, area=outages[late.subject.id].area)
    return LatePromise(late)


def _known(session: Session, found: Iterable[LatePromise]) -> set[int]:
    """Return the promises of which the supervisors heard."""
    keys = [str(number) for one in found for number in one.late.ids]
    query = select(OutboxItem.key).where(OutboxItem.kind == KIND, OutboxItem.key.in_(keys))
    return {int(key) for key in session.scalars(query)}


def _warn(one: LatePromise, now: datetime, session: Session) -> bool:
    """Warn, unless another process has done so."""
    one_at_a_time(session, KIND)
    late = one.late
    new = [
        number for number in late.ids
        if outbox.put_done(session, kind=KIND, key=str(number), payload={"due_at": late.due_at.isoformat()}, now=now)
    ]  # fmt: skip
    if not new:
        return False
    announce(
        session, "warning", now=now, conversation_id=late.conversation_id, handoff_id=one.handoff_id,
        data={
            "what": KIND, "level": "escalated", "promise": late.kind, "due_at": late.due_at.isoformat(),
            "order_no": one.order_no, "told": len(late.ids),
        },
    )  # fmt: skip
    return True
