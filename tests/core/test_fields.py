"""Field encryption: what goes in comes out, in its own row, with its own key, and old keys still read."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.fields import KEY_BYTES, FieldKeyError, Keyring, UnreadableField, new_key

OLD, NEW, LOOKUP = new_key(), new_key(), new_key()
CONTEXT = "customers.name:C1"
ring = Keyring.parse(f"k1:{OLD}", LOOKUP)
rotated = Keyring.parse(f"k2:{NEW}, k1:{OLD}", LOOKUP)


@given(st.text(), st.text())
def test_what_is_encrypted_can_be_read_in_its_own_context(plaintext: str, context: str) -> None:
    assert ring.decrypt(ring.encrypt(plaintext, context), context) == plaintext


def test_a_ciphertext_names_its_version_and_key_and_hides_the_text() -> None:
    cipher = ring.encrypt("张晓明", CONTEXT)
    assert re.fullmatch(r"v1\.k1\.[A-Za-z0-9_=-]+", cipher)
    assert "张晓明".encode() not in base64.urlsafe_b64decode(cipher.split(".")[2])


def test_the_same_text_never_looks_the_same_twice() -> None:
    assert len({ring.encrypt("张晓明", CONTEXT) for _ in range(50)}) == 50


def test_a_ciphertext_does_not_open_in_another_row() -> None:
    with pytest.raises(UnreadableField):
        ring.decrypt(ring.encrypt("张晓明", CONTEXT), "customers.name:C2")


def test_one_altered_byte_anywhere_is_noticed() -> None:
    head, body = ring.encrypt("张晓明", CONTEXT).rsplit(".", 1)
    raw = base64.urlsafe_b64decode(body)
    for place in range(len(raw)):
        changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        with pytest.raises(UnreadableField):
            ring.decrypt(f"{head}.{base64.urlsafe_b64encode(changed).decode()}", CONTEXT)


@pytest.mark.parametrize("cipher", ["", "v1", "v1.k1.", "v1.k1.!!!!", "v2.k1.AAAA", "v1.k9.AAAA", "张晓明"])
def test_what_is_no_ciphertext_is_unreadable(cipher: str) -> None:
    with pytest.raises(UnreadableField):
        ring.decrypt(cipher, CONTEXT)


def test_after_rotation_old_fields_are_read_and_new_ones_written_with_the_new_key() -> None:
    old = ring.encrypt("张晓明", CONTEXT)
    assert rotated.decrypt(old, CONTEXT) == "张晓明"
    assert rotated.encrypt("张晓明", CONTEXT).startswith("v1.k2.")
    assert not rotated.is_current(old)


def test_renewing_moves_a_field_to_the_active_key_once() -> None:
    renewed = rotated.renew(ring.encrypt("张晓明", CONTEXT), CONTEXT)
    assert rotated.is_current(renewed)
    assert rotated.decrypt(renewed, CONTEXT) == "张晓明"
    assert rotated.renew(renewed, CONTEXT) == renewed


def test_a_key_that_is_gone_leaves_its_fields_unreadable() -> None:
    with pytest.raises(UnreadableField):
        Keyring.parse(f"k2:{NEW}", LOOKUP).decrypt(ring.encrypt("张晓明", CONTEXT), CONTEXT)


def test_a_hash_finds_the_same_value_whatever_the_field_key() -> None:
    assert ring.blind("19900000001", "customers.phone") == rotated.blind("19900000001", "customers.phone")
    assert re.fullmatch(r"[0-9a-f]{64}", ring.blind("19900000001", "customers.phone"))


def test_hashes_differ_by_value_column_and_key() -> None:
    other = Keyring.parse(f"k1:{OLD}", new_key())
    hashes = {
        ring.blind("1", "customers.phone"),
        ring.blind("2", "customers.phone"),
        ring.blind("1", "customers.certificate"),
        other.blind("1", "customers.phone"),
    }
    assert len(hashes) == 4


@pytest.mark.parametrize(
    "field_keys",
    ["", " , ", "k1", f":{OLD}", f"k 1:{OLD}", "k1:not base64", "k1:AAAA", f"{'k' * 17}:{OLD}"],
    ids=lambda keys: keys.replace(OLD, "key"),  # the key is another one in each process of a run
)
def test_unusable_field_keys_are_refused(field_keys: str) -> None:
    with pytest.raises(FieldKeyError):
        Keyring.parse(field_keys, LOOKUP)


def test_an_unusable_look_up_key_is_refused() -> None:
    for wrong in ("", "AAAA", "not base64"):
        with pytest.raises(FieldKeyError, match="look-up"):
            Keyring.parse(f"k1:{OLD}", wrong)


def test_keys_never_show_when_a_keyring_is_printed() -> None:
    assert repr(ring) == "Keyring(active='k1')"


def test_a_new_key_has_the_right_length_and_is_new() -> None:
    keys = {new_key() for _ in range(20)}
    assert len(keys) == 20
    assert {len(base64.b64decode(key)) for key in keys} == {KEY_BYTES}
