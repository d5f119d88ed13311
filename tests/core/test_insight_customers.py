"""The board of customers: every figure a second time from the raw portraits and records of runs, in plain Python."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
)
from sqlalchemy import event, insert

from core.insight.boards import board_json
from core.insight.kpi import Sources
from core.insight.rows import Point, cells, rows
from core.portrait.tables import FEATURES, Portrait
from core.segment.tables import PUBLISHED, RETIRED, RUNNING, SEGMENTS, SegmentRun

CLASSES = ("residential", "commercial", "industrial")
THIN = ("new", "vacant", "gaps")
LEAF = {"cluster": 0, "accounts": 30, "share": 0.3, "purity": 0.95}
TREE = {
    "classes": {
        "residential": {
            "feature": "kwh_year", "at_most": 3000.5, "unknown": "left", "left": LEAF,
            "right": {**LEAF, "cluster": 1, "accounts": 50},
        },
        "industrial": {**LEAF, "cluster": 2, "accounts": 20},
    },
    "else": "residential",
}  # fmt: skip
Rows = list[dict[str, Any]]


@dataclass
class World:
    """Two runs, the older one retired, with portraits made up row by row."""

    sources: Sources
    rng: random.Random
    runs: dict[int, Rows]
    moves: Rows

    @classmethod
    def make(cls, sources: Sources, seed: int) -> World:
        world = cls(sources, random.Random(seed), {}, [])
        for number in (1, 2):
            world.runs[number] = [world.portrait(number, account) for account in range(1, 40 + 15 * number)]
        before = {row["account_id"]: row["segment"] for row in world.runs[1]}
        counts = Counter((before.get(row["account_id"]), row["segment"]) for row in world.runs[2])
        world.moves = [{"before": old, "after": new, "accounts": times} for (old, new), times in counts.items()]
        with sources.bridge.transaction() as session:
            for number, state, back in ((1, RETIRED, 9), (2, PUBLISHED, 2)):
                session.add(world.run(number, state, back))
            session.add(SegmentRun(
                id=3, as_of=ago(0).date(), state=RUNNING, seed=1, started_at=ago(0), heartbeat_at=ago(0)
            ))  # fmt: skip
        with sources.bridge.transaction() as session:
            for found in world.runs.values():
                session.execute(insert(Portrait), found)
        return world

    def portrait(self, run: int, account: int) -> dict[str, Any]:
        rng = self.rng
        values = {name: round(rng.uniform(0, 1), 3) if rng.random() < 0.8 else None for name in FEATURES}
        kwh = rng.choice((None, round(rng.uniform(100, 90000), 2)))
        growth = rng.choice((None, -1.0, round(rng.uniform(-0.9, 0.9), 4)))
        return {
            **values, "kwh_year": kwh, "kwh_growth": growth if kwh else None, "contacts_year": rng.randrange(9),
            "fee_year": kwh and round(kwh * 0.57, 2), "run_id": run, "account_id": account,
            "account_no": f"42{account:08d}", "customer_no": f"C{account % 17}", "customer_kind": "person",
            "district": "江岸区", "area_class": "city", "user_class": rng.choice(CLASSES), "pay_channel": "app",
            "history_months": 24, "thin": rng.choice((None, None, None, *THIN)), "cluster": 0,
            "segment": rng.choice(SEGMENTS), "tags": rng.sample(("ev", "pv", "on_time", "settled"), rng.randrange(4)),
        }  # fmt: skip

    def run(self, number: int, state: str, back: int) -> SegmentRun:
        layers = [
            {
                "classes": ["residential"], "accounts": 77, "start": 3, "k": 2,
                "tried": [tried(2, 2, 0.41), tried(3, 2, round(0.55 + number / 100, 2)), tried(4, 4, 0.3)],
            },
            {"classes": ["industrial"], "accounts": 20, "start": 2, "k": 2, "tried": [tried(2, 2, 0.71)]},
            {"classes": ["commercial"], "accounts": 9, "start": 1, "k": 1, "tried": [tried(2, 2, 0.1)]},
        ]  # fmt: skip
        names = ["居民·用电少", "居民·用电多", "大工业"]
        clusters = [
            {
                "number": place, "name": name, "size": 10 * place + 5, "segment": "basic", "segments": {"basic": 5},
                "majority": 0.8, "means": {"summer_index": 1.0 + place, "weekend_ratio": None if place == 1 else 0.9},
            }
            for place, name in enumerate(names)
        ]  # fmt: skip
        psi = {"kwh_year": 0.31, "seasonality": 0.12, "valley_share": 0.02}
        found = {"accounts": len(self.runs[number]), "segments": {}}
        moves = {"against": 1, "rows": self.moves}
        return SegmentRun(
            id=number, as_of=ago(back).date(), state=state, seed=1, started_at=ago(back), heartbeat_at=ago(back),
            finished_at=ago(back), published_at=ago(back), accounts=len(self.runs[number]), clusters=clusters,
            rules=["若……归第1群", "若……归第2群"], quality={"layers": layers, "tree": {"agreement": 0.9876}},
            summary=found | ({"moves": moves} if number == 2 else {}),
            drift={"against": 1, "psi": psi} if number == 2 else {},
            model={
                "tree": TREE, "names": names, "thresholds": {},
                "layers": [{"classes": ["residential"], "first": 0}, {"classes": ["industrial"], "first": 2}],
            },
        )  # fmt: skip


def tried(start: int, k: int, silhouette: float) -> dict[str, Any]:
    return {"start": start, "k": k, "silhouette": silhouette, "stability": 1 - start / 100, "smallest": 5, "fits": True}


def by_hand(found: Rows) -> dict[str, float | None]:
    """Reckon the figures of portraits from the rows as they are."""
    rank = {name: place for place, name in enumerate(SEGMENTS)}
    owners: dict[str, int] = {}
    for row in found:
        place = rank[row["segment"]]
        owners[row["customer_no"]] = min(owners.get(row["customer_no"], place), place)
    grown = [row for row in found if row["kwh_growth"] is not None and row["kwh_growth"] > -1]
    before = math.fsum(row["kwh_year"] / (1 + row["kwh_growth"]) for row in grown)
    now = math.fsum(row["kwh_year"] for row in grown)
    punctual = [row["on_time_rate"] for row in found if row["on_time_rate"] is not None]
    return {
        "accounts": len(found), "segment_customers": len(owners), "thin": sum(row["thin"] is not None for row in found),
        "kwh_year": round(math.fsum(row["kwh_year"] or 0 for row in found), 2),
        "fee_year": round(math.fsum(row["fee_year"] or 0 for row in found), 2),
        "kwh_growth": round((now - before) / before, 6) if before else None,
        "on_time": round(math.fsum(punctual) / len(punctual), 6) if punctual else None,
        "contacts_mean": round(sum(row["contacts_year"] for row in found) / len(found), 6) if found else None,
    }  # fmt: skip


@pytest.fixture(params=[(dialect, seed) for dialect in DIALECTS for seed in (1, 2)], ids=str)
def world(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[World]:
    dialect, seed = request.param
    with opened(new_url, dialect, tmp_path) as sources:
        yield World.make(sources, seed)


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
        "年用电量不超过3,000 → 居民·用电少", "年用电量超过3,000 → 居民·用电多"
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


def test_before_the_first_run_there_is_nothing_and_it_says_so(empty: Sources, world: World) -> None:
    for sources, what in ((empty, asked(6, 0)), (world.sources, asked(30, 20))):
        found = board("customers", sources, what)
        assert {one["value"] for one in figures(found).values()} == {None}
        assert {one["text"] for one in figures(found).values()} == {WORDS.texts.none}
        assert all(chart["empty"] for chart in charts(found).values())
        assert "还没有发布过客户分群" in charts(found)["segments"]["empty"]
        rows_come_to_figures("customers", sources, what)


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
