"""Runs of the segmentation with portraits made up row by row, and their figures reckoned by hand."""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

from insight_boards_kit import (
    ago,
)
from sqlalchemy import insert

from core.insight.kpi import Sources
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
