"""The whole fake as one ASGI application: API, OAuth, control, phone page; on loopback addresses alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from tests.fake_wechat import oauth
from tests.fake_wechat.api import Api
from tests.fake_wechat.control import Control
from tests.fake_wechat.state import World

STATIC = Path(__file__).parent / "static"
HOSTS = ("127.0.0.1", "localhost", "[::1]")
POLICY = "default-src 'self'; img-src 'self' data: blob:; frame-ancestors 'none'; base-uri 'none'"


class App:
    """Sends API calls the short way and everything else to Starlette."""

    def __init__(self, world: World, set_down: Callable[[str | None], Awaitable[None]]) -> None:
        self.world, self.api = world, Api(world)
        self._pages = Starlette(
            routes=[
                Route("/", self._page),
                Route("/connect/oauth2/authorize", self._authorize),
                *Control(world, set_down).routes(),
                Mount("/static", StaticFiles(directory=STATIC)),
            ]
        )

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http" and not _local(scope):
            await PlainTextResponse("this host is not served", status_code=421)(scope, receive, send)
        elif scope["type"] == "http" and scope["path"].startswith(("/cgi-bin/", "/sns/", "/wxaapi/")):
            await self.api(scope, receive, send)
        else:
            await self._pages(scope, receive, send)

    async def _page(self, request: Request) -> Response:
        headers = {"content-security-policy": POLICY, "cache-control": "no-store"}
        return HTMLResponse((STATIC / "phone.html").read_text(), headers=headers)

    async def _authorize(self, request: Request) -> Response:
        try:
            target = oauth.authorize(self.world, dict(request.query_params), request.cookies.get(oauth.COOKIE))
        except oauth.BadPage as error:
            page = f"<!doctype html><html lang=zh-CN><meta charset=utf-8><title>微信</title><p>{error}"
            return HTMLResponse(page, status_code=200)
        return RedirectResponse(target, status_code=302, headers={"cache-control": "no-store"})


def _local(scope: dict[str, Any]) -> bool:
    host = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
    return host.rpartition(":")[0] in HOSTS or host in HOSTS
