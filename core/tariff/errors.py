"""What can go wrong with tariffs: bad data, no plan on a day, inputs that no bill can have."""

from __future__ import annotations

from datetime import date

from core.errors import BusinessError


class TariffDataError(Exception):
    """A tariff file is wrong; names the file and the key in it."""

    def __init__(self, file: str, key: str, problem: str) -> None:
        super().__init__(f"{file}: {key}: {problem}")
        self.file = file
        self.key = key
        self.problem = problem


class NoPlanInForce(BusinessError):
    """No plan of this code covers the day, so no price may be quoted for it."""

    code = "no_plan_in_force"

    def __init__(self, plan: str, on: date) -> None:
        super().__init__(plan=plan, on=on.isoformat())

    def __str__(self) -> str:
        return f"no plan {self.values['plan']} in force on {self.values['on']}"


class TariffInputError(ValueError):
    """A figure given to the engine cannot stand on a bill; `field` names it."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class NegativeFigure(TariffInputError):
    """An amount of energy, power or money is below zero."""

    def __init__(self, field: str) -> None:
        super().__init__(field, "must not be negative")


class UnpricedRegister(TariffInputError):
    """The meter counted kWh in a register for which the plan has no price."""

    def __init__(self, period: str, plan: str) -> None:
        super().__init__(period, f"plan {plan} has no price for this register")


class MissingDemand(TariffInputError):
    """A two-part plan, or the chosen way of its basic charge, needs a figure that was not given."""
