"""The fake WeChat keeps Tencent's rules: tries, quotas, tokens, refusals."""

from __future__ import annotations

import time
from typing import Any

import pytest
from fake_rules_kit import OPENID, Api, api, echo, fake, running

from tests.fake_wechat.echo import EchoServer
from tests.fake_wechat.process import FakeWeChat
from tests.fake_wechat.state import NOTICE

__all__ = ["api", "echo", "fake", "running"]


def test_a_slow_answer_is_asked_for_again_with_the_same_id_and_only_the_last_is_shown(
    fake: FakeWeChat, echo: EchoServer
) -> None:
    fake.settings(timeout=1.5)
    echo.answer, echo.sleeps = lambda _message: "答复", [2.0]
    pushed = fake.say(OPENID, "你好")
    assert [one["result"] for one in pushed.tries] == ["timeout", "reply"]
    assert len({message.id for message in echo.taken}) == 1
    assert [one.text for one in fake.phone(OPENID)] == ["答复"]


def test_three_tries_without_an_answer_end_in_the_notice(fake: FakeWeChat) -> None:
    fake.settings(push_url="http://127.0.0.1:9/wechat")
    began = time.monotonic()
    pushed = fake.say(OPENID, "你好")
    assert [one["result"] for one in pushed.tries] == ["refused"] * 3
    assert time.monotonic() - began >= 0.4, "a try that was refused at once is not repeated at once"
    assert [(one.way, one.text) for one in fake.phone(OPENID)] == [("notice", NOTICE)]
    assert fake.event(OPENID, "unsubscribe").outcome == "dropped"
    assert len(fake.phone(OPENID)) == 1


@pytest.mark.parametrize("answer", [b"{}", b"<html>", b"ok", b"<xml><MsgType>text</MsgType></xml>"])
def test_an_answer_that_is_no_message_ends_in_the_notice_at_once(
    fake: FakeWeChat, echo: EchoServer, answer: bytes
) -> None:
    echo.answer = lambda _message: answer
    pushed = fake.say(OPENID, "你好")
    assert (pushed.outcome, len(pushed.tries)) == ("notice", 1)
    assert pushed.why


def test_a_plain_answer_is_refused_in_safe_mode_and_shown_in_compatible_mode(
    fake: FakeWeChat, echo: EchoServer
) -> None:
    def plain(message: Any) -> bytes:
        return (f"<xml><ToUserName>{message.source}</ToUserName><FromUserName>{message.target}</FromUserName>"
                "<CreateTime>1</CreateTime><MsgType>text</MsgType><Content>好</Content></xml>").encode()  # fmt: skip

    echo.answer = plain
    assert fake.say(OPENID, "你好").outcome == "notice"
    fake.settings(mode="compatible")
    assert fake.say(OPENID, "你好").outcome == "passive"


def test_a_message_opens_five_sends_for_48_hours_and_a_new_one_begins_anew(fake: FakeWeChat, api: Api) -> None:
    assert api.say() == 45015
    fake.say(OPENID, "你好")
    assert [api.say() for _ in range(6)] == [0, 0, 0, 0, 0, 45047]
    fake.say(OPENID, "在吗")
    assert api.say() == 0
    fake.clock(advance=48 * 3600)
    api.token = api.stable()["access_token"]
    assert api.say() == 45015


def test_a_tap_opens_three_sends_for_a_minute_and_is_no_message(fake: FakeWeChat, api: Api, echo: EchoServer) -> None:
    fake.say(OPENID, "你好")
    link = '<a href="weixin://bizmsgmenu?msgmenucontent=%E6%9F%A5%E7%94%B5%E8%B4%B9&msgmenuid=b_1">查电费</a>'
    assert api.say(f"点这里：{link}") == 0
    menu = {"head_content": "请选择", "list": [{"id": "b_2", "content": "转人工"}], "tail_content": ""}
    assert api.custom("msgmenu", menu) == 0
    fake.clock(advance=49 * 3600)
    api.token = api.stable()["access_token"]
    fake.tap(OPENID, "查电费")
    assert (echo.taken[-1].content, echo.taken[-1]._data["bizmsgmenuid"]) == ("查电费", "b_1")
    fake.tap(OPENID, "b_2")
    assert (echo.taken[-1].content, echo.taken[-1]._data["bizmsgmenuid"]) == ("转人工", "b_2")
    assert fake.quotas(OPENID) == {"tap": 3}
    assert [api.say() for _ in range(4)] == [0, 0, 0, 45047]
    fake.clock(advance=61)
    assert api.say() == 45015


def test_following_and_scanning_open_three_and_a_payment_any_number(fake: FakeWeChat, api: Api) -> None:
    newcomer = "oFakeUser" + "z" * 19
    fake.follow(newcomer, "hall_1")
    assert fake.quotas(newcomer) == {"follow": 3}
    fake.scan(newcomer, "hall_2")
    assert fake.quotas(newcomer) == {"follow": 3, "scan": 3}
    fake.grant(OPENID, "pay")
    assert [api.say() for _ in range(12)] == [0] * 12


def test_nobody_writes_to_a_user_who_has_left_or_never_was(fake: FakeWeChat, api: Api) -> None:
    fake.say(OPENID, "你好")
    fake.unfollow(OPENID)
    assert api.say() == 43004
    assert api.template({"thing1": "汉阳区"}) == 43004
    assert api.say(openid="oNobody") == 40003
    assert fake.phone(OPENID) == []
    assert [(one["code"], one["openid"]) for one in fake.refused("custom")] == [(43004, OPENID), (40003, "oNobody")]


def test_limits_of_customer_service_messages(fake: FakeWeChat, api: Api) -> None:
    fake.say(OPENID, "你好")
    assert api.say("电" * 683) == 45002
    assert api.say("电" * 682) == 0
    assert api.custom("image", {"media_id": "none"}) == 40007
    assert api.custom("news", {"articles": [{"title": "一"}, {"title": "二"}]}) == 45008
    assert api.custom("poem", {}) == 40008
    fake.settings(msgmenu=False)
    assert api.custom("msgmenu", {"list": [{"id": "1", "content": "是"}]}) == 40200
    escaped = b'{"touser":"%s","msgtype":"text","text":{"content":"\\u4f60"}}' % OPENID.encode()
    found = api.http.post("/cgi-bin/message/custom/send", params={"access_token": api.token}, content=escaped)
    assert found.json()["errcode"] == 40033
    assert api.custom("msgmenu", {"head_content": 5, "list": [{"id": "1", "content": "是"}]}) == 40200
    assert api.post("/cgi-bin/poem", {}) == 40066


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"touser": 5}', b'{"touser": "o", "msgtype": {}}', b"\xff"])
def test_nonsense_is_refused_and_breaks_nothing(fake: FakeWeChat, api: Api, body: bytes) -> None:
    for path in ("message/custom/send", "message/template/send", "menu/create", "qrcode/create", "user/info/batchget"):
        answer = api.http.post(f"/cgi-bin/{path}", params={"access_token": api.token}, content=body)
        assert (answer.status_code, answer.json()["errcode"] > 0) == (200, True)


def test_typing_lasts_fifteen_seconds_and_ends_with_a_message(fake: FakeWeChat, api: Api) -> None:
    assert api.typing() == 45080
    fake.say(OPENID, "你好")
    assert api.typing() == 0
    assert fake.typing(OPENID)
    assert api.typing() == 45081
    assert api.say() == 0
    assert not fake.typing(OPENID)
    assert api.typing() == 0
    assert api.typing("CancelTyping") == 0
    assert api.typing("Sing") == 45072
    fake.clock(advance=31)
    assert api.typing() == 45080


def test_the_stable_token_repeats_itself_overlaps_and_is_forced_rarely(fake: FakeWeChat, api: Api) -> None:
    assert api.stable()["access_token"] == api.token
    fake.clock(advance=7000)
    second = api.stable()["access_token"]
    assert second != api.token
    assert api.say() == 45015, "the first one holds five minutes more"
    fake.clock(advance=300)
    assert api.say() == 42001
    forced = api.stable(force=True)["access_token"]
    api.token = second
    assert api.say() == 40001
    assert api.stable(force=True)["errcode"] == 45009
    api.token = forced
    assert api.say() == 45015
    for _ in range(19):
        fake.clock(advance=31)
        assert "access_token" in api.stable(force=True)
    fake.clock(advance=31)
    assert api.stable(force=True)["errcode"] == 45009
    api.token = ""
    assert api.say() == 41001


def test_wrong_secrets_are_told_apart(fake: FakeWeChat, api: Api) -> None:
    asked = {"grant_type": "client_credential", "appid": fake.appid, "secret": "wrong"}
    assert api.http.post("/cgi-bin/stable_token", json=asked).json()["errcode"] == 40125
    assert api.http.post("/cgi-bin/stable_token", json={**asked, "appid": "wx"}).json()["errcode"] == 40013
