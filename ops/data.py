"""`dianfu migrate`, `dianfu seed`, `dianfu rotate-fields`."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from core.fields import UnreadableField
from core.migrations import METADATA
from core.seed import AlreadySeeded, DemoDataError, SeedSummary, WindowTooEarly
from core.seed.history import HistorySummary
from core.settings import CoreSettings
from core.tariff import TariffDataError
from ops import databases
from ops.output import Exit, Progressing, fail
from ops.tool import settings_of


def migrate(
    only: Annotated[list[str] | None, typer.Option(help="billing, workorder or bridge; all if not given.")] = None,
) -> None:
    """Bring the databases to the newest revision."""
    unknown = set(only or ()) - set(METADATA)
    if unknown:
        fail(
            f"no database is called {', '.join(sorted(unknown))}; there are {', '.join(METADATA)}",
            Exit.SETTINGS,
        )
    try:
        databases.migrate(settings_of(CoreSettings), only)
    except SQLAlchemyError as error:
        fail(f"migration failed: {error}", Exit.PREPARATION)
    typer.echo(f"at the newest revision: {', '.join(only or METADATA)}")


def seed(
    customers: Annotated[int, typer.Option(min=1, help="How many customers.")] = 500,
    months: Annotated[int, typer.Option(min=1, max=120, help="How many months of bills.")] = 36,
    reset: Annotated[bool, typer.Option("--reset", help="Delete what is there first (development).")] = False,
    history: Annotated[
        bool, typer.Option(help="Also sixty days of conversations, where there is none yet (development).")
    ] = True,
) -> None:
    """Fill the empty databases with the demonstration region."""
    settings = settings_of(CoreSettings)
    if reset and not settings.development:
        fail("--reset deletes all billing data and works in development alone", Exit.SETTINGS)
    began = time.monotonic()
    try:
        databases.migrate(settings)
        if reset:
            databases.empty_billing(settings)
        with Progressing() as report:
            made = databases.fill(settings, report, customers=customers, months=months)
        if settings.development:
            databases.fill_desk(settings)
        told = _fill_history(settings) if history and settings.development else None
    except AlreadySeeded:
        fail("the billing database holds customers already; `dianfu seed --reset` makes it anew (development)")
    except (WindowTooEarly, DemoDataError, TariffDataError, ValueError) as error:
        fail(f"seeding is not possible: {error}", Exit.PREPARATION)
    except SQLAlchemyError as error:
        fail(f"seeding failed, nothing was written: {error}", Exit.PREPARATION)
    _tell(made, told, seconds=time.monotonic() - began)


def _fill_history(settings: CoreSettings) -> HistorySummary | None:
    """Make the past of the demonstration, unless somebody has talked already."""
    if databases.has_history(settings):
        return None
    with Progressing() as report:
        return databases.fill_history(settings, report)


def _tell(made: SeedSummary | None, told: HistorySummary | None, *, seconds: float) -> None:
    if made is None:
        typer.echo(f"the customers were there; made the network and the orders ({seconds:.0f} s)")
    else:
        typer.echo(
            f"{made.customers} customers, {made.accounts} accounts, {made.bills} bills "
            f"from {made.first_month:%Y-%m} on ({seconds:.0f} s)"
        )
    if told is not None:
        typer.echo(
            f"{told.conversations} conversations, {told.cases} of them with people, {told.orders} orders, "
            f"{told.outages} outages from {told.first_day} to {told.last_day}"
        )


def rotate_fields() -> None:
    """Write all encrypted fields anew under the active (first) key of DIANFU_FIELD_KEYS."""
    try:
        with Progressing() as report:
            changed = databases.rotate_fields(settings_of(CoreSettings), report)
    except UnreadableField as error:
        fail(f"a field cannot be read, keep its old key in DIANFU_FIELD_KEYS: {error}")
    except SQLAlchemyError as error:
        fail(f"the billing database failed; run the command again, it goes on where it stopped: {error}")
    typer.echo(f"{changed} rows written under the active key")
