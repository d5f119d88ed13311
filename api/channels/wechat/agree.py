"""The page on which a customer agrees to subscription messages (订阅通知): `/wechat/h5/notices`.

The button is WeChat's own tag, `wx-open-subscribe`, which shows nothing outside WeChat. It wants the page's address
signed with a ticket. Who agreed to what WeChat tells us by a push: so this page knows nobody and asks for no session.
It stands apart from the chat, whose page runs no script of others.
"""

from __future__ import annotations

import json
import secrets
from html import escape
from http import HTTPStatus
from pathlib import Path

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from api.channels.links import words
from api.channels.wechat.errors import WeChatError
from api.channels.wechat.page_ticket import signature
from api.channels.wechat.templates import Templates
from api.deps import Parts, PartsDep
from core.proactive.kinds import Notices

log = structlog.get_logger("api.wechat.agree")
router = APIRouter(prefix="/wechat", include_in_schema=False)
PAGE = "/wechat/h5/notices"
SDK = "https://res.wx.qq.com"
# WeChat's bridge calls the app by addresses of its own (weixin://…) that it opens in frames.
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; script-src 'self' {SDK}; connect-src 'self'; img-src 'self' data: https://*.qq.com; "
    "frame-src weixin: wvjbscheme:; "
    "style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# What stands in WeChat's own button: nothing outside reaches it.
_STYLE = (
    ".go{min-height:48px;padding:0 20px;border:0;border-radius:12px;"
    "background:#00706b;color:#fff;font:600 17px sans-serif}"
)
_FILE = Path(__file__).parents[2] / "static" / "h5" / "notices.html"


def asked_for(templates: Templates, notices: Notices) -> list[tuple[str, str]]:
    """Return the name and the template of each kind that a customer can agree to, each template once."""
    found: dict[str, str] = {}
    for kind, template_id in templates.singles.items():
        name = notices.kinds[kind].name if kind in notices.kinds else templates.kinds[kind].title
        found[template_id] = f"{found[template_id]}、{name}" if template_id in found else name
    return [(name, template_id) for template_id, name in found.items()]


@router.get("/h5/notices")
async def page(request: Request, parts: PartsDep) -> Response:
    """Return the page; 404 where no kind goes by subscription messages."""
    wechat = parts.wechat
    if wechat is None or not wechat.templates.singles:
        return Response(status_code=int(HTTPStatus.NOT_FOUND))
    try:
        ticket = await wechat.page_ticket.get(wechat.client, now=parts.clock())
    except WeChatError as error:
        log.warning("no_page_ticket", error=str(error))
        ticket = ""
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-store"}
    return HTMLResponse(_filled(parts, ticket, request.url.query), headers=headers)


def _filled(parts: Parts, ticket: str, query: str) -> str:
    """Return the page; without a ticket it says that it does not work now."""
    assert parts.wechat is not None
    said = words(parts.settings.data_dir).agree
    address = f"{parts.settings.public_url.rstrip('/')}{PAGE}{f'?{query}' if query else ''}"
    nonce, at = secrets.token_hex(8), int(parts.clock().timestamp())
    config = {
        "appId": parts.settings.wechat_appid, "timestamp": at, "nonceStr": nonce,
        "signature": signature(ticket, nonce, at, address) if ticket else "", "said": said,
    }  # fmt: skip
    kinds = asked_for(parts.wechat.templates, parts.manner.notices)
    rows = "".join(_row(name, template_id, said["agree"]) for name, template_id in kinds)
    text = _FILE.read_text("utf-8")
    given = {key: escape(said[key]) for key in ("title", "lead", "once", "outside", "back")}
    for key, value in {**given, "rows": rows, "sdk": SDK, "config": _inert(config)}.items():
        text = text.replace(f"{{{{{key}}}}}", value)
    return text


def _row(name: str, template_id: str, label: str) -> str:
    """Return one kind with WeChat's own button."""
    return (
        f'<li><span class="kind">{escape(name)}</span>'
        f'<wx-open-subscribe template="{escape(template_id, quote=True)}">'
        f'<script type="text/wxtag-template" slot="style"><style>{_STYLE}</style></script>'
        f'<script type="text/wxtag-template"><button class="go">{escape(label)}</button></script>'
        '</wx-open-subscribe><p role="status"></p></li>'
    )


def _inert(value: object) -> str:
    """Return JSON that ends no script element."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")
