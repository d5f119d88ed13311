"""What all actions share: identity, the choice of the account, errors as responses, and work off the event loop."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from copy import copy
from dataclasses import replace
from typing import Any, Self, cast

import structlog
from rasa_sdk import Action, Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher
from sqlalchemy.orm import Session

from actions import choice, handback
from actions.around import answered
from actions.question import Question, Span
from actions.reply import CONFIRMING, Reply, card
from actions.services import Services
from core.account import Account, find_account, list_accounts
from core.errors import AccountNotYours, BusinessError, NotIdentified
from core.identity import BadToken, is_rehearsal
from core.said_time import NoSuchTime

__all__ = ["CONFIRMING", "AccountUnclear", "BusinessAction", "Reply", "card"]

log = structlog.get_logger("actions")


class AccountUnclear(BusinessError):
    """The customer has several accounts, and nothing said so far tells which one is meant."""

    code = "which_account"


class BusinessAction(Action):
    """An action over the billing database; subclasses give `handle`."""

    def __init__(self, services: Services) -> None:
        self.services = services

    @abstractmethod
    def handle(self, session: Session, question: Question) -> Reply:
        """Answer the question, or raise a `BusinessError` whose code names the response."""

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Answer in a thread: a slow query must not hold up the other conversations."""
        reply = await asyncio.to_thread(self.answer, tracker)
        reply.utter(dispatcher)
        # `SlotSet` is typed as an EventType that mypy reads as a plain dict of its own kind.
        return [cast(dict[str, Any], SlotSet(name, value)) for name, value in reply.slots.items()]

    def answer(self, tracker: Tracker) -> Reply:
        """Return the reply to the latest message of the tracker; in a rehearsal nothing is changed by it."""
        if not is_rehearsal(tracker.sender_id, (tracker.latest_message or {}).get("metadata")):
            return self._to_latest(tracker, around=True)
        reply = self.rehearsing()._to_latest(tracker, around=False)
        return replace(reply, commands=[one for one in reply.commands if one.get("type") != "grant"])

    def rehearsing(self) -> Self:
        """Return an action of the same kind that answers alike and changes nothing.

        It is made anew: what an action keeps from its first use works on the databases as they are.
        """
        return type(self)(self.services.rehearsing())

    def in_style(self, style: str) -> Self:
        """Return an action of the same kind with the wording of a style, for one turn: what is told is the same."""
        services = self.services.in_style(style)
        if services is self.services:
            return self
        turn = copy(self)
        turn.services = services
        return turn

    def _to_latest(self, tracker: Tracker, *, around: bool) -> Reply:
        services = self.services
        try:
            question = Question.of(
                tracker, identity_key=services.identity_key, clock=services.clock, leaning=services.labels.leaning
            )
        except BadToken as error:
            log.warning("no_identity", action=self.name(), error=str(error))
            return Reply(f"utter_{NotIdentified.code}")
        note, turn = handback.note_of(tracker, question.now), self.in_style(question.identity.style)
        with services.billing.reading() as session:

            def answer(seen: Question) -> Reply:
                return handback.respectful(turn, session, seen, note) if note else turn.reply_to(session, seen)

            return answered(turn, session, question, answer) if around else answer(question)

    def reply_to(self, session: Session, question: Question) -> Reply:
        """Return what `handle` answers, or the wording of the error it met."""
        decided = handback.decided(self.services, self.name(), question)
        if isinstance(decided, Reply):
            return decided
        reply = self._worded(session, decided)
        return reply if decided is question else replace(reply, slots={"form": None, **reply.slots})

    def _worded(self, session: Session, question: Question) -> Reply:
        try:
            return self._handled(session, question)
        except NoSuchTime as error:
            said = self.services.phrases.say(f"period.{error.code}", **error.values)
            return Reply("utter_pay", {"answer": said}, slots={"asked": self.name(), "period_asked": None})

    def _handled(self, session: Session, question: Question) -> Reply:
        try:
            return self.handle(session, question)
        except NoSuchTime:
            raise
        except AccountUnclear:
            return self._ask_which(session, question)
        except (NotIdentified, AccountNotYours) as error:
            return Reply(f"utter_{error.code}", error.values)
        except BusinessError as error:
            # Nothing was found, but what was asked is known: 上个月的 may follow.
            slots = self.remember(self.account(session, question), question.span())
            return Reply(f"utter_{error.code}", error.values, slots=slots)

    def account(self, session: Session, question: Question) -> Account:
        """Return the account that is meant.

        Raises:
            NotIdentified: if nobody has proved who asks.
            AccountNotYours: if an account was named that is not bound to the customer.
            AccountUnclear: if there are several and none was named or chosen.
        """
        allowed = question.identity.accounts
        if not allowed or question.identity.assurance < 1:
            raise NotIdentified
        named = question.values("account_no")
        if named:
            return find_account(session, account_no=named[0], allowed=allowed)
        if len(allowed) == 1:
            return find_account(session, account_no=allowed[0], allowed=allowed)
        fitting = choice.by_words(self._views(session, question), question, self.services.labels)
        before = question.slots.get("account_asked")
        # Words that fit several are settled by the account asked about before, if it is one of them.
        number = fitting[0] if len(fitting) == 1 else before
        if number not in (fitting or allowed):
            raise AccountUnclear
        return find_account(session, account_no=str(number), allowed=allowed)

    def remember(self, account: Account, span: Span | None = None) -> dict[str, Any]:
        """Return the slots with which a following question can lean on this one."""
        return {
            "asked": self.name(),
            "account_asked": account.account_no,
            "period_asked": span.value if span else None,
        }

    def other_accounts(self, session: Session, question: Question, account: Account) -> list[tuple[str, str]]:
        """Return buttons for the customer's other accounts."""
        views = [view for view in self._views(session, question) if view.account_no != account.account_no]
        return choice.buttons(views, self.services.labels) if len(question.identity.accounts) > 1 else []

    def _views(self, session: Session, question: Question) -> list[choice.AccountView]:
        return list_accounts(session, allowed=question.identity.accounts, keyring=self.services.keyring)

    def _ask_which(self, session: Session, question: Question) -> Reply:
        span = question.span()
        return Reply(
            "utter_which_account",
            buttons=choice.buttons(self._views(session, question), self.services.labels),
            slots={"asked": self.name(), "period_asked": span.value if span else None},
        )
