"""对方正在输入: shown to a WeChat user while the bot works for more than a moment, or the agent types.

It is shown for fifteen seconds and may not be asked for again within them; whatever is sent ends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.bus import Frame
from api.channels.wechat.client import WeChatClient
from api.channels.wechat.errors import WeChatError
from api.store import Store
from core.channel.tables import WECHAT, ChannelUser
from core.clock import Clock
from core.conversation import Conversation

log = structlog.get_logger("api.wechat.typing")
SHOWN = timedelta(seconds=15)
BOT_PATIENCE = 1.0  # seconds; an answer that is there by then needs no signal
MOST = 2000  # users of whom it is remembered


class Typing:
    """Passes the bus's typing frames on to WeChat; nothing depends on whether it can."""

    def __init__(self, store: Store, client: WeChatClient, clock: Clock, *, patience: float = BOT_PATIENCE) -> None:
        self._store, self._client, self._clock, self._patience = store, client, clock, patience
        self._shown: dict[str, datetime] = {}  # by openid
        self._soon: dict[str, asyncio.Task[None]] = {}  # by conversation: the bot works

    def hear(self, conversation_id: str, frame: Frame | None) -> None:
        """Take a frame of the bus; what is none about typing is ignored."""
        if frame is None or frame.get("kind") != "typing":
            return
        after = self._patience if frame.get("author") == "bot" else 0.0
        if frame.get("on") and conversation_id not in self._soon:
            self._begin(conversation_id, self._show(conversation_id, after))
        elif not frame.get("on"):
            self._end(conversation_id)

    async def close(self) -> None:
        """Forget what was meant to be shown."""
        waiting = list(self._soon.values())
        for conversation_id in list(self._soon):
            self._end(conversation_id)
        await asyncio.gather(*waiting, return_exceptions=True)

    def sent(self, openid: str) -> None:
        """Note that something was sent, which ends the signal."""
        self._shown.pop(openid, None)

    def _begin(self, conversation_id: str, work: Coroutine[Any, Any, None]) -> None:
        task = self._soon[conversation_id] = asyncio.create_task(work)

        def ended(done: asyncio.Future[None]) -> None:
            if self._soon.get(conversation_id) is done:
                del self._soon[conversation_id]

        task.add_done_callback(ended)

    def _end(self, conversation_id: str) -> None:
        task = self._soon.pop(conversation_id, None)
        if task is not None:
            task.cancel()

    async def _show(self, conversation_id: str, after: float) -> None:
        await asyncio.sleep(after)
        try:
            openid = await self._store.read(lambda session: _openid(session, conversation_id))
            if openid is None or not self._may_show(openid):
                return
            self._shown[openid] = self._clock()
            await self._client.typing(openid, True)
        except (WeChatError, SQLAlchemyError) as error:
            log.info("typing_not_shown", error=type(error).__name__)

    def _may_show(self, openid: str) -> bool:
        now = self._clock()
        if len(self._shown) > MOST:
            self._shown = {one: at for one, at in self._shown.items() if now - at < SHOWN}
        last = self._shown.get(openid)
        return last is None or now - last >= SHOWN


def _openid(session: Session, conversation_id: str) -> str | None:
    """Return the user who is to see it: whose conversation it is, who writes over WeChat and has not left."""
    query = (
        select(ChannelUser.user_id)
        .join(Conversation, Conversation.channel_user_id == ChannelUser.id)
        .where(Conversation.id == conversation_id, Conversation.channel == WECHAT, ChannelUser.followed)
    )
    return session.scalar(query)
