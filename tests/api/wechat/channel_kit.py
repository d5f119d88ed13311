"""A WeChat user who writes to a bridge in this process, and Tencent's interface beside it."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from xml.etree import ElementTree

import httpx
from bridge_kit import Bridge, SetClock, running, settings
from fake_api import FakeApi
from sqlalchemy import select
from wire_kit import APPID, CRYPTO, KEY, TOKEN, Mode, query, written

from api.channels.wechat.crypto import sign
from api.settings import ApiSettings
from core.channel.tables import ChannelUser, Delivery, Push
from core.conversation import Message, messages_after

PAGE = "https://kefu.example.cn"
_numbers = itertools.count(6054768590064713728)
_nonces = itertools.count(1)
_openids = itertools.count(1)


def wechat_settings(urls: tuple[str, str], **more: Any) -> ApiSettings:
    given = {
        "wechat_appid": APPID, "wechat_secret": "s" * 32, "wechat_token": TOKEN, "wechat_aes_key": KEY,
        "public_url": PAGE, "wechat_encrypted_only": False, **more,
    }  # fmt: skip
    return settings(*urls, **given)


@asynccontextmanager
async def account(
    urls: tuple[str, str], rasa: Any = None, *, clock: SetClock | None = None, api: FakeApi | None = None, **more: Any
) -> AsyncIterator[Bridge]:
    """A bridge with an official account; nothing runs in its background."""
    async with running(wechat_settings(urls, **more), rasa, clock=clock) as bridge:
        parts = bridge.parts
        client = (api or FakeApi()).client(bridge.clock)
        bridge.app.state.parts = replace(parts, wechat=replace(parts.wechat, client=client))
        yield bridge
        await bridge.parts.wechat.flights.land(2)


@dataclass
class Heard:
    """What came back: `text` is None for `success`."""

    status: int
    text: str | None
    body: bytes


@dataclass
class Phone:
    """Somebody with WeChat."""

    bridge: Bridge
    openid: str = field(default_factory=lambda: f"oPhone{next(_openids):022}")
    mode: Mode = "plain"
    form: str = "xml"

    def fields(self, kind: str, **more: Any) -> dict[str, Any]:
        number = {} if kind == "event" else {"MsgId": next(_numbers)}
        at = int(self.bridge.clock().timestamp())
        return {
            "ToUserName": "gh_10f6c3c3ac5a", "FromUserName": self.openid, "CreateTime": at, "MsgType": kind, **number,
            **more,
        }  # fmt: skip

    async def say(self, text: str, **more: Any) -> Heard:
        return await self.push(self.fields("text", Content=text, **more))

    async def event(self, name: str, **more: Any) -> Heard:
        return await self.push(self.fields("event", Event=name, **more))

    async def push(self, fields: dict[str, Any]) -> Heard:
        params, body = self.request(fields)
        return self.heard(await self.bridge.http.post("/wechat", params=params, content=body))

    def request(self, fields: dict[str, Any]) -> tuple[dict[str, str], bytes]:
        asked, body = query(self.bridge.clock(), nonce=f"n{next(_nonces)}"), written(fields, self.form)
        if self.mode == "plain":
            return asked, body.encode()
        cipher = CRYPTO.encrypt(body)
        outer = {**(fields if self.mode == "compatible" else {}), "Encrypt": cipher}
        signature = sign(TOKEN, asked["timestamp"], asked["nonce"], cipher)
        return asked | {"encrypt_type": "aes", "msg_signature": signature}, written(outer, self.form).encode()

    def heard(self, answer: httpx.Response) -> Heard:
        if answer.content in (b"success", b"") or answer.status_code != 200:
            return Heard(answer.status_code, None, answer.content)
        said = read(answer.content)
        if "Encrypt" in said:
            said = read(CRYPTO.open(said["Encrypt"]).text.encode())
        assert said["ToUserName"] == self.openid
        return Heard(answer.status_code, said["Content"], answer.content)

    @property
    def user(self) -> ChannelUser:
        with self.bridge.parts.bridge.reading() as session:
            return session.scalars(select(ChannelUser).where(ChannelUser.user_id == self.openid)).one()

    @property
    def log(self) -> list[Message]:
        with self.bridge.parts.bridge.reading() as session:
            return messages_after(session, self.user.conversation_id, 0)

    @property
    def said(self) -> list[tuple[str, str]]:
        return [(one.author, one.text) for one in self.log]

    @property
    def deliveries(self) -> list[Delivery]:
        with self.bridge.parts.bridge.reading() as session:
            query = select(Delivery).where(Delivery.channel_user_id == self.user.id)
            return list(session.scalars(query.order_by(Delivery.id)))

    @property
    def pushes(self) -> list[Push]:
        with self.bridge.parts.bridge.reading() as session:
            return list(session.scalars(select(Push).where(Push.channel_user_id == self.user.id)))

    @property
    def states(self) -> list[tuple[str, str | None]]:
        return [(one.state, one.way) for one in self.deliveries]


def read(body: bytes) -> dict[str, Any]:
    if body.startswith(b"{"):
        found: dict[str, Any] = json.loads(body)
        return found
    return {child.tag: child.text or "" for child in ElementTree.fromstring(body)}
