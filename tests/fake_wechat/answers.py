"""What Tencent's server makes of an answer to a push: nothing, a message on the phone, or the notice of a failure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.fake_wechat.crypto import BadEnvelope, Crypto, same, signature
from tests.fake_wechat.form import BadAnswer, Fields, read
from tests.fake_wechat.state import World

TEXT_BYTES = 2048


@dataclass
class Reply:
    """A passive message; `sealed` tells whether it came encrypted."""

    type: str
    content: dict[str, Any]
    sealed: bool


def judge(world: World, openid: str, body: bytes) -> Reply | None:
    """Return the passive message, or None for `success` and for an empty answer.

    Raises:
        BadAnswer: Tencent shows the notice instead.
    """
    if body.strip() in {b"", b"success"}:
        return None
    mode, form = world.settings.manner(openid)
    fields, sealed = _opened(world, read(body, form), mode, form)
    if fields.get("ToUserName") != openid:
        raise BadAnswer("it is for another user")
    if fields.get("FromUserName") != world.settings.account:
        raise BadAnswer("it is from another account")
    if not str(fields.get("CreateTime", "")).isdecimal():
        raise BadAnswer("it has no CreateTime")
    kind = fields.get("MsgType")
    read_kind = _KINDS.get(kind) if isinstance(kind, str) else None
    if read_kind is None:
        raise BadAnswer(f"MsgType {kind!r}")
    return Reply(str(kind), read_kind(world, fields), sealed)


def _opened(world: World, fields: Fields, mode: str, form: str) -> tuple[Fields, bool]:
    settings = world.settings
    if "Encrypt" not in fields:
        if mode == "safe":
            raise BadAnswer("it is not encrypted")
        return fields, False
    if mode == "plain":
        raise BadAnswer("it is encrypted, and the account is in plain mode")
    parts = [str(fields.get(name, "")) for name in ("TimeStamp", "Nonce", "Encrypt")]
    if not same(str(fields.get("MsgSignature", "")), signature(settings.token, *parts)):
        raise BadAnswer("its MsgSignature is wrong")
    try:
        text = Crypto(settings.aes_key, settings.appid).decrypt(parts[2])
    except BadEnvelope as error:
        raise BadAnswer(str(error)) from error
    return read(text.encode(), form), True


def _text(world: World, fields: Fields) -> dict[str, Any]:
    words = fields.get("Content")
    if not isinstance(words, str) or not words:
        raise BadAnswer("it has no Content")
    if len(words.encode()) > TEXT_BYTES:
        raise BadAnswer(f"its Content has {len(words.encode())} bytes")
    return {"content": words}


def _of_media(name: str) -> Any:
    def read_media(world: World, fields: Fields) -> dict[str, Any]:
        inner = fields.get(name)
        media_id = inner.get("MediaId") if isinstance(inner, dict) else None
        if world.media.get(media_id, world.now()) is None:
            raise BadAnswer("its MediaId is none")
        assert isinstance(inner, dict)
        return {"media_id": media_id, "url": f"/_fake/media/{media_id}",
                "title": inner.get("Title", ""), "description": inner.get("Description", "")}  # fmt: skip

    return read_media


def _news(world: World, fields: Fields) -> dict[str, Any]:
    articles = fields.get("Articles")
    if not isinstance(articles, list) or not articles or str(fields.get("ArticleCount")) != str(len(articles)):
        raise BadAnswer("its Articles and ArticleCount do not fit")
    return {
        "articles": [
            {"title": one.get("Title", ""), "description": one.get("Description", ""), "picurl": one.get("PicUrl", ""),
             "url": one.get("Url", "")}
            for one in articles[:1]  # more than one is cut off
        ]
    }  # fmt: skip


def _music(world: World, fields: Fields) -> dict[str, Any]:
    inner = fields.get("Music")
    if not isinstance(inner, dict):
        raise BadAnswer("it has no Music")
    return {"title": inner.get("Title", ""), "description": inner.get("Description", "")}


def _transfer(world: World, fields: Fields) -> dict[str, Any]:
    return {"content": "（会话已转到腾讯客服）"}


_KINDS: dict[str, Any] = {
    "text": _text,
    "image": _of_media("Image"),
    "voice": _of_media("Voice"),
    "video": _of_media("Video"),
    "music": _music,
    "news": _news,
    "transfer_customer_service": _transfer,
}
