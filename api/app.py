"""Puts the bridge together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from http import HTTPStatus

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse

from api import deliveries, health, papers, problems, uploads, widget
from api.bus import MemoryBus
from api.channels import stream, web
from api.channels.wechat import agree, courier, h5
from api.channels.wechat import routes as wechat_routes
from api.channels.wechat.channel import WeChat, connect
from api.channels.wechat.sweep import sweep as sweep_pushes
from api.deps import Parts
from api.desk.routes import ROUTERS
from api.desk_news import DeskNews
from api.desks import chatwoot_hooks
from api.desks.base import HandoffDesk
from api.desks.builtin import BuiltinDesk
from api.desks.chatwoot import ChatwootDesk
from api.dialogue import Dialogue
from api.dispatch import dispatch
from api.escalation import Escalation
from api.guard import Guard
from api.insight.access import words_checked
from api.insight.routes import ROUTERS as INSIGHT
from api.logs import RequestLog
from api.metrics import Metrics
from api.papers import hall_words_of
from api.plain import Spoken
from api.pulse import attended, pulse_of
from api.rasa import HttpRasa, Rasa
from api.reception import Reception
from api.settings import ApiSettings
from api.store import Store
from api.wording import Wording
from core.clock import Clock, system_clock
from core.db import Database
from core.handoff.book import Book
from core.proactive.source_notices import Manner
from core.safety import SafetyLine

DRAIN_SECONDS = 8.0
PUBLIC = (
    web.router, papers.router, uploads.router, stream.router, health.router, widget.router, wechat_routes.router,
    agree.router,
    h5.router,
)  # fmt: skip
LOOPS = (deliveries.deliver, deliveries.sweep, dispatch, courier.deliver, sweep_pushes)


def create_app(settings: ApiSettings, *, rasa: Rasa | None = None, clock: Clock = system_clock) -> FastAPI:
    """Return the bridge as an application; `rasa` and `clock` are replaced by tests."""
    parts = _parts(settings, rasa or HttpRasa(settings.rasa_url, settings.rasa_token.get_secret_value()), clock)
    app = FastAPI(
        title="电小服 bridge", version="1", lifespan=_lifespan,
        docs_url="/docs" if settings.development else None, redoc_url=None,
        openapi_url="/openapi.json",
    )  # fmt: skip
    app.state.parts = parts
    problems.install(app, parts.wording)
    app.add_middleware(Guard)
    if settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=settings.allowed_origins, allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-Request-Id"],
            expose_headers=["X-Request-Id", "Retry-After"],
        )  # fmt: skip
    app.add_middleware(RequestLog, metrics=parts.metrics, on_error=partial(_broken, parts.wording))
    words_checked(settings.data_dir)
    for router in (*PUBLIC, *ROUTERS, *INSIGHT):
        app.include_router(router)
    if settings.desk == "chatwoot":
        app.include_router(chatwoot_hooks.router)
    if settings.development:
        from api import codes, demo  # what helps a visitor to try the product is not even imported in production

        app.include_router(demo.router)
        app.include_router(codes.router)
        app.mount("/demo/static", demo.files)
    return app


def _parts(settings: ApiSettings, rasa: Rasa, clock: Clock) -> Parts:
    bridge, bus, metrics = Database(settings.bridge_url), MemoryBus(), Metrics()
    store = Store(bridge)
    wording = Wording.load(settings.data_dir / "wording.yaml")
    safety = SafetyLine.load(settings.data_dir / "safety.yaml")
    book, desk = Book.load(settings.data_dir), _desk(settings, bus)
    if isinstance(desk, ChatwootDesk):
        book = replace(book, staff=desk.staff)
    book = replace(book, staff=attended(book.staff, pulse_of(bus)))
    manner = Manner.load(settings.data_dir)
    identity_key = settings.identity_key.get_secret_value()
    dialogue = Dialogue(
        store=store, rasa=Spoken(rasa, key=identity_key, clock=clock), reception=Reception(
            safety=safety, wording=wording, metrics=metrics, book=book, keyring=settings.keyring(),
            hall=hall_words_of(settings.data_dir),
        ),
        escalation=Escalation(wording, book), news=DeskNews(desk, bus), bus=bus, metrics=metrics, clock=clock,
        identity_key=identity_key, deadline=settings.turn_deadline, book=book,
        notices=manner.notices,
    )  # fmt: skip
    parts = Parts(
        settings=settings, bridge=bridge, store=store, workorder=Database(settings.workorder_url),
        billing=Database(settings.billing_url, read_only=True), rasa=rasa, dialogue=dialogue, desk=desk,
        book=book, bus=bus, metrics=metrics, wording=wording, clock=clock, wechat=_wechat(settings, clock),
        manner=manner,
    )  # fmt: skip
    if isinstance(desk, ChatwootDesk):
        desk.join(parts)
    return parts


def _wechat(settings: ApiSettings, clock: Clock) -> WeChat | None:
    return connect(settings, clock) if settings.wechat_appid else None


def _desk(settings: ApiSettings, bus: MemoryBus) -> HandoffDesk:
    return ChatwootDesk(settings) if settings.desk == "chatwoot" else BuiltinDesk(bus)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    parts: Parts = app.state.parts
    loops = [asyncio.create_task(loop(parts)) for loop in LOOPS]
    yield
    for loop in loops:
        loop.cancel()
    await asyncio.gather(*loops, return_exceptions=True)
    await parts.dialogue.turns.drain(DRAIN_SECONDS)
    if parts.wechat:
        await parts.wechat.flights.land(1.0)
    if isinstance(parts.rasa, HttpRasa):
        await parts.rasa.close()
    if isinstance(parts.desk, ChatwootDesk):
        await parts.desk.close()
    if parts.wechat:
        await parts.wechat.client.close()
        parts.wechat.written.close()
    parts.store.close()
    for database in (parts.bridge, parts.workorder, parts.billing):
        database.dispose()


def _broken(wording: Wording, request_id: str) -> JSONResponse:
    return problems.problem(wording, request_id, HTTPStatus.INTERNAL_SERVER_ERROR, "internal")
