"""Complaints, claims, reports of violations, suggestions, praise: a fitting word first, then the form of the row."""

from __future__ import annotations

import re
from dataclasses import replace

from sqlalchemy.orm import Session

from actions.base import BusinessAction, Reply
from actions.form import ActionForm
from actions.form_base import FormAction
from actions.form_hooks import HOOKS
from actions.question import Question
from actions.work_order import progress_if_asked
from core.business import Business
from core.form import FormState, wanted
from core.promise import CONTACT, Subject, record
from core.work_order import Filing, WorkOrder
from core.working_time import deadline

CONTACT_HOURS = 24  # a complaint: contact within 24 hours (供电服务十项承诺, item 9); the answer is in its row
COMPLAINT, KIND_FIELD, OTHER = "complaint", "kind", "other"
PRAISE, COMPLAIN = "praise", "complain"  # intents
ANONYMOUS = ("report_theft", "report_overcharge")


class ActionVoice(FormAction):
    """Takes down what customers have to say of the company and of others."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_voice"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        form = ActionForm(self.services)
        # Sarcasm and 师傅讲修好了 are easily read as praise: nobody is thanked for a grievance.
        blames = question.intent == PRAISE and re.search(self.services.phrases.raw("voice.blame_words"), question.text)
        intent = COMPLAIN if blames else question.intent
        progress = progress_if_asked(self.services, session, question)
        if progress is not None:
            return progress
        rows = self.services.businesses.choose(intent, question.text)
        if not rows:
            return Reply("utter_what_for")
        if len(rows) > 1:
            return self._with_regulator(question, self.words.which(rows, slots={"asked": form.name()}))
        row = rows[0]
        said = form.start(session, question, row.key, lead=self._lead(row, question.text))
        return self._with_regulator(question, said)

    def _lead(self, row: Business, text: str) -> str:
        limit = row.limit.text if row.limit else ""
        if row.key != COMPLAINT:
            return self.services.phrases.say(f"voice.{row.key}", limit=limit)
        options = row.field(KIND_FIELD).options
        kind = next((one.value for one in options if any(re.search(word, text) for word in one.words)), OTHER)
        apology = self.services.phrases.say(f"voice.apology.{kind}")
        return self.services.phrases.say("voice.complaint", apology=apology, limit=limit)

    def _with_regulator(self, question: Question, reply: Reply) -> Reply:
        """Return the reply with the regulator's number in it, if the customer asks for the regulator."""
        if not re.search(self.services.phrases.raw("voice.regulator_words"), question.text):
            return reply
        told = self.services.phrases.say("voice.regulator")
        for value in ("lead", "facts"):
            if value in reply.values:
                return replace(reply, values={**reply.values, value: f"{told}\n{reply.values[value]}"})
        return replace(reply, response="utter_voice_which", values={"regulator": told})


class _Steps:
    """A business that only adds to its order; see `Hook`."""

    def steer(self, _form: ActionForm, _session: Session, _question: Question, state: FormState) -> Reply | FormState:
        """See `Hook.steer`."""
        return state

    def filing(
        self, _form: ActionForm, _session: Session, _question: Question, _state: FormState, filing: Filing
    ) -> Filing:
        """See `Hook.filing`."""
        return filing

    def filed(self, workorder: Session, question: Question, state: FormState, order: WorkOrder) -> None:
        """See `Hook.filed`."""


class Complaint(_Steps):
    """A complaint: besides the answer that its row promises, somebody gets in touch within a day."""

    def filing(
        self, form: ActionForm, _session: Session, _question: Question, state: FormState, filing: Filing
    ) -> Filing:
        """See `Hook.filing`; an address on file is no detail of a complaint that is about no place."""
        row = form.services.businesses.get(state.business)
        labels = {one.label for one in wanted(row, state)}
        details = {label: value for label, value in filing.details.items() if label in labels}
        return replace(filing, details=details)

    def filed(self, workorder: Session, question: Question, _state: FormState, order: WorkOrder) -> None:
        """See `Hook.filed`."""
        due = deadline(question.now, CONTACT_HOURS, "hours").at
        record(workorder, Subject("order", order.id), CONTACT, due, now=question.now)


class Anonymous(_Steps):
    """A report of a violation: of who reports, the order holds only what they chose to leave."""

    def filing(
        self, _form: ActionForm, _session: Session, _question: Question, state: FormState, filing: Filing
    ) -> Filing:
        """See `Hook.filing`."""
        return replace(filing, customer_no=None, account_no=None, contact=state.values.get("phone") or None)


HOOKS.update({COMPLAINT: Complaint()} | {key: Anonymous() for key in ANONYMOUS})

ACTIONS: tuple[type[BusinessAction], ...] = (ActionVoice,)
