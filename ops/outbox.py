"""`dianfu outbox …`: what is not delivered yet and what was given up, without anything personal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core import outbox
from core.clock import SHANGHAI, system_clock
from core.outbox import ItemNotFound, OutboxItem
from core.settings import CoreSettings
from ops import databases
from ops.output import Exit, fail
from ops.tool import settings_of

outbox_app = typer.Typer(help="Deliveries: what waits, what was given up; send again or drop.", no_args_is_help=True)
Number = Annotated[int, typer.Argument(help="The item's number.", min=1)]


@contextmanager
def _bridge() -> Iterator[Session]:
    """Give a transaction; what an operator may run into ends the command with a line that says it."""
    try:
        settings = settings_of(CoreSettings)
        with databases.opened(settings.bridge_url) as database, database.transaction() as session:
            yield session
    except ItemNotFound as error:
        fail(f"there is no item {error} that is not done")
    except SQLAlchemyError as error:
        fail(f"the bridge database cannot be asked (`dianfu migrate`): {type(error).__name__}")


@outbox_app.command("list")
def show_all(
    dead: Annotated[bool, typer.Option("--dead", help="Only what was given up.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10000, help="How many at most.")] = 100,
) -> None:
    """List what is not delivered, oldest first."""
    with _bridge() as session:
        for item in outbox.undone(session, dead=dead, limit=limit):
            typer.echo(_line(item))


@outbox_app.command()
def show(number: Number) -> None:
    """Show one item; of what it carries only the names."""
    with _bridge() as session:
        item = outbox.find(session, number)
        typer.echo(_line(item))
        typer.echo(f"key {item.key}")
        typer.echo(f"carries {', '.join(sorted(item.payload)) or 'nothing'}")
        typer.echo(f"next {_at(item.next_at)}, given up {_at(item.dead_at)}, done {_at(item.done_at)}")


@outbox_app.command()
def retry(
    number: Annotated[int | None, typer.Argument(help="The item's number.", min=1)] = None,
    everything: Annotated[bool, typer.Option("--all", help="Whatever was given up.")] = False,
) -> None:
    """Have an item delivered anew, or all that were given up."""
    if (number is None) != everything:
        fail("say either the item's number or --all", Exit.SETTINGS)
    with _bridge() as session:
        numbers = [item.id for item in outbox.undone(session, dead=True, limit=100_000)] if everything else [number]
        for one in numbers:
            outbox.retry(session, one or 0, now=system_clock())
    typer.echo(f"{len(numbers)} {'is' if len(numbers) == 1 else 'are'} tried again")


@outbox_app.command()
def drop(number: Number, why: Annotated[str, typer.Option(help="Kept with the item.")]) -> None:
    """Give an item up for good."""
    if not why.strip():
        fail("say why", Exit.SETTINGS)
    with _bridge() as session:
        typer.echo(_line(outbox.drop(session, number, why=why.strip(), now=system_clock())))


def _line(item: OutboxItem) -> str:
    state = "done" if item.done_at else "dead" if item.dead_at else "waiting"
    return f"{item.id}  {state:<7}  {_at(item.created_at)}  {item.kind}  tries {item.attempts}  {item.error or '-'}"


def _at(at: datetime | None) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}" if at else "-"
