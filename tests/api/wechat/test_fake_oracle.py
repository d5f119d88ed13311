"""The fake WeChat against wechatpy, an independent implementation of both sides."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from wechatpy import WeChatClient, WeChatOAuth
from wechatpy.exceptions import WeChatClientException, WeChatOAuthException

from tests.fake_wechat.crypto import Crypto, signature
from tests.fake_wechat.echo import EchoServer
from tests.fake_wechat.process import FakeWeChat

OPENID = "oFakeUser" + "x" * 19
VECTORS = json.loads((Path(__file__).parents[2] / "data" / "wechat_crypto_vectors.json").read_text())
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40


def said_back(message: Any) -> str:
    return f"收到：{getattr(message, 'content', message.type)}".replace("]]>", "")  # wechatpy's replies break on it


@pytest.fixture(scope="module")
def echo() -> Iterator[EchoServer]:
    with EchoServer(said_back) as server:
        yield server


@pytest.fixture(scope="module")
def running(echo: EchoServer) -> Iterator[FakeWeChat]:
    with FakeWeChat(echo.url) as fake:
        echo.knows(fake)
        yield fake


@pytest.fixture
def fake(running: FakeWeChat) -> FakeWeChat:
    running.reset()
    running.settings(mode="safe", form="xml", pace=0.3)
    return running


@pytest.fixture
def client(fake: FakeWeChat) -> WeChatClient:
    made = WeChatClient(fake.appid, fake.secret)
    made.API_BASE_URL = f"{fake.url}/cgi-bin/"
    # The library has Tencent's address of the token written into it.
    token = httpx.get(
        f"{fake.url}/cgi-bin/token",
        params={"grant_type": "client_credential", "appid": fake.appid, "secret": fake.secret},
    ).json()["access_token"]
    made.session.set(made.access_token_key, token)
    fake.users(OPENID)
    return made


def test_the_fakes_crypto_gives_what_tencents_own_code_gave() -> None:
    for one in VECTORS["encrypt_fixed_random"]:
        crypto = Crypto(one["encoding_aes_key"], one["appid"])
        sealed = crypto.encrypt(one["plaintext"], random=one["random"].encode())
        assert sealed == one["ciphertext_b64"]
        assert crypto.decrypt(sealed) == one["plaintext"]
    for one in VECTORS["signature_plain"]:
        parts = one.get("parts") or [one["token"], one["timestamp"], one["nonce"]]
        assert signature(*parts) == one["signature"]


@pytest.mark.parametrize("mode", ["plain", "compatible", "safe"])
def test_wechatpy_reads_what_is_pushed_and_the_phone_shows_what_it_replies(
    fake: FakeWeChat, echo: EchoServer, mode: str
) -> None:
    fake.settings(mode=mode)
    pushed = fake.say(OPENID, "我家<停电>了 ]]> & 很急")
    assert pushed.outcome == "passive"
    message = echo.taken[-1]
    assert (message.type, message.source, message.content) == ("text", OPENID, "我家<停电>了 ]]> & 很急")
    assert str(message.id) == pushed.id
    [shown] = fake.phone(OPENID)
    assert (shown.way, shown.text, shown.push) == ("passive", "收到：我家<停电>了  & 很急", pushed.id)
    sealed = fake.counters()["passive.sealed"] if mode != "plain" else 0
    assert sealed == (mode != "plain")
    holds_both = b"<Content>" in echo.bodies[-1] and b"<Encrypt>" in echo.bodies[-1]
    assert holds_both == (mode == "compatible")


def test_wechatpy_reads_every_kind_of_message_and_event(fake: FakeWeChat, echo: EchoServer) -> None:
    seen: dict[str, Any] = {}

    def remember(message: Any) -> None:
        seen[f"event {message.event}" if message.type == "event" else message.type] = message

    echo.answer = remember
    try:
        fake.photo(OPENID, PNG)
        fake.act("voice", OPENID, recognition="我家停电了")
        fake.act("video", OPENID)
        fake.act("video", OPENID, short=True)
        fake.act("location", OPENID, latitude=30.55, longitude=114.26, label="汉阳钟家村")
        fake.act("link", OPENID, title="通知", url="https://example.com/a?b=1&c=2")
        fake.event(OPENID, "CLICK", EventKey="bill")
        fake.event(OPENID, "VIEW", EventKey="https://example.com/h5")
        fake.event(OPENID, "LOCATION", Latitude="30.5", Longitude="114.2", Precision="65")
        fake.event(OPENID, "TEMPLATESENDJOBFINISH", MsgID=200163836, Status="success")
        info = {"ScanType": "qrcode", "ScanResult": "42"}
        fake.event(OPENID, "scancode_waitmsg", EventKey="scan", ScanCodeInfo=info)
        pictures = {"Count": 1, "PicList": [{"PicMd5Sum": "ab"}]}
        fake.event(OPENID, "pic_photo_or_album", EventKey="photo", SendPicsInfo=pictures)
        place = {"Location_X": "30.5", "Location_Y": "114.2", "Scale": "15", "Label": "家", "Poiname": ""}
        fake.event(OPENID, "location_select", EventKey="place", SendLocationInfo=place)
        fake.scan(OPENID, "hall_wuchang")
        fake.unfollow(OPENID)
        fake.follow(OPENID, "paper_77")
    finally:
        echo.answer = said_back
    assert seen["image"].image.endswith(seen["image"].media_id)
    assert seen["voice"].recognition == "我家停电了"
    assert seen["location"].label == "汉阳钟家村"
    assert seen["location"].location == ("30.550000", "114.260000")
    assert seen["link"].url == "https://example.com/a?b=1&c=2"
    assert seen["event click"].key == "bill"
    assert seen["event view"].url == "https://example.com/h5"
    assert seen["event location"].latitude == 30.5
    assert seen["event templatesendjobfinish"].status == "success"
    assert seen["event scancode_waitmsg"].scan_result == "42"
    assert seen["event pic_photo_or_album"].pictures == [{"PicMd5Sum": "ab"}]
    assert seen["event location_select"].label == "家"
    assert seen["event scan"].scene_id == "hall_wuchang"
    assert seen["event subscribe_scan"].scene_id == "paper_77"
    assert {"event unsubscribe", "video", "shortvideo"} <= set(seen)


def test_wechatpy_sends_every_kind_of_customer_service_message(fake: FakeWeChat, client: WeChatClient) -> None:
    fake.say(OPENID, "你好")
    media_id = client.media.upload("image", ("a.png", io.BytesIO(PNG), "image/png"))["media_id"]
    assert client.media.download(media_id).content == PNG
    client.message.send_text(OPENID, "您好，请讲")
    client.message.send_image(OPENID, media_id)
    client.message.send_articles(
        OPENID, [{"title": "停电通知", "description": "明天", "image": "", "url": "http://a.cn"}]
    )
    menu = {"head_content": "请选择", "list": [{"id": "b_1", "content": "查电费"}], "tail_content": "谢谢"}
    client.message.send_msg_menu(OPENID, menu)
    client.message.send_voice(OPENID, media_id)
    assert [one.type for one in fake.phone(OPENID)[1:]] == ["text", "image", "news", "msgmenu", "voice"]
    with pytest.raises(WeChatClientException) as refused:
        client.message.send_text(OPENID, "第六条")
    assert refused.value.errcode == 45047


def test_wechatpy_manages_menu_users_codes_and_templates(fake: FakeWeChat, client: WeChatClient) -> None:
    menu = {
        "button": [
            {"name": "查电费", "type": "click", "key": "bill"},
            {"name": "办事", "sub_button": [{"name": "在线办理", "type": "view", "url": "http://127.0.0.1/h5"}]},
        ]
    }
    client.menu.create(menu)
    assert [button["name"] for button in client.menu.get()["menu"]["button"]] == ["查电费", "办事"]
    assert fake.press(OPENID, "在线办理") == "http://127.0.0.1/h5"
    client.menu.delete()
    assert client.menu.get() is None
    assert client.user.get(OPENID)["subscribe"] == 1
    assert client.user.get_followers()["data"]["openid"] == [OPENID]
    made = client.qrcode.create({"action_name": "QR_STR_SCENE", "expire_seconds": 600,
                                 "action_info": {"scene": {"scene_str": "hall_1"}}})  # fmt: skip
    assert fake.scan(OPENID, ticket=made["ticket"]).fields["EventKey"] == "hall_1"
    data = {"thing1": {"value": "汉阳区"}, "phrase2": {"value": "恢复供电"}}
    assert client.message.send_template(OPENID, "FAKE-outage", data, url="http://127.0.0.1/h5")["msgid"] > 0
    fake.idle(10)
    assert fake.phone(OPENID)[-1].way == "template"
    assert [push.fields["Status"] for push in fake.pushes() if push.fields.get("Event") == "TEMPLATESENDJOBFINISH"] == [
        "success"
    ]
    assert "FAKE-outage" in {one["template_id"] for one in client.template.get_all_private_template()["template_list"]}
    assert client.misc.get_wechat_ips() == ["127.0.0.1/32"]


def test_wechatpy_is_told_who_a_user_is_once_by_a_code(fake: FakeWeChat) -> None:
    fake.users(OPENID)
    oauth = WeChatOAuth(fake.appid, fake.secret, "http://127.0.0.1:1/wechat/oauth?x=1", state="s 1")
    oauth.OAUTH_BASE_URL, oauth.API_BASE_URL = f"{fake.url}/connect/", f"{fake.url}/"
    answer = httpx.get(oauth.authorize_url.partition("#")[0], cookies={"fake_wechat_user": OPENID})
    target = httpx.URL(answer.headers["location"])
    assert (answer.status_code, target.path, target.params["x"], target.params["state"]) == (
        302, "/wechat/oauth", "1", "s 1",
    )  # fmt: skip
    assert oauth.fetch_access_token(target.params["code"])["openid"] == OPENID
    with pytest.raises(WeChatOAuthException) as used:
        oauth.fetch_access_token(target.params["code"])
    assert used.value.errcode == 40163
    late = fake.code(OPENID)
    fake.clock(advance=301)
    with pytest.raises(WeChatOAuthException) as expired:
        oauth.fetch_access_token(late)
    assert expired.value.errcode == 42003
    with pytest.raises(WeChatOAuthException) as unknown:
        oauth.fetch_access_token("nonsense")
    assert unknown.value.errcode == 40029


def test_the_address_is_verified_as_wechatpys_servers_answer_it(fake: FakeWeChat) -> None:
    assert fake.check_url()
