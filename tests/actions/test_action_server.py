"""The action server on a real port, asked over HTTP as Rasa asks it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
from actions_desk import KEY, ROOT, Desk, period

from core.clock import SHANGHAI
from core.identity import Identity, issue_identity

TOKEN = "a token for tests of the action server"
START_SECONDS = 60
SECRET_WORDS = "我的电话是13800000000"


@pytest.fixture(scope="session")
def server(desk: Desk, key_material: tuple[str, str]) -> Iterator[str]:
    """Start `python -m actions` on a free port; return its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "ENV": "development", "ACTIONS_PORT": str(port), "ACTIONS_TOKEN": TOKEN, "IDENTITY_KEY": KEY,
        "FIELD_KEYS": key_material[0], "LOOKUP_KEY": key_material[1], "BILLING_URL": f"sqlite:///{desk.path}",
        "DATA_DIR": str(ROOT / "data"),
    }  # fmt: skip
    environment = os.environ | {f"DIANFU_{name}": value for name, value in settings.items()}
    process = subprocess.Popen([sys.executable, "-m", "actions"], cwd=ROOT, env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(process, address)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait(process: subprocess.Popen[bytes], address: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "the action server ended"
        try:
            httpx.get(f"{address}/health", timeout=2)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the action server did not start")


def call(
    name: str, account: str, *, text: str = "", entities: list[dict[str, Any]] | None = None,
    events: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:  # fmt: skip
    now = datetime.now(tz=SHANGHAI)
    identity = issue_identity(KEY, Identity("c1", "C1", (account,), 1, "web"), now=now)
    message = {
        "intent": {"name": "x"}, "text": text, "entities": entities or [],
        "metadata": {"identity": identity, "asked_at": now.isoformat()},
    }  # fmt: skip
    tracker = {
        "sender_id": "c1.1", "slots": {}, "latest_message": message, "events": events or [], "paused": False,
        "followup_action": None, "active_loop": {}, "latest_action_name": None,
    }  # fmt: skip
    return {"next_action": name, "sender_id": "c1.1", "tracker": tracker, "domain": {}, "version": "3.6.21"}


def post(server: str, body: dict[str, Any], token: str | None = TOKEN) -> httpx.Response:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return httpx.post(f"{server}/webhook", json=body, headers=headers, timeout=20)


def test_health_is_open(server: str) -> None:
    assert httpx.get(f"{server}/health", timeout=5).status_code == 200


@pytest.mark.parametrize("token", [None, "wrong", TOKEN[:-1], TOKEN + "x"])
def test_nothing_else_answers_without_the_token(server: str, desk: Desk, token: str | None) -> None:
    account = desk.account("user_class = 'residential'")
    assert post(server, call("action_query_bill", account), token).status_code == 401
    assert httpx.get(f"{server}/actions", timeout=5).status_code == 401


def test_a_bill_is_answered_with_its_response_card_and_slots(server: str, desk: Desk) -> None:
    account = desk.account("user_class = 'residential'")
    answer = post(server, call("action_query_bill", account, entities=[period("2026-08")]))
    assert answer.status_code == 200
    said, shown = answer.json()["responses"]
    amount = desk.billed(account, "2026-08-01", "2026-08-01")
    assert (said["response"], said["amount"]) == ("utter_bill_month", f"{amount:.2f}")
    assert shown["custom"]["type"] == "bill_card"
    assert Decimal(shown["custom"]["card"]["amount"]) == amount
    slots = {event["name"]: event["value"] for event in answer.json()["events"]}
    assert slots == {"asked": "action_query_bill", "account_asked": account, "period_asked": "2026-08/2026-08/month"}


@pytest.mark.parametrize(
    ("name", "response"),
    [
        ("action_query_usage", "utter_usage"), ("action_query_account_no", "utter_account_nos"),
        ("action_inform", "utter_what_for"), ("action_repeat", "utter_nothing_to_repeat"),
    ],
)  # fmt: skip
def test_every_action_answers(server: str, desk: Desk, name: str, response: str) -> None:
    account = desk.account("user_class = 'residential' and opened_on < '2023-01-01'")
    entities = [period("2026-08")] if name == "action_query_usage" else []
    assert post(server, call(name, account, entities=entities)).json()["responses"][0]["response"] == response


def test_the_last_answer_is_repeated_with_its_card_and_buttons(server: str, desk: Desk) -> None:
    card, button = {"type": "bill_card", "text": "…", "card": {}}, {"title": "b", "payload": "/inform"}
    events = [
        {"event": "user", "text": "1"}, {"event": "bot", "text": "an older answer", "data": {}},
        {"event": "user", "text": "2"}, {"event": "bot", "text": "said", "data": {"buttons": [button]}},
        {"event": "bot", "text": None, "data": {"custom": card}}, {"event": "user", "text": "3"},
    ]  # fmt: skip
    said, shown = post(server, call("action_repeat", "4200000000", events=events)).json()["responses"]
    assert (said["text"], said["buttons"], shown["custom"]) == ("said", [button], card)


def test_an_unknown_action_is_404(server: str) -> None:
    assert post(server, call("action_no_such", "4200000000")).status_code == 404


def test_an_action_that_fails_says_so_and_echoes_nothing(server: str, desk: Desk) -> None:
    account = desk.account("user_class = 'residential'")
    broken = call("action_query_bill", account, text=SECRET_WORDS, entities=[period("no month")])
    answer = post(server, broken)
    assert answer.status_code == 500
    assert answer.json() == {"error": "the action failed"}
