"""Gives out what reviewers made of messages: Rasa's training messages, and items of knowledge.

The last net before a model sees it: nothing that may point at somebody, nothing that equals or nearly equals a message
of a validation set, nothing that is known already or labelled in two ways. What is refused is counted by reason.
"""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.db import Database
from core.learning import faq as faqs
from core.learning import marks
from core.learning.held_out import SETS, HeldOut, bare
from core.learning.scrub import Scrubber
from core.learning.settings import LearningSettings, learning_settings
from core.learning.tables import LABELLED, LearnedFaq, LearningItem
from core.learning.training import training_messages
from core.locking import one_at_a_time

MESSAGES, KNOWLEDGE = "nlu/learned.yml", "knowledge/learned.yaml"  # the files, below the folder
_BRACKETS = str.maketrans("[]{}()", "［］｛｝（）")  # mark entities in Rasa's files
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Guard:
    """What decides whether something may be given out."""

    settings: LearningSettings
    held_out: HeldOut
    directory: Path  # with the training messages, data/nlu

    @classmethod
    def load(cls, data_dir: Path, sets: Path | None = SETS) -> Guard:
        """Read what is needed; raises what `HeldOut.load` and `learning_settings` raise."""
        settings = learning_settings(data_dir)
        return cls(settings, HeldOut.load(data_dir, sets), data_dir / "nlu")

    @cached_property
    def known(self) -> frozenset[str]:
        """The messages of training; raises BadTrainingFile."""
        return frozenset(bare(text) for _, text in training_messages(self.directory))

    @cached_property
    def scrubber(self) -> Scrubber:
        """The second net for personal data."""
        return Scrubber(self.settings.placeholders)


@dataclass(frozen=True)
class Exported:
    """How much was given out, and how much not, by reason; `by_intent` counts the messages."""

    messages: int
    faqs: int
    refused: dict[str, int]
    by_intent: dict[str, int]


@dataclass
class _Prepared:
    files: dict[str, str]
    exported: Exported
    items: list[LearningItem] = field(default_factory=list)
    refused: list[tuple[LearningItem, str]] = field(default_factory=list)  # and why
    refused_answers: list[tuple[LearnedFaq, str]] = field(default_factory=list)


def write(bridge: Database, folder: Path, *, now: datetime, guard: Guard) -> Exported:
    """Write the files anew below a folder and note what was given out; the same rows give the same bytes.

    All is judged before anything is written, for that takes seconds; what was reviewed meanwhile waits for the next
    export. The files come before the notes: after a kill in between the next export writes the same again.

    Raises:
        core.learning.training.BadTrainingFile: if what is known cannot be read: nothing is written.
        OSError: if the files cannot be written; nothing is noted then.
    """
    with bridge.reading() as session:
        ready = _prepare(session, guard)
    for name, content in ready.files.items():
        _replace(folder / name, content)
    with bridge.transaction() as session:
        one_at_a_time(session, "learning_export")
        _note(session, ready, now)
    return ready.exported


def _note(session: Session, ready: _Prepared, now: datetime) -> None:
    judged = {item.id: item for item in (*ready.items, *(item for item, _ in ready.refused))}
    given = {item.id for item in ready.items}
    rows = select(LearningItem).where(LearningItem.state == LABELLED).order_by(LearningItem.id).with_for_update()
    same: set[int] = set()
    for row in session.scalars(rows):
        before = judged.get(row.id)
        if before is not None and (row.label, row.reviewed_at) == (before.label, before.reviewed_at):
            same.add(row.id)
            row.exported_at = now if row.id in given else None  # None: the files hold it no more
    items = {str(item.id): why for item, why in ready.refused if item.id in same}
    answers = {str(row.id): {"why": why, "version": row.version} for row, why in ready.refused_answers}
    marks.put_mark(session, marks.REFUSED, {"items": items, "answers": answers}, now=now)
    result = ready.exported
    value = {"at": now.isoformat(), "messages": result.messages, "faqs": result.faqs, "refused": result.refused}
    marks.put_mark(session, marks.EXPORT, value, now=now)


def as_zip(session: Session, *, guard: Guard) -> tuple[bytes, Exported]:
    """Return the same files in an archive, for a person to look through; notes nothing."""
    ready = _prepare(session, guard)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(ready.files.items()):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    return out.getvalue(), ready.exported


def _prepare(session: Session, guard: Guard) -> _Prepared:
    judged = list(_judged(session, guard))
    items = [item for item, why in judged if why is None]
    held_back = [(item, why) for item, why in judged if why is not None]
    refused = Counter(why for _, why in held_back)
    messages: dict[str, list[str]] = defaultdict(list)
    for item in items:
        messages[str(item.label)].append(_one_line(item.text))
    answers = list(_judged_answers(session, guard, {bare(item.text) for item in items}))
    fitting = [row for row, why in answers if why is None]
    no_answers = [(row, why) for row, why in answers if why is not None]
    refused.update(why for _, why in no_answers)
    exported = Exported(
        messages=len(items), faqs=len(fitting), refused=dict(sorted(refused.items())),
        by_intent={intent: len(texts) for intent, texts in sorted(messages.items())},
    )  # fmt: skip
    files = {MESSAGES: _rasa(messages), KNOWLEDGE: _knowledge(fitting)}
    return _Prepared(files, exported, items, held_back, no_answers)


def refused_items(session: Session) -> dict[int, str]:
    """Return what the last export held back, item id -> why, but for what was reviewed anew since."""
    found: dict[str, str] = marks.mark(session, marks.REFUSED).get("items", {})
    at = marks.marked_at(session, marks.REFUSED)
    if not found or at is None:
        return {}
    query = select(LearningItem.id).where(LearningItem.state == LABELLED, LearningItem.exported_at.is_(None))
    query = query.where(LearningItem.reviewed_at <= at)
    return {number: found[str(number)] for number in session.scalars(query) if str(number) in found}


def refused_answers(session: Session) -> dict[int, str]:
    """Return the approved answers that the last export held back, id -> why, but for what was changed since."""
    found: dict[str, dict[str, Any]] = marks.mark(session, marks.REFUSED).get("answers", {})
    if not found:
        return {}
    query = select(LearnedFaq.id, LearnedFaq.version).where(LearnedFaq.state == faqs.READY)
    rows = session.execute(query).tuples()
    return {
        number: found[str(number)]["why"] for number, version in rows
        if found.get(str(number), {}).get("version") == version
    }  # fmt: skip


def _judged(session: Session, guard: Guard) -> Iterator[tuple[LearningItem, str | None]]:
    """Yield the labelled messages, each with why it is not given out, if it is not."""
    rows = list(session.scalars(select(LearningItem).where(LearningItem.state == LABELLED).order_by(LearningItem.id)))
    labels: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        labels[bare(row.text)].add(str(row.label))
    seen: set[str] = set()
    for row in rows:
        key = bare(row.text)
        why = "conflicting" if len(labels[key]) > 1 else _why_not(row.text, guard)
        yield row, why or ("known" if key in seen else None)
        if why is None:
            seen.add(key)


def _why_not(text: str, guard: Guard) -> str | None:
    if guard.scrubber.is_personal(text) or not bare(text):
        return "personal"
    if guard.held_out.holds(text, guard.settings.leaks.like):
        return "held_out"
    return "known" if bare(text) in guard.known else None


def _judged_answers(
    session: Session, guard: Guard, labelled: Set[str]
) -> Iterator[tuple[LearnedFaq, str | None]]:  # fmt: skip
    """Yield the approved answers, each with why it is not given out, if it is not."""
    for row in sorted(faqs.all_of(session, faqs.READY), key=lambda one: one.key):
        yield row, _why_no_answer(row, guard, labelled)


def _why_no_answer(row: LearnedFaq, guard: Guard, labelled: Set[str]) -> str | None:
    """Tell why an answer is held back; a wording that is `labelled` as an intent would teach the same text twice."""
    try:
        item = faqs.item_of(row)
    except faqs.BadFaq:
        return "invalid"
    wordings = (item.question, *item.also)
    if any(guard.held_out.holds(text, guard.settings.leaks.like) for text in wordings):
        return "held_out"
    if any(guard.scrubber.is_personal(text) for text in (*wordings, item.answer)):
        return "personal"
    return "conflicting" if any(bare(text) in labelled or bare(text) in guard.known for text in wordings) else None


def _rasa(messages: Mapping[str, list[str]]) -> str:
    """Return the messages in the form of data/nlu, sorted; entities are not marked."""
    lines = ['version: "3.1"', "", "nlu:" if messages else "nlu: []"]
    for intent, texts in sorted(messages.items()):
        lines += [f"  - intent: {intent}", "    examples: |", *(f"      - {text}" for text in sorted(texts))]
    return "\n".join(lines) + "\n"


def _knowledge(rows: list[LearnedFaq]) -> str:
    items: list[dict[str, Any]] = [faqs.item_of(row).model_dump(exclude={"intents"}) for row in rows]
    for item in items:
        item["also"] = list(item["also"])
    text: str = yaml.safe_dump({"items": items}, allow_unicode=True, sort_keys=False, width=1000)
    return text


def _one_line(text: str) -> str:
    return " ".join(text.split()).translate(_BRACKETS)


def _replace(path: Path, content: str) -> None:
    """Write a file that its owner alone can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".learned")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
