"""Outages asked for, power back after arrears, and faults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from actions.base import BusinessAction, Reply
from actions.form import ActionForm
from actions.form_words import choice
from actions.labels import money
from actions.outage_place import PlaceFinder, Where
from actions.outage_talk import OutageAction, Talk, asks_again, typed
from actions.outage_words import MOST_LISTED
from actions.question import Question
from core import outage as outages
from core.account import Account, as_of
from core.form import FormState
from core.place import Place
from core.reconnection import shortfall_of
from core.text import folded

SHORT_REST = 1  # characters: what names more than a district names a place in it
TELLING = 6  # characters: a shorter message does not say what is wrong


class ActionQueryOutage(OutageAction):
    """Tells what is out or planned at the customer's places, or at one that is named."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_query_outage"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        raw = question.slots.get("form")
        talk = Talk.parse(raw) if isinstance(raw, Mapping) and raw.get("action") == self.name() else None
        talk = talk or Talk()
        if talk.step and (asks_again(question) or question.values("upload")):
            return self._again(session, question, talk)
        if talk.step and self.answers.is_back(typed(question)):
            return self.with_paused(question, self.power_is_back(question))
        return self.with_paused(question, self._answer(session, self.pointed(session, question, talk), talk))

    def _answer(self, session: Session, question: Question, talk: Talk) -> Reply:
        with self.services.workorder.transaction() as workorder:
            finder = PlaceFinder(self.services, session, workorder, question)
            found = self._places(finder, question, talk)
            if isinstance(found, Where):
                return self._unclear(session, workorder, question, found, talk)
            return self._tell(workorder, question, found)

    def _places(self, finder: PlaceFinder, question: Question, talk: Talk) -> list[Where] | Where:
        """Return the places to look at: all own ones if none is named, or what must be asked."""
        answer = self.answers.place(typed(question)) if talk.step == "where" else ""
        before = Talk.parse(question.slots.get("outage_talk"))
        said = question.values("address") or question.values("account_no") or answer
        if not said and before and before.address:
            where = finder.of_text(before.address)
            return [where] if where.place else where
        where = finder.find(typed=answer)
        if where.ask == "account":
            return [finder.of_account(number) for number in finder.own]
        return [where] if where.place is not None and where.place.known and not where.ask else where

    def _unclear(
        self, session: Session, workorder: Session, question: Question, where: Where, talk: Talk
    ) -> Reply:  # fmt: skip
        words, place = self.words, where.place
        if place is not None and place.district is not None:
            return self._district(workorder, question, place, place.district)
        if place is None:
            if where.ask == "where":
                return self._ask(talk, question, words.say("query.where"))
            return self.ask_where(session, question, where, talk)
        if talk.misses:
            buttons = self._ways(report=True)
            said = {"said": words.say("query.unknown_again", text=place.area)}
            return Reply("utter_outage_said", said, buttons, slots=self.close(question, Talk(address=place.text)))
        return self._ask(talk, question, words.say("query.unknown", text=place.area))

    def _ask(self, talk: Talk, question: Question, said: str) -> Reply:
        talk = replace(talk, step="where", misses=talk.misses + 1, asked="", choices=())
        return Reply("utter_outage_ask", {"said": said}, slots=self.open(talk, question))

    def _again(self, session: Session, question: Question, talk: Talk) -> Reply:
        """Put the open question again after something else was answered."""
        lead = self.photo_lead(question) or self.words.say("back")
        if talk.asked:
            return self.where_again(session, question, talk, lead)
        said = f"{lead}\n{self.words.say('query.where')}"
        return Reply("utter_outage_ask", {"said": said}, slots=self.open(talk, question))

    def _tell(self, workorder: Session, question: Question, places: Sequence[Where]) -> Reply:
        """Tell of each place what is under way and planned."""
        lines: list[str] = []
        quiet = True
        for where in places:
            if where.place is None:
                continue
            said, out = self._of_place(workorder, question, where.place)
            lines += [line for line in said if line not in lines]
            quiet = quiet and not out
        lines = [*self.aid(question.text), *lines]
        first = places[0]
        address = first.place.text if first.place and not first.account_no else ""
        talk = Talk(account_no=first.account_no if len(places) == 1 else None, address=address)
        if quiet:
            lines.append(self.words.say("query.none_here"))
        return Reply(
            "utter_outage_said", {"said": "\n".join(lines)}, self._ways(report=quiet), slots=self.close(question, talk)
        )

    def _of_place(self, workorder: Session, question: Question, place: Place) -> tuple[list[str], bool]:
        """Return what is to be said of a place, and whether something is out there now."""
        now, words = question.now, self.words
        lines = []
        current = outages.outage_at(workorder, place, now)
        if current is not None:
            lines += [self.tell(workorder, current, question), words.say("known.already")]
        planned = outages.planned_for(workorder, place, now)
        lines += words.listed(planned, now)
        if planned:
            lines.append(words.say("planned.tip"))
            for one in planned:
                outages.subscribe(workorder, one, question.identity.conversation_id, now=now)
        return lines or [words.say("query.none", area=place.area, days=outages.PLAN_DAYS)], current is not None

    def _district(self, workorder: Session, question: Question, place: Place, district: str) -> Reply:
        words, now = self.words, question.now
        found = outages.outages_in(workorder, district, now)
        if not found:
            lines = [words.say("query.district_none", district=district, days=outages.PLAN_DAYS)]
        else:
            lines = [words.say("query.district", district=district), *words.listed(found, now)]
        if len(folded(place.text)) > len(district) + SHORT_REST:
            lines.insert(0, words.say("query.not_found", text=place.text, district=district))
        if len(found) > MOST_LISTED:
            lines.append(words.say("query.district_more", count=len(found) - MOST_LISTED))
        else:
            lines.append(words.say("query.ask_exact"))
        return Reply(
            "utter_outage_said", {"said": "\n".join(lines)}, self._ways(report=True), slots=self.close(question)
        )

    def _ways(self, *, report: bool) -> list[tuple[str, str]]:
        """Return the buttons of what one may do next."""
        words = self.words
        ways = [(words.say("buttons.report"), "/report_outage")] if report else []
        return [*ways, (words.say("buttons.person"), "/request_human")]


class ActionAskReconnection(OutageAction):
    """Power back after arrears: what is still missing, or an order when all is paid."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_ask_reconnection"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        account = self.account(session, question)
        with self.services.workorder.transaction() as workorder:
            where = PlaceFinder(self.services, session, workorder, question).of_account(account.account_no)
            known = outages.outage_at(workorder, where.place, question.now) if where.place else None
            if known is not None:
                said = [self.words.say("reconnection.outage"), self.tell(workorder, known, question)]
                buttons = [(self.words.say("buttons.person"), "/request_human")]
                return Reply("utter_outage_said", {"said": "\n".join(said)}, buttons, slots=self.remember(account))
        if "paid" in question.values("choice"):
            return self._order(session, question, account, self.words.say("reconnection.paid"))
        return self._standing(session, question, account)

    def _standing(self, session: Session, question: Question, account: Account) -> Reply:
        words = self.words
        short = shortfall_of(session, account=account, today=question.today)
        if short.may_be_cut_off:
            buttons = [(words.say("arrears.pay_button"), "/pay_bill"),
                       (words.say("arrears.paid_button"), choice("choice", "paid"))]  # fmt: skip
            said = {"said": words.arrears(short, as_of(session, "payments"))}
            return Reply("utter_outage_said", said, buttons, slots=self.remember(account))
        if short.balance.owed:
            lead = words.say("reconnection.not_long", owed=money(short.balance.owed))
        elif account.prepaid:
            lead = words.say("reconnection.clear", balance=money(short.balance.balance))
        else:
            lead = words.say("reconnection.clear_postpaid")
        until = words.say("arrears.as_of", as_of=self.services.labels.of_instant(as_of(session, "payments")))
        buttons = [(words.say("reconnection.order"), choice("choice", "paid")),
                   (words.say("buttons.report"), "/report_outage")]  # fmt: skip
        said = {"said": f"{lead}{until}\n{words.say('reconnection.check')}\n{words.say('arrears.after')}"}
        return Reply("utter_outage_said", said, buttons, slots=self.remember(account))

    def _order(self, session: Session, question: Question, account: Account, lead: str) -> Reply:
        state = replace(FormState.new("reconnection"), account_no=account.account_no)
        return ActionForm(self.services).advance(session, question, state, lead=lead)


class ActionReportFault(OutageAction):
    """Takes a report of bad supply or broken equipment: a word of advice, then the order."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_report_fault"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        row = self.services.businesses.choose("report_fault", question.text)[0]
        # What is wrong is no question about the business, whatever words it holds (闪了好几天).
        told = typed(question) if len(folded(question.text)) >= TELLING else ""
        lead = self._known(session, question, row.intro or "")
        prefill = {"what": told} if told else None
        return ActionForm(self.services).start(session, question, row.key, prefill=prefill, lead=lead)

    def _known(self, session: Session, question: Question, intro: str) -> str:
        """Return what is known of an outage at the place, before the advice; empty if nothing is."""
        with self.services.workorder.transaction() as workorder:
            place = PlaceFinder(self.services, session, workorder, question).find().place
            known = outages.outage_at(workorder, place, question.now) if place is not None else None
            if known is None:
                return ""
            said = (self.tell(workorder, known, question), self.words.say("fault.outage"), intro)
        return "\n".join(filter(None, said))


ACTIONS: tuple[type[BusinessAction], ...] = (ActionQueryOutage, ActionAskReconnection, ActionReportFault)
