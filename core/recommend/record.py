"""What was recommended, and what the customer said to it, kept by the bridge in the transaction that appends the reply.

The actions say it on the signed command that goes with the answer (`core.identity.Grant.offer`), as JSON.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.locking import one_at_a_time
from core.proactive.choices import customer
from core.proactive.tables import OFFER, Choice
from core.recommend.choosing import HELD_OUT, is_due, is_quiet, month_of, refused
from core.recommend.rules import Rules
from core.recommend.tables import ALL, RECOMMENDATIONS, Recommendation, Refusal

SHOWN, ACCEPTED, REFUSED = "shown", "accepted", "refused"


class BadOffer(ValueError):
    """What a signed command says is no recommendation, or no answer to one."""


@dataclass(frozen=True)
class Told:
    """A recommendation that goes with an answer; `held_out`: nothing is said, and it is written down that it was not.

    `customers`: whose refusals count, the owner of the account first.
    """

    customers: tuple[str, ...]
    account_no: str
    kind: str
    yuan: Decimal
    basis: Mapping[str, str]
    segment: str | None = None
    held_out: bool = False

    def said(self) -> dict[str, Any]:
        """Return what the command says."""
        return {
            "customers": list(self.customers), "account": self.account_no, "kind": self.kind, "yuan": str(self.yuan),
            "basis": dict(self.basis), "segment": self.segment, "held_out": self.held_out,
        }  # fmt: skip


@dataclass(frozen=True)
class Decided:
    """What a customer said to a recommendation: `accepted`, `refused` (this time), or never again the kinds `never`."""

    customers: tuple[str, ...]
    state: str | None = None
    never: str | None = None  # a kind, or `*`

    def said(self) -> dict[str, Any]:
        """Return what the command says."""
        return {"customers": list(self.customers), "state": self.state, "never": self.never}


def read(said: Mapping[str, Any]) -> Told | Decided:
    """Return what a command says.

    Raises:
        BadOffer: if it is none.
    """
    customers = said.get("customers")
    if not isinstance(customers, list) or not customers or not all(isinstance(one, str) and one for one in customers):
        raise BadOffer("no customers")
    if "account" not in said:
        return _decided(tuple(customers), said)
    kind, basis, segment = said.get("kind"), said.get("basis"), said.get("segment")
    if kind not in RECOMMENDATIONS or not isinstance(basis, dict) or not isinstance(segment, str | None):
        raise BadOffer(f"no recommendation of kind {kind}")
    try:
        yuan = Decimal(str(said.get("yuan")))
    except InvalidOperation as error:
        raise BadOffer("no yuan") from error
    return Told(tuple(customers), str(said["account"]), kind, yuan, basis, segment, bool(said.get("held_out")))


def keep(
    session: Session, rules: Rules, told: Told, *, conversation_id: str, talks: Sequence[str], now: datetime
) -> bool:  # fmt: skip
    """Write a recommendation down; false, with nothing written, if it must not be said (any more).

    Of two conversations in which one customer is to be told something at the same moment one waits, and then finds
    what the other has written.
    """
    _one_at_a_time(session, told.customers)
    if {ALL, told.kind} & refused(session, told.customers):
        return False
    if is_quiet(session, rules, talks=talks, now=now) or not is_due(
        session, rules, customers=told.customers, talks=talks, now=now
    ):
        return False
    row = Recommendation(
        customer_no=told.customers[0], account_no=told.account_no, month=month_of(now), kind=told.kind, yuan=told.yuan,
        basis=dict(told.basis), state=HELD_OUT if told.held_out else SHOWN, segment=told.segment,
        conversation_id=conversation_id, shown_at=now, decided_at=None,
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:  # the month has one already
        return False
    return True


def decide(session: Session, decided: Decided, *, now: datetime) -> None:
    """Keep what a customer said to their latest recommendation; a refusal for ever also ends offers by notice.

    Saying it again changes nothing.
    """
    _one_at_a_time(session, decided.customers)
    query = select(Recommendation).where(
        Recommendation.customer_no.in_(decided.customers), Recommendation.state != HELD_OUT
    )
    row = session.scalar(query.order_by(Recommendation.shown_at.desc()).limit(1))
    state = REFUSED if decided.never else decided.state
    if row is not None and state is not None and row.state == SHOWN:
        row.state, row.decided_at = state, now
    if decided.never:
        for customer_no in decided.customers:
            refuse(session, customer_no, decided.never, now=now)


def refuse(session: Session, customer_no: str, kind: str, *, now: datetime) -> None:
    """Note that a customer never wants to hear of a kind (or of any, `*`) again.

    Raises:
        BadOffer: if there is no such kind.
    """
    if kind not in (ALL, *RECOMMENDATIONS):
        raise BadOffer(f"no kind {kind}")
    if session.get(Refusal, (customer_no, kind)) is None:
        session.add(Refusal(customer_no=customer_no, kind=kind, at=now))
    choice = session.get(Choice, (customer(customer_no), OFFER)) if kind == ALL else None
    if choice is not None and choice.wanted:
        choice.wanted, choice.changed_at = False, now
    session.flush()


def _one_at_a_time(session: Session, customers: Collection[str]) -> None:
    """Wait for whoever has to do with one of these customers, always in the same order."""
    for customer_no in sorted(set(customers)):
        one_at_a_time(session, f"recommend:{customer_no}")


def _decided(customers: tuple[str, ...], said: Mapping[str, Any]) -> Decided:
    state, never = said.get("state"), said.get("never")
    if state not in (None, ACCEPTED, REFUSED) or never not in (None, ALL, *RECOMMENDATIONS):
        raise BadOffer("no answer to a recommendation")
    if (state is None) == (never is None):
        raise BadOffer("an answer is one of two")
    return Decided(customers, state, never)
