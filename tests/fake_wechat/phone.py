"""What a person does on the phone: follow, write, photograph, tap, scan, open a page."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.fake_wechat import media, menus
from tests.fake_wechat.pusher import Push
from tests.fake_wechat.state import Shown, User, World

LINK = re.compile(r"""<a\s[^>]*?href\s*=\s*(?:"([^"]*)"|'([^']*)')[^>]*>(.*?)</a>""", re.S)


class NotThere(Exception):
    """The person wants to tap on something that is not on the screen."""


def follow(world: World, user: User, scene: str = "", ticket: str = "") -> Push | None:
    if user.following:
        return None
    user.following, user.since, user.scene = True, world.now(), scene
    fields = {"Event": "subscribe", "EventKey": f"qrscene_{scene}" if scene else ""}
    return world.pusher.event(user.openid, {**fields, "Ticket": ticket} if scene else fields)


def unfollow(world: World, user: User) -> Push | None:
    if not user.following:
        return None
    user.following, user.scene, user.typing_until = False, "", 0.0
    user.subscriptions.clear()
    world.quotas.end(user.openid)
    return world.pusher.event(user.openid, {"Event": "unsubscribe", "EventKey": ""})


def say(world: World, user: User, text: str, menu_id: str | None = None) -> Push:
    """Write a text; with `menu_id` it came from a tap on a menu of a message."""
    fields = {"Content": text} if menu_id is None else {"Content": text, "bizmsgmenuid": menu_id}
    push = world.pusher.message(user.openid, "text", fields, cause="message" if menu_id is None else "tap")
    world.show(user.openid, "own", "text", {"content": text}, push.id)
    return push


def voice(world: World, user: User, seconds: int = 3, recognition: str | None = None) -> Push:
    media_id = world.media.put("voice", media.silence(seconds), "audio/amr", world.now())
    fields = {"MediaId": media_id, "Format": "amr", "MediaId16K": media_id}
    if recognition is not None:
        fields["Recognition"] = recognition
    push = world.pusher.message(user.openid, "voice", fields)
    world.show(user.openid, "own", "voice", {"seconds": seconds, "content": recognition or ""}, push.id)
    return push


def photo(world: World, user: User, data: bytes, media_type: str) -> Push:
    media_id = world.media.put("image", data, media_type, world.now())
    push = world.pusher.message(
        user.openid, "image", {"PicUrl": f"{world.url}/_fake/media/{media_id}", "MediaId": media_id}
    )
    world.show(user.openid, "own", "image", {"media_id": media_id, "url": f"/_fake/media/{media_id}"}, push.id)
    return push


def video(world: World, user: User, *, short: bool = False) -> Push:
    media_id = world.media.put("video", b"\x00\x00\x00\x18ftypmp42" + b"\x00" * 500, "video/mp4", world.now())
    thumb = world.media.put("thumb", b"\xff\xd8\xff\xe0" + b"\x00" * 100, "image/jpeg", world.now())
    kind = "shortvideo" if short else "video"
    push = world.pusher.message(user.openid, kind, {"MediaId": media_id, "ThumbMediaId": thumb})
    world.show(user.openid, "own", "video", {"content": "[视频]"}, push.id)
    return push


def location(world: World, user: User, latitude: float, longitude: float, label: str) -> Push:
    fields = {"Location_X": f"{latitude:.6f}", "Location_Y": f"{longitude:.6f}", "Scale": 15, "Label": label}
    push = world.pusher.message(user.openid, "location", fields)
    world.show(user.openid, "own", "location", {"label": label, "latitude": latitude, "longitude": longitude}, push.id)
    return push


def link(world: World, user: User, title: str, url: str, description: str = "") -> Push:
    push = world.pusher.message(user.openid, "link", {"Title": title, "Description": description, "Url": url})
    world.show(user.openid, "own", "link", {"title": title, "url": url, "description": description}, push.id)
    return push


def scan(world: World, user: User, *, ticket: str = "", scene: str = "") -> Push | None:
    """Scan a code; returns None for one that has ended, which the phone says itself."""
    if ticket:
        code = world.scenes.of(ticket, world.now())
        if code is None:
            world.show(user.openid, "own", "system", {"content": "二维码已过期"})
            return None
        scene = code.scene
    else:
        ticket = world.scenes.make(scene, None).ticket
    if not user.following:
        return follow(world, user, scene, ticket)
    return world.pusher.event(user.openid, {"Event": "SCAN", "EventKey": scene, "Ticket": ticket})


def press(world: World, user: User, name: str) -> tuple[Push, str | None]:
    """Press a button of the menu by its name or key; return the push, and the address that opens."""
    button = menus.find(world, name)
    if button is None:
        raise NotThere(f"the menu has no {name}")
    if button["type"] in {"view", "miniprogram"}:
        fields = {"Event": "VIEW", "EventKey": button["url"], "MenuId": world.menus.menu_id}
        return world.pusher.event(user.openid, fields), button["url"]
    event = "CLICK" if button["type"] == "click" else button["type"]
    return world.pusher.event(user.openid, {"Event": event, "EventKey": button.get("key", "")}), None


def tap(world: World, user: User, what: str) -> tuple[Push | None, str | None]:
    """Tap the newest link or menu item with these words or this id; return the push, or the address that opens."""
    for shown in reversed(user.screen):
        for words, target in targets(shown):
            if what in {words, target.get("id"), target.get("content"), target.get("url")}:
                return follow_target(world, user, target)
    raise NotThere(f"there is no {what} to tap on")


def follow_target(world: World, user: User, target: dict[str, str]) -> tuple[Push | None, str | None]:
    if "url" in target:
        return None, target["url"]
    return say(world, user, target["content"], target["id"]), None


def targets(shown: Shown) -> list[tuple[str, dict[str, str]]]:
    """Return what can be tapped on: the words, and a menu item (`id`, `content`) or an address (`url`)."""
    content = shown.content
    if shown.way == "own":
        return []
    if shown.type == "text":
        found = [(words, first or second) for first, second, words in LINK.findall(content["content"])]
        return [(words, _target(address)) for words, address in found]
    if shown.type == "msgmenu":
        return [(one["content"], {"id": str(one["id"]), "content": one["content"]}) for one in content["list"]]
    if shown.type in {"template", "subscription"} and content.get("url"):
        return [(content["title"], {"url": content["url"]})]
    if shown.type == "news":
        return [(one.get("title", ""), {"url": one.get("url", "")}) for one in content["articles"]]
    return []


def _target(address: str) -> dict[str, str]:
    address = address.replace("&amp;", "&")
    parts = urlsplit(address)
    if parts.scheme == "weixin" and parts.netloc == "bizmsgmenu":
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        return {"id": query.get("msgmenuid", ""), "content": query.get("msgmenucontent", "")}
    return {"url": unquote(address) if "://" not in address else address}


def public(world: World, user: User) -> dict[str, Any]:
    now = world.now()
    return {"openid": user.openid, "name": user.name, "following": user.following, "demo": user.demo,
            "typing": user.typing_until > now, "quotas": world.quotas.of(user.openid, now),
            "subscriptions": user.subscriptions, "shown": len(user.screen)}  # fmt: skip
