"""Forms in the chat: one action for every row of the business table (data/business).

The slot `form` holds the state and what the channel needs to tell answers from other questions (bot/forms.py). Nothing
is written before the customer has confirmed it, and one form makes one order: its id is the order's cause.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from actions import codes, person
from actions.base import AccountUnclear, BusinessAction, Reply
from actions.form_base import ON_FILE, FormAction, laid_aside, open_form, said_of
from actions.form_filing import Filed, file_form, find_filed
from actions.form_hooks import ENTRIES, hook_of
from actions.question import Question
from core import form
from core.business import Business, Field
from core.errors import NotIdentified
from core.form import ACCOUNT, CHANGE, CODE, CONFIRM, OFFER, WHICH, FormState
from core.form_fields import Said, Unreadable

PATIENCE = 2
ANSWER = 12  # characters: an offer is taken up in fewer; more tell what it is about
REMARK = 40  # characters: a longer text tells something, it does not correct something
GO_ON = frozenset({"inform", "affirm", "deny"})


class ActionForm(FormAction):
    """Begins, continues, corrects, confirms and files the forms of all businesses."""

    takes_yes_no = True

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_form"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        started, state = question.values("start"), open_form(question)
        if started and started[0] in self.services.businesses:
            return self.start(session, question, started[0], asked_for=True)
        paused = question.slots.get("paused")
        if question.values("resume") and isinstance(paused, Mapping):
            return self.ask(session, question, FormState.parse(paused), slots={"paused": None})
        if state and question.intent in GO_ON:
            return self.go_on(session, question, state)
        rows = self.services.businesses.choose(question.intent, question.text)
        if not rows:
            return Reply("utter_what_for")
        if len(rows) > 1:
            return self.which(question, rows)
        return self.start(session, question, rows[0].key)

    def which(self, question: Question, rows: Sequence[Business], opening: str = "") -> Reply:
        """Ask which of several businesses is meant; what was said already is kept."""
        state = FormState.new(rows[0].key, opening=opening or question.text)
        state = replace(state, asking=WHICH, more={"rows": [row.key for row in rows]})
        return self.words.which(rows, laid_aside(question, None) | self.slots(state))

    def start(
        self, session: Session, question: Question, key: str, *, prefill: Mapping[str, str] | None = None,
        lead: str = "", asked_for: bool = False,
    ) -> Reply:  # fmt: skip
        """Begin a form with all that the message and the company's data tell already; a mere question gets facts.

        Raises:
            NotIdentified: if the business is about an account and nobody has proved who asks.
        """
        business = self.services.businesses.get(key)
        entry = None if asked_for and not question.values("start") else ENTRIES.get(key)
        if entry is not None and (answer := entry(self, session, question)) is not None:
            return answer
        # A question about another business leaves the form that is being filled in alone; beginning one lays it aside.
        aside, before = laid_aside(question, key), open_form(question)
        if business.unavailable:
            return replace(self.words.unavailable(business), slots={} if aside else self.closed())
        opening = (before.opening if asked_for and before else "") if asked_for else question.text
        state = FormState.new(key, opening=opening)
        if not asked_for and not prefill and self.words.only_asks(question.text):
            return self.words.info(business, {} if aside else self.slots(replace(state, asking=OFFER)))
        if question.identity.assurance < 1 and (business.assurance > 0 or business.account == "required"):
            raise NotIdentified
        for name, value in (prefill or {}).items():
            state = state.with_value(name, value)
        said = Said(opening) if asked_for else said_of(question)
        if said.text:
            state = form.take(business, state, said, today=question.today, opening=True)
        return self.advance(session, question, state, lead=lead or self.words.intro(business), slots=aside)

    def go_on(self, session: Session, question: Question, state: FormState) -> Reply:
        """Take the message as an answer to what was asked, or as a correction of something before."""
        business = self.services.businesses.get(state.business)
        if question.text.strip() == "/inform":
            return self.ask(session, question, state, lead=self.words.back(business))
        if state.asking in (OFFER, WHICH) and question.intent == "deny":
            return Reply("utter_cancel", slots=self.closed())
        if self.photo_beside(question, state, business):
            return self.ask(session, question, self.keeping(question, state), lead=self.words.photo_taken())
        if state.asking == OFFER:
            told = len(question.text) > ANSWER and not question.text.startswith("/")
            return self.start(session, question, state.business, asked_for=not told)
        if state.asking == WHICH:
            return self.chosen(session, question, state)
        if state.asking == CODE:
            return self.check_code(session, question, state)
        if state.asking in (CONFIRM, CHANGE):
            return self.confirmed(session, question, state, business)
        return self.answered(session, question, state, business)

    def chosen(self, session: Session, question: Question, state: FormState) -> Reply:
        """Read which business is meant: by its words, its title, or its place in the list."""
        rows = [self.services.businesses.get(key) for key in state.more["rows"]]
        fitting = self.words.meant(rows, question.text)
        if len(fitting) == 1:
            return self.start(session, question, fitting[0].key, asked_for=True)
        return self.which(question, fitting or rows, state.opening)

    def answered(self, session: Session, question: Question, state: FormState, business: Business) -> Reply:
        """Read the answer to the field that was asked."""
        said = said_of(question)
        if state.asking == ACCOUNT:
            return self.advance(session, question, state)
        one = business.field(str(state.asking))
        amended = self._amended(session, question, state) if len(said.text) <= REMARK else None
        if amended:
            return amended
        try:
            value = self.value(question, one, state, said)
        except Unreadable as problem:
            # Not what was asked, yet perhaps what is asked next (a telephone number instead of the address).
            more = form.take(business, state, said, today=question.today)
            more = form.sharper(business, more, said, today=question.today) or more
            if more.values != state.values:
                return self.advance(session, question, more)
            return self.again(session, question, state, one, problem.reason)
        state = replace(state.with_value(one.name, value), failures=0)
        return self.advance(session, question, form.take(business, state, said, today=question.today))

    def _amended(
        self, session: Session, question: Question, state: FormState, *, complete: bool = False
    ) -> Reply | None:  # fmt: skip
        """Return the reply to a correction of what was said before, None if the message is none."""
        business, said = self.services.businesses.get(state.business), said_of(question)
        account_no = self.other_account(session, question, state)
        if account_no:
            state = replace(state, account_no=account_no)
            lead = self.words.other_account(account_no)
            return self.advance(session, question, state, lead=lead)
        shown = self.shown(session, question, state)
        corrected, changed = form.correct(business, shown, said, today=question.today, complete=complete)
        for name in changed:
            state = state.with_value(name, corrected.values[name])
        lead = self.words.corrected(business, state, changed)
        return self.advance(session, question, state, lead=lead) if changed else None

    def again(self, session: Session, question: Question, state: FormState, one: Field, reason: str) -> Reply:
        """Ask once more, and say what was wrong; after some failures offer a way out."""
        state = replace(state, failures=state.failures + 1)
        business = self.services.businesses.get(state.business)
        facts = "" if reason == "too_long" else self.words.facts_asked(business, question.text)
        lead = f"{facts}\n{self.words.back(business)}" if facts else self.words.wrong(one, reason)
        return self.ask(session, question, state, lead=lead, ways_out=state.failures >= PATIENCE)

    def advance(
        self, session: Session, question: Question, state: FormState, *, lead: str = "",
        slots: Mapping[str, Any] | None = None,
    ) -> Reply:  # fmt: skip
        """Settle the account, let the business's own steps have their say, and ask what is missing."""
        business = self.services.businesses.get(state.business)
        try:
            state = self.with_account(session, question, business, state)
        except AccountUnclear:
            state = replace(state, asking=ACCOUNT)
            views = self._views(session, question)
            return self.words.which_account(views, lead, dict(slots or {}) | self.slots(state))
        state = self.from_file(session, question, business, state)
        hook = hook_of(business.key)
        if hook is not None:
            steered = hook.steer(self, session, question, state)
            if isinstance(steered, Reply):
                return replace(steered, slots=self.closed() | dict(slots or {}) | dict(steered.slots))
            state = steered
        missing = form.next_field(business, state)
        state = replace(state, asking=missing.name if missing else CONFIRM)
        return self.ask(session, question, state, lead=lead, slots=slots)

    def ask(
        self, session: Session, question: Question, state: FormState, *, lead: str = "", ways_out: bool = False,
        slots: Mapping[str, Any] | None = None,
    ) -> Reply:  # fmt: skip
        """Ask what `state.asking` names."""
        business, kept = self.services.businesses.get(state.business), dict(slots or {}) | self.slots(state)
        if state.asking == OFFER:
            return self.words.info(business, kept)
        if state.asking == WHICH:
            return self.words.which([self.services.businesses.get(key) for key in state.more["rows"]], kept)
        if state.asking == CONFIRM:
            return self.words.confirm(business, self.shown(session, question, state, masked=True), lead, kept)
        if state.asking == CODE:
            return self.words.code_again(lead, kept)
        if state.asking == CHANGE:
            return self.words.change(business, state, kept)
        if state.asking == ACCOUNT:
            return self.words.which_account(self._views(session, question), lead, kept)
        return self.words.field(business.field(str(state.asking)), lead, kept, ways_out=ways_out)

    # -- confirming

    def confirmed(self, session: Session, question: Question, state: FormState, business: Business) -> Reply:
        """Take yes, no, or a correction to the summary."""
        said = said_of(question)
        named = question.values("change")
        if named and named[0] in {one.name for one in form.wanted(business, state)}:
            state = replace(form.forget(state, named[0]), asking=named[0])
            return self.ask(session, question, state)
        yes = question.intent == "affirm" or said.choice == "yes" or self.words.means_yes(question.text)
        amended = self._amended(session, question, state, complete=not yes)
        if amended:
            return amended
        if yes and state.asking == CHANGE and not self.words.keeps(question.text):
            return self.ask(session, question, replace(state, asking=CONFIRM))
        if yes:
            return self.submit(session, question, state, business)
        one = form.named_field(business, state, question.text)
        if one is not None and one.default and self.on_file(question, state, one):
            return self.ask(session, question, replace(state.with_value(one.name, ON_FILE), asking=CONFIRM))
        if one is not None:
            return self.ask(session, question, replace(form.forget(state, one.name), asking=one.name))
        if question.intent == "deny" or said.choice == "no":
            return self.ask(session, question, replace(state, asking=CHANGE))
        facts = self.words.facts_asked(business, question.text)
        told = None if facts else form.added(business, state, said)
        lead = facts or self.words.say_added() if told or facts else self.words.wrong(None, "confirm")
        return self.ask(session, question, replace(told or state, asking=CONFIRM), lead=lead)

    def submit(self, session: Session, question: Question, state: FormState, business: Business) -> Reply:
        """File the order, after a one-time code if the business needs one."""
        about = state.account_no or next(iter(question.identity.accounts), "")
        if business.assurance == 2 and question.identity.assurance_for(about) < 2 and not state.verified:
            sent = codes.request_code(self.services, question, about)
            state = replace(state, asking=CODE)
            return self.words.code(sent, self.slots(state))
        return self.file(session, question, state, business)

    def check_code(self, session: Session, question: Question, state: FormState) -> Reply:
        """File the order if the code is right."""
        business = self.services.businesses.get(state.business)
        account_no = state.account_no or question.identity.accounts[0]
        if question.values("choice") == ["_resend"]:
            return self.words.code(codes.request_code(self.services, question, account_no), self.slots(state))
        checked = codes.check_code(self.services, question, account_no)
        if not checked.verified:
            return self.words.code_wrong(checked, self.slots(state))
        done = self.file(session, question, replace(state, verified=True), business)
        return replace(done, commands=[*done.commands, *checked.commands])

    def file(self, session: Session, question: Question, state: FormState, business: Business) -> Reply:
        """Write the order once and tell its number."""
        account = self.account_of(session, question, state)
        filed = file_form(self, session, question, business, self.shown(session, question, state), account)
        done = {"asked_at": question.asked_at, "form": state.id, "business": business.key}
        slots = self.closed() | {"submitted": done}
        return self.with_paused(question, self.over(business, filed, slots))

    def repeat(self, session: Session, question: Question) -> Reply | None:
        """Return the answer to a confirmation that was carried out already: its turn is being run again."""
        done = question.slots.get("submitted")
        if not isinstance(done, Mapping) or done.get("asked_at") != question.asked_at:
            return None
        business = self.services.businesses.get(str(done["business"]))
        filed = find_filed(self.services, business, str(done["form"]))
        return self.over(business, filed, {}) if filed else None

    def over(self, business: Business, filed: Filed, slots: Mapping[str, Any]) -> Reply:
        """Return that it is filed; where a person should look at it, one is offered at once."""
        reply = self.words.done(business, filed, slots)
        if not business.person:
            return reply
        return replace(reply, buttons=[*reply.buttons, person.button(self.services, business.person)])

    def with_paused(self, question: Question, reply: Reply) -> Reply:
        """Offer the form that another one interrupted."""
        paused = question.slots.get("paused")
        if not isinstance(paused, Mapping):
            return reply
        return replace(reply, buttons=[self.resuming(paused), *reply.buttons])


ACTIONS: tuple[type[BusinessAction], ...] = (ActionForm,)
