"""A change to what an account has already: the customer is told so with figures, and nothing is filed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from actions.base import Reply
from actions.form_hooks import HOOKS
from actions.question import Question
from actions.tariff_choice import ActionCompareTariff
from core.form import FormState
from core.tariff import NoPlanInForce

if TYPE_CHECKING:
    from actions.form import ActionForm
    from core.work_order import Filing, WorkOrder

CHARGING = "charging"


class HoursHook:
    """Looks before the first question whether the account has what is asked for."""

    def __init__(self, *, on: bool) -> None:
        self._on = on

    def steer(self, form: ActionForm, session: Session, question: Question, state: FormState) -> Reply | FormState:
        """See `Hook.steer`."""
        account = form.account_of(session, question, state) if state.account_no else None
        if account is None or account.user_class != CHARGING:
            return state
        try:
            plan = form.services.book.plan(account.plan_code, question.today)
        except NoPlanInForce:
            return state
        if bool(plan.periods) != self._on:
            return state
        chosen = {"entity": "account_no", "value": account.account_no}
        compared = ActionCompareTariff(form.services)
        said = compared.reply_to(session, replace(question, text="", entities=(chosen,)))
        lead = form.services.phrases.say(f"tariff_choice.{'already' if self._on else 'already_flat'}")
        return replace(said, values={"answer": lead + str(said.values["answer"])})

    def filing(
        self, _form: ActionForm, _session: Session, _question: Question, _state: FormState, filing: Filing
    ) -> Filing:
        """See `Hook.filing`."""
        return filing

    def filed(self, workorder: Session, question: Question, state: FormState, order: WorkOrder) -> None:
        """See `Hook.filed`."""


HOOKS.update({"charging_tou_on": HoursHook(on=True), "charging_tou_off": HoursHook(on=False)})
