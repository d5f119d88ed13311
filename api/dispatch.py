"""The loop of the desk: offers, deadlines, clocks, promises, surveys. It finds its work in the databases, each once.

Several processes may run it: a step locks its conversation and looks again before it does anything. One case that
cannot be handled does not hold up the others; a database that is away is tried again (`api.deliveries.repeat`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import TypeVar

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from api.deliveries import repeat
from api.deps import Parts
from api.desk_watch import escalate_late, measure
from api.desks.base import DESK
from api.fitting import fitted
from api.pulse import pulse_of
from core import survey
from core.conversation import Conversation
from core.handoff import life, routing, waiting, watch
from core.handoff.case import hold_case
from core.handoff.orders import categories_of, danger_open, trouble_open
from core.handoff.queue import waiting as line_of
from core.handoff.tables import Handoff

log = structlog.get_logger("api.dispatch")
Result = TypeVar("Result")
CLOCK_ROUNDS = 5  # the clocks of all open cases are computed every so many rounds


async def dispatch(parts: Parts) -> None:
    """Do what is due, second by second, until cancelled."""
    rounds, pulse = count(), pulse_of(parts.bus)

    async def work() -> int:
        done = await dispatch_once(parts, clocks=next(rounds) % CLOCK_ROUNDS == 0)
        pulse.beat()
        return done

    pulse.beat()
    await repeat("dispatch", work)


async def dispatch_once(parts: Parts, *, clocks: bool = True) -> int:
    """Do all that is due now and return how many steps changed something; `clocks`: those too, which is more work."""
    await parts.store.read(parts.book.hours.refresh)
    done = await parts.desk.work()
    if parts.desk.routes:
        gone = await parts.store.read(partial(_vanished, parts))
        done += await _each(parts, gone, partial(_vanish, parts), count=partial(_count_loss, parts))
        done += await _flags(parts)
    overdue = await parts.store.read(partial(_due, parts))
    done += await _each(parts, overdue, partial(_step, parts), count=partial(_count_loss, parts))
    if parts.desk.routes:
        done += await _offers(parts)
    if clocks:
        unnoted = await parts.store.read(partial(_unnoted, parts))
        done += await _each(parts, unnoted, partial(_note, parts), count=partial(_count_breaches, parts))
        done += await escalate_late(parts)
        await measure(parts)
    done += await _surveys(parts)
    if done:
        parts.bus.publish(DESK)
    return done


async def _each(
    parts: Parts, cases: list[int], work: Callable[[Session, int], Result], *, count: Callable[[Result], None]
) -> int:
    """Do a step of each case in a transaction of its own; `count` is told after it what was done."""
    done = 0
    for case_id in cases:
        if result := await _one(parts, case_id, _of(work, case_id)):
            count(result)
            done += 1
    return done


def _of(work: Callable[[Session, int], Result], handoff_id: int) -> Callable[[Session], Result]:
    return lambda session: work(session, handoff_id)


def _count_loss(parts: Parts, what: str | None) -> None:
    if what == "offer_expired":
        parts.metrics.desk.offers_lapsed.inc()
    elif what == "vanished":
        parts.metrics.desk.vanished.inc()


def _count_breaches(parts: Parts, noted: list[tuple[str, str]]) -> None:
    for kind, clock in noted:
        if kind == "breached":
            parts.metrics.desk.breaches.labels(clock).inc()


async def _one(parts: Parts, handoff_id: int, work: Callable[[Session], Result]) -> Result | None:
    def run(session: Session) -> tuple[Result, str]:
        conversation, _ = hold_case(session, handoff_id)
        return work(session), conversation.id

    try:
        result, conversation_id = await parts.store.write(run)
    except (OperationalError, InterfaceError):
        raise  # the database is away: so it is for all others
    except Exception as error:
        log.error("step_failed", handoff=handoff_id, error=type(error).__name__,
                  exc_info=None if isinstance(error, SQLAlchemyError) else error)  # fmt: skip
        return None
    if result:
        parts.bus.publish(conversation_id)
    return result


def _vanished(parts: Parts, session: Session) -> list[int]:
    return routing.vanished(session, book=parts.book, now=parts.clock())


def _vanish(parts: Parts, session: Session, handoff_id: int) -> str | None:
    now = parts.clock()
    if handoff_id not in routing.vanished(session, book=parts.book, now=now):
        return None  # the agent is back
    if life.lapse_offer(session, handoff_id, book=parts.book, now=now, gone=True) is not None:
        return "offer_expired"
    return "vanished" if life.vanish(session, handoff_id, book=parts.book, now=now) else None


def _due(parts: Parts, session: Session) -> list[int]:
    return waiting.due_cases(session, now=parts.clock())


def _step(parts: Parts, session: Session, handoff_id: int) -> str | None:
    return waiting.step(session, handoff_id, book=parts.book, now=parts.clock())


def _unnoted(parts: Parts, session: Session) -> list[int]:
    return watch.to_note(session, book=parts.book, now=parts.clock())


def _note(parts: Parts, session: Session, handoff_id: int) -> list[tuple[str, str]]:
    return watch.note(session, handoff_id, book=parts.book, now=parts.clock())


async def _offers(parts: Parts) -> int:
    now = parts.clock()
    choices = await parts.store.read(lambda session: routing.plan(session, book=parts.book, now=now))
    done = 0
    for choice in choices:
        offer = partial(routing.offer_chosen, choice=choice, book=parts.book, now=now)
        done += bool(await _choice(parts, choice.handoff_id, offer))
    return done


async def _choice(parts: Parts, handoff_id: int, offer: Callable[[Session], bool]) -> bool | None:
    """Make an offer; the lock that lets one process decide at a time comes before that of the conversation."""
    try:
        offered = await parts.store.write(offer)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.error("offer_failed", handoff=handoff_id, error=type(error).__name__, exc_info=error)
        return None
    return offered


# -- what only the work-order system and the portraits know


async def _flags(parts: Parts) -> int:
    """Look up who new cases' customers are, as soon as that can be had: nobody waits for it."""

    def new(session: Session) -> list[tuple[int, str, str | None]]:
        cases = [case for case in line_of(session) if "flags" not in case.summary]
        whose = [session.get_one(Conversation, case.conversation_id) for case in cases]
        return [(case.id, one.id, one.customer_no) for case, one in zip(cases, whose, strict=True)]

    done = 0
    for handoff_id, conversation_id, customer_no in await parts.store.read(new):
        try:
            known = await asyncio.to_thread(flags_of, parts, conversation_id, customer_no)
        except SQLAlchemyError as error:
            log.warning("flags_unknown", handoff=handoff_id, error=type(error).__name__)
            return done
        flags = list(dict.fromkeys([*known, *await _by_segment(parts, conversation_id)]))
        done += bool(await _one(parts, handoff_id, partial(_flag, parts, handoff_id, flags)))
    return done


async def _by_segment(parts: Parts, conversation_id: str) -> tuple[str, ...]:
    """Return what lifts cases by the portraits; whatever is wrong with those, the line goes on without."""

    def look(session: Session) -> tuple[str, ...]:
        return fitted(parts.book, session, session.get_one(Conversation, conversation_id)).flags

    try:
        return await parts.store.read(look)
    except Exception as error:
        log.error("segment_unknown", conversation=conversation_id, error=type(error).__name__)
        return ()


def flags_of(parts: Parts, conversation_id: str, customer_no: str | None) -> list[str]:
    """Return what is known of a customer that lifts his cases (an open danger, life support, special service).

    Raises:
        SQLAlchemyError: if the work-order system is away.
    """
    with parts.workorder.reading() as session:
        danger = ["danger"] if danger_open(session, conversation_id, customer_no) else []
        known = categories_of(session, customer_no) if customer_no is not None else []
        return danger + parts.book.rules.flags_of(known)


def _flag(parts: Parts, handoff_id: int, flags: list[str], session: Session) -> bool:
    case = session.get_one(Handoff, handoff_id)
    _, priority = parts.book.rules.route(case.reason, (), flags)
    return life.reprioritise(session, handoff_id, priority, book=parts.book, now=parts.clock(), flags=flags)


async def _surveys(parts: Parts) -> int:
    now, done = parts.clock(), 0
    for handoff_id in await parts.store.read(lambda session: survey.due(session, book=parts.book, now=now)):
        try:
            order_open = await asyncio.to_thread(_order_open, parts, handoff_id)
        except SQLAlchemyError as error:
            log.warning("survey_waits", handoff=handoff_id, error=type(error).__name__)
            return done  # rather late than in the middle of an outage
        ask = partial(survey.ask, handoff_id=handoff_id, order_open=order_open, book=parts.book, now=now)
        done += await _one(parts, handoff_id, ask) is not None
    return done


def _order_open(parts: Parts, handoff_id: int) -> bool:
    with parts.bridge.reading() as session:
        conversation_id = session.get_one(Handoff, handoff_id).conversation_id
    with parts.workorder.reading() as session:
        return trouble_open(session, conversation_id, pattern=parts.book.rules.trouble_categories)
