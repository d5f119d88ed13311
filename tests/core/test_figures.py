from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy.orm import Session

from core import conversation as log_of
from core.clock import SHANGHAI
from core.db import Database
from core.desk_setting import change_setting
from core.fields import Keyring
from core.handoff.figures import (
    BadSpan,
    Calendars,
    CaseFigures,
    arrivals,
    case_figures,
    cases_requested,
    events_of,
    open_cases,
    service_figures,
    span_of,
    summary,
)
from core.handoff.tables import CaseNotFound, Handoff, HandoffEvent
from core.migrations import upgrade
from core.promise import ARRIVAL, Commitments
from core.service_clock import Calendar, Figure
from core.work_order import Filing, file_order, progress

ROOT = Path(__file__).parents[2]
HOURS = ROOT / "data" / "desk" / "hours.yaml"
DAY = date(2026, 11, 23)  # a Monday
T0 = datetime(2026, 11, 23, 10, 0, tzinfo=SHANGHAI)
NOW = T0 + timedelta(hours=6)
Log = list[tuple[float, str, int | None]]


@pytest.fixture(params=["sqlite", "postgresql"])
def bridge(request: pytest.FixtureRequest, new_url: Callable[[str, Path], str], tmp_path: Path) -> Iterator[Database]:
    """A migrated bridge database of each dialect."""
    database = Database(new_url(request.param, tmp_path))
    upgrade("bridge", database)
    yield database
    database.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def workorder(
    request: pytest.FixtureRequest, new_url: Callable[[str, Path], str], tmp_path: Path
) -> Iterator[Database]:
    """A migrated work-order database of each dialect."""
    database = Database(new_url(request.param, tmp_path))
    upgrade("workorder", database)
    yield database
    database.dispose()


def _case(
    session: Session, log: Log, *, skill: str = "billing", start: datetime = T0, ended: bool = False,
    data: dict[str, dict[str, Any]] | None = None,
) -> int:  # fmt: skip
    """Write a case whose log is (minute, kind, agent); `data` by kind."""
    conversation = log_of.open_conversation(
        session, channel="web", customer_no=None, accounts=[], assurance=0, now=start
    )
    case = Handoff(
        conversation_id=conversation.id, reason="asked", skill=skill, priority=5, requested_at=start, rank_at=start,
        ended_at=start + timedelta(minutes=log[-1][0]) if ended else None,
    )  # fmt: skip
    session.add(case)
    session.flush()
    for minute, kind, agent in log:
        session.add(
            HandoffEvent(
                handoff_id=case.id,
                conversation_id=conversation.id,
                at=start + timedelta(minutes=minute),
                kind=kind,
                agent_id=agent,
                data={"skill": skill, "priority": 5} if kind == "requested" else (data or {}).get(kind, {}),
            )  # fmt: skip
        )
    session.flush()
    return case.id


def _one(session: Session, log: Log, **more: Any) -> CaseFigures:
    case = _case(session, log, **more)
    return case_figures(session, Calendars.read(session, HOURS), case, now=NOW)


def _minutes(figure: Figure) -> float:
    return figure.elapsed.total_seconds() / 60


def test_the_time_before_the_request_and_after_the_hand_back_is_nobodys(bridge: Database) -> None:
    with bridge.transaction() as session:
        one = _one(
            session, [(0, "requested", None), (2, "claimed", 7), (4, "agent_replied", 7), (50, "handed_back", 7)]
        )
        assert (_minutes(one.first_response), one.first_response.state) == (4, "met")
        assert (_minutes(one.closure), one.closure.state) == (50, "met")
        assert (one.standing, one.ended_at, one.answered_by) == ("over", T0 + timedelta(minutes=50), 7)


def test_each_clock_names_the_events_behind_it(bridge: Database) -> None:
    with bridge.transaction() as session:
        one = _one(session, [(0, "requested", None), (2, "claimed", 7), (4, "agent_replied", 7), (50, "closed", 7)])
        log = {event.kind: event.id for event in events_of(session, one.handoff_id)}
        assert one.first_response.events == (log["requested"], log["agent_replied"])
        assert one.closure.events == (log["requested"], log["closed"])


def test_who_leaves_the_queue_is_counted_and_neither_met_nor_breached(bridge: Database) -> None:
    with bridge.transaction() as session:
        one = _one(session, [(0, "requested", None), (0, "queued", None), (6, "left_queue", None)])
        assert (one.left_queue, one.first_response.state, one.closure.state) == (True, "none", "none")
        assert (one.standing, one.waiting_since) == ("over", None)
        all_of = service_figures([one])
        assert (all_of.cases, all_of.left_queue, all_of.answered) == (1, 1, 0)
        assert (all_of.first_response.count, all_of.first_response.share) == (0, None)


def test_who_leaves_after_the_promise_was_broken_stays_a_breach(bridge: Database) -> None:
    with bridge.transaction() as session:
        one = _one(session, [(0, "requested", None), (16, "left_queue", None)])
        assert one.first_response.state == "breached"
        assert service_figures([one]).first_response.breached_cases == (one.handoff_id,)


def test_a_transfer_starts_nothing_anew_and_is_counted(bridge: Database) -> None:
    log: Log = [
        (0, "requested", None), (3, "claimed", 7), (5, "agent_replied", 7), (30, "transferred", 7), (31, "claimed", 8),
        (33, "agent_replied", 8), (121, "closed", 8),
    ]  # fmt: skip
    with bridge.transaction() as session:
        one = _one(session, log)
        assert (one.transfers, one.replies, one.answered_by) == (1, 2, 8)
        assert (_minutes(one.first_response), _minutes(one.closure)) == (5, 121)
        assert (one.first_response.state, one.closure.state) == ("met", "breached")


def test_a_reopened_case_goes_on_with_the_same_clock_without_the_time_between(bridge: Database) -> None:
    log: Log = [
        (0, "requested", None), (4, "agent_replied", 7), (60, "closed", 7), (160, "reopened", None), (200, "closed", 7),
    ]  # fmt: skip
    with bridge.transaction() as session:
        one = _one(session, log)
        assert (one.reopened, _minutes(one.closure), one.closure.state) == (1, 100, "met")
        assert one.ended_at == T0 + timedelta(minutes=200)
        again = _one(session, log[:-1])
        assert (again.standing, again.ended_at) == ("person", None)


def test_a_paused_closure_does_not_count_what_the_customer_takes(bridge: Database) -> None:
    log: Log = [
        (0, "requested", None), (4, "agent_replied", 7), (10, "paused", 7), (130, "resumed", 7), (150, "closed", 7),
    ]  # fmt: skip
    with bridge.transaction() as session:
        one = _one(session, log, data={"paused": {"reason": "waiting_customer"}})
        assert (_minutes(one.closure), one.closure.state) == (30, "met")


@pytest.mark.parametrize(
    ("log", "standing", "since"),
    [
        ([(0, "requested", None), (1, "queued", None), (2, "offered", 7), (3, "declined", 7)], "waiting", 0),
        ([(0, "requested", None), (2, "claimed", 7), (20, "vanished", 7), (20, "queued", None)], "waiting", 20),
        ([(0, "requested", None), (2, "claimed", 7), (9, "transferred", 7), (9, "queued", None)], "waiting", 9),
        ([(0, "requested", None), (2, "claimed", 7), (9, "paused", 7)], "person", None),
        ([(0, "requested", None), (2, "claimed", 7), (9, "wrap_up", 7)], "wrap_up", None),
        ([(0, "requested", None), (9, "left_message", None)], "message", None),
        ([(0, "requested", None), (9, "closed", None), (10, "survey_asked", None)], "over", None),
    ],
)
def test_the_log_tells_who_waits_and_since_when(bridge: Database, log: Log, standing: str, since: float | None) -> None:
    reason = {"paused": {"reason": "waiting_field"}}
    with bridge.transaction() as session:
        one = _one(session, log, data=reason)
        expected = None if since is None else T0 + timedelta(minutes=since)
        assert (one.standing, one.waiting_since) == (standing, expected)


def test_a_vanished_agent_is_counted_and_the_clock_goes_on(bridge: Database) -> None:
    log: Log = [
        (0, "requested", None),
        (2, "claimed", 7),
        (4, "vanished", 7),
        (9, "claimed", 8),
        (12, "agent_replied", 8),
    ]
    with bridge.transaction() as session:
        one = _one(session, log)
        assert (one.vanished, _minutes(one.first_response)) == (1, 12)


def test_cases_belong_to_the_day_on_which_they_were_requested(bridge: Database) -> None:
    start, end = span_of(DAY, DAY)
    assert (start, end) == (
        datetime(2026, 11, 23, tzinfo=SHANGHAI), datetime(2026, 11, 24, tzinfo=SHANGHAI),
    )  # fmt: skip
    with bridge.transaction() as session:
        log: Log = [(0, "requested", None), (4, "agent_replied", 7), (50, "closed", 7)]
        eve = _case(session, log, start=start - timedelta(minutes=1), skill="repair")
        first = _case(session, log, start=start, skill="repair")
        last = _case(session, log, start=end - timedelta(seconds=1), skill="repair", ended=True)
        _case(session, log, start=end, skill="repair")
        calendars = Calendars.read(session, HOURS)
        found = cases_requested(session, calendars, start, end, now=NOW + timedelta(days=1))
        assert [one.handoff_id for one in found] == [first, last]
        assert eve in [one.handoff_id for one in open_cases(session, calendars, now=NOW)]
        assert last not in [one.handoff_id for one in open_cases(session, calendars, now=NOW)]


def test_the_same_log_gives_the_same_figures_later(bridge: Database) -> None:
    with bridge.transaction() as session:
        for minutes in (1, 2, 20):
            _case(session, [(0, "requested", None), (minutes, "agent_replied", 7), (50, "closed", 7)])
        calendars = Calendars.read(session, HOURS)
        start, end = span_of(DAY, DAY)
        first = cases_requested(session, calendars, start, end, now=NOW)
        assert cases_requested(session, calendars, start, end, now=NOW + timedelta(days=30)) == first


def test_the_summary_counts_shares_and_ranks() -> None:
    def clock(minutes: float | None, state: str) -> Figure:
        stopped = None if minutes is None else T0 + timedelta(minutes=minutes)
        return Figure(
            "first_response", started_at=T0, stopped_at=stopped, aim_at=T0 + timedelta(minutes=3),
            elapsed=timedelta(minutes=minutes or 0), state=state,  # type: ignore[arg-type]  # one of the states
        )  # fmt: skip

    clocks = {number: clock(number, "met") for number in range(1, 10)}
    clocks |= {20: clock(20, "breached"), 30: clock(None, "running"), 31: clock(None, "breached"), 40: Figure("x")}
    found = summary(clocks)
    assert (found.count, found.met, found.breached, found.open) == (12, 9, 2, 1)
    assert (found.share, found.within_aim) == (9 / 11, 3 / 11)
    assert (found.mean_seconds, found.median_seconds, found.p90_seconds) == (390, 330, 540)
    assert (found.cases, found.breached_cases) == ((*range(1, 10), 20, 30, 31), (20, 31))


def test_nothing_to_count_gives_no_shares() -> None:
    found = summary({})
    assert (found.count, found.share, found.within_aim, found.median_seconds, found.p90_seconds) == (0,) + (None,) * 4


def test_a_change_of_hours_alters_no_figure_of_the_past(bridge: Database) -> None:
    evening = datetime(2026, 11, 23, 19, 55, tzinfo=SHANGHAI)
    log: Log = [(0, "requested", None), (15, "agent_replied", 7)]
    with bridge.transaction() as session:
        assert _minutes(_one(session, log, start=evening).first_response) == 5  # closed from 20:00 on
        hours = yaml.safe_load(HOURS.read_text(encoding="utf-8"))
        hours["schedules"]["desk"]["workday"] = ["08:00-21:00"]
        change_setting(session, "hours", hours, agent_id=1, now=datetime(2026, 11, 24, 9, 0, tzinfo=SHANGHAI))
        assert _minutes(_one(session, log, start=evening).first_response) == 5
        tomorrow = evening + timedelta(days=1)
        assert _minutes(_one(session, log, start=tomorrow).first_response) == 15


def test_an_unknown_case_has_no_figures(bridge: Database) -> None:
    with bridge.reading() as session, pytest.raises(CaseNotFound):
        case_figures(session, Calendars.read(session, HOURS), 4711, now=NOW)


@pytest.mark.parametrize(("first", "last"), [(DAY, DAY - timedelta(days=1)), (DAY, DAY + timedelta(days=366))])
def test_days_that_are_none_or_too_many_are_refused(first: date, last: date) -> None:
    with pytest.raises(BadSpan):
        span_of(first, last)


def test_arrival_is_measured_against_the_time_of_the_area(workorder: Database, keyring: Keyring) -> None:
    commitments = Commitments.load(ROOT / "data" / "promises.yaml")

    def order(session: Session, name: str, area: str, minutes: int | None, *, promised: bool = True) -> str:
        promises = [(ARRIVAL, T0 + timedelta(minutes=commitments.arrival_minutes[area]))] if promised else []
        filing = Filing(cause=name, kind=name, category="故障报修", area_class=area, promises=promises)
        found = file_order(session, filing, keyring=keyring, now=T0, joins=False).order
        if minutes is not None:
            for state, after in (("dispatched", 1), ("taken", 2), ("arrived", minutes)):
                progress(session, found, state, now=T0 + timedelta(minutes=after))
        return found.order_no

    with workorder.transaction() as session:
        in_time, late = order(session, "a", "city", 45), order(session, "b", "city", 46)
        rural, waiting = order(session, "c", "rural", 46), order(session, "d", "remote", None)
        order(session, "e", "city", 20, promised=False)
        calendars = Calendars(Calendar.load(HOURS))
        found = arrivals(session, commitments, calendars, *span_of(DAY, DAY), now=T0 + timedelta(minutes=100))
        states = {number: one.state for number, one in found.items()}
        assert states == {in_time: "met", late: "breached", rural: "met", waiting: "running"}
        assert found[late].elapsed == timedelta(minutes=46)
        assert (
            arrivals(session, commitments, calendars, *span_of(date(2026, 11, 24), date(2026, 11, 24)), now=NOW) == {}
        )
