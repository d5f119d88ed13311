"""The sender's own line: connections that are kept, opened anew, refused, cut and silent, over a real server."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from api.channels.wechat.errors import WeChatUnreachable
from api.sender import line as lines
from api.sender.line import SendingLine

PATH = "/cgi-bin/message/template/send"


class Tencent(ThreadingHTTPServer):
    """Notes what comes and answers as the test says."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.answer, self.how = 200, b'{"errcode":0,"msgid":7}', ""
        self.got: list[tuple[str, bytes, int]] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: who gives up in time has gone when the answer comes."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/base"


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Tencent

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, body, self.client_address[1]))
        if self.server.how == "cut":
            self.close_connection = True
            return
        if self.server.how == "silent":
            threading.Event().wait(1.5)
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)
        if self.server.how == "hang up after":  # without a word of it in the answer
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def tencent() -> Iterator[Tencent]:
    server = Tencent()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
async def line(tencent: Tencent) -> AsyncIterator[SendingLine]:
    one = SendingLine(tencent.url, 8)
    yield one
    await one.close()


async def ask(line: SendingLine) -> dict[str, Any]:
    return await line.ask("POST", PATH, params={"access_token": "a&b"}, body={"first": "停电"})


async def test_requests_after_each_other_share_a_connection_and_carry_real_characters(
    tencent: Tencent, line: SendingLine
) -> None:
    assert [await ask(line) for _ in range(3)] == [{"errcode": 0, "msgid": 7}] * 3
    assert len({port for _, _, port in tencent.got}) == 1
    assert tencent.got[0][:2] == (f"/base{PATH}?access_token=a%26b", '{"first": "停电"}'.encode())


async def test_many_at_once_take_no_more_connections_than_there_are_threads(
    tencent: Tencent, line: SendingLine
) -> None:
    await asyncio.gather(*(ask(line) for _ in range(8)))
    await asyncio.gather(*(ask(line) for _ in range(8)))
    assert len(tencent.got) == 16
    assert len({port for _, _, port in tencent.got}) <= 8


async def test_a_connection_that_was_closed_meanwhile_is_opened_anew(tencent: Tencent, line: SendingLine) -> None:
    tencent.how = "hang up after"
    for _ in range(3):
        assert (await ask(line))["errcode"] == 0
        await asyncio.sleep(0.1)
    assert len({port for _, _, port in tencent.got}) == 3


async def test_a_connection_that_was_idle_for_long_is_not_used_again(
    tencent: Tencent, line: SendingLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ask(line)
    monkeypatch.setattr(lines, "KEPT_SECONDS", 0.0)
    await ask(line)
    assert len({port for _, _, port in tencent.got}) == 2


async def test_nobody_listening_means_that_nothing_was_sent() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        line = SendingLine(f"http://127.0.0.1:{free.getsockname()[1]}", 2)
        with pytest.raises(WeChatUnreachable) as raised:
            await ask(line)
        await line.close()
    assert (raised.value.sent, raised.value.reason) == (False, "ConnectionRefusedError")


@pytest.mark.parametrize(
    ("status", "answer", "sent"),
    [(502, b"<html>", False), (504, b"", True), (200, b"<html>", False), (200, b'{"errcode":', True)],
)
async def test_an_answer_that_is_not_tencents_says_whether_it_may_have_been_done(
    tencent: Tencent, line: SendingLine, status: int, answer: bytes, sent: bool
) -> None:
    tencent.status, tencent.answer = status, answer
    with pytest.raises(WeChatUnreachable) as raised:
        await ask(line)
    assert raised.value.sent is sent


async def test_a_connection_that_is_cut_may_have_brought_it_and_the_next_one_works(
    tencent: Tencent, line: SendingLine
) -> None:
    tencent.how = "cut"
    with pytest.raises(WeChatUnreachable) as raised:
        await ask(line)
    assert (raised.value.sent, raised.value.reason) == (True, "RemoteDisconnected")
    assert "access_token" not in f"{raised.value!r} {raised.value.__cause__!r} {raised.value.__context__!r}"
    tencent.how = ""
    assert (await ask(line))["errcode"] == 0


async def test_silence_is_given_up_in_time_and_its_thread_is_free_again(
    tencent: Tencent, line: SendingLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "ALL", 1.0)
    tencent.how = "silent"
    results = await asyncio.gather(*(ask(line) for _ in range(8)), return_exceptions=True)
    assert {(type(one).__name__, getattr(one, "sent", None)) for one in results} == {("WeChatUnreachable", True)}
    tencent.how = ""
    monkeypatch.setattr(lines, "ALL", 5.0)
    async with asyncio.timeout(30):  # a thread that still listened to the silence would never come to these
        assert len(await asyncio.gather(*(ask(line) for _ in range(8)))) == 8


async def test_an_answer_without_end_is_not_read_to_its_end(tencent: Tencent, line: SendingLine) -> None:
    tencent.answer = json.dumps({"errcode": 0, "more": "x" * 200_000}).encode()
    with pytest.raises(WeChatUnreachable):
        await ask(line)
    tencent.answer = b'{"errcode":0}'
    assert await ask(line) == {"errcode": 0}
