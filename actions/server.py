"""The action server: the SDK's, with a token check before it and without its habit of echoing requests."""

from __future__ import annotations

import hmac
import warnings
from typing import Any

from rasa_sdk.endpoint import create_app
from rasa_sdk.executor import ActionExecutor
from sanic import HTTPResponse, Request, Sanic
from sanic.response import json

from actions.account import ActionQueryAccountNo
from actions.base import BusinessAction
from actions.bill import ActionQueryBill
from actions.followup import ActionInform
from actions.labels import Labels
from actions.payment import ActionQueryBalance, ActionQueryPayment
from actions.services import Services
from actions.settings import ActionsSettings
from actions.smalltalk import ActionRepeat
from actions.usage import ActionQueryUsage
from core.clock import Clock, system_clock
from core.db import Database
from core.tariff import TariffBook

TOPICS: tuple[type[BusinessAction], ...] = (
    ActionQueryAccountNo, ActionQueryBill, ActionQueryUsage, ActionQueryBalance, ActionQueryPayment,
)  # fmt: skip
SERVER_ERROR = 500


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
    for action in (*topics.values(), ActionInform(services, topics), ActionRepeat()):
        executor.register_action(action)
    return executor


def _services(settings: ActionsSettings, clock: Clock) -> Services:
    return Services(
        billing=Database(settings.billing_url, read_only=True),
        keyring=settings.keyring(),
        book=TariffBook.load(settings.data_dir / "tariffs"),
        labels=Labels.load(settings.data_dir / "labels.yaml"),
        clock=clock,
        identity_key=settings.identity_key.get_secret_value(),
    )
