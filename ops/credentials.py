"""`dianfu token`, `dianfu keys new`, `dianfu env`."""

from __future__ import annotations

import os
import shlex
from datetime import timedelta
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from core.clock import system_clock
from core.identity import issue_customer
from ops import databases, keys
from ops.environment import QUIET, RASA_TAKES, RasaSettings, TokenSettings, rasa_environment
from ops.output import fail
from ops.tool import settings_of

keys_app = typer.Typer(help="Keys of the settings.", no_args_is_help=True)


def token(
    account_no: Annotated[list[str], typer.Option(help="An account number (户号); may be given several times.")],
    assurance: Annotated[int, typer.Option(min=1, max=2, help="1: bound account, 2: fresh one-time code.")] = 1,
    minutes: Annotated[float, typer.Option(min=0.1, max=24 * 60, help="How long it is good for.")] = 60,
) -> None:
    """Print a customer token, as the company's app would issue it."""
    settings = settings_of(TokenSettings)
    try:
        found = databases.holders(settings, list(dict.fromkeys(account_no)))
    except databases.UnknownAccount as error:
        fail(f"there is no account {error}")
    except SQLAlchemyError as error:
        fail(f"the billing database cannot be asked (`dianfu migrate`, `dianfu seed`): {error}")
    text = issue_customer(
        settings.customer_token_key.get_secret_value(), customer_no=found[0].customer_no,
        accounts=tuple(holder.account_no for holder in found), assurance=assurance,
        now=system_clock(), lifetime=timedelta(minutes=minutes),
    )  # fmt: skip
    typer.echo(text)


@keys_app.command("new")
def new_keys() -> None:
    """Print fresh values for all key variables, one KEY=value a line."""
    for name, value in keys.fresh().items():
        typer.echo(f"{name}={value}")


@keys_app.callback()
def _group() -> None:
    """Keys of the settings."""


def env() -> None:
    """Print `export` lines with what Rasa's own tools need: eval "$(dianfu env)"."""
    for name, value in rasa_environment(os.environ, settings_of(RasaSettings)).items():
        if name in RASA_TAKES or name in QUIET:
            typer.echo(f"export {name}={shlex.quote(value)}")
