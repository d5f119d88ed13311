"""Answers: in the push's form and mode, whatever stands in them, and readable by an independent library."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
import xmltodict
from hypothesis import example, given
from hypothesis import strategies as st
from wechatpy.crypto import WeChatCrypto
from wechatpy.replies import TextReply
from wire_kit import APPID, CRYPTO, FORMS, GATE, KEY, MODES, NOW, OLD_KEY, TEXT, TOKEN, Mode, push

from api.channels.wechat.crypto import Crypto, sign
from api.channels.wechat.reply import MAX_TEXT, Replies, ReplyTooLong, cdata
from api.channels.wechat.wire import Gate, Received, clean

REPLIES = Replies(GATE)
LATER = NOW + timedelta(seconds=3)
AT = int(LATER.timestamp())


def received(mode: Mode, form: str, gate: Gate = GATE, crypto: Crypto = CRYPTO) -> Received:
    """Return a push of this mode and form as the gate lets it in."""
    return gate.open(*push(TEXT, mode, form, crypto=crypto), now=NOW)


def read(body: bytes, mode: Mode, form: str, key: str = KEY) -> dict[str, Any]:
    """Return what an answer says, as wechatpy decrypts it."""
    outer = json.loads(body) if form == "json" else xmltodict.parse(body)["xml"]
    if mode == "plain":
        return dict(outer)
    stamp, nonce = str(outer["TimeStamp"]), outer["Nonce"]
    assert outer["MsgSignature"] == sign(TOKEN, stamp, nonce, outer["Encrypt"])
    theirs = WeChatCrypto(TOKEN, key, APPID)
    plain = theirs.decrypt_message(outer, outer["MsgSignature"], stamp, nonce)
    return dict(json.loads(plain) if form == "json" else xmltodict.parse(plain)["xml"])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mode", MODES)
def test_wechatpy_reads_our_answer_in_the_mode_and_form_of_the_push(mode: Mode, form: str) -> None:
    said = '您好 <电> & "费" ]]> \U0001f600\n第二行'
    got = received(mode, form)
    answer = read(REPLIES.text(got, said, now=LATER), mode, form)
    head = {"ToUserName": TEXT["FromUserName"], "FromUserName": TEXT["ToUserName"], "MsgType": "text"}
    assert {**answer, "CreateTime": int(answer["CreateTime"])} == {**head, "CreateTime": AT, "Content": said}
    assert REPLIES.media_type(got) == f"application/{form}; charset=utf-8"


@pytest.mark.parametrize("mode", ["compatible", "safe"])
def test_the_answer_is_written_with_the_key_that_opened_the_push(mode: Mode) -> None:
    gate = Gate(Crypto(TOKEN, KEY, APPID, OLD_KEY))
    for key in (KEY, OLD_KEY):
        got = received(mode, "xml", gate, Crypto(TOKEN, key, APPID))
        assert read(Replies(gate).text(got, "好的", now=LATER), mode, "xml", key)["Content"] == "好的"


def test_our_answer_says_what_wechatpys_answer_says() -> None:
    got = received("plain", "xml")
    theirs = TextReply(source=TEXT["ToUserName"], target=TEXT["FromUserName"], content="好的", time=AT).render()
    assert xmltodict.parse(REPLIES.text(got, "好的", now=LATER)) == xmltodict.parse(theirs)


@given(st.text(max_size=200))
@example("]]>")
@example("]]]]>>]]>")
@example("]]\x00>")
@example("\ud800a\uffff\x0b")
def test_any_text_comes_back_from_cdata_without_what_xml_forbids(text: str) -> None:
    document = f"<xml>{cdata(text)}</xml>"
    assert ElementTree.fromstring(document).text == (clean(text).replace("\r\n", "\n").replace("\r", "\n") or None)


@given(st.text(max_size=200), st.sampled_from(MODES), st.sampled_from(FORMS))
def test_any_text_can_be_answered(text: str, mode: Mode, form: str) -> None:
    body = REPLIES.text(received(mode, form), text, now=LATER)
    if form == "json":
        assert read(body, mode, form)["Content"] == clean(text)
    else:
        ElementTree.fromstring(body)


def test_a_text_of_more_than_2048_bytes_is_refused() -> None:
    got = received("safe", "xml")
    full = "电" * 682 + "ab"
    assert len(full.encode()) == MAX_TEXT
    assert read(REPLIES.text(got, full, now=LATER), "safe", "xml")["Content"] == full
    with pytest.raises(ReplyTooLong):
        REPLIES.text(got, full + "c", now=LATER)
