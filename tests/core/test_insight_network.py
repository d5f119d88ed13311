"""The board of the network: every figure a second time from the raw rows, in plain Python."""

from __future__ import annotations

import random
import statistics
from collections import Counter, defaultdict
from datetime import timedelta
from pathlib import Path

import pytest
from dialects import DIALECTS, NewUrl
from insight_boards_kit import (
    TODAY,
    WORDS,
    ago,
    agrees,
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
from insight_kit import NOW
from network_by_hand import DAY, LIMIT, MINUTE, ByHand, Row
from sqlalchemy import insert

from core.clock import SHANGHAI
from core.insight.kpi import Asked, Sources
from core.insight.network_facts import NetworkFacts
from core.insight.rows import Point, cells, rows
from core.insight.spans import Span
from core.network import NetworkNode, SupplyPoint
from core.notice import Notice
from core.outage import Outage, OutageNode, OutageReport, OutageSubscriber
from core.promise import Promise
from core.work_order import OrderEvent, WorkOrder

DISTRICTS = ("江岸区", "洪山区", "无名镇")


class World:
    """A small network with outages, reports, subscribers, notices and orders, made up row by row."""

    def __init__(self, sources: Sources, seed: int) -> None:
        self.sources, self.rng = sources, random.Random(seed)
        self.rows: defaultdict[type, list[Row]] = defaultdict(list)
        self._network()
        for number in range(1, 40):
            self._outage(number)
        for number in range(1, 15):
            self._order(number)
        with sources.workorder.transaction() as session:
            for table in (NetworkNode, SupplyPoint, Outage, OutageNode, OutageReport, OutageSubscriber, Notice,
                          WorkOrder, OrderEvent, Promise):  # fmt: skip
                if self.rows[table]:
                    session.execute(insert(table), self.rows[table])

    def _network(self) -> None:
        for place, district in enumerate(DISTRICTS):
            codes = [(f"S{place}", "substation", None), (f"F{place}", "feeder", f"S{place}")]
            codes += [(f"T{place}{number}", "transformer", f"F{place}") for number in range(3)]
            for code, kind, parent in codes:
                self.rows[NetworkNode].append({
                    "code": code, "kind": kind, "name": code, "parent_code": parent, "district": district,
                    "area_class": "city", "owner": "grid",
                })  # fmt: skip
                for _ in range(self.rng.randrange(4) if kind == "transformer" else 0):
                    number = len(self.rows[SupplyPoint])
                    self.rows[SupplyPoint].append({"account_no": f"42{number:08d}", "transformer_code": code})

    def _outage(self, number: int) -> None:
        rng = self.rng
        began = ago(rng.uniform(-3, 45))
        state = rng.choice(("restored",) * 6 + ("active", "confirmed", "suspected", "cancelled"))
        state = "planned" if began > NOW else state
        kind = "planned" if state == "planned" else rng.choice(("fault", "fault", "planned", "temporary", "limit"))
        expected = rng.choice((None, began + timedelta(hours=rng.uniform(1, 9))))
        lasted = timedelta(minutes=rng.randrange(5, 600))
        self.rows[Outage].append({
            "id": number, "outage_no": f"T{number:04d}", "kind": kind, "state": state,
            "cause": rng.choice((None, "cable", "storm")), "area": "某处", "district": rng.choice(DISTRICTS),
            "area_class": rng.choice(("city", "rural")), "started_at": began, "expected_at": expected,
            "expected_said_at": expected and began - timedelta(days=rng.choice((-0.1, 3, 7, 9))),
            "restored_at": began + lasted if state == "restored" else None, "note": None,
        })  # fmt: skip
        place = rng.randrange(3)
        for code in {rng.choice((f"T{place}0", f"T{place}1", f"F{place}", f"S{place}")) for _ in range(2)}:
            self.rows[OutageNode].append({"outage_id": number, "node_code": code})
        for one in range(rng.randrange(4)):
            talk, at = f"talk-{number}-{one}", began + one * MINUTE
            self.rows[OutageReport].append({
                "conversation_id": talk, "outage_id": rng.choice((None, number)), "area": None, "building": None,
                "transformer_code": rng.choice((None, f"T{place}1")), "premises": talk, "account_no": None,
                "order_no": None, "at": at,
            })  # fmt: skip
            self.rows[OutageSubscriber].append({"outage_id": number, "conversation_id": talk, "since": at})
            for word in rng.sample(("confirmed", "restored", "expected:1"), rng.randrange(3)):
                self.rows[Notice].append({
                    "key": f"outage:{number}:{word}:{talk}", "conversation_id": talk, "wording": f"outage_{word[:8]}",
                    "values": {}, "created_at": at, "delivered_at": rng.choice((None, at)),
                })  # fmt: skip

    def _order(self, number: int) -> None:
        rng, at = self.rng, ago(self.rng.uniform(0, 14))
        self.rows[WorkOrder].append({
            "id": number, "order_no": f"W{number:05d}", "cause": f"c{number}", "category": "x", "title": "抢修",
            "kind": "outage_repair", "family": "outage", "priority": "normal", "state": "closed", "account_no": None,
            "customer_no": None, "conversation_id": "talk", "description_cipher": "x", "details_cipher": "x",
            "district": rng.choice(DISTRICTS), "area_class": rng.choice((*LIMIT, None)), "urges": 0, "opened_at": at,
            "updated_at": at,
        })  # fmt: skip
        self.rows[OrderEvent].append({
            "order_id": number, "seq": 1, "at": at, "kind": "filed", "by": "customer", "values": {}
        })  # fmt: skip
        if rng.random() < 0.9:
            kind, state = rng.choice((("state", "arrived"), ("state", "working"), ("cancelled", "cancelled")))
            self.rows[OrderEvent].append({
                "order_id": number, "seq": 2, "at": at + rng.choice((44, 45, 46, 91, 130)) * MINUTE, "kind": kind,
                "by": "staff", "values": {"to": state},
            })  # fmt: skip
        self.rows[Promise].append({
            "subject_kind": "order", "subject_id": number, "kind": rng.choice(("arrival", "answer")),
            "conversation_id": "talk", "due_at": at + 45 * MINUTE, "told_at": at,
        })  # fmt: skip


world = world_of(World)


def test_every_figure_agrees_with_the_one_from_raw_rows(world: World) -> None:
    agrees("network", world.sources, ByHand(world.sources).figures, (6, 0), (0, 0), (13, 0), (20, 11))


def test_days_to_come_show_what_is_planned(world: World) -> None:
    what = Asked(Span.of(TODAY, TODAY + 3 * DAY), None, NOW)
    shown = figures(board("network", world.sources, what))
    assert {key: one["value"] for key, one in shown.items()} == ByHand(world.sources).figures(what.span)


def test_rows_come_to_their_figures_and_points(world: World) -> None:
    what = asked(13, 0)
    rows_come_to_figures("network", world.sources, what)
    assert points_are_figures_of_rows("network", world.sources, what) > 60


def test_the_map_shows_each_area_once_with_those_who_are_out(world: World) -> None:
    hand, what = ByHand(world.sources), asked(13, 0)
    found = charts(board("network", world.sources, what))["areas"]
    areas = {one["key"]: one for one in found["areas"]}
    assert sorted(areas) == sorted(DISTRICTS)
    assert len({(one["x"], one["y"]) for one in areas.values()}) == 3
    district = {row["code"]: row["district"] for row in hand.raw[NetworkNode]}
    dark = {code for row in hand.now_out(what.span.end) for code in hand.below(row)}
    supplied = Counter(row["transformer_code"] for row in hand.raw[SupplyPoint])
    for name, one in areas.items():
        assert one["value"] == sum(supplied[code] for code in dark if district[code] == name)
        at = sum(row["district"] == name for row in hand.now_out(what.span.end))
        assert one["note"].startswith(f"停电 {at} 处，")


def test_clocks_of_arrival_are_by_the_class_of_the_area(world: World) -> None:
    what = asked(13, 0)
    found = charts(board("network", world.sources, what))
    by_class: defaultdict[str, list[tuple[bool | None, float | None]]] = defaultdict(list)
    for name, kept, minutes in ByHand(world.sources).clocks(what.span):
        by_class[name].append((kept, minutes))
    shares = {
        name: sum(known) / len(known) for name, ones in by_class.items()
        if (known := [kept for kept, _ in ones if kept is not None])
    }  # fmt: skip
    middles = {
        name: statistics.median(known) for name, ones in by_class.items()
        if (known := [minutes for _, minutes in ones if minutes is not None])
    }  # fmt: skip
    assert series_of(found["arrival_by_class"]) == shares
    assert series_of(found["arrival_minutes_by_class"]) == middles


def test_who_took_the_order_back_after_waiting_in_vain_was_let_down_and_nobody_has_arrived(world: World) -> None:
    hand, what = ByHand(world.sources), asked(13, 0)
    promised = {row["subject_id"] for row in hand.raw[Promise] if row["kind"] == "arrival"}
    back = {row["order_id"] for row in hand.raw[OrderEvent] if row["kind"] == "cancelled"} & promised
    numbers = {row["order_no"] for row in hand.raw[WorkOrder] if row["id"] in back and row["area_class"]}
    found = rows(Point("field_arrival"), world.sources, what, WORDS)
    shown = [cells(found.kpi, item, value, WORDS) for item, value in found.pairs if item.order_no in numbers]
    assert {(line["arrived_at"], line["state"]) for line in shown} == {(None, "超时")}


def test_outages_by_day_and_cause_come_to_all_of_them(world: World) -> None:
    what = asked(13, 0)
    found, hand = charts(board("network", world.sources, what)), ByHand(world.sources)
    mine = [row for row in hand.outages if hand.begun(row) and what.span.holds(row["started_at"])]
    days = Counter((row["started_at"].astimezone(SHANGHAI).date().isoformat(), row["kind"]) for row in mine)
    chart = found["outages_by_day"]
    shown = {
        (day, one["key"]): value for one in chart["series"]
        for day, value in zip(chart["picks"], one["data"], strict=True) if value
    }  # fmt: skip
    assert shown == days
    assert series_of(found["outages_by_cause"]) == Counter(row["cause"] or "unknown" for row in mine)
    again = Counter(row["district"] for row in mine if row["kind"] in ("fault", "limit") and hand.again(row))
    assert series_of(found["again_by_area"]) == again if again else found["again_by_area"]["empty"]


def test_what_was_withdrawn_or_went_by_long_ago_is_not_read_again_each_time(world: World) -> None:
    facts = NetworkFacts(world.sources, asked(0, 0), WORDS)
    before = {one.number for one in facts.outages}
    row = {**world.rows[Outage][0], "restored_at": None, "kind": "planned", "started_at": ago(90)}
    long_ago = [
        row | {"id": 101, "outage_no": "X1", "state": "cancelled", "expected_at": None},
        row | {"id": 102, "outage_no": "X2", "state": "planned", "expected_at": ago(89.5)},
        row | {"id": 103, "outage_no": "X3", "state": "planned", "expected_at": None},
        row | {"id": 104, "outage_no": "X4", "state": "active", "expected_at": ago(89.5)},
    ]
    with world.sources.workorder.transaction() as session:
        session.execute(insert(Outage), long_ago)
    again = NetworkFacts(world.sources, asked(0, 0), WORDS)
    assert {one.number for one in again.outages} - before == {103, 104}
    assert {103, 104} <= {one.number for one in again.under_way(asked(0, 0).span)}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_without_data_there_is_no_share_and_no_zero_percent(dialect: str, new_url: NewUrl, tmp_path: Path) -> None:
    with opened(new_url, dialect, tmp_path) as sources:
        found = board("network", sources, asked(6, 0))
        for key, one in figures(found).items():
            counted = one["unit"] in ("count", "customers", "处")
            assert one["value"] == (0 if counted else None), key
        assert all(chart["empty"] for chart in charts(found).values())
        rows_come_to_figures("network", sources, asked(6, 0))


def test_the_documentation_has_every_definition() -> None:
    every_definition_is_documented("network")
