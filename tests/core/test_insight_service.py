"""Every figure of the service board is reckoned a second way, from raw rows, and agrees exactly."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from dialects import DIALECTS, NewUrl
from insight_boards_kit import charts, series_of
from insight_by_hand import ByHand
from insight_kit import DATA, NOW, Log, databases
from sqlalchemy import event

from core.clock import SHANGHAI
from core.insight.boards import BOARDS, board_json, check
from core.insight.kpi import Asked, Breakdown, Sources
from core.insight.laying import behind, lay
from core.insight.rows import Point, cells, rows
from core.insight.service_facts import ServiceFacts
from core.insight.spans import Span
from core.insight.words import words_of

TODAY = NOW.date()
SPANS = [(0, 0), (6, 0), (1, 1), (9, 3), (15, 0)]  # days before today, first and last
WORDS = words_of(DATA)
BOARD = BOARDS["service"]


@pytest.fixture(params=[(dialect, seed) for dialect in DIALECTS for seed in (1, 2, 3)], ids=str)
def sources(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Sources]:
    dialect, seed = request.param
    made = databases(new_url, dialect, tmp_path)
    Log(made, random.Random(seed)).write()
    yield made
    for database in (made.bridge, made.workorder, made.billing):
        database.dispose()


def asked(first: int, last: int, channel: str | None = None) -> Asked:
    return Asked(Span.of(TODAY - timedelta(days=first), TODAY - timedelta(days=last)), channel, NOW)


def figures(board: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["key"]: one for group in board["groups"] for one in group["figures"]}


def test_every_figure_agrees_with_the_one_from_raw_rows(sources: Sources) -> None:
    hand = ByHand(sources)
    for first, last in SPANS:
        what = asked(first, last)
        shown = figures(board_json("service", sources, what, WORDS))
        span, before = what.span, what.span.previous
        assert {key: one["value"] for key, one in shown.items()} == hand.figures(span.first, span.last)
        assert {key: one["previous"] for key, one in shown.items()} == hand.figures(before.first, before.last)


def test_the_rows_behind_a_figure_come_to_the_figure(sources: Sources) -> None:
    what = asked(9, 0)
    shown = figures(board_json("service", sources, what, WORDS))
    for kpi in BOARD.kpis:
        found = rows(Point(kpi.key), sources, what, WORDS)
        lines = [cells(kpi, item, value, WORDS) for item, value in found.pairs]
        facts = ServiceFacts(sources, what, WORDS)
        base = kpi.per(facts, what.span) if kpi.per else None
        total = kpi.total([float(line["value"]) for line in lines])
        assert (total / base if base and total is not None else total) == shown[kpi.key]["value"], kpi.key
        assert len({item.key for item, _ in found.pairs}) == len(found.pairs), kpi.key


def test_each_point_of_a_chart_is_the_figure_of_the_rows_behind_it(sources: Sources) -> None:
    what = asked(9, 0)
    facts = ServiceFacts(sources, what, WORDS)
    for chart in (one for one in BOARD.charts if isinstance(one, Breakdown)):
        drawn = lay(chart, facts, what, WORDS)
        points = [
            (pick, one["key"], one["data"][place])
            for one in drawn["series"] for place, pick in enumerate(drawn["picks"])
        ] if chart.kind != "heat" else [
            (drawn["picks"][x], drawn["y_picks"][y], value) for x, y, value in drawn["series"][0]["data"]
        ]  # fmt: skip
        for pick, series, value in points:
            kpi, pairs = behind(chart, facts, what, WORDS, pick, series)
            assert kpi.of(pairs, facts, what.span) == value, (chart.key, pick, series)


def test_counts_by_day_channel_topic_and_hour_come_to_all_contacts(sources: Sources) -> None:
    what = asked(15, 0)
    facts = ServiceFacts(sources, what, WORDS)
    visits = [one for one in ByHand(sources).visits if what.span.holds(one["at"])]
    for key in ("volume_by_day", "topics", "heat"):
        chart = next(one for one in BOARD.charts if one.key == key)
        assert isinstance(chart, Breakdown)
        drawn = lay(chart, facts, what, WORDS)
        data = [value for one in drawn["series"] if one["key"] != "answered_alone" for value in one["data"]]
        counts = [one[2] if chart.kind == "heat" else one for one in data]
        assert sum(counts) == len(visits), key


def test_bars_of_reasons_and_failures_begin_with_the_longest(sources: Sources) -> None:
    what, hand = asked(15, 0), ByHand(sources)
    found = charts(board_json("service", sources, what, WORDS))
    cases = Counter(case["reason"] for case in hand.cases if what.span.holds(case["requested_at"]))
    assert series_of(found["reasons"]) == cases
    assert list(series_of(found["reasons"]).values()) == sorted(cases.values(), reverse=True)
    bad = Counter[str]()
    for one in hand.visits:
        if what.span.holds(one["at"]) and any(one["bad"]):
            bad[one["topic"]] += sum(part is not None for part in one["bad"])
    chart = found["failures_by_topic"]
    failures, silences = (series_of(chart, key) for key in ("failures", "silences"))
    assert [failures[topic] + silences[topic] for topic in failures] == sorted(bad.values(), reverse=True)


def test_the_worst_topics_are_scored_as_the_file_weighs_them(sources: Sources) -> None:
    what, hand = asked(15, 0), ByHand(sources)
    chart = next(
        one for group in board_json("service", sources, what, WORDS)["groups"] for one in group["charts"]
        if one["key"] == "worst_topics"
    )  # fmt: skip
    visits = [one for one in hand.visits if what.span.holds(one["at"])]
    for line in chart["lines"]:
        mine = [one for one in visits if one["topic"] == line["key"]]
        low = [
            one for one in mine
            if any((hand.surveys.get(case["id"], {}).get("score") or 9) <= 2 for case in one["cases"])
        ]  # fmt: skip
        handed = [
            one for one in mine if {case["reason"] for case in one["cases"]} & {"asked", "failures", "system_failed"}
        ]  # fmt: skip
        failed, repeat = [one for one in mine if any(one["bad"])], [one for one in mine if one["after"]]
        assert (line["contacts"], line["failed"], line["handed"], line["dissatisfied"], line["repeat"]) == (
            len(mine), len(failed), len(handed), len(low), len(repeat)
        )  # fmt: skip
        assert line["score"] == len(failed) + len(handed) + 2 * len(low) + len(repeat)
    assert sum(line["contacts"] for line in chart["lines"]) == len(visits)
    assert [line["score"] for line in chart["lines"]] == sorted((one["score"] for one in chart["lines"]), reverse=True)


def test_days_before_the_first_message_are_no_measure_of_what_was_said_but_of_orders(sources: Sources) -> None:
    first = min(row["at"] for row in ByHand(sources).messages if row["author"] == "customer")
    days = (TODAY - first.astimezone(SHANGHAI).date()).days
    for back, whole in ((days // 2, True), (days, False)):  # as many days before reach back to it, or beyond
        shown = figures(board_json("service", sources, asked(back - 1, 1), WORDS))
        told = {key: one["change_text"] == "前期数据不全" for key, one in shown.items() if one["value"] is not None}
        assert not told["complaints"]
        assert told["contacts"] is told["messages"] is not whole
        if not whole:
            assert {shown[key]["verdict"] for key, young in told.items() if young} == {"none"}


def test_a_channel_shows_its_own_contacts_and_no_figure_that_has_none(sources: Sources) -> None:
    what = asked(15, 0, "wechat")
    shown = figures(board_json("service", sources, what, WORDS))
    mine = [one for one in ByHand(sources).visits if what.span.holds(one["at"]) and one["channel"] == "wechat"]
    assert shown["contacts"]["value"] == len(mine)
    assert shown["complaints"]["value"] is None
    assert shown["complaints"]["text"] == WORDS.texts.not_by_channel


def test_a_figure_read_again_while_cases_go_on_is_not_an_old_one(sources: Sources) -> None:
    from core.handoff.tables import Handoff, HandoffEvent

    what = asked(15, 0)
    board_json("service", sources, what, WORDS)
    with sources.bridge.transaction() as session:
        for case in session.query(Handoff).filter(Handoff.ended_at.is_(None)):
            case.ended_at = NOW
            session.add(
                HandoffEvent(
                    handoff_id=case.id, conversation_id=case.conversation_id, at=NOW, kind="closed", agent_id=1, data={}
                )
            )  # fmt: skip
    later = figures(board_json("service", sources, what, WORDS))
    assert {key: one["value"] for key, one in later.items()} == ByHand(sources).figures(what.span.first, what.span.last)


def test_a_board_asks_as_many_questions_of_many_talks_as_of_few(new_url: NewUrl, tmp_path: Path) -> None:
    asks = []
    for days in (4, 16):
        (folder := tmp_path / str(days)).mkdir()
        made = databases(new_url, "sqlite", folder)
        Log(made, random.Random(7), days=days).write()
        said: list[str] = []
        for database in (made.bridge, made.workorder, made.billing):
            event.listen(database.engine, "before_cursor_execute", lambda *call, log=said: log.append(call[2]))
        board_json("service", made, asked(15, 0), WORDS)
        asks.append(len(said))
        for database in (made.bridge, made.workorder, made.billing):
            database.dispose()
    assert asks[0] == asks[1] < 40


def test_every_figure_and_chart_has_its_definition() -> None:
    check(WORDS)
    for kpi in BOARD.kpis:
        assert len(WORDS.figures[kpi.key].definition) > 10
        assert {*kpi.table.columns, "value"} <= set(WORDS.columns)


def test_the_documentation_has_every_definition_as_the_file_says_it() -> None:
    text = (DATA.parent / "docs" / "insight.md").read_text("utf-8")
    for kpi in BOARD.kpis:
        said = WORDS.figures[kpi.key]
        assert f"| `{kpi.key}` | {said.name} | {WORDS.units[said.unit].name} |" in text
        assert f"| {said.definition} |" in text
    for chart in (chart for group in BOARD.groups for chart in group.charts):
        assert f"| `{chart.key}` | {WORDS.charts[chart.key].name} | {chart.kind} |" in text
        assert f"| {WORDS.charts[chart.key].definition} |" in text
