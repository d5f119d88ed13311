"""What the actions on energy services share: the assumptions, the account that may be meant, facts and forms."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from sqlalchemy.orm import Session

from actions.base import BusinessAction, Reply
from actions.form import ActionForm
from actions.question import Question
from core.account import Account, find_account
from core.business import Business
from core.energy_data import EnergyFacts, energy_facts
from core.errors import BusinessError

_FOLLOWING = frozenset({"inform", "affirm", "deny"})
HOUSEHOLD = frozenset({"residential", "charging"})


class EnergyAction(BusinessAction):
    """An action that explains a service with the customer's own figures and offers to register the wish.

    A yes to its offer begins the form; the slot `offered` keeps of which business.
    """

    takes_yes_no = True

    @property
    def facts(self) -> EnergyFacts:
        """Return the stated assumptions."""
        return energy_facts()

    @cached_property
    def form(self) -> ActionForm:
        """Return the form that takes applications."""
        return ActionForm(self.services)

    def say(self, key: str, **values: object) -> str:
        """Return a phrase."""
        return self.services.phrases.say(key, **values)

    def start_payload(self, key: str) -> str:
        """Return the payload of a button that begins the form of a business."""
        return "/inform" + json.dumps({"start": key}, ensure_ascii=False)

    def wants(self, text: str) -> bool:
        """Tell whether a message asks for the service itself rather than about it."""
        raw = self.services.phrases.raw
        if re.search(raw("energy.strong_words"), text):
            return True
        return bool(re.search(raw("energy.wants_words"), text)) and not re.search(raw("energy.asks_words"), text)

    def business(self, question: Question) -> Business:
        """Return the row that the message means: by its words, by what was offered before, or the one without words."""
        rows = self.services.businesses.of_intent(self.name().removeprefix("action_"))
        fitting = [row for row in rows if row.fits(question.text)]
        if question.intent in _FOLLOWING:
            offered = question.slots.get("offered")
            fitting = fitting or [row for row in rows if row.key == offered]
        return (fitting or [row for row in rows if not row.words])[0]

    def tell(
        self, session: Session, question: Question, key: str, *, own: str = "",
        prefill: Mapping[str, str] | None = None, more: Sequence[tuple[str, str]] = (), figures_first: bool = False,
        gist: Sequence[str] = (),
    ) -> Reply:  # fmt: skip
        """Begin the form for whoever wants the service and may have it; for others tell what they ask about.

        `own` are the figures reckoned for this customer: told to whoever asks about money, or first of all; `gist` are
        the lines of them that the first short answer has.
        """
        if question.intent == "deny":
            return Reply("utter_cancel", slots={"asked": None, "offered": None})
        if question.intent == "affirm":
            return self.begin(session, question, key, asked_for=True)
        if self.may_start(question, key) and self.wants(question.text):
            return self.begin(session, question, key, prefill=prefill)
        if own and self._about_money(question, figures_first):
            return self.figures_reply(key, own=own, more=more)
        more = [*([self.facet("money")] if own else []), *more]
        if self._about_process(question):
            return self.facts_reply(key, more=more)
        return self.short_reply(key, gist, more=more)

    def figures_reply(
        self, key: str, *, own: str, cards: Sequence[dict[str, Any]] = (), more: Sequence[tuple[str, str]] = ()
    ) -> Reply:  # fmt: skip
        """Return the customer's own figures, with buttons to register and to see papers and steps."""
        end = self.say("energy.money_end")
        buttons = [self._register(key), self.facet("papers"), *more]
        return Reply("utter_energy_figures", {"own": own, "end": end}, buttons, cards, self._offered(key))

    def facts_reply(self, key: str, *, more: Sequence[tuple[str, str]] = ()) -> Reply:
        """Return papers, steps, limit, cost and notes of a service, with a button to register."""
        business = self.services.businesses.get(key)
        _about, _, facts = str(self.form.words.info(business, {}).values["facts"]).partition("\n")
        values = {"title": business.title, "facts": facts}
        return Reply("utter_energy_facts", values, [self._register(key), *more], slots=self._offered(key))

    def short_reply(self, key: str, gist: Sequence[str], *, more: Sequence[tuple[str, str]] = ()) -> Reply:
        """Return what a service is, its figures, time and cost in a few lines; the rest stands behind buttons."""
        business, raw = self.services.businesses.get(key), self.services.phrases.raw
        lines = [business.about, *gist]
        lines += [self.say("form.limit", limit=business.limit.text)] if business.limit else []
        lines += [self.say("form.fee", fee=business.fee)] if business.fee else []
        lines += [note for note in business.notes if re.search(raw("energy.must_words"), note)]
        doubt = self.say("form.unverified") if business.status == "unverified" else ""
        values = {"title": business.title, "facts": "\n".join(lines) + doubt}
        buttons = [self._register(key), self.facet("papers"), *more]
        return Reply("utter_energy_facts", values, buttons, slots=self._offered(key))

    def begin(
        self, session: Session, question: Question, key: str, *, lead: str = "",
        prefill: Mapping[str, str] | None = None, asked_for: bool = False,
    ) -> Reply:  # fmt: skip
        """Begin the form of a service, with the customer's own figures before its first question."""
        intro = lead + self.form.words.intro(self.services.businesses.get(key))
        begun = self.form.start(session, question, key, prefill=prefill, lead=intro, asked_for=asked_for)
        return replace(begun, slots={"offered": None, **begun.slots})

    def may_start(self, question: Question, key: str) -> bool:
        """Tell whether a form would not turn this customer away at once."""
        business = self.services.businesses.get(key)
        return question.identity.assurance >= 1 or (business.assurance == 0 and business.account != "required")

    def _about_money(self, question: Question, figures_first: bool) -> bool:
        chosen, raw = question.values("choice"), self.services.phrases.raw
        if chosen:
            return chosen[0] == "money"
        if re.search(raw("energy.money_words"), question.text):
            return True
        return figures_first and not self._about_process(question)

    def _about_process(self, question: Question) -> bool:
        """Tell whether papers and steps are asked for, by the button or in words."""
        if question.values("choice")[:1] == ["papers"]:
            return True
        return re.search(self.services.phrases.raw("energy.process_words"), question.text) is not None

    def _register(self, key: str) -> tuple[str, str]:
        business = self.services.businesses.get(key)
        kind = "check" if business.promise == "answer" else "lead" if business.lead else "apply"
        return self.say(f"energy.button.{kind}"), self.start_payload(key)

    def facet(self, name: str) -> tuple[str, str]:
        """Return the button for the other side of an answer: `money` or `papers`."""
        return self.say(f"energy.button.{name}"), "/inform" + json.dumps({"choice": name})

    def _offered(self, key: str) -> dict[str, Any]:
        return {"asked": self.name(), "offered": key}

    def likely_account(self, session: Session, question: Question) -> Account | None:
        """Return the account that is meant, or None where that is not clear: it is not worth a question here."""
        try:
            return self.account(session, question)
        except BusinessError:
            return None

    def own_accounts(self, session: Session, question: Question) -> list[Account]:
        """Return all accounts of the customer, none for somebody unknown."""
        if question.identity.assurance < 1:
            return []
        allowed = question.identity.accounts
        views = self._views(session, question)
        return [find_account(session, account_no=view.account_no, allowed=allowed) for view in views]

    def business_account(self, session: Session, question: Question) -> Account | None:
        """Return the account of a business that is meant, or the only one that the customer has."""
        account = self.likely_account(session, question)
        if account is None:
            others = [one for one in self.own_accounts(session, question) if one.user_class not in HOUSEHOLD]
            account = others[0] if len(others) == 1 else None
        return account if account and account.user_class not in HOUSEHOLD else None
