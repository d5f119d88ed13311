"""`dianfu agent …` and `dianfu audit …` on a database of their own, in this process."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from core import agent as people
from core.agent import Agent, is_password
from core.clock import system_clock
from core.db import Database
from core.desk_session import SessionOver, find_session, open_session
from core.migrations import upgrade
from core.settings import CoreSettings
from ops.agents import agent_app
from ops.audit import audit_app

PASSWORD = "江城的灯亮了2026"
ADD = ("add", "lixia", "--name", "李霞", "--staff-no", "1001", "--skill", "billing", "--skill", "repair")


@pytest.fixture
def bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> Database:
    """A migrated database that the settings point to."""
    url = f"sqlite:///{tmp_path / 'bridge.db'}"
    monkeypatch.setenv("DIANFU_BRIDGE_URL", url)
    database = Database(url)
    upgrade("bridge", database)
    return database


def agent(*words: str, typed: str = "") -> tuple[int, str]:
    done = CliRunner().invoke(agent_app, list(words), input=typed)
    return done.exit_code, done.output


def audit(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(audit_app, list(words))
    return done.exit_code, done.output


def found(bridge: Database, login: str = "lixia") -> Agent:
    with bridge.reading() as session:
        return people.agent_by_login(session, login)


def test_an_agent_is_added_with_a_password_from_standard_input(bridge: Database) -> None:
    assert agent(*ADD, typed=f"{PASSWORD}\n") == (0, "added lixia, agent\n")
    one = found(bridge)
    assert (one.name, one.staff_no, one.skills, one.must_change) == ("李霞", "1001", ["repair", "billing"], True)
    assert is_password(one.password_hash, PASSWORD)[0]
    code, said = agent("list")
    assert (code, said.split()[:4]) == (0, ["lixia", "1001", "agent", "not"])
    assert "李霞  repair,billing x4  must change the password" in said


def test_a_generated_password_is_printed_once_and_works(bridge: Database) -> None:
    code, said = agent(*ADD, "--generate", "--keep")
    made = re.fullmatch(r"added lixia, agent\npassword \(shown once\): (\S{19})\n", said)
    assert (code, made is not None) == (0, True)
    assert made is not None
    assert is_password(found(bridge).password_hash, made[1])[0]
    assert not found(bridge).must_change
    assert made[1] not in audit("list")[1]


def test_no_command_takes_a_password_as_an_argument(bridge: Database) -> None:
    for words in ((*ADD, "--password", PASSWORD), ("passwd", "lixia", PASSWORD)):
        assert agent(*words)[0] == 2


def test_a_new_password_ends_the_sessions_and_the_lock_out(bridge: Database) -> None:
    agent(*ADD, typed=f"{PASSWORD}\n")
    keyring = CoreSettings().keyring()
    with bridge.transaction() as session:
        value, _ = open_session(session, people.agent_by_login(session, "lixia").id, now=system_clock())
        for _ in range(5):
            people.begin(session, "lixia", keyring=keyring, now=system_clock())
    assert "locked until" in agent("list")[1]
    assert agent("passwd", "lixia", typed="lamps by the river 1987\n") == (0, "lixia has a new password\n")
    assert "locked until" not in agent("list")[1]
    assert is_password(found(bridge).password_hash, "lamps by the river 1987")[0]
    with pytest.raises(SessionOver), bridge.reading() as session:
        find_session(session, value, now=system_clock())


def test_an_agent_is_barred_and_let_in_again(bridge: Database) -> None:
    agent(*ADD, "--generate")
    assert agent("lock", "lixia") == (0, "lixia is barred\n")
    assert agent("lock", "lixia") == (0, "lixia is barred already\n")
    assert (found(bridge).active, "BARRED" in agent("list")[1]) == (False, True)
    assert agent("unlock", "lixia") == (0, "lixia may sign in\n")
    assert found(bridge).active


def test_role_skills_and_second_factor_are_changed(bridge: Database) -> None:
    agent(*ADD, "--generate")
    assert agent("role", "lixia", "supervisor") == (0, "lixia is supervisor\n")
    assert agent("skills", "lixia", "complaint", "business") == (0, "lixia can do complaint, business\n")
    assert agent("skills", "lixia") == (0, "lixia can do nothing\n")
    assert agent("totp-off", "lixia") == (0, "lixia has no second factor, and had none\n")
    assert (found(bridge).role, found(bridge).skills) == ("supervisor", [])


@pytest.mark.parametrize(
    ("words", "typed", "problem"),
    [
        (ADD, "short\n", "it needs at least 10 characters"),
        (ADD, "", "it needs at least 10 characters"),
        (ADD, "1234567890\n", "it is a common one"),
        (ADD, "lixia-lixia\n", "it is too near to the login"),
        ((*ADD, "--skill", "magic"), f"{PASSWORD}\n", "no skill is called magic"),
        ((*ADD, "--role", "boss"), f"{PASSWORD}\n", "role: one of agent, supervisor, administrator"),
        (("role", "nobody", "agent"), "", "there is no agent nobody"),
        (("passwd", "nobody"), f"{PASSWORD}\n", "there is no agent nobody"),
        (("lock", "nobody"), "", "there is no agent nobody"),
    ],
)
def test_what_cannot_be_is_said_without_the_password(
    bridge: Database, words: tuple[str, ...], typed: str, problem: str
) -> None:
    code, said = agent(*words, typed=typed)
    assert (code, problem in said) == (1, True)
    assert PASSWORD not in said
    with bridge.reading() as session:
        assert people.list_agents(session) == []


def test_a_second_agent_with_the_same_login_and_the_last_administrator_are_refused(bridge: Database) -> None:
    agent(*ADD, "--role", "administrator", "--generate")
    assert agent(*ADD, "--generate") == (1, "dianfu: the login is another agent's\n")
    assert agent("lock", "lixia")[1] == "dianfu: this is the only administrator left; make another one first\n"


def test_a_database_that_is_not_migrated_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIANFU_BRIDGE_URL", f"sqlite:///{tmp_path / 'empty.db'}")
    for code, said in (agent("list"), audit("verify"), audit("list")):
        assert (code, "cannot be asked (`dianfu migrate`)" in said) == (1, True)


def test_the_log_of_the_commands_is_listed_and_whole(bridge: Database) -> None:
    assert audit("verify") == (0, "the audit log is whole: 0 rows\n")
    agent(*ADD, "--generate")
    agent("role", "lixia", "supervisor")
    code, said = audit("list", "--since", "2020-01-01")
    assert (code, [line.split()[4] for line in said.splitlines()]) == (0, ["agent_added", "agent_changed"])
    assert '"after": {"role": "supervisor"}' in said
    assert audit("list", "--agent", "lixia") == (0, "")  # done by the command line, not by her
    assert audit("list", "--agent", "nobody") == (1, "dianfu: there is no agent nobody\n")
    code, said = audit("verify")
    head = re.fullmatch(r"the audit log is whole: 2 rows\nhead (2:[0-9a-f]{64})\n", said)
    assert head is not None
    assert audit("verify", "--head", head[1])[0] == 0
    assert audit("verify", "--head", "3:" + "0" * 64)[0] == 1
    assert audit("verify", "--head", "rubbish")[0] == 2


def test_a_changed_row_ends_the_check_with_code_one(bridge: Database) -> None:
    agent(*ADD, "--generate")
    agent("role", "lixia", "supervisor")
    with bridge.transaction() as session:
        session.execute(text("DROP TRIGGER audit_log_no_update"))
        session.execute(text("UPDATE audit_log SET subject = 'wang' WHERE id = 2"))
    code, said = audit("verify")
    assert (code, said) == (
        1,
        "dianfu: the audit log is NOT whole: row 2 was changed, or is not in its place "
        "(rows before that as they were written: 1)\n",
    )
    assert agent("lock", "lixia")[0] == 0  # work goes on; the check keeps finding it
    assert audit("verify")[0] == 1
