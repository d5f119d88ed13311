"""The client: one token for all, one retry and no more, and what every error code comes to."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fake_api import APPID, OPENID, SECRET, URL, FakeApi
from starlette.responses import JSONResponse, PlainTextResponse, Response

from api.channels.wechat import line
from api.channels.wechat.client import WeChatClient
from api.channels.wechat.errors import Verdict, WeChatError, WeChatRefused, WeChatUnreachable, scrubbed, verdict

SEND, TOKEN, TYPING = "/cgi-bin/message/custom/send", "/cgi-bin/stable_token", "/cgi-bin/message/custom/typing"
HELLO = {"msgtype": "text", "text": {"content": "您好，😀 <电费>"}}


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


async def test_a_message_is_sent_as_real_characters(api: FakeApi) -> None:
    await api.client().send(OPENID, HELLO)
    asked = api.calls(SEND)[0]
    assert asked.json == {"touser": OPENID, **HELLO}
    assert "您好，😀 <电费>".encode() in asked.body
    assert asked.params == {"access_token": api.token}
    assert asked.media_type == "application/json; charset=utf-8"


async def test_half_a_character_does_not_stop_a_message(api: FakeApi) -> None:
    await api.client().send(OPENID, {"msgtype": "text", "text": {"content": "a\ud800b"}})
    assert api.calls(SEND)[0].json["text"]["content"] == "a?b"


CODES = {
    -1: "retry", 40001: "token", 40014: "token", 42001: "token", 40003: "unreachable_user", 43004: "unreachable_user",
    40007: "media_gone", 40013: "config", 40125: "config", 40033: "charset", 40037: "template_bug",
    47003: "template_bug", 40164: "config", 40163: "refused", 42003: "refused", 40200: "not_allowed", 41001: "token",
    43101: "refused", 45002: "too_long", 45008: "refused", 45009: "rate", 45011: "rate", 45015: "window_closed",
    45047: "count_used", 45072: "typing", 45080: "typing", 45081: "typing", 48001: "not_allowed", 65400: "not_allowed",
    99999: "refused",
}  # fmt: skip


@pytest.mark.parametrize(("code", "name"), CODES.items())
async def test_every_code_has_its_verdict(api: FakeApi, code: int, name: str) -> None:
    assert verdict(code) == name
    api.next(SEND, *({"errcode": code, "errmsg": f"no, {OPENID}"} for _ in range(3)))
    with pytest.raises(WeChatRefused) as caught:
        await api.client().send(OPENID, HELLO)
    assert (caught.value.code, caught.value.verdict) == (code, name)
    assert len(api.calls(SEND)) == {"retry": 3}.get(name, 2 if code in (40001, 40014, 42001) else 1)


def test_every_verdict_is_of_use() -> None:
    assert {verdict(code) for code in CODES} == set(Verdict)


async def test_a_busy_system_is_asked_again_twice_with_growing_pauses(api: FakeApi) -> None:
    api.next(SEND, {"errcode": -1, "errmsg": "system error"}, {"errcode": -1, "errmsg": "system error"})
    await api.client().send(OPENID, HELLO)
    assert len(api.calls(SEND)) == 3
    assert api.pauses == sorted(api.pauses)
    assert len(api.pauses) == 2


@pytest.mark.parametrize(
    ("answer", "sent"),
    [
        (PlainTextResponse("<html>busy</html>", 502), False),
        (PlainTextResponse("", 503), False),
        (PlainTextResponse("slow", 504), True),
        (JSONResponse({"errcode": 0}, 500), False),
        (PlainTextResponse("<html>sign in to the hotel</html>", 200), False),
        (PlainTextResponse('{"errcode":0,', 200), True),
        (JSONResponse([0]), False),
        (PlainTextResponse("[" * 100_000), False),
        (Response(b"\xff\xfe", 200), False),
        (PlainTextResponse("no", 404), False),
        (PlainTextResponse("x" * (line.MAX_DOWNLOAD + 1)), False),
    ],
)
async def test_what_is_no_answer_of_tencents_is_unreachable(api: FakeApi, answer: Response, sent: bool) -> None:
    api.next(SEND, answer)
    with pytest.raises(WeChatUnreachable) as caught:
        await api.client().send(OPENID, HELLO)
    assert caught.value.sent is sent
    assert len(api.calls(SEND)) == 1


NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
MAYBE = (
    httpx.ReadTimeout, httpx.WriteTimeout, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError,
    httpx.CloseError, httpx.DecodingError,
)  # fmt: skip


@pytest.mark.parametrize("error", [*NOT_SENT, *MAYBE])
async def test_a_broken_line_tells_whether_the_call_may_have_arrived(error: type[httpx.RequestError]) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path == TOKEN:
            return httpx.Response(200, json={"access_token": "T" * 80, "expires_in": 7200})
        raise error(f"failed at {request.url}", request=request)

    client = WeChatClient(APPID, SECRET, URL, http=httpx.AsyncClient(transport=httpx.MockTransport(handle)))
    with pytest.raises(WeChatUnreachable) as caught:
        await client.send(OPENID, HELLO)
    assert caught.value.sent is (error in MAYBE)
    assert str(caught.value).startswith(error.__name__)
    assert caught.value.__context__ is None  # it would quote the address with the token


async def _served(answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]) -> tuple[asyncio.Server, str]:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_on_a_real_line_a_hanging_or_dripping_server_is_given_up_and_may_have_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line, "ALL", 0.5)

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if TOKEN.encode() in head:
            body = json.dumps({"access_token": "T" * 80, "expires_in": 7200}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body))
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(30):
                writer.write(b" ")
                await asyncio.sleep(0.1)
        writer.close()

    server, url = await _served(drip)
    client = WeChatClient(APPID, SECRET, url)
    async with server:
        started = asyncio.get_running_loop().time()
        with pytest.raises(WeChatUnreachable) as caught:
            await client.send(OPENID, HELLO)
        assert asyncio.get_running_loop().time() - started < 2
        assert caught.value.sent
    await client.close()


async def test_on_a_real_line_a_closed_port_has_heard_nothing() -> None:
    server, url = await _served(lambda _, writer: writer.close())
    server.close()
    await server.wait_closed()
    client = WeChatClient(APPID, SECRET, url)
    with pytest.raises(WeChatUnreachable) as caught:
        await client.openid_of("code")
    assert not caught.value.sent
    await client.close()
    await client.close()


async def test_no_secret_token_or_openid_is_logged_or_said(api: FakeApi, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client = api.client()
    await client.openid_of("CODE5f0c6b1d4c8e9a533a8a8d1d6f10")
    api.next(SEND, {"errcode": 40003, "errmsg": f"invalid openid {OPENID} of {APPID} with {api.token} and {SECRET}"})
    errors = []
    for _ in range(2):
        try:
            await client.send(OPENID, HELLO)
        except WeChatError as error:
            errors.append(repr(error) + str(error) + error.__class__.__name__)
    said = caplog.text + "".join(errors) + repr(await client.openid_of("x")) + repr(client)
    assert errors
    assert [one for one in (OPENID, SECRET, api.token, "CODE5f0c6b") if one in said] == []


def test_words_of_tencent_are_kept_short_and_keep_their_number() -> None:
    rid = "rid: 65a4c5f2-1b2c3d4e-5f6a7b8c"
    assert scrubbed(f"invalid media_id hint: [x] {rid}") == f"invalid media_id hint: [x] {rid}"
    assert scrubbed("a " * 500) == scrubbed("a " * 500)[:120]
    assert SECRET not in scrubbed(f"bad {SECRET}")


async def test_the_typing_signal_is_shown_or_not_and_never_an_error(api: FakeApi) -> None:
    client = api.client()
    assert await client.typing(OPENID, True)
    assert not await client.typing(OPENID, False)
    assert [one.json["command"] for one in api.calls(TYPING)] == ["Typing", "CancelTyping"]
    for code in (45072, 45080, 45081):
        api.next(TYPING, {"errcode": code})
        assert not await client.typing(OPENID, True)
    api.next(TYPING, {"errcode": 48001})
    with pytest.raises(WeChatRefused):
        await client.typing(OPENID, True)
