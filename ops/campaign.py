"""`dianfu campaign …`: messages to groups of customers, and what recommendations have brought about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core import campaign as campaigns
from core.campaign import CampaignNotFound, WrongStep
from core.campaign_reach import NoRun, reached
from core.clock import SHANGHAI, system_clock
from core.db import Database
from core.proactive import broadcast
from core.recommend.effect import Difference, effect
from core.recommend.rules import recommend_rules
from core.recommend.tables import RECOMMENDATIONS
from core.segment.tables import SEGMENTS
from core.settings import CoreSettings
from ops import databases
from ops.output import fail
from ops.tool import settings_of

campaign_app = typer.Typer(
    help="Messages to groups of customers: list, preview, stop; the effect of recommendations.", no_args_is_help=True
)


def _session(database: Database, *, writing: bool) -> AbstractContextManager[Session]:
    return database.transaction() if writing else database.reading()


@contextmanager
def _bridge(settings: CoreSettings, *, writing: bool = False) -> Iterator[Session]:
    """Give a session, a transaction if `writing`; what an operator may run into ends the command with a line."""
    try:
        with databases.opened(settings.bridge_url) as database, _session(database, writing=writing) as session:
            yield session
    except CampaignNotFound as error:
        fail(f"there is no campaign {error}")
    except WrongStep as error:
        fail(f"the campaign is {error}; it cannot take that step")
    except NoRun:
        fail("no run of the segmentation is published (`dianfu segment run`)")
    except SQLAlchemyError as error:
        fail(f"the bridge database cannot be asked (`dianfu migrate`): {type(error).__name__}")


@campaign_app.command("list")
def show_all(limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 20) -> None:
    """List campaigns, the newest first: number, state, name, groups, customers, who agreed, sends by state, told."""
    with _bridge(settings_of(CoreSettings)) as session:
        rows = campaigns.latest(session, limit=limit)
        states, told = campaigns.states(session, rows, now=system_clock()), campaigns.told(session, rows)
        sent = broadcast.counts(session, [row.broadcast_id for row in rows if row.broadcast_id is not None])
        for row in rows:
            counted = " ".join(f"{state} {count}" for state, count in sent.get(row.broadcast_id or 0, {}).items())
            typer.echo(
                f"{row.id}  {states[row.id]:<8}  {row.name}  {','.join(row.segments)}  customers {row.audience}"
                f" agreed {row.consenting} held out {row.held_out}  {counted or 'no sends yet'}  told {told[row.id]}"
            )


@campaign_app.command()
def preview(
    segments: Annotated[list[str], typer.Argument(help=f"Of {', '.join(SEGMENTS)}.")],
) -> None:
    """Show how far a campaign to these groups would reach."""
    if unknown := sorted(set(segments) - set(SEGMENTS)):
        fail(f"there is no group {', '.join(unknown)}; there are {', '.join(SEGMENTS)}")
    settings = settings_of(CoreSettings)
    with _bridge(settings) as session:
        found, _ = reached(session, recommend_rules(), segments, keyring=settings.keyring())
        for one in found:
            typer.echo(
                f"{one.segment:<16}  customers {one.audience}  agreed {one.consenting}  held out {one.held_out}"
                f"  refused {one.refused}  told {one.reached}"
            )


@campaign_app.command()
def stop(number: Annotated[int, typer.Argument(help="The campaign's number.", min=1)]) -> None:
    """Stop a campaign; who was not told yet is not told."""
    with _bridge(settings_of(CoreSettings), writing=True) as session:
        row = campaigns.stop(session, number, by="dianfu campaign stop", now=system_clock())
        typer.echo(f"{row.id}  {row.state}")


@campaign_app.command("effect")
def show_effect(
    kind: Annotated[str | None, typer.Option(help="One kind of recommendation; all if none is named.")] = None,
) -> None:
    """Show what recommendations have brought about, against the customers who are told nothing."""
    if kind is not None and kind not in RECOMMENDATIONS:
        fail(f"there is no recommendation {kind}; there are {', '.join(RECOMMENDATIONS)}")
    settings = settings_of(CoreSettings)
    today: date = system_clock().astimezone(SHANGHAI).date()
    opened = databases.opened(settings.billing_url, read_only=True)
    with _bridge(settings) as session, opened as billing, billing.reading() as bills:
        found = effect(session, bills, recommend_rules(), until=today, kind=kind)
    for one in found:
        typer.echo(_line(one))
    if not found:
        typer.echo("nothing was recommended yet")


def _line(one: Difference) -> str:
    head = f"{one.kind:<15} {one.metric:<13} told {one.treated_n} held out {one.held_n}"
    if one.difference is None or one.low is None or one.high is None:
        return f"{head}  too few to tell"
    return f"{head}  difference {one.difference:+.4f} ({one.low:+.4f} to {one.high:+.4f})"
