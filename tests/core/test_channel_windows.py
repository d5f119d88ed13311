from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from delivery_kit import NOW, bridge, session
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from core.channel import deliveries, windows
from core.channel.tables import PARKED, SENDING, WAITING, Delivery
from core.channel.windows import Remaining
from core.db import Database

__all__ = ["bridge", "session"]


HOURS_48 = timedelta(hours=48)


_users = count(1)


@pytest.fixture
def user() -> int:
    return next(_users)


def _taken(session: Session, user: int, kind: str, now: datetime = NOW, times: int = 9) -> int:
    return sum(windows.take(session, user, kind, now=now) is not None for _ in range(times))


def _row(session: Session, user: int, **more: Any) -> Delivery:
    given = {"conversation_id": f"c{user}", "seq": next(_users), "kind": "agent", "next_at": NOW, "created_at": NOW}
    row = Delivery(channel_user_id=user, **(given | more))
    session.add(row)
    session.flush()
    return row


def test_a_message_lets_people_send_five_and_the_bot_three(session: Session, user: int) -> None:
    windows.open_window(session, user, "message", now=NOW)
    assert windows.remaining(session, user, NOW) == Remaining(5, NOW + HOURS_48, 2)
    assert _taken(session, user, "answer") == 3
    assert windows.remaining(session, user, NOW) == Remaining(2, NOW + HOURS_48, 2)
    assert _taken(session, user, "notice") == 0
    assert (_taken(session, user, "agent", times=1), _taken(session, user, "closing")) == (1, 1)
    assert windows.remaining(session, user, NOW) == Remaining(0, NOW + HOURS_48, 0)


@pytest.mark.parametrize("kind", ["agent", "closing", "safety"])
def test_the_reserve_is_for_people_the_closing_and_safety(session: Session, user: int, kind: str) -> None:
    windows.open_window(session, user, "message", now=NOW)
    assert (_taken(session, user, "answer"), _taken(session, user, kind)) == (3, 2)


@pytest.mark.parametrize("cause", ["tap", "follow", "scan"])
def test_taps_follows_and_scans_grant_three_for_a_minute(session: Session, user: int, cause: Any) -> None:
    windows.open_window(session, user, cause, now=NOW)
    assert windows.remaining(session, user, NOW) == Remaining(3, NOW + timedelta(minutes=1), 0)
    assert _taken(session, user, "answer", NOW + timedelta(seconds=57)) == 3
    windows.open_window(session, user, cause, now=NOW)
    assert _taken(session, user, "agent", NOW + timedelta(seconds=59)) == 0


def test_a_payment_lets_us_send_as_many_as_we_like_for_two_days(session: Session, user: int) -> None:
    windows.open_window(session, user, "pay", now=NOW)
    assert windows.remaining(session, user, NOW) == Remaining(None, NOW + HOURS_48)
    assert _taken(session, user, "answer", times=30) == 30


def test_without_a_cause_nothing_may_be_sent(session: Session, user: int) -> None:
    assert windows.take(session, user, "safety", now=NOW) is None
    assert windows.remaining(session, user, NOW) is None


def test_the_window_that_ends_first_is_used_first(session: Session, user: int) -> None:
    windows.open_window(session, user, "message", now=NOW)
    windows.open_window(session, user, "tap", now=NOW)
    kinds = [windows.take(session, user, "answer", now=NOW) for _ in range(7)]
    assert [one.kind if one else None for one in kinds] == ["tap"] * 3 + ["message"] * 3 + [None]


def test_what_an_agent_reads_is_what_stays_true_after_the_minute(session: Session, user: int) -> None:
    windows.open_window(session, user, "message", now=NOW)
    windows.open_window(session, user, "tap", now=NOW)
    assert windows.remaining(session, user, NOW) == Remaining(5, NOW + HOURS_48, 2)


def test_a_new_message_starts_the_count_anew(session: Session, user: int) -> None:
    windows.open_window(session, user, "message", now=NOW)
    assert _taken(session, user, "agent") == 5
    later = NOW + timedelta(hours=47)
    windows.open_window(session, user, "message", now=later)
    assert windows.remaining(session, user, later) == Remaining(5, later + HOURS_48, 2)


def test_news_of_an_earlier_message_changes_nothing(session: Session, user: int) -> None:
    windows.open_window(session, user, "message", now=NOW)
    assert _taken(session, user, "agent", times=4) == 4
    windows.open_window(session, user, "message", now=NOW, at=NOW - timedelta(seconds=9))
    assert windows.remaining(session, user, NOW) == Remaining(1, NOW + HOURS_48, 1)


def test_what_was_sent_before_the_news_came_counts_against_the_new_window(session: Session, user: int) -> None:
    written, heard = NOW - timedelta(seconds=20), NOW
    _row(session, user, state="sent", way="service", part=2, sent_at=NOW - timedelta(seconds=10))
    _row(session, user, state="sent", way="passive", part=1, sent_at=NOW - timedelta(seconds=10))
    _row(session, user, state="sent", way="service", part=1, sent_at=NOW - timedelta(seconds=30))
    _row(session, user, state=SENDING)
    windows.open_window(session, user, "message", now=heard, at=written)
    assert windows.remaining(session, user, heard) == Remaining(2, written + HOURS_48, 2)


def test_a_cause_from_a_clock_that_is_ahead_begins_just_before_its_news(session: Session, user: int) -> None:
    """WeChat may have counted against it what was sent between the cause and the news, however late the clock says."""
    began = NOW - windows.MARGIN
    windows.open_window(session, user, "message", now=NOW, at=NOW + timedelta(minutes=3))
    assert windows.remaining(session, user, NOW) == Remaining(5, began + HOURS_48, 2)
    _row(session, user, state="sent", way="service", part=3, sent_at=NOW - timedelta(seconds=1))
    windows.open_window(session, user, "message", now=NOW, at=NOW + timedelta(minutes=3))
    assert windows.remaining(session, user, NOW) == Remaining(2, began + HOURS_48, 2)


def test_what_was_parked_may_go_when_a_window_opens(session: Session, user: int) -> None:
    mine, other = _row(session, user, state=PARKED), _row(session, next(_users), state=PARKED)
    windows.open_window(session, user, "tap", now=NOW + timedelta(hours=1))
    session.expire_all()
    assert (mine.state, mine.next_at, other.state) == (WAITING, NOW + timedelta(hours=1), PARKED)


def test_what_was_surely_not_sent_is_given_back_once_and_never_more_than_was_granted(
    session: Session, user: int
) -> None:
    windows.open_window(session, user, "message", now=NOW)
    taken = windows.take(session, user, "agent", now=NOW)
    assert taken is not None
    windows.give_back(session, user, taken)
    windows.give_back(session, user, taken)
    assert windows.remaining(session, user, NOW) == Remaining(5, NOW + HOURS_48, 2)


def test_nothing_is_given_back_to_a_window_opened_since(session: Session, user: int) -> None:
    windows.open_window(session, user, "message", now=NOW)
    taken = windows.take(session, user, "agent", now=NOW)
    assert taken is not None
    later = NOW + timedelta(seconds=5)
    windows.open_window(session, user, "message", now=later)
    assert _taken(session, user, "agent", later, times=2) == 2
    windows.give_back(session, user, taken)
    assert windows.remaining(session, user, later) == Remaining(3, later + HOURS_48, 2)


def test_the_count_that_wechat_calls_used_up_is_used_up(session: Session, user: int) -> None:
    windows.open_window(session, user, "message", now=NOW)
    windows.exhausted(session, user, "count_used", now=NOW)
    assert windows.remaining(session, user, NOW) == Remaining(0, NOW + HOURS_48, 0)


def test_the_windows_that_wechat_calls_closed_are_closed_but_not_one_opened_since(session: Session, user: int) -> None:
    windows.open_window(session, user, "message", now=NOW)
    windows.open_window(session, user, "tap", now=NOW + timedelta(seconds=3))
    windows.exhausted(session, user, "window_closed", now=NOW + timedelta(seconds=4), called_at=NOW)
    assert _taken(session, user, "agent", NOW + timedelta(seconds=4)) == 3


def test_who_has_left_has_no_windows(session: Session, user: int) -> None:
    windows.open_window(session, user, "message", now=NOW)
    windows.close(session, user)
    assert windows.take(session, user, "agent", now=NOW) is None


def test_twelve_at_once_take_five(bridge: Database, user: int) -> None:
    with bridge.transaction() as session:
        windows.open_window(session, user, "message", now=NOW)

    def one(_: int) -> bool:
        with bridge.transaction() as session:
            return windows.take(session, user, "agent", now=NOW) is not None

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(one, range(12))) == 5


def test_two_first_causes_at_once_make_one_window(bridge: Database, user: int) -> None:
    def one(_: int) -> None:
        with bridge.transaction() as session:
            windows.open_window(session, user, "message", now=NOW)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(4)))
    with bridge.reading() as session:
        assert windows.remaining(session, user, NOW) == Remaining(5, NOW + HOURS_48, 2)


@dataclass
class Tencent:
    """What WeChat itself counts: it hears of causes at once, uses the window that ends first, and refuses the rest."""

    open: dict[str, tuple[datetime, int]] = field(default_factory=dict)

    def cause(self, kind: str, at: datetime) -> None:
        grant, span = windows.GRANTS[kind]
        self.open[kind] = (at + span, grant)

    def accepts(self, at: datetime) -> bool:
        usable = [(until, kind) for kind, (until, left) in self.open.items() if until > at and left]
        if not usable:
            return False
        until, kind = min(usable)
        self.open[kind] = (until, self.open[kind][1] - 1)
        return True


STEPS = st.sampled_from([0.1, 0.4, 0.9, 5.0, 31.0, 58.0, 3600.0, 86400.0, 172799.0])


ACTIONS = st.one_of(
    st.tuples(st.just("cause"), st.sampled_from(["message", "message", "tap", "follow", "scan"])),
    st.tuples(st.just("news"), st.integers(0, 3)),
    st.tuples(st.just("send"), st.sampled_from(["answer", "answer", "agent", "notice", "closing"])),
    st.tuples(st.just("settle"), st.sampled_from(["accepted", "accepted", "lost on the way"])),
)


@dataclass
class Play:
    """Both ledgers side by side; news of causes and results of sendings come late."""

    session: Session
    user: int
    now: datetime = NOW
    tencent: Tencent = field(default_factory=Tencent)
    news: list[tuple[Any, datetime]] = field(default_factory=list)
    flight: tuple[Delivery, windows.Taken] | None = None
    sent: int = 0

    def do(self, action: str, what: Any) -> None:
        if action == "cause":
            self.tencent.cause(what, self.now)
            self.news.append((what, self.now.replace(microsecond=0)))  # WeChat tells whole seconds
        elif action == "news" and self.news:
            kind, at = self.news.pop(what % len(self.news))
            windows.open_window(self.session, self.user, kind, now=self.now, at=at)
        elif action == "send" and self.flight is None:
            taken = windows.take(self.session, self.user, what, now=self.now)
            if taken:
                self.flight = _row(self.session, self.user, state=SENDING, next_at=self.now), taken
        elif action == "settle" and self.flight:
            self.settle(what)

    def settle(self, how: str) -> None:
        assert self.flight is not None
        (row, taken), self.flight = self.flight, None
        if how == "accepted":
            assert self.tencent.accepts(self.now), (taken, self.tencent)
            deliveries.sent(self.session, [row.id], now=self.now)
            self.sent += 1
        else:
            windows.give_back(self.session, self.user, taken)
            deliveries.failed(self.session, [row.id], now=self.now, error="unreachable")

    def advance(self, seconds: float) -> None:
        if self.flight and self.now + timedelta(seconds=seconds) - self.flight[0].next_at > windows.MARGIN:
            self.settle("accepted")  # a sending does not take longer
        self.now += timedelta(seconds=seconds)


@examples(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(STEPS, ACTIONS), max_size=40))
def test_whatever_was_taken_wechat_accepts(bridge: Database, course: list[tuple[float, tuple[str, Any]]]) -> None:
    with bridge.transaction() as session:
        play = Play(session, next(_users))
        for seconds, (action, what) in course:
            play.do(action, what)
            play.advance(seconds)
