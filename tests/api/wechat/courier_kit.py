"""A WeChat that keeps what it was told, refuses as it is told to, and a courier over it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from bridge_kit import FakeRasa, SetClock, running, settings
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.bus import MemoryBus
from api.channels.wechat.courier import Courier
from api.channels.wechat.errors import WeChatRefused, WeChatUnreachable
from api.deps import Parts
from core import conversation as log_of
from core.channel import windows
from core.channel.tables import WECHAT, ChannelUser, Delivery
from core.channel.users import conversation_of, user_of
from core.conversation import Draft, Message

Trouble = WeChatRefused | WeChatUnreachable | None
NOT_SENT, PERHAPS = WeChatUnreachable(False, "ConnectError"), WeChatUnreachable(True, "ReadTimeout")
_names = count(1)


def refused(code: int) -> WeChatRefused:
    return WeChatRefused(code, "no")


@dataclass
class FakeClient:
    """In place of Tencent: `plan` gives the trouble of each call in turn, then there is none."""

    plan: list[Trouble] = field(default_factory=list)
    shown: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    calls: int = 0
    uploads: list[bytes] = field(default_factory=list)
    upload_plan: list[Trouble] = field(default_factory=list)
    typings: list[tuple[str, bool]] = field(default_factory=list)
    templates: list[tuple[str, str, Any, str | None]] = field(default_factory=list)
    template_plan: list[Trouble] = field(default_factory=list)
    subscribed: list[tuple[str, str, Any]] = field(default_factory=list)
    gate: asyncio.Event | None = None
    at_once: int = 0
    most_at_once: int = 0
    busy: set[str] = field(default_factory=set)
    decide: Callable[[str], Trouble] | None = None

    async def send(self, openid: str, message: dict[str, Any]) -> None:
        assert openid not in self.busy, "two at once to one user"
        self.busy.add(openid)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.gate:
                await self.gate.wait()
            await asyncio.sleep(0)
            self.calls += 1
            trouble = self.decide(openid) if self.decide else self.plan.pop(0) if self.plan else None
            if trouble is None or (isinstance(trouble, WeChatUnreachable) and trouble.sent):
                self.shown.append((openid, message))
            if trouble is not None:
                raise trouble
        finally:
            self.busy.discard(openid)
            self.at_once -= 1

    async def typing(self, openid: str, on: bool) -> bool:
        self.typings.append((openid, on))
        return on

    async def upload(self, kind: str, name: str, data: bytes, media_type: str) -> str:
        trouble = self.upload_plan.pop(0) if self.upload_plan else None
        if trouble is not None:
            raise trouble
        self.uploads.append(data)
        return f"media{len(self.uploads)}"

    async def template(
        self, openid: str, template_id: str, data: Any, *, url: str | None = None, key: str | None = None
    ) -> str:
        trouble = self.template_plan.pop(0) if self.template_plan else None
        if trouble is not None:
            raise trouble
        self.templates.append((openid, template_id, data, key))
        return "1"

    async def subscription(self, openid: str, template_id: str, data: Any, *, page: str | None = None) -> str:
        trouble = self.template_plan.pop(0) if self.template_plan else None
        if trouble is not None:
            raise trouble
        self.subscribed.append((openid, template_id, data))
        return ""

    async def close(self) -> None:
        pass

    def texts(self, openid: str | None = None) -> list[str]:
        """Return the texts that were shown, to everybody or to one."""
        return [
            message.get("text", {}).get("content", message["msgtype"])
            for who, message in self.shown
            if openid in (None, who)
        ]


@dataclass
class Follower:
    """A WeChat user with a conversation."""

    floor: Floor
    id: int
    openid: str
    conversation_id: str

    def writes(self, kind: windows.Cause = "message") -> None:
        now = self.floor.clock()
        self.floor.write(lambda session: windows.open_window(session, self.id, kind, now=now))

    def told(self, text: str, author: Any = "bot", **more: Any) -> Message:
        """Put something of ours into the log."""
        draft = Draft(author, text, **{name: more.pop(name) for name in ("type", "card", "buttons") if name in more})

        def work(session: Session) -> Message:
            conversation = log_of.find_conversation(session, self.conversation_id, lock=True)
            return log_of.record_reply(session, conversation, draft, now=self.floor.clock(), **more)

        return self.floor.write(work)

    def rows(self) -> list[Delivery]:
        query = select(Delivery).where(Delivery.channel_user_id == self.id).order_by(Delivery.id)
        with self.floor.parts.bridge.reading() as session:
            return list(session.scalars(query))

    def states(self) -> list[str]:
        return [row.state for row in self.rows()]

    def left(self) -> int | None:
        with self.floor.parts.bridge.reading() as session:
            found = windows.remaining(session, self.id, self.floor.clock())
        return found.left if found else None

    @property
    def user(self) -> ChannelUser:
        with self.floor.parts.bridge.reading() as session:
            return session.get_one(ChannelUser, self.id)


@dataclass
class Floor:
    """A bridge with WeChat, and its courier."""

    parts: Parts
    client: FakeClient
    clock: SetClock
    courier: Courier

    def write(self, work: Callable[[Session], Any]) -> Any:
        with self.parts.bridge.transaction() as session:
            return work(session)

    def follower(self) -> Follower:
        openid = f"o{next(_names):07d}"

        def work(session: Session) -> Follower:
            user = user_of(session, WECHAT, openid, now=self.clock())
            return Follower(self, user.id, openid, conversation_of(session, user).id)

        found: Follower = self.write(work)
        return found

    async def work(self) -> None:
        """Serve everybody for whom something is due."""
        while await self.courier.round() or self.courier._busy:
            await self.courier.drain(10)

    def later(self, **time: float) -> datetime:
        self.clock.ahead += timedelta(**time)
        return self.clock()

    def again(self) -> None:
        """Begin anew, as after a crash."""
        assert self.parts.wechat is not None
        self.courier = Courier(self.parts, self.parts.wechat)

    def figure(self, name: str, **labels: str) -> float:
        return self.parts.metrics.registry.get_sample_value(name, labels) or 0.0


WECHAT_SETTINGS: dict[str, Any] = {
    "wechat_appid": "wx0123456789abcdef", "wechat_secret": "s" * 32, "wechat_token": "t" * 16,
    "public_url": "http://dianfu.test", "wechat_url": "http://127.0.0.1:9",
}  # fmt: skip


@asynccontextmanager
async def floor_of(urls: tuple[str, str], **more: Any) -> AsyncIterator[Floor]:
    clock, client = SetClock(), FakeClient()
    async with running(settings(*urls, **(WECHAT_SETTINGS | more)), FakeRasa(), clock=clock) as bridge:
        assert bridge.parts.wechat is not None
        wechat: Any = replace(bridge.parts.wechat, client=client)  # type: ignore[arg-type]
        parts = replace(bridge.parts, wechat=wechat, bus=MemoryBus())
        yield Floor(parts, client, clock, Courier(parts, wechat))
