"""What the routes of the dashboards share: who may look, for which days, over which channel, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from datetime import date
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query, Request, Response
from fastapi.routing import APIRoute

from api.deps import Parts, PartsDep, parts_of
from api.desk.access import SupervisorDep
from api.desk.errors import document
from core.clock import SHANGHAI
from core.insight.boards import UnknownBoard, check
from core.insight.kpi import Asked, Sources, UnknownRows
from core.insight.rows import BadCursor
from core.insight.spans import BadSpan, Span
from core.insight.words import Words, words_of

__all__ = ["AskedDep", "InsightRoute", "SupervisorDep", "in_thread", "sources_of", "words_checked", "words_for"]

Result = TypeVar("Result")
# error class -> (status, key of the problems)
KNOWN: Mapping[type[Exception], tuple[HTTPStatus, str]] = {
    BadSpan: (HTTPStatus.UNPROCESSABLE_ENTITY, "bad_span"),
    BadCursor: (HTTPStatus.UNPROCESSABLE_ENTITY, "bad_cursor"),
    UnknownBoard: (HTTPStatus.NOT_FOUND, "no_such_board"),
    UnknownRows: (HTTPStatus.NOT_FOUND, "no_such_rows"),
}
AT_ONCE = 2  # boards that are reckoned at the same time: customers' messages must not wait for them
_turns: dict[asyncio.AbstractEventLoop, asyncio.Semaphore] = {}


class InsightRoute(APIRoute):
    """A route that answers the errors of KNOWN with problem documents."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler of the route."""
        handle = super().get_route_handler()

        async def handling(request: Request) -> Response:
            try:
                return await handle(request)
            except tuple(KNOWN) as error:
                status, code = next(found for kind, found in KNOWN.items() if isinstance(error, kind))
                return document(request, status, code, words_for(parts_of(request)).problems)

        return handling


async def asked(
    parts: PartsDep, first: Annotated[date | None, Query(alias="from")] = None,
    last: Annotated[date | None, Query(alias="to")] = None,
    channel: Annotated[str | None, Query(max_length=16)] = None,
) -> Asked:  # fmt: skip
    """Return what is asked for; without days, today; an empty channel is all of them.

    Raises:
        BadSpan: as `Span.of`.
    """
    now = parts.clock()
    today = now.astimezone(SHANGHAI).date()
    return Asked(Span.of(first or last or today, last or first or today), channel or None, now)


AskedDep = Annotated[Asked, Depends(asked)]


def sources_of(parts: Parts) -> Sources:
    """Return the databases and files of the running bridge."""
    return Sources(parts.bridge, parts.workorder, parts.billing, parts.settings.data_dir)


def words_checked(data_dir: Path) -> Words:
    """Read the words of the dashboards at the start, so that no figure is ever shown without a definition.

    Raises:
        core.insight.boards.BadWords: if one has none.
    """
    words = words_of(data_dir)
    check(words)
    return words


def words_for(parts: Parts) -> Words:
    """Return the words of the dashboards."""
    return words_of(parts.settings.data_dir)


async def in_thread(work: Callable[[], Result]) -> Result:
    """Run a long reckoning away from the event loop, few at a time."""
    loop = asyncio.get_running_loop()
    turn = _turns.get(loop)
    if turn is None:
        for gone in [one for one in _turns if one.is_closed()]:
            del _turns[gone]
        turn = _turns[loop] = asyncio.Semaphore(AT_ONCE)
    async with turn:
        return await asyncio.to_thread(work)
