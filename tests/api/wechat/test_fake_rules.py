"""The fake WeChat keeps Tencent's rules: tries, quotas, tokens, limits, refusals, and what goes wrong on purpose."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from wechatpy.crypto import PrpCrypto

from tests.fake_wechat.crypto import signature
from tests.fake_wechat.echo import EchoServer
from tests.fake_wechat.process import FakeWeChat
from tests.fake_wechat.state import NOTICE

OPENID = "oFakeUser" + "y" * 19


@pytest.fixture(scope="module")
def echo() -> Iterator[EchoServer]:
    with EchoServer(lambda _message: None) as server:
        yield server


@pytest.fixture(scope="module")
def running(echo: EchoServer) -> Iterator[FakeWeChat]:
    with FakeWeChat(echo.url) as fake:
        echo.knows(fake)
        yield fake


@pytest.fixture
def fake(running: FakeWeChat, echo: EchoServer) -> FakeWeChat:
    running.reset()
    running.settings(mode="safe", form="xml", timeout=5, pace=0.2, template_rate=0, msgmenu=True, push_url=echo.url)
    echo.answer, echo.sleeps = lambda _message: None, []
    echo.taken.clear()
    return running


class Api:
    """A caller with a valid token."""

    def __init__(self, fake: FakeWeChat) -> None:
        self.fake = fake
        self.http = httpx.Client(base_url=fake.api_url, trust_env=False)
        self.token = self.stable()["access_token"]

    def stable(self, *, force: bool = False) -> dict[str, Any]:
        asked = {"grant_type": "client_credential", "appid": self.fake.appid, "secret": self.fake.secret}
        found: dict[str, Any] = self.http.post("/cgi-bin/stable_token", json={**asked, "force_refresh": force}).json()
        return found

    def post(self, path: str, body: dict[str, Any]) -> int:
        return int(self.whole(path, body)["errcode"])

    def whole(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.http.post(path, params={"access_token": self.token}, json=body).json()
        return found

    def say(self, text: str = "您好", openid: str = OPENID) -> int:
        return self.custom("text", {"content": text}, openid)

    def custom(self, kind: str, content: dict[str, Any], openid: str = OPENID) -> int:
        return self.post("/cgi-bin/message/custom/send", {"touser": openid, "msgtype": kind, kind: content})

    def typing(self, command: str = "Typing") -> int:
        return self.post("/cgi-bin/message/custom/typing", {"touser": OPENID, "command": command})

    def template(self, data: dict[str, str], key: str | None = None, openid: str = OPENID) -> int:
        values = {name: {"value": value} for name, value in data.items()}
        body = {"touser": openid, "template_id": "FAKE-outage", "data": values}
        return self.post("/cgi-bin/message/template/send", body if key is None else {**body, "client_msg_id": key})


@pytest.fixture
def api(fake: FakeWeChat) -> Api:
    fake.users(OPENID)
    return Api(fake)


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
