"""Pushes, read and written by an independent library."""

from __future__ import annotations

from typing import Any

import pytest
from wechatpy import parse_message
from wechatpy.crypto import WeChatCrypto
from wire_kit import APPID, GATE, KEY, NOW, TEXT, TOKEN, push, query, written


@pytest.mark.parametrize("mode", ["compatible", "safe"])
def test_we_read_what_wechatpy_writes(mode: str) -> None:
    asked = query()
    sealed = WeChatCrypto(TOKEN, KEY, APPID).encrypt_message(written(TEXT, "xml"), asked["nonce"], asked["timestamp"])
    signature = sealed.partition("<MsgSignature><![CDATA[")[2].partition("]]>")[0]
    if mode == "compatible":
        sealed = sealed.replace("<xml>", "<xml>" + written(TEXT, "xml")[len("<xml>") : -len("</xml>")], 1)
    asked |= {"encrypt_type": "aes", "msg_signature": signature}
    assert GATE.open(asked, sealed.encode(), now=NOW).fields == TEXT


@pytest.mark.parametrize(
    "fields",
    [
        TEXT,
        {**TEXT, "MsgType": "image", "PicUrl": "http://mmbiz.qpic.cn/a?b=1&c=2", "MediaId": "media_1"},
        {**TEXT, "MsgType": "voice", "MediaId": "m", "Format": "amr", "Recognition": "我家停电了"},
        {
            **TEXT,
            "MsgType": "location",
            "Location_X": "30.6",
            "Location_Y": "114.3",
            "Scale": "16",
            "Label": "听涛苑 3 栋",
        },
        {**TEXT, "MsgType": "event", "Event": "CLICK", "EventKey": "bill"},
    ],
    ids=["text", "image", "voice", "location", "click"],
)
def test_wechatpy_and_we_read_the_same(fields: dict[str, Any]) -> None:
    ours = GATE.open(*push(fields), now=NOW).fields
    theirs = parse_message(written(fields, "xml"))
    assert theirs.source == ours["FromUserName"]
    assert theirs.target == ours["ToUserName"]
    assert int(theirs.create_time.timestamp()) == ours["CreateTime"]
    shown = {"text": "content", "image": "media_id", "voice": "recognition", "location": "label"}
    ours_says = {"text": "Content", "image": "MediaId", "voice": "Recognition", "location": "Label"}
    if fields["MsgType"] == "event":
        assert (theirs.event, theirs.key) == ("click", ours["EventKey"])
    else:
        assert theirs.id == ours["MsgId"]
        assert getattr(theirs, shown[fields["MsgType"]]) == ours[ours_says[fields["MsgType"]]]
