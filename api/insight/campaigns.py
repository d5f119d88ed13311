"""The page of campaigns: who drafts, sees how far it would reach, has another one approve it, starts and stops it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from fastapi import APIRouter, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from api.deps import Parts, PartsDep, parts_of
from api.desk.access import Signed, SupervisorDep
from api.desk.cases import agent_names
from api.desk.errors import DeskRoute, document
from core import campaign as campaigns
from core.audit import Auditor
from core.campaign import BadCampaign, CampaignNotFound, NobodyAgreed, OwnCampaign, WrongStep
from core.campaign_reach import NoRun, Reach, reached
from core.proactive import broadcast
from core.recommend.rules import Rules, recommend_rules
from core.recommend.tables import Campaign

Segment = Literal["special_service", "high_risk", "high_value", "growth", "basic"]
KNOWN: Mapping[type[Exception], tuple[HTTPStatus, str]] = {
    CampaignNotFound: (HTTPStatus.NOT_FOUND, "no_such_campaign"),
    WrongStep: (HTTPStatus.CONFLICT, "wrong_step"),
    OwnCampaign: (HTTPStatus.FORBIDDEN, "own_campaign"),
    NoRun: (HTTPStatus.CONFLICT, "no_run"),
    NobodyAgreed: (HTTPStatus.CONFLICT, "nobody_agreed"),
}


class Words(BaseModel):
    """The file `data/campaigns.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    segments: dict[str, str]
    states: dict[str, str]
    problems: dict[str, str]
    separator: str


@cache
def words_of(data_dir: Path) -> Words:
    """Read the words.

    Raises:
        pydantic.ValidationError: if some are missing or unknown.
    """
    return Words.model_validate(yaml.safe_load((data_dir / "campaigns.yaml").read_text(encoding="utf-8")))


class _OwnErrors(APIRoute):
    """A route that answers the errors of campaigns with problem documents."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler of the route."""
        handle = super().get_route_handler()

        async def handling(request: Request) -> Response:
            words = words_of(parts_of(request).settings.data_dir)
            try:
                return await handle(request)
            except BadCampaign as error:
                code = f"bad_{error.problem}"
                text = words.problems[code].format(words=words.separator.join(error.words))
                return document(request, HTTPStatus.UNPROCESSABLE_ENTITY, code, {code: text}, words=list(error.words))
            except tuple(KNOWN) as error:
                status, code = next(found for kind, found in KNOWN.items() if isinstance(error, kind))
                return document(request, status, code, words.problems)

        return handling


class CampaignRoute(DeskRoute, _OwnErrors):
    """A route of campaigns: our own errors first, then those that all of the desk shares."""


router = APIRouter(prefix="/v1/insight/campaigns", tags=["insight"], route_class=CampaignRoute)


class CampaignBody(BaseModel):
    """A campaign to draft."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=200)]
    segments: Annotated[list[Segment], Field(max_length=5)]
    text: Annotated[str, Field(max_length=2000)]


class CampaignRow(BaseModel):
    """A campaign as supervisors see it; `sends` by state, `may_approve`: the caller is another than who drafted it.

    `told`: who has read it; the others hear it after an answer to their next question, if that comes in time.
    """

    id: int
    name: str
    segments: list[str]
    segment_names: list[str]
    text: str
    state: str
    state_name: str
    audience: int
    consenting: int
    held_out: int
    sends: dict[str, int]
    told: int
    created_by: str | None
    approved_by: str | None
    created_at: datetime
    started_at: datetime | None
    may_approve: bool


class ReachRow(BaseModel):
    """How far a campaign would reach in one segment."""

    segment: str
    name: str
    audience: int
    consenting: int
    held_out: int
    refused: int
    reached: int


@router.get("")
async def list_campaigns(parts: PartsDep, signed: SupervisorDep) -> list[CampaignRow]:
    """Return the newest campaigns."""
    return await parts.store.read(lambda session: _rows(session, parts, signed, campaigns.latest(session)))


@router.get("/preview")
async def preview(
    parts: PartsDep, _signed: SupervisorDep, segment: Annotated[list[Segment], Query(max_length=5)]
) -> list[ReachRow]:  # fmt: skip
    """Return how many customers of each segment there are, who agreed, and who would be told."""
    names = words_of(parts.settings.data_dir).segments
    reach, _ = await parts.store.read(lambda session: _reached(session, parts, segment))
    return [ReachRow(name=names[one.segment], **vars(one)) for one in reach]


@router.post("", status_code=HTTPStatus.CREATED)
async def draft(body: CampaignBody, parts: PartsDep, signed: SupervisorDep) -> CampaignRow:
    """Write a campaign down; somebody else has to approve it."""
    now = parts.clock()

    def work(session: Session) -> CampaignRow:
        row = campaigns.draft(
            session, _rules(), name=body.name, segments=body.segments, text=body.text, by=signed.agent_id, now=now
        )
        return _noted(session, parts, signed, row, "campaign_drafted", now=now)

    return await parts.store.write(work)


@router.post("/{campaign_id}/approve")
async def approve(campaign_id: int, parts: PartsDep, signed: SupervisorDep) -> CampaignRow:
    """Approve somebody else's draft."""
    now = parts.clock()

    def work(session: Session) -> CampaignRow:
        row = campaigns.approve(session, campaign_id, by=signed.agent_id)
        return _noted(session, parts, signed, row, "campaign_approved", now=now)

    return await parts.store.write(work)


@router.post("/{campaign_id}/start")
async def start(campaign_id: int, parts: PartsDep, signed: SupervisorDep) -> CampaignRow:
    """Start an approved campaign, or let a stopped one go on; whom it goes to is worked out before, outside of it."""
    now, notices = parts.clock(), parts.manner.notices
    found = await parts.store.read(lambda session: campaigns.find(session, campaign_id))
    going_on = found.broadcast_id is not None
    reach, recipients = ([], []) if going_on else await parts.store.read(
        lambda session: _reached(session, parts, found.segments)
    )  # fmt: skip

    def work(session: Session) -> CampaignRow:
        row = campaigns.start(
            session, notices, _rules(), campaign_id, reach=reach, recipients=recipients, now=now
        )  # fmt: skip
        return _noted(session, parts, signed, row, "campaign_started", now=now, recipients=len(recipients))

    return await parts.store.write(work)


@router.post("/{campaign_id}/stop")
async def stop(campaign_id: int, parts: PartsDep, signed: SupervisorDep) -> CampaignRow:
    """Stop a campaign."""
    now = parts.clock()

    def work(session: Session) -> CampaignRow:
        row = campaigns.stop(session, campaign_id, by=f"campaign: {signed.login}", now=now)
        return _noted(session, parts, signed, row, "campaign_stopped", now=now)

    return await parts.store.write(work)


def _rules() -> Rules:
    return recommend_rules()


def _reached(session: Session, parts: Parts, segments: list[str] | list[Segment]) -> tuple[list[Reach], list[str]]:
    return reached(session, _rules(), segments, keyring=parts.settings.keyring())


def _noted(
    session: Session, parts: Parts, signed: Signed, row: Campaign, action: str, *, now: datetime, **more: int
) -> CampaignRow:  # fmt: skip
    """Return the row, once it stands in the audit log who did what to it."""
    session.flush()
    shown = _rows(session, parts, signed, [row])[0]
    auditor = Auditor.of(parts.settings.keyring(), signed.agent_id)
    auditor.note(session, action, f"campaign:{row.id}", now=now, segments=list(row.segments), **more)
    return shown


def _rows(session: Session, parts: Parts, signed: Signed, found: list[Campaign]) -> list[CampaignRow]:
    words, names = words_of(parts.settings.data_dir), agent_names(session)
    states, told = campaigns.states(session, found, now=parts.clock()), campaigns.told(session, found)
    sent = broadcast.counts(session, [one.broadcast_id for one in found if one.broadcast_id is not None])
    return [
        CampaignRow(
            id=one.id, name=one.name, segments=one.segments, text=one.text, state=states[one.id],
            segment_names=[words.segments[name] for name in one.segments], state_name=words.states[states[one.id]],
            audience=one.audience, consenting=one.consenting, held_out=one.held_out,
            sends=sent.get(one.broadcast_id or 0, {}), told=told[one.id], created_by=names.get(one.created_by or 0),
            approved_by=names.get(one.approved_by or 0), created_at=one.created_at, started_at=one.started_at,
            may_approve=one.state == campaigns.DRAFT and one.created_by not in (None, signed.agent_id),
        )
        for one in found
    ]  # fmt: skip
