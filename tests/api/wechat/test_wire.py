"""The gate: who is let in, in every mode and form, and that nothing breaks it."""

from __future__ import annotations

import json
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest
from bridge_kit import settings
from wire_kit import APPID, CRYPTO, FORMS, GATE, KEY, MODES, NOW, OLD_KEY, TEXT, TOKEN, Mode, push, query

from api.channels.wechat.crypto import Crypto, sign
from api.channels.wechat.wire import MAX_BODY, BadPush, BadSignature, Gate, StalePush, WireError

SECONDS = timedelta(seconds=1)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mode", MODES)
def test_a_message_is_the_same_in_every_mode_and_form(mode: Mode, form: str) -> None:
    received = GATE.open(*push(TEXT, mode, form), now=NOW)
    assert received.fields == TEXT
    assert (received.form, received.encrypted) == (form, mode != "plain")
    assert received.signature == query()["signature"]


NESTED: dict[str, dict[str, Any]] = {
    "scancode": {"Event": "scancode_waitmsg", "ScanCodeInfo": {"ScanType": "qrcode", "ScanResult": "1 < 2"}},
    "pictures": {
        "Event": "pic_weixin",
        "SendPicsInfo": {"Count": "2", "PicList": {"item": [{"PicMd5Sum": "1b5f7c"}, {"PicMd5Sum": "5a75aa"}]}},
    },
    "popup": {
        "Event": "subscribe_msg_popup_event",
        "SubscribeMsgPopupEvent": {"List": [{"TemplateId": "A"}, {"TemplateId": "B"}, {"TemplateId": "C"}]},
    },
    "place": {"Event": "LOCATION", "Latitude": "30.613", "Longitude": "114.305", "Precision": "65.0"},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", NESTED)
def test_nested_events_are_the_same_in_both_forms(kind: str, form: str) -> None:
    event = {"FromUserName": "oUser", "MsgType": "event", "CreateTime": 1763794800, **NESTED[kind]}
    assert GATE.open(*push(event, "safe", form), now=NOW).fields == event


def test_numbers_of_json_are_the_strings_that_xml_has() -> None:
    body = (
        '{"FromUserName":"o","MsgType":"location","CreateTime":1763794800,"MsgId":"23456789012345678",'
        '"Location_X":30.6130,"Location_Y":114.305,"Scale":20,"Label":null,"Flag":true}'
    )
    assert GATE.open(query(), body.encode(), now=NOW).fields == {
        "FromUserName": "o", "MsgType": "location", "CreateTime": 1763794800, "MsgId": 23456789012345678,
        "Location_X": "30.6130", "Location_Y": "114.305", "Scale": "20", "Label": "", "Flag": "true",
    }  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_of_a_compatible_body_only_what_was_encrypted_is_believed(form: str) -> None:
    beside = {**TEXT, "FromUserName": "somebody_else", "Content": "我要解绑", "MsgId": 1, "Extra": "x"}
    assert GATE.open(*push(TEXT, "compatible", form, beside=beside), now=NOW).fields == TEXT


def test_a_compatible_body_without_its_signature_is_refused() -> None:
    asked, body = push(TEXT, "compatible")
    for wrong in ("", "0" * 40, asked["signature"]):
        with pytest.raises(BadSignature):
            GATE.open({**asked, "msg_signature": wrong}, body, now=NOW)


def test_another_cipher_under_the_same_signature_is_refused() -> None:
    asked, _ = push(TEXT, "safe")
    _, other = push({**TEXT, "Content": "别的话"}, "safe")
    with pytest.raises(BadSignature):
        GATE.open(asked, other, now=NOW)


@pytest.mark.parametrize("name", ["signature", "timestamp", "nonce"])
def test_a_request_without_a_right_signature_is_refused(name: str) -> None:
    asked, body = push(TEXT)
    missing = {key: value for key, value in asked.items() if key != name}
    for wrong in (missing, {**asked, name: "1"}, {**asked, name: "é中\udc80"}, {**asked, name: ""}):
        with pytest.raises(BadSignature):
            GATE.open(wrong, body, now=NOW)
        with pytest.raises(BadSignature):
            GATE.check(wrong, now=NOW)


@pytest.mark.parametrize("timestamp", ["", "abc", "-1763794800", "1e9", "٣٤٥", "9" * 30])
def test_a_signed_time_that_is_none_is_refused(timestamp: str) -> None:
    asked = {"signature": sign(TOKEN, timestamp, "n"), "timestamp": timestamp, "nonce": "n"}
    with pytest.raises(BadSignature):
        GATE.check(asked, now=NOW)


def test_a_signed_request_without_a_nonce_is_refused() -> None:
    at = query()["timestamp"]
    for asked in ({"signature": sign(TOKEN, at, ""), "timestamp": at}, {**query(), "nonce": ""}):
        with pytest.raises(BadSignature):
            GATE.open({**asked, "signature": sign(TOKEN, at, "")}, push(TEXT)[1], now=NOW)


def test_a_request_is_good_for_five_minutes_either_way() -> None:
    asked, body = push(TEXT)
    for seconds in (-300, 0, 300):
        GATE.check(asked, now=NOW + seconds * SECONDS)
        assert GATE.open(asked, body, now=NOW + seconds * SECONDS).fields == TEXT
    for seconds in (-301, 301, 10**7):
        with pytest.raises(StalePush):
            GATE.check(asked, now=NOW + seconds * SECONDS)
        with pytest.raises(StalePush):
            GATE.open(asked, body, now=NOW + seconds * SECONDS)


def test_plain_pushes_are_refused_where_only_encrypted_ones_are_allowed() -> None:
    strict = Gate(CRYPTO, encrypted_only=True)
    for mode in ("compatible", "safe"):
        assert strict.open(*push(TEXT, mode), now=NOW).fields == TEXT
    asked, body = push(TEXT)
    for kind in ({}, {"encrypt_type": "raw"}, {"encrypt_type": ""}):
        assert GATE.open(asked | kind, body, now=NOW).fields == TEXT
        with pytest.raises(BadPush):
            strict.open(asked | kind, body, now=NOW)


@pytest.mark.parametrize(("key", "only", "open_"), [
    (KEY, None, False), (KEY, False, True), (KEY, True, False), ("", None, True), ("", False, True),
])  # fmt: skip
def test_where_there_is_a_key_plain_pushes_are_refused_unless_said(key: str, only: bool | None, open_: bool) -> None:
    given = settings(
        "sqlite://", "sqlite://", wechat_appid=APPID, wechat_secret="s" * 32, wechat_token=TOKEN, wechat_aes_key=key,
        wechat_encrypted_only=only, public_url="https://kefu.example.cn",
    )  # fmt: skip
    gate, (asked, body) = Gate.of(given), push(TEXT)
    if key:
        assert gate.open(*push(TEXT, "safe"), now=NOW).fields == TEXT
    with nullcontext() if open_ else pytest.raises(BadPush):
        assert gate.open(asked, body, now=NOW).fields == TEXT


@pytest.mark.parametrize("kind", ["AES", "des", "none", " aes"])
def test_an_unknown_encryption_is_refused(kind: str) -> None:
    asked, body = push(TEXT, "safe")
    with pytest.raises(BadPush):
        GATE.open(asked | {"encrypt_type": kind}, body, now=NOW)


def test_previous_key_is_taken_and_remembered() -> None:
    rotating = Gate(Crypto(TOKEN, KEY, APPID, OLD_KEY))
    old = rotating.open(*push(TEXT, "safe", crypto=Crypto(TOKEN, OLD_KEY, APPID)), now=NOW)
    new = rotating.open(*push(TEXT, "safe"), now=NOW)
    assert old.fields == new.fields == TEXT
    assert old.key != new.key
    with pytest.raises(BadPush):
        GATE.open(*push(TEXT, "safe", crypto=Crypto(TOKEN, OLD_KEY, APPID)), now=NOW)


def test_without_a_key_encrypted_pushes_are_refused_and_plain_ones_read() -> None:
    plain = Gate(Crypto(TOKEN, "", APPID))
    assert plain.open(*push(TEXT), now=NOW).fields == TEXT
    with pytest.raises(BadPush):
        plain.open(*push(TEXT, "safe"), now=NOW)


DOCTYPE = '<!DOCTYPE xml [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
INSIDE = "<xml><FromUserName>o</FromUserName><MsgType>text</MsgType><Content>{}</Content></xml>"
EXTERNAL = '<!DOCTYPE xml SYSTEM "file:///etc/passwd">'


@pytest.mark.parametrize(
    "body",
    [
        (DOCTYPE + INSIDE.format("&b;")).encode(),
        (EXTERNAL + INSIDE.format("x")).encode(),
        b"\xef\xbb\xbf" + (DOCTYPE + INSIDE.format("&b;")).encode(),
        ('<?xml version="1.0" encoding="utf-16"?>' + DOCTYPE + INSIDE.format("&b;")).encode("utf-16"),
        ('<?xml version="1.0" encoding="utf-16"?>' + DOCTYPE + INSIDE.format("&b;")).encode(),
        ('<?xml version="1.0" encoding="utf-7"?>' + DOCTYPE + INSIDE.format("&b;")).encode("utf-7"),
        ('<?xml version="1.0" encoding="cp037"?>' + DOCTYPE + INSIDE.format("&b;")).encode("cp037"),
        ("<!-- comment -->\n" + DOCTYPE.replace("<!ENTITY a", "<!ENTITY % a") + INSIDE.format("x")).encode(),
        INSIDE.format("&b;").encode(),
        ("<?xml version='1.0'?><!DOCTYPE xml>" + INSIDE.format("x")).encode(),
    ],
)
@pytest.mark.parametrize("mode", MODES)
def test_document_types_and_entities_are_refused_in_every_guise(mode: Mode, body: bytes) -> None:
    asked = query()
    if mode != "plain":  # what is encrypted is a text
        asked, body = push(body.decode("utf-8", "replace"), mode)
    with pytest.raises(BadPush):
        GATE.open(asked, body, now=NOW)


def test_a_customer_may_write_of_document_types() -> None:
    said = "网页开头写 <!DOCTYPE html> 和 <!ENTITY a 'b'> 对吗 &amp; &b;"
    body = INSIDE.format(f"<![CDATA[{said}]]>").encode()
    assert GATE.open(query(), body, now=NOW).fields["Content"] == said
    assert GATE.open(*push({**TEXT, "Content": said}, "safe", "json"), now=NOW).fields["Content"] == said


def test_the_five_entities_of_xml_and_numbered_characters_are_read() -> None:
    body = INSIDE.format("&lt;a&gt; &amp; &quot;&apos; &#30005;&#x1F600;").encode()
    assert GATE.open(query(), body, now=NOW).fields["Content"] == "<a> & \"' 电😀"


@pytest.mark.parametrize("form", FORMS)
def test_characters_that_no_database_takes_are_left_out(form: str) -> None:
    said = {"json": '"a\\u0000b\\ud800c\\u0008d\\uffffe"', "xml": ""}
    if form == "xml":
        fields = GATE.open(query(), INSIDE.format("ab&#xFFFD;cde").encode(), now=NOW).fields
        assert fields["Content"] == "ab\ufffdcde"
        return
    body = '{"FromUserName":"o","MsgType":"text","Content":' + said["json"] + "}"
    assert GATE.open(query(), body.encode(), now=NOW).fields["Content"] == "abcde"


GOOD = {"FromUserName": "o", "MsgType": "text", "Content": "x"}


@pytest.mark.parametrize(
    "fields",
    [
        {**GOOD, "FromUserName": ""}, {"MsgType": "text"}, {"FromUserName": "o"}, {**GOOD, "MsgType": ""},
        {**GOOD, "FromUserName": "o" * 65}, {**GOOD, "FromUserName": "微信"}, {**GOOD, "FromUserName": "a b"},
        {**GOOD, "FromUserName": {"a": "b"}}, {**GOOD, "MsgType": "te xt"}, {**GOOD, "MsgType": {"a": "b"}},
        {**GOOD, "MsgId": "12a"}, {**GOOD, "MsgId": "-1"}, {**GOOD, "MsgId": "1.5"}, {**GOOD, "CreateTime": "9" * 21},
        {**GOOD, "Content": {"a": "b"}}, {**GOOD, "Content": ["a", "b"]}, {**GOOD, "Event": {"a": "b"}}, {},
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", FORMS)
def test_pushes_without_what_every_push_has_are_refused(form: str, fields: dict[str, Any]) -> None:
    with pytest.raises(BadPush):
        GATE.open(*push(fields, form=form), now=NOW)


@pytest.mark.parametrize("body", [b"", b"success", b"[]", b'"x"', b"1", b"null", b"{", b"<xml>", b"<xml/>", b"\xff\xfe",
                                  b"<a></b>", b"{}", b"<xml>only text</xml>", b"PK\x03\x04", b"\x00" * 20])  # fmt: skip
def test_bodies_that_are_no_push_are_refused(body: bytes) -> None:
    with pytest.raises(BadPush):
        GATE.open(query(), body, now=NOW)


@pytest.mark.parametrize(
    "body",
    [
        "{" + '"a":{' * 50_000, '{"a":' + "[" * 100_000, '{"a":' + "[" * 20 + "]" * 20 + "}", '{"a":' + "9" * 9000,
        "<a>" * 100_000, "<xml>" + "<a>" * 50 + "</a>" * 50 + "</xml>", "<xml>" + "<a/>" * 5000 + "</xml>",
        '{"a":[' + "1," * 5000 + "1]}", '{"MsgId":NaN,"FromUserName":"o","MsgType":"text"}',
    ],
)  # fmt: skip
def test_deep_and_wide_bodies_are_refused(body: str) -> None:
    with pytest.raises(BadPush):
        GATE.open(query(), body.encode(), now=NOW)


def test_a_body_of_more_than_a_megabyte_is_refused() -> None:
    long = "电" * ((MAX_BODY - 400) // 3)
    asked, body = push({**TEXT, "Content": long})
    assert len(body) <= MAX_BODY
    assert GATE.open(asked, body, now=NOW).fields["Content"] == long
    with pytest.raises(BadPush):
        GATE.open(*push({**TEXT, "Content": long + "电" * 200}), now=NOW)


def test_words_of_an_error_never_quote_the_push() -> None:
    for attempt in (push({**GOOD, "MsgId": "SECRETWORD"}), push({**GOOD, "FromUserName": "SECRET WORD"})):
        with pytest.raises(WireError) as caught:
            GATE.open(*attempt, now=NOW)
        assert "SECRET" not in str(caught.value)
    assert "SECRET" not in repr(GATE.open(*push({**GOOD, "Content": "SECRET"}), now=NOW))


def test_a_body_in_json_may_begin_with_a_mark_or_blanks() -> None:
    body = "\ufeff \n" + json.dumps(TEXT)
    assert GATE.open(query(), body.encode(), now=NOW).fields == TEXT
