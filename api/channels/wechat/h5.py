"""The H5 page: the widget inside WeChat, full screen, its customer known by OAuth (`snsapi_base`).

`/wechat/h5` without a ticket is a door: its script remembers which message was asked for (`#seq=N` never reaches us)
and goes to `/wechat/h5/enter`, which sends the browser to WeChat with a random state that only this browser's cookie
repeats. What comes back is good for one minute and one session: a cookie that scripts cannot read, never a part of an
address. So a session always belongs to who is logged in to WeChat now, whatever the browser has stored.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import timedelta
from functools import lru_cache
from html import escape
from http import HTTPStatus
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter, Cookie, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from sqlalchemy.orm import Session

from api.channels.links import words
from api.channels.web import session_answer
from api.channels.wechat.agree import PAGE
from api.channels.wechat.errors import WeChatRefused, WeChatUnreachable
from api.deps import Parts, PartsDep
from api.fitting import shown_to
from api.schemas import SessionAnswer
from core.channel.link import begun, is_gone
from core.channel.tables import WECHAT, ChannelUser
from core.channel.users import known_user, user_of
from core.conversation import find_conversation
from core.identity import BadToken, issue_session, read_seat

log = structlog.get_logger("api.wechat.h5")
router = APIRouter(prefix="/wechat", include_in_schema=False)
STATIC = Path(__file__).parents[2] / "static" / "h5"
FILES = {
    "h5.js": "text/javascript", "door.js": "text/javascript", "notices.js": "text/javascript", "h5.css": "text/css",
}  # fmt: skip
STATE, TICKET = "dianfu_h5_state", "dianfu_h5"
STATE_SECONDS, TICKET_SECONDS = 600, 60
USED, EXPIRED = 40163, 42003
BAD_CODE = 40029
NOWHERE = "-"  # the conversation of a ticket
PAGE_HEADER = "x-dianfu-page"  # another site's page cannot send it unasked
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data: blob:; style-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
Text = Annotated[str, Query(max_length=512)]


@router.get("/h5")
async def page(
    parts: PartsDep, arrived: Annotated[str, Query(alias="in", max_length=1)] = "",
    dianfu_h5: Annotated[str, Cookie()] = "",
) -> Response:  # fmt: skip
    """Return the page, or the door to WeChat for who has no ticket."""
    if parts.wechat is None:
        return _sorry(parts, "elsewhere", again=False)
    if dianfu_h5 and _user_in(parts, dianfu_h5) is not None:
        return _html(_with_bar(parts, _file("index.html")))
    if arrived:  # WeChat has sent the browser back, and it has not kept the cookie: no second round
        return _sorry(parts, "refused")
    return _html(_file("door.html"))


@router.get("/h5/enter")
async def enter(request: Request, parts: PartsDep) -> Response:
    """Send the browser to WeChat, which knows who it is."""
    if parts.wechat is None:
        return _sorry(parts, "elsewhere", again=False)
    state = secrets.token_urlsafe(24)
    base = parts.settings.public_url.rstrip("/") or str(request.base_url).rstrip("/")
    asked = {
        "appid": parts.settings.wechat_appid, "redirect_uri": f"{base}/wechat/oauth", "response_type": "code",
        "scope": "snsapi_base", "state": state,
    }  # fmt: skip
    address = f"{parts.settings.wechat_oauth_url.rstrip('/')}/connect/oauth2/authorize?{urlencode(asked)}"
    answer = RedirectResponse(
        f"{address}#wechat_redirect", int(HTTPStatus.FOUND), headers={"Cache-Control": "no-store"}
    )
    _set(answer, parts, STATE, state, STATE_SECONDS)
    return answer


@router.get("/oauth")
async def come_back(
    parts: PartsDep, code: Text = "", state: Text = "", dianfu_h5_state: Annotated[str, Cookie()] = ""
) -> Response:
    """Take the browser back from WeChat and let it in with a ticket for one session."""
    if parts.wechat is None:
        return _sorry(parts, "elsewhere", again=False)
    if not code or not state or not hmac.compare_digest(state.encode(), dianfu_h5_state.encode()):
        return _sorry(parts, "expired" if not dianfu_h5_state else "refused")
    try:
        who = await parts.wechat.client.openid_of(code)
    except WeChatUnreachable:
        return _sorry(parts, "away", HTTPStatus.BAD_GATEWAY)
    except WeChatRefused as error:
        log.warning("oauth_refused", code=error.code)
        return _sorry(parts, {USED: "used", BAD_CODE: "used", EXPIRED: "expired"}.get(error.code, "refused"))
    if who.snapshot or not who.openid:
        return _sorry(parts, "refused")
    user_id = await parts.store.write(lambda session: _user_of(session, parts, who.openid).id)
    ticket = issue_session(
        parts.settings.session_key.get_secret_value(), conversation_id=NOWHERE, now=parts.clock(),
        lifetime=timedelta(seconds=TICKET_SECONDS), via="h5", user_id=user_id,
    )  # fmt: skip
    answer = RedirectResponse("/wechat/h5?in=1", int(HTTPStatus.SEE_OTHER), headers={"Cache-Control": "no-store"})
    answer.delete_cookie(STATE, path="/wechat")
    _set(answer, parts, TICKET, ticket, TICKET_SECONDS)
    return answer


@router.post("/h5/session")
async def open_session(request: Request, parts: PartsDep, dianfu_h5: Annotated[str, Cookie()] = "") -> Response:
    """Give the page its session for the ticket, which is then used up."""
    user_id = _user_in(parts, dianfu_h5)
    if user_id is None or request.headers.get(PAGE_HEADER) != "h5":
        raise BadToken("no ticket")
    given = await parts.store.write(lambda session: _session_of(session, parts, user_id))
    answer = JSONResponse(given.model_dump(mode="json"), int(HTTPStatus.CREATED), headers={"Cache-Control": "no-store"})
    answer.delete_cookie(TICKET, path="/wechat")
    return answer


@router.get("/h5/static/{name}")
async def static(name: str) -> Response:
    """Return a file of the page."""
    if name not in FILES:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    headers = {"Cache-Control": "no-cache"}
    return Response(_file(name), media_type=f"{FILES[name]}; charset=utf-8", headers=headers)


def _user_of(session: Session, parts: Parts, openid: str) -> ChannelUser:
    """Return the user; somebody who opens the page without following the account cannot be written to."""
    known = known_user(session, WECHAT, openid)
    if known is not None:
        return known
    user = user_of(session, WECHAT, openid, now=parts.clock())
    user.followed = False
    session.flush()
    return user


def _session_of(session: Session, parts: Parts, user_id: int) -> SessionAnswer:
    user = session.get(ChannelUser, user_id, with_for_update=True)
    if user is None or is_gone(user):
        raise BadToken("the user has left")
    conversation = find_conversation(session, user.conversation_id, lock=True)
    if conversation.mode == "closed":
        conversation = begun(session, user, now=parts.clock())
    large = shown_to(parts.book, session, conversation, now=parts.clock()).large_type
    return session_answer(parts, conversation.id, conversation.mode, via="h5", user_id=user.id, large_type=large)


def _user_in(parts: Parts, ticket: str) -> int | None:
    try:
        seat = read_seat(parts.settings.session_key.get_secret_value(), ticket, now=parts.clock())
    except BadToken:
        return None
    return seat.user_id if seat.conversation_id == NOWHERE else None  # a session is no ticket for another one


def _set(answer: Response, parts: Parts, name: str, value: str, seconds: int) -> None:
    secure = parts.settings.public_url.startswith("https://")
    answer.set_cookie(name, value, max_age=seconds, path="/wechat", httponly=True, samesite="lax", secure=secure)


def _sorry(
    parts: Parts, why: str, status: HTTPStatus = HTTPStatus.OK, *, again: bool = True
) -> HTMLResponse:  # fmt: skip
    said = words(parts.settings.data_dir).h5
    button = f'<p><a class="again" href="/wechat/h5">{escape(said["again"])}</a></p>' if again else ""
    text = f'<p>{escape(said[why])}</p>{button}<p class="hotline">{escape(said["hotline"])}</p>'
    return _html(_file("sorry.html").replace("{{text}}", text), status)


def _with_bar(parts: Parts, text: str) -> str:
    """Return the page with the way to the notices that are agreed to one by one, if there are such."""
    if parts.wechat is None or not parts.wechat.templates.singles:
        return text
    bar = f'<a class="bar" href="{PAGE}">{escape(words(parts.settings.data_dir).agree["bar"])}</a>'
    return text.replace("<html ", '<html class="with-bar" ', 1).replace("<body>", f"<body>\n{bar}", 1)


def _html(text: str, status: HTTPStatus = HTTPStatus.OK) -> HTMLResponse:
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-store"}
    return HTMLResponse(text, int(status), headers)


@lru_cache(maxsize=16)
def _file(name: str) -> str:
    return (STATIC / name).read_text("utf-8")
