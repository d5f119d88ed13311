"""What holds for every log and all hours."""

from __future__ import annotations

import random
from copy import deepcopy
from datetime import datetime, timedelta
from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clock import SHANGHAI
from core.service_clock import Calendar, DeskHours, Event, figures

ROOT = Path(__file__).parents[2]
SHIPPED_DATA = yaml.safe_load((ROOT / "data/desk/hours.yaml").read_text(encoding="utf-8"))
SCHEDULES = yaml.safe_load((ROOT / "tests/data/clock_cases.yaml").read_text(encoding="utf-8"))["schedules"]


def _calendar(schedule: str) -> Calendar:
    """The settings that are shipped with one schedule for all skills but repair."""
    data = deepcopy(SHIPPED_DATA)
    data["schedules"] |= {schedule: SCHEDULES[schedule]}
    data["skills"] = dict.fromkeys(data["skills"], schedule) | {"repair": "round_the_clock"}
    return Calendar(DeskHours.read(data))


OFFICE = _calendar("office")
_INSTANTS = st.datetimes(datetime(2025, 12, 20), datetime(2027, 1, 20)).map(
    lambda value: value.replace(microsecond=0, tzinfo=SHANGHAI)
)
_CALENDARS = st.sampled_from([_calendar(name) for name in SCHEDULES])
_LINES = st.tuples(
    st.integers(-120, 4 * 24 * 60),  # minutes after the request
    st.sampled_from(
        ["agent_replied", "paused", "resumed", "closed", "handed_back", "reopened", "transferred", "queued", "vanished",
         "left_queue", "left_message", "claimed", "customer_wrote"]
    ),
    st.sampled_from(sorted(SHIPPED_DATA["pause_reasons"])),
    st.sampled_from(sorted(SHIPPED_DATA["skills"])),
)  # fmt: skip
_REQUEST = datetime(2026, 9, 29, 15, 0, tzinfo=SHANGHAI)  # two days before the holiday week


def _log(lines: list[tuple[int, str, str, str]]) -> list[Event]:
    log = [Event(1, _REQUEST, "requested", {"skill": "billing", "priority": 5})]
    for number, (minutes, kind, reason, skill) in enumerate(lines, 2):
        data = {"paused": {"reason": reason}, "transferred": {"skill": skill}, "queued": {"priority": minutes % 6}}
        log.append(Event(number, _REQUEST + timedelta(minutes=minutes), kind, data.get(kind, {})))
    return log


@settings(max_examples=60, deadline=None)
@given(st.lists(_LINES, max_size=8), st.integers(0, 6 * 24 * 60), st.randoms(use_true_random=False))
def test_the_same_log_gives_the_same_figures_in_whatever_order_its_lines_come(
    lines: list[tuple[int, str, str, str]], minutes: int, chance: random.Random
) -> None:
    log, now = _log(lines), _REQUEST + timedelta(minutes=minutes)
    shuffled = [*log]
    chance.shuffle(shuffled)
    assert figures(shuffled, OFFICE, now=now) == figures(log, OFFICE, now=now)
    utc = [Event(one.id, one.at.astimezone(tz=None), one.kind, one.data) for one in log]
    assert figures(utc, OFFICE, now=now) == figures(log, OFFICE, now=now)


@settings(max_examples=60, deadline=None)
@given(st.lists(_LINES, max_size=8), st.integers(0, 6 * 24 * 60))
def test_a_figure_agrees_with_itself(lines: list[tuple[int, str, str, str]], minutes: int) -> None:
    log, now = _log(lines), _REQUEST + timedelta(minutes=minutes)
    for figure, promise in zip(figures(log, OFFICE, now=now), (15, 120), strict=True):
        assert figure.started_at is not None
        assert figure.due_at is not None
        assert figure.warn_at is not None
        assert timedelta(0) <= figure.elapsed
        assert figure.started_at < figure.warn_at < figure.due_at
        assert (figure.state == "breached") is (figure.breached_at is not None)
        assert figure.breached_at is None or figure.breached_at >= figure.due_at
        assert set(figure.events) <= {event.id for event in log}
        assert len(set(figure.events)) == len(figure.events)
        if figure.elapsed > timedelta(minutes=120 if figure.started_at > _REQUEST else promise):
            assert figure.state == "breached"
        ends = [pause.end for pause in figure.pauses if pause.end is not None]
        assert all(pause.end is None or pause.start <= pause.end for pause in figure.pauses)
        assert all(end <= later.start for end, later in zip(ends, figure.pauses[1:], strict=False))


@settings(max_examples=60, deadline=None)
@given(st.lists(_LINES, max_size=8), st.integers(0, 3 * 24 * 60), st.integers(0, 3 * 24 * 60))
def test_a_breach_is_never_taken_back_by_time(
    lines: list[tuple[int, str, str, str]], minutes: int, more: int
) -> None:  # fmt: skip
    log, now = _log(lines), _REQUEST + timedelta(minutes=minutes)
    then = figures(log, OFFICE, now=now + timedelta(minutes=more))
    for before, after in zip(figures(log, OFFICE, now=now), then, strict=True):
        assert after.elapsed >= before.elapsed
        if before.breached_at is not None:
            assert after.breached_at == before.breached_at
            assert after.due_at == before.due_at


@settings(max_examples=80, deadline=None)
@given(_CALENDARS, st.lists(_INSTANTS, min_size=3, max_size=3).map(sorted))
def test_the_parts_of_a_span_sum_up_to_the_whole(calendar: Calendar, instants: list[datetime]) -> None:
    start, middle, end = instants
    parts = calendar.between(start, middle, "billing") + calendar.between(middle, end, "billing")
    assert parts == calendar.between(start, end, "billing")
    assert parts <= end - start


@settings(max_examples=80, deadline=None)
@given(_CALENDARS, _INSTANTS, st.integers(1, 40 * 3600).map(lambda seconds: timedelta(seconds=seconds)))
def test_the_time_added_is_the_time_between_and_not_a_second_earlier(
    calendar: Calendar, start: datetime, amount: timedelta
) -> None:
    end = calendar.add(start, amount, "billing")
    second = timedelta(seconds=1)
    assert calendar.between(start, end, "billing") == amount
    assert calendar.between(start, end - second, "billing") == amount - second
    assert calendar.open_at(end - second, "billing")


@settings(max_examples=80, deadline=None)
@given(_CALENDARS, _INSTANTS)
def test_nothing_passes_until_the_next_opening_and_then_it_is_open(calendar: Calendar, instant: datetime) -> None:
    opening = calendar.next_opening(instant, "billing")
    assert calendar.open_at(opening, "billing")
    assert calendar.between(instant, opening, "billing") == timedelta(0)
    assert calendar.open_at(instant, "billing") is (opening == instant)
