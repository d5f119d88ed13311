"""Canned answers of the desk, with placeholders that are filled for the conversation.

The first ones stand in `data/desk/canned.yaml`; they are loaded into an empty table and live there afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator
from sqlalchemy import String, Text, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import BridgeBase, Instant
from core.locking import one_at_a_time

MAX_ANSWER = 1000  # characters
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_UNFILLED = "【{}】"


class CannedDataError(ValueError):
    """The file of canned answers is wrong; says where."""


class CannedAnswer(BridgeBase):
    """One answer; `shortcut` is what an agent types behind a slash, `skill` None fits all."""

    __tablename__ = "canned_answers"
    id: Mapped[int] = mapped_column(primary_key=True)
    shortcut: Mapped[str] = mapped_column(String(20), unique=True)
    title: Mapped[str] = mapped_column(String(60))
    text: Mapped[str] = mapped_column(Text)
    skill: Mapped[str | None] = mapped_column(String(10))
    active: Mapped[bool] = mapped_column(default=True)
    updated_at: Mapped[datetime] = mapped_column(Instant)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FirstAnswer(_Strict):
    """One answer of the file."""

    shortcut: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{2,20}$")]
    title: Annotated[str, StringConstraints(min_length=2, max_length=60)]
    text: Annotated[str, StringConstraints(min_length=5, max_length=MAX_ANSWER)]
    skill: Literal["repair", "billing", "business", "complaint"] | None = None


class CannedFile(_Strict):
    """The first answers, and the Chinese names of the placeholders that any answer may have."""

    placeholders: Mapping[str, str]
    answers: tuple[FirstAnswer, ...]

    @model_validator(mode="after")
    def _answers_fit(self) -> Self:
        shortcuts = [one.shortcut for one in self.answers]
        if len(set(shortcuts)) != len(shortcuts):
            raise ValueError("two answers have the same shortcut")
        for one in self.answers:
            unknown = placeholders_in(one.text) - set(self.placeholders)
            if unknown:
                raise ValueError(f"{one.shortcut}: unknown placeholders {sorted(unknown)}")
        return self


@dataclass(frozen=True)
class Filled:
    """An answer with its values; `missing` are the placeholders that have none and stand in the text as 【name】."""

    text: str
    missing: tuple[str, ...]


def load_canned(path: Path) -> CannedFile:
    """Read the file.

    Raises:
        CannedDataError: if it is not of the form of `CannedFile`.
    """
    try:
        return CannedFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        raise CannedDataError(f"{path.name}: {error}") from error


def seed_canned(session: Session, path: Path, *, now: datetime) -> int:
    """Load the first answers if there is none yet, deleted ones included; return how many were added.

    Raises:
        CannedDataError: if the file is wrong.
    """
    one_at_a_time(session, "canned_answers")
    if session.scalar(select(CannedAnswer.id).limit(1)) is not None:
        return 0
    answers = load_canned(path).answers
    session.add_all(CannedAnswer(**one.model_dump(), active=True, updated_at=now) for one in answers)
    session.flush()
    return len(answers)


def find_canned(
    session: Session, *, query: str = "", skills: Sequence[str] | None = None, limit: int = 50
) -> list[CannedAnswer]:
    """Return the answers in use whose shortcut begins with, or whose title or text holds, the query.

    Those of `skills` and for everybody (None: all); where the shortcut fits comes first, then by title.
    """
    wanted = query.strip().lstrip("/").lower()
    found = select(CannedAnswer).where(CannedAnswer.active)
    if skills is not None:
        found = found.where(or_(CannedAnswer.skill.is_(None), CannedAnswer.skill.in_(list(skills))))
    rows = [row for row in session.scalars(found) if _fits(row, wanted)]
    rows.sort(key=lambda row: (not row.shortcut.startswith(wanted), row.skill is None, row.shortcut))
    return rows[:limit]


def placeholders_in(text: str) -> set[str]:
    """Return the names of the placeholders of a text."""
    return set(_PLACEHOLDER.findall(text))


def fill(text: str, values: Mapping[str, str | None], names: Mapping[str, str]) -> Filled:
    """Return the text with its values; what has none stays visible under its Chinese name (`names`).

    Nothing of a value is read as a placeholder again.
    """
    missing: list[str] = []

    def value(found: re.Match[str]) -> str:
        name = found[1]
        given = values.get(name)
        if given:
            return given
        if name not in missing:
            missing.append(name)
        return _UNFILLED.format(names.get(name, name))

    return Filled(_PLACEHOLDER.sub(value, text), tuple(missing))


def _fits(row: CannedAnswer, wanted: str) -> bool:
    return row.shortcut.startswith(wanted) or wanted in row.title.lower() or wanted in row.text.lower()
