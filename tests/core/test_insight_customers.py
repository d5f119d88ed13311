"""The board of customers: every figure a second time from the raw portraits and records of runs, in plain Python."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from dialects import DIALECTS, NewUrl
from insight_boards_kit import (
    WORDS,
    ago,
    asked,
    board,
    charts,
    every_definition_is_documented,
    figures,
    opened,
    points_are_figures_of_rows,
    rows_come_to_figures,
    series_of,
    world_of,
)
from made_up_runs_kit import World, by_hand
from sqlalchemy import event

from core.insight.boards import board_json
from core.insight.kpi import Sources
from core.insight.rows import Point, cells, rows
from core.segment.tables import SEGMENTS

world = world_of(World.make)


@pytest.fixture(params=DIALECTS)
def empty(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Sources]:
    with opened(new_url, request.param, tmp_path) as sources:
        yield sources


def test_figures_of_the_run_in_use_then_and_now_agree_with_the_raw_portraits(world: World) -> None:
    shown = figures(board("customers", world.sources, asked(6, 0)))
    now, before = by_hand(world.runs[2]), by_hand(world.runs[1])
    assert {key: shown[key]["value"] for key in now} == now
    assert {key: shown[key]["previous"] for key in now} == before


def test_figures_of_quality_agree_with_the_record_of_the_run(world: World) -> None:
    shown = figures(board("customers", world.sources, asked(6, 0)))
    assert {key: shown[key]["value"] for key in ("clusters", "tree_agreement", "drifted", "psi")} == {
        "clusters": 3, "tree_agreement": 0.9876, "drifted": 2, "psi": 0.31
    }  # fmt: skip
    assert shown["silhouette"]["value"] == round((0.57 * 77 + 0.71 * 20) / 97, 6)
    assert shown["silhouette"]["previous"] == round((0.56 * 77 + 0.71 * 20) / 97, 6)
    assert shown["stability"]["value"] == round((0.97 * 77 + 0.98 * 20) / 97, 6)
    assert shown["psi"]["previous"] is None


def test_who_moved_is_counted_from_both_runs(world: World) -> None:
    before = {row["account_id"]: row["segment"] for row in world.runs[1]}
    moved = sum(
        row["segment"] != before[row["account_id"]] for row in world.runs[2] if row["account_id"] in before
    )  # fmt: skip
    found = board("customers", world.sources, asked(6, 0))
    assert (figures(found)["moved"]["value"], figures(found)["moved"]["previous"]) == (moved, None)
    sankey = charts(found)["segment_moves"]
    assert sum(link["value"] for link in sankey["links"]) == len(world.runs[2])
    keys = {node["key"] for node in sankey["nodes"]}
    assert {end for link in sankey["links"] for end in (link["source"], link["target"])} == keys
    assert "before:none" in keys


def test_each_segment_is_the_sum_of_its_accounts(world: World) -> None:
    found = charts(board("customers", world.sources, asked(6, 0)))
    lines = {line["key"]: line for line in found["segments"]["lines"]}
    for segment in SEGMENTS:
        mine = [row for row in world.runs[2] if row["segment"] == segment]
        hand = by_hand(mine)
        assert series_of(found["segment_sizes"])[segment] == hand["accounts"] == lines[segment]["accounts"]
        assert series_of(found["segment_fees"])[segment] == hand["fee_year"]
        assert series_of(found["segment_growth"]).get(segment) == hand["kwh_growth"] == lines[segment]["growth_share"]
        assert series_of(found["segment_on_time"]).get(segment) == hand["on_time"] == lines[segment]["on_time_share"]
        assert series_of(found["segment_contacts"])[segment] == hand["contacts_mean"]
        assert lines[segment]["thin_accounts"] == hand["thin"]
    assert sum(line["customers"] for line in lines.values()) == by_hand(world.runs[2])["segment_customers"]
    reasons = Counter(row["thin"] for row in world.runs[2] if row["thin"])
    assert series_of(found["thin_reasons"]) == dict(reasons)
    tags = Counter(tag for row in world.runs[2] for tag in row["tags"])
    assert series_of(found["tags"]) == {WORDS_OF[tag]: count for tag, count in tags.items()}


WORDS_OF = {"ev": "充电桩用户", "pv": "光伏用户", "on_time": "按时缴费", "settled": "刚结清欠费"}


def test_rows_come_to_their_figures_and_points(world: World) -> None:
    what = asked(6, 0)
    rows_come_to_figures("customers", world.sources, what)
    assert points_are_figures_of_rows("customers", world.sources, what) > 40


def test_a_segment_opens_its_accounts_masked_the_highest_fee_first(world: World) -> None:
    found = rows(Point("segment_accounts", "growth"), world.sources, asked(6, 0), WORDS)
    mine = sorted((row for row in world.runs[2] if row["segment"] == "growth"), key=lambda row: -(row["fee_year"] or 0))
    lines = [cells(found.kpi, item, value, WORDS) for item, value in found.pairs]
    assert [line["fee_year"] for line in lines] == [row["fee_year"] for row in mine]
    assert {line["link"] for line in lines} == {f"/insight#/customers/accounts/id-{row['account_id']}" for row in mine}
    assert not {row["account_no"] for row in mine} & {part for line in lines for part in map(str, line.values())}
    assert all("***" in line["account_no"] for line in lines)


def test_the_tree_can_be_read_and_holds_everybody_once(world: World) -> None:
    found = charts(board("customers", world.sources, asked(6, 0)))
    root = found["rules_tree"]["root"]
    assert (root["name"], root["value"]) == ("全部客户", 100)
    home, works = root["children"]
    assert [one["name"] for one in home["children"]] == [
        "年用电量不超过3,000千瓦时 → 居民·用电少", "年用电量超过3,000千瓦时 → 居民·用电多"
    ]  # fmt: skip
    assert (works["name"], works["value"], works["note"]) == ("大工业 → 大工业", 20, "纯度 95%")
    assert [line["rule"] for line in found["rules"]["lines"]] == ["若……归第1群", "若……归第2群"]


def test_clusters_are_points_and_drift_is_told_in_words(world: World) -> None:
    found = charts(board("customers", world.sources, asked(6, 0)))
    points = {one["name"]: one["data"] for one in found["cluster_points"]["series"]}
    assert points == {"居民": [[1.0, 0.9, 33.3, "居民·用电少"]], "大工业": [[3.0, 0.9, 166.7, "大工业"]]}
    assert [(line["feature"], line["drift_word"]) for line in found["drift"]["lines"]] == [
        ("年用电量", "明显变化"), ("季节性", "要留意"), ("谷段电量占比", "平稳")
    ]  # fmt: skip
    by_k = found["silhouette_by_k"]
    assert by_k["x"] == ["2", "3", "4"]
    assert {one["name"]: one["data"] for one in by_k["series"]} == {
        "居民": [0.41, 0.57, 0.3], "大工业": [0.71, None, None], "商业": [0.1, None, None]
    }  # fmt: skip


def test_without_any_run_there_is_nothing_and_it_says_so(empty: Sources) -> None:
    found = board("customers", empty, asked(6, 0))
    assert {one["value"] for one in figures(found).values()} == {None}
    assert {one["text"] for one in figures(found).values()} == {WORDS.texts.none, "要有两次分群才能比较"}
    assert all(chart["empty"] for chart in charts(found).values())
    assert "还没有发布过客户分群" in charts(found)["segments"]["empty"]
    assert found["note"] is None
    rows_come_to_figures("customers", empty, asked(6, 0))


def test_before_the_first_run_that_one_is_shown_with_its_day_and_compared_with_nothing(world: World) -> None:
    what = asked(30, 20)
    found = board("customers", world.sources, what)
    hand = by_hand(world.runs[1])
    assert {key: figures(found)[key]["value"] for key in hand} == hand
    assert {one["previous"] for one in figures(found).values()} == {None}
    assert {one["verdict"] for one in figures(found).values()} == {"none"}
    assert f"{ago(9):%Y年%m月%d日}" in found["note"]
    rows_come_to_figures("customers", world.sources, what)


def test_a_run_that_was_in_use_at_the_end_of_the_days_needs_no_note(world: World) -> None:
    for first, last in ((6, 0), (8, 8), (15, 9)):
        assert board("customers", world.sources, asked(first, last))["note"] is None
    assert board("customers", world.sources, asked(10, 10))["note"]


def test_portraits_of_a_run_are_summed_up_once(world: World) -> None:
    board("customers", world.sources, asked(6, 0))
    said: list[str] = []
    event.listen(world.sources.bridge.engine, "before_cursor_execute", lambda *call: said.append(call[2]))
    again = board("customers", world.sources, asked(6, 0))
    assert not [one for one in said if "portraits" in one]
    assert len([one for one in said if one.startswith("SELECT")]) <= 2
    assert json.dumps(again)


def test_a_channel_is_not_asked_of_portraits(world: World) -> None:
    found = figures(board_json("customers", world.sources, asked(6, 0, "wechat"), WORDS))
    assert {one["text"] for one in found.values()} == {WORDS.texts.not_by_channel}


def test_the_documentation_has_every_definition() -> None:
    every_definition_is_documented("customers")
