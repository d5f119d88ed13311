"""What a person does, by name, as the control API is asked for it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from tests.fake_wechat import media, phone
from tests.fake_wechat.pushes import Push
from tests.fake_wechat.state import User, World

Act = Callable[[World, User, dict[str, Any]], Push | None]


def _event(world: World, user: User, asked: dict[str, Any]) -> Push:
    return world.pusher.event(user.openid, {"Event": asked["event"], **asked.get("fields", {})})


def _message(world: World, user: User, asked: dict[str, Any]) -> Push:
    return world.pusher.message(user.openid, asked["type"], asked.get("fields", {}))


def _photo(world: World, user: User, asked: dict[str, Any]) -> Push:
    data = base64.b64decode(asked["data"])
    return phone.photo(world, user, data, media.sniff(data) or asked.get("media_type", "image/jpeg"))


def _link(world: World, user: User, asked: dict[str, Any]) -> Push:
    return phone.link(world, user, asked["title"], asked["url"], asked.get("description", ""))


ACTS: dict[str, Act] = {
    "say": lambda world, user, asked: phone.say(world, user, asked["text"], asked.get("menu_id")),
    "voice": lambda world, user, asked: phone.voice(world, user, asked.get("seconds", 3), asked.get("recognition")),
    "photo": _photo,
    "video": lambda world, user, asked: phone.video(world, user, short=asked.get("short", False)),
    "location": lambda world, user, asked: phone.location(
        world, user, asked["latitude"], asked["longitude"], asked["label"]
    ),
    "link": _link,
    "follow": lambda world, user, asked: phone.follow(world, user, asked.get("scene", ""), asked.get("ticket", "")),
    "unfollow": lambda world, user, _asked: phone.unfollow(world, user),
    "scan": lambda world, user, asked: phone.scan(
        world, user, ticket=asked.get("ticket", ""), scene=asked.get("scene", "")
    ),
    "message": _message,
    "event": _event,
}
