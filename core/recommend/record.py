"""What was recommended, and what the customer said to it, kept by the bridge in the transaction that appends the reply.

The actions say it on the signed command that goes with the answer (`core.identity.Grant.offer`), as JSON.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.conversation import Conversation
from core.locking import one_at_a_time
from core.proactive.choices import customer
from core.recommend.choosing import HELD_OUT, is_due, is_quiet, month_of
from core.recommend.refusals import BadOffer, refuse, refused, speaking
from core.recommend.rules import Rules
from core.recommend.tables import ALL, RECOMMENDATIONS, Recommendation

SHOWN, ACCEPTED, REFUSED = "shown", "accepted", "refused"
ANSWERED = timedelta(days=1)  # so long a turn may take, with all crashes


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
    """What a customer said to a recommendation: `accepted`, `refused` (this time), or never again the kinds `never`.

    `customers`: whose word it is, none where nothing is proved of who speaks; `of`: the account of what was told, and
    the instant of the question beside whose answer that was.
    """

    customers: tuple[str, ...]
    state: str | None = None
    never: str | None = None  # a kind, or `*`
    of: tuple[str, datetime] | None = None

    def said(self) -> dict[str, Any]:
        """Return what the command says."""
        of = None if self.of is None else [self.of[0], self.of[1].isoformat()]
        return {"customers": list(self.customers), "state": self.state, "never": self.never, "of": of}


def read(said: Mapping[str, Any]) -> Told | Decided:
    """Return what a command says.

    Raises:
        BadOffer: if it is none.
    """
    customers = said.get("customers")
    if not isinstance(customers, list) or not all(isinstance(one, str) and one for one in customers):
        raise BadOffer("no customers")
    if "account" not in said:
        return _decided(tuple(customers), said)
    if not customers:
        raise BadOffer("nobody is told")
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
    if {ALL, told.kind} & refused(session, told.customers, talks):
        return False
    if is_quiet(session, rules, talks=talks, now=now, customers=told.customers) or not is_due(
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


def decide(
    session: Session, decided: Decided, *, now: datetime, conversation: Conversation | None = None,
    talks: Collection[str] = (),
) -> None:  # fmt: skip
    """Keep what a customer said to a recommendation; a refusal for ever also ends offers by notice.

    What is named (`of`) is decided, and of what was told in these talks or to these customers; if nothing is named, the
    latest. Saying it again changes nothing. A refusal for ever is theirs who say it in `conversation`.
    """
    _one_at_a_time(session, decided.customers)
    state, row = REFUSED if decided.never else decided.state, _told(session, decided, talks)
    if row is not None and state is not None and row.state == SHOWN:
        row.state, row.decided_at = state, now
    if decided.never:
        subjects = [customer(one) for one in decided.customers]
        for subject in subjects if conversation is None else speaking(session, conversation, decided.customers):
            refuse(session, subject, decided.never, now=now)


def _told(session: Session, decided: Decided, talks: Collection[str]) -> Recommendation | None:
    theirs = Recommendation.customer_no.in_(decided.customers) | Recommendation.conversation_id.in_(talks)
    query = select(Recommendation).where(theirs, Recommendation.state != HELD_OUT)
    if decided.of is not None:
        account_no, asked_at = decided.of
        written = Recommendation.shown_at >= asked_at, Recommendation.shown_at < asked_at + ANSWERED
        query = query.where(Recommendation.account_no == account_no, *written)
    return session.scalar(query.order_by(Recommendation.shown_at.desc()).limit(1))


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
    return Decided(customers, state, never, _of(said.get("of")))


def _of(said: object) -> tuple[str, datetime] | None:
    if said is None:
        return None
    if not isinstance(said, list) or len(said) != 2:
        raise BadOffer("no recommendation is named")
    try:
        return str(said[0]), datetime.fromisoformat(str(said[1]))
    except ValueError as error:
        raise BadOffer("no instant") from error
