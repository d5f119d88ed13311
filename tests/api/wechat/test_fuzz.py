"""Whatever is signed and pushed, the answer is never a failure, and never a word to who did not sign."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from bridge_kit import FakeRasa, SetClock
from channel_kit import wechat_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wire_kit import CRYPTO, MODES, TOKEN, query, written

from api.app import create_app
from api.channels.wechat.crypto import sign
from api.rasa import BotTurn
from core.conversation import Draft

CLOCK = SetClock()
_nonces = itertools.count(1)
KINDS = [
    "text", "image", "voice", "video", "shortvideo", "location", "link", "event", "EVENT", "file", "music", "未知",
]  # fmt: skip
EVENTS = ["subscribe", "unsubscribe", "SCAN", "CLICK", "VIEW", "LOCATION", "TEMPLATESENDJOBFINISH", "pic_weixin", "x"]
NAMES = [
    "ToUserName", "Content", "MsgId", "bizmsgmenuid", "EventKey", "Ticket", "MediaId", "PicUrl", "Recognition", "Label",
    "Location_X", "Location_Y", "Title", "Url", "Latitude", "Status", "MsgID", "ScanCodeInfo", "Format", "CreateTime",
]  # fmt: skip
SCALARS = st.one_of(
    st.text(max_size=60), st.integers().map(str), st.floats().map(str), st.sampled_from(
        ["", "0", "1", "9", "b_AAAAAAAAAAAAAAAA", "qrscene_1", "/restart", "]]>", "<a>", "&", "电线掉了冒火花", "人工"]
    ),
)  # fmt: skip
ANY = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)),
    max_leaves=6,
)
PUSHES = st.fixed_dictionaries(
    {"FromUserName": st.sampled_from(["oFuzz1", "oFuzz2", "o" * 64]), "MsgType": st.sampled_from(KINDS)},
    optional={"Event": st.sampled_from(EVENTS), **{name: st.one_of(SCALARS, ANY) for name in NAMES}},
)


@pytest.fixture(scope="module")
def serving(shared_urls: tuple[str, str]) -> Iterator[Any]:
    """A bridge with a loop of its own, since hypothesis knows no coroutines."""
    rasa = FakeRasa(answer=lambda text: BotTurn((Draft("bot", f"答：{text}", buttons=(("一", "/a"), ("二", "/b"))),)))
    app = create_app(wechat_settings(shared_urls), rasa=rasa, clock=CLOCK)
    loop = asyncio.new_event_loop()
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://b.test")

    async def download(media_id: str) -> Any:
        raise ConnectionError

    app.state.parts.wechat.client.download = download

    def post(params: dict[str, str], body: bytes) -> httpx.Response:
        return loop.run_until_complete(http.post("/wechat", params=params, content=body))

    yield post
    loop.run_until_complete(app.state.parts.wechat.flights.land(1))
    loop.run_until_complete(http.aclose())
    app.state.parts.store.close()
    loop.close()


def signed(body: str, mode: str, form: str) -> tuple[dict[str, str], bytes]:
    asked = query(CLOCK(), nonce=f"f{next(_nonces)}")
    if mode == "plain":
        return asked, body.encode("utf-8", "surrogatepass")
    cipher = CRYPTO.encrypt(body.encode("utf-8", "replace").decode())
    signature = sign(TOKEN, asked["timestamp"], asked["nonce"], cipher)
    return asked | {"encrypt_type": "aes", "msg_signature": signature}, written({"Encrypt": cipher}, form).encode()


QUIET = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))


@QUIET
@given(fields=PUSHES, mode=st.sampled_from(MODES), form=st.sampled_from(["xml", "json"]))
def test_no_push_that_is_signed_meets_a_failure(serving: Any, fields: Any, mode: str, form: str) -> None:
    text = json.dumps(fields, ensure_ascii=False) if form == "json" else written(fields, "xml")
    answer = serving(*signed(text, mode, form))
    assert answer.status_code in (200, 403)
    if answer.status_code == 403:
        assert answer.content == b""
    else:
        assert answer.content == b"success" or answer.content.startswith((b"<xml>", b"{"))


@QUIET
@given(
    body=st.one_of(
        st.text(max_size=200), st.sampled_from(["<xml>", "{}", "[]", '{"a":' * 2000, "<a>" * 3000, "<!DOCTYPE x>"])
    ),
    mode=st.sampled_from(MODES),
)
def test_no_body_that_is_no_push_meets_a_failure(serving: Any, body: str, mode: str) -> None:
    assert serving(*signed(body, mode, "xml")).status_code == 403


@QUIET
@given(
    params=st.dictionaries(
        st.sampled_from(["signature", "timestamp", "nonce", "encrypt_type", "msg_signature", "openid"]),
        st.text(max_size=50),
    ),
    body=st.binary(max_size=200),
)
def test_no_request_that_is_not_signed_is_answered(serving: Any, params: dict[str, str], body: bytes) -> None:
    answer = serving(params, body)
    assert (answer.status_code, answer.content) == (403, b"")
