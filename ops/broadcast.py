"""`dianfu broadcast …`: messages that we send first, as an operator sees, starts and stops them."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core.clock import SHANGHAI, system_clock
from core.proactive import broadcast
from core.proactive.broadcast import BadAudience, BroadcastNotFound, WrongState
from core.proactive.kinds import MissingValue, Notices, UnknownWording
from core.proactive.tables import DEAD, SENDING, SENT, SKIPPED, STOPPED, WAITING, Broadcast
from core.settings import CoreSettings
from ops import databases
from ops.output import Exit, fail
from ops.tool import settings_of

STATES = (WAITING, SENDING, SENT, SKIPPED, DEAD)
broadcast_app = typer.Typer(help="Messages that we send first: list, start, stop, go on.", no_args_is_help=True)
Number = Annotated[int, typer.Argument(help="The broadcast's number.", min=1)]


class Order(BaseModel):
    """What a file for `start` says."""

    model_config = ConfigDict(extra="forbid")

    kind: str
    key: str = Field(min_length=1, max_length=broadcast.MAX_KEY)
    wording: str
    values: dict[str, str] = {}
    audience: dict[str, Any]
    not_before: datetime | None = None
    expires_at: datetime | None = None


@contextmanager
def _bridge(settings: CoreSettings) -> Iterator[Session]:
    """Give a transaction; what an operator may run into ends the command with a line that says it."""
    try:
        with databases.opened(settings.bridge_url) as database, database.transaction() as session:
            yield session
    except BroadcastNotFound as error:
        fail(f"there is no broadcast {error}")
    except WrongState as error:
        fail(f"the broadcast is {error}; it cannot take that step")
    except SQLAlchemyError as error:
        fail(f"the bridge database cannot be asked (`dianfu migrate`): {type(error).__name__}")


@broadcast_app.command("list")
def show_all(limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 20) -> None:
    """List broadcasts, the newest first: number, state, words, when, how many sends are in which state."""
    with _bridge(settings_of(CoreSettings)) as session:
        rows = broadcast.latest(session, limit=limit)
        counted = broadcast.counts(session, [row.id for row in rows])
        for row in rows:
            typer.echo(_line(row, counted[row.id]))


@broadcast_app.command()
def show(number: Number) -> None:
    """Show one broadcast: key, values, audience, times, who stopped it."""
    with _bridge(settings_of(CoreSettings)) as session:
        row = broadcast.find(session, number)
        typer.echo(_line(row, broadcast.counts(session, [number])[number]))
        typer.echo(f"key {row.key}")
        typer.echo(f"audience {_people(row.audience)}; fanned out: {'yes' if row.fanned_out else f'no, {row.cursor}'}")
        for name, value in row.values.items():
            typer.echo(f"  {name}: {value}")
        typer.echo(f"not before {_at(row.not_before)}, not after {_at(row.expires_at)}, ended {_at(row.ended_at)}")
        if row.stopped_by:
            typer.echo(f"stopped by {row.stopped_by}")


@broadcast_app.command()
def start(file: Annotated[Path, typer.Argument(help="YAML or JSON: kind, key, wording, values, audience.")]) -> None:
    """Announce what a file says; the same key again changes nothing."""
    settings = settings_of(CoreSettings)
    try:
        order = Order.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
        notices = Notices.load(settings.data_dir / "notices.yaml")
        with _bridge(settings) as session:
            row = broadcast.announce(
                session, notices, kind=order.kind, key=order.key, wording=order.wording, values=order.values,
                audience=order.audience, now=system_clock(), not_before=_aware(order.not_before),
                expires_at=_aware(order.expires_at),
            )  # fmt: skip
            typer.echo(_line(row, broadcast.counts(session, [row.id])[row.id]))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        fail(f"{file} cannot be read: {type(error).__name__}", Exit.SETTINGS)
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_input=False)]
        fail(f"{file} is no broadcast:\n  " + "\n  ".join(wrong), Exit.SETTINGS)
    except (BadAudience, MissingValue) as error:
        fail(str(error), Exit.SETTINGS)
    except UnknownWording as error:
        fail(f"data/notices.yaml has no wording {error} of this kind", Exit.SETTINGS)


@broadcast_app.command()
def stop(number: Number) -> None:
    """Stop a broadcast within a second; what is on its way arrives."""
    with _bridge(settings_of(CoreSettings)) as session:
        row = broadcast.stop(session, number, by=f"dianfu: {_caller()}", now=system_clock())
        typer.echo(_line(row, broadcast.counts(session, [number])[number]))


@broadcast_app.command()
def resume(
    number: Number,
    dead: Annotated[bool, typer.Option("--dead", help="Also send again what was given up.")] = False,
) -> None:
    """Let a stopped broadcast go on where it was."""
    with _bridge(settings_of(CoreSettings)) as session:
        if dead:
            typer.echo(f"{broadcast.again(session, number, now=system_clock())} sends are tried again")
        row = broadcast.find(session, number)
        if not dead or row.state == STOPPED:
            row = broadcast.resume(session, number, now=system_clock())
        typer.echo(_line(row, broadcast.counts(session, [number])[number]))


def _line(row: Broadcast, counted: dict[str, int]) -> str:
    sends = " ".join(f"{state} {counted[state]}" for state in STATES if counted.get(state)) or "no sends yet"
    return f"{row.id}  {row.state:<8}  {_at(row.created_at)}  {row.wording}  {sends}"


def _people(audience: dict[str, Any]) -> str:
    return ", ".join(name if value is True else f"{len(value)} {name}" for name, value in audience.items())


def _at(at: datetime | None) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}" if at else "-"


def _aware(at: datetime | None) -> datetime | None:
    """Return an instant; one without a zone is of Shanghai."""
    return at if at is None or at.tzinfo else at.replace(tzinfo=SHANGHAI)


def _caller() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "operator"
