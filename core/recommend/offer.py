"""An offer: what may be recommended, the yuan as an engine reckoned them, and the figures that explain it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from core.recommend.rules import Rules
from core.saving import Measure

_PERCENT = Decimal(100)


@dataclass(frozen=True)
class Offer:
    """A recommendation before it is said.

    `yuan` are the engine's, to the fen; `paid` what was paid in the same months (None: there is no such sum to measure
    it by). `basis` holds strings alone, as it is kept: numbers as they are reckoned, months as YYYY-MM-01.
    """

    kind: str
    yuan: Decimal
    basis: Mapping[str, str]
    paid: Decimal | None = None
    measure: Measure | None = field(default=None, compare=False)  # of a saving: its words need the figures

    def is_worth_saying(self, rules: Rules) -> bool:
        """Tell whether it is above the thresholds of its kind."""
        rule = rules.kinds[self.kind]
        if self.yuan <= 0 or self.yuan < rule.least_yuan:
            return False
        return self.paid is None or self.yuan * _PERCENT >= rule.least_percent * self.paid
