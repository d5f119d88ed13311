"""Prices of a class, the make-up of a price, and charges, from the tariff book and the customer's own bill."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from actions.base import BusinessAction, Reply
from actions.fact_action import FactAction, give
from actions.labels import money, plain
from actions.question import Question
from actions.tariff_words import TariffWords
from core.account import Account
from core.bill import Bill, BillLine, NoBill, bills_between, latest_month
from core.masking import mask_account_no
from core.payment import balance_of

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
                own = self._own_line(session, account, code)
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
        named = question.values("tariff_class")
        if named and named[0] in CLASSES:
            return named[0]
        if question.intent == "inform":
            return account.user_class if account else None
        said = [name for name in CLASSES if self._is_about(f"class.{name}", question)]
        return said[-1] if said else account.user_class if account else None

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
        own = self._own_late(session, question, account) if account else ""
        buttons = [(self._say("button.balance"), "/query_balance")] if account else []
        return self._reply(account, [own, self.facts.say(*keys)], buttons)

    def _own_late(self, session: Session, question: Question, account: Account) -> str:
        personal = account.customer.kind == "person"
        balance = balance_of(session, account=account, today=question.today, residential=personal)
        late = [one for one in balance.unpaid if one.overdue_days > 0 and one.late_fee]
        if not late:
            return self._say("late.own_none")
        if len(late) == 1:
            one, labels = late[0], self.services.labels
            return self._say(
                "late.own", month=labels.of_month(one.month), unpaid=money(one.unpaid), days=one.overdue_days,
                fee=money(one.late_fee),
            )  # fmt: skip
        unpaid = sum((one.unpaid for one in late), Decimal(0))
        fee = sum((one.late_fee for one in late), Decimal(0))
        return self._say("late.own_total", count=len(late), unpaid=money(unpaid), fee=money(fee))

    def _own_line(self, session: Session, account: Account | None, code: str) -> str:
        """Return what the customer's latest bill has of this charge; nothing if it has no such line."""
        bill = _latest_bill(session, account) if account else None
        line = next((one for one in bill.lines if one.code == code), None) if bill else None
        if bill is None or line is None:
            return ""
        month = self.services.labels.of_month(bill.month)
        if code == "power_factor":
            return self._power_factor(line, month)
        unit = self.services.labels.units[line.unit]
        values = {"quantity": plain(line.quantity), "price": plain(line.unit_price), "amount": money(line.amount)}
        return self._say("charge.basic", month=month, unit=unit, **values)

    def _power_factor(self, line: BillLine, month: str) -> str:
        rate = f"{plain(abs(line.unit_price) * 100)}%"
        form = "more" if line.amount > 0 else "less" if line.amount < 0 else "zero"
        return self._say(f"charge.power_factor_{form}", month=month, amount=money(abs(line.amount)), rate=rate)

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


def _latest_bill(session: Session, account: Account) -> Bill | None:
    try:
        month = latest_month(session, account=account)
    except NoBill:
        return None
    return bills_between(session, account=account, first=month, last=month)[-1]


ACTIONS: tuple[type[BusinessAction], ...] = (ActionExplainTariff,)
