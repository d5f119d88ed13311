"""Whether somebody may be recommended anything now, and what: one thing at most, and only if nothing else matters."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core.clock import SHANGHAI, first_of_month
from core.conversation import Conversation, Message
from core.fields import Keyring
from core.handoff.tables import Handoff
from core.mode import WAITING, WITH_PERSON
from core.recommend.engines import Case, offer_of
from core.recommend.nothing import Nothing
from core.recommend.offer import Offer
from core.recommend.refusals import refused
from core.recommend.rules import Rules
from core.recommend.tables import ALL, Recommendation

HELD_OUT = "held_out"
_PARTS = 10_000  # of the keyed hash: hundredths of a percent
_DOUBLE = "+"  # joins the intents of two wishes in one message
_LATEST = 100  # messages of a conversation that are looked at
_WARNING = "safety"  # type of the message that warns of a danger


def held_out(keyring: Keyring, customer_no: str, rules: Rules) -> bool:
    """Tell whether a customer belongs to those who are told nothing, for good, so that the effect can be measured.

    The hash is keyed with the look-up key: nobody can reckon from a number who belongs to them.
    """
    place = int(keyring.blind(customer_no, "recommendations.held_out")[:12], 16) % _PARTS
    return place < rules.held_out_percent * _PARTS / 100


def month_of(now: datetime) -> date:
    """Return the month in Shanghai, by which a customer has one at most."""
    return first_of_month(now.astimezone(SHANGHAI).date())


def is_due(
    session: Session, rules: Rules, *, customers: Collection[str], talks: Sequence[str], now: datetime
) -> bool:  # fmt: skip
    """Tell whether neither the customers had one lately nor the conversations, and nothing is refused altogether.

    A customer had one too who was told of somebody else's account (their parents'), in whichever conversation of
    theirs. Who is held out counts as if they had been told: both groups are looked at equally often.
    """
    if ALL in refused(session, customers, talks):
        return False
    recent, spoken = now - timedelta(days=rules.apart_days), now - timedelta(days=rules.talk_days)
    theirs = select(Conversation.id).where(Conversation.customer_no.in_(list(customers)))
    mine = Recommendation.customer_no.in_(list(customers)) | Recommendation.conversation_id.in_(theirs)
    found = select(Recommendation.id).where(
        or_(
            mine & ((Recommendation.month == month_of(now)) | (Recommendation.shown_at > recent)),
            Recommendation.conversation_id.in_(list(talks)) & (Recommendation.shown_at > spoken),
        )
    )
    return session.scalar(found.limit(1)) is None


def is_quiet(
    session: Session, rules: Rules, *, talks: Sequence[str], now: datetime, customers: Collection[str] = ()
) -> bool:  # fmt: skip
    """Tell whether a person has or lately had the conversation, or it was about something that matters more.

    Who reports an outage over the telephone's app and asks for the bill on the web page is one: so do the other
    conversations of the customers count.
    """
    since = now - timedelta(hours=rules.quiet_hours)
    others = select(Conversation.id).where(Conversation.customer_no.in_(customers), Conversation.last_at >= since)
    ids = [*talks, *session.scalars(others.limit(_LATEST))] if customers else list(talks)
    with_person = select(Conversation.id).where(Conversation.id.in_(ids), Conversation.mode.in_(WAITING | WITH_PERSON))
    if session.scalar(with_person.limit(1)) is not None:
        return True
    case = select(Handoff.id).where(
        Handoff.conversation_id.in_(ids), Handoff.ended_at.is_(None) | (Handoff.ended_at > since)
    )
    if session.scalar(case.limit(1)) is not None:
        return True
    said = select(Message.type, Message.understood).where(
        Message.conversation_id.in_(ids), Message.at >= since, Message.author.in_(("customer", "bot", "system"))
    )
    latest = session.execute(said.order_by(Message.at.desc()).limit(_LATEST))
    return any(kind == _WARNING or _intents(understood) & rules.quiet_intents for kind, understood in latest)


def choose(
    case: Case, segment: str | None, *, without: Collection[str] = (), never: Collection[str] = (),
    nothing: Nothing | None = None,
) -> Offer | None:  # fmt: skip
    """Return the first kind of the segment's order that is worth saying; None if none is.

    `without`: kinds that do not fit the answer; `never`: those that the customer refused for good; `nothing`: what is
    remembered of the day's earlier questions.
    """
    if ALL in never:
        return None
    number, today = case.account.account_no, case.today
    known = nothing.of(number, today) if nothing is not None else frozenset()
    for kind in case.rules.order_of(segment):
        if kind in known or kind in without or kind in never:
            continue
        if (found := offer_of(kind, case)) is not None:
            return found
        if nothing is not None:
            nothing.note(number, today, kind)
    return None


def _intents(understood: object) -> frozenset[str]:
    name = understood.get("intent") if isinstance(understood, dict) else None
    return frozenset(str(name).split(_DOUBLE)) if name else frozenset()
