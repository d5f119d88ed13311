"""Questions with their answers that reviewers write: checked exactly as items of knowledge, known once trained with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.knowledge import Item, Knowledge
from core.learning.held_out import SETS, HeldOut, bare
from core.learning.review import Reviewer, reopen
from core.learning.settings import learning_settings
from core.learning.tables import LearnedFaq
from core.locking import one_at_a_time

DRAFT, READY, WITHDRAWN = "draft", "ready", "withdrawn"
KEY_LENGTH = 40


class FaqNotFound(LookupError):
    """There is no such answer."""


class BadFaq(ValueError):
    """It is not as an item of knowledge has to be; `field` and `why` say what (a key, never what was written)."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field, self.why = field, why


class FaqChanged(Exception):
    """It was changed since the edit began; `agent_id` says by whom."""

    def __init__(self, agent_id: int) -> None:
        super().__init__(f"changed by agent {agent_id}")
        self.agent_id = agent_id


@dataclass(frozen=True)
class Written:
    """What a reviewer writes."""

    key: str
    question: str
    also: Sequence[str]
    answer: str
    region: str
    source: str
    month: str
    status: str


@dataclass(frozen=True)
class Beside:
    """What an answer must not repeat: the knowledge there is, and the validation sets; how its ids begin."""

    knowledge: Knowledge
    held_out: HeldOut
    prefix: str
    like: float


def item_of(faq: Written | LearnedFaq) -> Item:
    """Return it as an item of knowledge.

    Raises:
        BadFaq: if it is none.
    """
    try:
        return Item.model_validate({
            "id": faq.key, "question": faq.question, "also": list(faq.also), "answer": faq.answer,
            "region": faq.region, "date": faq.month, "source": faq.source, "status": faq.status,
        })  # fmt: skip
    except ValidationError as problem:
        first = problem.errors()[0]
        raise BadFaq(str(first["loc"][0]) if first["loc"] else "faq", str(first["type"])) from problem


def create(session: Session, written: Written, *, beside: Beside, by: Reviewer, now: datetime) -> LearnedFaq:
    """Keep a new answer as a draft.

    Raises:
        BadFaq: if it is no item of knowledge, or its id or one of its wordings is taken or stands in a validation set.
    """
    one_at_a_time(session, "learned_faqs")
    item = _checked(session, written, beside, None)
    row = LearnedFaq(
        key=item.id, **_values(item), state=DRAFT, author_id=by.agent_id, edited_by=by.agent_id, version=1, at=now
    )
    session.add(row)
    session.flush()
    by.auditor.note(session, "learning_faq_created", f"faq:{row.id}", now=now, key=row.key)
    return row


def edit(
    session: Session, faq_id: int, written: Written, *, version: int, beside: Beside, by: Reviewer, now: datetime
) -> LearnedFaq:  # fmt: skip
    """Change an answer; it is a draft again, for what was approved is not what stands there now.

    Raises:
        FaqNotFound, FaqChanged, BadFaq: as `create`, and if somebody was faster; its id cannot change.
    """
    one_at_a_time(session, "learned_faqs")
    row = _held(session, faq_id, version)
    if written.key != row.key:
        raise BadFaq("id", "fixed")
    for name, value in _values(_checked(session, written, beside, row.id)).items():
        setattr(row, name, value)
    _changed(session, row, DRAFT, "learning_faq_edited", by, now)
    return row


def set_state(
    session: Session, faq_id: int, state: str, *, version: int, beside: Beside, by: Reviewer, now: datetime
) -> LearnedFaq:  # fmt: skip
    """Approve an answer for training (`ready`), withdraw it, or make it a draft again; again it changes nothing.

    Messages that a withdrawn answer was written for are open again: they have no answer any more.

    Raises:
        FaqNotFound, FaqChanged, BadFaq: as `edit`; what is approved is checked once more.
    """
    if state not in (DRAFT, READY, WITHDRAWN):
        raise BadFaq("state", "unknown")
    one_at_a_time(session, "learned_faqs")
    row = _held(session, faq_id, version)
    if row.state != state:
        if state == READY:
            _checked(session, row, beside, row.id)
        _changed(session, row, state, f"learning_faq_{state}", by, now)
        if state == WITHDRAWN:
            reopen(session, row, by=by, now=now)
    return row


def find(session: Session, faq_id: int) -> LearnedFaq:
    """Return an answer; raises FaqNotFound."""
    row = session.get(LearnedFaq, faq_id)
    if row is None:
        raise FaqNotFound(faq_id)
    return row


def all_of(session: Session, state: str | None = None) -> list[LearnedFaq]:
    """Return the answers, the newest change first."""
    query = select(LearnedFaq).order_by(LearnedFaq.at.desc(), LearnedFaq.id.desc())
    return list(session.scalars(query.where(LearnedFaq.state == state) if state else query))


def _held(session: Session, faq_id: int, version: int) -> LearnedFaq:
    query = select(LearnedFaq).where(LearnedFaq.id == faq_id)
    row = session.scalar(query.with_for_update().execution_options(populate_existing=True))
    if row is None:
        raise FaqNotFound(faq_id)
    if row.version != version:
        raise FaqChanged(row.edited_by)
    return row


def _changed(session: Session, row: LearnedFaq, state: str, action: str, by: Reviewer, now: datetime) -> None:
    row.state, row.edited_by, row.version, row.at = state, by.agent_id, row.version + 1, now
    session.flush()
    by.auditor.note(session, action, f"faq:{row.id}", now=now, key=row.key, version=row.version)


def _checked(session: Session, faq: Written | LearnedFaq, beside: Beside, mine: int | None) -> Item:
    item = item_of(faq)
    if not item.id.startswith(beside.prefix) or len(item.id) > KEY_LENGTH:
        raise BadFaq("id", "prefix")
    others = [row for row in all_of(session) if row.id != mine]
    if item.id in beside.knowledge or any(row.key == item.id for row in others):
        raise BadFaq("id", "taken")
    taken = {bare(text) for one in beside.knowledge.items for text in (one.question, *one.also)}
    taken |= {bare(text) for row in others if row.state != WITHDRAWN for text in (row.question, *row.also)}
    mine_so_far: set[str] = set()
    for place, text in enumerate((item.question, *item.also)):
        name = "also" if place else "question"
        if bare(text) in taken | mine_so_far:
            raise BadFaq(name, "wording_taken")
        if beside.held_out.holds(text, beside.like):
            raise BadFaq(name, "held_out")
        mine_so_far.add(bare(text))
    return item


def _values(item: Item) -> dict[str, object]:
    return {
        "question": item.question, "also": list(item.also), "answer": item.answer, "region": item.region,
        "source": item.source, "month": item.date, "status": item.status,
    }  # fmt: skip


def beside_of(data_dir: Path) -> Beside:
    """Read what an answer must not repeat; raises what `Knowledge.load` and `HeldOut.load` raise."""
    settings = learning_settings(data_dir)
    knowledge = Knowledge.load(data_dir / "knowledge")
    return Beside(knowledge, HeldOut.load(data_dir, SETS), settings.faq.key_prefix, settings.leaks.like)
