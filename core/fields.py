"""Encryption of single fields (AES-256-GCM) and keyed hashes to look them up.

A ciphertext reads `v1.<key id>.<base64url(nonce + ciphertext + tag)>`: the key id lets old rows be read after a new
key has become the active one. The associated data binds a ciphertext to its column and row, so that one row's value
cannot be copied into another's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_NONCE_BYTES = 12
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,16}")


class FieldKeyError(ValueError):
    """The key material in the settings cannot be used."""


class UnreadableField(Exception):
    """A ciphertext that no key opens: altered, moved to another row, or written with a key that is gone."""


@dataclass(frozen=True)
class Keyring:
    """The keys of field encryption: `active` writes, all of `keys` read; `lookup` keys the hashes."""

    active: str
    keys: Mapping[str, bytes] = field(repr=False)
    lookup: bytes = field(repr=False)

    @classmethod
    def parse(cls, field_keys: str, lookup_key: str) -> Keyring:
        """Read `id:base64,id:base64,…` (the first is active) and a base64 look-up key.

        Raises:
            FieldKeyError: if a key is missing, malformed or not 32 bytes long.
        """
        keys: dict[str, bytes] = {}
        for part in filter(None, (piece.strip() for piece in field_keys.split(","))):
            key_id, _, material = part.partition(":")
            if not _KEY_ID.fullmatch(key_id):
                raise FieldKeyError("a field key is written id:base64, its id 1 to 16 letters, digits, _ or -")
            keys[key_id] = _key_bytes(material, f"field key {key_id}")
        if not keys:
            raise FieldKeyError("no field key is set")
        return cls(active=next(iter(keys)), keys=keys, lookup=_key_bytes(lookup_key, "look-up key"))

    def encrypt(self, plaintext: str, context: str) -> str:
        """Return the ciphertext of `plaintext`, bound to `context` (`table.column:row key`)."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = AESGCM(self.keys[self.active]).encrypt(nonce, plaintext.encode(), context.encode())
        return f"v1.{self.active}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def decrypt(self, ciphertext: str, context: str) -> str:
        """Return the plaintext.

        Raises:
            UnreadableField: if the ciphertext was altered, its context differs or its key is unknown.
        """
        version, _, rest = ciphertext.partition(".")
        key_id, _, body = rest.partition(".")
        if version != "v1" or key_id not in self.keys:
            raise UnreadableField(f"no key {key_id!r} for a ciphertext of version {version!r}")
        try:
            raw = base64.urlsafe_b64decode(body.encode())
            opened = AESGCM(self.keys[key_id]).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], context.encode())
        except (InvalidTag, ValueError) as error:
            raise UnreadableField("the ciphertext does not open under its key and context") from error
        return opened.decode()

    def is_current(self, ciphertext: str) -> bool:
        """Tell whether the active key wrote this ciphertext."""
        return ciphertext.startswith(f"v1.{self.active}.")

    def renew(self, ciphertext: str, context: str) -> str:
        """Return the same field under the active key (unchanged if it is already)."""
        return ciphertext if self.is_current(ciphertext) else self.encrypt(self.decrypt(ciphertext, context), context)

    def blind(self, value: str, context: str) -> str:
        """Return the keyed hash (HMAC-SHA-256, hex) under which `value` is looked up in column `context`."""
        return hmac.new(self.lookup, f"{context}\0{value}".encode(), hashlib.sha256).hexdigest()


def new_key() -> str:
    """Return a fresh random key in base64, as the settings take it."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


def _key_bytes(material: str, name: str) -> bytes:
    try:
        raw = base64.b64decode(material, validate=True)
    except ValueError as error:
        raise FieldKeyError(f"the {name} is not base64") from error
    if len(raw) != KEY_BYTES:
        raise FieldKeyError(f"the {name} has {len(raw)} bytes, it needs {KEY_BYTES}")
    return raw
