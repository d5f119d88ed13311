"""What happened with one customer lately: orders, conversations, recommendations, campaigns; no text of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core.clock import SHANGHAI
from core.conversation import Conversation, Message
from core.handoff.tables import Handoff
from core.insight.kpi import Sources
from core.insight.portrait_words import PortraitWords
from core.insight.service_tables import link_to
from core.insight.topics import NOT_OURS, PERSON, UNCLEAR, Topics, topics_of
from core.insight.words import Words
from core.proactive.tables import Send
from core.recommend.tables import Campaign, Recommendation
from core.work_order import WorkOrder

MOST, YEAR = 10, timedelta(days=365)
Json = dict[str, Any]


@dataclass(frozen=True)
class Lately:
    """What happened, newest first, at most `MOST` of each; `counts` are of the last year (None: a database is away)."""

    orders: list[Json]
    contacts: list[Json]
    recommendations: list[Json]
    campaigns: list[Json]
    counts: dict[str, int | None]
    told: dict[str, str]  # the counts as they are read


def lately_of(
    sources: Sources, customer_no: str, account_no: str, words: Words, said: PortraitWords, *, now: datetime
) -> Lately:  # fmt: skip
    """Return what happened with a customer; what stands in the work-order database is left out if it is away."""
    with sources.bridge.reading() as session:
        contacts = _contacts(session, customer_no, words, topics_of(sources.data_dir))
        recommendations = _recommendations(session, customer_no, said)
        campaigns = _campaigns(session, customer_no)
        counts: dict[str, int | None] = _counts(session, customer_no, now - YEAR)
    try:
        with sources.workorder.reading() as session:
            orders, counts["orders"] = _orders(session, customer_no, account_no, words, now - YEAR)
    except SQLAlchemyError:
        orders, counts["orders"] = [], None
    patterns = {"orders": said.orders, "contacts": said.times, "cases": said.times, "campaigns": said.times}
    told = {
        key: pattern.format(count=counts[key]) for key, pattern in patterns.items() if counts.get(key) is not None
    }  # fmt: skip
    return Lately(orders, contacts, recommendations, campaigns, counts, told)


def _orders(
    session: Session, customer_no: str, account_no: str, words: Words, since: datetime
) -> tuple[list[Json], int]:  # fmt: skip
    """Return the orders that name the account, or its customer and no account; and how many the last year had."""
    whose = (WorkOrder.customer_no == customer_no) & WorkOrder.account_no.is_(None)
    mine = or_(WorkOrder.account_no == account_no, whose)
    query = select(WorkOrder).where(mine).order_by(WorkOrder.opened_at.desc(), WorkOrder.id.desc()).limit(MOST)
    count = session.scalar(select(func.count()).select_from(WorkOrder).where(mine, WorkOrder.opened_at >= since))
    rows = [
        {
            "at": _instant(one.opened_at), "no": one.order_no, "name": one.title, "kind": one.kind,
            "state": words.value("order", one.state), "link": link_to(one.conversation_id),
        }
        for one in session.scalars(query)
    ]  # fmt: skip
    return rows, count or 0


def _contacts(session: Session, customer_no: str, words: Words, topics: Topics) -> list[Json]:
    query = select(Conversation).where(Conversation.customer_no == customer_no, Conversation.joined_to.is_(None))
    talks = session.scalars(query.order_by(Conversation.last_at.desc(), Conversation.id).limit(MOST)).all()
    about = _topics(session, [one.id for one in talks], topics)
    return [
        {
            "at": _instant(one.last_at), "channel": words.channels.get(one.channel, one.channel),
            "topic": words.topics.get(about[one.id], about[one.id]), "link": link_to(one.id),
        }
        for one in talks
    ]  # fmt: skip


def _topics(session: Session, talks: Sequence[str], topics: Topics) -> dict[str, str]:
    """Return what conversations were about."""
    said = Message.understood["intent"].as_string()
    query = select(Message.conversation_id, said).where(Message.conversation_id.in_(talks), said.is_not(None))
    intents: dict[str, list[str]] = {talk: [] for talk in talks}
    for talk, intent in session.execute(query.order_by(Message.conversation_id, Message.seq)):
        intents[talk].append(intent)
    return {talk: _topic(found, topics) for talk, found in intents.items()}


def _topic(intents: Sequence[str], topics: Topics) -> str:
    wish = next((one for one in intents if any(topics.skill(part) for part in one.split("+"))), None)
    return topics.of(wish, unclear=UNCLEAR in intents, not_ours=NOT_OURS in intents, person=PERSON in intents)


def _recommendations(session: Session, customer_no: str, said: PortraitWords) -> list[Json]:
    query = select(Recommendation).where(Recommendation.customer_no == customer_no)
    return [
        {
            "month": one.month.strftime("%Y-%m"), "kind": one.kind,
            "name": said.recommendations.get(one.kind, one.kind),
            "text": said.recommendation_yuan.format(yuan=one.yuan),
            "state": said.recommendation_states.get(one.state, one.state),
        }
        for one in session.scalars(query.order_by(Recommendation.month.desc(), Recommendation.id.desc()).limit(MOST))
    ]  # fmt: skip


def _sent_to(customer_no: str) -> ColumnElement[bool]:
    return Send.recipient == f"customer:{customer_no}"


def _campaigns(session: Session, customer_no: str) -> list[Json]:
    query = select(Campaign.id, Campaign.name, Send.state, Send.told_at).join(
        Send, Send.broadcast_id == Campaign.broadcast_id
    )
    rows = session.execute(query.where(_sent_to(customer_no)).order_by(Campaign.id.desc()).limit(MOST))
    return [
        {"id": number, "name": name, "state": state, "at": _instant(told_at) if told_at else None}
        for number, name, state, told_at in rows
    ]  # fmt: skip


def _counts(session: Session, customer_no: str, since: datetime) -> dict[str, int | None]:
    talks = select(Conversation.id).where(Conversation.customer_no == customer_no)
    mine = talks.where(Conversation.joined_to.is_(None), Conversation.last_at >= since).subquery()
    cases = select(func.count()).select_from(Handoff).where(Handoff.requested_at >= since)
    sent = select(func.count()).select_from(Campaign).join(Send, Send.broadcast_id == Campaign.broadcast_id)
    return {
        "contacts": session.scalar(select(func.count()).select_from(mine)),
        "cases": session.scalar(cases.where(Handoff.conversation_id.in_(talks))),
        "campaigns": session.scalar(sent.where(_sent_to(customer_no))),
    }


def _instant(at: datetime) -> str:
    return at.astimezone(SHANGHAI).isoformat()
