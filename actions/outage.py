"""A report that there is no power: the known outage first, then arrears, then the own switch, and the order last."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy.orm import Session

from actions.base import BusinessAction, Reply
from actions.form import ActionForm
from actions.form_words import choice
from actions.outage_answers import HOUSEHOLD, SCOPES
from actions.outage_hooks import CHECKED, TOLD_NO
from actions.outage_place import PlaceFinder, Where
from actions.outage_talk import (
    AGAINS,
    ANSWERS,
    FOUND,
    OutageAction,
    Talk,
    asks_again,
    typed,
)
from actions.question import Question
from core.account import as_of, find_account
from core.form import FormState, take
from core.form_fields import Said
from core.outage_control import has_order
from core.outage_report import report, withdraw
from core.place import Place
from core.reconnection import Shortfall, shortfall_of


class ActionReportOutage(OutageAction):
    """Takes a report that there is no power: what is known already comes before an order."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_report_outage"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        raw = question.slots.get("form")
        talk = Talk.parse(raw) if isinstance(raw, Mapping) and raw.get("action") == self.name() else None
        if talk and (asks_again(question) or question.values("upload")):
            return self.back(session, question, talk, self.photo_lead(question))
        if talk is None and (question.intent == "inform" or self._part(question)):
            talk = Talk.parse(question.slots.get("outage_talk"))
        return self.with_paused(question, self.go_on(session, question, talk or self.begin(question)))

    def begin(self, question: Question) -> Talk:
        """Return a new talk."""
        return Talk(opening=typed(question))

    def go_on(self, session: Session, question: Question, talk: Talk) -> Reply:
        """Take the answer, find the place, and do what comes next."""
        if talk.step not in ("", "push") and self.answers.is_back(typed(question)):
            return self.power_is_back(question)
        question = self.pointed(session, question, talk)
        heard = self._heard(session, question, talk)
        if isinstance(heard, Reply):
            return heard
        talk, answer = heard
        with self.services.workorder.transaction() as workorder:
            where = self._place(session, workorder, question, talk)
            if where.place is None or where.ask:
                return self.ask_where(session, question, where, talk)
            address = "" if where.account_no else where.place.text
            misses = 0 if answer or talk.step == "where" else talk.misses
            talk = replace(talk, account_no=where.account_no, address=address, misses=misses, area=where.place.area)
            if not talk.looked:
                known = self._look(workorder, question, talk, where.place)
                if isinstance(known, Reply):
                    return self._by_point(known, question) if where.pinned else known
                lead, wide = known
                talk = replace(talk, looked=True, scope=talk.scope or wide)
            else:
                lead = ""
                if answer == "holds":
                    withdraw(workorder, question.identity.conversation_id)
        reply = self.next(session, question, talk, where.place, answer, lead)
        return self._by_point(reply, question) if where.pinned else reply

    def _by_point(self, reply: Reply, question: Question) -> Reply:
        """Name the point on the map that was taken for the place, so that it can be corrected."""
        part = "said" if "said" in reply.values else "lead"
        named = self.words.say("pinned", place=question.pinned)
        return replace(reply, values={**reply.values, part: f"{named}\n{reply.values.get(part, '')}"})

    def next(self, session: Session, question: Question, talk: Talk, place: Place, answer: str, lead: str) -> Reply:
        """Return the next question, an end, or the order."""
        step, words = talk.step, self.words
        if step in ("scope", "told", "") and answer in SCOPES:
            talk = replace(talk, scope=answer)
        ended = self._ended(question, talk, answer)
        if ended is not None:
            return ended
        if step in ("arrears", "property") and answer:
            talk = replace(talk, settled=True)
        if step in ("check", "push") and answer in FOUND:
            talk = replace(talk, found=answer)
        if step in ANSWERS and not answer and step not in ("told", ""):
            return self.missed(talk, question)
        short = self._arrears(session, question, talk)
        if short is not None:
            with self.services.workorder.transaction() as workorder:
                withdraw(workorder, question.identity.conversation_id)
            said = words.arrears(short, as_of(session, "payments"))
            return self.ask(replace(talk, step="arrears"), question, said, alone=True)
        if not talk.scope:
            return self._ask_scope(talk, question, place)
        if talk.scope == HOUSEHOLD:
            return self._household(session, question, talk, place, answer)
        if place.owner == "property" and not talk.settled:
            return self.ask(replace(talk, step="property"), question, words.say("property.say"), alone=True)
        return self.order(session, question, talk, lead or words.say("order.household"))

    def order(self, session: Session, question: Question, talk: Talk, lead: str) -> Reply:
        """Go over to the form of the repair order, with all that is known by now."""
        lead = "\n".join((*self.aid(talk.opening), lead))
        values = {"scope": talk.scope} | ({"found": talk.found} if talk.found else {})
        values |= {name: told for name, told in (("address", talk.address), ("phone", talk.phone)) if told}
        state = replace(
            FormState.new("repair", opening=talk.opening), account_no=talk.account_no, values=values,
            more={CHECKED: True, TOLD_NO: talk.told_no},
        )  # fmt: skip
        row = self.services.businesses.get("repair")
        opening = re.sub(self.words.raw("words.told_no"), " ", talk.opening)  # its digits are no telephone number
        state = take(row, state, Said(opening), today=question.today)
        reply = ActionForm(self.services).advance(session, question, state, lead=lead)
        return replace(reply, slots={**reply.slots, "outage_talk": None})

    # -- the steps

    def _place(self, session: Session, workorder: Session, question: Question, talk: Talk) -> Where:
        finder = PlaceFinder(self.services, session, workorder, question)
        if talk.step == "where" or not (talk.account_no or talk.address):
            answer = typed(question) if talk.step == "where" and not question.values("choice") else ""
            answer = self.answers.place(answer)
            before = question.slots.get("account_asked")
            return finder.find(before=str(before) if before else None, typed=answer, elsewhere=talk.elsewhere)
        if talk.account_no in finder.own:
            return finder.of_account(str(talk.account_no))
        return finder.of_text(talk.address)

    def _heard(self, session: Session, question: Question, talk: Talk) -> Reply | tuple[Talk, str]:
        """Return the talk with what the message tells besides the answer, and the answer itself."""
        answer, phone = self._answer(question, talk), talk.phone
        talk = self._told(question, talk)
        wide = self.answers.wider(question.text) if talk.step in ("check", "push", "trips", "arrears") else ""
        if wide:
            answer, talk = wide, replace(talk, step="scope", scope=wide, found="")
        if talk.step in ("scope", "told") and (question.values("address") or self._part(question)):
            return self._moved(question, replace(talk, scope=answer if answer in SCOPES else talk.scope)), answer
        if talk.step == "scope" and self._other_own(question, talk):
            return replace(talk, step="where", account_no=None, address="", looked=False), answer
        if answer == "elsewhere":
            talk = replace(talk, elsewhere=True, account_no=None, address="", looked=False)
            return self.ask_where(session, question, Where(ask="where"), talk)
        if not answer and talk.step in AGAINS and talk.phone != phone:
            return self.back(session, question, talk, self.words.say("phone_noted"))
        return talk, answer

    def _other_own(self, question: Question, talk: Talk) -> bool:
        named = question.values("account_no")
        return bool(named) and named[0] in question.identity.accounts and named[0] != talk.account_no

    def _told(self, question: Question, talk: Talk) -> Talk:
        """Return the talk with what is told unasked: the reach, a telephone, an account number of somebody else."""
        answers, number = self.answers, self.answers.account_no(question)
        own = question.identity.accounts if question.identity.assurance >= 1 else ()
        return replace(
            talk,
            scope=talk.scope or answers.scope_told(question),
            phone=answers.phone(question) or talk.phone,
            told_no=number if number and number not in own else talk.told_no,
        )

    def _moved(self, question: Question, talk: Talk) -> Talk:
        """Return the talk with the place corrected, or told more exactly, before the question is answered."""
        part = self._part(question)
        if (talk.address or talk.account_no) and part:
            looked = talk.looked and talk.step != "told"
            return replace(talk, step="", address=talk.address and talk.address + part, looked=looked)
        return replace(talk, step="where", account_no=None, address="", looked=False, elsewhere=True)

    def _part(self, question: Question) -> str:
        """Return the building or door that is told without its compound, empty if none is."""
        told, said = self.words.raw("words.part"), [*question.values("address"), typed(question).strip()]
        found = next((match for text in said if (match := re.fullmatch(told, text))), None)
        return found[1] if found else ""

    def _look(self, workorder: Session, question: Question, talk: Talk, place: Place) -> Reply | tuple[str, str]:
        """Record the report; return what is known of an outage, else what to say before an order and its scope."""
        reported = report(
            workorder, place, conversation_id=question.identity.conversation_id, account_no=talk.account_no,
            now=question.now,
        )  # fmt: skip
        known, words = reported.outage, self.words
        if known is None:
            return (words.say("order.count", count=reported.count) if reported.count > 1 else "", "")
        if known.state == "suspected" and not has_order(workorder, known):
            return words.say("order.suspected", count=reported.count), "area"
        said = "\n".join((*self.aid(talk.opening), self.tell(workorder, known, question), words.say("known.no_order")))
        buttons = [(words.say("buttons.progress"), "/query_outage")]
        if not self.interrupts(question):  # else the answer would be taken for one to the form
            buttons.append((words.say("buttons.only_me"), choice("choice", HOUSEHOLD)))
        slots = self.close(question, replace(talk, step="told", looked=True))
        return Reply("utter_outage_said", {"said": said}, buttons, slots=slots)

    def _arrears(self, session: Session, question: Question, talk: Talk) -> Shortfall | None:
        """Return how an own account stands that may have been cut off, if nothing speaks against it."""
        if talk.settled or talk.account_no is None or talk.scope in ("building", "area"):
            return None
        account = find_account(session, account_no=talk.account_no, allowed=question.identity.accounts)
        short = shortfall_of(session, account=account, today=question.today)
        return short if short.may_be_cut_off else None

    def _ask_scope(self, talk: Talk, question: Question, place: Place) -> Reply:
        key = "scope.ask" if place.known else "scope.ask_unknown"
        return self.ask(replace(talk, step="scope"), question, self.words.say(key, area=place.area), alone=True)

    def _household(self, session: Session, question: Question, talk: Talk, place: Place, answer: str) -> Reply:
        """Guide through the own switches (reference: 单户失电的检查顺序), then file the order."""
        words = self.words
        if talk.step == "check" and answer == "tripped":
            return self.ask(replace(talk, step="push"), question)
        if talk.step == "push" and answer == "trips_again":
            return self.ask(replace(talk, step="trips"), question)
        if not talk.found and talk.step not in ("check", "push", "trips"):
            talk = replace(talk, found=self._checked(talk.opening))
        if talk.found or talk.step == "trips":
            key = "order.dark_meter" if talk.found == "meter_dark" else "order.household"
            return self.order(session, question, talk, words.say(key))
        return self.ask(replace(talk, step="check"), question)

    def _checked(self, opening: str) -> str:
        """Return what the first message told of meter and switch already."""
        keys = {"meter_dark": "words.meter_dark", "normal": "words.checked"}
        return next((name for name, key in keys.items() if re.search(self.words.raw(key), opening)), "")

    def _ended(self, question: Question, talk: Talk, answer: str) -> Reply | None:
        """Return the last word where no order is needed."""
        ends = {"holds": "check.mended", "trips_own": "check.own", "own_property": "property.wait"}
        if answer in ends:
            return Reply("utter_outage_said", {"said": self.words.say(ends[answer])}, slots=self.close(question))
        if answer == "smell":
            return Reply("utter_danger", slots=self.close(question))
        if talk.step == "arrears" and answer == "paid":
            buttons = [(self.words.say("arrears.paid_button"), "/ask_reconnection")]
            said = {"said": self.words.say("arrears.after")}
            return Reply("utter_outage_said", said, buttons, slots=self.close(question, replace(talk, settled=True)))
        return None

    def _answer(self, question: Question, talk: Talk) -> str:
        """Return which of the answers to the open question the message is, empty if none."""
        chosen = question.values("choice")
        known = ANSWERS.get(talk.step, ())
        if chosen:
            return chosen[0] if chosen[0] in known else ""
        if question.intent == "affirm":
            return {"push": "holds", "trips": "trips_order", "check": ""}.get(talk.step, "")
        place, text = self.answers.place_in_list(question.text), typed(question)
        if place is not None:
            return self.in_list(talk, place)
        if talk.step == "scope":
            elsewhere = re.search(self.words.raw("words.elsewhere"), text) and not self.answers.wider(text)
            said = [one for one in question.values("outage_scope") if one in SCOPES]
            return "elsewhere" if elsewhere else self.answers.scope(text) or next(iter(said), "")
        return next((name for name in known if re.search(self.words.raw(f"words.{name}"), text)), "")


ACTIONS: tuple[type[BusinessAction], ...] = (ActionReportOutage,)
