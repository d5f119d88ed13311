"""Files, templates, menu, codes: what each call says and what comes of its answer."""

from __future__ import annotations

from typing import Any

import pytest
from fake_api import APPID, OPENID, SECRET, FakeApi
from starlette.responses import Response

from api.channels.wechat import line
from api.channels.wechat.errors import Verdict, WeChatRefused, WeChatUnreachable
from api.channels.wechat.media import BadMedia, Media

SEND, TOKEN, TYPING = "/cgi-bin/message/custom/send", "/cgi-bin/stable_token", "/cgi-bin/message/custom/typing"
HELLO = {"msgtype": "text", "text": {"content": "您好，😀 <电费>"}}


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


async def test_a_picture_is_uploaded_as_a_form_with_its_name_and_type(api: FakeApi) -> None:
    assert await api.client().upload("image", "照片 1.jpeg", b"\xff\xd8jpeg", "image/jpeg") == "MEDIA1"
    asked = api.calls("/cgi-bin/media/upload")[0]
    assert asked.params == {"type": "image", "access_token": api.token}
    assert b'name="media"; filename="1.jpg"\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8jpeg\r\n' in asked.body


async def test_an_upload_is_made_again_whole_when_the_token_was_stale(api: FakeApi) -> None:
    client = api.client()
    api.next("/cgi-bin/media/upload", {"errcode": 42001})
    assert await client.upload("image", "a.png", b"png", "image/png") == "MEDIA1"
    first, second = api.calls("/cgi-bin/media/upload")
    assert b"png" in second.body
    assert len(first.body) == len(second.body)


MB = 1024 * 1024


@pytest.mark.parametrize(
    ("kind", "size", "media_type", "taken"),
    [
        ("image", 10 * MB, "image/png", True), ("image", 10 * MB + 1, "image/png", False),
        ("image", 5, "image/webp", False), ("image", 0, "image/png", False), ("voice", 2 * MB, "audio/amr", True),
        ("voice", 2 * MB + 1, "audio/amr", False), ("voice", 5, "audio/wav", False),
        ("video", 10 * MB + 1, "video/mp4", False), ("thumb", 64 * 1024, "image/jpeg", True),
        ("thumb", 64 * 1024 + 1, "image/jpeg", False), ("thumb", 5, "image/png", False),
    ],
)  # fmt: skip
async def test_files_are_checked_before_they_are_sent(
    api: FakeApi, kind: Any, size: int, media_type: str, taken: bool
) -> None:
    client = api.client()
    if taken:
        assert await client.upload(kind, "a.b", b"x" * size, media_type) == "MEDIA1"
        return
    with pytest.raises(BadMedia):
        await client.upload(kind, "a.b", b"x" * size, media_type)
    assert api.asked == []


async def test_a_customers_file_is_fetched(api: FakeApi) -> None:
    api.next("/cgi-bin/media/get", Response(b"\xff\xd8photo", media_type="image/jpeg; name=a"))
    assert await api.client().download("MEDIA9") == Media(b"\xff\xd8photo", "image/jpeg")
    assert api.calls("/cgi-bin/media/get")[0].params == {"media_id": "MEDIA9", "access_token": api.token}


@pytest.mark.parametrize("media_type", ["application/json", "text/plain"])
async def test_a_file_that_is_gone_is_told_in_json_of_any_name(api: FakeApi, media_type: str) -> None:
    gone = Response(b'{"errcode":40007,"errmsg":"invalid media_id"}', media_type=media_type)
    api.next("/cgi-bin/media/get", gone)
    with pytest.raises(WeChatRefused) as caught:
        await api.client().download("MEDIA9")
    assert caught.value.verdict is Verdict.MEDIA_GONE


async def test_a_file_is_fetched_again_when_the_token_was_stale(api: FakeApi) -> None:
    api.next("/cgi-bin/media/get", {"errcode": 40001}, Response(b"photo", media_type="image/png"))
    assert (await api.client().download("M")).data == b"photo"


async def test_files_that_are_too_large_and_films_are_not_taken(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "MAX_DOWNLOAD", 1000)
    path = "/cgi-bin/media/get"
    api.next(path, Response(b"x" * 1001, media_type="image/png"), {"video_url": "http://video.test/1"})
    client = api.client()
    for _ in range(2):
        with pytest.raises(BadMedia):
            await client.download("M")
    api.next(path, Response(b"nothing", 502))
    with pytest.raises(WeChatUnreachable):
        await client.download("M")


async def test_a_template_message_carries_its_key_and_returns_its_number(api: FakeApi) -> None:
    data = {"thing1": {"value": "听涛苑"}}
    client = api.client()
    assert await client.template(OPENID, "TPL", data, url="https://x.cn/wechat/h5", key="7:1024") == "200228332"
    assert await client.template(OPENID, "TPL", data) == "200228332"
    asked = [one.json for one in api.calls("/cgi-bin/message/template/send")]
    bare = {"touser": OPENID, "template_id": "TPL", "data": data}
    assert asked == [{**bare, "url": "https://x.cn/wechat/h5", "client_msg_id": "7:1024"}, bare]
    with pytest.raises(ValueError, match="32"):
        await client.template(OPENID, "TPL", data, key="k" * 33)


async def test_a_subscription_message_opens_a_page(api: FakeApi) -> None:
    await api.client().subscription(OPENID, "SUB", {"thing1": {"value": "x"}}, page="https://x.cn/p")
    assert api.calls("/cgi-bin/message/subscribe/bizsend")[0].json == {
        "touser": OPENID, "template_id": "SUB", "data": {"thing1": {"value": "x"}}, "page": "https://x.cn/p",
    }  # fmt: skip


async def test_the_menu_is_made_read_and_taken_away(api: FakeApi) -> None:
    client = api.client()
    menu = {"button": [{"name": "查电费", "sub_button": []}]}
    await client.create_menu(menu)
    assert "查电费".encode() in api.calls("/cgi-bin/menu/create")[0].body
    assert (await client.get_menu() or {})["button"] == menu["button"]
    api.next("/cgi-bin/menu/get", {"errcode": 46003, "errmsg": "menu no exist"}, {"errcode": 48001})
    assert await client.get_menu() is None
    with pytest.raises(WeChatRefused):
        await client.get_menu()
    await client.delete_menu()
    assert api.calls("/cgi-bin/menu/delete")


async def test_a_code_with_a_scene_lasts_as_long_as_asked(api: FakeApi) -> None:
    client = api.client()
    ticket, url = await client.qrcode("hall_0017")
    assert (ticket, url) == ("gQH47joAAAAAAAAAASxod+/=", "http://weixin.qq.com/q/kZgfwMTm")
    code = await client.qrcode("hall_0017", 600)
    assert code.image == "https://mp.weixin.qq.com/cgi-bin/showqrcode?ticket=gQH47joAAAAAAAAAASxod%2B%2F%3D"
    scene = {"action_info": {"scene": {"scene_str": "hall_0017"}}}
    assert [one.json for one in api.calls("/cgi-bin/qrcode/create")] == [
        {**scene, "action_name": "QR_LIMIT_STR_SCENE"}, {**scene, "action_name": "QR_STR_SCENE", "expire_seconds": 600},
    ]  # fmt: skip
    for scene_str, seconds in (("", None), ("s" * 65, None), ("s", 0), ("s", 30 * 24 * 3600 + 1)):
        with pytest.raises(ValueError, match="1 to"):
            await client.qrcode(scene_str, seconds)


async def test_who_comes_back_from_the_authorization_page_is_known_by_the_code(api: FakeApi) -> None:
    client = api.client()
    user = await client.openid_of("CODE")
    assert (user.openid, user.snapshot) == (OPENID, False)
    assert api.calls("/sns/oauth2/access_token")[0].params == {
        "appid": APPID, "secret": SECRET, "code": "CODE", "grant_type": "authorization_code",
    }  # fmt: skip
    api.next("/sns/oauth2/access_token", {"openid": OPENID, "is_snapshotuser": 1})
    assert (await client.openid_of("CODE")).snapshot
    assert api.calls(TOKEN) == []


@pytest.mark.parametrize("code", [40029, 40163, 42003])
async def test_a_code_that_was_used_or_is_too_old_is_refused(api: FakeApi, code: int) -> None:
    api.next("/sns/oauth2/access_token", {"errcode": code, "errmsg": "code been used"})
    with pytest.raises(WeChatRefused) as caught:
        await api.client().openid_of("CODE")
    assert caught.value.code == code


async def test_an_answer_that_lacks_what_was_asked_for_is_none(api: FakeApi) -> None:
    client = api.client()
    for path in ("/sns/oauth2/access_token", "/cgi-bin/qrcode/create", "/cgi-bin/media/upload"):
        api.next(path, {"errcode": 0})
    for call in (client.openid_of("c"), client.qrcode("s"), client.upload("image", "a", b"x", "image/png")):
        with pytest.raises(WeChatUnreachable):
            await call


@pytest.mark.parametrize("code", ["40003", 40003, "x", None, [], 40003.0])
async def test_codes_of_any_type_are_read(api: FakeApi, code: Any) -> None:
    api.next(SEND, {"errcode": code})
    if str(code).startswith("40003"):
        with pytest.raises(WeChatRefused):
            await api.client().send(OPENID, HELLO)
    else:
        await api.client().send(OPENID, HELLO)
