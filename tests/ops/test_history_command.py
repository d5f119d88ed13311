"""`dianfu seed` makes the past of the demonstration in development, where nobody has talked yet, unless told not to."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ops import keys, stack

PROJECT = Path(__file__).resolve().parents[2]
SMALL = ("--customers", "20", "--months", "2")


def dianfu(root: Path, variables: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("DIANFU_")}
    chosen = {"DIANFU_ROOT": str(root), "DIANFU_DATA_DIR": str(PROJECT / "data")}
    return subprocess.run(
        [sys.executable, "-m", "ops", *words], cwd=PROJECT, env={**bare, **variables, **chosen},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def count(root: Path, database: str, table: str, where: str = "1") -> int:
    with sqlite3.connect(root / "var" / f"{database}.db") as connection:
        found: int = connection.execute(f"select count(*) from {table} where {where}").fetchone()[0]
        return found


def test_seeding_makes_the_past_and_a_reset_makes_it_anew(tmp_path: Path) -> None:
    variables = {"DIANFU_ENV": "development", **keys.fresh()}
    first = dianfu(tmp_path, variables, "seed", *SMALL)
    assert first.returncode == 0, first.stderr
    customers, past = first.stdout.splitlines()
    assert customers.startswith("20 customers, ")
    talks = count(tmp_path, "bridge", "conversations")
    assert past.startswith(f"{talks} conversations, ")
    assert talks > 60 * 10
    outages = count(tmp_path, "workorder", "outages")
    again = dianfu(tmp_path, variables, "seed", "--reset", *SMALL)
    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines()[1] == past
    assert count(tmp_path, "bridge", "conversations") == talks
    assert count(tmp_path, "workorder", "outages") == outages


@pytest.mark.parametrize(
    ("environment", "more"), [("development", ("--no-history",)), ("production", ())], ids=["not_wanted", "production"]
)
def test_without_the_past_nobody_has_talked(tmp_path: Path, environment: str, more: tuple[str, ...]) -> None:
    done = dianfu(tmp_path, {"DIANFU_ENV": environment, **keys.fresh()}, "seed", *SMALL, *more)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    assert count(tmp_path, "bridge", "conversations") == 0
    assert count(tmp_path, "workorder", "work_orders", "cause like 'history:%'") == 0


@pytest.mark.parametrize(("wanted", "word"), [(False, "--no-history"), (True, "--history")])
def test_a_stack_has_a_past_only_if_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: bool, word: str
) -> None:
    said: list[tuple[str, ...]] = []
    monkeypatch.setattr(stack.training, "models", lambda _root: ["model"])
    made = stack.Stack(tmp_path / "site", customers=3, months=1, history=wanted)
    monkeypatch.setattr(made, "tool", lambda *words: said.append(words))
    made.prepare()
    assert said == [("seed", "--customers", "3", "--months", "1", word)]
