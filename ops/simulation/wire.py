"""What simulated people hang on: calls that are made again until they are answered, a socket that comes back."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

Frame = dict[str, Any]
AGAIN = frozenset({500, 502, 503, 504})
AGAIN_SECONDS, BACK_SECONDS = 0.2, 0.2
SIGNED_OUT = 4401


class GaveUp(Exception):
    """Something did not come about in time."""


class Wire:
    """One person's way to the bridge; `patience` seconds is how long a call is tried again."""

    def __init__(self, url: str, *, patience: float = 60.0) -> None:
        self._url, self._patience = url, patience
        self.http = httpx.AsyncClient(base_url=url, timeout=30, trust_env=False)
        self.socket: ClientConnection | None = None
        self.opened = 0  # how often the socket was opened
        self.signed_out = False

    async def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Make a call, again while the bridge is away or stumbles; so it has to be one that does no harm twice.

        Raises:
            GaveUp: if it is not answered within the patience.
        """
        until, last = time.monotonic() + self._patience, "nothing"
        while time.monotonic() < until:
            try:
                answer = await self.http.request(method, path, **more)
            except httpx.TransportError as error:
                last = type(error).__name__
            else:
                if answer.status_code not in AGAIN:
                    return answer
                last = str(answer.status_code)
            await asyncio.sleep(AGAIN_SECONDS)
        raise GaveUp(f"{method} {path}: {last}")

    async def follow(
        self, path: Callable[[], str], take: Callable[[Frame], Awaitable[None]], *,
        headers: Callable[[], Mapping[str, str]], hello: Callable[[], Awaitable[None]] | None = None,
    ) -> None:  # fmt: skip
        """Take what a socket sends, opening it anew when it is cut, until cancelled or signed out."""
        while not self.signed_out:
            with suppress(OSError, WebSocketException, TimeoutError):
                address = self._url.replace("http", "ws", 1) + path()
                async with connect(address, additional_headers=headers(), proxy=None, max_size=None) as socket:
                    self.socket, self.opened = socket, self.opened + 1
                    try:
                        if hello is not None:
                            await hello()
                        async for text in socket:
                            await take(json.loads(text))
                    finally:
                        self.socket = None
                        self.signed_out = socket.close_code == SIGNED_OUT
            await asyncio.sleep(BACK_SECONDS)

    async def send(self, frame: Frame) -> None:
        """Send a frame; one that finds no socket is lost, as in life."""
        if self.socket is not None:
            with suppress(ConnectionClosed):
                await self.socket.send(json.dumps(frame))

    def cut(self) -> None:
        """Break the socket without a word."""
        if self.socket is not None:
            self.socket.transport.abort()

    async def close(self) -> None:
        """Close what is open."""
        if self.socket is not None:
            await self.socket.close()
        await self.http.aclose()


async def until(true: Callable[[], bool], *, within: float, what: str) -> None:
    """Wait until something holds.

    Raises:
        GaveUp: if it does not in time.
    """
    end = time.monotonic() + within
    while not true():
        if time.monotonic() > end:
            raise GaveUp(what)
        await asyncio.sleep(0.05)
