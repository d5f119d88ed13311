"""The access token: one for all, fetched anew when it is stale, and forced as seldom as may be."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from fake_api import APPID, OPENID, SECRET, FakeApi
from starlette.responses import PlainTextResponse

from api.channels.wechat.errors import Verdict, WeChatRefused, WeChatUnreachable
from core.clock import SHANGHAI

SEND, TOKEN, TYPING = "/cgi-bin/message/custom/send", "/cgi-bin/stable_token", "/cgi-bin/message/custom/typing"
HELLO = {"msgtype": "text", "text": {"content": "您好，😀 <电费>"}}


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 15, 0, tzinfo=SHANGHAI)

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


async def test_the_token_is_fetched_once_for_all_who_wait_and_kept(api: FakeApi) -> None:
    clock = Clock()
    client = api.client(clock)
    await asyncio.gather(*(client.send(OPENID, HELLO) for _ in range(20)))
    await client.send(OPENID, HELLO)
    clock.move(7200 - 301)
    await client.send(OPENID, HELLO)
    assert [one.json for one in api.calls(TOKEN)] == [
        {"grant_type": "client_credential", "appid": APPID, "secret": SECRET, "force_refresh": False}
    ]
    clock.move(1)
    await client.send(OPENID, HELLO)
    assert len(api.calls(TOKEN)) == 2


async def test_a_token_of_a_short_life_is_not_asked_for_with_every_call(api: FakeApi) -> None:
    api.lasts = 200
    clock = Clock()
    client = api.client(clock)
    for seconds in (0, 99, 1):
        clock.move(seconds)
        await client.send(OPENID, HELLO)
    assert len(api.calls(TOKEN)) == 2


@pytest.mark.parametrize("code", [40001, 40014, 42001])
async def test_a_stale_token_is_fetched_anew_and_the_call_made_once_more(api: FakeApi, code: int) -> None:
    client = api.client()
    await client.send(OPENID, HELLO)
    api.tokens += 1  # another process had a new one made
    api.next(SEND, {"errcode": code, "errmsg": "access_token expired"})
    await client.send(OPENID, HELLO)
    assert [one.params["access_token"][:9] for one in api.calls(SEND)] == ["TOKEN0001", "TOKEN0001", "TOKEN0002"]
    assert (len(api.calls(TOKEN)), api.forced) == (2, 0)


async def test_a_new_token_is_forced_only_when_the_normal_way_gives_the_stale_one(api: FakeApi) -> None:
    client = api.client()
    await client.send(OPENID, HELLO)
    api.refused.add(api.token)
    await client.send(OPENID, HELLO)
    assert [one.json["force_refresh"] for one in api.calls(TOKEN)] == [False, False, True]
    assert len(api.calls(SEND)) == 3


async def test_a_call_that_is_refused_with_the_new_token_too_is_not_made_a_third_time(api: FakeApi) -> None:
    api.next(SEND, *({"errcode": 40001, "errmsg": "invalid credential"} for _ in range(5)))
    with pytest.raises(WeChatRefused) as caught:
        await api.client().send(OPENID, HELLO)
    assert (caught.value.code, caught.value.verdict) == (40001, Verdict.TOKEN)
    assert len(api.calls(SEND)) == 2


async def test_tokens_are_forced_at_most_every_thirty_seconds_and_twenty_times_a_day(api: FakeApi) -> None:
    clock = Clock()
    client = api.client(clock)

    async def refused() -> None:
        api.next(SEND, {"errcode": 40001}, {"errcode": 40001})
        with pytest.raises(WeChatRefused):
            await client.send(OPENID, HELLO)

    for _ in range(3):
        await refused()
    assert api.forced == 1
    for _ in range(30):
        clock.move(30)
        await refused()
    assert api.forced == 20
    clock.move(24 * 3600)
    await refused()
    assert api.forced == 21


async def test_many_calls_with_a_stale_token_force_one_new_one(api: FakeApi) -> None:
    client = api.client()
    await client.check()
    api.refused.add(api.token)
    await asyncio.gather(*(client.send(OPENID, HELLO) for _ in range(12)))
    assert api.forced == 1
    assert len(api.calls(TOKEN)) <= 4


async def test_who_gives_up_does_not_take_the_token_from_the_others(api: FakeApi) -> None:
    client = api.client()
    first = asyncio.create_task(client.send(OPENID, HELLO))
    others = [asyncio.create_task(client.send(OPENID, HELLO)) for _ in range(3)]
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(*others)
    assert len(api.calls(TOKEN)) == 1


async def test_when_no_token_can_be_had_nothing_was_sent_and_all_hear_of_it_at_once(api: FakeApi) -> None:
    api.next(TOKEN, *(PlainTextResponse("bad gateway", 504) for _ in range(3)))
    client = api.client()
    found = await asyncio.gather(*(client.send(OPENID, HELLO) for _ in range(9)), return_exceptions=True)
    assert [type(one) for one in found] == [WeChatUnreachable] * 9
    assert not any(one.sent for one in found if isinstance(one, WeChatUnreachable))
    assert len(api.calls(TOKEN)) == 1
    api.answers.clear()
    await client.send(OPENID, HELLO)


@pytest.mark.parametrize(
    "answer", [{}, {"access_token": ""}, {"access_token": "x"}, {"access_token": 5, "expires_in": 1}]
)
async def test_an_answer_without_a_token_is_none(api: FakeApi, answer: dict[str, Any]) -> None:
    api.next(TOKEN, answer)
    with pytest.raises(WeChatUnreachable):
        await api.client().check()


@pytest.mark.parametrize("code", [40013, 40125, 40164])
async def test_wrong_settings_are_the_operators(api: FakeApi, code: int) -> None:
    api.next(TOKEN, {"errcode": code, "errmsg": "invalid ip 1.2.3.4, not in whitelist rid: 65a4c5f2-1b2c3d4e-5f6a7b8c"})
    with pytest.raises(WeChatRefused) as caught:
        await api.client().check()
    assert caught.value.verdict is Verdict.CONFIG
    assert "65a4c5f2-1b2c3d4e-5f6a7b8c" in str(caught.value)
