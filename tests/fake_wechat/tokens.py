"""Access tokens: the stable interface and the old one, apart from one another."""

from __future__ import annotations

import secrets
from typing import Any

from tests.fake_wechat.call import Call, Refused
from tests.fake_wechat.state import World

LIFE, OVERLAP = 7200.0, 300.0
FORCED_A_DAY, FORCED_APART, DAY = 20, 30.0, 86400.0


class Tokens:
    """Which tokens hold, and until when."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._stable = self._old = ""
        self._forced: list[float] = []

    def check(self, token: str, now: float) -> None:
        """Let a valid one pass.

        Raises:
            Refused: 41001, 40001, 42001.
        """
        if not token:
            raise Refused(41001, "access_token missing")
        until = self._until.get(token)
        if until is None:
            raise Refused(40001, "invalid credential, access_token is invalid or not latest")
        if until <= now:
            raise Refused(42001, "access_token expired")

    def old(self, now: float) -> dict[str, Any]:
        """Return a new token; the one before it holds five minutes more."""
        self._shorten(self._old, now + OVERLAP)
        self._old = self._issue(now)
        return self._answer(self._old, now)

    def stable(self, now: float, *, force: bool) -> dict[str, Any]:
        """Return the one token that everybody shares; in its last five minutes a new one beside it."""
        if force:
            self._may_force(now)
            self._until.pop(self._stable, None)
            self._stable = self._issue(now)
        elif self._until.get(self._stable, 0) - now <= OVERLAP:
            self._stable = self._issue(now)
        return self._answer(self._stable, now)

    def spoil(self) -> None:
        """Make all tokens invalid, as happens when somebody else asks for one or resets the secret."""
        self._until.clear()
        self._stable = self._old = ""

    def _may_force(self, now: float) -> None:
        self._forced = [at for at in self._forced if at > now - DAY]
        if len(self._forced) >= FORCED_A_DAY or (self._forced and now - self._forced[-1] < FORCED_APART):
            raise Refused(45009, "reach max api daily quota limit")
        self._forced.append(now)

    def _issue(self, now: float) -> str:
        token = f"{secrets.randbelow(90) + 10}_{secrets.token_urlsafe(96)}"
        self._until[token] = now + LIFE
        return token

    def _shorten(self, token: str, until: float) -> None:
        if token in self._until:
            self._until[token] = min(self._until[token], until)

    def _answer(self, token: str, now: float) -> dict[str, Any]:
        return {"access_token": token, "expires_in": int(self._until[token] - now)}


def get_token(world: World, call: Call) -> dict[str, Any]:
    if call.query.get("grant_type") != "client_credential":
        raise Refused(40002, "invalid grant_type")
    _known(world, call.query.get("appid"), call.query.get("secret"))
    return world.tokens.old(world.now())


def stable_token(world: World, call: Call) -> dict[str, Any]:
    asked = call.json()
    if asked.get("grant_type") != "client_credential":
        raise Refused(40002, "invalid grant_type")
    _known(world, asked.get("appid"), asked.get("secret"))
    return world.tokens.stable(world.now(), force=asked.get("force_refresh") is True)


def _known(world: World, appid: object, secret: object) -> None:
    if appid != world.settings.appid:
        raise Refused(40013, "invalid appid")
    if secret != world.settings.secret:
        raise Refused(40125, "invalid appsecret")


def page_ticket(world: World, call: Call) -> dict[str, Any]:
    """`ticket/getticket`: the same for two hours."""
    if call.query.get("type") != "jsapi":
        raise Refused(40097, "invalid args")
    now, (ticket, until) = world.now(), world.page_ticket
    if until <= now:
        ticket, until = world.page_ticket = secrets.token_urlsafe(64), now + LIFE
    return {"errcode": 0, "errmsg": "ok", "ticket": ticket, "expires_in": int(until - now)}
