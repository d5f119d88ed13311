"""`dianfu outage …`: what the control room says of outages; every subscriber hears of it once.

Those whose accounts are below its nodes hear of it by the sender (`core.proactive.source_outages`); nothing need be
done for that here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Annotated

import typer
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from actions.phrases import Phrases
from core.clock import SHANGHAI, system_clock
from core.network import NetworkNode
from core.outage import FAULT, PLANNED, TEMPORARY, Outage, open_outage, subscribers
from core.outage_control import (
    OutageNotFound,
    WrongOutageState,
    change_state,
    expect,
    find_cause,
    outage_of,
    reschedule,
)
from core.place import locate
from core.settings import CoreSettings
from ops import databases
from ops.output import Exit, fail
from ops.tool import settings_of

# 供电服务十项承诺: planned works are announced seven days ahead.
NOTICE = timedelta(days=7)
CAUSES = "outage.causes"

outages_app = typer.Typer(help="Outages: open, plan, say when and why, restore.", no_args_is_help=True)
At = Annotated[str, typer.Argument(help="Codes of nodes (comma between them), or a place in words: 江岸区听涛苑.")]
Number = Annotated[str, typer.Argument(help="The outage's number, T and 12 digits.")]
Cause = Annotated[str | None, typer.Option(help="A code of `causes` in data/phrases/outage.yaml.")]
_FORM = "HH:MM (today) or YYYY-MM-DDTHH:MM, Shanghai time"


@outages_app.command("list")
def show_all(everything: Annotated[bool, typer.Option("--all", help="Also what is over.")] = False) -> None:
    """List outages under way and planned: number, state, kind, begin, expected end, who waits, area."""
    with _workorder() as session:
        query = select(Outage).order_by(Outage.started_at, Outage.id)
        if not everything:
            query = query.where(Outage.state.not_in(("restored", "cancelled")))
        for one in session.scalars(query):
            typer.echo(_line(session, one))


@outages_app.command("open")
def open_(at: At, cause: Cause = None, expected: Annotated[str | None, typer.Option(help=_FORM)] = None) -> None:
    """Open a fault that is under way now."""
    now, until = system_clock(), _instant(expected)
    text = _cause(cause)
    with _workorder() as session:
        outage = open_outage(
            session, _codes(session, at), kind=FAULT, state="active", cause=cause if text else None, started_at=now,
            expected_at=until, now=now,
        )  # fmt: skip
        typer.echo(_line(session, outage))


@outages_app.command()
def plan(
    at: At,
    start: Annotated[str, typer.Option("--from", help=_FORM)],
    end: Annotated[str, typer.Option("--to", help=_FORM)],
    cause: Cause = "maintenance",
    temporary: Annotated[bool, typer.Option("--temporary", help="Cannot wait seven days.")] = False,
) -> None:
    """Announce planned works, at least seven days ahead unless they are temporary."""
    now, first, last = system_clock(), _instant(start), _instant(end)
    _cause(cause)
    if first is None or last is None:
        fail("both times are needed", Exit.SETTINGS)
    if first - now < NOTICE and not temporary:
        fail("planned works are announced at least 7 days ahead; say --temporary if they cannot wait", Exit.SETTINGS)
    with _workorder() as session:
        outage = open_outage(
            session, _codes(session, at), kind=TEMPORARY if temporary else PLANNED, state="planned", cause=cause,
            started_at=first, expected_at=last, now=now,
        )  # fmt: skip
        typer.echo(_line(session, outage))


@outages_app.command()
def move(
    number: Number,
    start: Annotated[str, typer.Option("--from", help=_FORM)],
    end: Annotated[str, typer.Option("--to", help=_FORM)],
) -> None:
    """Move planned works to another time; all who were told of them hear of it."""
    first, last = _instant(start), _instant(end)
    if first is None or last is None:
        fail("both times are needed", Exit.SETTINGS)
    _change(number, lambda session, outage: reschedule(session, outage, first, last, now=system_clock()))


@outages_app.command("expect")
def expect_(number: Number, at: Annotated[str, typer.Argument(help=_FORM)]) -> None:
    """Say when power is expected back."""
    until = _instant(at)
    if until is None:
        fail("a time is needed", Exit.SETTINGS)
    _change(number, lambda session, outage: expect(session, outage, until, now=system_clock()))


@outages_app.command("cause")
def cause_(number: Number, cause: Annotated[str, typer.Argument(help="A code of the causes.")]) -> None:
    """Say what the cause is; a suspected outage is confirmed by it."""
    text = _cause(cause) or ""
    _change(number, lambda session, outage: find_cause(session, outage, cause, text, now=system_clock()))


@outages_app.command()
def confirm(number: Number) -> None:
    """Confirm a suspected outage."""
    _change(number, lambda session, outage: change_state(session, outage, "confirmed", now=system_clock()))


@outages_app.command()
def restore(number: Number) -> None:
    """Power is back."""
    _change(number, lambda session, outage: change_state(session, outage, "restored", now=system_clock()))


@outages_app.command()
def cancel(number: Number) -> None:
    """The planned works do not take place, or the suspicion was wrong."""
    _change(number, lambda session, outage: change_state(session, outage, "cancelled", now=system_clock()))


def _change(number: str, step: Callable[[Session, Outage], int]) -> None:
    with _workorder() as session:
        try:
            outage = outage_of(session, number)
            told = step(session, outage)
        except OutageNotFound:
            fail(f"there is no outage {number}")
        except WrongOutageState as error:
            fail(f"this does not follow: {error}")
        typer.echo(f"{_line(session, outage)}; {told} told")


@contextmanager
def _workorder() -> Iterator[Session]:
    settings = settings_of(CoreSettings)
    try:
        with databases.opened(settings.workorder_url) as database, database.transaction() as session:
            yield session
    except ValueError as error:
        fail(str(error), Exit.SETTINGS)
    except SQLAlchemyError as error:
        fail(f"the work-order database failed: {error}")


def _codes(session: Session, at: str) -> list[str]:
    """Return the nodes that are meant; ends the command when that is not clear."""
    codes = [code.strip() for code in at.split(",")]
    known = set(session.scalars(select(NetworkNode.code).where(NetworkNode.code.in_(codes))))
    if known == set(codes):
        return codes
    found = locate(session, address_text=at)
    if isinstance(found, list):
        fail(f"{at!r} may be " + ", ".join(f"{one.area} ({','.join(one.codes)})" for one in found))
    if not found.known:
        fail(f"the network has no place {at!r} and no such code")
    return list(found.codes)


def _cause(cause: str | None) -> str | None:
    """Return the words of a cause; ends the command if there is no such code."""
    if cause is None:
        return None
    causes = Phrases.load(settings_of(CoreSettings).data_dir / "phrases").under(CAUSES)
    if cause not in causes:
        fail(f"no cause is called {cause!r}; there are {', '.join(sorted(causes))}", Exit.SETTINGS)
    return causes[cause]


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        if len(text) <= len("HH:MM"):
            clock = datetime.strptime(text, "%H:%M").time()
            return datetime.combine(system_clock().date(), clock, SHANGHAI)
        at = datetime.fromisoformat(text)
    except ValueError:
        fail(f"{text!r} is no time; it is written {_FORM}", Exit.SETTINGS)
    return at if at.tzinfo else at.replace(tzinfo=SHANGHAI)


def _line(session: Session, one: Outage) -> str:
    until = f"{one.expected_at.astimezone(SHANGHAI):%m-%d %H:%M}" if one.expected_at else "?"
    return (
        f"{one.outage_no}  {one.state:<9} {one.kind:<9} {one.started_at.astimezone(SHANGHAI):%m-%d %H:%M} → {until}"
        f"  {one.cause or '?'}  {len(subscribers(session, one))} waiting  {one.area}"
    )
