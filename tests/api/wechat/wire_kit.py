"""Pushes as Tencent sends them, in every mode and form."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Literal
from xml.sax.saxutils import escape

from api.channels.wechat.crypto import Crypto, sign
from api.channels.wechat.wire import Gate
from core.clock import SHANGHAI

TOKEN, APPID = "spamtest", "wx2c2769f8efd9abc2"
KEY, OLD_KEY = "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
NOW = datetime(2026, 11, 22, 15, 0, tzinfo=SHANGHAI)
CRYPTO = Crypto(TOKEN, KEY, APPID)
GATE = Gate(CRYPTO)
Mode = Literal["plain", "compatible", "safe"]
MODES: tuple[Mode, ...] = ("plain", "compatible", "safe")
FORMS = ("xml", "json")
TEXT: dict[str, Any] = {
    "ToUserName": "gh_10f6c3c3ac5a", "FromUserName": "oyORnuP8q7ou2gfYjqLzSIWZf0rs", "CreateTime": 1763794800,
    "MsgType": "text", "Content": "家里没电了", "MsgId": 6054768590064713728,
}  # fmt: skip


def written(fields: dict[str, Any], form: str) -> str:
    """Return the fields as a body."""
    if form == "json":
        return json.dumps(fields, ensure_ascii=False)
    return f"<xml>{_xml(fields)}</xml>"


def _xml(fields: dict[str, Any]) -> str:
    parts = []
    for name, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            inner = _xml(one) if isinstance(one, dict) else escape(str(one))
            parts.append(f"<{name}>{inner}</{name}>")
    return "".join(parts)


def query(now: datetime = NOW, nonce: str = "1320562132", **more: str) -> dict[str, str]:
    """Return the signed parameters of a request."""
    at = str(int(now.timestamp()))
    return {"signature": sign(TOKEN, at, nonce), "timestamp": at, "nonce": nonce, "openid": "o", **more}


def push(
    fields: dict[str, Any] | str, mode: Mode = "plain", form: str = "xml", *, crypto: Crypto = CRYPTO,
    now: datetime = NOW, beside: dict[str, Any] | None = None,
) -> tuple[dict[str, str], bytes]:  # fmt: skip
    """Return the parameters and the body of a push; `beside`: what a compatible body says in clear."""
    plain = fields if isinstance(fields, str) else written(fields, form)
    if mode == "plain":
        return query(now), plain.encode()
    cipher = crypto.encrypt(plain)
    outer = {"ToUserName": "gh_10f6c3c3ac5a", "Encrypt": cipher}
    if mode == "compatible":
        shown = beside if beside is not None else (fields if isinstance(fields, dict) else {})
        outer = {**shown, **outer}
    asked = query(now)
    signature = sign(TOKEN, asked["timestamp"], asked["nonce"], cipher)
    return asked | {"encrypt_type": "aes", "msg_signature": signature}, written(outer, form).encode()
