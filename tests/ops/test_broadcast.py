"""`dianfu broadcast …` on a database of its own, in this process."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.channel.tables import ChannelUser
from core.clock import system_clock
from core.db import Database
from core.migrations import upgrade
from core.proactive import fanout, picking, sends
from core.proactive.kinds import Notices
from core.proactive.sends import Outcome
from ops.broadcast import broadcast_app

FILE = """
kind: outage
key: "outage:T1:begun"
wording: outage_begun
values: {area: 江岸区听涛苑}
audience: {all_followers: true}
"""


@pytest.fixture(autouse=True)
def bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    url = f"sqlite:///{tmp_path / 'bridge.db'}"
    monkeypatch.setenv("DIANFU_BRIDGE_URL", url)
    database = Database(url)
    upgrade("bridge", database)
    now = system_clock()
    with database.transaction() as session:
        session.add_all(
            ChannelUser(channel="wechat", user_id=f"o{n}", conversation_id=f"c{n}", created_at=now) for n in range(3)
        )
    return database


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "outage.yaml"
    path.write_text(FILE)
    return path


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(broadcast_app, list(words))
    return done.exit_code, done.output


def fan_out(bridge: Database) -> None:
    notices, now = Notices.load(Path("data/notices.yaml")), system_clock()
    with bridge.transaction() as session:
        fanout.step(session, notices, 1, now=now)
        fanout.step(session, notices, 1, now=now)
        picked = picking.pick(session, notices, channel="wechat", limit=1, now=now)
        [one, *_] = picking.take(session, picked, now=now)
        sends.settle(session, [Outcome(one, "dead", "wechat 40035")], now=now)


def test_a_file_starts_one_broadcast_however_often_it_is_given(bridge: Database, file: Path) -> None:
    first, again = run("start", str(file)), run("start", str(file))
    assert first == again
    assert first[0] == 0
    assert "1  running" in first[1]
    assert "outage_begun  no sends yet" in first[1]
    assert run("list") == first


def test_a_broadcast_is_shown_with_its_sends_stopped_and_goes_on(bridge: Database, file: Path) -> None:
    run("start", str(file))
    fan_out(bridge)
    shown = run("show", "1")[1]
    assert "waiting 2 dead 1" in shown
    assert "audience all_followers; fanned out: yes" in shown
    assert "1  stopped" in run("stop", "1")[1]
    assert "stopped by dianfu: " in run("show", "1")[1]
    assert "1  running" in run("resume", "1")[1]


def test_what_was_given_up_is_sent_again_when_asked_for(bridge: Database, file: Path) -> None:
    run("start", str(file))
    fan_out(bridge)
    code, said = run("resume", "1", "--dead")
    assert (code, said.startswith("1 sends are tried again\n"), "waiting 3" in said) == (0, True, True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("all_followers", "nodes"), "nodes: Extra inputs are not permitted"),
        (("outage_begun", "outage_over"), "no wording outage_over"),
        (("{area: 江岸区听涛苑}", "{}"), "needs area"),
        (("kind: outage", "kind: bill_ready"), "no wording outage_begun of this kind"),
        (("key:", "name:"), "key: Field required"),
        (("values:", "values: ["), "cannot be read"),
    ],
)
def test_a_bad_file_starts_nothing_and_says_why(file: Path, change: tuple[str, str], said: str) -> None:
    file.write_text(FILE.replace(*change))
    code, output = run("start", str(file))
    assert (code, said in output) == (2, True), output
    assert run("list") == (0, "")


def test_a_number_that_there_is_not_is_said(bridge: Database) -> None:
    assert [run(command, "7") for command in ("show", "stop", "resume")] == [
        (1, "dianfu: there is no broadcast 7\n")
    ] * 3
