"""Sessions of the desk: what is stored of them, and when they end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from core import agent as people
from core import desk_session
from core.agent import (
    NewAgent,
    hash_password,
)
from core.audit import Auditor
from core.clock import SHANGHAI
from core.db import Database
from core.desk_session import DeskSession, SessionOver
from core.migrations import upgrade

if TYPE_CHECKING:
    from core.fields import Keyring
    from tests.conftest import NewUrl

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=SHANGHAI)
PASSWORD = "江城的灯亮了2026"
LI = NewAgent("LiXia", "李霞", "1001", skills=("billing", "repair"))


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


def test_of_a_session_only_the_hash_is_stored(bridge: Database, li: int) -> None:
    with bridge.transaction() as session:
        value, row = desk_session.open_session(session, li, now=NOW)
        assert len(value) == 43
        assert value not in (row.token_hash, row.csrf)
        assert desk_session.find_session(session, value, now=NOW).id == row.id
        assert desk_session.same(row.csrf, row.csrf)
        assert not desk_session.same(row.csrf, "é" + row.csrf)
    for other in ("", value[:-1], row.token_hash, "\ud83d"):
        with pytest.raises(SessionOver), bridge.reading() as session:
            desk_session.find_session(session, other, now=NOW)


def test_a_session_ends_after_an_idle_hour_and_after_twelve_hours_in_any_case(bridge: Database, li: int) -> None:
    with bridge.transaction() as session:
        value, row = desk_session.open_session(session, li, now=NOW)
    with bridge.transaction() as session:
        desk_session.find_session(session, value, now=NOW + timedelta(minutes=59, seconds=59))
        with pytest.raises(SessionOver):
            desk_session.find_session(session, value, now=NOW + timedelta(minutes=60))
    for minutes in range(50, 12 * 60, 50):
        now = NOW + timedelta(minutes=minutes)
        with bridge.transaction() as session:
            assert desk_session.needs_touch(desk_session.find_session(session, value, now=now), now=now)
            desk_session.touch_session(session, row.id, now=now)
    with pytest.raises(SessionOver), bridge.reading() as session:
        desk_session.find_session(session, value, now=NOW + timedelta(hours=12))


def test_a_session_that_has_ended_is_not_brought_back_by_its_use(bridge: Database, li: int) -> None:
    with bridge.transaction() as session:
        value, row = desk_session.open_session(session, li, now=NOW)
        desk_session.end_session(session, row.id, why="logout", now=NOW)
        desk_session.end_sessions(session, li, why="role", now=NOW + timedelta(minutes=1))
        desk_session.touch_session(session, row.id, now=NOW + timedelta(minutes=2))
    with bridge.reading() as session:
        ended = session.get(DeskSession, row.id)
        assert ended is not None
        assert (ended.ended_by, ended.ended_at, ended.last_seen_at) == ("logout", NOW, NOW)
        with pytest.raises(SessionOver):
            desk_session.find_session(session, value, now=NOW + timedelta(minutes=2))
