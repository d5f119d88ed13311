"""`dianfu outbox …` on a database of its own, in this process."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from core import outbox
from core.clock import system_clock
from core.db import Database
from core.migrations import upgrade
from ops.outbox import outbox_app


@pytest.fixture(autouse=True)
def bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Three items: one waits, one is dead, one is done."""
    url = f"sqlite:///{tmp_path / 'bridge.db'}"
    monkeypatch.setenv("DIANFU_BRIDGE_URL", url)
    database = Database(url)
    upgrade("bridge", database)
    with database.transaction() as session:
        for key in ("waits", "dead", "done"):
            outbox.put(session, kind="sms", key=key, payload={"sealed": "13800002842"}, now=system_clock())
        outbox.settle(session, 2, now=system_clock(), delivered=False, error="UnknownKind", hopeless=True)
        outbox.settle(session, 3, now=system_clock(), delivered=True)
    return database


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(outbox_app, list(words))
    return done.exit_code, done.output


def numbers(*words: str) -> list[str]:
    return [line.split()[0] for line in run("list", *words)[1].splitlines()]


def test_what_is_not_delivered_is_listed_and_what_was_given_up_apart() -> None:
    assert numbers() == ["1", "2"]
    assert numbers("--dead") == ["2"]
    assert "2  dead " in run("list", "--dead")[1]
    assert "sms  tries 1  UnknownKind" in run("list", "--dead")[1]


def test_an_item_is_shown_without_what_it_carries() -> None:
    code, said = run("show", "2")
    assert (code, "carries sealed" in said, "key dead" in said, "13800002842" in said) == (0, True, True, False)


def test_what_was_given_up_is_due_again_when_an_operator_says_so(bridge: Database) -> None:
    assert run("retry", "2") == (0, "1 is tried again\n")
    assert numbers("--dead") == []
    with bridge.reading() as session:
        assert [(item.key, item.attempts) for item in outbox.due(session, now=system_clock())] == [
            ("waits", 0), ("dead", 0),
        ]  # fmt: skip


def test_everything_that_was_given_up_can_be_sent_again_at_once() -> None:
    assert run("retry", "--all") == (0, "1 is tried again\n")
    assert run("retry", "--all") == (0, "0 are tried again\n")
    assert run("retry")[0] == run("retry", "1", "--all")[0] == 2


def test_an_item_is_dropped_with_the_reason_and_does_not_come_back() -> None:
    assert run("drop", "2")[0] == 2
    code, said = run("drop", "2", "--why", "号码停机")
    assert (code, "dropped: 号码停机" in said) == (0, True)
    assert numbers() == ["1"]
    assert run("retry", "2") == (1, "dianfu: there is no item 2 that is not done\n")


def test_an_item_that_there_is_not_is_said() -> None:
    assert run("show", "9") == (1, "dianfu: there is no item 9 that is not done\n")
