"""The ticket with which addresses of our pages are signed for WeChat's script (JS-SDK)."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from api.channels.wechat.client import WeChatClient

EARLIER = timedelta(minutes=5)  # so long before its end a ticket is fetched anew
SHORTEST = timedelta(minutes=1)


@dataclass
class PageTicket:
    """The ticket of the account, fetched once for all who open a page."""

    _ticket: str = ""
    _until: datetime | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def get(self, client: WeChatClient, *, now: datetime) -> str:
        """Return it.

        Raises:
            WeChatError: if there is none to be had.
        """
        async with self._lock:
            if self._until is None or now >= self._until:
                self._ticket, seconds = await client.page_ticket()
                self._until = now + max(timedelta(seconds=seconds) - EARLIER, SHORTEST)
            return self._ticket


def signature(ticket: str, nonce: str, timestamp: int, url: str) -> str:
    """Return what WeChat wants to see beside an address of ours (without what follows `#`)."""
    plain = f"jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={url}"
    return hashlib.sha1(plain.encode(), usedforsecurity=False).hexdigest()
