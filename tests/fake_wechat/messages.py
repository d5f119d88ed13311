"""Customer-service messages and the typing signal, with the quotas and refusals of Tencent's documentation."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from tests.fake_wechat.call import Call, Refused
from tests.fake_wechat.state import User, World

TEXT_BYTES = 2048
TYPING_SECONDS, CONTACT_SECONDS = 15.0, 30.0
OK = {"errcode": 0, "errmsg": "ok"}
_WORDS = {
    43004: "require subscribe",
    45015: "response out of time limit or subscription is canceled",
    45047: "out of response count limit",
}


def send(world: World, call: Call) -> dict[str, Any]:
    """`message/custom/send`."""
    message = call.json()
    if b"\\u" in call.body:
        raise Refused(40033, "invalid charset. please check your request, if include \\uxxxx will create fail!")
    user = _user(world, call, message.get("touser"))
    kind, content = _checked(world, message)
    if not user.following:
        code = world.settings.unfollowed_code
        raise Refused(code, _WORDS.get(code, "user refuse to accept the msg"))
    limit(world.arrivals_custom, world.settings.custom_rate)
    if code := world.quotas.refusal(user.openid, world.now()):
        raise Refused(code, _WORDS[code])
    world.quotas.take(user.openid, world.now())
    user.last_contact = world.now()
    world.show(user.openid, "custom", kind, content)
    return OK


def typing(world: World, call: Call) -> dict[str, Any]:
    """`message/custom/typing`."""
    asked = call.json()
    user = _user(world, call, asked.get("touser"))
    now, command = world.now(), asked.get("command")
    if command not in {"Typing", "CancelTyping"}:
        raise Refused(45072, "invalid command")
    if not user.following or now - user.last_contact > CONTACT_SECONDS:
        raise Refused(45080, "need sending message to user, or recving message in the last 30 seconds")
    if command == "Typing":
        if user.typing_until > now:
            raise Refused(45081, "you are already in typing status, do not repeat")
        user.typing_until = now + TYPING_SECONDS
    else:
        user.typing_until = 0.0
    world.counters[f"typing.{command}"] += 1
    world.stir()
    return OK


def limit(arrivals: deque[float], rate: float) -> None:
    """Let one call more through if fewer than `rate` went through in the last second of the machine's clock.

    Raises:
        Refused: 45009.
    """
    if not rate:
        return
    now = time.monotonic()
    while arrivals and arrivals[0] <= now - 1:
        arrivals.popleft()
    if len(arrivals) >= rate:
        raise Refused(45009, "reach max api minute or second quota limit")
    arrivals.append(now)


def _user(world: World, call: Call, openid: object) -> User:
    user = world.users.get(openid) if isinstance(openid, str) else None
    call.openid = openid if isinstance(openid, str) else None
    if user is None:
        raise Refused(40003, "invalid openid")
    return user


def _checked(world: World, message: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    kind = message.get("msgtype")
    check = CHECKS.get(kind) if isinstance(kind, str) else None
    if check is None or not isinstance(kind, str):
        raise Refused(40008, "invalid message type")
    content = message.get(kind)
    if not isinstance(content, dict):
        raise Refused(47001, "data format error")
    account = (message.get("customservice") or {}).get("kf_account")
    if account and account not in world.settings.kf_accounts:
        raise Refused(65401 if world.settings.kf_accounts else 65400, "invalid custom service account")
    return kind, check(world, content)


def _text(world: World, content: dict[str, Any]) -> dict[str, Any]:
    words = content.get("content")
    if not isinstance(words, str) or not words:
        raise Refused(44004, "empty content")
    if len(words.encode()) > TEXT_BYTES:
        raise Refused(45002, "content size out of limit")
    return content


def _menu(world: World, content: dict[str, Any]) -> dict[str, Any]:
    if not world.settings.msgmenu:
        raise Refused(40200, "invalid account type")
    items = content.get("list")
    if not isinstance(items, list) or not items or not all(isinstance(one, dict) and _says(one) for one in items):
        raise Refused(47001, "data format error")
    words = "".join(
        [content.get("head_content", ""), *(one["content"] for one in items), content.get("tail_content", "")]
    )
    if len(words.encode()) > TEXT_BYTES:
        raise Refused(45002, "content size out of limit")
    return content


def _says(item: dict[str, Any]) -> bool:
    return isinstance(item.get("content"), str) and bool(item["content"]) and isinstance(item.get("id"), str | int)


def _articles(world: World, content: dict[str, Any]) -> dict[str, Any]:
    articles = content.get("articles")
    if not isinstance(articles, list) or not articles:
        raise Refused(44003, "empty news data")
    if len(articles) > 1:
        raise Refused(45008, "article size out of limit")
    return content


def _media(*names: str) -> Callable[[World, dict[str, Any]], dict[str, Any]]:
    def check(world: World, content: dict[str, Any]) -> dict[str, Any]:
        for name in names:
            if name not in content:
                raise Refused(41006, f"{name} missing")
            world.media.need(content[name], world.now())
        return {**content, "url": f"/_fake/media/{content[names[0]]}"}

    return check


def _having(*names: str) -> Callable[[World, dict[str, Any]], dict[str, Any]]:
    def check(world: World, content: dict[str, Any]) -> dict[str, Any]:
        if missing := [name for name in names if not content.get(name)]:
            raise Refused(40035, f"invalid parameter: {missing[0]}")
        return content

    return check


CHECKS: dict[str, Callable[[World, dict[str, Any]], dict[str, Any]]] = {
    "text": _text,
    "image": _media("media_id"),
    "voice": _media("media_id"),
    "video": _media("media_id", "thumb_media_id"),
    "music": _having("musicurl", "hqmusicurl", "thumb_media_id"),
    "news": _articles,
    "mpnews": _having("media_id"),
    "mpnewsarticle": _having("article_id"),
    "msgmenu": _menu,
    "wxcard": _having("card_id"),
    "miniprogrampage": _having("title", "appid", "pagepath", "thumb_media_id"),
}
