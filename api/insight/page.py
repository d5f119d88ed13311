"""The dashboards: one page under /insight, its script and style joined from small files, and Apache ECharts."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response

from api.desk.page import STATIC, VENDORED, Bundle

ECHARTS_VERSION = "6.1.0"
ECHARTS = f"echarts-{ECHARTS_VERSION}.min.js"
ECHARTS_FILE = "vendor/echarts/echarts.min.js"
# Drawings, words, dialogs and forms are those of the desk and of the widget.
SHARED = (
    *(f"widget/{name}.js" for name in ("base", "http", "icons", "text")),
    *(f"desk/{name}.js" for name in ("words", "api", "glyphs", "tabs", "toasts", "dialog", "form")),
)
SCRIPTS = tuple(
    f"insight/{name}.js"
    for name in (
        "numbers", "api", "route", "live", "figure", "chart_style", "chart_kinds", "chart_shapes", "chart_table",
        "chart", "board", "file", "drawer", "login", "app", "portrait", "intents", "learning", "learning_group", "faq",
        "models", "campaigns", "weekly", "pages", "boot",
    )
)  # fmt: skip
# The weekly report draws with the same hands, and shows nothing else.
REPORT_SCRIPTS = (
    *(f"widget/{name}.js" for name in ("base", "http", "icons", "text")),
    *(f"desk/{name}.js" for name in ("words", "glyphs")),
    *(
        f"insight/{name}.js"
        for name in ("numbers", "chart_style", "chart_kinds", "chart_shapes", "chart_table", "report")
    ),
)
STYLES = (
    *(f"desk/{name}.css" for name in ("base", "dialog")),
    *(f"insight/{name}.css" for name in ("page", "board", "work", "print")),
)
REPORT_STYLES = ("insight/report.css",)
# As the desk's; ECharts empties its boxes by innerHTML = "", which the page's own policy lets pass, and nothing else.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; style-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types default"
)
SCRIPT, STYLE = "text/javascript; charset=utf-8", "text/css; charset=utf-8"
MEDIA = {"insight.js": SCRIPT, "insight.css": STYLE, "report.js": SCRIPT, "report.css": STYLE, ECHARTS: SCRIPT}
FRESH, FOREVER = "no-cache", "public, max-age=31536000, immutable"

router = APIRouter(include_in_schema=False)


def join_script(names: tuple[str, ...] = SHARED + SCRIPTS, static: Path = STATIC) -> str:
    """Return JavaScript of the page: one function around Preact, what is shared, and our files."""
    vendored = (static / VENDORED).read_text("utf-8")
    common = "\n".join((static / name).read_text("utf-8") for name in names)
    return (
        '(function () {\n"use strict";\nconst library = {};\n'
        f"(function (exports, module, define) {{\n{vendored}\n}}).call(library);\n"
        f"const {{ htmPreact }} = library;\n{common}\n}})();\n"
    )


def join_style(names: tuple[str, ...] = STYLES, static: Path = STATIC) -> str:
    """Return a style sheet of the page."""
    return "\n".join((static / name).read_text("utf-8") for name in names)


def content(name: str) -> str:
    """Return a file of /insight/static by its name; KeyError if there is none."""
    made: dict[str, Callable[[], str]] = {
        "insight.js": join_script, "insight.css": join_style,
        "report.js": lambda: join_script(REPORT_SCRIPTS), "report.css": lambda: join_style(REPORT_STYLES),
        ECHARTS: lambda: (STATIC / ECHARTS_FILE).read_text("utf-8"),
    }  # fmt: skip
    return made[name]()


def _newest() -> int:
    folders = ("insight", "desk", "widget", "vendor", "vendor/echarts")
    return max(file.stat().st_mtime_ns for folder in folders for file in (STATIC / folder).iterdir())


@lru_cache(maxsize=10)
def _bundle(name: str, newest: int) -> Bundle:  # noqa: ARG001  a change of any file makes another bundle
    plain = content(name).encode()
    return Bundle(plain, gzip.compress(plain, mtime=0), f'W/"{hashlib.sha256(plain).hexdigest()[:32]}"')


@router.get("/insight")
@router.get("/insight/")
def page() -> Response:
    """Return the page; all it shows comes later, from /v1/insight, to who has signed in."""
    return Response(
        (STATIC / "insight" / "index.html").read_bytes(), media_type="text/html; charset=utf-8",
        headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": FRESH},
    )  # fmt: skip


@router.api_route("/insight/static/{name}", methods=["GET", "HEAD"])
def file(name: str, request: Request) -> Response:
    """Return a joined file, asked for again each time and mostly answered by 304, or ECharts, which never changes."""
    if name not in MEDIA:
        raise HTTPException(404)
    bundle = _bundle(name, _newest())
    cached = FOREVER if name == ECHARTS else FRESH
    headers = {"ETag": bundle.etag, "Cache-Control": cached, "Vary": "Accept-Encoding"}
    if bundle.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    body = bundle.plain
    if "gzip" in request.headers.get("accept-encoding", ""):
        body, headers["Content-Encoding"] = bundle.packed, "gzip"
    return Response(body, media_type=MEDIA[name], headers=headers)
