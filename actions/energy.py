"""Charging piles, integrated energy and finance: facts, own figures, and a wish that is registered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from sqlalchemy.orm import Session

from actions.base import BusinessAction, Reply
from actions.energy_base import EnergyAction
from actions.labels import money, plain
from actions.question import Question
from actions.saving_words import whole
from core.account import Account, view_account
from core.energy import PileYear, StorageCycle, pile_year, storage_seasons
from core.payment import Balance, balance_of
from core.saving_use import TooLittleUse, year_use
from core.tariff import PERIODS, NoPlanInForce, Period, Plan
from core.usage import NoReading

HUNDRED = Decimal(100)


class ActionAskChargingPile(EnergyAction):
    """Tells prices, papers, steps and limits of an own pile, compares for those who have one, takes the order."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_ask_charging_pile"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        compared = self._compared(session, question)
        own = "\n".join([*self._prices(question.today), *compared]) + "\n"
        more = [(self.say("energy.button.compare"), "/compare_tariff")] if compared else []
        gist = compared or [self._price(question.today)]
        return self.tell(session, question, self.business(question).key, own=own, more=more, gist=gist)

    def _price(self, today: date) -> str:
        """Return the one price and that of the night."""
        book = self.services.book
        tou = book.plan(self.facts.business.pile_plan, today)
        flat, hours = book.plan(str(tou.without_tou), today), self._hours(tou, "valley")
        night = plain(tou.prices["valley"])
        return self.say("energy.pile.short", price=plain(flat.prices["flat"]), hours=hours, night=night)

    def _prices(self, today: date) -> list[str]:
        book = self.services.book
        tou = book.plan(self.facts.business.pile_plan, today)
        flat = book.plan(str(tou.without_tou), today)
        parts = [
            self.say("energy.pile.part", period=self.services.labels.periods[period], price=plain(tou.prices[period]),
                     hours=self._hours(tou, period))
            for period in PERIODS
        ]  # fmt: skip
        lines = [
            self.say("energy.pile.flat", price=plain(flat.prices["flat"])),
            self.say("energy.pile.tou", prices=self.say("energy.join").join(parts)),
        ]
        return [*lines, self.say("energy.pile.doubt")] if tou.status != "verified" else lines

    def _hours(self, plan: Plan, period: Period) -> str:
        windows = [window for window in plan.periods if window.period == period]
        return self.say("energy.list").join(
            self.say("energy.pile.window", start=self._hour(one.start), end=self._hour(one.end, after=one.start))
            for one in windows
        )

    def _hour(self, minute: int, after: int = 0) -> str:
        kind = "next_hour" if minute < after else "minute" if minute % 60 else "hour"
        return self.say(f"energy.pile.{kind}", hour=minute // 60, minute=minute % 60)

    def _compared(self, session: Session, question: Question) -> list[str]:
        """Return what the hours saved on each charging account that the customer has."""
        piles = [one for one in self.own_accounts(session, question) if one.user_class == "charging"]
        return [said for account in piles if (said := self._own_year(session, question, account))]

    def _own_year(self, session: Session, question: Question, account: Account) -> str | None:
        try:
            use = year_use(session, account=account, today=question.today)
            found: PileYear | None = pile_year(self.services.book, account, use)
        except (TooLittleUse, NoReading, NoPlanInForce):
            return None
        if found is None:
            return None
        return self.say(
            f"energy.pile.{'own_saves' if found.saving >= 0 else 'own_costs'}", months=found.months,
            account=view_account(account, keyring=self.services.keyring).masked_no, kwh=plain(found.kwh),
            valley=self.say("saving.percent", value=whole(found.valley_share * HUNDRED)), tou=money(found.tou),
            flat=money(found.flat), saving=money(abs(found.saving)),
        )  # fmt: skip


class ActionAskIntegratedEnergy(EnergyAction):
    """Explains storage, heat, green power, microgrids and managed operation; a manager calls back."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_ask_integrated_energy"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        business = self.business(question)
        own = ""
        if business.key == "storage":
            own = self._at_home(session, question) or self._storage(session, question)
        return self.tell(session, question, business.key, own=own, figures_first=True)

    def _at_home(self, session: Session, question: Question) -> str:
        """Return that a household has no difference of prices to live on; nothing for others."""
        account = self.likely_account(session, question)
        said = re.search(self.services.phrases.raw("energy.storage.home_words"), question.text)
        home = said or (account and account.user_class == "residential")
        return self.say("energy.storage.home") + "\n" if home else ""

    def _own_cycles(self, question: Question, account: Account) -> list[StorageCycle]:
        book, facts = self.services.book, self.facts.business
        try:
            return storage_seasons(book, account.plan_code, facts, today=question.today)
        except NoPlanInForce:
            return []

    def _storage(self, session: Session, question: Question) -> str:
        """Return what a cycle earns at the own prices, or at those of the example plan."""
        services, facts = self.services, self.facts.business
        account = self.business_account(session, question)
        cycles = self._own_cycles(question, account) if account else []
        if account and cycles:
            opening = self.say(
                "energy.storage.opening_own", account=view_account(account, keyring=services.keyring).masked_no
            )
        else:
            cycles = storage_seasons(services.book, facts.storage_plan, facts, today=question.today)
            opening = self.say("energy.storage.opening")
        lines = [
            self.say("energy.storage.cycle", month=services.labels.of_month(one.month), sharp=money(one.sharp),
                     peak=money(one.peak))
            for one in cycles
        ]  # fmt: skip
        note = self.say("energy.storage.note", efficiency=plain(facts.storage_efficiency.value * HUNDRED))
        return "\n".join([opening, *lines, note + self.say("saving.price_note")]) + "\n"


class ActionAskFinance(EnergyAction):
    """Explains instalments, credit and insurance without promising any of them, and registers the wish."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_ask_finance"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        business = self.business(question)
        if business.key != "instalment":
            return self.tell(session, question, business.key)
        standing = self._standing(session, question)
        own = "\n".join([standing + business.about, *business.notes, ""]) if standing else ""
        owing = standing and standing != self.say("energy.finance.clear") + "\n"
        more = [(self.say("energy.button.large"), "/query_balance")] if owing else []
        return self.tell(session, question, business.key, own=own, more=more, figures_first=True)

    def _standing(self, session: Session, question: Question) -> str:
        """Return what is owed on all accounts of the customer; nothing for somebody unknown."""
        accounts = self.own_accounts(session, question)
        if not accounts:
            return ""
        balances = [self._balance(session, question, account) for account in accounts]
        open_ones = [one for one in balances if one.owed]
        if not open_ones:
            return self.say("energy.finance.clear") + "\n"
        months = [bill.month for one in open_ones for bill in one.unpaid]
        oldest = self.services.labels.of_month(min(months)) if months else None
        owed, late = _total([one.owed for one in open_ones]), _total([one.late_fee for one in open_ones])
        said = self._owed(len(open_ones), money(owed), oldest)
        return said + (self.say("energy.finance.late", late=money(late)) if late else "") + "\n"

    def _owed(self, count: int, owed: str, oldest: str | None) -> str:
        if oldest is None:
            return self.say("energy.finance.owed_plain", owed=owed)
        key = "owed_one" if count == 1 else "owed"
        return self.say(f"energy.finance.{key}", count=count, owed=owed, month=oldest)

    def _balance(self, session: Session, question: Question, account: Account) -> Balance:
        personal = account.customer.kind == "person"
        return balance_of(session, account=account, today=question.today, residential=personal)


def _total(amounts: Sequence[Decimal]) -> Decimal:
    return sum(amounts, Decimal("0.00"))


ACTIONS: tuple[type[BusinessAction], ...] = (
    ActionAskChargingPile, ActionAskIntegratedEnergy, ActionAskFinance,
)  # fmt: skip
