"""The client and `dianfu wechat` against the fake WeChat, which knows nothing of our code."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.channels.wechat.client import WeChatClient
from api.channels.wechat.errors import Verdict, WeChatRefused, WeChatUnreachable
from api.channels.wechat.menu import Menu
from tests.fake_wechat.process import FakeWeChat

ROOT = Path(__file__).parents[3]
SEND = "/cgi-bin/message/custom/send"


def said(text: str) -> dict[str, Any]:
    return {"msgtype": "text", "text": {"content": text}}


@pytest.fixture(scope="module")
def wechat() -> Iterator[FakeWeChat]:
    with FakeWeChat() as one:
        yield one


@pytest.fixture
async def client(wechat: FakeWeChat) -> AsyncIterator[WeChatClient]:
    one = WeChatClient(wechat.appid, wechat.secret, wechat.api_url)
    yield one
    await one.close()


async def test_menu_codes_and_files_go_there_and_back(client: WeChatClient) -> None:
    menu = Menu.load(ROOT / "data/wechat/menu.yaml")
    await client.create_menu(menu.as_json("https://service.example.cn"))
    assert menu.same_as(await client.get_menu(), "https://service.example.cn")
    await client.delete_menu()
    assert await client.get_menu() is None
    ticket, url = await client.qrcode("hall_17", 600)
    assert ticket
    assert url.startswith("http://weixin.qq.com/q/")
    photo = b"\xff\xd8\xff\xe0" + b"x" * 1000
    found = await client.download(await client.upload("image", "电表.jpg", photo, "image/jpeg"))
    assert (found.data, found.media_type) == (photo, "image/jpeg")


async def test_what_is_sent_is_shown_and_the_fifth_is_the_last(wechat: FakeWeChat, client: WeChatClient) -> None:
    (openid,) = wechat.users("oFifth")
    with pytest.raises(WeChatRefused) as caught:
        await client.send(openid, said("没有写过"))
    assert caught.value.verdict is Verdict.WINDOW_CLOSED
    wechat.grant(openid, "message")
    for n in range(5):
        await client.send(openid, said(f"第{n}条 <电费> 😀"))
    with pytest.raises(WeChatRefused) as caught:
        await client.send(openid, said("第六条"))
    assert caught.value.verdict is Verdict.COUNT_USED
    assert [one.text for one in wechat.phone(openid)] == [f"第{n}条 <电费> 😀" for n in range(5)]


async def test_a_spoilt_token_is_replaced_without_anybody_noticing(wechat: FakeWeChat, client: WeChatClient) -> None:
    (openid,) = wechat.users("oSpoilt")
    wechat.grant(openid, "message")
    await client.send(openid, said("一"))
    wechat.spoil_tokens()
    await client.send(openid, said("二"))
    assert [one.text for one in wechat.phone(openid)] == ["一", "二"]


async def test_a_code_is_good_once(wechat: FakeWeChat, client: WeChatClient) -> None:
    (openid,) = wechat.users("oOnce")
    code = wechat.code(openid)
    user = await client.openid_of(code)
    assert (user.openid, user.snapshot) == (openid, False)
    with pytest.raises(WeChatRefused) as caught:
        await client.openid_of(code)
    assert caught.value.code == 40163
    assert (await client.openid_of(wechat.code(openid, snapshot=True))).snapshot


async def test_an_interface_that_is_down_is_told_from_one_that_may_have_heard(
    wechat: FakeWeChat, client: WeChatClient
) -> None:
    (openid,) = wechat.users("oDown")
    wechat.grant(openid, "message")
    await client.check()
    sent: dict[str, bool] = {}
    for how in ("refuse", "502", "drop"):
        wechat.down(how)
        with pytest.raises(WeChatUnreachable) as caught:
            await client.send(openid, said(how))
        sent[how] = caught.value.sent
        wechat.down(None)
    assert sent == {"refuse": False, "502": False, "drop": True}
    await client.send(openid, said("又好了"))
    assert [one.text for one in wechat.phone(openid)] == ["又好了"]
