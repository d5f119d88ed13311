"""One recommendation beside an answer, and what the customer says to it (docs/decisions/0022).

It never changes the answer and never comes before it. What is said is settled here; the bridge writes it down in the
transaction that appends the reply, on a signed command, and leaves it out where it must not be said (`api.offers`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from actions.around import AFTER, BEFORE
from actions.question import Question
from actions.recommendation_words import OfferWords
from actions.reply import Reply
from actions.services import Services
from core.account import Account, Customer, find_account
from core.energy_data import energy_facts
from core.errors import BusinessError
from core.identity import Grant, issue_grant, turn_of
from core.outage import outage_at
from core.place import Place, locate
from core.recommend.choosing import choose, held_out, is_due, is_quiet, refused
from core.recommend.engines import Case
from core.recommend.nothing import nothing_of
from core.recommend.offer import Offer
from core.recommend.record import ACCEPTED, REFUSED, Decided, Told
from core.recommend.rules import After, Rules, recommend_rules
from core.recommend.tables import ALL
from core.segment.standing import standing_of
from core.work_order import orders_of

log = structlog.get_logger("actions.recommendation")

KIND = "recommendation"  # of the slot `form`, and type of the message
CHOICE = "offer_"  # begins what a button of ours gives
HOW, NOT_NOW, NEVER, NEVER_THIS = "how", "not_now", "never", "never_this"
_WORDS = {NEVER: NEVER, NEVER_THIS: NEVER_THIS, NOT_NOW: NOT_NOW, HOW: HOW, "never_open": NEVER}  # asked in this order
_FORM, _INFORM = "action_form", "inform"
_MOST_ORDERS = 20


def standing_at(bridge: Session, customer_no: str, accounts: tuple[str, ...]) -> str | None:
    """Return the segment of a customer; None if there is no published run, or nothing is known."""
    return standing_of(bridge, customer_no=customer_no, account_nos=accounts).segment


# -- what the customer says to one


def heard(services: Services, session: Session, question: Question) -> Reply | Question:
    """Answer what is said to a recommendation; any other message is answered as if none stood open."""
    form = question.slots.get("form")
    is_open = isinstance(form, Mapping) and form.get("kind") == KIND
    seen = replace(question, slots={**question.slots, "form": None}) if is_open else question
    said = _said(services, question, is_open=is_open)
    customers = _customers(session, question) if said else ()
    if said is None or not customers:
        return seen
    kind, account_no = _about(question, form if is_open else {})
    if said == HOW and kind is not None:
        return _how(services, session, seen, kind, account_no, customers)
    if said == NEVER_THIS and kind is not None:
        return _noted(services, question, "never_kind", Decided(customers, never=kind))
    if said == NOT_NOW:
        return _noted(services, question, NOT_NOW, Decided(customers, REFUSED))
    if said == NEVER:
        return _noted(services, question, NEVER, Decided(customers, never=ALL))
    return seen


def _said(services: Services, question: Question, *, is_open: bool) -> str | None:
    """Return which of the answers a message is, None if it is none of them."""
    chosen = next((one for one in question.values("choice") if one.startswith(CHOICE)), None)
    if chosen is not None and question.text.startswith("/"):
        name = chosen.removeprefix(CHOICE).partition(":")[0]
        return name if name in (HOW, NOT_NOW, NEVER) else None
    if _other_form(question) and _takes_prose(question.slots["form"]):
        return None  # what is complained of may well be that somebody calls to sell things
    text = question.text.strip()
    for name, meant in _WORDS.items() if is_open else ((NEVER, NEVER),):
        if re.fullmatch(services.phrases.raw(f"recommendation.words.{name}"), text):
            return meant
    return None


def _takes_prose(form: Mapping[str, Any]) -> bool:
    return bool(form.get("free") or form.get("prose"))


def _about(question: Question, form: Mapping[str, Any] | Any) -> tuple[str | None, str]:
    """Return the kind and the account that the answer is about: by the button, else by what stands open."""
    chosen = next((one for one in question.values("choice") if one.startswith(CHOICE)), "")
    _, kind, account_no = [*chosen.split(":"), "", ""][:3]
    kind, account_no = kind or str(form.get("offer") or ""), account_no or str(form.get("account") or "")
    return (kind if kind in recommend_rules().kinds else None), account_no


def _customers(session: Session, question: Question) -> tuple[str, ...]:
    """Return whose word this is: the owners of the proved accounts, and whose conversation it is."""
    who = question.identity
    if who.assurance < 1:
        return ()
    owned = select(Customer.customer_no).join(Account, Account.customer_id == Customer.id)
    owners = session.scalars(owned.where(Account.account_no.in_(who.accounts)).order_by(Account.id))
    return tuple(dict.fromkeys([*owners, *([who.customer_no] if who.customer_no else [])]))


def _noted(services: Services, question: Question, done: str, decided: Decided) -> Reply:
    text = services.phrases.say(f"recommendation.done.{done}")
    return Reply("utter_chitchat", {"text": text}, commands=[_command(services, question, decided)])


def _how(
    services: Services, session: Session, question: Question, kind: str, account_no: str, customers: tuple[str, ...]
) -> Reply:  # fmt: skip
    """Lead to where it is done: the form of a business, or the dialogues that tell more."""
    from actions.form import ActionForm  # loaded with the others; it stands on what stands around it

    say, rule = services.phrases.say, recommend_rules().kinds[kind]
    how, command = say(f"recommendation.{kind}.how"), _command(services, question, Decided(customers, ACCEPTED))
    slots = {"account_asked": account_no} if account_no in question.identity.accounts else {}
    if not rule.start:
        buttons = [(say(f"recommendation.lead.{one}"), f"/{one}") for one in rule.leads]
        buttons.append((say("recommendation.button.person"), "/request_human"))
        return Reply("utter_chitchat", {"text": how}, buttons, slots=slots, commands=[command])
    begun = replace(
        question, intent=_INFORM, text="/inform", entities=({"entity": "start", "value": rule.start},),
        slots={**question.slots, **slots},
    )  # fmt: skip
    reply = ActionForm(services).reply_to(session, begun)
    return replace(reply, lead=how, slots={**slots, **reply.slots}, commands=[*reply.commands, command])


# -- saying one


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
    commands = [*reply.commands, _command(services, question, recorded)]
    if recorded.held_out:
        return replace(reply, commands=commands)
    return replace(
        reply, commands=commands, beside=_message(services, offer, recorded, business, question.today),
        slots={**reply.slots, "form": _open(services, recorded)},
    )  # fmt: skip


def _after(question: Question, reply: Reply) -> After | None:
    """Return what may follow the reply; None where it is no plain answer about one account."""
    after = recommend_rules().after.get(str(reply.slots.get("asked")))
    if after is None or reply.response not in after.responses or reply.handoff or reply.commands or reply.lead:
        return None
    busy = reply.slots.get("form") or _other_form(question) or question.slots.get("paused")
    if busy or question.slots.get("failures") or not reply.slots.get("account_asked"):
        return None
    return after


def _other_form(question: Question) -> bool:
    form = question.slots.get("form")
    return isinstance(form, Mapping) and form.get("kind") != KIND


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
        if not due or is_quiet(bridge, rules, talks=who.talks, now=now):
            return None
        never, segment = refused(bridge, customers), standing_at(bridge, owner, (account.account_no,))
    if _matters_more(services, question, account, rules):
        return None
    case = Case(session, account, services.book, energy_facts(), rules, question.today)
    offer = choose(case, segment, without=unfit, never=never, nothing=nothing)
    if offer is None:
        return None
    business = account.customer.kind != "person" or segment in rules.figures_first
    out = held_out(services.keyring, owner, rules)
    return offer, business, Told(customers, account.account_no, offer.kind, offer.yuan, offer.basis, segment, out)


def _matters_more(services: Services, question: Question, account: Account, rules: Rules) -> bool:
    """Tell whether the power is out at the account, or an order about something that matters more is open."""
    who = question.identity
    with services.workorder.reading() as workorder:
        place = locate(workorder, account_no=account.account_no)
        if isinstance(place, Place) and outage_at(workorder, place, question.now) is not None:
            return True
        orders = orders_of(
            workorder, conversation_id=who.conversation_id, conversations=who.conversations, accounts=who.accounts,
            customer_no=who.customer_no, limit=_MOST_ORDERS,
        )  # fmt: skip
        kinds = {order.kind for order in orders if order.is_open}
    rows = services.businesses
    return any(kind not in rows or rows.get(kind).intent in rules.quiet_orders for kind in kinds)


def _message(services: Services, offer: Offer, told: Told, business: bool, today: date) -> dict[str, Any]:
    words = OfferWords(services, energy_facts().home)

    def payload(name: str) -> str:
        choice = f"{CHOICE}{name}:{told.kind}:{told.account_no}"
        return "/inform" + json.dumps({"choice": choice}, ensure_ascii=False)

    buttons = [
        {"title": services.phrases.say(f"recommendation.button.{name}"), "payload": payload(name)}
        for name in (HOW, NOT_NOW, NEVER)
    ]
    return {"type": KIND, "text": words.text(offer, figures_first=business, today=today), "buttons": buttons}


def _open(services: Services, told: Told) -> dict[str, Any]:
    """Return the slot with which a typed answer is understood (bot/forms.py)."""
    words = [services.phrases.raw(f"recommendation.words.{name}") for name in _WORDS]
    return {
        "kind": KIND, "action": KIND, "offer": told.kind, "account": told.account_no, "quiet": True, "intents": [],
        "entities": [], "words": [], "free": False, "pattern": "|".join(f"(?:{one})" for one in words),
    }  # fmt: skip


def _command(services: Services, question: Question, said: Told | Decided) -> dict[str, Any]:
    who = question.identity.conversation_id
    grant = Grant(who, turn_of(who, question.now), offer=said.said())
    return {"type": "grant", "token": issue_grant(services.identity_key, grant, now=services.clock())}


BEFORE.append(heard)
AFTER.append(offered)
