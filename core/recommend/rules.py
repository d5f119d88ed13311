"""What is recommended to whom, after which answers, from what sum on, and when not (data/recommendations.yaml)."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.recommend.tables import RECOMMENDATIONS
from core.segment.tables import SEGMENTS, SPECIAL

RULES_FILE = Path(__file__).parents[2] / "data" / "recommendations.yaml"
UNKNOWN = "unknown"


class RulesError(Exception):
    """The file is wrong; names what is."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class After(_Strict):
    """After which responses of an action a recommendation may follow, and which kinds the action told itself.

    `only`: responses after which nothing but these kinds fits.
    """

    responses: frozenset[str]
    without: frozenset[str] = frozenset()
    only: dict[str, frozenset[str]] = {}

    def unfit(self, response: str, kinds: Collection[str]) -> frozenset[str]:
        """Return which of the kinds do not go with a response."""
        fit = self.only.get(response)
        return self.without if fit is None else self.without | (frozenset(kinds) - fit)

    @model_validator(mode="after")
    def _is_of_these(self) -> Self:
        if not set(self.only) <= self.responses:
            raise ValueError("only is said of other responses")
        return self


class KindRule(_Strict):
    """From what on a kind is worth saying, and where 怎么办理 leads; `again`: what reckons it anew, later."""

    least_yuan: Decimal = Field(ge=0)
    least_percent: Decimal = Field(ge=0)
    sells: bool
    least_months: int = Field(default=1, ge=1, le=12)
    within_days: int = Field(default=0, ge=0)
    high_bill: Decimal = Field(default=Decimal(0), ge=0)
    start: str = ""
    leads: tuple[str, ...] = ()
    again: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Self:
        if bool(self.start) == bool(self.leads):
            raise ValueError("say either start or leads")
        if bool(self.start) != bool(self.again):
            raise ValueError("what opens a form needs to say what reckons it again")
        return self


class EffectRule(_Strict):
    """How the effect is measured."""

    months: int = Field(ge=1, le=12)
    least: int = Field(ge=2)
    confidence: float = Field(gt=0.5, lt=1)


class CampaignRule(_Strict):
    """What a campaign may not say, how long its text and its life are, and the days between two of one customer."""

    segment_words: tuple[str, ...]
    pressure_words: tuple[str, ...]
    longest: int = Field(gt=0)
    good_days: int = Field(gt=0)
    apart_days: int = Field(ge=0)


class Rules(_Strict):
    """The whole file."""

    held_out_percent: float = Field(ge=0, le=50)
    apart_days: int = Field(ge=0)
    talk_days: int = Field(ge=0)
    quiet_hours: int = Field(ge=0)
    quiet_intents: frozenset[str]
    quiet_orders: frozenset[str]
    after: dict[str, After]
    kinds: dict[str, KindRule]
    order: dict[str, tuple[str, ...]]
    figures_first: frozenset[str]
    effect: EffectRule
    campaigns: CampaignRule

    @classmethod
    def load(cls, path: Path) -> Rules:
        """Read the file.

        Raises:
            RulesError: if something in it is missing, unknown or does not fit.
        """
        try:
            return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (OSError, yaml.YAMLError, ValidationError) as error:
            raise RulesError(f"{path.name}: {error}") from error

    def order_of(self, segment: str | None) -> tuple[str, ...]:
        """Return the kinds for a segment, what comes first first."""
        return self.order[segment if segment in self.order else UNKNOWN]

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if set(self.kinds) != set(RECOMMENDATIONS):
            raise ValueError(f"the kinds are {', '.join(RECOMMENDATIONS)}")
        if set(self.order) != {*SEGMENTS, UNKNOWN}:
            raise ValueError("an order is needed for each segment, and for unknown")
        named = {kind for kinds in self.order.values() for kind in kinds}
        named |= {kind for one in self.after.values() for kind in one.without.union(*one.only.values())}
        if not named <= set(self.kinds):
            raise ValueError(f"there is no {', '.join(sorted(named - set(self.kinds)))}")
        if any(self.kinds[kind].sells for kind in self.order[SPECIAL]):
            raise ValueError("customers who need special service are offered nothing that has to be bought")
        return self


@cache
def recommend_rules(path: Path = RULES_FILE) -> Rules:
    """Return the rules of a file, read once."""
    return Rules.load(path)
