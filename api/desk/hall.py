"""The hall at the desk: a customer's code opens the conversation, papers bring customers into the chat."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated

import structlog
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from api.channels.wechat.errors import WeChatRefused, WeChatUnreachable
from api.deps import Parts, PartsDep
from api.desk.access import AgentDep, Forbidden, Signed
from api.desk.cases import agent_names
from api.desk.errors import DeskProblem, DeskRoute
from api.desk.saying import businesses_of
from api.desk.scope import sight_of
from api.desk.steps import publish, touch_presence
from api.desk.views import Person
from api.papers import hall_words_of
from core.audit import Auditor
from core.clock import SHANGHAI
from core.hall import HallPaper
from core.hall_counter import (
    WRONG_ORDER,
    Counter,
    Found,
    Held,
    LockedOut,
    Mine,
    NotACode,
    locked_until,
    open_by_code,
    opened_by,
)
from core.hall_paper import (
    BadValidity,
    PaperNotFound,
    find_paper,
    is_over,
    make_poster,
    make_slip,
    order_for_paper,
    papers,
    withdraw,
)
from core.handoff import life
from core.qr_code import svg
from core.work_order import OrderNotFound, WorkOrder

log = structlog.get_logger("api.desk")
router = APIRouter(prefix="/v1/desk/hall", tags=["desk"], route_class=DeskRoute)
PAGE = 50
MADE, WITHDRAWN = "paper_made", "paper_withdrawn"  # in the audit log


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class OpenRequest(_Strict):
    """The code that the customer shows."""

    code: Annotated[str, Field(max_length=40)]


class OpenAnswer(BaseModel):
    """The conversation; `holder`: another one has it, and the caller may read it."""

    conversation_id: str
    holder: Person | None


class AskRequest(_Strict):
    """The conversation that a clerk would like to have."""

    conversation_id: Annotated[str, Field(max_length=36)]


class PaperRequest(_Strict):
    """A paper: for a business (a poster), or for an order (a slip), and for how many days."""

    business: Annotated[str, Field(max_length=30)] | None = None
    order_no: Annotated[str, Field(max_length=30)] | None = None
    days: int | None = None


class PaperView(BaseModel):
    """One paper; `order` is the number of its order, masked; `address` is what can be typed instead of scanning."""

    id: int
    kind: str
    title: str
    order: str | None
    created_at: datetime
    by: Person | None
    expires_at: datetime | None
    over: bool
    scanned_at: datetime | None
    address: str | None
    wechat: bool


class Papers(BaseModel):
    """The newest papers; `more`: there are older ones."""

    papers: list[PaperView]
    more: bool


@router.post("/open")
async def open_conversation(body: OpenRequest, parts: PartsDep, signed: AgentDep) -> OpenAnswer:
    """Open the conversation of a code: the clerk has it at once, unless another one does."""
    await touch_presence(parts, signed.agent_id)
    keyring, now = parts.settings.keyring(), parts.clock()
    counter = Counter(parts.book, hall_words_of(parts.settings.data_dir), keyring)

    def work(session: Session) -> tuple[Found, dict[int, str]]:
        found = open_by_code(
            session, body.code, agent_id=signed.agent_id, counter=counter, now=now,
            auditor=Auditor.of(keyring, signed.agent_id),
        )  # fmt: skip
        return found, agent_names(session)

    found, names = await parts.store.write(work)
    if isinstance(found, Mine | Held):
        publish(parts, found.conversation_id)
        holder = Person(id=found.holder, name=names.get(found.holder, "")) if isinstance(found, Held) else None
        return OpenAnswer(conversation_id=found.conversation_id, holder=holder)
    if isinstance(found, LockedOut):
        raise _locked(found.until)
    code = "not_a_code" if isinstance(found, NotACode) else "wrong_code"
    raise DeskProblem(HTTPStatus.UNPROCESSABLE_ENTITY, code)


@router.post("/ask", status_code=HTTPStatus.NO_CONTENT)
async def ask_holder(body: AskRequest, parts: PartsDep, signed: AgentDep) -> None:
    """Ask who has a conversation, opened by a code, to pass it on to the counter."""
    words = hall_words_of(parts.settings.data_dir)

    def work(session: Session) -> None:
        case = sight_of(session, signed, body.conversation_id).case
        if case is None or case.agent_id in (None, signed.agent_id) or not opened_by(session, case, signed.agent_id):
            raise Forbidden
        text = words.ask_holder.format(name=life.shown_name(session, signed.agent_id))
        life.whisper(session, body.conversation_id, agent_id=signed.agent_id, text=text, now=parts.clock())

    await parts.store.write(work)
    publish(parts)


@router.get("/papers")
async def list_papers(parts: PartsDep, _signed: AgentDep, before: Annotated[int | None, Query(gt=0)] = None) -> Papers:
    """Return the newest papers (below `before`)."""

    def work(session: Session) -> tuple[list[HallPaper], dict[int, str]]:
        return papers(session, before=before, limit=PAGE + 1), agent_names(session)

    rows, names = await parts.store.read(work)
    return Papers(papers=[_view(parts, row, names) for row in rows[:PAGE]], more=len(rows) > PAGE)


@router.post("/papers", status_code=HTTPStatus.CREATED)
async def make_paper(body: PaperRequest, parts: PartsDep, signed: AgentDep) -> PaperView:
    """Make a paper; with an official account its code is one of WeChat's own."""
    if (body.business is None) == (body.order_no is None):
        raise DeskProblem(HTTPStatus.UNPROCESSABLE_ENTITY, "unknown_choice")
    if not parts.settings.public_url:
        raise DeskProblem(HTTPStatus.CONFLICT, "no_address")
    order = await _order(parts, signed, body.order_no) if body.order_no is not None else None
    try:
        paper = await parts.store.write(lambda session: _made(session, parts, signed, body, order))
    except BadValidity as error:
        raise DeskProblem(HTTPStatus.UNPROCESSABLE_ENTITY, "bad_validity") from error
    link = await _wechat_link(parts, paper)

    def work(session: Session) -> tuple[HallPaper, dict[int, str]]:
        row = find_paper(session, paper.id, lock=True)
        row.link = link
        return row, agent_names(session)

    return _view(parts, *await parts.store.write(work))


@router.delete("/papers/{paper_id}")
async def withdraw_paper(paper_id: int, parts: PartsDep, signed: AgentDep) -> PaperView:
    """Let a paper end now."""

    def work(session: Session) -> tuple[HallPaper, dict[int, str]]:
        row = withdraw(session, paper_id, now=parts.clock())
        _note(session, parts, signed, WITHDRAWN, row)
        return row, agent_names(session)

    try:
        return _view(parts, *await parts.store.write(work))
    except PaperNotFound as error:
        raise _no_such_paper() from error


@router.get("/papers/{paper_id}/code", response_class=Response)
async def paper_code(paper_id: int, parts: PartsDep, _signed: AgentDep) -> Response:
    """Return the QR code of a paper as an SVG picture."""
    try:
        paper = await parts.store.read(lambda session: find_paper(session, paper_id))
    except PaperNotFound as error:
        raise _no_such_paper() from error
    said = paper.link or _address(parts, paper)
    if said is None:
        raise DeskProblem(HTTPStatus.CONFLICT, "no_address")
    return Response(svg(said), media_type="image/svg+xml", headers={"Cache-Control": "private, max-age=3600"})


def _made(
    session: Session, parts: Parts, signed: Signed, body: PaperRequest, order: WorkOrder | None
) -> HallPaper:  # fmt: skip
    now = parts.clock()
    if order is not None:
        days = 30 if body.days is None else body.days
        paper = make_slip(session, order, days=days, agent_id=signed.agent_id, now=now)
    else:
        table, key = businesses_of(parts.settings.data_dir), body.business or ""
        if key not in table or table.get(key).unavailable:
            raise DeskProblem(HTTPStatus.UNPROCESSABLE_ENTITY, "no_form")
        paper = make_poster(session, table.get(key), days=body.days, agent_id=signed.agent_id, now=now)
    _note(session, parts, signed, MADE, paper)
    return paper


async def _order(parts: Parts, signed: Signed, typed: str) -> WorkOrder:
    """Return the order of a slip; a number that is none counts like a wrong code, or orders could be guessed."""

    def find() -> WorkOrder | None:
        with parts.workorder.reading() as session:
            try:
                return order_for_paper(session, typed)
            except OrderNotFound:
                return None

    now = parts.clock()
    until = await parts.store.write(lambda session: locked_until(session, signed.agent_id, now=now))
    if until is not None:
        raise _locked(until)
    order = await asyncio.to_thread(find)
    if order is None:
        auditor = Auditor.of(parts.settings.keyring(), signed.agent_id)
        await parts.store.write(lambda session: auditor.note(session, WRONG_ORDER, now=now).id)
        raise DeskProblem(HTTPStatus.UNPROCESSABLE_ENTITY, "no_such_order")
    return order


async def _wechat_link(parts: Parts, paper: HallPaper) -> str | None:
    """Return what WeChat's code of a paper says; None without an official account, or if it cannot be had now."""
    if parts.wechat is None:
        return None
    left = paper.expires_at - parts.clock() if paper.expires_at is not None else None
    try:
        code = await parts.wechat.client.qrcode(paper.scene, None if left is None else int(left / timedelta(seconds=1)))
    except (WeChatRefused, WeChatUnreachable) as error:
        log.warning("paper_without_wechat_code", paper=paper.id, error=type(error).__name__)
        return None
    return code.url if len(code.url) <= HallPaper.link.type.length else None


def _view(parts: Parts, row: HallPaper, names: dict[int, str]) -> PaperView:
    return PaperView(
        id=row.id, kind="poster" if row.order_no is None else "slip", title=row.title,
        order=None if row.order_no is None else "*" * max(len(row.order_no) - 4, 0) + row.order_no[-4:],
        created_at=row.created_at.astimezone(SHANGHAI), over=is_over(row, parts.clock()),
        by=None if row.created_by is None else Person(id=row.created_by, name=names.get(row.created_by, "")),
        expires_at=row.expires_at.astimezone(SHANGHAI) if row.expires_at else None,
        scanned_at=row.scanned_at.astimezone(SHANGHAI) if row.scanned_at else None,
        address=_address(parts, row), wechat=row.link is not None,
    )  # fmt: skip


def _address(parts: Parts, paper: HallPaper) -> str | None:
    base = parts.settings.public_url.rstrip("/")
    return f"{base}/wechat/h5?scene={paper.scene}" if base else None


def _note(session: Session, parts: Parts, signed: Signed, action: str, paper: HallPaper) -> None:
    about = {"business": paper.business} if paper.business else {"order_no": paper.order_no}
    auditor = Auditor.of(parts.settings.keyring(), signed.agent_id)
    auditor.note(session, action, f"paper:{paper.id}", now=parts.clock(), **about)


def _locked(until: datetime) -> DeskProblem:
    return DeskProblem(HTTPStatus.TOO_MANY_REQUESTS, "hall_locked", until=until.astimezone(SHANGHAI).isoformat())


def _no_such_paper() -> DeskProblem:
    return DeskProblem(HTTPStatus.NOT_FOUND, "no_such_paper")
