"""What repair orders know besides their form: the transformer, and the report that they belong to."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from actions.base import Reply
from actions.form_hooks import HOOKS
from actions.question import Question
from core.form import FormState
from core.outage_report import report
from core.place import Place, locate

if TYPE_CHECKING:
    from actions.form import ActionForm
    from core.work_order import Filing, WorkOrder

CHECKED = "checked"  # in the memory of a repair form: the known outage and the own switch were looked at
REPAIR = "repair"
FAULTS = (
    "fault_phase", "fault_trip", "fault_meter", "fault_box", "fault_noise", "fault_flicker", "fault_voltage",
    "fault_other", "reconnection",
)  # fmt: skip


class SiteHook:
    """Finds where in the network an order belongs."""

    def steer(self, form: ActionForm, session: Session, question: Question, state: FormState) -> Reply | FormState:
        """See `Hook.steer`."""
        return state

    def filing(
        self, form: ActionForm, session: Session, question: Question, state: FormState, filing: Filing
    ) -> Filing:
        """Return the order with its transformer; an address that was corrected comes before the account."""
        with form.services.workorder.reading() as workorder:
            place = _site(workorder, filing.account_no, filing.address)
        if place is None:
            return filing
        return replace(
            filing, place_code=place.code, district=place.district or filing.district,
            area_class=place.area_class or filing.area_class,
        )  # fmt: skip

    def filed(self, workorder: Session, question: Question, state: FormState, order: WorkOrder) -> None:
        """See `Hook.filed`."""


class RepairHook(SiteHook):
    """Puts the known outage and the own switch before a repair order, and the report behind it."""

    def steer(self, form: ActionForm, session: Session, question: Question, state: FormState) -> Reply | FormState:
        """Send whoever comes by another way than the report of an outage there first."""
        if state.more.get(CHECKED):
            return state
        reporting = import_module("actions.outage").ActionReportOutage(form.services)
        reply: Reply = reporting.go_on(session, question, reporting.begin(question))
        return reply

    def filing(
        self, form: ActionForm, session: Session, question: Question, state: FormState, filing: Filing
    ) -> Filing:
        """Make the order urgent where somebody lives by an appliance (reference: 居家医疗设备)."""
        filing = super().filing(form, session, question, state, filing)
        medical = re.search(form.services.phrases.raw("outage.words.medical"), state.opening)
        return replace(filing, priority="urgent") if medical else filing

    def filed(self, workorder: Session, question: Question, state: FormState, order: WorkOrder) -> None:
        """Note at the report that an order was filed for it."""
        place = _site(workorder, order.account_no, state.values.get("address"))
        if place is not None:
            report(
                workorder, place, conversation_id=question.identity.conversation_id, account_no=order.account_no,
                now=question.now, order_no=order.order_no,
            )  # fmt: skip


def _site(session: Session, account_no: str | None, address: str | None) -> Place | None:
    """Return the place of an order, None if the network does not know it or it may be one of several."""
    for found in (
        locate(session, address_text=address) if address else None,
        locate(session, account_no=account_no) if account_no else None,
    ):
        if isinstance(found, Place) and found.known:
            return found
    return None


HOOKS[REPAIR] = RepairHook()
HOOKS.update((key, SiteHook()) for key in FAULTS)
