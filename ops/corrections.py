"""`dianfu corrections`: where agents corrected the model, for a person to look through before it enters training."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core.clock import SHANGHAI
from core.conversation import Conversation, Message
from core.fields import Keyring, UnreadableField
from core.handoff.tables import Handoff
from core.redact import Known, Redactor, known_of_customer, known_of_orders
from core.settings import CoreSettings
from core.text import clean, folded
from core.work_order import orders_of
from ops import databases
from ops.output import Exit, fail
from ops.tool import settings_of

MOST_ORDERS = 20  # of a customer, whose names and addresses are taken out
HEAD = """\
# What customers wrote and agents corrected the model in, {since} to {until}: intent -> messages.
# NOT for training as it is. A person looks through it first: is the intent right, does the message stand by itself,
# is there still something of a person in it (what was found is starred out)? Write such words anew, mark entities,
# and only then move the example into data/nlu.
"""
# In Rasa's files brackets mark entities.
_BRACKETS = str.maketrans("[]", "［］")


@dataclass(frozen=True)
class Sources:
    """A session of each database."""

    bridge: Session
    workorder: Session
    billing: Session
    keyring: Keyring


def corrections(
    since: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="Cases ended from then on, in Shanghai.")
    ],
    out: Annotated[Path | None, typer.Option(help="A new file to write; without it the output.")] = None,
) -> None:
    """Write what agents corrected the model in, for a person to look through before it enters training."""
    settings, start = settings_of(CoreSettings), since.replace(tzinfo=SHANGHAI)
    if out is not None and out.exists():
        fail(f"{out} is there already; it may hold somebody's work", Exit.SETTINGS)
    try:
        found = _read(settings, start)
    except UnreadableField as error:
        fail(f"what has to be taken out cannot be read, its key is missing in DIANFU_FIELD_KEYS: {error}")
    except SQLAlchemyError as error:
        fail(f"a database cannot be asked (`dianfu migrate`): {error}")
    text = as_yaml(found, since=start, until=datetime.now(SHANGHAI))
    if out is None:
        typer.echo(text, nl=False)
        return
    _write(out, text)
    typer.echo(f"{sum(map(len, found.values()))} messages of {len(found)} intents are in {out}")


def corrected(sources: Sources, since: datetime) -> dict[str, list[str]]:
    """Return intent -> messages, redacted, of cases that ended since then; of the same words the last one counts.

    Only what the model understood with a confidence and an agent's case corrected to something else.

    Raises:
        core.fields.UnreadableField: if a key is gone: nothing is given out that was not looked through.
    """
    latest: dict[str, tuple[str, str]] = {}
    for case, conversation in _cases(sources.bridge, since):
        redactor = redactor_of(sources, conversation)
        for seq, intent in sorted(case.corrected.items(), key=lambda one: int(one[0])):
            if text := _message(sources.bridge, conversation, int(seq), intent, redactor):
                latest[folded(text)] = (intent, text)
    found: dict[str, list[str]] = {}
    for intent, text in latest.values():
        found.setdefault(intent, []).append(text)
    return dict(sorted(found.items()))


def redactor_of(sources: Sources, conversation: Conversation) -> Redactor:
    """Return what hides all that is known of the customer of a conversation."""
    known = Known(account_nos=tuple(conversation.accounts))
    known += known_of_customer(
        sources.billing, customer_no=conversation.customer_no, accounts=conversation.accounts, keyring=sources.keyring
    )
    orders = orders_of(
        sources.workorder, conversation_id=conversation.id, customer_no=conversation.customer_no,
        accounts=conversation.accounts, limit=MOST_ORDERS,
    )  # fmt: skip
    return Redactor(known + known_of_orders(orders, keyring=sources.keyring))


def as_yaml(found: dict[str, list[str]], *, since: datetime, until: datetime) -> str:
    """Return the examples in the form of data/nlu, with a head that says what they are."""
    lines = [HEAD.format(since=f"{since:%Y-%m-%d %H:%M}", until=f"{until:%Y-%m-%d %H:%M}") + 'version: "3.1"', ""]
    lines.append("nlu:" if found else "nlu: []")
    for intent, texts in found.items():
        lines += [f"  - intent: {intent}", "    examples: |", *(f"      - {text}" for text in texts)]
    return "\n".join(lines) + "\n"


def _read(settings: CoreSettings, since: datetime) -> dict[str, list[str]]:
    with ExitStack() as stack:
        bridge, workorder, billing = (
            stack.enter_context(stack.enter_context(databases.opened(url, read_only=read_only)).reading())
            for url, read_only in (
                (settings.bridge_url, False), (settings.workorder_url, False), (settings.billing_url, True),
            )
        )  # fmt: skip
        return corrected(Sources(bridge, workorder, billing, settings.keyring()), since)


def _cases(session: Session, since: datetime) -> Iterator[tuple[Handoff, Conversation]]:
    query = (
        select(Handoff, Conversation)
        .join(Conversation, Conversation.id == Handoff.conversation_id)
        .where(Handoff.ended_at >= since, Handoff.agent_id.is_not(None))
        .order_by(Handoff.ended_at, Handoff.id)
    )
    for case, conversation in session.execute(query):
        if case.corrected:
            yield case, conversation


def _message(
    session: Session, conversation: Conversation, seq: int, intent: str, redactor: Redactor
) -> str | None:  # fmt: skip
    """Return the redacted text of a message that the model took for another intent, None if it did not."""
    message = session.get(Message, (conversation.id, seq))
    if message is None or message.author != "customer" or message.type != "text" or message.payload is not None:
        return None
    understood = message.understood or {}
    if not isinstance(understood.get("confidence"), int | float) or understood.get("intent") == intent:
        return None
    before = session.get(Message, (conversation.id, seq - 1))
    asked = before.text if before is not None and before.author != "customer" else ""
    return one_line(redactor.text(message.text, asked=asked)) or None


def one_line(text: str) -> str:
    """Return a text that can stand behind a dash in an example file."""
    return " ".join(clean(text).split()).translate(_BRACKETS)


def _write(path: Path, text: str) -> None:
    """Write a new file that its owner alone can read: customers' words stand in it."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
