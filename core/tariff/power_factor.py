"""The power factor of a month and what it costs or earns ((83) 水电财字第215号, domain facts 1.6)."""

from __future__ import annotations

from decimal import Decimal

from core.tariff.errors import TariffInputError
from core.tariff.numbers import CENT, ZERO, non_negative, round_to

STANDARDS = (Decimal("0.90"), Decimal("0.85"), Decimal("0.80"))
# Rewards end here; below 0.90 one hundredth earns 0.1 %, above it 0.15 %.
_BEST = {Decimal("0.90"): Decimal("0.95"), Decimal("0.85"): Decimal("0.94"), Decimal("0.80"): Decimal("0.92")}
_BEND = Decimal("0.90")
_STEP_BELOW, _STEP_ABOVE = Decimal("0.1"), Decimal("0.15")
# Penalties: 20 hundredths at 0.5 %, 5 at 1 %, 2 % from there on.
_HALF_STEPS, _WHOLE_STEPS = 20, 5
_PERCENT = Decimal(100)


def power_factor(kwh: Decimal, kvarh: Decimal) -> Decimal:
    """Return kWh / sqrt(kWh² + kvarh²) of a month, rounded half-up to 0.01; raises TariffInputError for 0
    kWh.
    """
    active, reactive = non_negative(kwh, "kwh"), non_negative(kvarh, "kvarh")
    if not active:
        raise TariffInputError("kwh", "no power factor without energy")
    return round_to(active / (active * active + reactive * reactive).sqrt(), CENT)


def power_factor_rate(pf: Decimal, standard: Decimal) -> Decimal:
    """Return the adjustment as a fraction of the base (-0.0045 is a reward of 0.45 %, 0.05 a penalty of 5 %).

    `standard` is 0.90, 0.85 or 0.80; raises TariffInputError for others and for a `pf` outside 0..1.
    """
    factor, wanted = non_negative(pf, "pf"), non_negative(standard, "standard")
    if wanted not in STANDARDS:
        raise TariffInputError("standard", "must be 0.90, 0.85 or 0.80")
    if factor > 1:
        raise TariffInputError("pf", "must be 0 to 1")
    factor = round_to(factor, CENT)
    percent = -_reward(factor, wanted) if factor >= wanted else _penalty(factor, wanted)
    return percent / _PERCENT


def _reward(pf: Decimal, standard: Decimal) -> Decimal:
    below = max(ZERO, min(pf, _BEND) - standard)
    above = max(ZERO, min(pf, _BEST[standard]) - max(_BEND, standard))
    return (below * _STEP_BELOW + above * _STEP_ABOVE) * _PERCENT


def _penalty(pf: Decimal, standard: Decimal) -> Decimal:
    steps = int((standard - pf) * _PERCENT)
    half = min(steps, _HALF_STEPS)
    whole = min(max(steps - _HALF_STEPS, 0), _WHOLE_STEPS)
    double = max(steps - _HALF_STEPS - _WHOLE_STEPS, 0)
    return Decimal(half) / 2 + whole + 2 * double


def compensation_kvar(kw: Decimal, pf_now: Decimal, pf_wanted: Decimal) -> Decimal:
    """Return the kvar of capacitors that lift `kw` from one power factor to a better one: P x (tan φ1 - tan
    φ2).

    Rounded to 0.1 kvar; 0 if the factor is already good enough. Raises TariffInputError outside 0 < pf <= 1.
    """
    needed = non_negative(kw, "kw") * (_tan(pf_now, "pf_now") - _tan(pf_wanted, "pf_wanted"))
    return round_to(max(ZERO, needed), Decimal("0.1"))


def _tan(pf: Decimal, field: str) -> Decimal:
    cosine = non_negative(pf, field)
    if not 0 < cosine <= 1:
        raise TariffInputError(field, "must be above 0 and at most 1")
    return (1 - cosine * cosine).sqrt() / cosine
