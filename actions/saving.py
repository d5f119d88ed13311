"""Advice on saving from the customer's own use, and the request of an energy audit."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy.orm import Session

from actions.base import BusinessAction, Reply
from actions.energy_base import EnergyAction
from actions.labels import money, plain
from actions.question import Question
from actions.saving_words import WithSavingWords
from core.account import Account, view_account
from core.bill import NoBill
from core.saving import Advice, advise, general_measures, is_essential
from core.saving_business import Checks, check_business
from core.saving_use import TooLittleUse
from core.tariff import NoPlanInForce
from core.usage import NoReading

AUDIT = "energy_audit"
# What the form need not ask: the kind of place, by the class of the account.
SITES = {"industrial": "factory", "commercial": "shop", "agricultural": "farm"}


class ActionAdviseSaving(WithSavingWords):
    """Tells what saves most, in yuan a year: from the own use where somebody is known, else in general."""

    takes_yes_no = False

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_advise_saving"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        appliances = question.values("appliance")
        if is_essential(self.facts.home, appliances):
            return self._essential(appliances)
        if question.identity.assurance < 1 or not question.identity.accounts:
            return self._general(question, appliances)
        account = self.account(session, question)
        if self._is_two_part(account, question):
            checks = _checks(self, session, question, account)
            if checks is not None:
                return self._business(question, account, checks)
        return self._own(session, question, account, appliances)

    def _own(self, session: Session, question: Question, account: Account, appliances: Sequence[str]) -> Reply:
        try:
            advice = advise(
                session, account=account, book=self.services.book, facts=self.facts.home, today=question.today,
                appliances=appliances,
            )  # fmt: skip
        except (TooLittleUse, NoReading, NoPlanInForce):
            return self._general(question, appliances, account)
        words, slots = self.words, self.remember(account)
        values = {"opening": self._opening(account, advice, appliances), "note": self._note(advice, appliances)}
        buttons = [(self.say("saving.button.usage"), "/query_usage"), self._second_button(account)]
        if not advice.measures:
            return Reply("utter_saving_none", values, buttons, slots=slots)
        values["measures"] = words.measures(advice.measures)
        return Reply("utter_saving_advice", values, buttons, [words.reckoning(advice.measures)], slots)

    def _opening(self, account: Account, advice: Advice, appliances: Sequence[str]) -> str:
        worth = advice.worth
        own = self.say(
            "saving.opening.own", account=view_account(account, keyring=self.services.keyring).masked_no,
            months=len(advice.use.months), total=plain(advice.use.total),
        )  # fmt: skip
        price, tier = plain(worth.top_price), self.services.labels.tiers[worth.tier]
        kind = "other" if worth.tier == 0 else "tier_first" if worth.tier == 1 else "tier_over"
        own += self.say(f"saving.opening.{kind}", price=price, tier=tier)
        if not advice.measures:
            return own + self.say("saving.opening.none_found")
        named = self.say("saving.list").join(appliances)
        if advice.named:
            return own + self.say("saving.opening.appliance", appliance=named)
        if appliances:
            key = "appliance_none" if self._knows(appliances) else "unknown_appliance"
            own += self.say(f"saving.opening.{key}", appliance=named, price=price)
        return own + self.say("saving.opening.none_named")

    def _note(self, advice: Advice, appliances: Sequence[str]) -> str:
        doubt = advice.worth.plan.status != "verified"
        notes = [self.say("saving.advice_note"), self.say("saving.price_note") if doubt else ""]
        if not appliances:
            notes.append(self.say("saving.general.formula_own"))
        return "".join(notes)

    def _second_button(self, account: Account) -> tuple[str, str]:
        """A household sees its tiers, a charging pile compares tariffs, a business may have an audit."""
        if account.user_class == "residential":
            return self.say("saving.button.tier"), "/explain_tier"
        if account.user_class == "charging":
            return self.say("saving.button.compare"), "/compare_tariff"
        return self.say("saving.button.audit"), self.start_payload(AUDIT)

    def _general(self, question: Question, appliances: Sequence[str], account: Account | None = None) -> Reply:
        home = self.facts.home
        measures = general_measures(self.services.book, home, today=question.today, appliances=appliances)
        price = plain(self.services.book.plan(home.general_plan, question.today).tiers[0].price)
        opening = [self.say("saving.opening.too_little")] if account else []
        if appliances and not self._knows(appliances):
            opening.append(self.say("saving.opening.unknown_appliance", appliance=appliances[0], price=price))
        opening.append(self.say("saving.general.opening", price=price))
        values = {
            "opening": "".join(opening), "measures": self.words.measures(measures),
            "note": self.say("saving.general.formula_own" if account else "saving.general.formula"),
        }  # fmt: skip
        buttons = [] if account else [(self.say("saving.button.login"), "/bind_account")]
        slots = self.remember(account) if account else {"asked": self.name()}
        return Reply("utter_saving_general", values, buttons, [self.words.reckoning(measures)], slots)

    def _essential(self, appliances: Sequence[str]) -> Reply:
        named = self.say("saving.list").join(appliances)
        buttons = [(self.say("saving.button.special"), "/request_special_service")]
        return Reply("utter_saving_essential", {"appliance": named}, buttons, slots={"asked": None})

    def _business(self, question: Question, account: Account, checks: Checks) -> Reply:
        findings = self.words.findings(checks)
        values = {
            "opening": _opening(self, "saving.business.opening", account, checks),
            "findings": self.words.lines(findings), "note": self._business_note(question, account),
        }  # fmt: skip
        buttons = [(self.say("saving.button.audit"), self.start_payload(AUDIT))]
        return Reply("utter_saving_business", values, buttons, [self.words.grounds(findings)], self.remember(account))

    def _business_note(self, question: Question, account: Account) -> str:
        plan = self.services.book.plan(account.plan_code, question.today)
        return self.say("saving.business.note") + (self.say("saving.price_note") if plan.status != "verified" else "")

    def _is_two_part(self, account: Account, question: Question) -> bool:
        try:
            return self.services.book.plan(account.plan_code, question.today).basic is not None
        except NoPlanInForce:
            return False

    def _knows(self, appliances: Sequence[str]) -> bool:
        return any(name in self.facts.home.appliances for name in appliances)


class ActionRequestEnergyAudit(WithSavingWords):
    """Shows what the bills tell already, lists what to prepare, and takes the request."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_request_energy_audit"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        account = self.business_account(session, question)
        checks = _checks(self, session, question, account) if account else None
        findings = self.words.findings(checks) if checks else []
        found = ""
        if account and checks and findings:
            opening = _opening(self, "saving.business.audit_opening", account, checks)
            found = f"{opening}\n{self.words.lines(findings)}\n"
        if question.intent in ("affirm", "deny") or question.values("choice"):
            return self.tell(session, question, AUDIT, own=found)
        if re.search(self.services.phrases.raw("energy.audit_asks_words"), question.text):
            return self.facts_reply(AUDIT, more=[self.facet("money")] if found else [])
        return self.begin(session, question, AUDIT, lead=found, prefill=self._known(question, account))

    def _known(self, question: Question, account: Account | None) -> dict[str, str]:
        """Return what the message and the account's class tell the form already."""
        known = {} if question.text.startswith("/") else {"concern": question.text}
        site = SITES.get(account.user_class) if account else None
        return known | ({"site": site} if site else {})


def _checks(action: EnergyAction, session: Session, question: Question, account: Account) -> Checks | None:
    try:
        return check_business(
            session, account=account, book=action.services.book, facts=action.facts.business, today=question.today
        )
    except (NoBill, NoPlanInForce):
        return None


def _opening(action: EnergyAction, key: str, account: Account, checks: Checks) -> str:
    number = view_account(account, keyring=action.services.keyring).masked_no
    return action.say(key, account=number, months=len(checks.bills), amount=money(checks.total))


ACTIONS: tuple[type[BusinessAction], ...] = (ActionAdviseSaving, ActionRequestEnergyAudit)
