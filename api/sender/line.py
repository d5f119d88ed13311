"""The sender's own line to WeChat: kept connections in threads, at a sixth of what httpx costs for each send.

A hundred thousand sends are a hundred thousand times the same small request. The standard library's client makes one
in 0.2 ms of processor time; that is time which the conversations on the same machine have then.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import select
import socket
import ssl
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from api.channels.wechat.errors import WeChatUnreachable
from api.channels.wechat.line import ALL, CONNECT_SECONDS, KEPT_SECONDS, Answer, Line, as_answer

READ_SECONDS = 5.0
MAX_ANSWER = 64 * 1024
_HEADERS = {"Content-Type": "application/json; charset=utf-8", "Accept": "application/json"}


class SendingLine(Line):
    """`Line` whose plain POST requests go through threads; everything else as ever."""

    def __init__(self, base: str, at_once: int) -> None:
        super().__init__(base)
        parts = urlsplit(base)
        self._prefix = parts.path.rstrip("/")
        self._host, self._port = parts.hostname or "", parts.port
        self._tls = httpx.create_ssl_context(trust_env=False) if parts.scheme == "https" else None
        self._idle: list[Connection] = []  # the one used last is taken first, so that no more are kept than needed
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="wechat")

    async def close(self) -> None:
        """See `Line.close`."""
        while self._idle:
            self._idle.pop().close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        await super().close()

    async def ask(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Any = None,
        file: tuple[str, bytes, str] | None = None,
    ) -> Answer:  # fmt: skip
        """See `Line.ask`."""
        if method != "POST" or body is None or file is not None:
            return await super().ask(method, path, params=params, body=body, file=file)
        target = f"{self._prefix}{path}?{urlencode(params or {})}"
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        connection = self._idle.pop() if self._idle else Connection(self._host, self._port, self._tls)
        call = asyncio.get_running_loop().run_in_executor(self._threads, connection.post, target, content)
        try:
            async with asyncio.timeout(ALL):
                status, data = await call
        except (OSError, http.client.HTTPException) as error:  # a TimeoutError is an OSError
            reason = type(error).__name__
            connection.close()
        except asyncio.CancelledError:
            connection.close()
            raise
        else:
            self._idle.append(connection)
            return as_answer(status, data)
        raise WeChatUnreachable(connection.sent, reason)  # apart from the error itself, which names the address


class Connection:
    """One connection, used by one thread at a time; `sent`: whether the last request was begun to be written."""

    def __init__(self, host: str, port: int | None, tls: ssl.SSLContext | None) -> None:
        self.sent, self._given_up = False, False
        self._used = time.monotonic()
        self._http = (
            http.client.HTTPSConnection(host, port, timeout=CONNECT_SECONDS, context=tls)
            if tls is not None
            else http.client.HTTPConnection(host, port, timeout=CONNECT_SECONDS)
        )

    def post(self, target: str, content: bytes) -> tuple[int, bytes]:
        """Return status and body of the answer; raises OSError and http.client.HTTPException."""
        self.sent = False
        if self._http.sock is not None and self._is_over():
            self._http.close()
        if self._http.sock is None:
            self._connect()
        self.sent = True
        self._http.request("POST", target, content, _HEADERS)
        answer = self._http.getresponse()
        data = answer.read(MAX_ANSWER)
        if not answer.isclosed():
            self._http.close()  # longer than any answer of Tencent's
        self._used = time.monotonic()
        return answer.status, data

    def close(self) -> None:
        """Close it for good, also under the hands of a thread that waits for an answer."""
        self._given_up = True
        if (sock := self._http.sock) is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._http.close()

    def _connect(self) -> None:
        self._http.connect()
        sock: socket.socket = self._http.sock
        sock.settimeout(READ_SECONDS)
        if self._given_up:
            raise TimeoutError

    def _is_over(self) -> bool:
        """Tell whether the other side has closed it, or soon will."""
        if time.monotonic() - self._used > KEPT_SECONDS:
            return True
        poll = select.poll()
        poll.register(self._http.sock, select.POLLIN)
        return bool(poll.poll(0))
