"""The line to Tencent's interface: one request and its answer, with nothing secret in logs or errors."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import httpx

from api.channels.wechat.errors import WeChatRefused, WeChatUnreachable
from api.channels.wechat.media import MAX_DOWNLOAD, BadMedia, Media

# Connecting must be given up before the whole is: only so it is known that nothing was sent.
CONNECT_SECONDS, KEPT_SECONDS = 2.0, 20.0
TIMEOUT = httpx.Timeout(5, connect=CONNECT_SECONDS, pool=2)
MEDIA_TIMEOUT = httpx.Timeout(5, connect=CONNECT_SECONDS, pool=2, write=15)
ALL, ALL_MEDIA = 5.0, 20.0  # seconds for a request with its answer
LIMITS = httpx.Limits(max_connections=64, max_keepalive_connections=32, keepalive_expiry=KEPT_SECONDS)
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_JSON = {"content-type": "application/json; charset=utf-8"}

Answer = dict[str, Any]


class Line:
    """Requests to one address; bound to the event loop of its first request."""

    def __init__(self, base: str, http: httpx.AsyncClient | None = None) -> None:
        self._base, self._http, self._ours = base.rstrip("/"), http, http is None
        # Both log addresses, in which Tencent wants the token and the AppSecret.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)

    async def close(self) -> None:
        """Close the connections, unless they were given to us."""
        if self._http is not None and self._ours:
            await self._http.aclose()
            self._http = None

    async def ask(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Any = None,
        file: tuple[str, bytes, str] | None = None,
    ) -> Answer:  # fmt: skip
        """Send a request and return the answer, which may hold an error code (see `code_of`).

        Raises:
            WeChatUnreachable: if there is no answer, or one that is not Tencent's.
        """
        # Real characters: WeChat shows \uXXXX to customers as it stands.
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        try:
            answer = await self._send(
                method, path, params=params, content=content, headers=_JSON if content else None,
                files={"media": file} if file else None, timeout=MEDIA_TIMEOUT if file else TIMEOUT,
                within=ALL_MEDIA if file else ALL,
            )  # fmt: skip
        except BadMedia as error:
            raise WeChatUnreachable(False, str(error)) from None
        return as_answer(answer.status_code, answer.content)

    async def fetch(self, path: str, *, params: Mapping[str, str]) -> Media | Answer:
        """Return a file, or the answer that came in place of one.

        Raises:
            WeChatUnreachable: if there is no answer, or one that is not Tencent's.
            BadMedia: if the file is too large.
        """
        answer = await self._send("GET", path, params=params, timeout=TIMEOUT, within=ALL_MEDIA)
        media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        # Errors come with status 200, and not always as application/json.
        if answer.status_code != HTTPStatus.OK or "json" in media_type or answer.content[:9] == b'{"errcode':
            return as_answer(answer.status_code, answer.content)
        return Media(answer.content, media_type)

    async def _send(self, method: str, path: str, *, within: float, **more: Any) -> httpx.Response:
        if self._http is None:
            self._http = httpx.AsyncClient(limits=LIMITS, trust_env=False)
        reason, sent = "", True
        try:
            async with asyncio.timeout(within), self._http.stream(method, self._base + path, **more) as answer:
                return await _read(answer)
        except TimeoutError:
            reason = "TimeoutError"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason, sent = type(error).__name__, not isinstance(error, NOT_SENT)
        raise WeChatUnreachable(sent, reason)  # apart from the error itself, which names the address


def code_of(answer: Answer) -> int:
    """Return the error code of an answer, 0 if all is well."""
    try:
        return int(answer.get("errcode") or 0)
    except (TypeError, ValueError):
        return 0


def refusal(answer: Answer) -> WeChatRefused:
    """Return the error that an answer speaks of."""
    return WeChatRefused(code_of(answer), str(answer.get("errmsg", "")))


async def _read(answer: httpx.Response) -> httpx.Response:
    data, chunks = 0, []
    async for chunk in answer.aiter_bytes():
        data += len(chunk)
        if data > MAX_DOWNLOAD:
            raise BadMedia(f"more than {MAX_DOWNLOAD} bytes")
        chunks.append(chunk)
    headers = {"content-type": answer.headers.get("content-type", "")}
    return httpx.Response(answer.status_code, headers=headers, content=b"".join(chunks))


def as_answer(status: int, content: bytes) -> Answer:
    """Return what Tencent says; a page of some machine between is none of its answers.

    Raises:
        WeChatUnreachable: if it is none.
    """
    found: Any = None
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(content)
    if isinstance(found, dict) and status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return found
    # Whoever answers 504 waited for somebody who may have done it; other such answers mean that nobody did.
    began = status < HTTPStatus.BAD_REQUEST and content.lstrip().startswith(b"{")
    raise WeChatUnreachable(began or status == HTTPStatus.GATEWAY_TIMEOUT, f"HTTP {status}")
