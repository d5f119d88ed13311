"""Binding an account (绑定户号) by a one-time code to the telephone on file, and letting one go.

Whether somebody else's account exists is told by nothing here: neither words, nor time, nor the way the talk goes.
The conversation's accounts are changed by the bridge alone, on the grant that goes with the answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from actions import choice, codes
from actions.aside import laid_aside, offered_again
from actions.base import CONFIRMING, BusinessAction, Reply
from actions.question import Question
from core.account import AccountView, list_accounts
from core.errors import AccountNotYours
from core.one_time_code import CODE_MESSAGE, numbers_in

KIND = "binding"
NUMBER, CODE, WHICH, CONFIRM = "account_no", "code", "which", "confirm"  # what is being asked
RESEND, YES, NO = "_resend", "yes", "no"
_LENGTHS = (10, 13)  # of account numbers
_PHONE = re.compile(r"1[3-9]\d{9}")
# Whole messages that are answers, whatever the model takes them for.
_PATTERNS = {
    NUMBER: r"\D{0,12}\d(?:[\s-]?\d){5,17}\D{0,6}",
    CODE: CODE_MESSAGE,
}
# Words of an answer, by what is being asked: where is the number, no code came, send it again.
_WORDS = {NUMBER: ("where",), CODE: ("missing", "resend")}


@dataclass(frozen=True)
class State:
    """What is being asked, and about which account."""

    asking: str
    account_no: str = ""


class _Binding(BusinessAction):
    """What binding and letting go share: the state in the slot `form`."""

    intent = ""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return f"action_{self.intent}"

    def state(self, question: Question) -> State | None:
        """Return what this action is asking."""
        raw = question.slots.get("form")
        if not isinstance(raw, Mapping) or raw.get("action") != self.name():
            return None
        return State(str(raw["asking"]), str(raw["account_no"]))

    def slots(self, question: Question, state: State) -> dict[str, Any]:
        """Return the slots that keep the question open; a form that it interrupts is laid aside."""
        form = {
            "kind": KIND, "action": self.name(), **asdict(state), "intents": [self.intent], "entities": ["account_no"],
            "words": [self.raw(f"words.{one}") for one in _WORDS.get(state.asking, ())],
            "pattern": self._pattern(state.asking), "free": state.asking == WHICH,
        }  # fmt: skip
        return {"form": form, "asked": self.name(), **laid_aside(question)}

    def _pattern(self, asking: str) -> str:
        """Return what whole messages answer, whatever the model takes them for; 不绑了 and 重新发一遍 among them."""
        again = f".{{0,14}}(?:{self.raw('words.resend')}).{{0,12}}" if asking == CODE else None
        return "|".join(one for one in (_PATTERNS.get(asking), again, self.raw("words.dropped")) if one)

    def over(self, question: Question, reply: Reply) -> Reply:
        """Return the last reply: the question is closed, and the form that it had interrupted is offered again."""
        closed = replace(reply, slots={"form": None, "asked": None, **reply.slots})
        return offered_again(self.services, question, closed)

    def say(self, key: str, **values: object) -> str:
        """Return a phrase of this topic."""
        return self.services.phrases.say(f"binding.{key}", **values)

    def raw(self, key: str) -> str:
        """Return a regular expression of this topic."""
        return self.services.phrases.raw(f"binding.{key}")

    def view(self, session: Session, account_no: str) -> AccountView | None:
        """Return the masked view of an account that the customer has proved to be theirs."""
        return next(iter(list_accounts(session, allowed=[account_no], keyring=self.services.keyring)), None)


class ActionBindAccount(_Binding):
    """Asks for the account number, sends a code, checks it, and has the account bound."""

    intent = "bind_account"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        state = self.state(question)
        number = _number_in(question, state)
        if number is not None:
            return self._send(question, number)
        if state is not None and re.fullmatch(self.raw("words.dropped"), question.text.strip()):
            return self.over(question, self.dropped())
        if state is None or question.intent == self.intent or state.asking == NUMBER:
            return self._ask_number(question, state)
        if question.values("choice") == [RESEND] or re.search(self.raw("words.resend"), question.text):
            return self._send(question, state.account_no, before=state)
        if re.search(self.raw("words.missing"), question.text):
            return self._ask_code(question, state, self.say("code.missing"))
        if question.text.startswith("/"):
            return self._ask_code(question, state, self.say("code.again"))
        return self._check(session, question, state)

    def dropped(self) -> Reply:
        """Say that nothing was bound."""
        return Reply("utter_binding", {"text": self.say("dropped")})

    def _ask_number(self, question: Question, before: State | None) -> Reply:
        slots = self.slots(question, State(NUMBER))
        digits = "".join(numbers_in(question.text)) if before and not question.text.startswith("/") else ""
        if digits:
            key = "number.phone" if _PHONE.fullmatch(digits) else "number.wrong"
            return Reply("utter_binding", {"text": self.say(key, count=len(digits))}, [self._drop()], slots=slots)
        if before and re.search(self.raw("words.where"), question.text):
            return Reply("utter_binding", {"text": self.say("number.where")}, [self._drop()], slots=slots)
        return Reply("utter_binding_ask", buttons=[self._drop()], slots=slots)

    def _send(self, question: Question, number: str, before: State | None = None) -> Reply:
        if number in question.identity.accounts and question.identity.assurance >= 1:
            return self.over(question, Reply("utter_binding_already", {"tail": number[-4:]}))
        sent = codes.request_binding_code(self.services, question, number)
        if sent.sent:
            return self._ask_code(question, State(CODE, number), sent.reason)
        reply = Reply("utter_binding", {"text": sent.reason}, [self._person()])
        # The code that was sent before may still be typed.
        return replace(reply, slots=self.slots(question, before)) if before else self.over(question, reply)

    def _ask_code(self, question: Question, state: State, text: str) -> Reply:
        lost = (self.say("button.lost"), "/request_human")
        buttons = [(self.say("button.resend"), _give("choice", RESEND)), lost, self._drop()]
        slots = self.slots(question, state)
        return Reply("utter_binding", {"text": text}, buttons, slots=slots, commands=[CONFIRMING])

    def _check(self, session: Session, question: Question, state: State) -> Reply:
        checked = codes.check_binding_code(self.services, question, state.account_no)
        if not checked.verified:
            return self._ask_code(question, state, checked.reason)
        view = self.view(session, state.account_no)
        values = {"account": view.masked_no, "address": view.masked_address} if view else {}
        buttons = [(self.say("button.balance"), "/query_balance"), (self.say("button.bill"), "/query_bill")]
        slots = {"account_asked": state.account_no, "period_asked": None}
        reply = Reply("utter_binding_done", values, buttons, slots=slots, commands=checked.commands)
        return self.over(question, reply)

    def _drop(self) -> tuple[str, str]:
        return self.say("button.drop"), "/cancel"

    def _person(self) -> tuple[str, str]:
        return self.say("button.person"), "/request_human"


class ActionUnbindAccount(_Binding):
    """Asks which account is to be let go, asks once more, and has it let go."""

    intent = "unbind_account"
    takes_yes_no = True

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        allowed = question.identity.accounts if question.identity.assurance >= 1 else ()
        if not allowed:
            bind = (self.say("button.bind"), "/bind_account")
            return self.over(question, Reply("utter_unbind_none", buttons=[bind]))
        state, named = self.state(question), question.values("account_no")
        if named and named[0] not in allowed:
            raise AccountNotYours
        if state and state.asking == CONFIRM and not named and state.account_no in allowed:
            return self._confirmed(session, question, state)
        views = list_accounts(session, allowed=allowed, keyring=self.services.keyring)
        fitting = choice.by_words(views, question, self.services.labels)
        number = named[0] if named else allowed[0] if len(allowed) == 1 else fitting[0] if len(fitting) == 1 else None
        if number is None:
            buttons = choice.buttons(views, self.services.labels)
            return Reply("utter_unbind_which", buttons=buttons, slots=self.slots(question, State(WHICH)))
        return self._ask(session, question, State(CONFIRM, number))

    def dropped(self) -> Reply:
        """Say that nothing was let go."""
        return Reply("utter_unbind_kept")

    def _ask(self, session: Session, question: Question, state: State) -> Reply:
        view = self.view(session, state.account_no)
        if view is None:
            raise AccountNotYours
        buttons = [(self.say("button.let_go"), _give("choice", YES)), (self.say("button.keep"), _give("choice", NO))]
        values = {"account": view.masked_no, "address": view.masked_address}
        return Reply("utter_unbind_confirm", values, buttons, slots=self.slots(question, state))

    def _confirmed(self, session: Session, question: Question, state: State) -> Reply:
        chosen, raw = question.values("choice"), self.services.phrases.raw
        if chosen == [NO] or question.intent == "deny" or re.search(raw("binding.words.refuses"), question.text):
            return self.over(question, Reply("utter_unbind_kept"))
        agreed = re.search(raw("binding.words.agrees"), question.text) is not None
        if not (chosen == [YES] or question.intent == "affirm" or agreed):
            return self._ask(session, question, state)
        buttons = [(self.say("button.bind"), "/bind_account")]
        reply = Reply(
            "utter_unbind_done", {"tail": state.account_no[-4:]}, buttons, slots={"account_asked": None},
            commands=[codes.release(self.services, question, state.account_no)],
        )  # fmt: skip
        return self.over(question, reply)


def _number_in(question: Question, state: State | None) -> str | None:
    """Return the account number in the message: as it was understood, else digits of the right length."""
    found = [number for number in question.values("account_no") if len(number) in _LENGTHS and number.isdecimal()]
    if not found and state is not None and state.asking == NUMBER:
        found = [number for number in numbers_in(question.text) if len(number) in _LENGTHS]
    return found[0] if found else None


def _give(entity: str, value: str) -> str:
    return "/inform" + json.dumps({entity: value}, ensure_ascii=False)


ACTIONS: tuple[type[BusinessAction], ...] = (ActionBindAccount, ActionUnbindAccount)
