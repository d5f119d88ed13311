"""The shape of a tariff file: every key named, numbers as quoted strings, nothing extra."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from core.tariff.model import Period

DAY = 24 * 60
UserClass = Literal["residential", "commercial", "industrial", "agricultural", "charging", "shared_meter"]


def _quoted(value: Any) -> Any:
    if isinstance(value, (float, bool)):
        raise ValueError("write the number as a quoted string, a float is not exact")
    return value


def _minutes(value: Any) -> Any:
    """Read "06:00" (also "24:00") as minutes; unquoted YAML would read it as a base-60 number."""
    if not isinstance(value, str):
        raise ValueError('write the time as a quoted string, "06:00"')
    hours, colon, minutes = value.partition(":")
    if not (colon and hours.isdigit() and minutes.isdigit()):
        raise ValueError(f"{value!r} is no time of day")
    total = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or total > DAY:
        raise ValueError(f"{value!r} is no time of day")
    return total


def _months(value: frozenset[int]) -> frozenset[int]:
    if not value or not value <= frozenset(range(1, 13)):
        raise ValueError("months are 1 to 12")
    return value


Exact = Annotated[Decimal, BeforeValidator(_quoted), Field(allow_inf_nan=False)]
Price = Annotated[Exact, Field(ge=0)]
Minutes = Annotated[int, BeforeValidator(_minutes)]
Months = Annotated[frozenset[int], AfterValidator(_months)]
Prices = dict[Period, Price]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TierData(_Strict):
    """One tier; no `upper` means open."""

    upper: Price | None = None
    price: Price


class WindowData(_Strict):
    """Hours of a period; all months unless named."""

    months: Months = frozenset(range(1, 13))
    start: Minutes
    end: Minutes
    period: Period

    @model_validator(mode="after")
    def _is_not_empty(self) -> Self:
        if self.start == self.end:
            raise ValueError("a window needs two different times")
        return self


class MultiplierData(_Strict):
    """Multipliers of the floating part by period, for some months."""

    months: Months = frozenset(range(1, 13))
    by_period: Prices


class ComponentsData(_Strict):
    """Parts of an agent-purchase price, yuan per kWh."""

    agent_price: Price
    line_loss: Price
    transmission: Price
    system_operation: Price
    funds: Price


class BasicData(_Strict):
    """Basic charge of a two-part plan."""

    demand_price: Price
    capacity_price: Price
    contract_floor: Price
    excess_from: Price
    excess_factor: Price
    heavy_use_kwh_per_kva: Price
    heavy_use_factor: Price


class PowerFactorData(_Strict):
    """A power-factor standard and the capacities it holds for."""

    standard: Price
    over_kva: Price | None = None
    from_kva: Price | None = None


class PlanData(_Strict):
    """One entry of a file: a plan in one span of validity."""

    code: str = Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)+$")
    name: str = Field(min_length=1)
    user_class: UserClass
    voltage: str = Field(min_length=1)
    kind: Literal["tier", "flat", "tou", "tou_tier", "industrial"]
    effective_from: date
    effective_to: date | None = None
    source: str = Field(min_length=1)
    verified_at: date | None = None
    status: Literal["verified", "assumed", "expired"]
    note: str = ""
    tiers: tuple[TierData, ...] = ()
    prices: Prices = {}
    published: Prices = {}
    components: ComponentsData | None = None
    multipliers: tuple[MultiplierData, ...] = ()
    periods: tuple[WindowData, ...] = ()
    per_tier_surcharge: tuple[Price, ...] = ()
    surcharge_by_period: dict[Period, tuple[Price, ...]] = {}
    large_family_extends: Literal["all_bounds", "first_only"] = "all_bounds"
    basic: BasicData | None = None
    power_factor: tuple[PowerFactorData, ...] = ()
    without_tou: str | None = None

    @model_validator(mode="after")
    def _is_sure_of_itself(self) -> Self:
        if self.effective_to is not None and self.effective_to < self.effective_from:
            raise ValueError("effective_to is before effective_from")
        if self.status == "verified" and self.verified_at is None:
            raise ValueError("a verified plan needs verified_at")
        if self.status != "verified" and not self.note:
            raise ValueError("a plan that is not verified needs a note that says why")
        return self

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        tiered = self.kind in ("tier", "tou_tier")
        if bool(self.tiers) != tiered:
            raise ValueError(f"kind {self.kind} {'needs' if tiered else 'takes no'} tiers")
        if bool(self.components) != bool(self.multipliers):
            raise ValueError("components and multipliers belong together")
        priced = int(bool(self.prices)) + int(bool(self.components))
        if priced != (0 if self.kind == "tier" else 1):
            raise ValueError("give either prices or components, and neither for kind tier")
        if bool(self.periods) != (self.kind in ("tou", "tou_tier", "industrial")):
            raise ValueError(f"kind {self.kind} and periods do not fit")
        if bool(self.basic) != (self.kind == "industrial"):
            raise ValueError("kind industrial and a basic charge belong together")
        return self

    @model_validator(mode="after")
    def _tiers_ascend(self) -> Self:
        uppers = [tier.upper for tier in self.tiers[:-1]]
        known = [upper for upper in uppers if upper is not None]
        is_open = not self.tiers or self.tiers[-1].upper is None
        if not is_open or known != uppers or known != sorted(set(known)):
            raise ValueError("tiers need ascending bounds, the last one open")
        return self

    @model_validator(mode="after")
    def _surcharges_fit_the_tiers(self) -> Self:
        rows = [*self.surcharge_by_period.values(), self.per_tier_surcharge]
        given = [row for row in rows if row]
        if bool(given) != (self.kind == "tou_tier"):
            raise ValueError("kind tou_tier, and only it, needs surcharges")
        if any(len(row) != len(self.tiers) or row[0] != 0 for row in given):
            raise ValueError("surcharges need one figure a tier, 0 for the first")
        return self


class RegionData(_Strict):
    """A whole file; `shared` only holds YAML anchors."""

    region: str = Field(pattern=r"^[a-z]+$")
    name: str
    shared: Any = None
    plans: tuple[PlanData, ...] = Field(min_length=1)
