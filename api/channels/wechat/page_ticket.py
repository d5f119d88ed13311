"""The ticket with which addresses of our pages are signed for WeChat's script (JS-SDK)."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from api.channels.wechat.client import WeChatClient
from api.channels.wechat.errors import WeChatError

EARLIER = timedelta(minutes=5)  # so long before its end a ticket is fetched anew
SHORTEST = timedelta(minutes=1)
AGAIN = timedelta(seconds=20)  # so long after a failure nobody waits for another: the page is open to everybody


@dataclass
class PageTicket:
    """The ticket of the account, fetched once for all who open a page."""

    _ticket: str = ""
    _until: datetime | None = None
    _failed: tuple[datetime, WeChatError] | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def get(self, client: WeChatClient, *, now: datetime) -> str:
        """Return it.

        Raises:
            WeChatError: if there is none to be had.
        """
        async with self._lock:
            if self._until is None or now >= self._until:
                await self._fetch(client, now=now)
            return self._ticket

    async def _fetch(self, client: WeChatClient, *, now: datetime) -> None:
        if self._failed is not None and now - self._failed[0] < AGAIN:
            raise self._failed[1]
        try:
            self._ticket, seconds = await client.page_ticket()
        except WeChatError as error:
            self._failed = (now, error)
            raise
        self._failed, self._until = None, now + max(timedelta(seconds=seconds) - EARLIER, SHORTEST)


def signature(ticket: str, nonce: str, timestamp: int, url: str) -> str:
    """Return what WeChat wants to see beside an address of ours (without what follows `#`)."""
    plain = f"jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={url}"
    return hashlib.sha1(plain.encode(), usedforsecurity=False).hexdigest()
