"""The control API under /_fake/: what a test, and the phone page, make happen and read."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.fake_wechat import phone, tally, templates
from tests.fake_wechat.acts import ACTS
from tests.fake_wechat.pushes import Plan, Push
from tests.fake_wechat.state import User, World

LONGEST_WAIT = 25.0


class BadOrder(Exception):
    """The caller asked for something that there is not."""


async def _body(request: Request) -> dict[str, Any]:
    body = await request.body()
    try:
        value = json.loads(body) if body else {}
    except ValueError as error:
        raise BadOrder(f"no JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadOrder("no JSON object")
    return value


def _user(world: World, openid: object) -> User:
    """Return the user; somebody new follows already, without an event."""
    if not isinstance(openid, str) or not openid:
        raise BadOrder("openid is missing")
    return world.add_user(openid)


class Control:
    """The routes; `down` is how the API fails (None: it works), `set_down` changes that."""

    def __init__(self, world: World, set_down: Callable[[str | None], Awaitable[None]]) -> None:
        self._world, self._set_down = world, set_down

    def routes(self) -> list[Route]:
        def post(path: str, handler: Any) -> Route:
            return Route(f"/_fake/{path}", _guarded(handler), methods=["POST"])

        def get(path: str, handler: Any) -> Route:
            return Route(f"/_fake/{path}", _guarded(handler), methods=["GET"])

        return [
            get("ready", self.ready), post("reset", self.reset), get("settings", self.settings),
            post("settings", self.change_settings), post("clock", self.clock), post("down", self.down),
            get("faults", self.faults), post("faults", self.add_fault), post("faults/clear", self.clear_faults),
            post("plan", self.plan), post("users", self.add_users), get("users", self.users),
            post("act", self.act), post("tap", self.tap), post("press", self.press), post("again", self.again),
            post("subscribe", self.subscribe), post("grant", self.grant), post("templates", self.add_template),
            post("code", self.code), post("spoil-tokens", self.spoil_tokens), post("forget-media", self.forget_media),
            get("screen", self.screen), get("shown", self.shown), get("tally", self.tally), get("calls", self.calls),
            get("refused", self.refused), get("counters", self.counters), get("pushes", self.pushes),
            post("idle", self.idle), post("check-url", self.check_url), get("menu", self.menu),
            Route("/_fake/media/{media_id}", self.media, methods=["GET"]),
        ]  # fmt: skip

    async def ready(self, request: Request) -> Any:
        return {"ok": True}

    async def reset(self, request: Request) -> Any:
        await self._set_down(None)
        self._world.reset()
        return {"ok": True}

    async def settings(self, request: Request) -> Any:
        return self._world.settings.public()

    async def change_settings(self, request: Request) -> Any:
        self._world.settings.change(await _body(request))
        return self._world.settings.public()

    async def clock(self, request: Request) -> Any:
        asked, clock = await _body(request), self._world.clock
        clock.offset = float(asked.get("offset", clock.offset)) + float(asked.get("advance", 0))
        return {"offset": clock.offset, "now": clock.now()}

    async def down(self, request: Request) -> Any:
        how = (await _body(request)).get("how")
        if how not in {None, "refuse", "502", "drop", "hang"}:
            raise BadOrder("how is refuse, 502, drop, hang or null")
        await self._set_down(how)
        return {"down": how}

    async def faults(self, request: Request) -> Any:
        return self._world.faults.public()

    async def add_fault(self, request: Request) -> Any:
        asked = await _body(request)
        if seconds := asked.pop("seconds", None):
            asked["until"] = self._world.now() + seconds
        return {"id": self._world.faults.add(asked).id}

    async def clear_faults(self, request: Request) -> Any:
        self._world.faults.clear()
        return {"ok": True}

    async def plan(self, request: Request) -> Any:
        self._world.pusher.set_plan(Plan(**await _body(request)))
        return {"ok": True}

    async def add_users(self, request: Request) -> Any:
        """Add users who follow already: by `openids`, or `count` of them with a `prefix`."""
        asked, world = await _body(request), self._world
        prefix = asked.get("prefix", "oMany")
        width = 28 - len(prefix)
        openids = asked.get("openids") or [f"{prefix}{number:0{width}d}" for number in range(asked.get("count", 0))]
        for openid in openids:
            world.add_user(openid, following=asked.get("following", True))
        return {"openids": openids if asked.get("list", True) else len(openids)}

    async def users(self, request: Request) -> Any:
        everyone = request.query_params.get("all")
        return [phone.public(self._world, user) for user in self._world.users.values() if everyone or user.demo]

    async def act(self, request: Request) -> Any:
        asked = await _body(request)
        act = ACTS.get(asked.get("do", ""))
        if act is None:
            raise BadOrder(f"do is one of {', '.join(ACTS)}")
        push = act(self._world, _user(self._world, asked.get("openid")), asked)
        return await _answered(push, wait=asked.get("wait", True))

    async def tap(self, request: Request) -> Any:
        asked = await _body(request)
        user = _user(self._world, asked.get("openid"))
        if target := asked.get("target"):
            push, url = phone.follow_target(self._world, user, target)
        else:
            push, url = phone.tap(self._world, user, asked["words"])
        return {"url": url, "push": await _answered(push, wait=asked.get("wait", True))}

    async def press(self, request: Request) -> Any:
        asked = await _body(request)
        push, url = phone.press(self._world, _user(self._world, asked.get("openid")), asked["name"])
        return {"url": url, "push": await _answered(push, wait=asked.get("wait", True))}

    async def again(self, request: Request) -> Any:
        asked = await _body(request)
        found = next((one for one in self._world.pusher.pushes if one.id == asked["id"]), None)
        if found is None:
            raise BadOrder("there is no such push")
        return await _answered(self._world.pusher.again(found), wait=asked.get("wait", True))

    async def subscribe(self, request: Request) -> Any:
        """A user agrees to subscription messages: `times`, or null for as long as they follow; `status`: or says no.

        `end`: they take none any more.
        """
        asked = await _body(request)
        user, template_id = _user(self._world, asked.get("openid")), asked["template_id"]
        if asked.get("end"):
            templates.decline(self._world, user, template_id)
        else:
            status = asked.get("status", "accept")
            templates.agree(self._world, user, template_id, asked.get("times"), status=status)
        return {"ok": True}

    async def grant(self, request: Request) -> Any:
        asked = await _body(request)
        user = _user(self._world, asked.get("openid"))
        self._world.quotas.grant(user.openid, asked["kind"], self._world.now())
        return {"ok": True}

    async def add_template(self, request: Request) -> Any:
        asked = await _body(request)
        self._world.templates.add(asked["id"], asked.get("title", asked["id"]), asked.get("fields"))
        return {"ok": True}

    async def code(self, request: Request) -> Any:
        """Issue an OAuth code without a browser."""
        asked = await _body(request)
        user = _user(self._world, asked.get("openid"))
        made = self._world.codes.make(
            user.openid, "snsapi_base", self._world.now(), snapshot=asked.get("snapshot", False)
        )
        return {"code": made}

    async def spoil_tokens(self, request: Request) -> Any:
        self._world.tokens.spoil()
        return {"ok": True}

    async def forget_media(self, request: Request) -> Any:
        return {"known": self._world.media.forget((await _body(request))["media_id"])}

    async def screen(self, request: Request) -> Any:
        """What a phone shows after number `after`; waits for more if asked to."""
        query, world = request.query_params, self._world
        user = _user(world, query.get("openid"))
        after, seen = int(query.get("after", 0)), query.get("seen", "")
        end = time.monotonic() + min(float(query.get("wait", 0)), LONGEST_WAIT)
        while True:
            new = [one.public() for one in user.screen if one.n > after]
            about = phone.public(world, user) | {"menu": world.menus.menu_id if world.menus.menu else 0}
            mark = f"{about['typing']}-{about['following']}-{about['menu']}-{about['shown']}"
            left = end - time.monotonic()
            if new or (seen and mark != seen) or left <= 0:
                return {"shown": new, "user": about, "mark": mark, "now": world.now()}
            changed = world.changed
            try:  # at most a second: somebody stops typing without an event
                await asyncio.wait_for(changed.wait(), min(left, 1.0))
            except TimeoutError:
                continue

    async def shown(self, request: Request) -> Any:
        way, openid, after = (request.query_params.get(name) for name in ("way", "openid", "after"))
        every = self._world.users[openid].screen if openid in self._world.users else self._world.all_shown
        if openid and openid not in self._world.users:
            return []
        return [one.public() for one in every if (not way or one.way == way) and one.n > int(after or 0)]

    async def tally(self, request: Request) -> Any:
        query = request.query_params
        return tally.tally(self._world, query.get("way", "template"), query.get("words", ""))

    async def calls(self, request: Request) -> Any:
        return tally.calls(self._world, request.query_params["path"])

    async def refused(self, request: Request) -> Any:
        where = request.query_params.get("where", "")
        return [one for one in self._world.refused if where in one["where"]]

    async def counters(self, request: Request) -> Any:
        return dict(self._world.counters) | {"push.under_way": self._world.pusher.under_way}

    async def pushes(self, request: Request) -> Any:
        openid = request.query_params.get("openid")
        return [one.public() for one in self._world.pusher.pushes if not openid or one.openid == openid]

    async def idle(self, request: Request) -> Any:
        return {"idle": await self._world.pusher.wait_idle(float((await _body(request)).get("timeout", 60)))}

    async def check_url(self, request: Request) -> Any:
        good, status, text = await self._world.pusher.check_url()
        return {"good": good, "status": status, "text": text}

    async def menu(self, request: Request) -> Any:
        return self._world.menus.menu or {"button": []}

    async def media(self, request: Request) -> Response:
        stored = self._world.media.get(request.path_params["media_id"], self._world.now())
        if stored is None:
            return Response(status_code=404)
        return Response(stored.data, media_type=stored.media_type, headers={"x-content-type-options": "nosniff"})


async def _answered(push: Push | None, *, wait: bool) -> Any:
    if push is None:
        return None
    if wait:
        await push.done.wait()
    return push.public()


def _guarded(handler: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
    async def guarded(request: Request) -> Response:
        try:
            return JSONResponse(await handler(request))
        except (BadOrder, phone.NotThere, ValueError, TypeError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        except KeyError as error:
            return JSONResponse({"error": f"{error} is missing or unknown"}, status_code=400)

    return guarded
