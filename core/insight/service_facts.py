"""What the board of the service is made of, each read once, for the days asked for and as many before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from core.handoff.figures import HOURS, Calendars
from core.insight.arrivals import Arrival, arrivals_of
from core.insight.case_memory import cases_in
from core.insight.contacts import CAME_BACK, REPEAT, CaseOf, Contact, contacts
from core.insight.kpi import Asked, Sources
from core.insight.promised import Complaint, Owed, Told, call_backs, complaints, customers_at, told_promises
from core.insight.spans import Span
from core.insight.talked import CaseItem, case_items, cases_of
from core.insight.topics import topics_of
from core.insight.visit_memory import visits_in
from core.insight.visits import LENGTH, Visit, first_said
from core.insight.words import Words


@dataclass(frozen=True)
class ServiceFacts:
    """The facts; each property reads its own database when it is first asked for."""

    sources: Sources
    asked: Asked
    words: Words

    @cached_property
    def contacts(self) -> list[Contact]:
        """All contacts."""
        return [one for one in self._all_contacts if self._in_channel(one.visit.channel)]

    @cached_property
    def cases(self) -> list[CaseItem]:
        """All cases."""
        window = self.asked.window
        with self.sources.bridge.reading() as session:
            calendars = Calendars.read(session, self.sources.data_dir / "desk" / f"{HOURS}.yaml")
            figures = cases_in(session, self.sources.bridge, calendars, window, now=self.asked.now)
            found = case_items(session, figures, self._all_contacts, window.start, window.end)
        return [one for one in found if self._in_channel(one.channel)]

    @cached_property
    def promises(self) -> list[Told]:
        """Times told to customers."""
        window = self.asked.window
        with self.sources.workorder.reading() as session:
            return told_promises(session, window.start, window.end, now=self.asked.now)

    @cached_property
    def complaints(self) -> list[Complaint]:
        """Orders about complaints."""
        window = self.asked.window
        with self.sources.workorder.reading() as session:
            return complaints(session, window.start, window.end)

    @cached_property
    def call_backs(self) -> list[Owed]:
        """Contacts that are owed."""
        window = self.asked.window
        with self.sources.bridge.reading() as session:
            return call_backs(session, window.start, window.end, now=self.asked.now)

    @cached_property
    def arrivals(self) -> list[Arrival]:
        """Arrival clocks of field orders."""
        return arrivals_of(self.sources, self.asked.window, now=self.asked.now)

    @cached_property
    def since(self) -> datetime | None:
        """When a customer first wrote."""
        with self.sources.bridge.reading() as session:
            return first_said(session)

    def within(self, name: str, span: Span) -> list[Any]:
        """Return the facts of this name that are of these days."""
        key = name, span
        if key not in self._within:
            start, end = span.start, span.end
            self._within[key] = [one for one in getattr(self, name) if start <= one.at < end]
        return self._within[key]

    @cached_property
    def _within(self) -> dict[tuple[str, Span], list[Any]]:
        return {}

    def customers(self, span: Span) -> int:
        """Return how many customers there were on the last day, at most today's."""
        with self.sources.billing.reading() as session:
            return customers_at(session, span.last)

    @cached_property
    def _visits(self) -> tuple[list[Visit], list[CaseOf]]:
        window, data_dir = self.asked.window, self.sources.data_dir
        span = Span(window.first - REPEAT, window.last + CAME_BACK)
        with self.sources.bridge.reading() as session:
            found = visits_in(
                session, self.sources.bridge, data_dir, span, apology=_apology(data_dir), now=self.asked.now
            )
            return found, cases_of(session, span.start, span.end + LENGTH)

    @cached_property
    def _all_contacts(self) -> list[Contact]:
        (found, cases), window = self._visits, self.asked.window
        topics = topics_of(self.sources.data_dir)
        return contacts(found, cases, topics, since=window.start, until=window.end, now=self.asked.now)

    def _in_channel(self, channel: str) -> bool:
        return self.asked.channel is None or channel == self.asked.channel


@cache
def _apology(data_dir: Path) -> str:
    return str(yaml.safe_load((data_dir / "wording.yaml").read_text(encoding="utf-8"))["apology"])
