"""Whatever comes to the gate, it is read or refused: no other error, and nothing in between."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from wire_kit import CRYPTO, FORMS, GATE, MODES, NOW, TEXT, Mode, push, query

from api.channels.wechat.crypto import Crypto
from api.channels.wechat.wire import Received, WireError

ANY_TEXT = st.text(max_size=60)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from([*TEXT, "Encrypt", "Event", "EventKey", "MsgType", "Recognition", "ScanCodeInfo"])
FIELDS = st.dictionaries(NAMES, JSON, max_size=8)
SOUND = st.fixed_dictionaries({"FromUserName": st.just("o"), "MsgType": st.just("text")})


def checked(asked: dict[str, str], body: bytes) -> Received | None:
    """Open a push; what comes out is whole, and None is what was refused."""
    try:
        received = GATE.open(asked, body, now=NOW)
    except WireError:
        return None
    fields = received.fields
    json.dumps(fields).encode()
    assert "Encrypt" not in fields
    assert isinstance(fields["FromUserName"], str)
    assert fields["FromUserName"]
    assert all(isinstance(fields.get(name, 0), int) for name in ("MsgId", "CreateTime"))
    assert all(isinstance(fields.get(name, ""), str) for name in ("Content", "Event", "EventKey", "MsgType"))
    _no_bad_characters(fields)
    return received


def _no_bad_characters(value: Any) -> None:
    if isinstance(value, dict):
        for name, one in value.items():
            _no_bad_characters(name)
            _no_bad_characters(one)
    elif isinstance(value, list):
        for one in value:
            _no_bad_characters(one)
    elif isinstance(value, str):
        assert "\x00" not in value
        value.encode()


@given(st.binary(max_size=400))
@example(b"\xff\xfe<\x00x\x00m\x00l\x00>\x00")
@example(b"<xml>\x00</xml>")
@example(b'{"FromUserName":"\xed\xa0\x80","MsgType":"text"}')
def test_any_bytes(body: bytes) -> None:
    checked(query(), body)
    checked(query(encrypt_type="aes", msg_signature="0" * 40), body)


@given(st.text(max_size=300), st.sampled_from(MODES), st.sampled_from(FORMS))
def test_any_text_in_every_mode(text: str, mode: Mode, form: str) -> None:
    checked(*push(text.encode("utf-8", "ignore").decode(), mode, form if mode == "safe" else "xml"))


@settings(max_examples=300)
@given(FIELDS, SOUND, st.sampled_from(MODES), st.booleans())
def test_json_of_every_type_in_every_place(
    fields: dict[str, Any], sound: dict[str, str], mode: Mode, fill: bool
) -> None:
    plain = json.dumps({**fields, **sound} if fill else fields)
    checked(*push(plain, "safe" if mode == "compatible" else mode, "json"))


@given(JSON)
def test_json_that_is_no_object(value: Any) -> None:
    plain = json.dumps(value)
    checked(query(), plain.encode())
    checked(*push(plain, "safe", "json"))
    checked(query(encrypt_type="aes", msg_signature="0"), json.dumps({"Encrypt": value}).encode())


@settings(max_examples=300)
@given(st.data(), st.sampled_from(MODES), st.sampled_from(FORMS))
def test_mutated_pushes(data: st.DataObject, mode: Mode, form: str) -> None:
    asked, body = push(TEXT, mode, form)
    start = data.draw(st.integers(0, len(body)))
    length = data.draw(st.integers(0, 12))
    received = checked(asked, body[:start] + data.draw(st.binary(max_size=12)) + body[start + length :])
    if received is not None and mode != "plain":
        assert received.fields == TEXT  # what was sealed is as it was, or not there


@given(st.dictionaries(st.sampled_from(["signature", "timestamp", "nonce", "encrypt_type", "msg_signature"]), ANY_TEXT))
def test_any_parameters(changed: dict[str, str]) -> None:
    asked, body = push(TEXT, "safe")
    received = checked({**asked, **changed}, body)
    differs = any(asked[name] != value for name, value in changed.items())
    assert (received is None) == differs or changed.get("encrypt_type") == "raw" or not changed.get("encrypt_type", "x")


@given(st.dictionaries(ANY_TEXT, ANY_TEXT, max_size=6), st.binary(max_size=50))
def test_any_query_at_all(asked: dict[str, str], body: bytes) -> None:
    assert checked(asked, body) is None


@given(st.text(max_size=80))
def test_whatever_a_key_of_ours_encrypted_for_nobody(plain: str) -> None:
    text = plain.encode("utf-8", "ignore").decode()
    other = Crypto("t", "A" * 43, CRYPTO.appid)
    assert checked(*push(text, "safe", crypto=other)) is None
