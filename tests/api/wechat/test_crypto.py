"""Signatures and encryption: everything that is public of Tencent's own examples, and an independent library."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wechatpy.crypto import PrpCrypto, WeChatCrypto

from api.channels.wechat.crypto import BadCipher, Crypto, sign, signed

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "data/wechat_crypto_vectors.json").read_text())
KEY, OLD_KEY = "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
APPID = "wx49f0ab532d5d035a"
OURS = Crypto("token", KEY, APPID)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


def test_no_list_of_vectors_is_left_out() -> None:
    lists = {name: len(one) for name, one in VECTORS.items() if isinstance(one, list)}
    assert lists == {"signature_plain": 3, "encrypt_fixed_random": 3, "decrypt": 6}


@pytest.mark.parametrize("vector", VECTORS["signature_plain"], ids=lambda one: one["id"])
def test_signature_is_the_published_one(vector: dict[str, Any]) -> None:
    first, *others = vector.get("parts") or [vector["token"], vector["timestamp"], vector["nonce"]]
    assert sign(first, *others) == vector["signature"]
    assert signed(first, vector["signature"], *others)
    assert not signed(first, vector["signature"].upper(), *others)


@pytest.mark.parametrize("vector", VECTORS["encrypt_fixed_random"], ids=lambda one: one["id"])
def test_ciphertext_is_the_published_one(vector: dict[str, Any]) -> None:
    crypto = Crypto(vector.get("token", ""), vector["encoding_aes_key"], vector["appid"])
    cipher = crypto.encrypt(vector["plaintext"], random=vector["random"].encode())
    assert cipher == vector["ciphertext_b64"]
    assert crypto.open(cipher).text == vector["plaintext"]
    if "msg_signature" in vector:
        assert sign(vector["token"], vector["timestamp"], vector["nonce"], cipher) == vector["msg_signature"]


@pytest.mark.parametrize("vector", VECTORS["decrypt"], ids=lambda one: one["id"])
def test_published_pushes_are_opened(vector: dict[str, Any]) -> None:
    crypto = Crypto(vector["token"], vector["encoding_aes_key"], vector["appid"])
    parts = vector["timestamp"], vector["nonce"]
    assert signed(vector["token"], vector["msg_signature"], *parts, vector["encrypt"])
    text = crypto.open(vector["encrypt"]).text
    assert text == vector.get("plaintext", text)
    assert len(text.encode()) == vector.get("plaintext_len_bytes", len(text.encode()))
    assert [part for part in vector.get("contains", ()) if part not in text] == []
    assert "plaintext" in vector or "contains" in vector
    if "url_signature" in vector:
        assert signed(vector["token"], vector["url_signature"]["signature"], *parts)


@given(TEXTS)
def test_wechatpy_reads_what_we_encrypt(text: str) -> None:
    theirs = PrpCrypto(base64.b64decode(KEY + "="))
    assert theirs.decrypt(OURS.encrypt(text), APPID) == text


@given(TEXTS)
def test_we_read_what_wechatpy_encrypts(text: str) -> None:
    cipher = WeChatCrypto("token", KEY, APPID).encrypt_message(text, "nonce", "1411525903")
    inner = cipher.partition("<Encrypt><![CDATA[")[2].partition("]]>")[0]
    assert OURS.open(inner).text == text


@given(TEXTS)
def test_what_is_encrypted_is_opened_again_and_never_twice_the_same(text: str) -> None:
    assert OURS.open(OURS.encrypt(text)).text == text
    assert OURS.encrypt(text) != OURS.encrypt(text)


def test_previous_key_is_read_while_keys_rotate_and_answers_are_written_with_it() -> None:
    before = Crypto("token", OLD_KEY, APPID)
    both = Crypto("token", KEY, APPID, OLD_KEY)
    opened = both.open(before.encrypt("旧钥匙"))
    assert opened.text == "旧钥匙"
    assert before.open(both.encrypt("回话", key=opened.key)).text == "回话"
    assert OURS.open(both.encrypt("新钥匙")).text == "新钥匙"
    with pytest.raises(BadCipher):
        OURS.open(before.encrypt("旧钥匙"))


def test_what_is_for_another_account_is_not_opened() -> None:
    with pytest.raises(BadCipher):
        OURS.open(Crypto("token", KEY, "wx0000000000000000").encrypt("hello"))
    with pytest.raises(BadCipher):
        OURS.open(Crypto("token", KEY, APPID + "x").encrypt("hello"))


@given(st.one_of(st.text(max_size=120), st.binary(max_size=200).map(lambda data: base64.b64encode(data).decode())))
def test_any_other_text_is_refused_as_bad_cipher(cipher: str) -> None:
    with pytest.raises(BadCipher):
        OURS.open(cipher)


@given(st.integers(0, 95), st.integers(1, 255))
def test_a_changed_byte_never_opens_as_something_broken(place: int, change: int) -> None:
    data = bytearray(base64.b64decode(OURS.encrypt("一条普普通通的消息，长度要有几个块才好")))
    data[place % len(data)] ^= change
    try:
        opened = OURS.open(base64.b64encode(bytes(data)).decode())
    except BadCipher:
        return
    assert isinstance(opened.text, str)  # CBC alone proves nothing: that is what msg_signature is for


def test_without_a_key_nothing_is_encrypted() -> None:
    plain = Crypto("token", "", APPID)
    assert not plain.encrypts
    for attempt in (lambda: plain.encrypt("x"), lambda: plain.open(OURS.encrypt("x"))):
        with pytest.raises(BadCipher):
            attempt()


@pytest.mark.parametrize("key", ["short", KEY + "A", "!" * 43, "中" * 43])
def test_what_is_no_key_is_refused_at_once(key: str) -> None:
    with pytest.raises(ValueError, match="43"):
        Crypto("token", key, APPID)


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=60))
def test_signatures_of_any_text_are_compared_without_an_error(token: str, part: str, signature: str) -> None:
    assert signed(token, signature, part) == (signature == sign(token, part))
