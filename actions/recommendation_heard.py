"""What the customer says to a recommendation: how it is done, not this time, never again (docs/decisions/0022).

A button decides about the recommendation under which it stands, typed words about the one that stands open. A refusal
is theirs who say it, also where nothing is proved of them; the bridge keeps it (`core.recommend.refusals`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from actions.question import Question
from actions.reply import Reply
from actions.services import Services
from core.account import Account, Customer
from core.channel.tables import WECHAT
from core.clock import SHANGHAI
from core.identity import Grant, issue_grant, turn_of
from core.recommend.record import ACCEPTED, REFUSED, Decided, Told
from core.recommend.rules import recommend_rules
from core.recommend.tables import ALL

KIND = "recommendation"  # of the slot `form`, and type of the message
CHOICE = "offer_"  # begins what a button of ours gives
HOW, NOT_NOW, NEVER, NEVER_THIS = "how", "not_now", "never", "never_this"
WORDS = {NEVER: NEVER, NEVER_THIS: NEVER_THIS, NOT_NOW: NOT_NOW, HOW: HOW, "never_open": NEVER}  # asked in this order
_INFORM = "inform"


@dataclass(frozen=True)
class Named:
    """Which recommendation is meant: its kind, the account, when it was told, and the form that it opens, if any."""

    kind: str = ""
    account_no: str = ""
    at: int = 0  # seconds since 1970
    start: str = ""

    @classmethod
    def of(cls, said: str) -> Named:
        """Read what `said` has written; of anything else, nothing is named."""
        kind, account_no, at, start = [*said.split(":"), "", "", "", ""][:4]
        known = kind in recommend_rules().kinds and at.isascii() and at.isdigit()
        return cls(kind, account_no, int(at), start) if known else cls()

    @property
    def said(self) -> str:
        """Return it in a word, as buttons and the open form carry it."""
        return f"{self.kind}:{self.account_no}:{self.at}:{self.start}"

    @property
    def told_at(self) -> datetime:
        """Return the instant of the question beside whose answer it was told."""
        return datetime.fromtimestamp(self.at, UTC)

    def decided(self, customers: tuple[str, ...], state: str | None = None, never: str | None = None) -> Decided:
        """Return the decision about it; about the latest, where none is named."""
        return Decided(customers, state, never, (self.account_no, self.told_at) if self.kind else None)


def heard(services: Services, session: Session, question: Question) -> Reply | Question:
    """Answer what is said to a recommendation; any other message is answered as if none stood open."""
    form = question.slots.get("form")
    is_open = isinstance(form, Mapping) and form.get("kind") == KIND
    seen = replace(question, slots={**question.slots, "form": None}) if is_open else question
    said = _said(services, question, is_open=is_open)
    if said is None:
        return seen
    named, customers = _named(question, form if is_open else {}), _customers(session, question)
    if said == HOW and named.kind:
        return _how(services, session, seen, named, customers)
    if said == NEVER_THIS and named.kind:
        return _noted(services, question, "never_kind", named.decided(customers, never=named.kind))
    if said == NOT_NOW:
        return _noted(services, question, NOT_NOW, named.decided(customers, REFUSED))
    if said == NEVER:
        return _noted(services, question, NEVER, named.decided(customers, never=ALL))
    return seen


def _said(services: Services, question: Question, *, is_open: bool) -> str | None:
    """Return which of the answers a message is, None if it is none of them."""
    chosen = _chosen(question)
    if chosen is not None and question.text.startswith("/"):
        name = chosen.removeprefix(CHOICE).partition(":")[0]
        return name if name in (HOW, NOT_NOW, NEVER) else None
    if other_form(question) and _takes_prose(question.slots["form"]):
        return None  # what is complained of may well be that somebody calls to sell things
    text = question.text.strip()
    for name, meant in WORDS.items() if is_open else ((NEVER, NEVER),):
        if re.fullmatch(services.phrases.raw(f"recommendation.words.{name}"), text):
            return meant
    return None


def _chosen(question: Question) -> str | None:
    return next((one for one in question.values("choice") if one.startswith(CHOICE)), None)


def _takes_prose(form: Mapping[str, Any]) -> bool:
    return bool(form.get("free") or form.get("prose"))


def other_form(question: Question) -> bool:
    """Tell whether a form of another kind is open."""
    form = question.slots.get("form")
    return isinstance(form, Mapping) and form.get("kind") != KIND


def _named(question: Question, form: Mapping[str, Any] | Any) -> Named:
    """Return the recommendation that the answer is about: the button's own, else what stands open."""
    chosen = _chosen(question)
    return Named.of(str(form.get("offer") or "") if chosen is None else chosen.partition(":")[2])


def _customers(session: Session, question: Question) -> tuple[str, ...]:
    """Return as whom we know who speaks: whose conversation it is, else who has proved to own the accounts.

    A tenant speaks for the tenant alone. A user of WeChat is linked to a customer or is none, whatever is bound.
    """
    who = question.identity
    if who.customer_no:
        return (who.customer_no,)
    if who.assurance < 1 or who.channel == WECHAT:
        return ()
    owned = select(Customer.customer_no).join(Account, Account.customer_id == Customer.id)
    owners = session.scalars(owned.where(Account.account_no.in_(who.accounts)).order_by(Account.id))
    return tuple(dict.fromkeys(owners))


def _noted(services: Services, question: Question, done: str, decided: Decided) -> Reply:
    text = services.phrases.say(f"recommendation.done.{done}")
    return Reply("utter_chitchat", {"text": text}, commands=[command(services, question, decided)])


def _how(
    services: Services, session: Session, question: Question, named: Named, customers: tuple[str, ...]
) -> Reply:  # fmt: skip
    """Lead to where it is done: the form of a business, or the dialogues that tell more."""
    say, rule = services.phrases.say, recommend_rules().kinds[named.kind]
    slots = {"account_asked": named.account_no} if named.account_no in question.identity.accounts else {}
    buttons = [(say(f"recommendation.lead.{one}"), f"/{one}") for one in rule.leads or rule.again]
    buttons.append((say("recommendation.button.person"), "/request_human"))
    if _is_over(question, named):
        on = services.labels.of_day(named.told_at.astimezone(SHANGHAI).date(), question.today)
        return Reply("utter_chitchat", {"text": say("recommendation.done.over", on=on)}, buttons, slots=slots)
    how, done = say(f"recommendation.{named.kind}.how"), command(services, question, named.decided(customers, ACCEPTED))
    if not rule.start:
        return Reply("utter_chitchat", {"text": how}, buttons, slots=slots, commands=[done])
    start = named.start if named.start in services.businesses else rule.start
    reply = _begun(services, session, replace(question, slots={**question.slots, **slots}), start)
    return replace(reply, lead=how, slots={**slots, **reply.slots}, commands=[*reply.commands, done])


def _is_over(question: Question, named: Named) -> bool:
    return question.now - named.told_at > timedelta(days=recommend_rules().talk_days)


def _begun(services: Services, session: Session, question: Question, start: str) -> Reply:
    from actions.form import ActionForm  # loaded with the others; it stands on what stands around it

    begun = replace(question, intent=_INFORM, text="/inform", entities=({"entity": "start", "value": start},))
    return ActionForm(services).reply_to(session, begun)


def command(services: Services, question: Question, said: Told | Decided) -> dict[str, Any]:
    """Return the signed command by which the bridge keeps what was told or decided in this turn."""
    who = question.identity.conversation_id
    grant = Grant(who, turn_of(who, question.now), offer=said.said())
    return {"type": "grant", "token": issue_grant(services.identity_key, grant, now=services.clock())}
