"""The chat widget as one script: vendored Preact and our own files, wrapped so that no host page can interfere."""

import gzip
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter, Request, Response

STATIC = Path(__file__).parent / "static"
VENDORED = "vendor/preact-htm.umd.js"
STYLES = ("style.css", "record.css", "cards.css")
SCRIPTS = (
    "base.js",
    "http.js",
    "session.js",
    "outbox.js",
    "link.js",
    "marks.js",
    "icons.js",
    "text.js",
    "photo.js",
    "chat.js",
    "cards.js",
    "chart.js",
    "message.js",
    "log.js",
    "panel.js",
    "boot.js",
)

router = APIRouter()


class Bundle(NamedTuple):
    """The widget ready to be served: plain, compressed, and the tag that names this very content."""

    plain: bytes
    packed: bytes
    etag: str


def join_widget(static: Path = STATIC) -> str:
    """Return the widget's JavaScript: one function around Preact, the style sheet as a string and our files.

    The UMD gets its own `this` and undefined module names, so an AMD or CommonJS loader of the page never sees it.
    """
    style = "\n".join((static / "widget" / name).read_text("utf-8") for name in STYLES)
    parts = "\n".join((static / "widget" / name).read_text("utf-8") for name in SCRIPTS)
    vendored = (static / VENDORED).read_text("utf-8")
    return (
        '(function () {\n"use strict";\nconst library = {};\n'
        f"(function (exports, module, define) {{\n{vendored}\n}}).call(library);\n"
        "const { htmPreact } = library;\n"
        f"const STYLE = {json.dumps(style, ensure_ascii=False)};\n{parts}\n}})();\n"
    )


@cache
def load_bundle() -> Bundle:
    """Read and compress the widget once per process."""
    plain = join_widget().encode()
    return Bundle(plain, gzip.compress(plain, mtime=0), f'W/"{hashlib.sha256(plain).hexdigest()[:32]}"')


@router.api_route("/widget/v1.js", methods=["GET", "HEAD"], include_in_schema=False)
def serve_widget(request: Request) -> Response:
    """Serve the widget to any host page; a browser asks again each time and mostly hears 304."""
    bundle = load_bundle()
    headers = {
        "ETag": bundle.etag,
        "Cache-Control": "public, no-cache",
        "Vary": "Accept-Encoding",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "X-Content-Type-Options": "nosniff",
    }
    if bundle.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    body = bundle.plain
    if "gzip" in request.headers.get("accept-encoding", ""):
        body, headers["Content-Encoding"] = bundle.packed, "gzip"
    return Response(body, media_type="text/javascript; charset=utf-8", headers=headers)
