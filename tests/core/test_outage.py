"""Outages: reports open one once, subscribers hear of each change once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import SHANGHAI
from core.db import Database
from core.migrations import upgrade
from core.network import FEEDER, SUBSTATION, TRANSFORMER, NetworkNode, UnknownNode, below
from core.notice import Notice
from core.outage import (
    Outage,
    OutageReport,
    open_outage,
    outage_at,
    outages_in,
    planned_for,
    subscribe,
    subscribers,
)
from core.outage_control import (
    OutageNotFound,
    WrongOutageState,
    change_state,
    expect,
    find_cause,
    has_order,
    outage_of,
    restore,
    tell_expected,
)
from core.outage_report import Reported, report, withdraw
from core.place import Place
from tests.conftest import DIALECTS, NewUrl

NOW = datetime(2026, 11, 22, 18, 0, tzinfo=SHANGHAI)
HERE = Place("江岸区听涛苑", ("T1",), "city", "江岸区")


@pytest.fixture(params=DIALECTS)
def database(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Database]:
    """A network of one substation, two feeders and three transformers."""
    database = Database(new_url(request.param, tmp_path))
    upgrade("workorder", database)
    with database.transaction() as session:
        for code, kind, parent in (
            ("S1", SUBSTATION, None), ("F1", FEEDER, "S1"), ("F2", FEEDER, "S1"), ("T1", TRANSFORMER, "F1"),
            ("T2", TRANSFORMER, "F1"), ("T3", TRANSFORMER, "F2"),
        ):  # fmt: skip
            place = {"T1": "听涛苑", "T2": "听涛苑", "T3": "江岸里"}.get(code)
            session.add(
                NetworkNode(code=code, kind=kind, name=code, parent_code=parent, district="江岸区", road="解放大道",
                            place=place, area_class="city", owner="grid")
            )  # fmt: skip
            session.flush()
    yield database
    database.dispose()


def fault(session: Session, *codes: str, expected: datetime | None = None, state: str = "active") -> Outage:
    return open_outage(
        session, codes, kind="fault", state=state, started_at=NOW - timedelta(hours=1), expected_at=expected, now=NOW
    )


def said(
    session: Session, number: int, *, premises: str | None = "", now: datetime = NOW, place: Place = HERE
) -> Reported:
    """Report from conversation `number`, each from premises of its own."""
    at = Place(place.area, place.codes, "city", "江岸区", premises=f"address:{number}" if premises == "" else premises)
    return report(session, at, conversation_id=f"c{number}", account_no=None, now=now)


def notices(database: Database) -> list[tuple[str, str]]:
    with database.reading() as session:
        return [(one.conversation_id, one.wording) for one in session.scalars(select(Notice).order_by(Notice.id))]


def test_an_outage_of_a_feeder_reaches_all_its_transformers_and_no_other(database: Database) -> None:
    with database.transaction() as session:
        outage = fault(session, "F1")
        assert [node.code for node in below(session, ["F1"])] == ["T1", "T2"]
        assert outage_at(session, HERE, NOW) == outage
        assert outage_at(session, Place("", ("T3",)), NOW) is None
        assert outage_at(session, Place("火星路"), NOW) is None


def test_the_area_names_the_buildings_if_only_some_of_a_compound_are_out(database: Database) -> None:
    with database.transaction() as session:
        session.get_one(NetworkNode, "T1").first_building, session.get_one(NetworkNode, "T1").last_building = 1, 9
        session.flush()
        assert fault(session, "T1").area == "江岸区听涛苑（1到9栋）"
        assert fault(session, "T1", "T2").area == "江岸区听涛苑"
        assert fault(session, "T2", "T3").area == "江岸区听涛苑、江岸区江岸里"


def test_a_planned_outage_is_under_way_between_its_times_alone(database: Database) -> None:
    with database.transaction() as session:
        begin, end = NOW + timedelta(days=3), NOW + timedelta(days=3, hours=9)
        planned = open_outage(
            session, ["T1"], kind="planned", state="planned", started_at=begin, expected_at=end, now=NOW
        )
        assert outage_at(session, HERE, NOW) is None
        assert planned_for(session, HERE, NOW) == [planned]
        assert planned_for(session, HERE, NOW, days=2) == []
        assert outage_at(session, HERE, begin) == planned
        assert planned_for(session, HERE, begin) == []
        assert outage_at(session, HERE, end) is None


def test_a_confirmed_outage_comes_before_a_suspected_one(database: Database) -> None:
    with database.transaction() as session:
        fault(session, "T1", state="suspected")
        sure = fault(session, "F1")
        assert outage_at(session, HERE, NOW) == sure
        assert [one.id for one in outages_in(session, "江岸区", NOW)] == [sure.id]


def test_three_premises_within_half_an_hour_open_one_suspected_outage(database: Database) -> None:
    with database.transaction() as session:
        assert said(session, 1) == Reported(None, False, 1)
        assert said(session, 2) == Reported(None, False, 2)
        third = said(session, 3)
        assert third.opened
        assert third.count == 3
        assert third.outage is not None
        assert (third.outage.kind, third.outage.state) == ("fault", "suspected")
        assert subscribers(session, third.outage) == ["c1", "c2", "c3"]
        fourth = said(session, 4)
        assert (fourth.outage, fourth.opened) == (third.outage, False)
        assert {one.outage_id for one in session.scalars(select(OutageReport))} == {third.outage.id}


def test_one_conversation_or_one_house_counts_once(database: Database) -> None:
    with database.transaction() as session:
        for _ in range(3):
            assert said(session, 1).count == 1
        assert said(session, 2, premises="address:1").count == 1
        assert len(session.scalars(select(OutageReport)).all()) == 2


def test_reports_that_lie_too_far_apart_open_nothing(database: Database) -> None:
    with database.transaction() as session:
        said(session, 1)
        said(session, 2, now=NOW + timedelta(minutes=10))
        assert said(session, 3, now=NOW + timedelta(minutes=31)) == Reported(None, False, 2)


def test_reports_without_a_building_count_for_all_transformers_of_the_compound(database: Database) -> None:
    vague = Place("江岸区听涛苑", ("T1", "T2"))
    with database.transaction() as session:
        said(session, 1, place=vague, premises=None)
        said(session, 2, place=vague, premises=None)
        opened = said(session, 3)
        assert opened.outage is not None
        assert [one.node_code for one in opened.outage.nodes] == ["T1"]


def test_a_withdrawn_report_does_not_count(database: Database) -> None:
    with database.transaction() as session:
        said(session, 1)
        withdraw(session, "c1")
        said(session, 2)
        assert said(session, 3) == Reported(None, False, 2)


def test_after_power_is_back_a_new_report_is_news(database: Database) -> None:
    with database.transaction() as session:
        outage = fault(session, "T1")
        assert said(session, 1).outage == outage
        restore(session, outage, now=NOW)
        assert said(session, 1) == Reported(None, False, 1)
        assert len(session.scalars(select(OutageReport)).all()) == 2


def test_reports_that_arrive_together_open_one_outage(database: Database) -> None:
    barrier, found = threading.Barrier(6), []

    def send(number: int) -> None:
        barrier.wait()
        with database.transaction() as session:
            found.append(said(session, number).opened)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [False] * 5 + [True]
    with database.reading() as session:
        (outage,) = session.scalars(select(Outage)).all()
        assert len(subscribers(session, outage)) == 6


def test_outages_that_are_opened_together_get_numbers_of_their_own(database: Database) -> None:
    barrier, codes = threading.Barrier(3), ("T1", "T2", "T3")

    def open_one(code: str) -> None:
        barrier.wait()
        with database.transaction() as session:
            fault(session, code)

    threads = [threading.Thread(target=open_one, args=(code,)) for code in codes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as session:
        numbers = sorted(session.scalars(select(Outage.outage_no)))
    assert numbers == ["T202611220001", "T202611220002", "T202611220003"]


def test_whoever_was_told_a_time_hears_once_that_it_has_moved(database: Database) -> None:
    first, later = NOW + timedelta(hours=1), NOW + timedelta(hours=3)
    with database.transaction() as session:
        outage = fault(session, "T1", expected=first)
        number = outage.outage_no
        for conversation in ("told", "untold"):
            subscribe(session, outage, conversation, now=NOW)
        tell_expected(session, outage, "told", now=NOW)
    for _ in range(2):
        with database.transaction() as session:
            expect(session, outage_of(session, number), later, now=NOW)
    assert notices(database) == [("told", "moved_outage_restore"), ("untold", "outage_expected")]
    with database.transaction() as session:
        expect(session, outage_of(session, number), later + timedelta(hours=1), now=NOW)
    assert notices(database)[2:] == [("told", "moved_outage_restore"), ("untold", "moved_outage_restore")]


def test_power_back_is_told_to_every_subscriber_once(database: Database) -> None:
    with database.transaction() as session:
        outage = fault(session, "T1")
        number = outage.outage_no
        for conversation in ("c1", "c2"):
            subscribe(session, outage, conversation, now=NOW)
            subscribe(session, outage, conversation, now=NOW)
    for told in (2, 0):
        with database.transaction() as session:
            assert restore(session, outage_of(session, number), now=NOW) == told
    assert notices(database) == [("c1", "outage_restored"), ("c2", "outage_restored")]
    with database.reading() as session:
        assert outage_at(session, HERE, NOW) is None


def test_a_cause_confirms_a_suspected_outage_and_is_told(database: Database) -> None:
    with database.transaction() as session:
        outage = fault(session, "T1", state="suspected")
        subscribe(session, outage, "c1", now=NOW)
        assert find_cause(session, outage, "cable", "电缆故障", now=NOW) == 1
        assert (outage.state, outage.cause) == ("confirmed", "cable")
    assert notices(database) == [("c1", "outage_cause")]


def test_what_is_over_stays_as_it_is(database: Database) -> None:
    with database.transaction() as session:
        outage = fault(session, "T1")
        restore(session, outage, now=NOW)
        with pytest.raises(WrongOutageState):
            change_state(session, outage, "active", now=NOW)
        with pytest.raises(WrongOutageState):
            expect(session, outage, NOW + timedelta(hours=1), now=NOW)
        with pytest.raises(WrongOutageState):
            find_cause(session, outage, "cable", "电缆故障", now=NOW)
        with pytest.raises(OutageNotFound):
            outage_of(session, "T000000000000")


def test_an_impossible_outage_is_refused(database: Database) -> None:
    with database.transaction() as session:
        with pytest.raises(UnknownNode):
            fault(session, "T9")
        with pytest.raises(ValueError, match="ends before"):
            fault(session, "T1", expected=NOW - timedelta(hours=2))
        with pytest.raises(ValueError, match="0 nodes"):
            fault(session)


def test_an_outage_has_an_order_when_a_reporter_filed_one(database: Database) -> None:
    with database.transaction() as session:
        for number in (1, 2, 3):
            opened = said(session, number)
        assert opened.outage is not None
        assert not has_order(session, opened.outage)
        report(session, HERE, conversation_id="c3", account_no=None, now=NOW, order_no="20261122000001")
        assert has_order(session, opened.outage)
