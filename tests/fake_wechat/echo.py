"""A small official account's server for the fake's own tests, built on wechatpy and on nothing of ours."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from wechatpy import create_reply, parse_message
from wechatpy.crypto import WeChatCrypto
from wechatpy.utils import check_signature

Answer = Callable[[Any], Any]  # wechatpy's message -> text, None (success), bytes (raw), or an exception


class EchoServer:
    """Answers each push with what `answer` says of it; keeps all messages in `taken`."""

    def __init__(self, answer: Answer = lambda message: f"收到：{getattr(message, 'content', message.type)}") -> None:
        self.answer, self.taken, self.queries = answer, list[Any](), list[dict[str, str]]()
        self.bodies: list[bytes] = []
        self.raw: Callable[[dict[str, str], bytes], bytes] | None = None  # answers in place of all else
        self.token = self.aes_key = self.appid = ""
        self.sleeps: list[float] = []  # seconds before each of the next answers
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/wechat"

    def knows(self, fake: Any) -> None:
        """Take over the account's secrets."""
        self.token, self.aes_key, self.appid = fake.token, fake.aes_key, fake.appid

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = dict(parse_qsl(urlsplit(self.path).query))
                check_signature(server.token, query["signature"], query["timestamp"], query["nonce"])
                self._say(query["echostr"].encode())

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                self._say(server.receive(dict(parse_qsl(urlsplit(self.path).query)), body))

            def _say(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: Any) -> None:
                pass

        return Handler

    def receive(self, query: dict[str, str], body: bytes) -> bytes:
        check_signature(self.token, query["signature"], query["timestamp"], query["nonce"])
        self.queries.append(query)
        self.bodies.append(body)
        if self.raw is not None:
            return self.raw(query, body)
        sealed = query.get("encrypt_type") == "aes"
        crypto = WeChatCrypto(self.token, self.aes_key, self.appid) if sealed else None
        text = body.decode()
        if crypto is not None:
            text = crypto.decrypt_message(body, query["msg_signature"], query["timestamp"], query["nonce"])
        message = parse_message(text)
        self.taken.append(message)
        said = self.answer(message)
        if self.sleeps:
            time.sleep(self.sleeps.pop(0))
        if said is None:
            return b"success"
        if isinstance(said, bytes):
            return said
        reply = create_reply(said, message=message).render()
        if crypto is not None:
            reply = crypto.encrypt_message(reply, query["nonce"], query["timestamp"])
        return bytes(reply, "utf-8") if isinstance(reply, str) else reply
