"""Signing in at the desk over HTTP: cookies, CSRF, roles, lock-out."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
import uvicorn
from desk_kit import OTHER, PASSWORD, Browser, Desk, desk_over, numbers, said
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from core import audit
from core.agent import PasswordHash, hash_password
from core.desk_feed import events_after


@pytest.fixture(scope="module")
def hashed() -> PasswordHash:
    return hash_password(PASSWORD, login="agent")


@pytest.fixture
async def desk(shared_urls: tuple[str, str], hashed: PasswordHash) -> AsyncIterator[Desk]:
    async with desk_over(shared_urls, hashed) as one:
        yield one


async def test_a_login_gives_a_cookie_that_scripts_and_other_sites_do_not_get(desk: Desk) -> None:
    login, browser = desk.add(), desk.browser()
    answer = await browser.sign_in(login.upper())
    assert answer.status_code == 200
    body = answer.json()
    assert (body["agent"]["login"], body["agent"]["name"], body["agent"]["skills"]) == (login, "李霞", ["billing"])
    assert not {"password_hash", "totp_cipher"} & set(body["agent"])
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("dianfu_desk=")
    assert all(part in cookie for part in ("; httponly", "; samesite=strict", "; path=/"))
    assert "secure" not in cookie  # development is served without TLS
    assert answer.headers["cache-control"] == "no-store"
    me = (await browser.call("GET", "/me")).json()
    assert me == body
    assert (await browser.call("GET", "/trial/agent")).json()["login"] == login
    assert desk.audited(login) == ["agent_added", "login"]


async def test_outside_development_the_cookie_travels_over_tls_alone(
    shared_urls: tuple[str, str], hashed: PasswordHash
) -> None:
    async with desk_over(shared_urls, hashed, env="production") as desk:
        answer = await desk.browser().sign_in(desk.add())
        assert "; secure" in answer.headers["set-cookie"].lower()


async def test_every_failure_is_answered_alike(desk: Desk) -> None:
    login, barred, browser = desk.add(), desk.add(), desk.browser()
    desk.change(barred, active=False)
    answers = [
        await browser.sign_in(login, "wrong password"), await browser.sign_in(barred),
        await browser.sign_in(f"nobody{next(numbers)}"), await browser.sign_in(""),
    ]  # fmt: skip
    assert [said(one) for one in answers] == [(401, "login_failed")] * 4
    assert len({one.json()["detail"] for one in answers}) == 1
    assert not any("set-cookie" in one.headers for one in answers)


async def test_a_locked_login_is_told_so_whether_it_exists_or_not(desk: Desk) -> None:
    for login in (desk.add(), f"nobody{next(numbers)}"):
        browser = desk.browser()
        assert [said(await browser.sign_in(login, f"wrong {n}"))[0] for n in range(5)] == [401] * 5
        answer = await browser.sign_in(login)
        assert said(answer) == (429, "login_locked")
        assert 890 <= int(answer.headers["retry-after"]) <= 900
    assert (await desk.signed()).csrf  # others are not touched


async def test_a_call_without_a_session_is_refused(desk: Desk) -> None:
    browser = desk.browser()
    for method, path in [
        ("GET", "/me"), ("POST", "/logout"), ("POST", "/me/password"), ("POST", "/me/totp"), ("DELETE", "/me/totp"),
        ("GET", "/trial/agent"), ("POST", "/trial/agent"), ("GET", "/trial/supervisor"),
    ]:  # fmt: skip
        assert said(await browser.call(method, path)) == (401, "not_signed_in"), path
    browser.http.cookies.set("dianfu_desk", "rubbish")
    assert said(await browser.call("GET", "/me")) == (401, "not_signed_in")


@pytest.mark.parametrize(
    ("role", "expected"),
    [("agent", [200, 403, 403]), ("supervisor", [200, 200, 403]), ("administrator", [200, 200, 200])],
)
async def test_a_role_may_what_those_before_it_may(desk: Desk, role: str, expected: list[int]) -> None:
    browser = await desk.signed(role)
    calls = [("POST", "/trial/agent"), ("GET", "/trial/supervisor"), ("DELETE", "/trial/administrator")]
    assert [(await browser.call(*call)).status_code for call in calls] == expected


@pytest.mark.parametrize(
    "headers",
    [
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "guessed"},
        {"Origin": "https://elsewhere.test"},
        {"Origin": "null"},
        {"Origin": "http://bridge.test.elsewhere.test"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_change_from_another_site_or_without_the_token_is_refused(desk: Desk, headers: dict[str, str]) -> None:
    browser = await desk.signed()
    assert said(await browser.call("POST", "/trial/agent", **headers)) == (403, "csrf_failed")
    assert said(await browser.call("POST", "/logout", **headers)) == (403, "csrf_failed")
    assert (await browser.call("POST", "/trial/agent")).status_code == 200


async def test_the_token_of_another_session_is_none(desk: Desk) -> None:
    one, other = await desk.signed(), await desk.signed()
    assert said(await one.call("POST", "/trial/agent", **{"X-CSRF-Token": other.csrf})) == (403, "csrf_failed")


async def test_another_site_cannot_sign_a_browser_in(desk: Desk) -> None:
    body = {"login": desk.add(), "password": PASSWORD}
    answer = await desk.browser().http.post("/v1/desk/login", json=body, headers={"Origin": "https://elsewhere.test"})
    assert said(answer) == (403, "csrf_failed")


async def test_after_logout_the_cookie_is_worth_nothing(desk: Desk) -> None:
    browser = await desk.signed()
    login, value = (await browser.call("GET", "/me")).json()["agent"]["login"], browser.http.cookies["dianfu_desk"]
    assert (await browser.call("POST", "/logout")).status_code == 204
    assert "dianfu_desk" not in browser.http.cookies
    browser.http.cookies.set("dianfu_desk", value)
    assert said(await browser.call("GET", "/me")) == (401, "not_signed_in")
    assert desk.audited(login) == ["agent_added", "login", "logout"]


async def test_the_desk_hears_of_a_logout(desk: Desk) -> None:
    browser = await desk.signed()
    agent = (await browser.call("GET", "/me")).json()["agent"]["id"]
    await browser.call("POST", "/logout")
    with desk.bridge.parts.bridge.reading() as session:
        told = [(one.kind, one.data) for one in events_after(session, 0) if one.data.get("agent") == agent]
    assert told[-1:] == [("agents", {"agent": agent, "status": "offline"})]


@pytest.mark.parametrize("change", [{"active": False}, {"role": "supervisor"}])
async def test_who_is_barred_or_gets_another_role_is_signed_out_at_once(desk: Desk, change: dict[str, Any]) -> None:
    login, browser = desk.add(), desk.browser()
    await browser.sign_in(login)
    desk.change(login, **change)
    assert said(await browser.call("GET", "/trial/agent")) == (401, "not_signed_in")


async def test_an_idle_hour_ends_a_session_and_its_use_does_not(desk: Desk) -> None:
    busy, idle = await desk.signed(), await desk.signed()
    for _ in range(2):
        desk.bridge.clock.ahead += timedelta(minutes=40)
        assert (await busy.call("GET", "/me")).status_code == 200
    assert said(await idle.call("GET", "/me")) == (401, "not_signed_in")


@pytest.mark.parametrize(
    "body",
    [
        {}, {"login": "li"}, {"login": "li", "password": None}, {"login": "li", "password": "x" * 300},
        {"login": "l" * 65, "password": "x"}, {"login": ["li"], "password": "x"},
        {"login": "li", "password": "x", "a": 1},
    ],
)  # fmt: skip
async def test_a_malformed_login_is_refused_without_repeating_it(desk: Desk, body: dict[str, Any]) -> None:
    answer = await desk.browser().http.post("/v1/desk/login", json=body)
    assert said(answer) == (422, "invalid")
    assert "xxxx" not in answer.text


@pytest.mark.parametrize("odd", ["a\\u0000b", "' or '1'='1", "%00"])
async def test_odd_logins_and_passwords_are_ordinary_failures(desk: Desk, odd: str) -> None:
    body = f'{{"login": "{odd}{next(numbers)}", "password": "{odd}", "code": "{odd}"}}'
    answer = await desk.browser().http.post(
        "/v1/desk/login", content=body, headers={"Content-Type": "application/json"}
    )
    assert said(answer) == (401, "login_failed")


async def test_no_password_code_or_cookie_is_logged(desk: Desk) -> None:
    login, browser = desk.add(), desk.browser()
    await browser.sign_in(login, "a wrong password of 2026")
    await browser.sign_in(login)
    await browser.send("POST", "/me/totp", code="918273")
    await browser.send("POST", "/me/password", current=PASSWORD, new=OTHER)
    lines = str(desk.lines)
    assert "/v1/desk/login" in lines
    secrets = ("a wrong password", PASSWORD, OTHER, "918273", browser.csrf, browser.http.cookies["dianfu_desk"], login)
    assert not any(secret in lines for secret in secrets)
    with desk.bridge.parts.bridge.reading() as session:
        written = str([(row.subject, row.detail) for row in audit.entries(session, limit=500)])
    assert not any(secret in written for secret in secrets[:-1])


async def test_the_log_of_all_this_is_whole(desk: Desk) -> None:
    await desk.signed()
    with desk.bridge.parts.bridge.reading() as session:
        found = audit.verify(session, audit.key_of(desk.bridge.parts.settings.keyring()))
    assert (found.ok, found.rows > 1) == (True, True)


@asynccontextmanager
async def socket_of(desk: Desk, browser: Browser, page: str | None = None) -> AsyncIterator[ClientConnection]:
    """Open the trial's socket through a real server; `page` is another site whose script opens it."""
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(desk.bridge.app, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve([listener]))
    cookie = {"Cookie": f"dianfu_desk={browser.http.cookies.get('dianfu_desk', '')}"}
    try:
        url = f"ws://{address}/v1/desk/trial/stream"
        async with connect(url, additional_headers=cookie, origin=page or f"http://{address}") as one:  # type: ignore[arg-type]
            yield one
    finally:
        server.should_exit = True
        await serving


@pytest.mark.parametrize(
    ("signed", "page", "reason"), [(False, None, "NotSignedIn"), (True, "https://elsewhere.test", "CsrfFailed")]
)
async def test_a_socket_is_for_those_who_are_signed_in_on_our_own_page(
    desk: Desk, signed: bool, page: str | None, reason: str
) -> None:
    browser = await desk.signed() if signed else desk.browser()
    async with socket_of(desk, browser, page) as one:
        with pytest.raises(ConnectionClosed) as closed:
            await one.recv()
    assert (closed.value.rcvd and closed.value.rcvd.reason) == reason


async def test_an_open_socket_notices_that_its_session_is_over(desk: Desk) -> None:
    browser = await desk.signed()
    async with socket_of(desk, browser) as one:
        assert json.loads(await one.recv())["login"].startswith("agent")
        await browser.call("POST", "/logout")
        await one.send("still there")
        with pytest.raises(ConnectionClosed) as closed:
            await one.recv()
    assert (closed.value.rcvd and closed.value.rcvd.reason) == "NotSignedIn"
