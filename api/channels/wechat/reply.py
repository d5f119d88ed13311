"""Answers that go back with a push, in its form and mode and with the key that opened it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from api.channels.wechat.crypto import sign
from api.channels.wechat.wire import Gate, Received, clean

SUCCESS = b"success"  # heard, and nothing to say now
MAX_TEXT = 2048  # bytes of a text, in answers and in customer-service messages
_MEDIA_TYPES = {"xml": "application/xml; charset=utf-8", "json": "application/json; charset=utf-8"}


class ReplyTooLong(ValueError):
    """A text of more bytes than Tencent takes."""


class Replies:
    """Writes the answers of the account behind a gate."""

    def __init__(self, gate: Gate) -> None:
        self._crypto = gate.crypto

    def text(self, received: Received, content: str, *, now: datetime) -> bytes:
        """Return the answer with this text.

        Raises:
            ReplyTooLong: if it has more than 2048 bytes.
        """
        said = clean(content)
        if len(said.encode()) > MAX_TEXT:
            raise ReplyTooLong("a text of more than 2048 bytes")
        return self._written(received, {"MsgType": "text", "Content": said}, now)

    def media_type(self, received: Received) -> str:
        """Return the Content-Type of answers to this push."""
        return _MEDIA_TYPES[received.form]

    def _written(self, received: Received, message: dict[str, Any], now: datetime) -> bytes:
        at = int(now.timestamp())
        head = {
            "ToUserName": received.fields["FromUserName"], "FromUserName": received.fields.get("ToUserName", ""),
            "CreateTime": at,
        }  # fmt: skip
        plain = _form(received, head | message)
        if not received.encrypted:
            return plain.encode()
        cipher = self._crypto.encrypt(plain, key=received.key)
        signature = sign(self._crypto.token, str(at), received.nonce, cipher)
        envelope = {"Encrypt": cipher, "MsgSignature": signature, "TimeStamp": at, "Nonce": received.nonce}
        return _form(received, envelope).encode()


def cdata(text: str) -> str:
    """Return a text as CDATA, safe against what would end it."""
    return "<![CDATA[" + clean(text).replace("]]>", "]]]]><![CDATA[>") + "]]>"


def _form(received: Received, fields: dict[str, Any]) -> str:
    if received.form == "json":
        return json.dumps(fields, ensure_ascii=False)
    return f"<xml>{_xml(fields)}</xml>"


def _xml(fields: dict[str, Any]) -> str:
    return "".join(f"<{name}>{_value(value)}</{name}>" for name, value in fields.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return _xml(value)
    return str(value) if isinstance(value, int) else cdata(value)
