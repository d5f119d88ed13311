"""Signing in at the desk: failures and locks, the second factor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pyotp
import pytest
from sqlalchemy import select

from core import agent as people
from core import audit
from core.agent import (
    Agent,
    BadCode,
    Changes,
    CodeNeeded,
    LockedOut,
    LoginGuard,
    NewAgent,
    NoSecondFactor,
    Refused,
    SignedIn,
    hash_password,
    is_password,
)
from core.audit import Auditor
from core.clock import SHANGHAI
from core.db import Database
from core.migrations import upgrade

if TYPE_CHECKING:
    from core.fields import Keyring
    from tests.conftest import NewUrl

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=SHANGHAI)
PASSWORD = "江城的灯亮了2026"
LI = NewAgent("LiXia", "李霞", "1001", skills=("billing", "repair"))
Try = Callable[..., object]


@pytest.fixture(params=["sqlite", "postgresql"])
def bridge(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Database]:
    """A migrated bridge database."""
    database = Database(new_url(request.param, tmp_path))
    upgrade("bridge", database)
    yield database
    database.dispose()


@pytest.fixture(scope="module")
def hashed() -> people.PasswordHash:
    return hash_password(PASSWORD, login="lixia")


@pytest.fixture
def li(bridge: Database, hashed: people.PasswordHash, keyring: Keyring) -> int:
    """The id of an agent."""
    with bridge.transaction() as session:
        return people.add_agent(session, LI, hashed, auditor=Auditor.of(keyring), now=NOW).id


@pytest.fixture
def attempt(bridge: Database, keyring: Keyring) -> Try:
    """Sign in as the bridge does: `attempt("lixia", password, code=…, now=…)`."""

    def make(login: str, password: str = PASSWORD, *, code: str | None = None, now: datetime = NOW) -> object:
        with bridge.transaction() as session:
            begun = people.begin(session, login, keyring=keyring, now=now)
        matched, rehashed = is_password(begun.password_hash, password)
        with bridge.transaction() as session:
            return people.settle(session, begun, matched, code=code, rehashed=rehashed, keyring=keyring, now=now)

    return make


def actions(bridge: Database) -> list[str]:
    with bridge.reading() as session:
        return [row.action for row in audit.entries(session)]


def agent_of(bridge: Database, agent_id: int) -> Agent:
    with bridge.reading() as session:
        return people.find_agent(session, agent_id)


def change(bridge: Database, keyring: Keyring, agent_id: int, **what: object) -> bool:
    with bridge.transaction() as session:
        agent = people.find_agent(session, agent_id)
        return people.change_agent(session, agent, Changes(**what), auditor=Auditor.of(keyring), now=NOW)  # type: ignore[arg-type]


# --- signing in --------------------------------------------------------------------------------------------------


def test_the_right_password_signs_in_whatever_the_case_of_the_login(bridge: Database, li: int, attempt: Try) -> None:
    assert isinstance(attempt(" LiXia "), SignedIn)
    assert actions(bridge) == ["agent_added", "login"]


@pytest.mark.parametrize("login", ["lixia", "nobody", "", "' or 1=1", "张" * 60, "\ud83d", "a\x00b"])
def test_five_failures_lock_a_login_whether_it_exists_or_not(
    bridge: Database, li: int, attempt: Try, login: str
) -> None:
    assert all(isinstance(attempt(login, f"wrong {n}"), Refused) for n in range(5))
    for password in ("wrong again", PASSWORD):
        with pytest.raises(LockedOut) as locked:
            attempt(login, password, now=NOW + timedelta(minutes=14, seconds=59))
        assert (locked.value.until, locked.value.seconds) == (NOW + timedelta(minutes=15), 1)
    assert actions(bridge)[1:] == ["login_failed"] * 5 + ["login_locked"]


def test_each_lock_is_longer_than_the_one_before_and_a_success_forgets_them(li: int, attempt: Try) -> None:
    now = NOW
    for minutes in (15, 30, 60, 120, 240, 240):
        for _ in range(5):
            assert isinstance(attempt("lixia", "wrong", now=now), Refused)
        with pytest.raises(LockedOut) as locked:
            attempt("lixia", now=now)
        assert locked.value.until - now == timedelta(minutes=minutes)
        now = locked.value.until
    assert isinstance(attempt("lixia", now=now), SignedIn)
    assert all(isinstance(attempt("lixia", "wrong", now=now), Refused) for _ in range(5))
    with pytest.raises(LockedOut) as locked:
        attempt("lixia", now=now)
    assert locked.value.until - now == timedelta(minutes=15)


def test_failures_are_forgotten_after_a_day(bridge: Database, li: int, attempt: Try) -> None:
    for login in ("lixia", "nobody"):
        for _ in range(4):
            attempt(login, "wrong")
    assert isinstance(attempt("lixia", "wrong", now=NOW + timedelta(hours=25)), Refused)
    assert isinstance(attempt("lixia", now=NOW + timedelta(hours=25)), SignedIn)
    with bridge.reading() as session:
        assert session.scalars(select(LoginGuard)).all() == []


def test_many_guesses_at_once_are_still_five(bridge: Database, li: int, attempt: Try) -> None:
    seen: list[object] = []

    def guess() -> None:
        try:
            seen.append(attempt("lixia", "wrong"))
        except LockedOut as error:
            seen.append(error)

    threads = [threading.Thread(target=guess) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(type(one).__name__ for one in seen) == ["LockedOut"] * 7 + ["Refused"] * 5


def test_what_is_no_login_is_not_written_to_the_log_in_clear(bridge: Database, li: int, attempt: Try) -> None:
    attempt("my-secret-password")
    with bridge.reading() as session:
        row = audit.entries(session, limit=1)[0]
    assert (row.action, row.agent_id, row.detail) == ("login_failed", None, {"why": "unknown"})
    assert row.subject.startswith("?")
    assert "secret" not in row.subject


def test_who_is_barred_is_refused_like_anybody(bridge: Database, li: int, attempt: Try, keyring: Keyring) -> None:
    change(bridge, keyring, li, active=False)
    assert isinstance(attempt("lixia"), Refused)
    with bridge.reading() as session:
        assert audit.entries(session, limit=1)[0].detail == {"why": "inactive"}


def test_an_attempt_is_worth_nothing_after_the_password_was_changed(
    bridge: Database, li: int, keyring: Keyring
) -> None:
    with bridge.transaction() as session:
        begun = people.begin(session, "lixia", keyring=keyring, now=NOW)
    with bridge.transaction() as session:
        agent, new = people.find_agent(session, li), hash_password("another one of 2026", login="lixia")
        people.set_password(session, agent, new, auditor=Auditor.of(keyring), now=NOW)
    with bridge.transaction() as session:
        decided = people.settle(session, begun, True, code=None, keyring=keyring, now=NOW)
    assert isinstance(decided, Refused)


def test_an_administrator_unlocks_a_login(bridge: Database, li: int, attempt: Try, keyring: Keyring) -> None:
    for _ in range(5):
        attempt("lixia", "wrong")
    with bridge.transaction() as session:
        assert people.locked_until(session, "lixia", keyring=keyring, now=NOW) == NOW + timedelta(minutes=15)
        agent, auditor = people.find_agent(session, li), Auditor.of(keyring)
        assert people.unlock(session, agent, keyring=keyring, auditor=auditor, now=NOW)
        assert people.locked_until(session, "lixia", keyring=keyring, now=NOW) is None
    assert isinstance(attempt("lixia"), SignedIn)


# --- the second factor -------------------------------------------------------------------------------------------


@pytest.fixture
def secret(bridge: Database, li: int, keyring: Keyring) -> str:
    """The secret of the agent's second factor, confirmed five minutes ago."""
    with bridge.transaction() as session:
        agent = people.find_agent(session, li)
        made = people.begin_totp(session, agent, keyring=keyring)
        then = NOW - timedelta(minutes=5)
        people.confirm_totp(session, agent, code(made.secret, then), keyring=keyring, now=then)
        assert made.uri.startswith("otpauth://totp/dianfu:lixia?secret=")
    return made.secret


def code(secret: str, at: datetime) -> str:
    return pyotp.TOTP(secret).at(at)


def test_without_a_code_the_right_password_asks_for_one(li: int, secret: str, attempt: Try) -> None:
    assert isinstance(attempt("lixia"), CodeNeeded)
    assert isinstance(attempt("lixia", code=""), CodeNeeded)
    assert isinstance(attempt("lixia", code=code(secret, NOW)), SignedIn)


def test_a_wrong_password_with_the_right_code_is_refused_and_leaves_the_code(
    li: int, secret: str, attempt: Try
) -> None:
    assert isinstance(attempt("lixia", "wrong", code=code(secret, NOW)), Refused)
    assert isinstance(attempt("lixia", code=code(secret, NOW)), SignedIn)


def test_a_code_is_good_for_one_use_even_within_its_half_minute(li: int, secret: str, attempt: Try) -> None:
    assert isinstance(attempt("lixia", code=code(secret, NOW)), SignedIn)
    assert isinstance(attempt("lixia", code=code(secret, NOW)), Refused)
    assert isinstance(attempt("lixia", code=code(secret, NOW - timedelta(seconds=30))), Refused)
    assert isinstance(attempt("lixia", code=code(secret, NOW + timedelta(seconds=30))), SignedIn)


@pytest.mark.parametrize(("seconds", "good"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_a_telephones_clock_may_be_wrong_by_half_a_minute(
    li: int, secret: str, attempt: Try, seconds: int, good: bool
) -> None:
    shown = code(secret, NOW + timedelta(seconds=seconds))
    assert isinstance(attempt("lixia", code=shown), SignedIn if good else Refused)


def test_a_code_may_be_typed_with_a_space_or_in_full_width(li: int, secret: str, attempt: Try) -> None:
    digits = code(secret, NOW)
    wide = "".join(chr(ord(one) + 0xFEE0) for one in digits)
    assert isinstance(attempt("lixia", code=f"{wide[:3]} {wide[3:]}"), SignedIn)


def test_who_knows_the_password_cannot_go_on_guessing_codes(li: int, secret: str, attempt: Try) -> None:
    for _ in range(5):
        assert isinstance(attempt("lixia"), CodeNeeded)  # counts nothing, forgets nothing
        assert isinstance(attempt("lixia", code="000000"), Refused)
    with pytest.raises(LockedOut):
        attempt("lixia", code=code(secret, NOW))


def test_a_second_factor_counts_once_a_code_has_confirmed_it(
    bridge: Database, li: int, attempt: Try, keyring: Keyring
) -> None:
    with bridge.transaction() as session:
        agent = people.find_agent(session, li)
        with pytest.raises(NoSecondFactor):
            people.confirm_totp(session, agent, "123456", keyring=keyring, now=NOW)
        made = people.begin_totp(session, agent, keyring=keyring)
        wrong = f"{(int(code(made.secret, NOW)) + 1) % 10**6:06d}"
        for bad in (wrong, "12345", "１２３", ""):
            with pytest.raises(BadCode):
                people.confirm_totp(session, agent, bad, keyring=keyring, now=NOW)
    assert isinstance(attempt("lixia"), SignedIn)
    assert made.secret not in (agent_of(bridge, li).totp_pending or "")


def test_secrets_are_written_anew_under_a_new_key(bridge: Database, li: int, secret: str, keyring: Keyring) -> None:
    import dataclasses

    newer = dataclasses.replace(keyring, active="next", keys={"next": b"k" * 32, **keyring.keys})
    with bridge.transaction() as session:
        assert people.renew_totp(session, newer) == 1
        assert people.renew_totp(session, newer) == 0
    only = dataclasses.replace(newer, keys={"next": b"k" * 32})
    with bridge.transaction() as session:
        begun = people.begin(session, "lixia", keyring=only, now=NOW)
        done = people.settle(session, begun, True, code=code(secret, NOW), keyring=only, now=NOW)
        assert isinstance(done, SignedIn)
