"""Which conversations there were on a day of the past: when, whose, about what, in what circumstances.

Each is drawn with a chance of its own, so that a later day leaves the earlier ones as they were; but for the trend and
what happened on the last day, which are told from the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random

from core.clock import SHANGHAI
from core.seed.history_data import Material, Theme, at, weighted
from core.seed.history_people import Home, People, Person
from core.working_time import is_working_day

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_QUIET_SHARE = 0.8  # of a working day's conversations come on a weekday that is a holiday
_LAST_HOUR = 20  # of the last day: whoever writes later might not be served before the day is over
_AFTER = (4, 50)  # minutes after the power has gone until it is reported
_CAUSES = ("cable", "line", "overload", "equipment")


@dataclass(frozen=True)
class Weather:
    """What kind of a day it was; `progress` is 0 at the beginning of the time and 1 at its end."""

    day: date
    progress: float
    last: bool
    bad: bool
    storm: bool
    hard: bool  # a week of heat or cold


@dataclass(frozen=True)
class Dark:
    """Power that was gone at a transformer, and back on the same day or in the night after it."""

    node: str
    area: str
    began: datetime
    expected: datetime
    restored: datetime
    cause: str
    reports: int


@dataclass(frozen=True)
class Plan:
    """One conversation to be told. `theme`: it begins with something that is not understood; else `topic`."""

    key: str
    at: datetime
    weather: Weather
    channel: str
    person: Person | None
    home: Home | None
    topic: str
    text: str
    theme: Theme | None = None
    again: bool = False
    dark: Dark | None = None

    def rng(self) -> Random:
        """Return the chance by which the rest of it is drawn."""
        return Random(f"history:{self.key}:talk")


@dataclass
class Planner:
    """Draws day after day; `before` are the latest conversations of customers, who may come back."""

    material: Material
    people: People
    scale: float
    before: list[Plan] = field(default_factory=list)

    def day(self, weather: Weather) -> list[Plan]:
        """Return the conversations of a day in the order in which they began."""
        plans = [*self._usual(weather), *self._dark(weather)]
        kept = weather.day - timedelta(days=3)
        first = (one for one in plans if one.person and not one.again)  # else one change would go on for ever
        self.before = [one for one in (*self.before, *first) if one.weather.day > kept]
        return sorted(plans, key=lambda one: (one.at, one.key))

    def _usual(self, weather: Weather) -> Iterator[Plan]:
        rng, said = Random(f"history:{weather.day}:themes"), dict[str, list[str]]()
        for key, theme in self.material.themes.items():
            said[key] = rng.sample(theme.messages, len(theme.messages))
        for number in range(self._count(weather)):
            yield self._plan(weather, number, said)

    def _count(self, weather: Weather) -> int:
        days = self.material.days
        count = days.per_day[_DAYS[weather.day.weekday()]] * self.scale
        if weather.day.weekday() < 5 and not is_working_day(weather.day)[0]:
            count *= _QUIET_SHARE
        count *= days.weather.more if weather.hard else 1.0
        return max(days.least, round(count * Random(f"history:{weather.day}:count").uniform(0.92, 1.08)))

    def _plan(self, weather: Weather, number: int, said: Mapping[str, list[str]]) -> Plan:
        key, days = f"{weather.day}:{number}", self.material.days
        rng = Random(f"history:{key}")
        began = at(weather.day, rng.choices(range(24), days.hours)[0], rng.randrange(60), rng.randrange(60))
        channel, known, back = weighted(rng, days.channels), rng.random() < days.known, rng.random() < days.repeat
        person = self.people.draw(rng) if known else None
        topic, theme = self._matter(weather, number, rng, person)
        earlier = [one for one in self.before if one.at < began and one.dark is None]
        if back and earlier and not (theme and weather.last):
            first = rng.choice(earlier)
            person, channel, topic, theme = first.person, first.channel, first.topic, first.theme
        text = said[theme.key].pop() if theme and said[theme.key] else self._question(rng, topic)
        home = rng.choice(person.homes) if person else None
        if weather.last and began.hour >= _LAST_HOUR:
            began -= timedelta(hours=11)
        theme = theme if theme and text in theme.messages else None
        return Plan(key, began, weather, channel, person, home, topic, text, theme, back and bool(earlier))

    def _matter(
        self, weather: Weather, number: int, rng: Random, person: Person | None
    ) -> tuple[str, Theme | None]:  # fmt: skip
        """Draw what it is about: an intent, and the theme if it will not be understood."""
        days, themes = self.material.days, self.material.themes
        wrong, often = rng.random(), rng.random()
        theme = themes[weighted(rng, days.themes)]
        topics = days.topics[person.kind if person else "person"]
        hard = {one: weight * (3 if one in days.weather.topics else 1) for one, weight in topics.items()}
        topic = weighted(rng, hard if weather.hard else topics)
        if weather.last and number % 10 < 10 * days.yesterday.share:  # not by chance: it has to be there
            theme, wrong = themes[rng.choice(days.yesterday.themes)], 0.0
        if wrong < days.misunderstood:
            return theme.intent or topic, theme
        return ("report_danger", None) if often < days.danger else (topic, None)

    def _question(self, rng: Random, topic: str) -> str:
        if topic == "report_danger":
            return rng.choice(self.material.dangers)
        return self.material.question(rng, topic)

    # -- power that was gone

    def darkness(self, weather: Weather) -> list[Dark]:
        """Return where the power was gone on a day."""
        days, rng = self.material.days, Random(f"history:{weather.day}:outages")
        count = days.storm.outages if weather.storm else rng.randint(0, days.outages.most)
        low, high = days.storm.reports if weather.storm else days.outages.reports
        where = rng.sample(self.people.free, min(len(self.people.free), round(count * max(self.scale, 0.5))))
        found = []
        for node in where:
            began = at(weather.day, rng.randint(14, 18) if weather.storm else rng.randint(6, 17), rng.randrange(60))
            takes = timedelta(minutes=rng.randint(50, 260))
            share = rng.uniform(0.6, 0.9) if rng.random() < 0.15 else rng.uniform(1.05, 1.5)  # of it was said
            cause = "storm" if weather.storm else rng.choice(_CAUSES)
            area, reports = self.people.nodes[node].reach, rng.randint(low, high)
            found.append(Dark(node, area, began, began + takes * share, began + takes, cause, reports))
        return found

    def _dark(self, weather: Weather) -> Iterator[Plan]:
        for place, dark in enumerate(self.darkness(weather)):
            near = self.people.at(dark.node)
            for number in range(dark.reports):
                key = f"{weather.day}:dark:{place}:{number}"
                rng = Random(f"history:{key}")
                person, home = near[number] if number < len(near) else (None, None)
                began = dark.began + timedelta(minutes=rng.randint(*_AFTER), seconds=rng.randrange(60))
                text = self.material.question(rng, "report_outage")
                channel = weighted(rng, self.material.days.channels)
                yield Plan(key, began, weather, channel, person, home, "report_outage", text, dark=dark)


def weathers(material: Material, *, today: date) -> list[Weather]:
    """Return the days of the history, the last one being yesterday."""
    days, count = material.days, material.days.days
    found = []
    for back in range(count, 0, -1):
        day = today - timedelta(days=back)
        number, week, last = day.toordinal(), (day.toordinal() - 1) // 7, back == 1
        found.append(Weather(
            day, 1 - back / count, last, week % days.bad.every == days.bad.at and back > 7,
            number % days.storm.every == days.storm.at and not last, week % days.weather.every == days.weather.at,
        ))  # fmt: skip
    return found


def end_of(today: date) -> datetime:
    """Return the instant before which all of the history lies: midnight in Shanghai."""
    return datetime.combine(today, datetime.min.time(), SHANGHAI)
