"""OAuth of web pages inside WeChat: who the user is, by a code that holds once and for five minutes."""

from __future__ import annotations

import html
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from tests.fake_wechat.call import Call, Refused
from tests.fake_wechat.state import World

LIFE = 300.0
COOKIE = "fake_wechat_user"
SCOPES = {"snsapi_base", "snsapi_userinfo"}
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class BadPage(Exception):
    """WeChat shows this page instead of asking the site."""


@dataclass
class Code:
    openid: str
    scope: str
    until: float
    snapshot: bool
    used: bool = False


class Codes:
    def __init__(self) -> None:
        self._codes: dict[str, Code] = {}

    def make(self, openid: str, scope: str, now: float, *, snapshot: bool = False) -> str:
        code = secrets.token_hex(16)
        self._codes[code] = Code(openid, scope, now + LIFE, snapshot)
        return code

    def redeem(self, code: str, now: float) -> Code:
        """Return whose it is, once.

        Raises:
            Refused: 40029, 40163, 42003.
        """
        known = self._codes.get(code)
        if known is None:
            raise Refused(40029, "invalid code")
        if known.used:
            raise Refused(40163, "code been used")
        if known.until <= now:
            raise Refused(42003, "code expired")
        known.used = True
        return known


def authorize(world: World, query: dict[str, str], cookie: str | None) -> str:
    """Return where the browser is sent with a code.

    Raises:
        BadPage: what WeChat shows instead; an unknown user chooses on it.
    """
    if query.get("appid") != world.settings.appid:
        raise BadPage("该链接无法访问：appid 参数错误")
    if query.get("scope") not in SCOPES or query.get("response_type") != "code":
        raise BadPage("该链接无法访问：scope 或 response_type 参数错误")
    target = urlsplit(query.get("redirect_uri", ""))
    ours = LOOPBACK | {urlsplit(world.settings.push_url).hostname}
    if target.scheme not in {"http", "https"} or target.hostname not in ours:
        raise BadPage("redirect_uri 域名与后台配置不一致，错误码：10003")
    openid = query.get("fake_openid") or cookie or ""
    user = world.users.get(openid)
    if user is None:
        raise BadPage(_choice(world, query))
    snapshot = query["scope"] == "snsapi_userinfo" and user.snapshot
    code = world.codes.make(openid, query["scope"], world.now(), snapshot=snapshot)
    more = urlencode(
        [*parse_qsl(target.query, keep_blank_values=True), ("code", code), ("state", query.get("state", ""))]
    )
    return urlunsplit(target._replace(query=more, fragment=""))


def _choice(world: World, query: dict[str, str]) -> str:
    people = [user for user in world.users.values() if user.demo]
    links = [
        f'<li><a href="?{html.escape(urlencode({**query, "fake_openid": user.openid}, quote_via=quote))}">'
        f"{html.escape(user.name)}</a>"
        for user in people
    ]
    return f"请选择以哪位微信用户登录：<ul>{''.join(links)}</ul>"


def redeem(world: World, call: Call) -> dict[str, Any]:
    """`sns/oauth2/access_token`."""
    query = call.query
    if query.get("appid") != world.settings.appid:
        raise Refused(40013, "invalid appid")
    if query.get("secret") != world.settings.secret:
        raise Refused(40125, "invalid appsecret")
    if query.get("grant_type") != "authorization_code":
        raise Refused(40002, "invalid grant_type")
    if not query.get("code"):
        raise Refused(41008, "missing code")
    code = world.codes.redeem(query["code"], world.now())
    call.openid = code.openid
    answer: dict[str, Any] = {
        "access_token": secrets.token_urlsafe(80), "expires_in": 7200, "refresh_token": secrets.token_urlsafe(80),
        "openid": f"virtual-{code.openid[:20]}" if code.snapshot else code.openid, "scope": code.scope,
    }  # fmt: skip
    return {**answer, "is_snapshotuser": 1} if code.snapshot else answer
