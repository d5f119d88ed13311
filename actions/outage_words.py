"""What is said of outages: state, cause, the expected time with its age, plans, and arrears that may be the reason."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from actions.labels import money, plain
from core.clock import SHANGHAI
from core.outage import Outage
from core.reconnection import Shortfall

if TYPE_CHECKING:
    from actions.services import Services

MOST_LISTED = 4
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


class OutageWords:
    """Sentences about outages; the wording stands in data/phrases/outage.yaml."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._phrases = services.phrases

    def say(self, key: str, **values: object) -> str:
        """Return a phrase of the topic."""
        return self._phrases.say(f"outage.{key}", **values)

    def raw(self, key: str) -> str:
        """Return a phrase of the topic as it stands."""
        return self._phrases.raw(f"outage.{key}")

    def under_way(self, outage: Outage, now: datetime) -> str:
        """Return what is out, why, and when power is expected back."""
        key = "suspected" if outage.state == "suspected" else outage.kind
        state = self.say(f"state.{key}", area=outage.area, cause=self.cause(outage))
        return f"{state}\n{self.expected(outage, now)}"

    def cause(self, outage: Outage) -> str:
        """Return the cause as part of a sentence."""
        key = f"outage.causes.{outage.cause}"
        if outage.cause is None or key not in self._phrases:
            return self.say("state.cause_unknown")
        return self.say("state.cause_known", cause=self._phrases.say(key))

    def expected(self, outage: Outage, now: datetime) -> str:
        """Return the expected time with its age, or the average where none is known."""
        if outage.expected_at is None:
            return self.say(f"expected.{outage.area_class}")
        time = self.time(outage.expected_at, now)
        if outage.expected_at <= now:
            return self.say("expected.past", time=time)
        return self.say("expected.said", time=time, age=self.age(outage.expected_said_at or outage.started_at, now))

    def planned(self, outage: Outage, now: datetime) -> str:
        """Return when a planned outage begins and ends, and why."""
        values = {"area": outage.area, "start": self.time(outage.started_at, now), "cause": self.cause(outage)}
        if outage.expected_at is None:
            return self.say("planned.open_end", **values)
        same_day = _day(outage.started_at) == _day(outage.expected_at)
        end = self._clock(outage.expected_at) if same_day else self.time(outage.expected_at, now)
        key = "temporary" if outage.kind == "temporary" else "one"
        return self.say(f"planned.{key}", **values, end=end)

    def time(self, at: datetime, now: datetime) -> str:
        """Return a time as 18:30 if it is today, else with its day."""
        return self._clock(at) if _day(at) == _day(now) else self._services.labels.of_instant(at)

    def age(self, said_at: datetime, now: datetime) -> str:
        """Return how old a piece of news is."""
        old = max(now - said_at, timedelta(0))
        if old < timedelta(minutes=2):
            return self.say("expected.just")
        if old < _HOUR:
            return self.say("expected.minutes", count=old // timedelta(minutes=1))
        return self.say("expected.hours", count=old // _HOUR) if old < _DAY else self.say(
            "expected.days", count=old // _DAY
        )  # fmt: skip

    def listed(self, outages: Sequence[Outage], now: datetime) -> list[str]:
        """Return a line for each of the first outages; under way or planned."""
        return [
            self.planned(one, now) if one.state == "planned" and one.started_at > now else self.under_way(one, now)
            for one in outages[:MOST_LISTED]
        ]

    def arrears(self, short: Shortfall, as_of: datetime | None) -> str:
        """Return that the account may have been cut off, what brings it above zero, and what follows."""
        lines = [self._owing(short)]
        if short.unbilled:
            kwh = plain(short.balance.unbilled_kwh or short.unbilled)
            lines.append(self.say("arrears.prepaid_unbilled", kwh=kwh, unbilled=money(short.unbilled)))
        if short.unbilled:
            lines.append(self.say("arrears.pay_about", amount=plain(short.needed)))
        else:
            lines.append(self.say("arrears.pay", amount=money(short.needed)))
        if short.balance.late_fee:
            lines.append(self.say("arrears.late_fee", late_fee=money(short.balance.late_fee)))
        lines.append(self.say("arrears.after"))
        lines.append(self.say("arrears.as_of", as_of=self._services.labels.of_instant(as_of)))
        return "\n".join(lines)

    def _owing(self, short: Shortfall) -> str:
        if short.balance.prepaid:
            return self.say("arrears.prepaid", balance=money(short.balance.balance))
        return self.say("arrears.postpaid", owed=money(short.balance.owed), days=short.overdue_days)

    def _clock(self, at: datetime) -> str:
        return f"{at.astimezone(SHANGHAI):%H:%M}"


def _day(at: datetime) -> object:
    return at.astimezone(SHANGHAI).date()
