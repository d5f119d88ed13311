"""What is known of a customer as a kind of customer: for staff alone, with what it means for the talk.

From the portraits of the published run and what happened since; no name, number or address in it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.agent import Agent
from core.clock import SHANGHAI
from core.conversation import Conversation
from core.customer_manager import manager_of
from core.fitting import Fitting, Service, standing_known
from core.portrait.catalogue import Catalogue, Feature
from core.portrait.tables import Portrait
from core.segment.standing import Standing


def portrait_of(
    session: Session, conversation: Conversation, *, fitting: Fitting, catalogue: Catalogue
) -> dict[str, Any] | None:
    """Return segment, tags, figures and what they mean; None of somebody of whom nothing is known.

    `thin`: why too little is known to tell; he is then served as `served_as` says.
    """
    customer_no, accounts = conversation.customer_no, list(conversation.accounts)
    if customer_no is None and not accounts:
        return None
    standing = standing_known(session, customer_no=customer_no, account_nos=accounts)
    if standing.run_id is None and not standing.accounts:
        return None
    service, rules = fitting.service_for(standing), fitting.rules
    tags = [tag for tag in (*rules.tags, *rules.of_events) if tag.key in standing.tags]
    return {
        "segment": rules.name_of(standing.segment or service.segment), "segment_key": standing.segment,
        "served_as": rules.name_of(service.segment),
        "tags": [{"key": tag.key, "label": tag.name, "why": tag.why} for tag in tags],
        "thin": _thin(standing, fitting), "figures": _figures(session, standing, service, fitting, catalogue),
        "talk": [one for one in service.talk if one],
    }  # fmt: skip


def manager_on_card(session: Session, conversation: Conversation, *, fitting: Fitting) -> dict[str, Any] | None:
    """Return the customer's manager; None of somebody who can have none. `due`: he should have one and has none."""
    customer_no = conversation.customer_no
    if customer_no is None:
        return None
    agent = _manager(session, customer_no)
    service = fitting.service_of(session, customer_no=customer_no, account_nos=list(conversation.accounts))
    return {"agent": agent, "due": fitting.words.due_manager if service.manager and agent is None else None}


@cache
def catalogue() -> Catalogue:
    """Return the catalogue of features, read once a process."""
    return Catalogue.load()


def _manager(session: Session, customer_no: str) -> dict[str, Any] | None:
    row = manager_of(session, customer_no)
    if row is None:
        return None
    agent = session.get_one(Agent, row.agent_id)
    return {"id": agent.id, "name": agent.name, "since": row.since.astimezone(SHANGHAI).isoformat()}


def _thin(standing: Standing, fitting: Fitting) -> str | None:
    if not standing.thin:
        return None
    why = next((one.thin for one in standing.accounts if one.thin), "new")
    return fitting.words.thin[why]


def _figures(
    session: Session, standing: Standing, service: Service, fitting: Fitting, catalogue: Catalogue
) -> list[dict[str, str]]:
    """Return the figures of the account that gave the segment, those that are known."""
    numbers = [one.account_no for one in standing.accounts if one.known and one.segment == standing.segment]
    if standing.run_id is None or not numbers:
        return []
    query = select(Portrait).where(Portrait.run_id == standing.run_id, Portrait.account_no.in_(numbers))
    row = session.scalar(query.order_by(Portrait.fee_year.is_(None), Portrait.fee_year.desc(), Portrait.account_id))
    if row is None:
        return []
    found = [(catalogue[key], getattr(row, key)) for key in service.figures]
    return [
        {"key": feature.key, "name": feature.name, "text": _said(feature, value, fitting)}
        for feature, value in found if value is not None
    ]  # fmt: skip


def _said(feature: Feature, value: float, fitting: Fitting) -> str:
    words = fitting.words
    if feature.unit == words.ratio_unit:
        return words.share.format(value=value * 100)
    if feature.unit == words.yes_no_unit:
        return words.yes if value else words.no
    return words.number.format(value=value, unit=feature.unit)
