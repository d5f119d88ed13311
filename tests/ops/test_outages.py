"""`dianfu outage …` on a work-order database with the network."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner, Result

from core.clock import SHANGHAI
from core.db import Database
from core.migrations import upgrade
from core.notice import Notice
from core.outage import Outage, subscribe
from core.outage_control import outage_of
from core.seed.network import nodes_of
from core.seed.region import load_region
from ops import keys
from ops.cli import app

PROJECT = Path(__file__).resolve().parents[2]
Run = Callable[..., Result]


@pytest.fixture
def workorder(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/var/workorder.db")
    upgrade("workorder", database)
    nodes = {one.code: one for place in load_region(PROJECT / "data/demo").districts for one in nodes_of(place)}
    with database.transaction() as session:
        for kind in ("substation", "feeder", "transformer"):
            session.add_all(one for one in nodes.values() if one.kind == kind)
            session.flush()
    yield database
    database.dispose()


@pytest.fixture
def run(workorder: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    variables = {"DIANFU_ENV": "development", **keys.fresh()}
    variables |= {"DIANFU_ROOT": str(tmp_path), "DIANFU_DATA_DIR": str(PROJECT / "data")}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)  # the command goes to the project's folder; this brings the test back
    return lambda *words: CliRunner().invoke(app, ["outage", *words])


def waiting(database: Database, number: str, *conversations: str) -> None:
    with database.transaction() as session:
        for one in conversations:
            subscribe(session, outage_of(session, number), one, now=datetime.now(SHANGHAI))


def notices(database: Database) -> list[tuple[str, str, str]]:
    with database.reading() as session:
        rows = session.scalars(select(Notice).order_by(Notice.id)).all()
        return [(one.conversation_id, one.wording, one.values.get("cause", "")) for one in rows]


def test_an_outage_from_its_opening_to_power_back(run: Run, workorder: Database) -> None:
    opened = run("open", "江岸区听涛苑3栋")
    assert opened.exit_code == 0, opened.stderr
    number = opened.stdout.split()[0]
    waiting(workorder, number, "c1", "c2")
    until = (datetime.now(SHANGHAI) + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M")
    assert "2 told" in run("expect", number, until).stdout
    assert "2 told" in run("cause", number, "cable").stdout
    assert number in run("list").stdout
    assert "2 told" in run("restore", number).stdout
    assert "0 told" in run("restore", number).stdout
    assert run("list").stdout == ""
    assert number in run("list", "--all").stdout
    assert notices(workorder) == [
        ("c1", "outage_expected", ""), ("c2", "outage_expected", ""),
        ("c1", "outage_cause", "电缆故障"), ("c2", "outage_cause", "电缆故障"),
        ("c1", "outage_restored", ""), ("c2", "outage_restored", ""),
    ]  # fmt: skip


def test_planned_works_are_announced_a_week_ahead_or_called_temporary(run: Run, workorder: Database) -> None:
    def day(number: int, at: str) -> str:
        return f"{datetime.now(SHANGHAI) + timedelta(days=number):%Y-%m-%d}T{at}"

    late = run("plan", "听涛苑", "--from", day(3, "08:00"), "--to", day(3, "17:00"))
    assert late.exit_code == 2
    assert "at least 7 days ahead" in late.stderr
    done = run("plan", "听涛苑", "--from", day(8, "08:00"), "--to", day(8, "17:00"), "--cause", "upgrade")
    assert done.exit_code == 0, done.stderr
    hasty = run("plan", "听涛苑", "--from", day(2, "08:00"), "--to", day(2, "17:00"), "--temporary")
    assert hasty.exit_code == 0, hasty.stderr
    with workorder.reading() as session:
        rows = session.scalars(select(Outage).order_by(Outage.id)).all()
        assert [(one.kind, one.state, one.cause) for one in rows] == [
            ("planned", "planned", "upgrade"), ("temporary", "planned", "maintenance"),
        ]  # fmt: skip
        number = rows[0].outage_no
    assert run("cancel", number).exit_code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("open", "火星路9号"), "no place"),
        (("open", "望江村"), "楚溪县白泉镇望江村"),
        (("open", "听涛苑", "--cause", "ghosts"), "no cause is called"),
        (("open", "听涛苑", "--expected", "halb drei"), "is no time"),
        (("restore", "T000000000000"), "there is no outage"),
        (("plan", "听涛苑", "--from", "2030-01-02T10:00", "--to", "2030-01-02T09:00"), "ends before it begins"),
    ],
)
def test_what_cannot_be_done_is_said_plainly(run: Run, words: tuple[str, ...], message: str) -> None:
    done = run(*words)
    assert done.exit_code != 0
    assert message in done.stderr
    assert isinstance(done.exception, SystemExit)


def test_what_is_over_cannot_be_expected_back(run: Run) -> None:
    number = run("open", "听涛苑").stdout.split()[0]
    run("restore", number)
    assert "this does not follow: restored" in run("expect", number, "23:59").stderr
