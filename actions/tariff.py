"""Prices of a class, the make-up of a price, and charges, from the tariff book and the customer's own bill."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from actions.base import BusinessAction, Reply
from actions.charges import Charges
from actions.fact_action import FactAction, give
from actions.question import Question
from actions.tariff_words import TariffWords
from core.account import Account
from core.masking import mask_account_no

CLASSES = ("residential", "commercial", "industrial", "shared_meter", "charging", "agricultural")
HOME, BUSINESS = frozenset({"residential", "shared_meter", "charging"}), frozenset({"commercial", "industrial"})
ELSEWHERE = "tariff.other_region"
Buttons = list[tuple[str, str]]


class ActionExplainTariff(FactAction):
    """Tells the price of a class of use, or explains a charge, with the customer's own figures where known."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_explain_tariff"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        account = self.known_account(session, question)
        user_class = self.class_of(question, account)
        if self.asks_elsewhere(question):
            return self.elsewhere(account)
        found = self.facts.matching("tariff", question.text)
        if self._is_about("late", question):
            return self._late(session, question, account, user_class)
        for topic, code in (("power_factor", "power_factor"), ("basic_charge", "basic")):
            if found[:1] == [f"tariff.{topic}"]:
                own = Charges(self.services).of_latest(session, account, code) if account else ""
                return self._reply(account, [own, self.facts.say(f"tariff.{topic}")], self._bill_buttons(account))
        if self._is_about("components", question):
            return self._components(question, account, user_class)
        return self._from_facts(question, account, user_class, found)

    def elsewhere(self, account: Account | None) -> Reply:
        """Say that the prices of other provinces are not ours to tell."""
        return self._reply(account, [self.facts.say(ELSEWHERE)], [self._button("residential")])

    def asks_elsewhere(self, question: Question) -> bool:
        """Tell whether the question is about another province."""
        return self.facts.get(ELSEWHERE).answers(question.text)

    def class_of(self, question: Question, account: Account | None) -> str | None:
        """Return the class that is named, else that of the account."""
        own = account.user_class if account else None
        if own in BUSINESS and self._is_about("both", question):
            return own
        named = question.values("tariff_class")
        if named and named[0] in CLASSES:
            return named[0]
        if question.intent == "inform":
            return own
        said = [name for name in CLASSES if self._is_about(f"class.{name}", question)]
        return said[-1] if said else own

    def _from_facts(
        self, question: Question, account: Account | None, user_class: str | None, found: Sequence[str]
    ) -> Reply:
        """Answer with the fact that fits; where none does, with the price."""
        if "tariff.charged_by_landlord" in found:
            reply_to = [("tariff.button.violation", "/report_violation")]
            return self._price(question, account, user_class, self.facts.say("tariff.charged_by_landlord"), reply_to)
        if user_class == "agricultural":
            keys = [*(key for key in found if key == "tariff.farm_scope"), "tariff.farm_price"]
            return self._reply(account, [self.facts.say(*keys)], self._bill_buttons(account))
        if found:
            key = found[0]
            buttons = self._bill_buttons(account)
            return self._reply(account, [self.facts.say(key)], [*buttons, self._human()])
        return self._price(question, account, user_class)

    # -- the price of a class

    def _price(
        self, question: Question, account: Account | None, user_class: str | None, more: str = "",
        actions: Sequence[tuple[str, str]] = (),
    ) -> Reply:  # fmt: skip
        words, shown = TariffWords(self.services), user_class or "residential"
        plan = words.plan(shown, account, question.today)
        if plan is None:
            return self._reply(account, [self.facts.say("tariff.farm_price"), more], self._bill_buttons(account))
        own = ""
        if account is not None and account.plan_code == plan.code:
            own = self._say("price.own", account=mask_account_no(account.account_no))
        elif account is not None and question.values("tariff_class"):
            own_name = self._say(f"class_name.{account.user_class}")
            own = self._say("price.own_other", account=mask_account_no(account.account_no), own=own_name)
        buttons = [(self.services.phrases.say(title), payload) for title, payload in actions]
        others = [self._button(name) for name in CLASSES[:3] if name != shown]
        parts = [words.price(plan) + own, more, words.basis(plan, question.today)]
        return self._reply(account, parts, [*buttons, *others], [words.price_card(plan)])

    def _components(self, question: Question, account: Account | None, user_class: str | None) -> Reply:
        """Tell what a price is made of: published for businesses only."""
        if user_class in HOME and not self._is_about("business", question):
            return self._reply(account, [self.facts.say("tariff.components_home")], [self._button("residential")])
        shown = user_class if user_class in BUSINESS else "commercial"
        words = TariffWords(self.services)
        plan = words.plan(str(shown), account, question.today)
        parts = [self.facts.say("tariff.components_business")]
        parts += [words.share(plan), words.basis(plan, question.today)] if plan else []
        return self._reply(account, parts, [self._button(str(shown))])

    # -- charges

    def _late(self, session: Session, question: Question, account: Account | None, user_class: str | None) -> Reply:
        """Tell the late fee: the customer's own first, then the rule."""
        home, business = "tariff.late_fee_home", "tariff.late_fee_business"
        if account is not None:
            keys = [home if account.customer.kind == "person" else business]
        elif user_class in BUSINESS:
            keys = [business]
        else:
            keys = [home, business] if user_class is None else [home]
        own = Charges(self.services).late(session, question, account) if account else ""
        buttons = [(self._say("button.balance"), "/query_balance")] if account else []
        return self._reply(account, [own, self.facts.say(*keys)], buttons)

    # -- words

    def _say(self, key: str, **values: object) -> str:
        return self.services.phrases.say(f"tariff.{key}", **values)

    def _is_about(self, topic: str, question: Question) -> bool:
        return re.search(self.services.phrases.raw(f"tariff.words.{topic}"), question.text) is not None

    def _button(self, user_class: str) -> tuple[str, str]:
        return self._say(f"button.{user_class}"), give("tariff_class", user_class)

    def _human(self) -> tuple[str, str]:
        return self._say("button.human"), "/request_human"

    def _bill_buttons(self, account: Account | None) -> Buttons:
        return [(self._say("button.bill"), "/query_bill")] if account else []

    def _reply(
        self, account: Account | None, parts: Sequence[str], buttons: Buttons, cards: Sequence[dict[str, Any]] = ()
    ) -> Reply:
        return Reply("utter_explain_tariff", {"answer": self.lines(*parts)}, buttons, cards, self.kept(account))


ACTIONS: tuple[type[BusinessAction], ...] = (ActionExplainTariff,)
