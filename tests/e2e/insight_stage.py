"""The pages under /insight on a stage: the real page and its files, with prepared answers in place of databases."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse

from api.insight.page import router as pages

DATA = Path(__file__).parents[1] / "data" / "insight"
ME = {"id": 3, "login": "tan", "name": "谭敏", "staff_no": "2003", "role": "supervisor", "must_change": False}
SESSION = {"agent": {**ME, "skills": [], "capacity": 0, "status": "offline"}, "csrf_token": "token"}


def read(name: str) -> Any:
    """Return one prepared answer."""
    return json.loads((DATA / f"{name}.json").read_text("utf-8"))


class Stage:
    """What the pretended bridge knows: who is signed in, the version of its data, what was asked of it."""

    def __init__(self, url: str) -> None:
        self.url, self.signed, self.there, self.version = url, True, True, 1
        self.boards: dict[str, Any] = {name: read(name) for name in ("service", "customers", "network", "model")}
        self.asked: list[str] = []
        self.deeds: list[tuple[str, Any]] = []
        self.done: set[int] = set()
        self.more: str | None = None  # where the next page of groups begins
        self.refusing: set[str] = set()  # paths that are answered by 500

    def answer(self, path: str) -> Any:
        """Return what a path of /v1/insight holds, None if nothing."""
        if path == "pulse":
            return {"version": str(self.version)}
        if path.startswith("boards/"):
            return self.boards.get(path.removeprefix("boards/"))
        if path.startswith("rows/"):
            return read("rows")
        if path.startswith("portraits/"):
            return read("portrait") if path.endswith("3101000012345") else None
        if path == "learning/groups":
            return {**read("learning_groups"), "next": self.more}
        if path.startswith("learning/groups/"):
            group = read("learning_group")
            return {**group, "items": [one for one in group["items"] if one["id"] not in self.done]}
        name = path.replace("/", "_")
        return read(name) if (DATA / f"{name}.json").exists() else None

    def take(self, path: str, body: Any) -> Any:
        """Note a deed."""
        self.deeds.append((path, body))
        if path in ("learning/items/label", "learning/items/dismiss"):
            self.done |= set(body["ids"])
        if path == "learning/items/undo":
            self.done -= set(body["ids"])
        return {"id": 77, "version": 1}


def _routes(stage: Stage) -> APIRouter:
    router = APIRouter()

    @router.get("/v1/desk/me")
    def me() -> Response:
        return JSONResponse(SESSION) if stage.signed else _refused(401, "您还没有登录")

    @router.post("/v1/desk/login")
    def login() -> Any:
        stage.signed = True
        return SESSION

    @router.get("/v1/insight/{path:path}")
    def get(path: str, request: Request) -> Response:
        stage.asked.append(f"{path}?{request.url.query}")
        return _got(stage, path)

    @router.post("/v1/insight/{path:path}")
    async def post(path: str, request: Request) -> Any:
        return stage.take(path, json.loads(await request.body() or b"null"))

    @router.patch("/v1/insight/{path:path}")
    async def patch(path: str, request: Request) -> Any:
        if path in stage.refusing:
            return _refused(500, "服务器出了点问题，请稍后再试。")
        return stage.take(path, json.loads(await request.body() or b"null"))

    return router


def _got(stage: Stage, path: str) -> Response:
    """Return what the bridge would, as far as it is there."""
    if not stage.there:
        return _refused(502, "坏了")
    if not stage.signed:
        return _refused(401, "登录已过期")
    if path in stage.refusing:
        return _refused(500, "服务器出了点问题，请稍后再试。")
    if path.endswith(".csv"):
        return Response("\ufeff日期,会话", media_type="text/csv", headers={"Content-Disposition": "attachment"})
    found = stage.answer(path)
    return _refused(404, "没有") if found is None else JSONResponse(found)


def _refused(status: int, detail: str) -> Response:
    return JSONResponse({"status": status, "detail": detail}, status, media_type="application/problem+json")


@contextmanager
def staged() -> Iterator[Stage]:
    """Serve the stage on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    stage = Stage(f"http://127.0.0.1:{port}")
    app = FastAPI()
    app.include_router(pages)
    app.include_router(_routes(stage))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield stage
    finally:
        server.should_exit = True
        thread.join(5)
