"""Service fitted to the segment (data/segments/service.yaml): what a customer meets first, and what the desk owes him.

Figures, safety and the way to a person are the same for all: nothing here can change them (docs/service_fit.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from sqlalchemy.orm import Session

from core.binding import owners_of
from core.portrait.tables import FEATURES
from core.segment.rules import Rules, load_rules
from core.segment.standing import Standing, standing_of
from core.segment.tables import BASIC, HIGH_RISK, SEGMENTS

Style = Literal["", "plain", "business"]
Hours = Annotated[int, Field(gt=0)]


class BadFitting(Exception):
    """The file of service is wrong; the message says where."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Offer(_Strict):
    """A button of a greeting; `only`: for customers that are no private persons."""

    title: Annotated[str, Field(min_length=1, max_length=20)]
    payload: Annotated[str, Field(pattern=r"^(/[a-z_]+|bridge:say:.+)$")]
    only: Literal["organisation"] | None = None


class SegmentService(_Strict):
    """What one segment is given, and why."""

    style: Style
    large_type: bool
    flag: str | None
    first: tuple[str, ...]
    manager: bool
    call_back_hours: Hours | None
    needs_history: bool
    figures: Annotated[tuple[str, ...], Field(max_length=3)]
    talk: str
    reason: Annotated[str, Field(min_length=1)]
    source: Annotated[str, Field(min_length=1)]


class TagService(_Strict):
    """What a tag adds to it."""

    first: tuple[str, ...] = ()
    talk: str
    reason: Annotated[str, Field(min_length=1)]


class CallBackRules(_Strict):
    """After which cases somebody is called back, whatever the segment."""

    working_hours: Hours
    complaint_hours: Hours
    complaint_reasons: frozenset[str]
    complaint_skill: str
    low_score: Annotated[int, Field(ge=1, le=5)]
    low_score_hours: Hours

    @property
    def least(self) -> timedelta:
        """The working time that is left at least."""
        return timedelta(hours=self.working_hours)


class _Words(_Strict):
    ratio_unit: str  # units of data/portrait/features.yaml that are not said as they stand
    yes_no_unit: str
    share: str
    number: str
    yes: str
    no: str
    thin: dict[str, str]
    due_manager: str
    phone: dict[Literal["on_file", "order", "written"], str]
    why: dict[Literal["segment", "complaint", "low_score"], str]


class _File(_Strict):
    offers: dict[str, Offer]
    segments: dict[str, SegmentService]
    tags: dict[str, TagService]
    call_backs: CallBackRules
    words: _Words

    @model_validator(mode="after")
    def _fits(self) -> _File:
        if set(self.segments) != set(SEGMENTS):
            raise ValueError(f"segments must be {', '.join(SEGMENTS)}")
        if self.segments[HIGH_RISK].flag != self.segments[BASIC].flag:
            raise ValueError("high risk stands in the queue as basic does")
        given = [one.first for one in self.segments.values()] + [one.first for one in self.tags.values()]
        named = {key for keys in given for key in keys}
        if unknown := named - set(self.offers):
            raise ValueError(f"no such offers: {', '.join(sorted(unknown))}")
        if unknown := {key for one in self.segments.values() for key in one.figures} - set(FEATURES):
            raise ValueError(f"no such features: {', '.join(sorted(unknown))}")
        return self


@dataclass(frozen=True)
class Service:
    """How one customer is served; `segment` is the one that it is fitted to, for staff and records alone."""

    segment: str
    style: Style = ""
    large_type: bool = False
    flags: tuple[str, ...] = ()
    first: tuple[str, ...] = ()  # keys of offers
    manager: bool = False
    call_back: timedelta | None = None
    figures: tuple[str, ...] = ()
    talk: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fitting:
    """The whole file, and the names of segments and tags as staff read them."""

    file: _File
    rules: Rules

    @classmethod
    def load(cls, directory: Path) -> Fitting:
        """Read data/segments.

        Raises:
            BadFitting: if the file is missing, malformed, or names what there is not.
            BadSegmentData: if the rules of segments are wrong.
        """
        try:
            tree = yaml.safe_load((directory / "service.yaml").read_text(encoding="utf-8"))
            file = _File.model_validate(tree)
        except (OSError, yaml.YAMLError, ValidationError) as error:
            raise BadFitting(f"service.yaml: {error}") from error
        rules = load_rules(directory)
        known = {tag.key for tag in (*rules.tags, *rules.of_events)}
        if unknown := set(file.tags) - known:
            raise BadFitting(f"service.yaml: no such tags: {', '.join(sorted(unknown))}")
        return cls(file, rules)

    @property
    def offers(self) -> Mapping[str, Offer]:
        """The buttons of greetings by key."""
        return self.file.offers

    @property
    def call_backs(self) -> CallBackRules:
        """After which cases somebody is called back, whatever the segment."""
        return self.file.call_backs

    @property
    def words(self) -> _Words:
        """What the desk reads around figures."""
        return self.file.words

    def service_for(self, standing: Standing) -> Service:
        """Return the service of a customer; of whom too little is known it is that of the basic segment."""
        segment = standing.segment or BASIC
        if standing.thin and self.file.segments[segment].needs_history:
            segment = BASIC
        found = self.file.segments[segment]
        tags = [self.file.tags[key] for key in standing.tags if key in self.file.tags]
        first = dict.fromkeys([*(key for tag in tags for key in tag.first), *found.first])
        return Service(
            segment=segment, style=found.style, large_type=found.large_type,
            flags=(found.flag,) if found.flag else (), first=tuple(first), manager=found.manager,
            call_back=timedelta(hours=found.call_back_hours) if found.call_back_hours else None,
            figures=found.figures, talk=(found.talk, *(tag.talk for tag in tags)),
        )  # fmt: skip

    def service_of(self, session: Session, *, customer_no: str | None, account_nos: list[str]) -> Service:
        """Return the same for a customer by number and accounts; `session` reads the bridge database."""
        if customer_no is None and not account_nos:
            return self.service_for(NOBODY)
        return self.service_for(standing_known(session, customer_no=customer_no, account_nos=account_nos))


def standing_known(session: Session, *, customer_no: str | None, account_nos: list[str]) -> Standing:
    """Return where a customer stands; of somebody without a number an account is whose contract it was when bound."""
    holders = {} if customer_no else owners_of(session, account_nos)
    return standing_of(session, customer_no=customer_no, account_nos=account_nos, holders=holders)


@cache
def fitting() -> Fitting:
    """Return what the repository says, read once a process."""
    return Fitting.load(Path(__file__).parents[1] / "data" / "segments")


NOBODY = Standing(None, (), thin=True, run_id=None, accounts=())
