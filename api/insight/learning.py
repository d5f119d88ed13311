"""The console of learning: what was not answered well, in groups, labelled, answered, put aside, given out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from api.deps import Parts, PartsDep
from api.desk.access import Signed, SupervisorDep
from api.desk.cases import agent_names
from api.desk.options import options_of
from api.insight import learning_faqs, learning_refresh
from api.insight.learning_access import BadPage, namer_of, reviewer_of, router, settings_of
from api.insight.learning_views import GroupPage, ItemPage, ItemView, LabelBody, Named, Picked, named
from core.learning import faq, marks, review
from core.learning.export import refused_answers, refused_items
from core.learning.review import GroupNotFound, Reviewer
from core.learning.tables import LABELLED, OPEN, LearnedFaq, LearningGroup, LearningItem

__all__ = ["learning_faqs", "router"]  # both modules put their routes on it
PAGE = 50


class Summary(BaseModel):
    """Where the work stands: what is open, what waits for an export, who has done how much, the last runs.

    `refused`: labelled messages that the last export held back, by reason; they wait for nobody's export.
    `answers_ready` counts approved answers without those that it held back, which are `answers_refused`.
    """

    open: int
    groups: int
    states: dict[str, int]
    labelled_since_export: int
    refused: list[Named]
    answers_ready: int
    answers_refused: list[Named]
    by_reviewer: list[Named]
    export: dict[str, Any]
    run: dict[str, Any]


@router.get("/summary")
async def summary(parts: PartsDep, _signed: SupervisorDep) -> Summary:
    """Return where the work stands."""

    labels = settings_of(parts).labels

    def work(session: Session) -> Summary:
        counted = select(LearningItem.state, func.count()).group_by(LearningItem.state)
        states = dict(session.execute(counted).tuples().all())
        fresh = select(func.count()).select_from(LearningItem)
        fresh = fresh.where(LearningItem.state == LABELLED, LearningItem.exported_at.is_(None))
        groups = select(func.count()).select_from(LearningGroup).where(LearningGroup.size > 0)
        refused = Counter(refused_items(session).values())
        ready = select(func.count()).select_from(LearnedFaq).where(LearnedFaq.state == faq.READY)
        held_back = Counter(refused_answers(session).values())
        return Summary(
            open=states.get(OPEN, 0), groups=session.scalar(groups) or 0, states=states,
            labelled_since_export=(session.scalar(fresh) or 0) - refused.total(),
            refused=[named(why, labels.refused, count) for why, count in refused.most_common()],
            answers_ready=(session.scalar(ready) or 0) - held_back.total(),
            answers_refused=[named(why, labels.refused, count) for why, count in held_back.most_common()],
            by_reviewer=_by_reviewer(session), export=marks.mark(session, marks.EXPORT),
            run=learning_refresh.state_of(session, parts.clock()),
        )  # fmt: skip

    return await parts.store.read(work)


@router.get("/groups")
async def groups(
    parts: PartsDep, _signed: SupervisorDep, state: Literal["open", "done"] = "open",
    after: Annotated[str | None, Query(max_length=60)] = None, limit: Annotated[int, Query(gt=0, le=200)] = PAGE,
) -> GroupPage:  # fmt: skip
    """Return the groups in which something is open (or nothing any more), what does most harm first."""
    place = _place(after)

    def work(session: Session) -> GroupPage:
        wanted = LearningGroup.size > 0 if state == "open" else LearningGroup.size == 0
        query = select(LearningGroup).where(wanted)
        total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
        if place is not None:
            worst, last = place
            query = query.where(
                or_(LearningGroup.harm < worst, (LearningGroup.harm == worst) & (LearningGroup.id > last))
            )
        rows = list(session.scalars(query.order_by(LearningGroup.harm.desc(), LearningGroup.id).limit(limit + 1)))
        shown, namer = rows[:limit], namer_of(parts, session)
        items = _items_of(session, [row.id for row in shown])
        more = f"{shown[-1].harm!r}:{shown[-1].id}" if len(rows) > limit else None
        return GroupPage(groups=[namer.group(row, items.get(row.id, [])) for row in shown], next=more, total=total)

    return await parts.store.read(work)


@router.get("/groups/{group_id}")
async def group(
    parts: PartsDep, _signed: SupervisorDep, group_id: int, state: Literal["open", "all"] = "all",
    after: Annotated[int | None, Query(gt=0)] = None, limit: Annotated[int, Query(gt=0, le=200)] = PAGE,
) -> ItemPage:  # fmt: skip
    """Return the messages of a group, the newest first."""

    def work(session: Session) -> ItemPage:
        found = session.get(LearningGroup, group_id)
        if found is None:
            raise GroupNotFound(group_id)
        query = select(LearningItem).where(LearningItem.group_id == group_id)
        if state == "open":
            query = query.where(LearningItem.state == OPEN)
        if after is not None:
            query = query.where(LearningItem.id < after)
        rows = list(session.scalars(query.order_by(LearningItem.id.desc()).limit(limit + 1)))
        namer, items = namer_of(parts, session), _items_of(session, [group_id])
        more = rows[limit - 1].id if len(rows) > limit else None
        shown = [namer.item(row) for row in rows[:limit]]
        return ItemPage(group=namer.group(found, items.get(group_id, [])), items=shown, next=more)

    return await parts.store.read(work)


@router.post("/items/label")
async def label(parts: PartsDep, signed: SupervisorDep, body: LabelBody) -> list[ItemView]:
    """Say what messages meant."""
    intents = options_of(parts.settings.data_dir).intents

    def work(session: Session, by: Reviewer, now: datetime) -> list[LearningItem]:
        ids = _ids(session, body, by)
        return [] if ids is None else review.label(session, ids, body.intent, intents=intents, by=by, now=now)

    return await _reviewed(parts, signed, work)


@router.post("/items/dismiss")
async def dismiss(parts: PartsDep, signed: SupervisorDep, body: Picked) -> list[ItemView]:
    """Put messages aside."""

    def work(session: Session, by: Reviewer, now: datetime) -> list[LearningItem]:
        ids = _ids(session, body, by)
        return [] if ids is None else review.dismiss(session, ids, by=by, now=now)

    return await _reviewed(parts, signed, work)


@router.post("/items/undo")
async def undo(parts: PartsDep, signed: SupervisorDep, body: Picked) -> list[ItemView]:
    """Make messages open again."""
    return await _reviewed(parts, signed, lambda session, by, now: review.undo(session, body.ids, by=by, now=now))


@router.post("/refresh", status_code=HTTPStatus.ACCEPTED)
async def refresh(parts: PartsDep, signed: SupervisorDep) -> dict[str, Any]:
    """Gather and group anew, in a process of its own; `summary` tells how far it is."""
    return await learning_refresh.start(parts, reviewer_of(parts, signed))


async def _reviewed(
    parts: Parts, signed: Signed, work: Callable[[Session, Reviewer, datetime], list[LearningItem]]
) -> list[ItemView]:
    now = parts.clock()

    def run(session: Session) -> list[ItemView]:
        rows = work(session, reviewer_of(parts, signed), now)
        namer = namer_of(parts, session)
        return [namer.item(row) for row in rows]

    return await parts.store.write(run)


def _ids(session: Session, body: Picked, by: Reviewer) -> list[int] | None:
    """Return what was picked; None for a group that the reviewer has done already: a second click."""
    if body.group_id is None:
        return body.ids
    return [*body.ids, *review.open_ids(session, body.group_id, by=by)] or None


def _items_of(session: Session, group_ids: list[int]) -> dict[int, list[LearningItem]]:
    """Return the open messages of groups."""
    query = select(LearningItem).where(LearningItem.group_id.in_(group_ids), LearningItem.state == OPEN)
    found: dict[int, list[LearningItem]] = {}
    for row in session.scalars(query):
        found.setdefault(row.group_id or 0, []).append(row)
    return found


def _by_reviewer(session: Session) -> list[Named]:
    query = select(LearningItem.reviewed_by, func.count()).where(LearningItem.reviewed_by.is_not(None))
    counted = session.execute(query.group_by(LearningItem.reviewed_by)).tuples().all()
    names = agent_names(session)
    ordered = sorted(counted, key=lambda one: (-one[1], one[0] or 0))
    return [Named(key=str(agent), name=names.get(agent or 0, ""), value=count) for agent, count in ordered]


def _place(after: str | None) -> tuple[float, int] | None:
    """Return the harm and the id after which a page begins; raises BadPage."""
    if after is None:
        return None
    worst, _, last = after.partition(":")
    try:
        return float(worst), int(last)
    except ValueError as error:
        raise BadPage(after) from error
