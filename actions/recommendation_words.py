"""A recommendation in words: what, how many yuan, reckoned from what (data/phrases/recommendation.yaml)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from actions.labels import money, plain
from actions.saving_words import SavingWords
from actions.services import Services
from core.energy_data import HomeFacts
from core.recommend.offer import Offer

_MONEY = frozenset({"now", "then", "paid", "at_target", "other"})
_NUMBERS = frozenset(
    {"daily", "kwh", "left", "moved", "valley", "over", "kvar", "edge", "capacity", "contract", "most"}
)
_PLACES = {"daily": Decimal("0.1"), "kvar": Decimal(1), "edge": Decimal(1), "contract": Decimal(1)}
_SIGNED = "power_factor"  # its sums may be a reward
_DAYS = ("on", "as_of", "due")


@dataclass(frozen=True)
class OfferWords:
    """Puts offers into words."""

    services: Services
    facts: HomeFacts

    def text(self, offer: Offer, *, figures_first: bool, today: date) -> str:
        """Return the message: the offer, and on the next line what it was reckoned from."""
        say, values = self.services.phrases.say, self._values(offer, today)
        said = say(f"recommendation.{offer.kind}.{'figures' if figures_first else 'plain'}", **values)
        basis = say(f"recommendation.{offer.kind}.basis", **values)
        unsure = say("recommendation.unsure") if offer.basis.get("unsure") else ""
        return f"{said}\n{basis}{unsure}"

    def _values(self, offer: Offer, today: date) -> dict[str, str]:
        labels, values = self.services.labels, dict(offer.basis)
        for name, value in offer.basis.items():
            if name in _MONEY and value:
                values[name] = self._adjusted(Decimal(value)) if offer.kind == _SIGNED else money(Decimal(value))
            elif name in _NUMBERS and value:
                values[name] = plain(Decimal(value).quantize(_PLACES.get(name, Decimal("0.01")), ROUND_HALF_UP))
            elif name in _DAYS:
                values[name] = labels.of_day(date.fromisoformat(value), today)
        if "next_tier" in values:
            values["next_tier"] = labels.tiers[int(values["next_tier"])]
        if "more" in values:
            values["more"] = plain(Decimal(values["more"]))
        if "first" in values:
            months = (date.fromisoformat(offer.basis[name]) for name in ("first", "last"))
            values["period"] = labels.of_months(*months)
        return values | {"yuan": money(offer.yuan)} | self._measure(offer) | self._methods(offer, values)

    def _methods(self, offer: Offer, values: dict[str, str]) -> dict[str, str]:
        """Return the two methods of the basic charge, and what to know of the better one."""
        if "method_now" not in offer.basis:
            return {}
        say, method = self.services.phrases.say, offer.basis["method"]
        found = {
            "method": say(f"recommendation.method.{method}", **values),
            "note": say(f"recommendation.note.{method}", **values),
        }
        return found | {"method_now": say(f"recommendation.method_now.{offer.basis['method_now']}")}

    def _adjusted(self, yuan: Decimal) -> str:
        key = "earned" if yuan < 0 else "cost"
        return self.services.phrases.say(f"recommendation.{key}", yuan=money(abs(yuan)))

    def _measure(self, offer: Offer) -> dict[str, str]:
        if offer.measure is None or offer.kind != "saving_measure":
            return {}
        words = SavingWords(self.services, self.facts)
        row = words.reckoning([offer.measure])["card"]["rows"][0]
        low, high = offer.measure.yuan_low, offer.measure.yuan_high
        span = money(low)
        if high != low:
            span = self.services.phrases.say("recommendation.range", low=money(low), high=money(high))
        return {"do": str(row["label"]), "reckoned": str(row["value"]), "range": span}
