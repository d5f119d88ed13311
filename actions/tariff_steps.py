"""How the steps (阶梯) and the rates by hour (峰谷) work, and where this customer stands in them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from sqlalchemy.orm import Session

from actions.base import BusinessAction, Reply
from actions.fact_action import give
from actions.labels import plain
from actions.question import Question
from actions.tariff import BUSINESS, ActionExplainTariff
from actions.tariff_words import TariffWords
from core.account import Account
from core.masking import mask_account_no
from core.tariff import NoPlanInForce, Plan
from core.tier_year import TierYear, counts_earlier, tier_year


class ActionExplainTier(ActionExplainTariff):
    """Tells bounds and prices of the steps, and where the customer stands this year."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_explain_tier"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        account = self.known_account(session, question)
        if self.asks_elsewhere(question):
            return self.elsewhere(account)
        found = self.facts.matching("tier", question.text)[:1]
        standing = self._year(session, question, account)
        words = TariffWords(self.services)
        plan = standing.plan if standing else words.plan("residential", None, question.today)
        if plan is None:
            return self._reply(account, [self.facts.say(*found)], [self._human()])
        now = self._standing(question, standing) if standing else self._not_tiered(words, account, question)
        bounds = standing.bounds if standing else _bounds(plan)
        rule = self._rule(plan, bounds)
        fact = self.facts.say(*found) if found else ""
        parts = [fact, now or rule] if fact else [now, rule]
        parts.append(words.doubt(plan))
        buttons = self._next(session, question, account, standing, parts)
        return self._reply(account, parts, buttons, [words.tier_card(plan, bounds)])

    def _year(self, session: Session, question: Question, account: Account | None) -> TierYear | None:
        if account is None:
            return None
        try:
            if counts_earlier(session, account=account, today=question.today):
                return None
            return tier_year(session, account=account, book=self.services.book, today=question.today)
        except NoPlanInForce:
            return None

    def _standing(self, question: Question, year: TierYear) -> str:
        """Return the kWh of the year, the step, what is left in it and when the next begins."""
        labels, words, today = self.services.labels, TariffWords(self.services), question.today
        parts = [
            self._say(
                "tier.standing", as_of=labels.of_day(year.as_of, today), kwh=plain(year.kwh),
                tier=labels.tiers[year.tier], price=words.yuan(year.price),
            )
        ]  # fmt: skip
        if year.left is None or year.next_price is None:
            return parts[0] + self._say("tier.last")
        next_tier = labels.tiers[year.tier + 1]
        parts.append(
            self._say("tier.left", left=plain(year.left), next_tier=next_tier, next_price=words.yuan(year.next_price))
        )
        if year.next_on is not None:
            day, left = labels.of_day(year.next_on, today), year.days_left(today)
            parts.append(self._say("tier.next_on", next_on=day, next_tier=next_tier, days=left))
        elif year.daily_kwh is not None:
            parts.append(self._say("tier.not_this_year"))
        return "".join(parts)

    def _not_tiered(self, words: TariffWords, account: Account | None, question: Question) -> str:
        if account is None:
            return ""
        try:
            plan = self.services.book.plan(account.plan_code, question.today)
        except NoPlanInForce:
            return ""
        if plan.tiered:
            return ""
        name = words.name(account.user_class)
        return self._say("tier.not_tiered", account=mask_account_no(account.account_no), name=name)

    def _rule(self, plan: Plan, bounds: Sequence[Decimal]) -> str:
        words = TariffWords(self.services)
        prices = {f"price{number}": words.yuan(tier.price) for number, tier in enumerate(plan.tiers, 1)}
        said = self._say("tier.bounds", first=plain(bounds[0]), second=plain(bounds[1]), **prices)
        return said + (self._say("tier.bounds_own") if list(bounds) != _bounds(plan) else "")

    def _next(
        self, session: Session, question: Question, account: Account | None, year: TierYear | None, parts: list[str]
    ) -> list[tuple[str, str]]:
        """Return what may follow; who is unknown, or has several accounts, is told how to see their own standing."""
        if account is not None:
            others = self.other_accounts(session, question, account)
            advice = [(self._say("button.saving"), "/advise_saving")] if year else []
            return [*advice, *self._bill_buttons(account), *others]
        if self.identified(question):
            parts.append(self._say("tier.which"))
            return self.account_buttons(session, question)
        parts.append(self._say("tier.login"))
        return [(self._say("button.login"), "/bind_account")]


class ActionExplainTou(ActionExplainTariff):
    """Tells the hours and prices of the rates, and who may have them."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_explain_tou"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        account = self.known_account(session, question)
        if self.asks_elsewhere(question):
            return self.elsewhere(account)
        user_class = self.class_of(question, account)
        found = self.facts.matching("tou", question.text)[:1]
        if user_class == "agricultural":
            return self._reply(account, [self.facts.say("tou.farm")], [self._human()])
        if user_class == "charging":
            return self._charging(question, account, found)
        if user_class in BUSINESS or (user_class is None and found and found != ["tou.meter"]):
            return self._business(question, account, user_class or "commercial", found)
        return self._home(question, account, found)

    def _home(self, question: Question, account: Account | None, found: Sequence[str]) -> Reply:
        """Say that homes have steps and no hours, and what a charging pile may have."""
        words = TariffWords(self.services)
        wanted = self._is_about("hours", question) or self._is_about("class.charging", question)
        charging = words.plan("charging", None, question.today) if wanted else None
        hint = self._say("tou.residential_hint", periods=words.periods(charging)) if charging else ""
        doubts = ["tou.charging_valid", "tou.home_doubt"] if charging else ["tou.home_doubt"]
        parts = [self.facts.say("tou.home"), hint, self.facts.say(*found) if found else "", self.facts.say(*doubts)]
        buttons = [(self._say(f"button.tou_{name}"), give("tariff_class", name)) for name in ("charging", "commercial")]
        return self._reply(account, parts, [*buttons, *self._switch(account)])

    def _charging(self, question: Question, account: Account | None, found: Sequence[str]) -> Reply:
        words = TariffWords(self.services)
        plan = words.plan("charging", account, question.today)
        if plan is None or not plan.periods:
            return self._reply(account, [self.facts.say("tou.charging_terms", "tou.charging_valid")], [self._human()])
        terms = self.facts.say(*found) if found else self.facts.say("tou.charging_terms")
        parts = [words.hours(plan, question.now), words.now(plan, question.now), terms]
        parts.append(self.facts.say("tou.charging_valid"))
        return self._reply(account, parts, self._switch(account), [words.hours_card(plan)])

    def _business(self, question: Question, account: Account | None, user_class: str, found: Sequence[str]) -> Reply:
        words = TariffWords(self.services)
        plan, own = words.plan(user_class, account, question.today), ""
        if plan is not None and not plan.periods:
            own = self._say("tou.flat_own", name=words.title(plan))
            plan = words.plan(user_class, None, question.today)
        if plan is None:
            return self._reply(account, [self.facts.say("tou.must")], [self._human()])
        if account is not None and account.plan_code == plan.code:
            own = self._say("tou.own", account=mask_account_no(account.account_no))
        fact = self.facts.say(*found) if found else ""
        # The deep valley, Sundays, who must: what was asked comes before the table of hours.
        parts = [
            fact,
            words.hours(plan, question.now),
            words.now(plan, question.now) + own,
            words.doubt(plan, question.today),
        ]
        compare = [(self._say("button.compare"), "/compare_tariff")] if account else []
        return self._reply(account, parts, compare, [words.hours_card(plan)])

    def _switch(self, account: Account | None) -> list[tuple[str, str]]:
        return [(self._say("button.switch"), "/switch_tariff")] if account and account.user_class == "charging" else []


def _bounds(plan: Plan) -> list[Decimal]:
    return [tier.upper for tier in plan.tiers if tier.upper is not None]


ACTIONS: tuple[type[BusinessAction], ...] = (ActionExplainTier, ActionExplainTou)
