"""Passwords and second factors over HTTP, by those whose they are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pyotp
import pytest
from desk_kit import OTHER, PASSWORD, Desk, desk_over, said

from core.agent import PasswordHash, hash_password


@pytest.fixture(scope="module")
def hashed() -> PasswordHash:
    return hash_password(PASSWORD, login="agent")


@pytest.fixture
async def desk(shared_urls: tuple[str, str], hashed: PasswordHash) -> AsyncIterator[Desk]:
    async with desk_over(shared_urls, hashed) as one:
        yield one


async def test_somebody_with_a_first_password_changes_it_before_anything_else(desk: Desk) -> None:
    browser = desk.browser()
    answer = await browser.sign_in(desk.add(must_change=True))
    assert answer.json()["agent"]["must_change"] is True
    assert said(await browser.call("GET", "/trial/agent")) == (403, "must_change_password")
    assert (await browser.send("POST", "/me/password", current=PASSWORD, new=OTHER)).status_code == 200
    assert (await browser.call("GET", "/trial/agent")).status_code == 200


async def test_a_new_password_ends_all_sessions_and_gives_the_caller_another(desk: Desk) -> None:
    login, here, there = desk.add(), desk.browser(), desk.browser()
    await here.sign_in(login)
    await there.sign_in(login)
    before = here.http.cookies["dianfu_desk"], here.csrf
    answer = await here.send("POST", "/me/password", current=PASSWORD, new=OTHER)
    assert (answer.status_code, answer.json()["agent"]["login"]) == (200, login)
    assert not {here.http.cookies["dianfu_desk"], here.csrf} & set(before)
    assert (await here.call("POST", "/trial/agent")).status_code == 200
    assert said(await there.call("GET", "/me")) == (401, "not_signed_in")
    assert said(await desk.browser().sign_in(login)) == (401, "login_failed")
    assert (await desk.browser().sign_in(login, OTHER)).status_code == 200
    assert desk.audited(login) == ["agent_added", "login", "login", "password_set", "login_failed", "login"]


@pytest.mark.parametrize(
    ("current", "new", "code"),
    [
        ("wrong password", OTHER, "wrong_password"),
        (PASSWORD, "short", "password_short"),
        (PASSWORD, "1234567890", "password_common"),
        (PASSWORD, PASSWORD, "password_same"),
        (PASSWORD, "aaaaaaaaaaaa", "password_simple"),
    ],
)
async def test_a_password_is_changed_by_its_owner_to_a_good_one_alone(
    desk: Desk, current: str, new: str, code: str
) -> None:
    browser = await desk.signed()
    assert said(await browser.send("POST", "/me/password", current=current, new=new)) == (422, code)
    assert (await browser.call("GET", "/me")).status_code == 200


async def test_a_stolen_session_cannot_guess_the_password(desk: Desk) -> None:
    browser = await desk.signed()
    for n in range(5):
        assert said(await browser.send("POST", "/me/totp", password=f"guess {n}")) == (422, "wrong_password")
    assert said(await browser.send("POST", "/me/password", current=PASSWORD, new=OTHER)) == (429, "login_locked")


async def test_a_second_factor_is_bound_asked_for_and_given_up(desk: Desk) -> None:
    login, browser = desk.add(), desk.browser()
    await browser.sign_in(login)
    made = (await browser.send("POST", "/me/totp", password=PASSWORD)).json()
    assert (made["enabled"], made["uri"].partition("?")[0]) == (False, f"otpauth://totp/dianfu:{login}")
    totp = pyotp.TOTP(made["secret"])
    assert said(await browser.send("POST", "/me/totp", code="12345")) == (422, "bad_code")
    assert (await browser.send("POST", "/me/totp", code=totp.at(desk.now))).json()["enabled"] is True

    second = desk.browser()
    assert (await second.sign_in(login)).json() == {"second_factor": True}
    assert "dianfu_desk" not in second.http.cookies
    assert said(await second.sign_in(login, code=totp.at(desk.now))) == (401, "login_failed")  # used to confirm
    desk.bridge.clock.ahead += timedelta(seconds=30)
    assert (await second.sign_in(login, code=totp.at(desk.now))).json()["agent"]["second_factor"] is True

    assert said(await browser.send("DELETE", "/me/totp", password="wrong password")) == (422, "wrong_password")
    assert (await browser.send("DELETE", "/me/totp", password=PASSWORD)).json()["enabled"] is False
    assert (await desk.browser().sign_in(login)).status_code == 200
    assert "totp_on" in desk.audited(login)
    assert "totp_off" in desk.audited(login)


async def test_a_second_factor_cannot_be_confirmed_before_it_was_begun(desk: Desk) -> None:
    browser = await desk.signed()
    assert said(await browser.send("POST", "/me/totp", code="123456")) == (409, "no_second_factor")
    assert said(await browser.send("POST", "/me/totp")) == (422, "bad_code")
