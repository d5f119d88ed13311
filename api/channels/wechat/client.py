"""Tencent's interface for official accounts, as far as we use it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Self, TypeVar
from urllib.parse import quote

import httpx

from api.channels.wechat.errors import BUSY, NO_MENU, STALE_TOKEN, Verdict, WeChatRefused, WeChatUnreachable
from api.channels.wechat.line import Answer, Line, code_of, refusal
from api.channels.wechat.media import BadMedia, Media, MediaKind, file_name
from api.channels.wechat.token import TokenKeeper
from api.settings import ApiSettings
from core.clock import Clock, system_clock

BACK_OFF = (0.3, 1.0)  # seconds before each further try when Tencent is busy
MAX_SCENE, MAX_SCENE_SECONDS, MAX_KEY = 64, 30 * 24 * 3600, 32
QR_IMAGE = "https://mp.weixin.qq.com/cgi-bin/showqrcode?ticket="

Message = Mapping[str, Any]
A = TypeVar("A", Answer, Media | Answer)
Pause = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, repr=False)
class OAuthUser:
    """Who came back from the authorization page; a snapshot's openid is nobody's and is never bound."""

    openid: str
    snapshot: bool


class QrCode(NamedTuple):
    """A code that brings its scene along: the ticket, and the address that the code itself says."""

    ticket: str
    url: str

    @property
    def image(self) -> str:
        """The address of its picture."""
        return QR_IMAGE + quote(self.ticket, safe="")


class WeChatClient:
    """One official account; bound to the event loop of its first call.

    Every call may raise `WeChatRefused` (see its `verdict`) and `WeChatUnreachable` (see its `sent`).
    """

    def __init__(
        self, appid: str, secret: str, base: str, *, http: httpx.AsyncClient | None = None, line: Line | None = None,
        clock: Clock = system_clock, pause: Pause = asyncio.sleep,
    ) -> None:  # fmt: skip
        self._appid, self._secret, self._pause = appid, secret, pause
        self._line = line or Line(base, http)
        self._tokens = TokenKeeper(appid, secret, self._line, clock)

    @classmethod
    def of(cls, settings: ApiSettings, *, clock: Clock = system_clock) -> Self:
        """Return the client of the account that the settings name."""
        return cls(settings.wechat_appid, settings.wechat_secret.get_secret_value(), settings.wechat_url, clock=clock)

    async def close(self) -> None:
        """Close the connections."""
        await self._line.close()

    async def check(self) -> None:
        """Find out whether a token can be had."""
        await self._tokens.get()

    async def send(self, openid: str, message: Message) -> None:
        """Send a customer-service message: `{"msgtype": "text", "text": {"content": …}}` and the like."""
        await self._post("/cgi-bin/message/custom/send", {"touser": openid, **message})

    async def typing(self, openid: str, on: bool) -> bool:
        """Show or end 对方正在输入; tells whether it is shown: not twice in 15 s, nor in a long silence."""
        body = {"touser": openid, "command": "Typing" if on else "CancelTyping"}
        try:
            await self._post("/cgi-bin/message/custom/typing", body)
        except WeChatRefused as error:
            if error.verdict is Verdict.TYPING:
                return False
            raise
        return on

    async def upload(self, kind: MediaKind, name: str, data: bytes, media_type: str) -> str:
        """Return the media id of a file, good for three days.

        Raises:
            BadMedia: if Tencent would not take it.
        """
        file = (file_name(kind, name, data, media_type), data, media_type)
        answer = await self._call("POST", "/cgi-bin/media/upload", params={"type": kind}, file=file)
        return _text(answer, "thumb_media_id" if "thumb_media_id" in answer else "media_id")

    async def download(self, media_id: str) -> Media:
        """Return the file that a customer sent.

        Raises:
            BadMedia: if it is too large, or a film, for which Tencent gives an address only.
        """
        found = await self._tried(lambda token: self._line.fetch(
            "/cgi-bin/media/get", params={"media_id": media_id, "access_token": token}
        ))  # fmt: skip
        if not isinstance(found, Media):
            raise BadMedia("no file")
        return found

    async def template(
        self, openid: str, template_id: str, data: Message, *, url: str | None = None, key: str | None = None
    ) -> str:  # fmt: skip
        """Send a template message and return its id; the same `key` (at most 32 characters) is shown once."""
        if key is not None and len(key) > MAX_KEY:
            raise ValueError(f"a key has at most {MAX_KEY} characters")
        body = {"touser": openid, "template_id": template_id, "data": data}
        more = {"url": url, "client_msg_id": key}
        answer = await self._post("/cgi-bin/message/template/send", body | {k: v for k, v in more.items() if v})
        return str(answer.get("msgid", ""))

    async def subscription(self, openid: str, template_id: str, data: Message, *, page: str | None = None) -> str:
        """Send a message to which the customer has agreed; return its id, empty if the answer says none.

        `page`: the address that it opens. There is no key: the same again is shown twice.
        """
        body = {"touser": openid, "template_id": template_id, "data": data}
        answer = await self._post("/cgi-bin/message/subscribe/bizsend", body | ({"page": page} if page else {}))
        return str(answer.get("msgid") or "")

    async def page_ticket(self) -> tuple[str, float]:
        """Return the ticket with which addresses of our pages are signed, and how many seconds it is good."""
        answer = await self._call("GET", "/cgi-bin/ticket/getticket", params={"type": "jsapi"})
        return _text(answer, "ticket"), float(answer.get("expires_in") or 0)

    async def create_menu(self, menu: Message) -> None:
        """Put a menu (`Menu.as_json`) in place of the one there is."""
        await self._post("/cgi-bin/menu/create", menu)

    async def get_menu(self) -> Answer | None:
        """Return the menu, with its `button`s; None if there is none."""
        try:
            answer = await self._call("GET", "/cgi-bin/menu/get")
        except WeChatRefused as error:
            if error.code == NO_MENU:
                return None
            raise
        menu = answer.get("menu")
        return menu if isinstance(menu, dict) else None

    async def delete_menu(self) -> None:
        """Take the menu away."""
        await self._call("GET", "/cgi-bin/menu/delete")

    async def qrcode(self, scene: str, seconds: int | None = None) -> QrCode:
        """Return a QR code that brings `scene` along, for so many seconds (at most 30 days) or for ever.

        Raises:
            ValueError: if the scene has no or more than 64 characters, or the time is out of range.
        """
        if not 1 <= len(scene) <= MAX_SCENE:
            raise ValueError(f"a scene has 1 to {MAX_SCENE} characters")
        if seconds is not None and not 1 <= seconds <= MAX_SCENE_SECONDS:
            raise ValueError(f"a code lasts 1 to {MAX_SCENE_SECONDS} seconds")
        body: dict[str, Any] = {"action_info": {"scene": {"scene_str": scene}}}
        if seconds is None:
            body["action_name"] = "QR_LIMIT_STR_SCENE"
        else:
            body |= {"action_name": "QR_STR_SCENE", "expire_seconds": seconds}
        answer = await self._post("/cgi-bin/qrcode/create", body)
        return QrCode(_text(answer, "ticket"), _text(answer, "url"))

    async def openid_of(self, code: str) -> OAuthUser:
        """Return who came back from the authorization page with this code, which is good once, for five minutes."""
        params = {
            "appid": self._appid, "secret": self._secret, "code": code, "grant_type": "authorization_code",
        }  # fmt: skip
        answer = await self._patient(lambda: self._line.ask("GET", "/sns/oauth2/access_token", params=params))
        if code_of(answer):
            raise refusal(answer)
        return OAuthUser(_text(answer, "openid"), str(answer.get("is_snapshotuser", "0")) == "1")

    async def _post(self, path: str, body: Message) -> Answer:
        return await self._call("POST", path, body=body)

    async def _call(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, **more: Any
    ) -> Answer:  # fmt: skip
        found = await self._tried(lambda token: self._line.ask(
            method, path, params={**(params or {}), "access_token": token}, **more
        ))  # fmt: skip
        assert isinstance(found, dict)
        return found

    async def _tried(self, ask: Callable[[str], Awaitable[Media | Answer]]) -> Media | Answer:
        """Ask with the token; once more, and never again, with another one if that is refused."""
        stale: str | None = None
        while True:
            token = await self._tokens.get(stale)
            found = await self._patient(partial(ask, token))
            if isinstance(found, Media) or not code_of(found):
                return found
            if stale is not None or code_of(found) not in STALE_TOKEN:
                raise refusal(found)
            stale = token

    async def _patient(self, ask: Callable[[], Awaitable[A]]) -> A:
        """Ask again, a little later, while Tencent says that it is busy."""
        found = await ask()
        for seconds in BACK_OFF:
            if isinstance(found, Media) or code_of(found) != BUSY:
                break
            await self._pause(seconds)
            found = await ask()
        return found


def _text(answer: Answer, name: str) -> str:
    found = answer.get(name)
    if not isinstance(found, str) or not found:
        raise WeChatUnreachable(True, f"an answer without {name}")
    return found
