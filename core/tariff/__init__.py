"""Tariffs as data, and the arithmetic of bills: exact Decimals, every line rounded half-up to 0.01 yuan."""

from core.tariff.billing import charge
from core.tariff.book import TariffBook
from core.tariff.compare import Comparison, compare, compare_without_tou
from core.tariff.errors import (
    MissingDemand,
    NegativeFigure,
    NoPlanInForce,
    TariffDataError,
    TariffInputError,
    UnpricedRegister,
)
from core.tariff.hours import break_even_valley_share, period_of, price_of, shift_saving
from core.tariff.late import LateFee, late_fee
from core.tariff.model import PERIODS, Charge, Demand, Line, Period, Registers
from core.tariff.plan import Plan, Tier
from core.tariff.power_factor import compensation_kvar, power_factor, power_factor_rate
from core.tariff.savings import saved_yuan, setback_kwh, storage_cycle_yuan, used_kwh
from core.tariff.service import Service, Settlement, months_in_service, service_bounds, settle_on_closing
from core.tariff.spans import Part, SpanCharge, charge_span, split_by_days, split_registers
from core.tariff.tiers import TierPosition, split_by_tier, tier_position, year_bounds
from core.tariff.two_part import basic_lines, break_even_ratio, demand_price

__all__ = [
    "PERIODS",
    "Charge",
    "Comparison",
    "Demand",
    "Line",
    "LateFee",
    "MissingDemand",
    "NegativeFigure",
    "NoPlanInForce",
    "Part",
    "Period",
    "Plan",
    "Registers",
    "Service",
    "Settlement",
    "SpanCharge",
    "TariffBook",
    "TariffDataError",
    "TariffInputError",
    "Tier",
    "TierPosition",
    "UnpricedRegister",
    "basic_lines",
    "break_even_ratio",
    "break_even_valley_share",
    "charge",
    "charge_span",
    "compare",
    "compare_without_tou",
    "compensation_kvar",
    "demand_price",
    "late_fee",
    "months_in_service",
    "period_of",
    "power_factor",
    "power_factor_rate",
    "price_of",
    "saved_yuan",
    "service_bounds",
    "settle_on_closing",
    "setback_kwh",
    "shift_saving",
    "split_by_days",
    "split_by_tier",
    "split_registers",
    "storage_cycle_yuan",
    "tier_position",
    "used_kwh",
    "year_bounds",
]
