"""The gate through which pushes come in: signature, age, mode (plain, compatible, safe) and form (XML, JSON).

What comes out is the same whichever form it had: all values are strings, but for `MsgId` and `CreateTime`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Self
from xml.etree import ElementTree

from api.channels.wechat.crypto import BadCipher, Crypto, signed
from api.settings import ApiSettings
from core.clock import system_clock

MAX_BODY = 1024 * 1024
FRESH = timedelta(minutes=5)
Form = Literal["xml", "json"]
_MAX_DEPTH, _MAX_ELEMENTS, _MAX_DIGITS = 8, 2000, 20
_USER = re.compile(r"[!-~]{1,64}", re.ASCII)
_TYPE = re.compile(r"[A-Za-z0-9_]{1,64}", re.ASCII)
_DIGITS = re.compile(rf"[0-9]{{1,{_MAX_DIGITS}}}", re.ASCII)
# XML 1.0 knows no other control characters than these; a database knows no NUL and no half of a surrogate pair.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NUMBERS = ("MsgId", "CreateTime")
_PLAIN_VALUES = frozenset({
    "ToUserName", "FromUserName", "MsgType", "Encrypt", "Content", "bizmsgmenuid", "PicUrl", "MediaId", "MediaId16K",
    "Format", "Recognition", "ThumbMediaId", "Location_X", "Location_Y", "Scale", "Label", "Title", "Description",
    "Url", "Event", "EventKey", "Ticket", "Latitude", "Longitude", "Precision", "MenuId", "MsgID", "Status",
    "MsgDataId", "Idx", *_NUMBERS,
})  # fmt: skip


class WireError(Exception):
    """A push that is not let in."""


class BadSignature(WireError):
    """It does not come from Tencent."""


class StalePush(WireError):
    """Its time lies more than five minutes off."""


class BadPush(WireError):
    """It is signed, but cannot be read."""


@dataclass(frozen=True, repr=False)
class Received:
    """A push that was let in; `key` is the one that opened it, `signature` covers token, timestamp and nonce."""

    fields: dict[str, Any]
    form: Form
    encrypted: bool
    key: bytes | None
    nonce: str
    signature: str


class Gate:
    """Lets in what the account's owner signed; `encrypted_only`: nothing in plain mode."""

    def __init__(self, crypto: Crypto, *, encrypted_only: bool = False) -> None:
        self.crypto, self._encrypted_only = crypto, encrypted_only

    @classmethod
    def of(cls, settings: ApiSettings) -> Self:
        """Return the gate of the account that the settings name."""
        crypto = Crypto(
            settings.wechat_token.get_secret_value(), settings.wechat_aes_key.get_secret_value(), settings.wechat_appid,
            settings.wechat_aes_key_previous.get_secret_value(),
        )  # fmt: skip
        only = settings.wechat_encrypted_only
        return cls(crypto, encrypted_only=bool(settings.wechat_aes_key.get_secret_value()) if only is None else only)

    def check(self, query: Mapping[str, str], *, now: datetime | None = None) -> None:
        """Check the signature of a request without looking at a body, as when the address is entered at Tencent's.

        Raises:
            BadSignature: if it is wrong or missing.
            StalePush: if it is too old, or from the future.
        """
        timestamp, nonce = query.get("timestamp", ""), query.get("nonce", "")
        if not signed(self.crypto.token, query.get("signature", ""), timestamp, nonce):
            raise BadSignature("signature")
        if not nonce or not _DIGITS.fullmatch(timestamp):
            raise BadSignature("timestamp or nonce")
        age = (now or system_clock()).timestamp() - int(timestamp)
        if abs(age) > FRESH.total_seconds():
            raise StalePush("timestamp")

    def open(self, query: Mapping[str, str], body: bytes, *, now: datetime) -> Received:
        """Check and read a push.

        Raises:
            BadSignature: if it does not come from Tencent.
            StalePush: if it is too old, or from the future.
            BadPush: if it cannot be read, or is in a mode that is not allowed.
        """
        self.check(query, now=now)
        mode = query.get("encrypt_type", "") or "raw"
        if mode not in ("raw", "aes"):
            raise BadPush("encrypt_type")
        if mode == "raw" and self._encrypted_only:
            raise BadPush("plain mode is not allowed")
        form, fields = _read(body)
        key = None
        if mode == "aes":
            fields, key = self._decrypted(query, fields)
        fields.pop("Encrypt", None)
        return Received(_checked(fields), form, mode == "aes", key, query["nonce"], query["signature"])

    def _decrypted(self, query: Mapping[str, str], outer: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """Return what stood in `Encrypt`; what a compatible body holds beside it anybody may have written."""
        cipher = outer.get("Encrypt")
        if not isinstance(cipher, str) or not cipher:
            raise BadPush("Encrypt")
        signature = query.get("msg_signature", "")
        if not signed(self.crypto.token, signature, query["timestamp"], query["nonce"], cipher):
            raise BadSignature("msg_signature")
        try:
            opened = self.crypto.open(cipher)
        except BadCipher as error:
            raise BadPush("Encrypt") from error
        return _read(opened.text.encode())[1], opened.key


def clean(text: str) -> str:
    """Return a text without the characters that XML 1.0 forbids."""
    return _FORBIDDEN.sub("", text)


def _read(body: bytes) -> tuple[Form, dict[str, Any]]:
    """Return the form and the fields of a body; values are strings, mappings and lists of these."""
    if len(body) > MAX_BODY:
        raise BadPush("size")
    try:
        text = body.decode("utf-8-sig").strip()
        if text.startswith("{"):
            return "json", _values(json.loads(text, parse_int=str, parse_float=str, parse_constant=str), [0], 0)
        if text.startswith("<"):
            return "xml", _from_xml(text)
    except (ValueError, RecursionError, ElementTree.ParseError) as error:
        raise BadPush("body") from error
    raise BadPush("body")


def _values(value: Any, count: list[int], depth: int) -> Any:
    """Return a value of JSON as XML would have it."""
    count[0] += 1
    if depth > _MAX_DEPTH or count[0] > _MAX_ELEMENTS:
        raise BadPush("body")
    if isinstance(value, dict):
        return {clean(name): _values(one, count, depth + 1) for name, one in value.items()}
    if isinstance(value, list):
        return [_values(one, count, depth + 1) for one in value]
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return clean(str(value))


def _from_xml(text: str) -> dict[str, Any]:
    # A text, not bytes: then expat takes it for UTF-8 whatever encoding it claims to have.
    parser = ElementTree.XMLParser(target=_Elements())
    parser.feed(text)
    found = parser.close()
    if not isinstance(found, dict):
        raise BadPush("body")
    return found


class _Elements:
    """Turns elements into mappings as expat meets them; elements of the same name become a list."""

    def __init__(self) -> None:
        self._open: list[tuple[dict[str, Any], list[str]]] = [({}, [])]
        self._count = 0

    def doctype(self, *_: Any) -> None:
        """Refuse any document type, and with it all entities."""
        raise BadPush("doctype")

    def start(self, *_: Any) -> None:
        """Begin an element."""
        self._count += 1
        if len(self._open) > _MAX_DEPTH or self._count > _MAX_ELEMENTS:
            raise BadPush("body")
        self._open.append(({}, []))

    def data(self, text: str) -> None:
        """Take text."""
        self._open[-1][1].append(text)

    def end(self, name: str) -> None:
        """End an element."""
        inner, text = self._open.pop()
        outer = self._open[-1][0]
        value: Any = inner or clean("".join(text))
        if name not in outer:
            outer[name] = value
        elif isinstance(outer[name], list):
            outer[name].append(value)
        else:
            outer[name] = [outer[name], value]

    def close(self) -> Any:
        """Return what the root holds."""
        return next(iter(self._open[0][0].values()), None)


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    if any(not isinstance(value, str) for name, value in fields.items() if name in _PLAIN_VALUES):
        raise BadPush("a value")
    if not _USER.fullmatch(fields.get("FromUserName", "")):
        raise BadPush("FromUserName")
    if not _TYPE.fullmatch(fields.get("MsgType", "")):
        raise BadPush("MsgType")
    numbers = {name: _number(fields[name]) for name in _NUMBERS if fields.get(name)}
    return {name: value for name, value in fields.items() if name not in _NUMBERS} | numbers


def _number(text: str) -> int:
    if not _DIGITS.fullmatch(text):
        raise BadPush("a number")
    return int(text)
