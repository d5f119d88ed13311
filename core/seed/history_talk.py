"""One conversation of the past from its first word to its last: what was said, understood, answered, and by whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from core.clock import SHANGHAI
from core.masking import mask_account_no
from core.seed.history_case import Way
from core.seed.history_data import FALLBACK, Material
from core.seed.history_days import Plan
from core.seed.history_desk import Desk
from core.seed.history_heard import Given, tell
from core.seed.history_log import CaseLog, TalkLog

CATEGORIES = {  # of the desk (data/desk/options.yaml), by what the customer wants; others are `no_matter`
    "query_bill": "bill", "explain_high_bill": "bill", "query_balance": "payment", "query_payment": "payment",
    "pay_bill": "payment", "report_payment_problem": "payment", "request_invoice": "invoice", "query_usage": "usage",
    "query_meter_reading": "usage", "apply_meter_check": "meter", "report_outage": "outage", "report_fault": "fault",
    "report_danger": "danger", "query_outage": "outage_info", "query_work_order": "order_progress",
    "urge_work_order": "order_progress", "explain_tier": "tariff", "explain_tou": "tariff", "explain_tariff": "tariff",
    "compare_tariff": "tariff", "advise_saving": "saving", "ask_charging_pile": "energy_service",
    "ask_solar": "energy_service", "ask_integrated_energy": "energy_service", "apply_new_supply": "new_supply",
    "apply_capacity": "new_supply", "apply_transfer": "transfer", "apply_closure": "transfer",
    "request_special_service": "special_service",
    "update_contact": "account", "bind_account": "account", "complain": "complaint",
    "claim_compensation": "compensation", "report_violation": "violation",
}  # fmt: skip
_ORDER_TAKES = timedelta(minutes=45)  # at least, until an order is over
_TROUBLE = ("report_outage", "report_fault", "report_danger")
_BY_RULE = {  # intent -> the reason for which a person is offered (data/desk/rules.yaml)
    "complain": "complaint", "claim_compensation": "high_risk", "report_violation": "high_risk",
    "apply_closure": "high_risk", "request_special_service": "special_service",
}  # fmt: skip


@dataclass
class Told:
    """What became of a plan: the log, its case if there is one, and the kind of order that came of it."""

    plan: Plan
    log: TalkLog
    case: CaseLog | None = None
    order: str | None = None
    filed_at: datetime | None = None
    wrong: list[int] = field(default_factory=list)
    news: list[Given] = field(default_factory=list)  # of the outage that was reported


class Teller:
    """Tells plans; the desk and the end of the history are shared by all."""

    def __init__(self, material: Material, desk: Desk, limit: datetime) -> None:
        self._material, self._desk, self._limit = material, desk, limit

    def tell(self, plan: Plan) -> Told:
        """Return the whole of a conversation."""
        person = plan.person
        told = Told(plan, TalkLog(
            plan.key, channel=plan.channel, customer_no=person.customer_no if person else None,
            accounts=person.accounts if person else [], at=plan.at,
        ))  # fmt: skip
        rng = plan.rng()
        fate, ordered = rng.random(), rng.random()
        told.order = self._order(plan, rng, ordered)
        self._begin(told, rng)
        if plan.topic == "report_danger":
            self._danger(told, rng)
            return told
        if plan.theme is not None:
            self._misunderstood(told, rng)
        else:
            self._understood(told, rng)
        if fate < self._share(plan):
            self._to_person(told, rng)
            self._filed_by_agent(told)
        else:
            self._filed_by_bot(told, rng)
            if plan.theme is None and rng.random() < 0.4:
                self._thanks(told, rng)
        self._back(told)
        return told

    # -- what is said to the bot

    def _begin(self, told: Told, rng: Random) -> None:
        words = self._material.words
        if rng.random() < 0.08:
            told.log.customer(self._material.question(rng, "greet"), self._sure(rng, "greet"))
            self._answers(told, rng, "greet")
            told.log.passes(rng.uniform(5, 30))
        if told.plan.again:
            low = {"intent": "query_work_order", "confidence": round(rng.uniform(0.42, 0.8), 4), "form": None}
            told.log.customer(rng.choice(words.customer.again), low)
            self._answers(told, rng, "query_work_order")
            told.log.passes(rng.uniform(10, 60))

    def _understood(self, told: Told, rng: Random) -> None:
        plan, topic, text = told.plan, told.plan.topic, told.plan.text
        for number in range(rng.choices((1, 2, 3), (62, 28, 10))[0]):
            if number:
                told.log.passes(rng.uniform(12, 120))
                topic = rng.choice([one for one in self._material.days.topics["person"] if one not in _TROUBLE])
                text = self._material.question(rng, topic)
            told.log.customer(text, self._sure(rng, topic))
            self._answers(told, rng, topic)
        if plan.dark is not None:
            told.log.passes(0.2)
            told.log.bot(self._material.words.suspected)

    def _misunderstood(self, told: Told, rng: Random) -> None:
        theme, words = told.plan.theme, self._material.words
        assert theme is not None
        worst = told.plan.weather.last and theme.key in self._material.days.yesterday.themes
        for number in range(rng.choices((1, 2, 3), (10, 50, 40) if worst else (40, 40, 20))[0]):
            text = told.plan.text
            if number:
                told.log.passes(rng.uniform(8, 80))
                others = [one for one in theme.messages if one != text]
                text = rng.choice(words.customer.rephrase) if rng.random() < 0.6 else rng.choice(others)
            often = 0.45 if not worst else 0.85 if number else 0.1  # the first is taken for what is near it
            lost = rng.random() < often
            heard = FALLBACK if lost else theme.heard[0] if worst or rng.random() < 0.7 else theme.heard[1]
            seq = told.log.customer(text, self._guess(rng, heard))
            if heard != theme.intent:
                told.wrong.append(seq)
            self._answers(told, rng, heard)

    def _danger(self, told: Told, rng: Random) -> None:
        safety, text = self._material.safety, told.plan.text
        danger = safety.detect(text)
        assert danger is not None  # drawn from those that it sees
        told.log.customer(text)
        told.log.system(safety.wording(danger, filed=True), "safety", answers=True)
        told.order, told.filed_at = "report_danger", told.log.now
        self._hand(told, rng, "danger")

    def _answers(self, told: Told, rng: Random, intent: str) -> None:
        words, home = self._material.words, told.plan.home
        told.log.passes(rng.uniform(0.3, 1.6))
        if intent == FALLBACK:
            told.log.bot(rng.choice(words.fallback))
            return
        bill = home.bill(told.log.now.astimezone(SHANGHAI).date()) if home else None
        if intent in words.known and bill is not None and home is not None:
            month = words.month.format(year=bill.month.year, month=bill.month.month)
            values = {"account": mask_account_no(home.account_no), "month": month}
            text = rng.choice(words.known[intent])
            told.log.bot(text.format(amount=bill.amount, kwh=f"{bill.kwh.normalize():f}", **values))
            return
        told.log.bot(rng.choice(words.answers[intent]))

    @staticmethod
    def _sure(rng: Random, intent: str) -> dict[str, Any]:
        low = rng.random() < 0.07
        sure = rng.uniform(0.45, 0.72) if low else 1 - 0.12 * rng.random() ** 3
        return {"intent": intent, "confidence": round(sure, 4), "form": None}

    @staticmethod
    def _guess(rng: Random, heard: str) -> dict[str, Any]:
        if heard == FALLBACK:
            return {"intent": heard, "confidence": round(rng.uniform(0.14, 0.39), 4), "failed": True, "form": None}
        return {"intent": heard, "confidence": round(rng.uniform(0.41, 0.69), 4), "form": None}

    def _thanks(self, told: Told, rng: Random) -> None:
        told.log.passes(rng.uniform(5, 60))
        told.log.customer(rng.choice(self._material.words.customer.thanks), self._sure(rng, "thank"))
        self._answers(told, rng, "thank")

    # -- to a person

    def _share(self, plan: Plan) -> float:
        """Return how likely this one comes to a person."""
        person, progress = self._material.days.person, plan.weather.progress
        if plan.theme is not None:
            if plan.weather.last and plan.theme.key in self._material.days.yesterday.themes:
                return person.yesterday
            share = person.first.misunderstood + (person.last.misunderstood - person.first.misunderstood) * progress
        elif plan.topic in _BY_RULE:
            share = 0.6
        else:
            share = person.first.understood + (person.last.understood - person.first.understood) * progress
        return share + (person.bad_week if plan.weather.bad else 0)

    def _to_person(self, told: Told, rng: Random) -> None:
        words, log = self._material.words.customer, told.log
        lost = [one for one in log.messages if (one["understood"] or {}).get("failed")]
        before = log.now + timedelta(seconds=rng.uniform(5, 60))
        if told.plan.theme is None and told.plan.topic in _BY_RULE:
            reason = _BY_RULE[told.plan.topic]
        elif len(lost) >= self._material.book.rules.failures["hand_over"]:
            reason = "failures"
            log.messages.pop()  # the third time the bot does not say again that it does not understand
        elif rng.random() < 0.02:
            reason = "system_failed"
        else:
            reason = "anger" if told.plan.theme and rng.random() < 0.12 else "asked"
        if reason in ("asked", "anger"):
            log.now = before
            log.customer(rng.choice(words.ask_person if reason == "asked" else words.angry))
        self._hand(told, rng, reason)

    def _hand(self, told: Told, rng: Random, reason: str) -> None:
        plan = told.plan
        category = plan.theme.category if plan.theme else CATEGORIES.get(plan.topic, "no_matter")
        way = Way(self._material, self._desk, self._limit, plan, told.log, rng)
        trouble = plan.theme is None and plan.topic in _TROUBLE
        told.case = way.go(reason, category=category, wrong=told.wrong, ordered=told.order is not None, trouble=trouble)

    # -- what comes of it

    def _order(self, plan: Plan, rng: Random, chance: float) -> str | None:
        """Return which kind of order comes of it; a customer whom nobody knows files none but a repair."""
        rule = self._material.days.orders.get(plan.topic)
        if rule is None or chance >= rule.share or plan.theme is not None:
            return None
        if plan.person is None and "repair" not in rule.kinds:
            return None
        return rng.choice(rule.kinds)

    def _filed_by_bot(self, told: Told, rng: Random) -> None:
        if told.order is not None:
            told.filed_at = told.log.passes(rng.uniform(20, 120))
            title = self._material.businesses.get(told.order).title
            told.log.bot(self._material.words.filed.format(title=title))

    def _filed_by_agent(self, told: Told) -> None:
        """Let who had the case have filed the order at its end; without an agent there is none."""
        row = told.case.row if told.case else {}
        if row.get("outcome") != "ordered" or row["ended_at"] > self._limit - _ORDER_TAKES:
            told.order = None
        else:
            told.filed_at = row["ended_at"] - timedelta(seconds=1)

    def _back(self, told: Told) -> None:
        """Tell who reported that the power had gone when it will be back, and that it is."""
        dark = told.plan.dark
        if dark is None:
            return
        material = self._material
        told.news = tell(
            told.log, dark, told.plan.at, news=material.news, share=material.days.news, limit=self._limit
        )  # fmt: skip
