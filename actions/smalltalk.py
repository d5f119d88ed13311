"""Greeting, thanks, abilities and small talk: short, and with what matters to this customer at hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher
from sqlalchemy.orm import Session

from actions import handback
from actions.aside import is_pressing
from actions.base import BusinessAction, Reply
from actions.faq import SURE, HearingAction, answer, best
from actions.labels import money
from actions.question import Question
from actions.services import Services
from actions.work_order import progress_if_asked
from core.account import find_account
from core.fitting import fitting
from core.outage import outage_at
from core.payment import balance_of
from core.place import Place, locate
from core.text import SENTENCE_END
from core.work_order import orders_of

MOST_BUTTONS = 4
# A company may have dozens of accounts: a greeting looks at the first ones only.
MOST_ACCOUNTS = 5
_OUTAGE, _PERSON = _ALWAYS = ("/report_outage", "/request_human")
Button = tuple[str, str]


@dataclass(frozen=True)
class Matter:
    """Something about this customer that comes first: a sentence and the button for it."""

    sentence: str
    button: Button


class Desk:
    """Finds what concerns the customer now: money owed, an outage at home, an order under way, in this order."""

    def __init__(self, services: Services, session: Session, question: Question) -> None:
        self._services, self._session, self._question = services, session, question
        identity = question.identity
        self._accounts = identity.accounts[:MOST_ACCOUNTS] if identity.assurance >= 1 else ()

    def matters(self) -> list[Matter]:
        """Return what there is, the most pressing first."""
        return [*self._arrears(), *self._elsewhere()]

    def buttons(self, matters: list[Matter]) -> list[Button]:
        """Return the matters' buttons, then what is offered first to this customer, or the menu.

        An outage can be reported and a person be had from the very first buttons, whoever it is.
        """
        offers = self._offers()
        return self._fitted(matters, offers) if offers else self._usual(matters)

    def _fitted(self, matters: list[Matter], offers: list[Button]) -> list[Button]:
        menu = [(title, f"/{intent}") for intent, title in self._services.phrases.under("smalltalk.menu").items()]
        always = {button[1]: button for button in menu if button[1] in _ALWAYS}
        always |= {button[1]: button for button in offers if button[1] in _ALWAYS}
        wanted = {button[1]: button for button in [*offers, *(matter.button for matter in matters)]}
        shown = [matter.button[1] for matter in matters] + [button[1] for button in offers]
        found = [wanted[one] for one in dict.fromkeys(shown) if one not in _ALWAYS][: MOST_BUTTONS - len(_ALWAYS)]
        if offers[0][1] == _PERSON:
            return [always[_PERSON], always[_OUTAGE], *found]
        return [*found, always[_OUTAGE], always[_PERSON]]

    def _offers(self) -> list[Button]:
        known = fitting().offers
        offers = [known[key] for key in self._question.identity.first if key in known]
        if any(one.only for one in offers) and not self._is_organisation():
            offers = [one for one in offers if one.only is None]
        return [(one.title, one.payload) for one in offers]

    def _is_organisation(self) -> bool:
        found = (find_account(self._session, account_no=one, allowed=self._accounts) for one in self._accounts)
        return any(account.customer.kind != "person" for account in found)

    def _usual(self, matters: list[Matter]) -> list[Button]:
        menu = [(title, f"/{intent}") for intent, title in self._services.phrases.under("smalltalk.menu").items()]
        first = [matter.button for matter in matters]
        known = {payload for _, payload in first}
        rest = [button for button in menu[:-1] if button[1] not in known]
        return [*[*first, *rest][: MOST_BUTTONS - 1], menu[-1]]

    def _arrears(self) -> Iterator[Matter]:
        owing = [money(owed) for owed in map(self._owed, self._accounts) if owed]
        if len(owing) == 1:
            yield self._matter("arrears", "query_balance", amount=owing[0])
        elif owing:
            yield self._matter("arrears_several", "query_balance", count=len(owing))

    def _owed(self, account_no: str) -> Any:
        account = find_account(self._session, account_no=account_no, allowed=self._accounts)
        personal = account.customer.kind == "person"
        return balance_of(self._session, account=account, today=self._question.today, residential=personal).owed

    def _elsewhere(self) -> Iterator[Matter]:
        identity = self._question.identity
        with self._services.workorder.reading() as workorder:
            if any(self._is_out(workorder, account_no) for account_no in self._accounts):
                yield self._matter("outage", "query_outage")
            orders = orders_of(
                workorder, conversation_id=identity.conversation_id, conversations=identity.conversations,
                accounts=self._accounts,
                customer_no=identity.customer_no if identity.assurance >= 1 else None,
            )  # fmt: skip
            under_way = [order for order in orders if order.is_open]
            if under_way:
                yield self._matter("order", "query_work_order", title=under_way[0].title)

    def _is_out(self, workorder: Session, account_no: str) -> bool:
        place = locate(workorder, account_no=account_no)
        return isinstance(place, Place) and outage_at(workorder, place, self._question.now) is not None

    def _matter(self, key: str, intent: str, **values: object) -> Matter:
        say = self._services.phrases.say
        return Matter(say(f"smalltalk.matter.{key}", **values), (say(f"smalltalk.matter_title.{key}"), f"/{intent}"))


class _Fitted(BusinessAction):
    """A response of the domain with the customer's own buttons; if it `tells`, it says the most pressing matter."""

    response = ""
    otherwise = ""
    tells = False
    brief = True

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        progress = progress_if_asked(self.services, session, question)
        if progress is not None:
            return progress
        if self.brief and is_pressing(question):
            return Reply(self.response, {"lead": ""})  # the form that is open asks again in the same breath
        desk = Desk(self.services, session, question)
        matters = desk.matters()
        otherwise = self.services.phrases.say(f"smalltalk.lead.{self.otherwise}")
        lead = matters[0].sentence if matters and self.tells else otherwise
        return Reply(self.response, {"lead": lead}, desk.buttons(matters))


class ActionGreet(_Fitted):
    """Greets, and says what concerns the customer now."""

    response, otherwise, tells = "utter_greet", "greet", True

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_greet"


class ActionThank(_Fitted):
    """Answers thanks."""

    response, otherwise = "utter_thank", "thank"

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_thank"


class ActionAskCapabilities(_Fitted):
    """Says what can be done here."""

    response, otherwise, brief = "utter_capabilities", "capabilities", False

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_ask_capabilities"


class ActionChitchat(HearingAction):
    """Small talk, answered by what it is about; a question that knowledge answers is answered."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_chitchat"

    def respond(self, session: Session, question: Question) -> Reply:
        """See `HearingAction.respond`."""
        kind = self._kind(question.text)
        item = None if kind == "sad" else best(self.heard, least=SURE)
        if item is not None:
            return answer(self.services, item)
        text = self.services.phrases.say(f"smalltalk.chitchat.{kind}")
        if is_pressing(question):
            return Reply("utter_chitchat", {"text": _first(text)})
        return Reply("utter_chitchat", {"text": text}, Desk(self.services, session, question).buttons([]))

    def _kind(self, text: str) -> str:
        words = self.services.phrases.under("smalltalk.chitchat_words")
        found = next((kind for kind, pattern in words.items() if re.search(pattern, text)), None)
        if found:
            return found
        # Not always the same sentence, but the same one when a turn is run again.
        kinds = sorted(kind for kind in self.services.phrases.under("smalltalk.chitchat") if kind.startswith("other"))
        return kinds[sum(map(ord, text)) % len(kinds)]


def _first(text: str) -> str:
    """Return the first sentence."""
    return SENTENCE_END.split(text)[0]


class ActionRepeat(Action):
    """Repeats what was said in answer to the message before this one, or by a person before the bot took over."""

    def __init__(self, services: Services) -> None:
        self.services = services

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_repeat"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Say it again, or admit that there is nothing to repeat."""
        note, alone = handback.retold(self.services, tracker, self.services.clock())
        if note is not None:
            note.utter(dispatcher)
        if alone:
            return []
        for event in last_answers(tracker.events):
            data = event.get("data") or {}
            if data.get("custom"):
                dispatcher.utter_message(json_message=data["custom"])
            else:
                dispatcher.utter_message(text=event["text"], buttons=data.get("buttons") or [])
        if not dispatcher.messages:
            dispatcher.utter_message(response="utter_nothing_to_repeat")
        return []


def last_answers(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the bot's messages between the customer's last message but one and the last one, in order."""
    answers: list[dict[str, Any]] = []
    passed_question = False
    for event in reversed(events):
        if event["event"] == "user":
            if passed_question:
                break
            passed_question = True
        elif event["event"] == "bot" and passed_question:
            answers.append(event)
    return answers[::-1]


ACTIONS: tuple[type[BusinessAction], ...] = (ActionGreet, ActionThank, ActionAskCapabilities, ActionChitchat)
