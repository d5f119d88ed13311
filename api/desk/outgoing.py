"""What goes out of our own accord, and what could not be sent: seen, stopped, sent again or given up by supervisors."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from datetime import datetime
from functools import cache, cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any
from weakref import WeakKeyDictionary

import yaml
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.orm import Session

from api.deps import Parts, PartsDep, parts_of
from api.desk.access import Signed, SupervisorDep
from api.desk.errors import DeskRoute, document
from core.audit import Auditor
from core.clock import SHANGHAI
from core.db import Database
from core.masking import mask_account_no
from core.outgoing import DeadLetter, LetterNotFound, Source, dead_counts, dead_letters, give_up, send_again
from core.outgoing import send_all_again as core_send_all_again
from core.proactive import broadcast
from core.proactive.broadcast import BroadcastNotFound, WrongState
from core.proactive.kinds import Notices
from core.proactive.tables import DONE, Broadcast
from core.redact import Redactor

MOST = 20  # broadcasts that the page shows
_Counts = dict[tuple[int, datetime | None], dict[str, int]]
_Found = tuple[list[Broadcast], dict[int, dict[str, int]], list[DeadLetter], dict[str, int]]
_counted: WeakKeyDictionary[Database, _Counts] = WeakKeyDictionary()  # of those that are done
_redactor = Redactor()  # by form alone: reasons are written by people


class _Reason(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    pattern: str
    text: str


class OutgoingWords(BaseModel):
    """The file `data/desk/outgoing.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: dict[str, str]
    kinds: dict[str, str]
    other_kind: str
    states: dict[str, str]
    stopped_by: dict[str, str]  # the first word of what was written down -> what it means
    errors: list[_Reason]
    other_error: str
    problems: dict[str, str]

    def reason(self, error: str) -> str:
        """Return in words why something could not be sent."""
        return next((text for pattern, text in self._errors if pattern.search(error)), self.other_error)

    @cached_property
    def _errors(self) -> list[tuple[re.Pattern[str], str]]:
        return [(re.compile(one.pattern), one.text) for one in self.errors]


@cache
def words_of(data_dir: Path) -> OutgoingWords:
    """Read the words; raises pydantic.ValidationError if some are missing or unknown."""
    return OutgoingWords.model_validate(yaml.safe_load((data_dir / "desk" / "outgoing.yaml").read_text("utf-8")))


@cache
def _notices(data_dir: Path) -> Notices:
    return Notices.load(data_dir / "notices.yaml")


# error class -> (status, key of the problems)
REFUSED: dict[type[Exception], tuple[HTTPStatus, str]] = {
    LetterNotFound: (HTTPStatus.NOT_FOUND, "no_such_letter"),
    BroadcastNotFound: (HTTPStatus.NOT_FOUND, "no_such_broadcast"),
    WrongState: (HTTPStatus.CONFLICT, "broadcast_over"),
}


class OutgoingRoute(DeskRoute):
    """A route that answers what broadcasts and letters refuse."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler of the route."""
        handle = super().get_route_handler()

        async def handling(request: Request) -> Response:
            try:
                return await handle(request)
            except tuple(REFUSED) as error:
                status, code = REFUSED[type(error)]
                code = "broadcast_expired" if str(error) == "expired" else code
                return document(request, status, code, words_of(parts_of(request).settings.data_dir).problems)

        return handling


router = APIRouter(prefix="/v1/desk/outgoing", tags=["desk"], route_class=OutgoingRoute)


class BroadcastView(BaseModel):
    """One broadcast and how far it is: counts by state of its sends, and whether all recipients are known yet."""

    id: int
    kind: str
    key: str
    state: str
    state_text: str
    stopped_by: str | None
    created_at: datetime
    not_before: datetime
    expires_at: datetime | None
    ended_at: datetime | None
    fanned_out: bool
    expired: bool
    counts: dict[str, int]


class LetterView(BaseModel):
    """One thing that could not be sent; `customer` is masked, `error` is what the other side said."""

    source: Source
    source_text: str
    id: int
    kind: str
    at: datetime
    attempts: int
    reason: str
    error: str
    customer: str | None
    conversation_id: str | None
    broadcast_id: int | None


class Outgoing(BaseModel):
    """The page: the latest broadcasts, what waits for an operator, and the rate that is allowed a second."""

    now: datetime
    rate: float
    broadcasts: list[BroadcastView]
    dead: list[LetterView]
    dead_counts: dict[str, int]


class AgainAnswer(BaseModel):
    """How many are sent after all."""

    again: int


class GiveUpRequest(BaseModel):
    """Why something is not sent any more."""

    model_config = ConfigDict(extra="forbid")

    why: Annotated[str, StringConstraints(strip_whitespace=True), Field(min_length=2, max_length=100)]


@router.get("")
async def outgoing(parts: PartsDep, _signed: SupervisorDep) -> Outgoing:
    """Return what goes out and what could not be sent."""
    kept = _counted.setdefault(parts.bridge, {})

    def work(
        session: Session,
    ) -> tuple[list[Broadcast], dict[int, dict[str, int]], list[DeadLetter], dict[Source, int]]:
        rows = broadcast.latest(session, limit=MOST)
        fresh = broadcast.counts(session, [row.id for row in rows if (row.id, row.ended_at) not in kept])
        found = {row.id: fresh[row.id] if row.id in fresh else kept[row.id, row.ended_at] for row in rows}
        return rows, found, dead_letters(session), dict(dead_counts(session).items())

    rows, counts, letters, dead = await parts.store.read(work)
    kept.update({(row.id, row.ended_at): counts[row.id] for row in rows if row.state == DONE})
    return Outgoing(
        now=parts.clock().astimezone(SHANGHAI), rate=parts.settings.wechat_rate,
        broadcasts=[_broadcast(parts, row, counts[row.id]) for row in rows],
        dead=[_letter(parts, one) for one in letters], dead_counts=dead,
    )  # fmt: skip


@router.post("/broadcasts/{broadcast_id}/stop")
async def stop(broadcast_id: int, parts: PartsDep, signed: SupervisorDep) -> BroadcastView:
    """Stop a broadcast: what is on its way arrives, the rest stays here."""

    def work(session: Session) -> tuple[Broadcast, dict[str, int]]:
        row = broadcast.stop(session, broadcast_id, by=signed.name, now=parts.clock())
        _note(session, parts, signed, "broadcast_stopped", f"broadcast:{broadcast_id}")
        return row, broadcast.counts(session, [broadcast_id])[broadcast_id]

    return _broadcast(parts, *await parts.store.write(work))


@router.post("/broadcasts/{broadcast_id}/resume")
async def resume(broadcast_id: int, parts: PartsDep, signed: SupervisorDep) -> BroadcastView:
    """Let a stopped broadcast go on where it was."""

    def work(session: Session) -> tuple[Broadcast, dict[str, int]]:
        row = broadcast.resume(session, broadcast_id, now=parts.clock())
        _note(session, parts, signed, "broadcast_resumed", f"broadcast:{broadcast_id}")
        return row, broadcast.counts(session, [broadcast_id])[broadcast_id]

    return _broadcast(parts, *await parts.store.write(work))


@router.post("/dead/again")
async def send_all_again(parts: PartsDep, signed: SupervisorDep) -> AgainAnswer:
    """Have everything that could not be sent sent after all, but for broadcasts whose time is over."""

    def work(session: Session) -> int:
        count = core_send_all_again(session, now=parts.clock())
        _note(session, parts, signed, "outgoing_again", "outgoing", cases=count)
        return count

    return AgainAnswer(again=await parts.store.write(work))


@router.post("/dead/{source}/{number}/again")
async def send_one_again(source: Source, number: int, parts: PartsDep, signed: SupervisorDep) -> AgainAnswer:
    """Have one thing sent after all."""

    def work(session: Session) -> None:
        send_again(session, source, number, now=parts.clock())
        _note(session, parts, signed, "outgoing_again", f"{source}:{number}")

    await parts.store.write(work)
    return AgainAnswer(again=1)


@router.post("/dead/{source}/{number}/give_up", status_code=HTTPStatus.NO_CONTENT)
async def give_one_up(source: Source, number: int, body: GiveUpRequest, parts: PartsDep, signed: SupervisorDep) -> None:
    """Send one thing no more, for a reason."""
    why = _redactor.text(body.why)

    def work(session: Session) -> None:
        give_up(session, source, number, why=why, now=parts.clock())
        _note(session, parts, signed, "outgoing_given_up", f"{source}:{number}", reason=why)

    await parts.store.write(work)
    _counted.pop(parts.bridge, None)


def _broadcast(parts: Parts, row: Broadcast, counts: dict[str, int]) -> BroadcastView:
    words, known = words_of(parts.settings.data_dir), _notices(parts.settings.data_dir).kinds.get(row.kind)
    by = row.stopped_by or ""
    return BroadcastView(
        id=row.id, kind=known.name if known else row.kind, key=_redactor.text(row.key), state=row.state,
        state_text=words.states[row.state], stopped_by=words.stopped_by.get(by.split(" ")[0], by) or None,
        created_at=row.created_at.astimezone(SHANGHAI), not_before=row.not_before.astimezone(SHANGHAI),
        expires_at=_local(row.expires_at), ended_at=_local(row.ended_at), fanned_out=row.fanned_out, counts=counts,
        expired=row.expires_at is not None and row.expires_at <= parts.clock(),
    )  # fmt: skip


def _letter(parts: Parts, one: DeadLetter) -> LetterView:
    words, kinds = words_of(parts.settings.data_dir), _notices(parts.settings.data_dir).kinds
    kind = kinds[one.kind].name if one.source == "send" and one.kind in kinds else None
    return LetterView(
        source=one.source, source_text=words.sources[one.source], id=one.id, at=one.at.astimezone(SHANGHAI),
        kind=kind or words.kinds.get(one.kind, words.other_kind), attempts=one.attempts,
        reason=words.reason(one.error), error=_redactor.text(one.error), conversation_id=one.conversation_id,
        customer=mask_account_no(one.customer_no) if one.customer_no else None, broadcast_id=one.broadcast_id,
    )  # fmt: skip


def _local(at: datetime | None) -> datetime | None:
    return at.astimezone(SHANGHAI) if at else None


def _note(session: Session, parts: Parts, signed: Signed, action: str, subject: str, **detail: Any) -> None:
    Auditor.of(parts.settings.keyring(), signed.agent_id).note(session, action, subject, now=parts.clock(), **detail)
