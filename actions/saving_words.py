"""How advice on saving is put into words (data/phrases/saving.yaml): measures, and what a business check found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from actions.base import card
from actions.energy_base import EnergyAction
from actions.labels import money, plain
from actions.services import Services
from core.energy_data import HomeFacts
from core.saving import MOST_MEASURES, Measure
from core.saving_business import BasicCheck, Checks, LoadCheck, PowerFactorCheck, ShiftCheck

_WHOLE = Decimal(1)
_CARD = "fact_card"


@dataclass(frozen=True)
class Finding:
    """What one check found: a sentence, how it was reckoned, and the yuan a year, by which findings are sorted."""

    title: str
    said: str  # empty where nothing is to be done
    how: str
    yuan: Decimal


def whole(value: Decimal) -> str:
    """Return a number without decimals: 1254.6 -> 1255."""
    return plain(value.quantize(_WHOLE, ROUND_HALF_UP))


class SavingWords:
    """The sentences of advice."""

    def __init__(self, services: Services, facts: HomeFacts) -> None:
        self._say, self._labels, self._facts = services.phrases.say, services.labels, facts

    def measures(self, measures: Sequence[Measure]) -> str:
        """Return the measures as numbered lines with their yuan."""
        return "\n".join(
            self._say("saving.line", number=number, do=self._do(one), yuan=self._yuan(one))
            for number, one in enumerate(measures, 1)
        )

    def reckoning(self, measures: Sequence[Measure]) -> dict[str, Any]:
        """Return the card that tells how each measure was reckoned."""
        rows = [{"label": self._do(one), "value": self._how(one)} for one in measures]
        return self._fact_card(self._say("saving.card.title"), rows, self._say("saving.card.note"))

    def findings(self, checks: Checks) -> list[Finding]:
        """Return what the checks found, worth most first."""
        found = [
            self._power_factor(checks.power_factor) if checks.power_factor else None,
            self._load(checks.load) if checks.load else None,
            self._basic(checks.basic) if checks.basic else None,
            self._shift(checks.shift) if checks.shift else None,
        ]
        return sorted((one for one in found if one), key=lambda one: -one.yuan)

    def lines(self, findings: Sequence[Finding]) -> str:
        """Return findings as numbered lines."""
        said = [one.said for one in findings if one.said][:MOST_MEASURES]
        if not said:
            return self._say("saving.business.nothing")
        return "\n".join(self._say("saving.business.line", number=number, do=do) for number, do in enumerate(said, 1))

    def grounds(self, findings: Sequence[Finding]) -> dict[str, Any]:
        """Return the card that tells how each finding was reckoned."""
        rows = [{"label": one.title, "value": one.how} for one in findings]
        return self._fact_card(self._say("saving.business.card"), rows, None)

    def _fact_card(self, title: str, rows: list[dict[str, str]], note: str | None) -> dict[str, Any]:
        text = "\n".join([title, *(self._say("saving.card.row", **row) for row in rows)])
        return card(_CARD, text, {"title": title, "rows": rows} | ({"note": note} if note else {}))

    def _values(self, measure: Measure) -> dict[str, str]:
        facts = self._facts.setback
        values = {name: plain(_rounded(name, value)) for name, value in measure.figures.items()}
        tier = measure.figures.get("tier")
        if tier is not None:
            values["tier"] = self._labels.tiers[int(tier)]
        percents = [self._say("saving.percent", value=plain(share * 100)) for share in (facts.low, facts.high)]
        return {"kwh": whole(measure.kwh_low)} | values | {"low": percents[0], "high": percents[1]}

    def _do(self, measure: Measure) -> str:
        return self._say(f"saving.measure.{measure.key}.do", **self._values(measure))

    def _how(self, measure: Measure) -> str:
        return self._say(f"saving.measure.{measure.key}.how", **self._values(measure))

    def _yuan(self, measure: Measure) -> str:
        low, high = whole(measure.yuan_low), whole(measure.yuan_high)
        if high == "0":
            return self._say("saving.yuan.little")
        return self._say("saving.yuan.range" if low != high else "saving.yuan.one", low=low, high=high)

    def _power_factor(self, one: PowerFactorCheck) -> Finding:
        factor, target = format(one.factor, "f"), format(one.target, "f")
        done = one.factor >= one.target or one.saving <= 0
        values = {"factor": factor, "target": target, "saving": whole(one.saving)}
        said = "" if done else self._say("saving.business.power_factor.do", **values)
        earned = {"paid": whole(abs(one.paid)), "target": target, "earned": whole(abs(one.at_target))}
        how = [self._say(f"saving.business.power_factor.{'how_paid' if one.paid > 0 else 'how_earned'}", **earned)]
        if one.kvar:
            kind = "kvar_demand" if one.measured else "kvar_mean"
            month = self._labels.of_month(one.worst)
            how.append(
                self._say(f"saving.business.power_factor.{kind}", month=month, kvar=whole(one.kvar), kw=whole(one.kw))
            )
        title = self._say("saving.business.power_factor.title")
        return Finding(title, said, self._labels.line_separator.join(how), one.saving)

    def _load(self, one: LoadCheck) -> Finding:
        values = {
            "share": whole(one.share * 100), "kw": whole(one.kw), "capacity": plain(one.capacity_kva),
            "month": self._labels.of_month(one.month),
        }  # fmt: skip
        said = "" if one.verdict == "fair" else self._say(f"saving.business.load.{one.verdict}", **values)
        how = self._say(f"saving.business.load.{'how_demand' if one.measured else 'how_mean'}", **values)
        return Finding(self._say("saving.business.load.title"), said, how, Decimal(0))

    def _basic(self, one: BasicCheck) -> Finding:
        edge, title = whole(one.break_even_kw), self._say("saving.business.basic.title")
        if one.saving is None or one.other is None:
            how = self._say("saving.business.basic.how_unknown", paid=money(one.paid), edge=edge)
            return Finding(title, self._say("saving.business.basic.unknown", edge=edge), how, Decimal(0))
        better = one.saving > 0
        said = self._say("saving.business.basic.change", saving=whole(one.saving)) if better else ""
        how = self._say(
            f"saving.business.basic.{'how' if better else 'how_stay'}", paid=money(one.paid), other=money(one.other),
            saving=whole(abs(one.saving)),
        )  # fmt: skip
        return Finding(title, said, how, max(one.saving, Decimal(0)))

    def _shift(self, one: ShiftCheck) -> Finding:
        said = self._say("saving.business.shift.do", share=plain(one.share * 100), saving=whole(one.saving))
        how = self._say("saving.business.shift.how", kwh=whole(one.kwh))
        return Finding(self._say("saving.business.shift.title"), said, how, one.saving)


def _rounded(name: str, value: Decimal) -> Decimal:
    """Round for reading: prices to 0.0001, kWh of a day to 0.1, everything else to whole numbers."""
    places = {"price": Decimal("0.0001"), "base": Decimal("0.1")}
    return value.quantize(places.get(name, _WHOLE), ROUND_HALF_UP)


class WithSavingWords(EnergyAction):
    """An action that speaks of measures and findings."""

    @property
    def words(self) -> SavingWords:
        """Return what puts them into words."""
        return SavingWords(self.services, self.facts.home)
