"""The fake WeChat keeps Tencent's limits of templates, menus and media, and fails on purpose as it is told."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest
from fake_rules_kit import OPENID, Api, api, echo, fake, running
from wechatpy.crypto import PrpCrypto

from tests.fake_wechat.crypto import signature
from tests.fake_wechat.echo import EchoServer
from tests.fake_wechat.process import FakeWeChat

__all__ = ["api", "echo", "fake", "running"]


def test_a_template_message_of_one_key_is_shown_once(fake: FakeWeChat, api: Api) -> None:
    assert [api.template({"thing1": "汉阳区"}, key="7:1") for _ in range(3)] == [0, 0, 0]
    fake.idle(10)
    assert fake.tally(words="7:")["phones"] == {"1": 1}
    assert fake.calls("/cgi-bin/message/template/send")["calls"] == 3


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("thing1", "字" * 20, "字" * 21),
        ("phrase2", "恢复供电", "已经恢复供电"),
        ("phrase2", "正在抢修", "抢修12"),
        ("character_string3", "WO-20261122-01", "工单01"),
        ("amount4", "128.50元", "一百元"),
        ("time5", "2026年11月22日 14:30", "今天下午"),
        ("time5", "14:30", "14点30"),
        ("date6", "2026年11月22日", "22日"),
        ("number7", "12.5", "十二"),
        ("thing1", "汉阳区", ""),
    ],
)
def test_fields_of_a_template_are_short_and_typed(fake: FakeWeChat, api: Api, name: str, good: str, bad: str) -> None:
    fake.settings(template_events=False)
    assert api.template({name: good}) == 0
    assert api.template({name: bad}) == 47003


def test_templates_must_be_known_and_have_their_fields(fake: FakeWeChat, api: Api) -> None:
    fake.template("T-1", "通知", ["thing1", "time2"])
    body = {"touser": OPENID, "template_id": "T-1", "data": {"thing1": {"value": "汉阳区"}}}
    assert api.post("/cgi-bin/message/template/send", body) == 47003
    assert api.post("/cgi-bin/message/template/send", {**body, "template_id": "T-2"}) == 40037


def test_template_messages_come_at_the_allowed_rate(fake: FakeWeChat, api: Api) -> None:
    fake.settings(template_rate=5, template_events=False)
    codes = [api.template({"thing1": "汉阳区"}, key=f"k{number}") for number in range(8)]
    assert codes[:5] == [0] * 5
    assert 45009 in codes[5:]
    assert fake.tally()["most_in_a_second"] <= 5


def test_a_subscription_message_needs_the_users_leave_each_time(fake: FakeWeChat, api: Api) -> None:
    body = {"touser": OPENID, "template_id": "FAKE-outage", "data": {"thing1": {"value": "汉阳区"}}}
    assert api.post("/cgi-bin/message/subscribe/bizsend", body) == 43101
    fake.subscribe(OPENID, "FAKE-outage", 1)
    assert [api.post("/cgi-bin/message/subscribe/bizsend", body) for _ in range(2)] == [0, 43101]
    fake.subscribe(OPENID, "FAKE-outage")
    assert [api.post("/cgi-bin/message/subscribe/bizsend", body) for _ in range(3)] == [0, 0, 0]


@pytest.mark.parametrize(
    ("button", "code"),
    [
        ([], 40016),
        ([{"name": "一", "type": "click", "key": "k"}] * 4, 40016),
        ([{"name": "五个汉字名称", "type": "click", "key": "k"}], 40018),
        ([{"name": "一", "type": "click"}], 40019),
        ([{"name": "一", "type": "view", "url": "ftp://a"}], 40020),
        ([{"name": "一", "type": "dance", "key": "k"}], 40017),
        ([{"name": "一", "sub_button": [{"name": "二", "type": "click", "key": "k"}] * 6}], 40023),
        ([{"name": "一", "sub_button": [{"name": "长" * 21, "type": "click", "key": "k"}]}], 40025),
    ],
)
def test_limits_of_the_menu(fake: FakeWeChat, api: Api, button: list[dict[str, Any]], code: int) -> None:
    body = httpx.Request("POST", "http://x", json={"button": button}).content
    found = api.http.post("/cgi-bin/menu/create", params={"access_token": api.token}, content=body)
    assert found.json()["errcode"] == code


def test_media_are_gone_after_three_days(fake: FakeWeChat, api: Api) -> None:
    files = {"media": ("a.jpg", b"\xff\xd8\xff" + b"\0" * 20, "image/jpeg")}
    query = {"access_token": api.token, "type": "image"}
    media_id = api.http.post("/cgi-bin/media/upload", params=query, files=files).json()["media_id"]
    got = api.http.get("/cgi-bin/media/get", params={"access_token": api.token, "media_id": media_id})
    assert (got.headers["content-type"], len(got.content)) == ("image/jpeg", 23)
    wrong = {"media": ("a.jpg", b"GIF? no", "image/jpeg")}
    assert api.http.post("/cgi-bin/media/upload", params=query, files=wrong).json()["errcode"] == 40005
    large = {"media": ("a.jpg", b"\xff\xd8\xff" + b"\0" * (10 << 20), "image/jpeg")}
    assert api.http.post("/cgi-bin/media/upload", params=query, files=large).json()["errcode"] == 40009
    fake.clock(advance=3 * 86400)
    token = api.stable()["access_token"]
    late = api.http.get("/cgi-bin/media/get", params={"access_token": token, "media_id": media_id})
    assert late.json()["errcode"] == 40007


def test_faults_on_purpose_hit_the_calls_that_they_name_as_often_as_they_say(fake: FakeWeChat, api: Api) -> None:
    fake.grant(OPENID, "pay")
    fake.faults("custom/send", "errcode", code=-1, times=2)
    fake.faults("custom/send", "status", code=503)
    fake.faults("custom/send", "drop", after=True)
    assert [api.say("一"), api.say("二")] == [-1, -1]
    body = {"touser": OPENID, "msgtype": "text", "text": {"content": "三"}}
    query = {"access_token": api.token}
    assert api.http.post("/cgi-bin/message/custom/send", params=query, json=body).status_code == 503
    with pytest.raises(httpx.RemoteProtocolError):
        api.say("四")
    assert [one.text for one in fake.phone(OPENID)] == ["四"], "the last one arrived, and only its answer was lost"
    fake.faults("custom/send", "hang")
    with pytest.raises(httpx.ReadTimeout):
        api.http.post("/cgi-bin/message/custom/send", params=query, json=body, timeout=0.3)
    assert api.say("五") == 0


@pytest.mark.parametrize(
    ("how", "error"), [("refuse", httpx.ConnectError), ("drop", httpx.RemoteProtocolError), ("hang", httpx.ReadTimeout)]
)
def test_the_api_can_be_taken_away_and_comes_back_at_the_same_address(
    fake: FakeWeChat, api: Api, how: Any, error: type[Exception]
) -> None:
    fake.down(how)
    with pytest.raises(error):
        httpx.get(f"{fake.api_url}/cgi-bin/get_api_domain_ip", timeout=0.5)
    assert fake.say(OPENID, "你好").outcome == "success", "pushes go on"
    fake.down(None)
    assert api.say() == 0


def test_a_plan_doubles_delays_and_cuts_and_the_same_seed_does_the_same(fake: FakeWeChat, echo: EchoServer) -> None:
    def results() -> list[list[str]]:
        fake.reset()
        fake.plan(seed=7, duplicate=0.5, hang_up=0.5, hang_up_within=0.0001, delay=[0, 0.05])
        for number in range(6):
            fake.say(OPENID, f"第{number}条", wait=False)
        assert fake.idle(20)
        return [[one["result"] for one in push.tries if not one["duplicate"]] for push in fake.pushes()]

    first = results()
    assert any("cut" in tries for tries in first)
    assert any(one["duplicate"] for push in fake.pushes() for one in push.tries)
    assert results() == first


def test_the_second_answer_to_one_message_is_not_shown(fake: FakeWeChat, echo: EchoServer) -> None:
    echo.answer = lambda _message: "答复"
    fake.plan(duplicate=1)
    fake.say(OPENID, "你好")
    assert len(fake.phone(OPENID)) == 1
    assert fake.counters()["passive.doubled"] == 1


def test_json_pushes_are_sealed_as_xml_is_and_a_json_answer_is_shown(fake: FakeWeChat, echo: EchoServer) -> None:
    fake.settings(form="json")
    crypto = PrpCrypto(base64.b64decode(fake.aes_key + "="))
    seen: dict[str, Any] = {}

    def answer(query: dict[str, str], body: bytes) -> bytes:
        sealed = json.loads(body)["Encrypt"]
        assert query["msg_signature"] == signature(fake.token, query["timestamp"], query["nonce"], sealed)
        seen.update(json.loads(crypto.decrypt(sealed, fake.appid)))
        reply = {"ToUserName": OPENID, "FromUserName": seen["ToUserName"], "CreateTime": 1, "MsgType": "text",
                 "Content": "好的"}  # fmt: skip
        sealed = crypto.encrypt(json.dumps(reply), fake.appid).decode()
        signed = signature(fake.token, "1", "n", sealed)
        return json.dumps({"Encrypt": sealed, "MsgSignature": signed, "TimeStamp": "1", "Nonce": "n"}).encode()

    echo.raw = answer
    pushed = fake.say(OPENID, "你好")
    echo.raw = None
    assert (seen["Content"], seen["MsgId"]) == ("你好", int(pushed.id)), "numbers are numbers"
    assert [one.text for one in fake.phone(OPENID)] == ["好的"]


def test_only_pages_of_this_machine_ask_who_the_user_is(fake: FakeWeChat) -> None:
    fake.users(OPENID)
    query = {"appid": fake.appid, "response_type": "code", "scope": "snsapi_base", "fake_openid": OPENID}
    for url, words in (("http://evil.example/x", "10003"), ("http://127.0.0.1:8000/x", "")):
        answer = httpx.get(f"{fake.url}/connect/oauth2/authorize", params={**query, "redirect_uri": url})
        assert (answer.status_code, words in answer.text) == (200 if words else 302, True)
    assert httpx.get(f"{fake.url}/", headers={"host": "evil.example"}).status_code == 421
