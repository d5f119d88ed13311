"""Contacts with what became of them: the cases they led to, whether the customer came back, and for the same matter."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.conversation import DIALOGUE_IDLE
from core.insight.topics import Topics, same_matter
from core.insight.visits import LENGTH, Visit

CAME_BACK, REPEAT = timedelta(hours=24), timedelta(days=7)


@dataclass(frozen=True)
class CaseOf:
    """A case, by the talk that it belongs to."""

    handoff_id: int
    talk: str
    requested_at: datetime
    reason: str
    score: int | None  # what the customer gave, 1 to 5


@dataclass(frozen=True)
class Contact:
    """One contact; `over`: half an hour has passed since. `after` is who dealt with the same matter of the same
    customer within seven days before: bot or person, None if it is no repetition.
    """

    visit: Visit
    topic: str
    skill: str | None
    cases: tuple[CaseOf, ...]
    over: bool
    came_back: bool
    after: str | None

    @property
    def at(self) -> datetime:
        """When it began."""
        return self.visit.at

    @property
    def key(self) -> str:
        """The message that it began with."""
        return f"{self.visit.conversation_id}:{self.visit.seq}"

    @property
    def customer(self) -> str:
        """Who came, as far as it is known."""
        return customer_of(self.visit)

    @property
    def bad(self) -> int:
        """Messages that the bot did not answer, for want of understanding or because it broke down."""
        return self.visit.failures + self.visit.silences

    @property
    def alone(self) -> bool | None:
        """Whether the bot settled it alone, None while it goes on."""
        if self.cases:
            return False
        if not self.over:
            return None
        return not (self.visit.ended_failed or self.visit.waiting or self.came_back)

    @property
    def dissatisfied(self) -> bool:
        """Whether the customer gave one of its cases two points or less."""
        return any(case.score is not None and case.score <= LOW for case in self.cases)


LOW = 2  # points: dissatisfied


def customer_of(visit: Visit) -> str:
    """Return the customer's number, or the talk where nobody knows who it is."""
    return visit.customer_no or visit.talk


def contacts(
    found: Sequence[Visit], cases: Iterable[CaseOf], topics: Topics, *, since: datetime, until: datetime, now: datetime
) -> list[Contact]:  # fmt: skip
    """Return the contacts of [since, until); `found` reach `REPEAT` further back and `CAME_BACK` further on."""
    held = _cases_by_visit(found, cases)
    topic = {id(visit): _topic(visit, topics) for visit in found}
    by_customer: defaultdict[str, list[Visit]] = defaultdict(list)
    for visit in found:
        by_customer[customer_of(visit)].append(visit)
    made = []
    for visits in by_customer.values():
        for place, visit in enumerate(visits):
            if not since <= visit.at < until:
                continue
            name = topic[id(visit)]
            made.append(
                Contact(
                    visit=visit, topic=name, skill=topics.skill(name), cases=held.get(id(visit), ()),
                    over=now - visit.last_at >= DIALOGUE_IDLE,
                    came_back=_came_back(visits, place, topic, held), after=_after(visits, place, topic, held),
                )
            )  # fmt: skip
    return sorted(made, key=lambda one: (one.at, one.visit.talk))


def _topic(visit: Visit, topics: Topics) -> str:
    return topics.of(visit.wish, unclear=visit.unclear, not_ours=visit.not_ours, person=visit.person)


def _cases_by_visit(found: Sequence[Visit], cases: Iterable[CaseOf]) -> dict[int, tuple[CaseOf, ...]]:
    """Give each case to the contact during which it was asked for, if there is one."""
    by_talk: defaultdict[str, list[Visit]] = defaultdict(list)
    for visit in found:
        by_talk[visit.talk].append(visit)
    held: defaultdict[int, tuple[CaseOf, ...]] = defaultdict(tuple)
    for case in cases:
        visits = by_talk.get(case.talk, [])
        place = bisect_right(visits, case.requested_at, key=lambda visit: visit.at)
        if place and case.requested_at < visits[place - 1].at + LENGTH:
            held[id(visits[place - 1])] += (case,)
    return dict(held)


def _came_back(
    visits: Sequence[Visit], place: int, topic: Mapping[int, str], held: Mapping[int, tuple[CaseOf, ...]]
) -> bool:
    """Tell whether the customer came back within a day for the same matter, or to be led to a person."""
    own = visits[place]
    later = (one for one in visits[place + 1 :] if one.at < own.at + CAME_BACK)
    return any(same_matter([topic[id(own)], topic[id(one)]]) or id(one) in held for one in later)


def _after(
    visits: Sequence[Visit], place: int, topic: Mapping[int, str], held: Mapping[int, tuple[CaseOf, ...]]
) -> str | None:
    own = visits[place]
    for one in reversed(visits[:place]):
        if one.at < own.at - REPEAT:
            return None
        if same_matter([topic[id(own)], topic[id(one)]]):
            return "person" if id(one) in held else "bot"
    return None
