"""The portrait of one customer, masked, and lists of accounts by segment; each look at a customer is written down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.routing import APIRoute
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.deps import Parts, PartsDep, parts_of
from api.desk.access import Signed, SupervisorDep
from api.desk.errors import DeskRoute, document
from api.desk.supervision import auditor
from api.insight.access import in_thread, sources_of, words_for
from core.insight.portrait import BY_ID, NoPortrait, account_of_customer, find, portrait_json
from core.insight.portrait_words import PortraitWords, portrait_words
from core.insight.words import Words
from core.masking import mask_account_no
from core.portrait.tables import Portrait
from core.segment.runs import published

Segment = Literal["special_service", "high_risk", "high_value", "growth", "basic"]
PAGE, MOST = 50, 200
COLUMNS = ("account_no", "segment", "district", "user_class", "kwh_year", "fee_year", "thin")


class BadSearch(ValueError):
    """What is looked for is neither a whole account number nor a segment."""


class _OwnErrors(APIRoute):
    """A route that answers the errors of portraits with problem documents."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler of the route."""
        handle = super().get_route_handler()

        async def handling(request: Request) -> Response:
            problems = portrait_words(parts_of(request).settings.data_dir).problems
            try:
                return await handle(request)
            except NoPortrait:
                return document(request, HTTPStatus.NOT_FOUND, "no_portrait", problems)
            except BadSearch:
                return document(request, HTTPStatus.UNPROCESSABLE_ENTITY, "bad_search", problems)

        return handling


class PortraitRoute(DeskRoute, _OwnErrors):
    """A route of portraits: our own errors first, then those that all of the desk shares."""


router = APIRouter(prefix="/v1/insight/portraits", tags=["insight"], route_class=PortraitRoute)


@router.get("")
async def search(
    parts: PartsDep, signed: SupervisorDep, q: Annotated[str | None, Query(max_length=20)] = None,
    segment: Segment | None = None, customer_no: Annotated[str | None, Query(max_length=12)] = None,
    after: Annotated[int, Query(ge=0)] = 0, limit: Annotated[int, Query(gt=0, le=MOST)] = PAGE,
) -> dict[str, Any]:  # fmt: skip
    """Find an account by its whole number (`q`), show the portrait of a customer (`customer_no`), or list a segment.

    A list is in the shape of rows; numbers are masked, `link` and `ref` lead to the portrait, `next` is the cursor.
    """
    if customer_no:
        wanted = await asyncio.to_thread(account_of_customer, sources_of(parts), customer_no)
        return await _portrait(parts, signed, wanted)
    number = "".join((q or "").split())
    if bool(number) == bool(segment) or (number and not (number.isascii() and number.isdigit())):
        raise BadSearch
    words, said = words_for(parts), portrait_words(parts.settings.data_dir)

    def work(session: Session) -> dict[str, Any]:
        run = published(session)
        if run is None:
            raise NoPortrait(mask_account_no(number))
        if number:
            row = find(session, run, number)
            if row is None:
                raise NoPortrait(mask_account_no(number))
            return _list([row], words, said, total=1, following=None)
        query = select(Portrait).where(Portrait.run_id == run.id, Portrait.segment == segment)
        query = query.where(Portrait.account_id > after).order_by(Portrait.account_id).limit(limit + 1)
        rows = list(session.scalars(query))
        count = run.summary.get("segments", {}).get(segment, {}).get("accounts", 0)
        following = rows[limit - 1].account_id if len(rows) > limit else None
        return _list(rows[:limit], words, said, total=count, following=following)

    return await parts.store.read(work)


@router.get("/{account}")
async def portrait(account: str, parts: PartsDep, signed: SupervisorDep) -> dict[str, Any]:
    """Return the portrait of an account: by its number (户号), or by the `ref` of a list."""
    return await _portrait(parts, signed, account)


async def _portrait(parts: Parts, signed: Signed, wanted: str) -> dict[str, Any]:
    keyring, now = parts.settings.keyring(), parts.clock()
    found = await in_thread(lambda: portrait_json(sources_of(parts), keyring, wanted, now=now))
    run_id, account_id = found["run_id"], found["account_id"]

    def note(session: Session) -> None:
        auditor(parts, signed).note(session, "portrait_seen", f"account:{account_id}", now=now, run=run_id)

    await parts.store.write(note)
    return found


def _list(
    rows: list[Portrait], words: Words, said: PortraitWords, *, total: int, following: int | None
) -> dict[str, Any]:  # fmt: skip
    return {
        "key": "portraits", "name": said.list.name, "definition": said.list.definition,
        "columns": [{"key": name, "name": words.columns[name]} for name in COLUMNS],
        "rows": [_row(one, words) for one in rows], "next": following, "total": total,
    }  # fmt: skip


def _row(one: Portrait, words: Words) -> dict[str, Any]:
    ref = f"{BY_ID}{one.account_id}"
    return {
        "ref": ref, "account_no": mask_account_no(one.account_no), "segment": words.value("segment", one.segment),
        "district": one.district, "user_class": words.value("user_class", one.user_class), "kwh_year": one.kwh_year,
        "fee_year": one.fee_year, "thin": words.value("thin", one.thin) if one.thin else None,
        "link": f"/insight#/customers/accounts/{ref}",
    }  # fmt: skip
