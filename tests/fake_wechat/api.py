"""The API as an ASGI application: token check, faults on purpose, one function a path; it must be fast."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from array import array
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from tests.fake_wechat import media, menus, messages, oauth, scenes, templates, tokens
from tests.fake_wechat.call import Binary, Call, Refused
from tests.fake_wechat.faults import Fault
from tests.fake_wechat.state import World

Answer = dict[str, Any] | Binary
Handler = Callable[[World, Call], Answer]
Receive = Callable[[], Any]
Send = Callable[[dict[str, Any]], Any]
LARGEST = 16 << 20
HANG_SECONDS = 120.0


def _domains(world: World, call: Call) -> Answer:
    return {"ip_list": ["127.0.0.1/32"]}


def _check(world: World, call: Call) -> Answer:
    ping = {"ip": "127.0.0.1", "from_operator": "LOOPBACK", "package_loss": "0%", "time": "0.1ms"}
    return {"dns": [{"ip": "127.0.0.1", "real_operator": "LOOPBACK"}], "ping": [ping]}


def _clear(world: World, call: Call) -> Answer:
    world.arrivals_custom.clear()
    world.arrivals_template.clear()
    return {"errcode": 0, "errmsg": "ok"}


GET, POST, ANY = "GET", "POST", "ANY"
OPEN: dict[str, tuple[str, Handler]] = {  # without an access token
    "/cgi-bin/token": (ANY, tokens.get_token),
    "/cgi-bin/stable_token": (POST, tokens.stable_token),
    "/cgi-bin/showqrcode": (GET, scenes.show_code),
    "/sns/oauth2/access_token": (ANY, oauth.redeem),
}
CLOSED: dict[str, tuple[str, Handler]] = {
    "/cgi-bin/message/custom/send": (POST, messages.send),
    "/cgi-bin/message/custom/typing": (POST, messages.typing),
    "/cgi-bin/message/template/send": (POST, templates.send),
    "/cgi-bin/message/subscribe/bizsend": (POST, templates.send_subscription),
    "/cgi-bin/ticket/getticket": (GET, tokens.page_ticket),
    "/cgi-bin/template/get_all_private_template": (GET, templates.listed),
    "/cgi-bin/media/upload": (POST, media.upload),
    "/cgi-bin/media/get": (GET, media.download),
    "/cgi-bin/menu/create": (POST, menus.create),
    "/cgi-bin/menu/get": (GET, menus.get),
    "/cgi-bin/menu/delete": (GET, menus.delete),
    "/cgi-bin/get_current_selfmenu_info": (GET, menus.selfmenu),
    "/cgi-bin/qrcode/create": (POST, scenes.create),
    "/cgi-bin/user/info": (GET, scenes.user_info),
    "/cgi-bin/user/info/batchget": (POST, scenes.user_batch),
    "/cgi-bin/user/get": (GET, scenes.user_list),
    "/cgi-bin/get_api_domain_ip": (GET, _domains),
    "/cgi-bin/getcallbackip": (GET, _domains),
    "/cgi-bin/callback/check": (POST, _check),
    "/cgi-bin/clear_quota": (POST, _clear),
}


class Api:
    """Answers what begins with /cgi-bin/ or /sns/."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.down: str | None = None  # how every call fails: "502", "drop", "hang"; None: it works

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        call = await _read(scope, receive)
        world = self.world
        world.calls.setdefault(call.path, array("d")).append(time.monotonic())
        world.counters[f"call.{call.path}"] += 1
        if self.down is not None:
            how = {"502": "status"}.get(self.down, self.down)
            await _fail(Fault(0, "", how, code=502), receive, send)  # type: ignore[arg-type]
            return
        fault = world.faults.take(call.path, call.body, world.now())
        if fault is None:
            await _send(send, answer(world, call))
            return
        world.counters[f"fault.{fault.how}"] += 1
        if fault.delay:
            await asyncio.sleep(fault.delay)
        kept = answer(world, call) if fault.after or fault.how == "delay" else None
        if fault.how == "delay":
            assert kept is not None
            await _send(send, kept)
            return
        world.refuse(call.path, fault.code if fault.how == "errcode" else None, f"fault {fault.how}", call.openid,
                     "carried out all the same" if fault.after else "")  # fmt: skip
        await _fail(fault, receive, send)


def answer(world: World, call: Call) -> Answer:
    """Carry out one call."""
    try:
        return _handler(world, call)(world, call)
    except Refused as refused:
        world.refuse(call.path, refused.code, refused.message, call.openid, call.body[:200].decode("utf-8", "replace"))
        return {"errcode": refused.code, "errmsg": f"{refused.message} rid: {secrets.token_hex(12)}"}
    except (TypeError, ValueError, KeyError, AttributeError) as error:  # fields of other types than Tencent's
        world.refuse(call.path, 47001, f"data format error: {error!r}", call.openid)
        return {"errcode": 47001, "errmsg": f"data format error rid: {secrets.token_hex(12)}"}


def _handler(world: World, call: Call) -> Handler:
    method, handler = OPEN.get(call.path) or CLOSED.get(call.path) or (None, None)
    if handler is None:
        raise Refused(40066, "invalid url")
    if method not in {ANY, call.method}:
        raise Refused(43002 if method == POST else 43001, f"require {method} method")
    if call.path in CLOSED:
        world.tokens.check(call.query.get("access_token", ""), world.now())
    return handler


async def _read(scope: dict[str, Any], receive: Receive) -> Call:
    parts, size = [], 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size <= LARGEST:
            parts.append(part)
        if not message.get("more_body"):
            break
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return Call(scope["method"], scope["path"], query, headers, b"".join(parts))


async def _send(send: Send, given: Answer) -> None:
    if isinstance(given, Binary):
        headers = [(b"content-type", given.media_type.encode())]
        if given.name:
            headers.append((b"content-disposition", f'attachment; filename="{given.name}"'.encode()))
        await _plain(send, 200, headers, given.data)
        return
    body = json.dumps(given, ensure_ascii=False).encode()
    await _plain(send, 200, [(b"content-type", b"application/json; encoding=utf-8")], body)


async def _plain(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _fail(fault: Fault, receive: Receive, send: Send) -> None:
    if fault.how == "errcode":
        await _send(send, {"errcode": fault.code, "errmsg": f"fault on purpose rid: {secrets.token_hex(12)}"})
    elif fault.how == "status":
        page = b"<html><head><title>error</title></head><body>nginx</body></html>"
        await _plain(send, fault.code if fault.code > 0 else 502, [(b"content-type", b"text/html")], page)
    elif fault.how == "garbage":
        await _plain(send, 200, [(b"content-type", b"application/json")], b'{"errcode": 0, "errm')
    elif fault.how == "hang":
        await _hang(receive)
    else:
        abort(receive)


async def _hang(receive: Receive) -> None:
    """Answer nothing until the caller goes away."""
    try:
        async with asyncio.timeout(HANG_SECONDS):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        pass
    abort(receive)


def abort(receive: Receive) -> None:
    """Cut the connection; ASGI has no word for it, so it is asked of uvicorn's own object."""
    receive.__self__.transport.abort()  # type: ignore[attr-defined]
