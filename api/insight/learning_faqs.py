"""The answers that reviewers write, what messages can be labelled with, and what an export would give out."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Literal

from fastapi import Response
from sqlalchemy.orm import Session

from api.deps import Parts, PartsDep
from api.desk.access import SupervisorDep
from api.desk.options import IntentChoice, options_of
from api.insight.learning_access import namer_of, reviewer_of, router
from api.insight.learning_views import FaqBody, FaqChange, FaqView, NewFaq
from core.learning import export, faq, review
from core.learning.export import Guard
from core.learning.faq import Beside, Written


@router.get("/intents")
async def intents(parts: PartsDep, _signed: SupervisorDep) -> list[IntentChoice]:
    """Return what a message can be labelled with."""
    known = options_of(parts.settings.data_dir).intents
    return [IntentChoice(name=name, label=text) for name, text in known.items()]


@router.get("/faqs")
async def faqs(
    parts: PartsDep, _signed: SupervisorDep, state: Literal["draft", "ready", "withdrawn"] | None = None
) -> list[FaqView]:  # fmt: skip
    """Return the answers that reviewers wrote, the newest change first."""

    def work(session: Session) -> list[FaqView]:
        namer = namer_of(parts, session)
        return [namer.faq(row) for row in faq.all_of(session, state)]

    return await parts.store.read(work)


@router.post("/faqs", status_code=HTTPStatus.CREATED)
async def create(parts: PartsDep, signed: SupervisorDep, body: NewFaq) -> FaqView:
    """Keep a new answer as a draft, and note for which messages it was written."""
    beside, now = await _beside(parts), parts.clock()

    def work(session: Session) -> FaqView:
        by = reviewer_of(parts, signed)
        row = faq.create(session, _written(body), beside=beside, by=by, now=now)
        if body.items:
            review.answer(session, body.items, row, by=by, now=now)
        return namer_of(parts, session).faq(row)

    return await parts.store.write(work)


@router.patch("/faqs/{faq_id}")
async def change(parts: PartsDep, signed: SupervisorDep, faq_id: int, body: FaqChange) -> FaqView:
    """Change an answer, approve or withdraw it."""
    beside, now = await _beside(parts), parts.clock()

    def work(session: Session) -> FaqView:
        by, version = reviewer_of(parts, signed), body.version
        if body.text is not None:
            row = faq.edit(session, faq_id, _written(body.text), version=version, beside=beside, by=by, now=now)
            version = row.version
        if body.state is not None:
            faq.set_state(session, faq_id, body.state, version=version, beside=beside, by=by, now=now)
        return namer_of(parts, session).faq(faq.find(session, faq_id))

    return await parts.store.write(work)


@router.get("/export.zip")
async def archive(parts: PartsDep, signed: SupervisorDep) -> Response:
    """Return what an export would give out, for a person to look through; who took it away is written down."""
    guard, now = await asyncio.to_thread(_guard, parts), parts.clock()
    content, made = await parts.store.read(lambda session: export.as_zip(session, guard=guard))
    auditor = reviewer_of(parts, signed).auditor
    await parts.store.write(
        lambda session: auditor.note(
            session, "learning_exported", now=now, messages=made.messages, faqs=made.faqs, refused=made.refused
        )
    )
    headers = {
        "Content-Disposition": f'attachment; filename="learned-{now:%Y%m%d}.zip"', "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }  # fmt: skip
    return Response(content, media_type="application/zip", headers=headers)


def _guard(parts: Parts) -> Guard:
    guard = Guard.load(parts.settings.data_dir)
    assert guard.known is not None  # read now, outside of the transaction
    return guard


async def _beside(parts: Parts) -> Beside:
    return await asyncio.to_thread(faq.beside_of, parts.settings.data_dir)


def _written(body: FaqBody) -> Written:
    return Written(
        body.key, body.question, tuple(body.also), body.answer, body.region, body.source, body.month, body.status
    )
