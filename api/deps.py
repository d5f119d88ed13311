"""What the routes share: the parts of the running bridge, and who calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends
from fastapi.requests import HTTPConnection

from api.bus import MemoryBus
from api.desks.base import HandoffDesk
from api.dialogue import Dialogue
from api.metrics import Metrics
from api.rasa import Rasa
from api.settings import ApiSettings
from api.store import Store
from api.wording import Wording
from core.clock import Clock
from core.db import Database
from core.handoff.book import Book
from core.identity import BadToken, read_session
from core.proactive.source_notices import Manner

if TYPE_CHECKING:
    from api.channels.wechat.channel import WeChat


@dataclass(frozen=True)
class Parts:
    """Everything that `create_app` puts together."""

    settings: ApiSettings
    bridge: Database
    store: Store  # of the bridge database
    workorder: Database
    billing: Database
    rasa: Rasa
    dialogue: Dialogue
    desk: HandoffDesk
    book: Book  # by which cases go
    bus: MemoryBus
    metrics: Metrics
    wording: Wording
    clock: Clock
    manner: Manner  # of messages that we send first
    wechat: WeChat | None = None  # None: there is no official account


def parts_of(connection: HTTPConnection) -> Parts:
    """Return the parts of the application that serves this request or socket."""
    parts: Parts = connection.app.state.parts
    return parts


async def _parts(connection: HTTPConnection) -> Parts:
    """Return the same to a route; a plain function would be called in a thread, which costs more than it does."""
    return parts_of(connection)


PartsDep = Annotated[Parts, Depends(_parts)]


def bearer(connection: HTTPConnection) -> str | None:
    """Return the bearer token of the Authorization header, if there is one.

    Raises:
        BadToken: if there is a header of another form.
    """
    header = connection.headers.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise BadToken("the Authorization header is no bearer token")
    return token.strip()


async def conversation_of(connection: HTTPConnection, parts: PartsDep) -> str:
    """Return the id of the conversation whose session token the caller shows.

    Raises:
        BadToken: if it shows none that is valid.
    """
    token = bearer(connection)
    if token is None:
        raise BadToken("no token")
    return read_session(parts.settings.session_key.get_secret_value(), token, now=parts.clock())


ConversationDep = Annotated[str, Depends(conversation_of)]
