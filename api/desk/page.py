"""The agents' console: one page under /desk, its script and its style joined from small files, as the widget's are."""

from __future__ import annotations

import gzip
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter, HTTPException, Request, Response

STATIC = Path(__file__).parents[1] / "static"
VENDORED = "vendor/preact-htm.umd.js"
# Drawings, figures, times and the cards are the widget's own: an agent sees what the customer sees.
SHARED = tuple(f"widget/{name}.js" for name in ("base", "http", "icons", "text", "photo", "cards", "chart"))
SCRIPTS = tuple(
    f"desk/{name}.js"
    for name in (
        "words", "api", "glyphs", "tabs", "toasts", "dialog", "form", "ticks", "alerts", "stream", "sends", "talk",
        "inbox_state", "desk_state", "happenings", "login", "account", "case_row", "inbox", "reveal", "message",
        "understood", "log", "head", "canned", "composer", "cards_out", "steps", "wrapup", "orders", "order",
        "customer", "facts", "keys", "conversation", "shell",
    )
)  # fmt: skip
# The supervisor's tabs: each in a function of its own, so that names inside cannot meet; it calls registerTab().
TABS = tuple(
    f"desk/{name}.js" for name in ("wall", "callbacks", "quality", "hall", "outgoing", "people", "hours", "audit")
)
LAST = "desk/boot.js"
STYLES = (
    "widget/cards.css",
    *(f"desk/{name}.css" for name in ("base", "inbox", "talk", "compose", "side", "dialog", "wall", "hall")),
)
# No script, style or frame from anywhere else; the stream of events goes to this very origin.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; style-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
MEDIA = {"desk.js": "text/javascript; charset=utf-8", "desk.css": "text/css; charset=utf-8"}

router = APIRouter(include_in_schema=False)


class Bundle(NamedTuple):
    """One file ready to be served: plain, compressed, and the tag that names this very content."""

    plain: bytes
    packed: bytes
    etag: str


def join_script(static: Path = STATIC) -> str:
    """Return the console's JavaScript: one function around Preact, the widget's drawings and our files."""
    vendored = (static / VENDORED).read_text("utf-8")
    common = "\n".join((static / name).read_text("utf-8") for name in (*SHARED, *SCRIPTS))
    tabs = "\n".join(f"(() => {{\n{(static / name).read_text('utf-8')}\n}})();" for name in _present(static, TABS))
    last = (static / LAST).read_text("utf-8")
    return (
        '(function () {\n"use strict";\nconst library = {};\n'
        f"(function (exports, module, define) {{\n{vendored}\n}}).call(library);\n"
        f"const {{ htmPreact }} = library;\n{common}\n{tabs}\n{last}\n}})();\n"
    )


def join_style(static: Path = STATIC) -> str:
    """Return the console's style sheet."""
    return "\n".join((static / name).read_text("utf-8") for name in _present(static, STYLES))


def _present(static: Path, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if (static / name).exists()]


def _newest() -> int:
    return max(
        file.stat().st_mtime_ns for folder in ("desk", "widget", "vendor") for file in (STATIC / folder).iterdir()
    )


@lru_cache(maxsize=4)
def _bundle(name: str, newest: int) -> Bundle:  # noqa: ARG001  a change of any file makes another bundle
    plain = (join_script() if name == "desk.js" else join_style()).encode()
    return Bundle(plain, gzip.compress(plain, mtime=0), f'W/"{hashlib.sha256(plain).hexdigest()[:32]}"')


@router.get("/desk")
@router.get("/desk/")
def page() -> Response:
    """Return the page; all it shows comes later, from /v1/desk, to who has signed in."""
    return Response(
        (STATIC / "desk" / "index.html").read_bytes(), media_type="text/html; charset=utf-8",
        headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-cache"},
    )  # fmt: skip


@router.api_route("/desk/static/{name}", methods=["GET", "HEAD"])
def file(name: str, request: Request) -> Response:
    """Return the joined script or style sheet; a browser asks again each time and mostly hears 304."""
    if name not in MEDIA:
        raise HTTPException(404)
    bundle = _bundle(name, _newest())
    headers = {"ETag": bundle.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if bundle.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    body = bundle.plain
    if "gzip" in request.headers.get("accept-encoding", ""):
        body, headers["Content-Encoding"] = bundle.packed, "gzip"
    return Response(body, media_type=MEDIA[name], headers=headers)
