"""Exact numbers of a bill: Decimals only, rounded half-up (the spec's rule R1: every printed line)."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from core.tariff.errors import NegativeFigure, TariffInputError

ZERO = Decimal(0)
CENT = Decimal("0.01")


def round_to(value: Decimal, quantum: Decimal) -> Decimal:
    """Return `value` rounded half-up (ties away from zero) to the places of `quantum`."""
    rounded = value.quantize(quantum, rounding=ROUND_HALF_UP)
    # A bill must not print "-0.00".
    return abs(rounded) if rounded == 0 else rounded


def money(value: Decimal) -> Decimal:
    """Return yuan rounded half-up to 0.01."""
    return round_to(value, CENT)


def non_negative(value: Decimal | int | str, field: str) -> Decimal:
    """Return `value` as a finite Decimal of at least 0; raises TariffInputError, NegativeFigure.

    Floats are refused: 0.558 as a float is not 0.558.
    """
    if isinstance(value, (bool, float)):
        raise TariffInputError(field, "must be a Decimal, not a float")
    try:
        number = Decimal(value)
    except (ArithmeticError, TypeError, ValueError) as problem:
        raise TariffInputError(field, "is not a number") from problem
    if not number.is_finite():
        raise TariffInputError(field, "must be finite")
    if number < 0:
        raise NegativeFigure(field)
    return number


def whole_between(value: int, low: int, high: int, field: str) -> int:
    """Return `value` if it lies in low..high; raises TariffInputError."""
    if not low <= value <= high:
        raise TariffInputError(field, f"must be {low} to {high}")
    return value
