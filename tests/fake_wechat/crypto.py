"""Tencent's message encryption and signatures, written from its documentation alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK = 32


class BadEnvelope(Exception):
    """Something that was encrypted in another way, with another key, for another account, or cut off."""


def signature(*parts: str) -> str:
    """Return the SHA-1 of the sorted parts."""
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


def same(one: str, other: str) -> bool:
    """Compare in a time that tells nothing."""
    return hmac.compare_digest(one.encode(), other.encode())


class Crypto:
    """AES-256-CBC with the account's EncodingAESKey."""

    def __init__(self, key: str, appid: str) -> None:
        self._key, self._appid = base64.b64decode(key + "="), appid.encode()
        if len(self._key) != BLOCK:
            raise ValueError("an EncodingAESKey has 43 characters")

    def encrypt(self, text: str, *, random: bytes | None = None) -> str:
        data = text.encode()
        plain = (random or os.urandom(16)) + struct.pack(">I", len(data)) + data + self._appid
        padding = BLOCK - len(plain) % BLOCK
        encryptor = self._cipher().encryptor()
        sealed = encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize()
        return base64.b64encode(sealed).decode()

    def decrypt(self, sealed: str) -> str:
        """Return the text.

        Raises:
            BadEnvelope: if it is none of this account.
        """
        try:
            decryptor = self._cipher().decryptor()
            plain = decryptor.update(base64.b64decode(sealed, validate=True)) + decryptor.finalize()
            plain = plain[: -plain[-1]]
            (length,) = struct.unpack(">I", plain[16:20])
            text, appid = plain[20 : 20 + length], plain[20 + length :]
            if appid != self._appid:
                raise BadEnvelope("it ends with another appid")
            return text.decode()
        except (ValueError, IndexError, struct.error) as error:
            raise BadEnvelope(f"it does not decrypt: {error}") from error

    def _cipher(self) -> Cipher[modes.CBC]:
        return Cipher(algorithms.AES(self._key), modes.CBC(self._key[:16]))
