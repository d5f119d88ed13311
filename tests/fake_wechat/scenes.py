"""QR codes with a scene, and what the API tells of users."""

from __future__ import annotations

import html
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tests.fake_wechat.call import Binary, Call, Refused
from tests.fake_wechat.state import User, World

LONGEST, SHORTEST = 2_592_000, 60  # seconds
PAGE = 10_000


@dataclass
class Code:
    scene: str
    ticket: str
    until: float | None


class Scenes:
    """All codes by ticket."""

    def __init__(self) -> None:
        self._codes: dict[str, Code] = {}

    def make(self, scene: str, until: float | None) -> Code:
        code = Code(scene, secrets.token_urlsafe(60), until)
        self._codes[code.ticket] = code
        return code

    def of(self, ticket: str, now: float) -> Code | None:
        code = self._codes.get(ticket)
        return code if code and (code.until is None or code.until > now) else None


def create(world: World, call: Call) -> dict[str, Any]:
    """`qrcode/create`."""
    asked = call.json()
    name = asked.get("action_name")
    if name not in {"QR_SCENE", "QR_STR_SCENE", "QR_LIMIT_SCENE", "QR_LIMIT_STR_SCENE"}:
        raise Refused(40052, "invalid action name")
    lasting = name.startswith("QR_LIMIT")
    scene = _scene(
        (asked.get("action_info") or {}).get("scene") or {}, named=name.endswith("STR_SCENE"), lasting=lasting
    )
    seconds = int(asked.get("expire_seconds") or SHORTEST)
    if not lasting and not 1 <= seconds <= LONGEST:
        raise Refused(40101, "missing parameter expire_seconds")
    code = world.scenes.make(scene, None if lasting else world.now() + seconds)
    answer = {"ticket": code.ticket, "url": f"http://weixin.qq.com/q/{code.ticket[:22]}"}
    return answer if lasting else {**answer, "expire_seconds": seconds}


def _scene(scene: dict[str, Any], *, named: bool, lasting: bool) -> str:
    if named:
        words = scene.get("scene_str")
        if not isinstance(words, str) or not 1 <= len(words) <= 64:
            raise Refused(40053, "invalid action info")
        return words
    number = scene.get("scene_id")
    if not isinstance(number, int) or not 1 <= number <= (100_000 if lasting else 2**32 - 1):
        raise Refused(40053, "invalid action info")
    return str(number)


def show_code(world: World, call: Call) -> Binary:
    """`showqrcode`: in place of a picture a page from which a user of the fake scans."""
    code = world.scenes.of(call.query.get("ticket", ""), world.now())
    if code is None:
        return Binary("<!doctype html><meta charset=utf-8><p>二维码已过期".encode(), "text/html; charset=utf-8")
    link = f"/?scan={quote(code.ticket)}"
    page = (f"<!doctype html><html lang=zh-CN><meta charset=utf-8><title>二维码</title>"
            f"<p>场景值：{html.escape(code.scene)}</p><p><a href='{link}'>用演示手机扫一扫</a></p>")  # fmt: skip
    return Binary(page.encode(), "text/html; charset=utf-8")


def user_info(world: World, call: Call) -> dict[str, Any]:
    return _info(world, call, call.query.get("openid"))


def user_batch(world: World, call: Call) -> dict[str, Any]:
    wanted = call.json().get("user_list")
    if not isinstance(wanted, list) or len(wanted) > 100:
        raise Refused(40032, "invalid openid list size")
    return {"user_info_list": [_info(world, call, one.get("openid")) for one in wanted if isinstance(one, dict)]}


def user_list(world: World, call: Call) -> dict[str, Any]:
    """`user/get`: 10,000 openids a page."""
    openids = [user.openid for user in world.users.values() if user.following]
    after = call.query.get("next_openid") or ""
    if after and after not in world.users:
        raise Refused(40003, "invalid openid")
    start = openids.index(after) + 1 if after in openids else 0
    page = openids[start : start + PAGE]
    answer: dict[str, Any] = {"total": len(openids), "count": len(page), "next_openid": page[-1] if page else ""}
    return {**answer, "data": {"openid": page}} if page else answer


def _info(world: World, call: Call, openid: object) -> dict[str, Any]:
    call.openid = openid if isinstance(openid, str) else None
    user = world.users.get(openid) if isinstance(openid, str) else None
    if user is None:
        raise Refused(40003, "invalid openid")
    return _following(user) if user.following else {"subscribe": 0, "openid": user.openid}


def _following(user: User) -> dict[str, Any]:
    by_code = "ADD_SCENE_QR_CODE" if user.scene else "ADD_SCENE_SEARCH"
    return {
        "subscribe": 1, "openid": user.openid, "nickname": "", "sex": 0, "language": "zh_CN", "city": "",
        "province": "", "country": "", "headimgurl": "", "subscribe_time": int(user.since), "remark": "",
        "groupid": 0, "tagid_list": [], "subscribe_scene": by_code,
        "qr_scene": int(user.scene) if user.scene.isdecimal() else 0, "qr_scene_str": user.scene,
    }  # fmt: skip
