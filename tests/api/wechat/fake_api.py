"""Tencent's interface as a small ASGI application: keeps what it was asked, answers as the test says."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.channels.wechat.client import WeChatClient
from core.clock import Clock, system_clock

APPID, SECRET, OPENID = "wx2c2769f8efd9abc2", "secret5f0c6b1d4c8e9a533a8a8d1d6f10", "oyORnuP8q7ou2gfYjqLzSIWZf0rs"
URL = "https://api.weixin.test"


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    params: dict[str, str]
    body: bytes
    media_type: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class FakeApi:
    """`answers`: what the next calls of a path get, else `{"errcode": 0}` with what the path returns."""

    tokens: int = 1
    good: bool = True  # whether normal mode hands out a token that is taken
    lasts: int = 7200
    asked: list[Asked] = field(default_factory=list)
    answers: dict[str, deque[Any]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)  # tokens
    forced: int = 0

    @property
    def token(self) -> str:
        return f"TOKEN{self.tokens:04}_{'x' * 60}"

    def next(self, path: str, *answers: Any) -> None:
        self.answers.setdefault(path, deque()).extend(answers)

    def calls(self, path: str) -> list[Asked]:
        return [one for one in self.asked if one.path == path]

    async def serve(self, request: Request) -> Response:
        path, params = request.url.path, dict(request.query_params)
        media_type = request.headers.get("content-type", "")
        self.asked.append(Asked(request.method, path, params, await request.body(), media_type))
        if self.answers.get(path):
            answer = self.answers[path].popleft()
            if isinstance(answer, Exception):
                raise answer
            return answer if isinstance(answer, Response) else JSONResponse(answer)
        if path == "/cgi-bin/stable_token":
            return JSONResponse(self._issue())
        if not path.startswith("/sns/") and (params.get("access_token") != self.token or self.token in self.refused):
            return JSONResponse(
                {"errcode": 40001, "errmsg": "invalid credential, access_token is invalid or not latest"}
            )
        return JSONResponse(_DONE.get(path, {"errcode": 0, "errmsg": "ok"}))

    def _issue(self) -> dict[str, Any]:
        if self.asked[-1].json["force_refresh"]:
            self.forced += 1
            self.tokens += 1
        return {"access_token": self.token, "expires_in": self.lasts}

    def client(self, clock: Clock = system_clock) -> WeChatClient:
        app = Starlette(routes=[Route("/{path:path}", self.serve, methods=["GET", "POST"])])
        self.pauses: list[float] = []

        async def pause(seconds: float) -> None:
            self.pauses.append(seconds)

        http = httpx.AsyncClient(transport=httpx.ASGITransport(app))
        return WeChatClient(APPID, SECRET, URL, http=http, clock=clock, pause=pause)


_DONE: dict[str, dict[str, Any]] = {
    "/cgi-bin/media/upload": {"type": "image", "media_id": "MEDIA1", "created_at": 1763794800},
    "/cgi-bin/message/template/send": {"errcode": 0, "errmsg": "ok", "msgid": 200228332},
    "/cgi-bin/qrcode/create": {"ticket": "gQH47joAAAAAAAAAASxod+/=", "url": "http://weixin.qq.com/q/kZgfwMTm"},
    "/cgi-bin/menu/get": {"menu": {"button": [{"name": "查电费", "sub_button": []}], "menuid": 1}},
    "/sns/oauth2/access_token": {"access_token": "OAUTH", "expires_in": 7200, "openid": OPENID, "scope": "snsapi_base"},
}
