"""`dianfu order …` on orders of a database of its own, in this process."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from core.clock import SHANGHAI, system_clock
from core.db import Database
from core.migrations import upgrade
from core.notice import Notice
from core.settings import CoreSettings
from core.work_order import Filing, file_order
from ops.orders import order_app

FILING = Filing(
    cause="c1:1", kind="repair", category="故障报修→低压停电→一户停电", conversation_id="c1", area_class="city",
    address="江汉区万松里3栋502", contact="13800002842", district="江汉区", description="没电了",
    promises=[("arrival", datetime(2027, 1, 1, 8, 0, tzinfo=SHANGHAI))],
)  # fmt: skip


@pytest.fixture
def order_no(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> str:
    """The number of an order in a database that the settings point to."""
    url = f"sqlite:///{tmp_path / 'workorder.db'}"
    monkeypatch.setenv("DIANFU_WORKORDER_URL", url)
    database = Database(url)
    upgrade("workorder", database)
    keyring = CoreSettings().keyring()
    with database.transaction() as session:
        number = file_order(session, FILING, keyring=keyring, now=system_clock()).order.order_no
    database.dispose()
    return number


def _run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(order_app, list(words))
    return done.exit_code, done.output


def _notices(tmp_path: Path) -> list[str]:
    with Database(f"sqlite:///{tmp_path / 'workorder.db'}").reading() as session:
        return list(session.scalars(select(Notice.wording).order_by(Notice.id)))


def test_the_list_names_no_person(order_no: str) -> None:
    code, said = _run("list")
    assert (code, said.startswith(f"{order_no}  accepted")) == (0, True)
    assert "江汉区" in said
    assert not any(word in said for word in ("万松里", "13800002842", "没电了"))
    assert _run("list", "--state", "done") == (0, "")


def test_one_order_is_shown_masked_unless_asked_for_in_clear(order_no: str) -> None:
    masked, clear = _run("show", order_no)[1], _run("show", order_no, "--clear")[1]
    assert "138****2842" in masked
    assert "3栋502" not in masked
    assert "江汉区万松里3栋502  contact 13800002842" in clear
    assert "promised: arrival by 2027-01-01 08:00" in masked
    assert "filed" in masked


def test_an_order_is_moved_by_the_table_and_its_customer_told(order_no: str, tmp_path: Path) -> None:
    assert _run("move", order_no, "dispatched", "--note", "二班") == (0, f"{order_no} is dispatched\n")
    assert _run("move", order_no, "dispatched") == (0, f"{order_no} is dispatched already\n")
    code, said = _run("move", order_no, "done")
    assert (code, "is dispatched; it cannot take that step" in said) == (1, True)
    assert _notices(tmp_path) == ["order_dispatched"]


def test_a_new_time_is_told_once(order_no: str, tmp_path: Path) -> None:
    said = [_run("expect", order_no, "arrival", "2027-01-01 09:30", "--reason", "路上堵车")[1] for _ in range(2)]
    assert said == [f"{order_no}: arrival by 2027-01-01 09:30, {told} told\n" for told in (1, 0)]
    assert _notices(tmp_path) == ["moved_order_arrival"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("show", "20260101000009"), "there is no order 20260101000009"),
        (("move", "20260101000009", "lost"), "no state is called lost"),
        (("list", "--state", "lost"), "no state is called lost"),
        (("expect", "20260101000009", "miracle", "2027-01-01 09:30"), "no promise is called miracle"),
        (("expect", "20260101000009", "arrival", "2027-01-01 09:30"), "there is no order"),
    ],
)
def test_what_cannot_be_is_said(order_no: str, words: tuple[str, ...], problem: str) -> None:
    code, said = _run(*words)
    assert (code, problem in said) == (1, True)
