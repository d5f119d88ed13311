"""One recommendation beside an answer, and what the customer says to it (docs/decisions/0022).

It never changes the answer and never comes before it. What is said is settled here; the bridge writes it down in the
transaction that appends the reply, on a signed command, and leaves it out where it must not be said (`api.offers`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from actions.around import AFTER, BEFORE
from actions.question import Question
from actions.recommendation_heard import CHOICE, HOW, KIND, NEVER, NOT_NOW, WORDS, Named, command, heard, other_form
from actions.recommendation_words import OfferWords
from actions.reply import Reply
from actions.services import Services
from core.account import Account, find_account
from core.energy_data import energy_facts
from core.errors import BusinessError
from core.outage import outage_at
from core.place import Place, locate
from core.recommend.choosing import choose, held_out, is_due, is_quiet
from core.recommend.engines import Case
from core.recommend.nothing import nothing_of
from core.recommend.offer import Offer
from core.recommend.record import Told
from core.recommend.refusals import refused
from core.recommend.rules import After, Rules, recommend_rules
from core.segment.standing import standing_of
from core.work_order import orders_of

log = structlog.get_logger("actions.recommendation")

_MOST_ORDERS = 20


def standing_at(bridge: Session, customer_no: str, accounts: tuple[str, ...]) -> str | None:
    """Return the segment of a customer; None if there is no published run, or nothing is known."""
    return standing_of(bridge, customer_no=customer_no, account_nos=accounts).segment


def offered(services: Services, session: Session, question: Question, reply: Reply) -> Reply:
    """Return the reply, with a recommendation after it if there is one that may be said."""
    form = question.slots.get("form")
    if isinstance(form, Mapping) and form.get("kind") == KIND:
        reply = replace(reply, slots={"form": None, **reply.slots})
    after = _after(question, reply)
    if after is None:
        return reply
    try:
        return _with_offer(services, session, question, reply, after)
    except Exception as error:  # whatever is wrong with a recommendation, the answer stands
        log.error("no_recommendation", error=type(error).__name__, exc_info=_unless_away(error))
        return reply


def _unless_away(error: Exception) -> Exception | None:
    """Return what is a mistake of ours; a database that is away, or a figure that is missing, is none."""
    return None if isinstance(error, SQLAlchemyError | BusinessError) else error


def _with_offer(services: Services, session: Session, question: Question, reply: Reply, after: After) -> Reply:
    told = _told(services, session, question, reply, after)
    if told is None:
        return reply
    offer, business, recorded = told
    commands = [*reply.commands, command(services, question, recorded)]
    if recorded.held_out:
        return replace(reply, commands=commands)
    at = int(question.now.timestamp())
    named = Named(offer.kind, recorded.account_no, at, offer.basis.get("start", ""))
    return replace(
        reply, commands=commands, beside=_message(services, offer, named, business, question.today),
        slots={**reply.slots, "form": _open(services, named)},
    )  # fmt: skip


def _after(question: Question, reply: Reply) -> After | None:
    """Return what may follow the reply; None where it is no plain answer about one account."""
    after = recommend_rules().after.get(str(reply.slots.get("asked")))
    if after is None or reply.response not in after.responses or reply.handoff or reply.commands or reply.lead:
        return None
    busy = reply.slots.get("form") or other_form(question) or question.slots.get("paused")
    if busy or question.slots.get("failures") or not reply.slots.get("account_asked"):
        return None
    return after


def _told(
    services: Services, session: Session, question: Question, reply: Reply, after: After
) -> tuple[Offer, bool, Told] | None:  # fmt: skip
    rules, who, now = recommend_rules(), question.identity, question.now
    account = find_account(session, account_no=str(reply.slots["account_asked"]), allowed=who.accounts)
    if account.closed_on is not None and account.closed_on <= question.today:
        return None
    unfit, nothing = after.unfit(reply.response, rules.kinds), nothing_of(services.billing)
    if rules.kinds.keys() <= nothing.of(account.account_no, question.today) | unfit:
        return None
    owner = account.customer.customer_no
    customers = tuple(dict.fromkeys([owner, *([who.customer_no] if who.customer_no else [])]))
    with services.bridge.reading() as bridge:
        due = is_due(bridge, rules, customers=customers, talks=who.talks, now=now)
        if not due or is_quiet(bridge, rules, talks=who.talks, now=now, customers=customers):
            return None
        never = refused(bridge, customers, who.talks)
        segment = standing_at(bridge, owner, (account.account_no,))
    applied = _applied_for(services, question, account, rules)
    if applied is None:
        return None
    case = Case(session, account, services.book, energy_facts(), rules, question.today)
    offer = choose(case, segment, without=unfit | applied, never=never, nothing=nothing)
    if offer is None:
        return None
    business = account.customer.kind != "person" or segment in rules.figures_first
    out = held_out(services.keyring, owner, rules)
    return offer, business, Told(customers, account.account_no, offer.kind, offer.yuan, offer.basis, segment, out)


def _applied_for(services: Services, question: Question, account: Account, rules: Rules) -> frozenset[str] | None:
    """Return the kinds that the customer's open orders ask for already.

    None where nothing may be said: the power is out at the account, or an order about what matters more is open.
    """
    who, rows = question.identity, services.businesses
    with services.workorder.reading() as workorder:
        place = locate(workorder, account_no=account.account_no)
        if isinstance(place, Place) and outage_at(workorder, place, question.now) is not None:
            return None
        orders = orders_of(
            workorder, conversation_id=who.conversation_id, conversations=who.conversations, accounts=who.accounts,
            customer_no=who.customer_no, limit=_MOST_ORDERS,
        )  # fmt: skip
        filed = {order.kind for order in orders if order.is_open}
    intents = {rows.get(one).intent if one in rows else None for one in filed}
    if None in intents or intents & rules.quiet_orders:
        return None
    return frozenset(kind for kind, rule in rules.kinds.items() if rule.start in filed or intents & set(rule.leads))


def _message(services: Services, offer: Offer, named: Named, business: bool, today: date) -> dict[str, Any]:
    words = OfferWords(services, energy_facts().home)

    def payload(name: str) -> str:
        return "/inform" + json.dumps({"choice": f"{CHOICE}{name}:{named.said}"}, ensure_ascii=False)

    buttons = [
        {"title": services.phrases.say(f"recommendation.button.{name}"), "payload": payload(name)}
        for name in (HOW, NOT_NOW, NEVER)
    ]
    return {"type": KIND, "text": words.text(offer, figures_first=business, today=today), "buttons": buttons}


def _open(services: Services, named: Named) -> dict[str, Any]:
    """Return the slot with which a typed answer is understood (bot/forms.py)."""
    words = [services.phrases.raw(f"recommendation.words.{name}") for name in WORDS]
    return {
        "kind": KIND, "action": KIND, "offer": named.said, "quiet": True, "intents": [],
        "entities": [], "words": [], "free": False, "pattern": "|".join(f"(?:{one})" for one in words),
    }  # fmt: skip


BEFORE.append(heard)
AFTER.append(offered)
