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
TOLD_NO = "told_no"  # there, too: an account number that the customer typed and has not bound
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
        """Return the order with its transformer; an address that was corrected comes before the account.

        An account number that was typed and is not bound goes with the order. Its transformer counts for the crew
        alone: neither area class nor district of it may show in what is said.
        """
        told = _told_no(form, question, state)
        with form.services.workorder.reading() as workorder:
            place = _site(workorder, filing.account_no, filing.address)
            code = _code(workorder, place, told)
        details = {**filing.details, form.services.phrases.say("outage.told_no"): told} if told else filing.details
        return replace(
            filing, place_code=code, district=(place and place.district) or filing.district,
            area_class=(place and place.area_class) or filing.area_class, details=details,
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
        if place is not None and place.known:
            report(
                workorder, place, conversation_id=question.identity.conversation_id, account_no=order.account_no,
                now=question.now, order_no=order.order_no,
            )  # fmt: skip


def _site(session: Session, account_no: str | None, address: str | None) -> Place | None:
    """Return the place of an order; one that the network does not know may still tell its district and area class."""
    places = [
        locate(session, address_text=address) if address else None,
        locate(session, account_no=account_no) if account_no else None,
    ]
    found = [one for one in places if isinstance(one, Place)]
    known = [one for one in found if one.known]
    return next(iter(known or [one for one in found if one.district]), None)


def _told_no(form: ActionForm, question: Question, state: FormState) -> str:
    """Return the account number that was typed in the talk or the first message, unless it is the asker's own."""
    said = re.search(form.services.phrases.raw("outage.words.told_no"), state.opening)
    number = str(state.more.get(TOLD_NO) or (said[0] if said else ""))
    return "" if number in question.identity.accounts else number


def _code(session: Session, place: Place | None, told: str) -> str | None:
    """Return the transformer of the place; where the place leaves it open, that of the number that was typed."""
    if place is not None and place.code is not None:
        return place.code
    point = locate(session, account_no=told) if told else None
    code = point.code if isinstance(point, Place) else None
    fits = place is None or not place.known or code in place.codes
    return code if fits else None


HOOKS[REPAIR] = RepairHook()
HOOKS.update((key, SiteHook()) for key in FAULTS)
