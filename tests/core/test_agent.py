"""The desk's people: passwords, what may be changed of whom, presence, the demonstration."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import argon2
import pytest
from sqlalchemy import select

from core import agent as people
from core import audit, desk_session
from core.agent import (
    SKILLS,
    Agent,
    AgentTaken,
    BadAgent,
    Changes,
    LastAdministrator,
    NewAgent,
    SignedIn,
    WeakPassword,
    hash_password,
    is_password,
)
from core.audit import Auditor
from core.clock import SHANGHAI
from core.db import Database
from core.desk_session import DeskSession
from core.handoff import tables as handoff_tables
from core.migrations import upgrade
from core.seed.agents import DEMO_PASSWORD, demo_agents

if TYPE_CHECKING:
    from core.fields import Keyring
    from tests.conftest import NewUrl

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=SHANGHAI)
PASSWORD = "江城的灯亮了2026"
LI = NewAgent("LiXia", "李霞", "1001", skills=("billing", "repair"))
Try = Callable[..., object]


pytestmark = pytest.mark.usefixtures("real_password_cost")


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


# --- passwords ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short1234", "short"), ("四个字呢", "short"), ("x" * 129, "long"), ("lixia-2026", "login"),
        ("LIXIAlixia", "login"), ("1234567890", "common"), ("１２３４５６７８９０", "common"),
        ("Woaini1314520", "common"),
        ("abababababab", "simple"), (DEMO_PASSWORD, "common"),
    ],
)  # fmt: skip
def test_a_password_that_is_easily_guessed_is_refused(password: str, reason: str) -> None:
    with pytest.raises(WeakPassword) as refused:
        hash_password(password, login="lixia")
    assert refused.value.reason == reason
    assert password not in str(refused.value)


@pytest.mark.parametrize(
    "password", ["江城的灯亮了-二零二六", "tram 7 at dawn", "lixia likes rainy days", "\ud83d half a sign"]
)
def test_other_passwords_are_kept_as_argon2id_and_found_again(password: str) -> None:
    stored = hash_password(password, login="lixia")
    assert stored.startswith("$argon2id$v=19$m=47104,t=1,p=1$")
    assert is_password(stored, password) == (True, None)
    assert is_password(stored, password + "x") == (False, None)
    assert stored != hash_password(password, login="lixia")


def test_a_full_width_digit_of_an_input_method_is_the_digit() -> None:
    assert is_password(hash_password("江城灯火不眠1987", login="a"), "江城灯火不眠１９８７") == (True, None)


def test_a_generated_password_passes_its_own_rules() -> None:
    made = {people.new_password() for _ in range(20)}
    assert len(made) == 20
    assert all(len(one) == 19 for one in made)
    assert is_password(hash_password(made.pop(), login="lixia"), "guess")[0] is False


def test_no_hash_is_compared_with_as_long_and_never_right() -> None:
    assert is_password(None, PASSWORD) == (False, None)
    assert is_password("rubbish", PASSWORD) == (False, None)


def test_a_hash_of_another_cost_is_written_anew_at_the_next_login(bridge: Database, li: int, attempt: Try) -> None:
    old = argon2.PasswordHasher(time_cost=2, memory_cost=1024, parallelism=1).hash(PASSWORD)
    with bridge.transaction() as session:
        people.find_agent(session, li).password_hash = old
    assert isinstance(attempt("lixia"), SignedIn)
    assert agent_of(bridge, li).password_hash.startswith("$argon2id$v=19$m=47104,t=1,p=1$")
    assert isinstance(attempt("lixia"), SignedIn)


# --- agents ------------------------------------------------------------------------------------------------------


def test_an_agent_is_added_with_a_small_login_and_skills_in_order(bridge: Database, li: int) -> None:
    agent = agent_of(bridge, li)
    assert (agent.login, agent.name, agent.role, agent.skills) == ("lixia", "李霞", "agent", ["repair", "billing"])
    assert (agent.active, agent.status, agent.capacity, agent.must_change) == (True, "offline", 4, False)
    assert actions(bridge) == ["agent_added"]


def test_the_skills_are_those_of_handoffs() -> None:
    assert SKILLS == handoff_tables.SKILLS


@pytest.mark.parametrize(
    ("new", "what"),
    [
        (NewAgent("l", "李", "1"), "login"), (NewAgent("李霞", "李", "1"), "login"),
        (NewAgent("a b", "李", "1"), "login"),
        (NewAgent("lin", " ", "1"), "name"), (NewAgent("lin", "李\n霞", "1"), "name"),
        (NewAgent("lin", "李", "工 1"), "staff_no"), (NewAgent("lin", "李", "1", role="boss"), "role"),
        (NewAgent("lin", "李", "1", skills=("magic",)), "skills"),
        (NewAgent("lin", "李", "1", capacity=-1), "capacity"),
        (NewAgent("lin", "李", "1", capacity=99), "capacity"),
    ],
)  # fmt: skip
def test_what_no_agent_can_have_is_refused(
    bridge: Database, new: NewAgent, what: str, hashed: people.PasswordHash, keyring: Keyring
) -> None:
    with pytest.raises(BadAgent) as refused, bridge.transaction() as session:
        people.add_agent(session, new, hashed, auditor=Auditor.of(keyring), now=NOW)
    assert refused.value.what == what


def test_login_and_staff_number_are_one_agents_alone(
    bridge: Database, li: int, hashed: people.PasswordHash, keyring: Keyring
) -> None:
    for new, what in ((NewAgent("LIXIA", "李", "9"), "login"), (NewAgent("wang", "王", "1001"), "staff number")):
        with pytest.raises(AgentTaken, match=what), bridge.transaction() as session:
            people.add_agent(session, new, hashed, auditor=Auditor.of(keyring), now=NOW)


def change(bridge: Database, keyring: Keyring, agent_id: int, **what: object) -> bool:
    with bridge.transaction() as session:
        agent = people.find_agent(session, agent_id)
        return people.change_agent(session, agent, Changes(**what), auditor=Auditor.of(keyring), now=NOW)  # type: ignore[arg-type]


def test_the_last_administrator_stays(bridge: Database, li: int, keyring: Keyring) -> None:
    change(bridge, keyring, li, role="administrator")
    for changes in ({"role": "agent"}, {"active": False}):
        with pytest.raises(LastAdministrator):
            change(bridge, keyring, li, **changes)
    with bridge.transaction() as session:
        other = NewAgent("wang", "王工", "9", role="administrator")
        people.add_agent(session, other, hash_password(PASSWORD, login="w"), auditor=Auditor.of(keyring), now=NOW)
    assert change(bridge, keyring, li, role="agent")


@pytest.mark.parametrize(
    ("what", "why"), [({"role": "supervisor"}, "role"), ({"active": False}, "inactive"), ({"capacity": 2}, None)]
)
def test_another_role_and_being_barred_end_all_sessions(
    bridge: Database, li: int, keyring: Keyring, what: dict[str, object], why: str | None
) -> None:
    with bridge.transaction() as session:
        for _ in range(2):
            desk_session.open_session(session, li, now=NOW)
    assert change(bridge, keyring, li, **what)
    assert not change(bridge, keyring, li, **what)
    with bridge.reading() as session:
        assert [row.ended_by for row in session.scalars(select(DeskSession))] == [why, why]


def test_an_agent_is_present_while_active_online_and_seen_within_45_seconds(bridge: Database, li: int) -> None:
    with bridge.transaction() as session:
        people.set_status(people.find_agent(session, li), "online")
        people.touch(session, li, now=NOW)
        people.touch(session, li, now=NOW - timedelta(minutes=5))  # an older sign of life takes nothing back
    agent = agent_of(bridge, li)
    assert people.present(agent, NOW + timedelta(seconds=45))
    assert not people.present(agent, NOW + timedelta(seconds=46))
    agent.status = "away"
    assert not people.present(agent, NOW)
    agent.status, agent.active = "online", False
    assert not people.present(agent, NOW)
    with pytest.raises(BadAgent):
        people.set_status(agent, "asleep")


# --- the demonstration -------------------------------------------------------------------------------------------


def test_the_demonstrations_agents_cover_every_skill_and_are_made_once(
    bridge: Database, attempt: Try, keyring: Keyring
) -> None:
    made = []
    for _ in range(2):
        with bridge.transaction() as session:
            auditor = Auditor.of(keyring)
            made.append(demo_agents(session, NOW, auditor=auditor, directory=ROOT / "data" / "desk"))
    assert made == [5, 0]
    with bridge.reading() as session:
        everyone = people.list_agents(session, active=True)
    assert sorted(one.role for one in everyone) == ["administrator", "agent", "agent", "agent", "supervisor"]
    agents = [one for one in everyone if one.role == "agent"]
    assert all(sum(skill in one.skills for one in agents) >= 2 for skill in SKILLS)
    assert isinstance(attempt(agents[0].login, DEMO_PASSWORD), SignedIn)
