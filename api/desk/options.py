"""What agents choose from: categories, outcomes, reasons, intents, skills; and the names of what the desk shows."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.deps import Parts, PartsDep
from api.desk.access import AgentDep
from core import agent as people
from core.desk_setting import setting
from core.handoff.figures import HOURS, Calendars
from core.handoff.tables import REASONS, SKILLS, Handoff
from core.service_clock import Calendar

router = APIRouter(prefix="/v1/desk", tags=["desk"])


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FormWords(_Strict):
    """What goes with a form that an agent sends; both hold `{title}`."""

    text: str
    button: str


class OutageWords(_Strict):
    """The labels of a card about outages, and what it says where there is none."""

    title: str
    under_way: str
    planned: str
    expected: str
    unknown: str
    span: str
    begins: str = Field(alias="from")
    none: str


class DeskOptions(_Strict):
    """The file `data/desk/options.yaml`: key -> Chinese label."""

    categories: dict[str, str]
    outcomes: dict[str, str]
    skills: dict[str, str]
    priorities: tuple[str, ...]  # by class, the most urgent first
    reasons: dict[str, str]
    flags: dict[str, str]
    reveal_reasons: tuple[str, ...]
    visitor: str
    unknown_customer: str
    photo: str
    form: FormWords
    order_card: dict[str, str]  # state, and the kinds of promises
    outage_card: OutageWords
    problems: dict[str, str]
    drafts: dict[str, str]
    intents: dict[str, str]

    @model_validator(mode="after")
    def _is_complete(self) -> DeskOptions:
        missing = {*SKILLS} - set(self.skills) | {*REASONS} - set(self.reasons)
        if missing:
            raise ValueError(f"no label for {', '.join(sorted(missing))}")
        return self

    def intent(self, name: str | None) -> str:
        """Return the label of an intent, of several (`a+b`) those of all; an unknown one is its own label."""
        return "、".join(self.intents.get(part, part) for part in (name or "").split("+") if part)

    def priority(self, number: int) -> str:
        """Return the label of a priority class."""
        return self.priorities[min(max(number, 0), len(self.priorities) - 1)]


class Choice(BaseModel):
    """One thing to choose: `key` is sent back."""

    key: str
    label: str


class IntentChoice(BaseModel):
    """One intent that a message can be corrected to."""

    name: str
    label: str


class AgentChoice(BaseModel):
    """An agent to whom a conversation can be passed on; `load` counts the conversations in hand."""

    id: int
    name: str
    staff_no: str
    role: str
    skills: list[str]
    status: str
    present: bool
    load: int
    capacity: int


class Options(BaseModel):
    """All choices of the console."""

    categories: list[Choice]
    outcomes: list[Choice]
    pause_reasons: list[Choice]
    reveal_reasons: list[str]
    intents: list[IntentChoice]
    skills: list[Choice]
    flags: list[Choice]
    agents: list[AgentChoice]


@cache
def options_of(data_dir: Path) -> DeskOptions:
    """Read the file of labels.

    Raises:
        pydantic.ValidationError: if a label is missing or unknown.
    """
    path = data_dir / "desk" / "options.yaml"
    return DeskOptions.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


@cache
def _written_calendar(data_dir: Path) -> Calendar:
    return Calendar.load(data_dir / "desk" / "hours.yaml")


def calendars_of(session: Session, data_dir: Path) -> Calendars:
    """Return the working hours as they hold and held; the file is read once."""
    if setting(session, HOURS) is None:
        return Calendars(_written_calendar(data_dir))
    return Calendars.read(session, data_dir / "desk" / "hours.yaml")


def loads(session: Session) -> dict[int, int]:
    """Return how many open conversations each agent has in hand; messages left behind do not count."""
    query = select(Handoff.agent_id, func.count()).where(Handoff.agent_id.is_not(None), Handoff.ended_at.is_(None))
    return {int(agent): count for agent, count in session.execute(query.group_by(Handoff.agent_id)) if agent}


@router.get("/options")
async def options(parts: PartsDep, _signed: AgentDep) -> Options:
    """Return everything that agents choose from, and who is there."""

    def work(session: Session) -> tuple[Calendar, list[AgentChoice]]:
        return calendars_of(session, parts.settings.data_dir).present, _agents(session, parts)

    labels = options_of(parts.settings.data_dir)
    calendar, agents = await parts.store.read(work)
    return Options(
        categories=_choices(labels.categories), outcomes=_choices(labels.outcomes),
        pause_reasons=_choices(calendar.desk.pause_reasons), reveal_reasons=list(labels.reveal_reasons),
        intents=[IntentChoice(name=name, label=label) for name, label in labels.intents.items()],
        skills=_choices(labels.skills), flags=_choices(labels.flags), agents=agents,
    )  # fmt: skip


def _agents(session: Session, parts: Parts) -> list[AgentChoice]:
    now, load = parts.clock(), loads(session)
    return [
        AgentChoice(
            id=one.id, name=one.name, staff_no=one.staff_no, role=one.role, skills=list(one.skills), status=one.status,
            present=people.present(one, now), load=load.get(one.id, 0), capacity=one.capacity,
        )
        for one in people.list_agents(session, active=True)
    ]  # fmt: skip


def _choices(labels: dict[str, str]) -> list[Choice]:
    return [Choice(key=key, label=label) for key, label in labels.items()]
