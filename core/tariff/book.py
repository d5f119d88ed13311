"""The book of all plans of all regions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from core.tariff.errors import NoPlanInForce, TariffDataError
from core.tariff.loading import load_plans
from core.tariff.plan import Plan


class TariffBook:
    """Plans by code; entries of one code follow one another in time and never overlap."""

    def __init__(self, plans: Iterable[Plan]) -> None:
        """Take plans built in code; raises TariffDataError when two entries of a code overlap."""
        self._entries = _ordered(("plans", plan) for plan in plans)

    @classmethod
    def load(cls, directory: Path) -> TariffBook:
        """Read all *.yaml files of a directory; raises TariffDataError naming file and key."""
        files = sorted(directory.glob("*.yaml"))
        if not files:
            raise TariffDataError(directory.name, "*.yaml", "no tariff file here")
        book = cls(())
        book._entries = _ordered((file.name, plan) for file in files for plan in load_plans(file))
        return book

    def codes(self) -> list[str]:
        """Return all plan codes, sorted."""
        return sorted(self._entries)

    def plan(self, code: str, on: date) -> Plan:
        """Return the plan of a code with the prices of a day; raises NoPlanInForce.

        Its validity is that of these prices, so it is narrower than the entry where prices change by season.
        """
        entry = next((plan for plan in self._entries.get(code, ()) if plan.covers(on)), None)
        if entry is None:
            raise NoPlanInForce(code, on)
        return entry.at(on)

    def plans(self, *, region: str | None = None, user_class: str | None = None, on: date | None = None) -> list[Plan]:
        """Return the plans of a region, a class, a day, sorted by code and time.

        Without a day every entry is given whole, with the prices of its first season.
        """
        return [
            plan.at(on) if on else plan
            for code in self.codes()
            for plan in self._entries[code]
            if region in (None, plan.region)
            and user_class in (None, plan.user_class)
            and (on is None or plan.covers(on))
        ]


def _ordered(plans: Iterable[tuple[str, Plan]]) -> dict[str, list[Plan]]:
    by_code: dict[str, list[tuple[str, Plan]]] = defaultdict(list)
    for file, plan in plans:
        by_code[plan.code].append((file, plan))
    for code, entries in by_code.items():
        entries.sort(key=lambda entry: entry[1].effective_from)
        for (_, earlier), (file, later) in zip(entries[:-1], entries[1:], strict=True):
            if earlier.effective_to is None or later.effective_from <= earlier.effective_to:
                problem = f"entry from {later.effective_from} overlaps that from {earlier.effective_from}"
                raise TariffDataError(file, code, problem)
    return {code: [plan for _, plan in entries] for code, entries in by_code.items()}
