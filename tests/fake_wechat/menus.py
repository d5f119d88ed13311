"""The menu at the foot of the chat, with Tencent's limits."""

from __future__ import annotations

from typing import Any

from tests.fake_wechat.call import Call, Refused
from tests.fake_wechat.state import World

TYPES = {"click", "view", "miniprogram", "scancode_push", "scancode_waitmsg", "pic_sysphoto", "pic_photo_or_album",
         "pic_weixin", "location_select", "media_id", "article_id", "article_view_limited"}  # fmt: skip
TOP, SUB = 3, 5
TOP_NAME, SUB_NAME, KEY, URL = 16, 60, 128, 1024  # bytes


class Menus:
    def __init__(self) -> None:
        self.menu: dict[str, Any] | None = None
        self.menu_id = 400000000


def create(world: World, call: Call) -> dict[str, Any]:
    wanted = call.json()
    if b"\\u" in call.body:
        raise Refused(40033, "invalid charset. please check your request, if include \\uxxxx will create fail!")
    buttons = wanted.get("button")
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= TOP:
        raise Refused(40016, "invalid button size")
    for button in buttons:
        _check_top(button)
    world.menus.menu = {"button": buttons}
    world.menus.menu_id += 1
    world.stir()
    return {"errcode": 0, "errmsg": "ok"}


def get(world: World, call: Call) -> dict[str, Any]:
    if world.menus.menu is None:
        raise Refused(46003, "menu no exist")
    whole = [{**button, "sub_button": button.get("sub_button", [])} for button in world.menus.menu["button"]]
    return {"menu": {"button": whole, "menuid": world.menus.menu_id}}


def selfmenu(world: World, call: Call) -> dict[str, Any]:
    if world.menus.menu is None:
        return {"is_menu_open": 0}
    buttons = [
        {**button, "sub_button": {"list": button["sub_button"]}} if button.get("sub_button") else button
        for button in world.menus.menu["button"]
    ]
    return {"is_menu_open": 1, "selfmenu_info": {"button": buttons}}


def delete(world: World, call: Call) -> dict[str, Any]:
    world.menus.menu = None
    world.stir()
    return {"errcode": 0, "errmsg": "ok"}


def find(world: World, name: str) -> dict[str, Any] | None:
    """Return the button with that name or key, wherever it stands."""
    for button in (world.menus.menu or {"button": []})["button"]:
        for one in [button, *button.get("sub_button", [])]:
            if not one.get("sub_button") and name in {one["name"], one.get("key")}:
                found: dict[str, Any] = one
                return found
    return None


def _check_top(button: Any) -> None:
    if not isinstance(button, dict):
        raise Refused(40017, "invalid button type")
    if not 1 <= _bytes(button.get("name")) <= TOP_NAME:
        raise Refused(40018, "invalid button name size")
    subs = button.get("sub_button") or []
    if not subs:
        _check(button, 40017, 40019, 40020)
    if not isinstance(subs, list) or len(subs) > SUB:
        raise Refused(40023, "invalid sub button size")
    for sub in subs:
        if not isinstance(sub, dict) or sub.get("sub_button"):
            raise Refused(40022, "invalid sub button level")
        if not 1 <= _bytes(sub.get("name")) <= SUB_NAME:
            raise Refused(40025, "invalid sub button name size")
        _check(sub, 40024, 40026, 40027)


def _check(button: dict[str, Any], bad_type: int, bad_key: int, bad_url: int) -> None:
    kind = button.get("type")
    if kind not in TYPES:
        raise Refused(bad_type, "invalid button type")
    if kind in {"view", "miniprogram"}:
        if not 1 <= _bytes(button.get("url")) <= URL or not str(button["url"]).startswith(("http://", "https://")):
            raise Refused(bad_url, "invalid button url size")
    elif kind not in {"media_id", "article_id", "article_view_limited"} and not 1 <= _bytes(button.get("key")) <= KEY:
        raise Refused(bad_key, "invalid button key size")


def _bytes(value: object) -> int:
    return len(value.encode()) if isinstance(value, str) else 0
