"""Solar roofs: what one may yield and be worth, papers, steps and limits; settlement of what was fed in."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy.orm import Session

from actions.base import BusinessAction, Reply
from actions.energy_base import EnergyAction
from actions.labels import plain
from actions.question import Question
from actions.saving_words import whole
from core.account import view_account
from core.energy import Roof, area_in, kilowatts_in, roof_of, roof_worth
from core.saving_use import TooLittleUse, Worth, year_use
from core.tariff import NoPlanInForce
from core.usage import NoReading


class ActionAskSolar(EnergyAction):
    """Reckons a roof with stated assumptions and the own price, and tells papers, steps and limits."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_ask_solar"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        business = self.business(question)
        if business.key != "solar":
            return self.tell(session, question, business.key)
        facts, text = self.facts.solar, question.text
        area, kwp = area_in(text, facts), kilowatts_in(text, facts)
        roof = roof_of(facts, area_m2=area, kwp=kwp)
        named = area is not None or kwp is not None
        own = "\n".join([self._yield(roof, named), *self._worth(session, question, roof), self._end(named)]) + "\n"
        if question.intent == "inform" and named:
            return self.figures_reply("solar", own=own)
        prefill = {"area": plain(area)} if area is not None else None
        return self.tell(
            session, question, "solar", own=own, prefill=prefill, figures_first=named, gist=[self._yield(roof, named)]
        )

    def _yield(self, roof: Roof, named: bool) -> str:
        kwh = self._range(roof.kwh_low, roof.kwh_high)
        kwp = self._span(roof.kwp_low, roof.kwp_high)
        if roof.area_m2 is None:
            return self.say("energy.solar.panels", kwp=kwp, kwh=kwh)
        said = self.say("energy.solar.roof", area=plain(roof.area_m2), kwp=kwp, kwh=kwh)
        return said if named else self.say("energy.solar.example") + said

    def _worth(self, session: Session, question: Question, roof: Roof) -> list[str]:
        facts = self.facts.solar
        feed = plain(facts.feed_in.value)
        lines = [self._own(session, question, roof) or self._anonymous(question, feed)]
        return [*lines, self.say("energy.solar.warning", feed=feed)]

    def _own(self, session: Session, question: Question, roof: Roof) -> str | None:
        account = self.likely_account(session, question)
        if account is None:
            return None
        facts, services = self.facts.solar, self.services
        try:
            use = year_use(session, account=account, today=question.today)
            worth = Worth.of(services.book, account, use, today=question.today)
        except (TooLittleUse, NoReading, NoPlanInForce):
            return None
        found = roof_worth(roof, worth, account, facts)
        said = self.say(
            "energy.solar.own", account=view_account(account, keyring=services.keyring).masked_no,
            self_kwh=self._range(found.self_low, found.self_high), price=plain(found.price),
            feed=plain(found.feed_in), yuan=self._range(found.yuan_low, found.yuan_high),
        )  # fmt: skip
        doubt = self.say("saving.price_note") if worth.plan.status != "verified" else ""
        return said + doubt + (self.say("energy.solar.noon") if worth.plan.periods else "")

    def _anonymous(self, question: Question, feed: str) -> str:
        plan = self.services.book.plan(self.facts.home.general_plan, question.today)
        return self.say("energy.solar.other", price=plain(plan.tiers[0].price), feed=feed)

    def _end(self, named: bool) -> str:
        facts = self.facts.solar
        m2, yields = facts.kwp_per_m2, facts.kwh_per_kwp
        basis = self.say(
            "energy.solar.basis", m2=self._span(m2.low, m2.high), yield_kwh=self._span(yields.low, yields.high)
        )
        return basis if named else basis + self.say("energy.solar.ask")

    def _range(self, low: Decimal, high: Decimal) -> str:
        return self._span(Decimal(whole(low)), Decimal(whole(high)))

    def _span(self, low: Decimal, high: Decimal) -> str:
        if low == high:
            return plain(low)
        return self.say("energy.range", low=plain(low), high=plain(high))


ACTIONS: tuple[type[BusinessAction], ...] = (ActionAskSolar,)
