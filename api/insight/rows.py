"""The rows behind a figure, as JSON page by page and as CSV; who took a table away stands in the audit log.

What customers said is shown redacted, in the JSON alone: the table holds nothing that names anybody.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from api.deps import Parts, PartsDep
from api.desk.redaction import redactor_for
from api.desk.supervision import auditor
from api.insight.access import AskedDep, InsightRoute, SupervisorDep, in_thread, sources_of, words_for
from core.conversation import Conversation, Message
from core.insight.rows import Found, Point, cells, csv_text, rows
from core.insight.words import Words

router = APIRouter(prefix="/v1/insight", tags=["insight"], route_class=InsightRoute)
PAGE, MOST, MOST_SAID = 50, 200, 120
SAID = "said"
Pick = Annotated[str | None, Query(max_length=80)]


@router.get("/rows/{key}.csv")
async def table(
    key: str, parts: PartsDep, signed: SupervisorDep, asked: AskedDep, pick: Pick = None, series: Pick = None
) -> Response:
    """Return all rows behind a figure or a point of a chart as a table."""
    words, point = words_for(parts), Point(key, pick, series)

    def work() -> tuple[str, int]:
        found = rows(point, sources_of(parts), asked, words)
        return csv_text(found, words), len(found.pairs)

    text, count = await in_thread(work)
    span = asked.span

    def note(session: Session) -> None:
        auditor(parts, signed).note(
            session, "insight_exported", key[:80], now=parts.clock(), since=span.first.isoformat(),
            until=span.last.isoformat(), channel=asked.channel, pick=pick, series=series, rows=count,
        )  # fmt: skip

    await parts.store.write(note)
    headers = {
        "Content-Disposition": f'attachment; filename="{key}-{span.first:%Y%m%d}-{span.last:%Y%m%d}.csv"',
        "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
    }  # fmt: skip
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/rows/{key}")
async def page(
    key: str, parts: PartsDep, _signed: SupervisorDep, asked: AskedDep, pick: Pick = None, series: Pick = None,
    after: Annotated[str | None, Query(max_length=160)] = None, limit: Annotated[int, Query(gt=0, le=MOST)] = PAGE,
) -> dict[str, Any]:  # fmt: skip
    """Return the rows behind a figure or a point of a chart, the newest first; `after` is the cursor of a page."""
    words, point = words_for(parts), Point(key, pick, series)
    found = await in_thread(lambda: rows(point, sources_of(parts), asked, words))
    shown, following = found.page(after, limit)
    said = await _said(parts, found, [item for item, _ in shown])
    return {
        "key": key, "name": found.name, "definition": found.definition, "columns": _columns(found, words, bool(said)),
        "rows": [
            cells(found.kpi, item, value, words) | ({SAID: text} if said else {})
            for (item, value), text in zip(shown, said or [""] * len(shown), strict=True)
        ],
        "next": following, "total": len(found.pairs), "figure": found.figure,
    }  # fmt: skip


def _columns(found: Found, words: Words, said: bool) -> list[dict[str, str]]:
    columns = found.columns(words)
    return [*columns[:-1], {"key": SAID, "name": words.columns[SAID]}, columns[-1]] if said else columns


async def _said(parts: Parts, found: Found, items: list[Any]) -> list[str]:
    """Return of each item the message that tells most of it, redacted; nothing where items have none."""
    places = [found.kpi.table.conversation(item) for item in items]
    wanted = [place for place in places if place is not None]
    if not wanted:
        return []

    def work(session: Session) -> tuple[dict[tuple[str, int], str], dict[str, Conversation]]:
        query = select(Message.conversation_id, Message.seq, Message.text)
        texts = session.execute(query.where(tuple_(Message.conversation_id, Message.seq).in_(wanted)))
        own = session.scalars(select(Conversation).where(Conversation.id.in_({one for one, _ in wanted}))).all()
        joined = select(Conversation).where(Conversation.id.in_({one.joined_to for one in own if one.joined_to}))
        homes = {one.id: one for one in session.scalars(joined)}  # there it is known best who it is
        return {(row[0], row[1]): row[2] for row in texts}, {one.id: homes.get(one.joined_to or "", one) for one in own}

    texts, talks = await parts.store.read(work)
    redactors = {name: await redactor_for(parts, talk) for name, talk in talks.items()}
    return [_text(redactors[place[0]].text(texts.get(place, ""))) if place else "" for place in places]


def _text(text: str) -> str:
    return text if len(text) <= MOST_SAID else f"{text[:MOST_SAID]}…"
