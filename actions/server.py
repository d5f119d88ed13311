"""The action server: the SDK's, with a token check before it and without its habit of echoing requests."""

from __future__ import annotations

import hmac
import warnings
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from rasa_sdk.endpoint import create_app
from rasa_sdk.executor import ActionExecutor
from sanic import HTTPResponse, Request, Sanic
from sanic.response import json

import actions
from actions.base import BusinessAction
from actions.followup import FOLLOWUPS
from actions.labels import Labels
from actions.phrases import Phrases
from actions.services import Services
from actions.settings import ActionsSettings
from actions.smalltalk import ActionRepeat
from core.business import BusinessTable
from core.clock import Clock, system_clock
from core.code_sender import code_sender
from core.db import Database
from core.facts import Facts
from core.proactive.kinds import Notices
from core.promise import Commitments
from core.tariff import TariffBook

SERVER_ERROR = 500


def _topics() -> tuple[type[BusinessAction], ...]:
    """Return the actions of all topics: what each module of this package names in `ACTIONS`."""
    names = {found.name for found in iter_modules(actions.__path__)} - {"server", "__main__"}
    modules = [import_module(f"actions.{name}") for name in sorted(names)]
    return tuple(kind for module in modules for kind in getattr(module, "ACTIONS", ()))


TOPICS = _topics()


def create_server(settings: ActionsSettings, *, clock: Clock = system_clock) -> Sanic[Any, Any]:
    """Return the server with all actions registered; only `/health` answers without the token."""
    # rasa-sdk 3.21 serves Rasa 3.6.21 end to end (tried), and says on every call that the versions differ.
    warnings.filterwarnings("ignore", message="Your versions of rasa and", category=UserWarning)
    app: Sanic[Any, Any] = create_app(_executor(_services(settings, clock)), cors_origins="")
    expected = f"Bearer {settings.actions_token.get_secret_value()}".encode()

    @app.on_request
    async def check_token(request: Request) -> HTTPResponse | None:
        given = request.headers.get("authorization", "").encode()
        if request.path == "/health" or hmac.compare_digest(given, expected):
            return None
        return json({"error": "a valid bearer token is required"}, status=401)

    @app.on_response
    async def hide_request(_request: Request, response: HTTPResponse) -> HTTPResponse | None:
        # The SDK's 500 carries the whole request: the tracker, and with it all that the customer wrote.
        return json({"error": "the action failed"}, status=SERVER_ERROR) if response.status == SERVER_ERROR else None

    return app


def _executor(services: Services) -> ActionExecutor:
    executor = ActionExecutor()
    topics = {action.name(): action for action in (kind(services) for kind in TOPICS)}
    for action in (*topics.values(), *(kind(services, topics) for kind in FOLLOWUPS), ActionRepeat(services)):
        executor.register_action(action)
    return executor


def _services(settings: ActionsSettings, clock: Clock) -> Services:
    keyring = settings.keyring()
    return Services(
        billing=Database(settings.billing_url, read_only=True),
        workorder=Database(settings.workorder_url),
        bridge=Database(settings.bridge_url),
        keyring=keyring,
        book=TariffBook.load(settings.data_dir / "tariffs"),
        labels=Labels.load(settings.data_dir / "labels.yaml"),
        phrases=Phrases.load(settings.data_dir / "phrases"),
        businesses=BusinessTable.load(settings.data_dir / "business"),
        commitments=Commitments.load(settings.data_dir / "promises.yaml"),
        facts=Facts.load(settings.data_dir / "facts"),
        notices=Notices.load(settings.data_dir / "notices.yaml"),
        clock=clock,
        identity_key=settings.identity_key.get_secret_value(),
        codes=code_sender(keyring, development=settings.development, sms_url=settings.sms_url),
    )
