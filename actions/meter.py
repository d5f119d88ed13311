"""What the customer's own meter stands at, against the bill and against what they read off its display."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from actions.base import BusinessAction, Reply, card
from actions.fact_action import FactAction, give
from actions.labels import plain
from actions.question import Question
from core.account import Account
from core.errors import NotIdentified
from core.meter_check import BilledReading, MeterCheck, billed_reading, check_reading, figures, nearest
from core.tariff import PERIODS
from core.usage import MeterView, NoReading, meter_view, reading_on

# Below this many kWh a bill and its readings differ by rounding alone.
_ROUNDING = Decimal("0.05")


@dataclass(frozen=True)
class _Seen:
    """The reading asked for, what the latest bill rests on, and what the customer read."""

    view: MeterView
    billed: BilledReading | None
    check: MeterCheck | None
    missing: str = ""  # the day asked for, if it has no reading

    @property
    def doubtful(self) -> bool:
        verdict = self.check.verdict if self.check else "fits"
        return verdict in ("before", "past") or (self.billed is not None and self.billed.mismatch > _ROUNDING)


class ActionQueryMeterReading(FactAction):
    """Tells the latest reading, or that of a day, and how it fits the bill and the customer's own look at the meter."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_query_meter_reading"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`."""
        facts = self.facts.say(*self.facts.matching("meter", question.text)[:1])
        if not self.identified(question):
            if not facts:
                raise NotIdentified
            login = [(self._say("button.login"), "/bind_account")]
            return Reply("utter_meter_reading", {"answer": self.lines(facts, self._say("anonymous"))}, login)
        account = self.account(session, question)
        try:
            seen = self._look(session, question, account)
        except NoReading:
            answer = self.lines(self._say("never"), facts)
            return Reply("utter_meter_reading", {"answer": answer}, slots=self.remember(account, question.span()))
        given = self._given(seen) if seen.check else ""
        parts = [
            self._say("no_day", day=seen.missing) if seen.missing else "",
            given or self._reading(seen.view, question),
            facts,
            "" if given else self._more(seen.view),
            self._bill(seen.billed),
        ]
        return Reply(
            "utter_meter_reading", {"answer": self.lines(*parts)}, self._buttons(session, question, account, seen),
            [self._card(seen)], self.remember(account, question.span()),
        )  # fmt: skip

    def _look(self, session: Session, question: Question, account: Account) -> _Seen:
        span, missing = question.span(), ""
        latest, billed = meter_view(session, account=account), billed_reading(session, account=account)
        view = latest
        if span and span.last < latest.day:
            try:
                view = reading_on(session, account=account, day=span.last)
            except NoReading:
                missing = self.services.labels.of_day(span.last)
        read = self._figure(question, latest)
        if read is None:
            return _Seen(view, billed, None, missing)
        check = check_reading(session, account=account, latest=latest, billed=billed, given=read, today=question.today)
        return _Seen(latest, billed, check)

    def _figure(self, question: Question, latest: MeterView) -> Decimal | None:
        """Return what the customer read: dates, prices and numbers of accounts, telephones and meters are none."""
        if question.text.startswith("/"):
            return None
        known = [*question.values("account_no"), *question.values("phone")]
        pattern = "|".join([self.services.phrases.raw("meter.no_reading"), *map(re.escape, known)])
        return nearest(figures(question.text, without=re.compile(pattern)), latest)

    def _given(self, seen: _Seen) -> str:
        check, latest, labels = seen.check, seen.view, self.services.labels
        if check is None:
            return ""
        billed = seen.billed.end if seen.billed else None
        values = {
            "given": plain(check.given), "latest": plain(latest.readings.total),
            "billed": plain(billed.readings.total) if billed else "",
            "month": labels.of_month(seen.billed.bill.month) if seen.billed else "",
            "more": plain(check.given - latest.readings.total),
        }  # fmt: skip
        if check.verdict == "register" and check.register:
            values |= {"name": labels.periods[check.register], "value": plain(latest.readings.of(check.register))}
        if check.verdict == "between" and billed is None:
            return self._say("given.earlier", **values)
        return self._say(f"given.{check.verdict}", **values)

    # -- words

    def _reading(self, view: MeterView, question: Question) -> str:
        day = self.services.labels.of_day(view.day, question.today)
        said = self._say("reading", tail=view.meter_no[-4:], day=day, total=plain(view.readings.total))
        return said + (self._say("estimated") if view.estimated else "")

    def _more(self, view: MeterView) -> str:
        parts = self._registers(view)
        named = [self._say("register", name=one["label"], value=one["value"]) for one in parts]
        said = self._say("registers", parts=self.services.labels.list_separator.join(named)) if named else ""
        return said + (self._say("multiplier", multiplier=view.multiplier) if view.multiplier > 1 else "")

    def _registers(self, view: MeterView) -> list[dict[str, str]]:
        used = [(period, view.readings.of(period)) for period in PERIODS if view.readings.of(period)]
        labels = self.services.labels
        return [{"label": labels.periods[name], "value": plain(value)} for name, value in used] if len(used) > 1 else []

    def _bill(self, billed: BilledReading | None) -> str:
        """Return how the latest bill follows from its two readings, or that it does not."""
        if billed is None:
            return ""
        values = {"month": self.services.labels.of_month(billed.bill.month), "kwh": plain(billed.bill.kwh)}
        if billed.start is None or billed.end is None:
            return self._say("bill_unread", **values)
        if billed.mismatch > _ROUNDING:
            said = self._say("bill_differs", difference=plain(billed.mismatch), **values)
        elif billed.difference is None:
            said = self._say("bill_exchanged", **values)
        else:
            values |= {"start": plain(billed.start.readings.total), "end": plain(billed.end.readings.total)}
            values |= {"difference": plain(billed.difference), "multiplier": str(billed.end.multiplier)}
            said = self._say("bill" if billed.end.multiplier > 1 else "bill_plain", **values)
        return said + (self._say("bill_estimated", **values) if billed.bill.estimated else "")

    def _buttons(self, session: Session, question: Question, account: Account, seen: _Seen) -> list[tuple[str, str]]:
        doubt = [(self._say("button.doubt"), give("start", "meter_data_doubt"))]
        check = [(self._say("button.check"), "/apply_meter_check")] if seen.doubtful else []
        usage = [] if seen.doubtful else [(self._say("button.usage"), "/query_usage")]
        return [*doubt, *check, *usage, *self.other_accounts(session, question, account)]

    def _card(self, seen: _Seen) -> dict[str, Any]:
        view, labels = seen.view, self.services.labels
        rows = [
            {"label": self._say("card.meter_no"), "value": self._say("card.tail", tail=view.meter_no[-4:])},
            {"label": self._say("card.day"), "value": self._say("card.day_end", day=labels.of_day(view.day))},
            {"label": self._say("card.total"), "value": plain(view.readings.total)},
            *self._registers(view),
            {"label": self._say("card.multiplier"), "value": str(view.multiplier)},
        ]
        if seen.billed and seen.billed.end:
            month = labels.of_month(seen.billed.bill.month)
            end = plain(seen.billed.end.readings.total)
            rows.append({"label": self._say("card.bill_end", month=month), "value": end})
        title = self._say("card.title")
        return card("fact_card", f"{title} {plain(view.readings.total)}", {"title": title, "rows": rows})

    def _say(self, key: str, **values: object) -> str:
        return self.services.phrases.say(f"meter.{key}", **values)


ACTIONS: tuple[type[BusinessAction], ...] = (ActionQueryMeterReading,)
