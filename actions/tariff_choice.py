"""Which tariff is cheaper for this customer: the own readings of a year under each tariff that is open to them."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy.orm import Session

from actions.base import Reply
from actions.fact_action import FactAction
from actions.labels import plain
from actions.question import Question
from actions.tariff_choice_words import ChoiceWords
from actions.tariff_words import TariffWords
from core.account import Account
from core.masking import mask_account_no
from core.tariff import NoPlanInForce, Period, price_of
from core.tariff_choice import TariffChoice, tariff_choice, under_plan
from core.tier_year import tier_year
from core.usage import NoReading

_HOME = ("tou.home", "tou.home_doubt")
_RESPONSE = "utter_compare_tariff"
_BUSINESS = ("commercial", "industrial")
_HOURS: tuple[Period, ...] = ("valley", "sharp")
_CHARGING, _SHARED = "charging", "shared_meter"


class ActionCompareTariff(FactAction):
    """Compares the tariffs of an account; says what is known in general where nobody has proved who asks."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_compare_tariff"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        words = ChoiceWords(self.services)
        if not self.identified(question):
            return self._in_general(words, question)
        account = self.account(session, question)
        slots = self.remember(account)
        if account.closed_on is not None and account.closed_on <= question.today:
            return Reply(_RESPONSE, {"answer": words.say("closed")}, slots=slots)
        try:
            choice = tariff_choice(session, account=account, book=self.services.book, today=question.today)
        except NoReading:
            return Reply(_RESPONSE, {"answer": words.say("too_new")}, slots=slots)
        except NoPlanInForce:
            buttons = [(words.say("button.human"), "/request_human")]
            return Reply(_RESPONSE, {"answer": words.say("unpriced")}, buttons, slots=slots)
        footer = words.say("footer", account=mask_account_no(account.account_no), period=words.period(choice))
        parts = self._compared(words, question, account, choice) if choice.others else []
        parts = parts or self._nothing_else(session, words, question, account, choice)
        cards = [words.table(choice)] if choice.others else []
        return Reply(_RESPONSE, {"answer": self.lines(*parts, footer)}, self._buttons(words, choice), cards, slots)

    def _in_general(self, words: ChoiceWords, question: Question) -> Reply:
        structure = words.matches("structure", question.text)
        known = self.facts.say("tariff.one_or_two_part") if structure else self.facts.say(*_HOME)
        charging = self._charging(words, question, "")
        buttons = [
            (words.say("button.bind"), "/bind_account"),
            (words.say("button.hours"), "/explain_tou"),
            (words.say("button.human"), "/request_human"),
        ]
        answer = self.lines(known, charging, words.say("anonymous"))
        return Reply(_RESPONSE, {"answer": answer}, buttons, slots=self.kept(None))

    def _compared(self, words: ChoiceWords, question: Question, account: Account, choice: TariffChoice) -> list[str]:
        """Return the best of the other tariffs, what would make it pay, and what must be confirmed."""
        best = choice.others[0]
        headline = words.already(choice, question.text) + words.headline(choice, best)
        parts = [headline, words.to_pay(choice, best), words.unsure(best)]
        business = account.user_class in _BUSINESS and account.capacity_kva is not None
        if business and words.matches("structure", question.text):
            capacity = words.say("capacity", kva=plain(account.capacity_kva or Decimal(0)))
            parts.append(capacity + self.facts.say("tariff.one_or_two_part"))
        if choice.current.method != "energy":
            parts.append(self.facts.say("tariff.basic_charge"))
        if choice.current.plan.user_class == _CHARGING:
            parts.append(self.facts.say("tou.charging_valid"))
        return parts

    def _nothing_else(
        self, session: Session, words: ChoiceWords, question: Question, account: Account, choice: TariffChoice
    ) -> list[str]:
        """Return what the present tariff cost, and why there is no other."""
        user_class = account.user_class
        if user_class != "residential":
            return [words.only(choice), words.say(user_class if user_class != "industrial" else "commercial")]
        parts = [words.only(choice), self.facts.say(*_HOME)]
        if words.matches("shared", question.text):
            parts.append(self._shared(session, words, question, account, choice))
        return [*parts, self._charging(words, question, self._mine(session, words, question, account))]

    def _mine(self, session: Session, words: ChoiceWords, question: Question, account: Account) -> str:
        """Return the step and price of the customer's next kWh, which charging at home would cost."""
        try:
            standing = tier_year(session, account=account, book=self.services.book, today=question.today)
        except NoPlanInForce:
            return ""
        if standing is None:
            return ""
        tier = self.services.labels.tiers[standing.tier]
        return words.say("mine", tier=tier, price=plain(standing.price))

    def _shared(
        self, session: Session, words: ChoiceWords, question: Question, account: Account, choice: TariffChoice
    ) -> str:
        """Return what a household asked about: its kWh at the price of a shared meter of its voltage."""
        last = choice.months[-1].month
        plans = self.services.book.plans(region=account.region, user_class=_SHARED, on=last)
        plan = next((one for one in plans if one.voltage == choice.current.plan.voltage), None)
        if plan is None:
            return ""
        return words.shared(choice, under_plan(self.services.book, account, choice.months, plan.code))

    def _charging(self, words: ChoiceWords, question: Question, mine: str) -> str:
        """Return the hours and prices of charging at home, if that is asked about."""
        if not words.matches("charging", question.text):
            return ""
        plan = TariffWords(self.services).plan(_CHARGING, None, question.today)
        if plan is None:
            return mine
        valley, sharp = (plain(price_of(plan, period)) for period in _HOURS)
        said = words.say("charging", valley=valley, sharp=sharp)
        return mine + said + self.facts.say("tou.charging_valid")

    def _buttons(self, words: ChoiceWords, choice: TariffChoice) -> list[tuple[str, str]]:
        human = (words.say("button.human"), "/request_human")
        if any(one.saving is None or one.saving > Decimal(0) for one in choice.others):
            return [(words.say("button.switch"), "/switch_tariff"), human]
        if not choice.others and choice.current.plan.user_class == "residential":
            return [(words.say("button.hours"), "/explain_tou"), human]
        return [(words.say("button.usage"), "/query_usage"), human]


ACTIONS: tuple[type[FactAction], ...] = (ActionCompareTariff,)
