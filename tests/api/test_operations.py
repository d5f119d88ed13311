from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from bridge_kit import (
    CUSTOMER_KEY,
    IDENTITY_KEY,
    RASA_TOKEN,
    ROOT,
    SESSION_KEY,
    Bridge,
    FakeRasa,
    customer_token,
    running,
    settings,
)
from pydantic import ValidationError

from api.settings import ApiSettings
from core.fields import new_key

SECRETS = ("identity_key", "rasa_token", "customer_token_key", "session_key")
SAID = "我的电话是13900001111，户号4201234567890，上个月电费多少"


# -- problem documents, ids and figures


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"), ("GET", "/v1/messages", 401, "unauthorized"),
        ("PUT", "/v1/messages", 405, "invalid"), ("POST", "/v1/sessions", 422, "invalid"),
    ],
)  # fmt: skip
async def test_every_error_is_a_problem_document(
    bridge: Bridge, method: str, path: str, status: int, code: str
) -> None:
    answer = await bridge.http.request(method, path)
    body = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert {"type", "title", "status", "detail", "code", "request_id"} <= set(body)
    assert (body["status"], body["code"], body["type"]) == (status, code, "about:blank")
    assert (body["detail"], body["request_id"]) == (
        bridge.parts.wording.problems[code], answer.headers["x-request-id"],
    )  # fmt: skip


async def test_a_wrong_method_says_which_are_right(bridge: Bridge) -> None:
    assert set((await bridge.http.put("/v1/sessions")).headers["allow"].split(", ")) == {"POST"}


async def test_a_bug_is_a_problem_with_an_id_and_without_a_trace(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    customer = await bridge.customer()

    async def broken(*_: Any) -> None:
        raise RuntimeError(f"boom {SAID}")

    monkeypatch.setattr(bridge.parts.dialogue, "customer_says", broken)
    answer = await customer.post(client_id="a", text=SAID)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    for secret in ("boom", "RuntimeError", "Traceback", "test_operations"):
        assert secret not in answer.text
    logged = capsys.readouterr().out
    assert "RuntimeError" in logged
    assert "boom" not in logged
    assert answer.headers["x-request-id"] in logged
    assert bridge.figure("dianfu_requests_total", method="POST", route="/v1/messages", status="500") == 1


async def test_a_request_id_is_echoed_if_it_is_a_plain_one(bridge: Bridge) -> None:
    echoed = await bridge.http.get("/healthz", headers={"X-Request-Id": "widget-12345678"})
    assert echoed.headers.get_list("x-request-id") == ["widget-12345678"]
    for bad in ("short", "x" * 65, "a b c d e f g h", 'quote"12345678', "<script>alert</script>"):
        made = (await bridge.http.get("/healthz", headers={"X-Request-Id": bad})).headers["x-request-id"]
        assert re.fullmatch("[0-9a-f]{32}", made)


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/v1/messages", "/metrics", "/widget/v1.js", "/"])
async def test_every_answer_tells_browsers_not_to_guess(bridge: Bridge, path: str) -> None:
    headers = (await bridge.http.get(path)).headers
    assert headers.get_list("x-content-type-options") == ["nosniff"]
    assert headers.get_list("referrer-policy") == ["no-referrer"]
    assert "server" not in headers


async def test_what_belongs_to_a_customer_is_never_kept_by_a_cache(bridge: Bridge) -> None:
    customer = await bridge.customer()
    answer = await bridge.http.get("/v1/messages", headers=customer.headers)
    assert answer.headers["cache-control"] == "no-store"


async def test_the_figures_count_requests_turns_and_deliveries(bridge: Bridge) -> None:
    customer = await bridge.customer()
    await customer.say("在吗")
    await bridge.http.request("BREW", "/v1/messages")
    text = (await bridge.http.get("/metrics")).text
    for line in (
        'dianfu_requests_total{method="POST",route="/v1/messages",status="200"} 1.0',
        'dianfu_requests_total{method="other",route="/v1/messages",status="405"} 1.0',
        'dianfu_turns_total{outcome="answered"} 1.0',
        "dianfu_turn_seconds_count 1.0",
        "dianfu_rasa_seconds_count 1.0",
    ):
        assert line in text


async def test_ready_says_which_part_is_missing(bridge: Bridge) -> None:
    well = await bridge.http.get("/readyz")
    assert (well.status_code, well.json()["status"]) == (200, "ready")
    bridge.rasa.state["actions"] = False
    ill = await bridge.http.get("/readyz")
    assert (ill.status_code, ill.json()["status"]) == (503, "not ready")
    assert [name for name, good in ill.json()["parts"].items() if not good] == ["actions"]
    assert (await bridge.http.get("/healthz")).json() == {"status": "alive"}


async def test_the_interface_is_described_by_openapi(bridge: Bridge) -> None:
    described = (await bridge.http.get("/openapi.json")).json()
    assert {"/v1/sessions", "/v1/messages", "/healthz", "/readyz", "/metrics"} <= set(described["paths"])
    assert not [path for path in described["paths"] if path.startswith("/demo")]


async def test_other_origins_may_call_only_when_named(sqlite_urls: Any) -> None:
    asking = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST",
              "Access-Control-Request-Headers": "authorization,content-type"}  # fmt: skip
    async with running(settings(*sqlite_urls, allowed_origins=["https://shop.example"])) as bridge:
        allowed = await bridge.http.options("/v1/messages", headers=asking)
        assert allowed.headers["access-control-allow-origin"] == "https://shop.example"
        refused = await bridge.http.options("/v1/messages", headers=asking | {"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in refused.headers
    async with running(settings(*sqlite_urls)) as bridge:
        assert "access-control-allow-origin" not in (await bridge.http.options("/v1/messages", headers=asking)).headers


# -- settings


def _given(**more: Any) -> dict[str, Any]:
    return {
        "env": "production", "data_dir": ROOT / "data", "field_keys": f"a:{new_key()}", "lookup_key": new_key(),
        "identity_key": IDENTITY_KEY, "rasa_token": RASA_TOKEN, "customer_token_key": CUSTOMER_KEY,
        "session_key": SESSION_KEY,
    } | more  # fmt: skip


@pytest.fixture
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("DIANFU_")]:
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("_bare")
@pytest.mark.parametrize("name", [*SECRETS, "field_keys", "lookup_key"])
def test_a_missing_secret_is_refused(name: str) -> None:
    given = _given()
    del given[name]
    with pytest.raises(ValidationError, match=name):
        ApiSettings(**given)


@pytest.mark.usefixtures("_bare")
@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("value", ["", "short-secret", "development-" + "x" * 40])
def test_a_weak_secret_is_refused_and_not_repeated(name: str, value: str) -> None:
    with pytest.raises(ValidationError) as error:
        ApiSettings(**_given(**{name: value}))
    assert f"DIANFU_{name.upper()}" in str(error.value)
    for secret in (IDENTITY_KEY, SESSION_KEY, CUSTOMER_KEY, "short-secret"):
        assert secret not in str(error.value)


@pytest.mark.usefixtures("_bare")
def test_development_takes_development_secrets() -> None:
    weak = dict.fromkeys(SECRETS, "development-" + "x" * 40)
    assert ApiSettings(**_given(env="development", **weak)).development


@pytest.mark.usefixtures("_bare")
@pytest.mark.parametrize("more", [{"api_port": 0}, {"turn_deadline": 0}, {"session_hours": -1}, {"env": "test"}])
def test_impossible_settings_are_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ApiSettings(**_given(**more))


@pytest.fixture
async def production(sqlite_urls: Any) -> AsyncIterator[Bridge]:
    async with running(settings(*sqlite_urls, env="production"), FakeRasa()) as one:
        yield one


@pytest.mark.parametrize("path", ["/", "/demo/customers", "/demo/login", "/demo/static/demo.js", "/docs", "/redoc"])
async def test_production_has_nothing_that_helps_a_visitor(production: Bridge, path: str) -> None:
    for method in ("GET", "POST"):
        assert (await production.http.request(method, path, json={})).status_code == 404


def test_production_does_not_even_import_the_demonstration() -> None:
    code = "import sys, api.app; sys.exit('api.demo' in sys.modules or 'core.demo' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


# -- the real process and its logs


@dataclass
class Process:
    url: str
    output: Path
    bridge_db: Path


@pytest.fixture
def process(sqlite_urls: Any, tmp_path: Path) -> Iterator[Process]:
    """`python -m api` in production, without a Rasa."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    given = _given(bridge_url=sqlite_urls[0], workorder_url=sqlite_urls[1], rasa_url="http://127.0.0.1:9",
                   api_port=port, turn_deadline=2, billing_url="sqlite://", log_level="DEBUG")  # fmt: skip
    keep = {name: value for name, value in os.environ.items() if not name.startswith("DIANFU_")}
    env = keep | {f"DIANFU_{name.upper()}": str(value) for name, value in given.items()}
    output = tmp_path / "output"
    with output.open("wb") as sink:
        child = subprocess.Popen([sys.executable, "-m", "api"], cwd=ROOT, env=env, stdout=sink, stderr=sink)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(url, child)
            yield Process(url, output, Path(sqlite_urls[0].removeprefix("sqlite:///")))
        finally:
            child.terminate()
            assert child.wait(20) is not None


def _wait(url: str, child: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert child.poll() is None
        try:
            httpx.get(f"{url}/healthz", trust_env=False)
            return
        except httpx.ConnectError:
            asyncio.run(asyncio.sleep(0.1))
    raise TimeoutError("the bridge does not start")


def test_the_logs_are_json_and_hold_no_word_number_or_token_of_a_customer(process: Process) -> None:
    with httpx.Client(base_url=process.url, trust_env=False, timeout=10) as http:
        token = customer_token()
        opened = http.post("/v1/sessions", json={}, headers={"Authorization": f"Bearer {token}"}).json()
        headers = {"Authorization": f"Bearer {opened['token']}"}
        for number, text in enumerate((SAID, "电线掉在地上了，电话13900001111", "转人工")):
            sent = http.post("/v1/messages", json={"client_id": f"m{number}", "text": text}, headers=headers)
            assert sent.status_code == 200
        http.post("/v1/messages", json={"client_id": SAID, "text": 4201234567890}, headers=headers)
        http.get(f"/v1/{SAID}", headers=headers)
        request_id = http.get("/v1/messages", headers=headers).headers["x-request-id"]
        _break(process.bridge_db)
        failed = http.post("/v1/messages", json={"client_id": "late", "text": SAID}, headers=headers)
        assert failed.status_code in (500, 503)
        ready = http.get("/readyz")
        assert (ready.status_code, ready.json()["parts"]["rasa"]) == (503, False)
    text = process.output.read_text("utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    assert request_id in {line.get("request_id") for line in lines}
    assert {"request", "rasa_failed"} <= {line["event"] for line in lines}
    words = ("13900001111", "4201234567890", "电费", "电线", "转人工", "C0000001")
    for secret in (*words, token, opened["token"], IDENTITY_KEY, RASA_TOKEN):
        assert secret not in text


def _break(path: Path) -> None:
    import sqlite3

    with sqlite3.connect(path, timeout=10) as connection:
        connection.execute("CREATE TRIGGER no_more BEFORE INSERT ON messages BEGIN SELECT RAISE(ABORT, 'no'); END")


LIBRARY = """
import asyncio, logging
from api.logs import configure
configure("INFO")
try:
    raise ValueError("13900001111")
except ValueError as error:
    logging.getLogger("uvicorn.error").error("Exception in ASGI application\\n", exc_info=error)
    logging.getLogger("asyncio").error("Task exception was never retrieved\\nfuture: %r", error)
"""


def test_what_libraries_log_is_json_without_the_values_too() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIBRARY], cwd=ROOT, check=True, timeout=60, capture_output=True, text=True
    )
    broken, lost = (json.loads(line) for line in done.stdout.splitlines())
    assert (broken["event"], broken["exception"]) == ("Exception in ASGI application", "ValueError")
    assert lost["event"] == "Task exception was never retrieved"
    assert "13900001111" not in done.stdout + done.stderr
