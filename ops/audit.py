"""`dianfu audit …`: the log of what was done at the desk, and whether it is whole."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core import agent as people
from core import audit
from core.agent import AgentNotFound
from core.clock import SHANGHAI
from core.settings import CoreSettings
from ops import databases
from ops.output import Exit, fail
from ops.tool import settings_of

audit_app = typer.Typer(help="The audit log of the desk: check it, read it.", no_args_is_help=True)


@contextmanager
def _log(settings: CoreSettings) -> Iterator[Session]:
    try:
        with databases.opened(settings.bridge_url) as database, database.reading() as session:
            yield session
    except AgentNotFound as error:
        fail(f"there is no agent {error}")
    except SQLAlchemyError as error:
        fail(f"the bridge database cannot be asked (`dianfu migrate`): {error}")


@audit_app.callback()
def _group() -> None:
    """The audit log."""


@audit_app.command("verify")
def verify(
    head: Annotated[
        str | None, typer.Option(help="A head noted earlier (rows:hash): the log must still hold it.")
    ] = None,
) -> None:
    """Check that every row is there as it was written; exit code 0 if so, 1 if not."""
    settings = settings_of(CoreSettings)
    anchor = _anchor(head) if head else None
    with _log(settings) as session:
        verdict = audit.verify(session, audit.key_of(settings.keyring()), anchor=anchor)
    if not verdict.ok:
        fail(f"the audit log is NOT whole: {verdict.why} (rows before that as they were written: {verdict.rows})")
    typer.echo(f"the audit log is whole: {verdict.rows} rows")
    if verdict.rows:
        typer.echo(f"head {verdict.rows}:{verdict.head}")


@audit_app.command("list")
def list_entries(
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="From when on, in Shanghai.")
    ] = None,
    agent: Annotated[str | None, typer.Option(help="Of the agent with this login alone.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most, the latest ones.")] = 200,
) -> None:
    """List what was done, oldest first."""
    start = since.replace(tzinfo=SHANGHAI) if since else None
    with _log(settings_of(CoreSettings)) as session:
        logins = {one.id: one.login for one in people.list_agents(session)}
        wanted = people.agent_by_login(session, agent).id if agent else None
        for row in audit.entries(session, since=start, agent_id=wanted, limit=limit):
            who = logins.get(row.agent_id, f"#{row.agent_id}") if row.agent_id else "-"
            detail = json.dumps(row.detail, ensure_ascii=False, sort_keys=True) if row.detail else ""
            at = row.at.astimezone(SHANGHAI)
            typer.echo(f"{row.id}  {at:%Y-%m-%d %H:%M:%S}  {who}  {row.action}  {row.subject}  {detail}".rstrip())


def _anchor(text: str) -> tuple[int, str]:
    found = re.fullmatch(r"([0-9]{1,10}):([0-9a-f]{64})", text.strip())
    if found is None:
        fail("a head is written rows:hash, as `dianfu audit verify` prints it", Exit.SETTINGS)
    return int(found[1]), found[2]
