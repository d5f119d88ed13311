"""The service clocks by tables that were worked out by hand, and what holds for every log."""

from __future__ import annotations

from copy import deepcopy
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from core import service_clock
from core.clock import SHANGHAI
from core.promise import Commitments
from core.service_clock import (
    BadHours,
    Calendar,
    DeskHours,
    Event,
    Figure,
    NaiveInstant,
    NeverOpen,
    UnknownSkill,
    arrival,
    closure,
    first_response,
)

ROOT = Path(__file__).parents[2]
SHIPPED = Calendar.load(ROOT / "data/desk/hours.yaml")
COMMITMENTS = Commitments.load(ROOT / "data/promises.yaml")
TIMES = yaml.safe_load((ROOT / "tests/data/clock_cases.yaml").read_text(encoding="utf-8"))
LOGS = yaml.safe_load((ROOT / "tests/data/clock_logs.yaml").read_text(encoding="utf-8"))
SHIPPED_DATA = yaml.safe_load((ROOT / "data/desk/hours.yaml").read_text(encoding="utf-8"))


def _calendar(schedule: str) -> Calendar:
    """The settings that are shipped with one schedule for all skills but repair."""
    data = deepcopy(SHIPPED_DATA)
    data["schedules"] |= {schedule: TIMES["schedules"][schedule]}
    data["skills"] = dict.fromkeys(data["skills"], schedule) | {"repair": "round_the_clock"}
    return Calendar(DeskHours.read(data))


OFFICE = _calendar("office")


def _at(value: datetime | None) -> datetime | None:
    return value.replace(tzinfo=SHANGHAI) if isinstance(value, datetime) and value.tzinfo is None else value


def _span(text: str) -> timedelta:
    sign, (hours, minutes, seconds) = text.startswith("-"), map(int, text.lstrip("-").split(":"))
    found = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return -found if sign else found


def _ids(cases: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(case, id=case["name"].replace(" ", "_")) for case in cases]


def _time(case: dict[str, Any]) -> Any:
    name, _, skill = case["hours"].partition(" ")
    calendar = SHIPPED if name == "shipped" else _calendar(name)
    of = (skill or "billing", case.get("priority"))
    if "between" in case:
        start, end = map(_at, case["between"])
        return calendar.between(start, end, *of)
    if "add" in case:
        return calendar.add(_at(case["add"][0]), _span(case["add"][1]), *of)
    if "open" in case:
        return calendar.open_at(_at(case["open"]), *of)
    if "next" in case:
        return calendar.next_opening(_at(case["next"]), *of)
    due = calendar.answer_by(_at(case["answer_by"]), *of)
    assert due.certain is case.get("certain", True)
    return due.at


@pytest.mark.parametrize("case", _ids(TIMES["time"]))
def test_working_time_is_exact_to_the_second(case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises(getattr(service_clock, case["error"])):
            _time(case)
        return
    expected = case["is"]
    assert _time(case) == (_span(expected) if isinstance(expected, str) else _at(expected))


def _figure(clock: str, case: dict[str, Any]) -> Figure:
    log = [_event(*line, start=clock != "arrival") for line in case["log"]]
    now = _at(case["now"]) if "now" in case else max(event.at for event in log)
    if clock == "arrival":
        minutes = COMMITMENTS.arrival_minutes[case["promise"]] if case["promise"] else None
        return arrival(log, timedelta(minutes=minutes) if minutes else None, OFFICE, now=now)
    return {"first_response": first_response, "closure": closure}[clock](log, OFFICE, now=now)


def _event(
    number: int, at: datetime, kind: str, data: dict[str, Any] | None = None, *, start: bool = True
) -> Event:  # fmt: skip
    given_data = {"skill": "billing", "priority": 5} | (data or {}) if kind == "requested" and start else data or {}
    return Event(number, _at(at), kind, given_data)


def _said(figure: Figure, expected: dict[str, Any]) -> dict[str, Any]:
    said = {
        "state": figure.state, "elapsed": figure.elapsed, "due": figure.due_at, "stopped": figure.stopped_at,
        "breached": figure.breached_at, "pauses": [tuple(pause) for pause in figure.pauses], "certain": figure.certain,
    }  # fmt: skip
    more = {"warn": figure.warn_at, "aim": figure.aim_at, "started": figure.started_at, "events": list(figure.events)}
    return said | {key: value for key, value in more.items() if key in expected}


def _expected(given_in_table: dict[str, Any]) -> dict[str, Any]:
    pauses = [(_at(start), _at(end), reason) for start, end, reason in given_in_table.get("pauses", [])]
    plain = {"stopped": None, "breached": None, "certain": True} | {
        key: _at(value) for key, value in given_in_table.items()
    }
    return plain | {"elapsed": _span(given_in_table["elapsed"]), "pauses": pauses}


@pytest.mark.parametrize("case", _ids(LOGS["first_response"]))
def test_the_first_response_is_exact_to_the_second(case: dict[str, Any]) -> None:
    _check("first_response", case)


@pytest.mark.parametrize("case", _ids(LOGS["closure"]))
def test_the_closure_is_exact_to_the_second(case: dict[str, Any]) -> None:
    _check("closure", case)


@pytest.mark.parametrize("case", _ids(LOGS["arrival"]))
def test_the_arrival_is_exact_to_the_second(case: dict[str, Any]) -> None:
    _check("arrival", case)


def _check(clock: str, case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises(getattr(service_clock, case["error"])):
            _figure(clock, case)
        return
    figure = _figure(clock, case)
    assert figure.name == clock
    assert _said(figure, case["is"]) == _expected(case["is"])


def test_the_table_names_each_case_once_and_is_long_enough() -> None:
    names = [case["name"] for cases in (TIMES["time"], *LOGS.values()) for case in cases]
    assert len(names) == len(set(names))
    assert len(names) >= 70


@pytest.mark.parametrize("text", TIMES["bad_windows"].values(), ids=TIMES["bad_windows"])
def test_a_malformed_window_is_refused_when_the_settings_are_read(text: str) -> None:
    data = deepcopy(SHIPPED_DATA)
    data["schedules"]["desk"]["workday"] = [text]
    with pytest.raises(BadHours):
        DeskHours.read(data)


def _without(data: dict[str, Any], *path: str) -> None:
    for key in path[:-1]:
        data = data[key]
    del data[path[-1]]


def _with(data: dict[str, Any], value: Any, *path: str) -> None:
    for key in path[:-1]:
        data = data[key]
    data[path[-1]] = value


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (["08:00-12:00", "11:59-20:00"], ("schedules", "desk", "workday")),  # two windows overlap
        ("08:00-20:00", ("schedules", "desk", "workday")),  # no list
        ([800], ("schedules", "desk", "workday")),
        ({"workday": [], "weekend": [], "holiday": ["09:00-17:00"]}, ("schedules", "desk")),  # next to never open
        ({"monday": ["09:00-17:00"]}, ("schedules", "desk", "days")),
        ("evenings", ("skills", "billing")),  # no such schedule
        ("desk", ("skills", "plumbing")),
        ("evenings", ("urgent", "schedule")),
        (0, ("clocks", "first_response", "promise_minutes")),
        (-15, ("clocks", "closure", "promise_minutes")),
        (16, ("clocks", "first_response", "aim_minutes")),  # an aim behind the promise
        (100, ("clocks", "warn_percent")),  # a warning that comes too late
        ({}, ("pause_reasons",)),
        (1, ("version",)),
    ],
)
def test_settings_that_make_no_sense_are_refused(value: Any, path: tuple[str, ...]) -> None:
    data = deepcopy(SHIPPED_DATA)
    _with(data, value, *path)
    with pytest.raises(BadHours):
        DeskHours.read(data)


@pytest.mark.parametrize(
    "path",
    [("schedules",), ("schedules", "desk", "holiday"), ("skills", "complaint"), ("urgent",), ("clocks", "closure")],
)
def test_settings_with_a_part_missing_are_refused(path: tuple[str, ...]) -> None:
    data = deepcopy(SHIPPED_DATA)
    _without(data, *path)
    with pytest.raises(BadHours):
        DeskHours.read(data)


def test_a_file_that_is_no_yaml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hours.yaml").write_text("schedules: {desk: [", encoding="utf-8")
    with pytest.raises(BadHours):
        DeskHours.load(tmp_path / "hours.yaml")


def test_hours_that_stay_closed_for_more_than_a_year_are_found_out_instead_of_searched_for_ever() -> None:
    data = deepcopy(SHIPPED_DATA)
    first = date(2026, 1, 1)
    data["schedules"]["desk"]["days"] = {first + timedelta(days=number): [] for number in range(450)}
    calendar = Calendar(DeskHours.read(data))
    with pytest.raises(NeverOpen):
        calendar.next_opening(datetime(2026, 1, 1, tzinfo=SHANGHAI), "billing")
    with pytest.raises(NeverOpen):
        calendar.add(datetime(2026, 1, 1, tzinfo=SHANGHAI), timedelta(minutes=1), "billing")
    late = datetime(2027, 3, 1, 12, tzinfo=SHANGHAI)  # opens on 2027-03-27, a Saturday
    assert calendar.next_opening(late, "billing") == datetime(2027, 3, 27, 8, tzinfo=SHANGHAI)


def test_an_instant_without_a_zone_is_refused() -> None:
    naive = datetime(2026, 11, 23, 10)  # that is the point
    with pytest.raises(NaiveInstant):
        OFFICE.open_at(naive, "billing")
    with pytest.raises(NaiveInstant):
        closure([Event(1, naive, "requested", {"skill": "billing"})], OFFICE, now=naive.replace(tzinfo=SHANGHAI))
    with pytest.raises(NaiveInstant):
        closure([_event(1, naive, "requested")], OFFICE, now=naive)


def test_a_log_that_names_no_skill_is_refused_and_one_that_names_it_when_queued_is_not() -> None:
    at = datetime(2026, 11, 23, 10, tzinfo=SHANGHAI)
    with pytest.raises(UnknownSkill):
        first_response([Event(1, at, "requested")], OFFICE, now=at)
    log = [Event(1, at, "requested"), Event(2, at, "queued", {"skill": "billing", "priority": 5})]
    assert first_response(log, OFFICE, now=at).due_at == at + timedelta(minutes=15)
