"""Signatures and encryption of pushes, as Tencent describes them.

A signature is SHA-1 over the sorted parts, one of which is the account's token. Encrypted texts are AES-256-CBC with
the key's first 16 bytes as IV, over `16 random bytes | length (4 bytes, big-endian) | text | appid`, padded to 32.
Source: developers.weixin.qq.com, 消息加解密说明.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import struct
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_BLOCK, _AES_BLOCK, _RANDOM, _HEAD = 32, 16, 16, 20
_KEY_CHARACTERS = 43


class BadCipher(ValueError):
    """An encrypted text that none of our keys opens, or that is for another account."""


@dataclass(frozen=True, repr=False)
class Opened:
    """A decrypted text and the key that opened it."""

    text: str
    key: bytes


def sign(token: str, *parts: str) -> str:
    """Return the signature over the token and the parts, 40 hexadecimal digits."""
    joined = "".join(sorted((token, *parts)))
    return hashlib.sha1(joined.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def signed(token: str, signature: str, *parts: str) -> bool:
    """Tell whether a signature is right; takes the same time wherever it is wrong."""
    return hmac.compare_digest(sign(token, *parts).encode(), signature.encode("utf-8", "surrogatepass"))


class Crypto:
    """The token and the keys of one account; without a key it only signs."""

    def __init__(self, token: str, key: str, appid: str, previous: str = "") -> None:
        """Take the keys as EncodingAESKey (43 characters); `previous` is still read while keys rotate.

        Raises:
            ValueError: if a key is no EncodingAESKey.
        """
        self.token, self.appid = token, appid
        self._keys = tuple(_key(one) for one in (key, previous) if one)

    @property
    def encrypts(self) -> bool:
        """Tell whether there is a key."""
        return bool(self._keys)

    def encrypt(self, text: str, *, random: bytes | None = None, key: bytes | None = None) -> str:
        """Return a text encrypted with `key` (default: the current one), in base64.

        Raises:
            BadCipher: if there is no key.
        """
        if key is None and not self._keys:
            raise BadCipher("there is no key")
        secret = key or self._keys[0]
        said = text.encode("utf-8")
        plain = (random or os.urandom(_RANDOM)) + struct.pack(">I", len(said)) + said + self.appid.encode()
        pad = _BLOCK - len(plain) % _BLOCK
        plain += bytes([pad]) * pad
        encryptor = Cipher(algorithms.AES(secret), modes.CBC(secret[:_AES_BLOCK])).encryptor()
        return base64.b64encode(encryptor.update(plain) + encryptor.finalize()).decode("ascii")

    def open(self, cipher: str) -> Opened:
        """Decrypt with the current key, else with the previous one.

        Raises:
            BadCipher: if no key opens it, or it is for another account.
        """
        try:
            data = base64.b64decode(cipher.strip(), validate=True)
        except ValueError as error:
            raise BadCipher("no base64") from error
        if not data or len(data) % _AES_BLOCK:
            raise BadCipher("a length that AES does not have")
        for key in self._keys:
            text = self._opened(data, key)
            if text is not None:
                return Opened(text, key)
        raise BadCipher("no key opens it")

    def _opened(self, data: bytes, key: bytes) -> str | None:
        decryptor = Cipher(algorithms.AES(key), modes.CBC(key[:_AES_BLOCK])).decryptor()
        plain = decryptor.update(data) + decryptor.finalize()
        pad = plain[-1]
        if not 1 <= pad <= _BLOCK or len(plain) < _HEAD + pad or plain[-pad:] != bytes([pad]) * pad:
            return None
        plain = plain[:-pad]
        end = _HEAD + int(struct.unpack(">I", plain[_RANDOM:_HEAD])[0])
        if end > len(plain) or not hmac.compare_digest(plain[end:], self.appid.encode()):
            return None
        try:
            return plain[_HEAD:end].decode("utf-8")
        except UnicodeDecodeError:
            return None


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text + "=", validate=True)
    except ValueError:
        key = b""
    if len(text) != _KEY_CHARACTERS or len(key) != _BLOCK:
        raise ValueError("an EncodingAESKey has 43 letters and digits")
    return key
