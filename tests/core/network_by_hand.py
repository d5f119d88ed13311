"""The figures of the network reckoned a second way: from raw rows, in plain Python, without core.insight's figures."""

from __future__ import annotations

import statistics
from datetime import datetime, timedelta
from typing import Any

from insight_by_hand import everything
from insight_kit import NOW

from core.insight.kpi import Sources
from core.insight.spans import Span
from core.network import NetworkNode, SupplyPoint
from core.notice import Notice
from core.outage import Outage, OutageNode, OutageReport, OutageSubscriber
from core.promise import Promise
from core.work_order import OrderEvent, WorkOrder

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
LIMIT = {"city": 45, "rural": 90, "remote": 120}
Row = dict[str, Any]


class ByHand:
    """The figures from raw rows, as their definitions read."""

    def __init__(self, sources: Sources) -> None:
        tables = (NetworkNode, SupplyPoint, Outage, OutageNode, OutageReport, OutageSubscriber, Notice, WorkOrder,
                  OrderEvent, Promise)  # fmt: skip
        self.raw = {table: everything(sources.workorder, table) for table in tables}
        self.outages = sorted(self.raw[Outage], key=lambda row: (row["started_at"], row["id"]))

    def below(self, outage: Row) -> set[str]:
        codes = {row["node_code"] for row in self.raw[OutageNode] if row["outage_id"] == outage["id"]}
        while True:
            more = {row["code"] for row in self.raw[NetworkNode] if row["parent_code"] in codes} - codes
            if not more:
                break
            codes |= more
        return {code for code in codes if code.startswith("T")}

    def begun(self, row: Row) -> bool:
        return row["state"] not in ("cancelled", "suspected") and row["started_at"] <= NOW

    def now_out(self, end: datetime) -> list[Row]:
        at, found = min(end, NOW), []
        for row in self.outages:
            over = row["restored_at"] is not None and row["restored_at"] <= at
            ended = row["state"] == "planned" and row["expected_at"] is not None and row["expected_at"] <= at
            if row["state"] not in ("cancelled", "suspected") and row["started_at"] <= at and not over and not ended:
                found.append(row)
        return found

    def again(self, row: Row) -> bool:
        return any(
            self.below(one) & self.below(row) for one in self.outages
            if one["kind"] in ("fault", "limit") and self.begun(one) and one["id"] != row["id"]
            and row["started_at"] - 30 * DAY <= one["started_at"] <= row["started_at"]
        )  # fmt: skip

    def figures(self, span: Span) -> dict[str, float | None]:
        def mean(values: list[bool | None]) -> float | None:
            known = [one for one in values if one is not None]
            return sum(known) / len(known) if known else None

        def middle(values: list[float]) -> float | None:
            return statistics.median(values) if values else None

        mine = [row for row in self.outages if span.start <= row["started_at"] < span.end]
        begun = [row for row in mine if self.begun(row)]
        faults = [row for row in begun if row["kind"] in ("fault", "limit")]
        dark = {code for row in self.now_out(span.end) for code in self.below(row)}
        back = [row for row in begun if row["expected_at"] and row["restored_at"]]
        said = [
            row for row in mine
            if row["kind"] == "planned" and row["state"] != "cancelled" and row["expected_said_at"]
            and row["expected_said_at"] < row["started_at"]
        ]  # fmt: skip
        clocks = self.clocks(span)
        return {
            "outages": len(begun), "outage_faults": len(faults), "outages_now": len(self.now_out(span.end)),
            "accounts_out": sum(row["transformer_code"] in dark for row in self.raw[SupplyPoint]),
            "outages_suspected": sum(row["state"] == "suspected" for row in mine),
            "outages_again": mean([self.again(row) for row in faults]),
            "outage_reports": self.within(OutageReport, "at", span),
            "outage_subscribers": self.within(OutageSubscriber, "since", span),
            "outage_told": mean(self.told(span)),
            "restore_kept": mean([
                row["restored_at"] <= row["expected_at"] if row["restored_at"]
                else False if row["expected_at"] < NOW and row["state"] != "planned" else None
                for row in begun if row["expected_at"]
            ]),
            "restore_late": middle([(row["restored_at"] - row["expected_at"]) / MINUTE for row in back]),
            "outage_lasted": middle([
                (row["restored_at"] - row["started_at"]).total_seconds() for row in faults if row["restored_at"]
            ]),
            "outages_planned": sum(row["kind"] == "planned" and row["state"] != "cancelled" for row in mine),
            "planned_notice": mean([row["started_at"] - row["expected_said_at"] >= 7 * DAY for row in said]),
            "field_arrival": mean([kept for _, kept, _ in clocks]),
        }  # fmt: skip

    def within(self, table: type, column: str, span: Span) -> int:
        return sum(span.start <= row[column] < span.end for row in self.raw[table])

    def told(self, span: Span) -> list[bool | None]:
        state = {row["id"]: row["state"] for row in self.outages}
        found: list[bool | None] = []
        for row in self.raw[OutageSubscriber]:
            if span.start <= row["since"] < span.end:
                begin = f"outage:{row['outage_id']}:"
                heard = any(
                    one["key"].startswith(begin) and one["conversation_id"] == row["conversation_id"]
                    and one["delivered_at"] for one in self.raw[Notice]
                )  # fmt: skip
                over = state[row["outage_id"]] in ("restored", "cancelled")
                found.append(True if heard else False if over else None)
        return found

    def clocks(self, span: Span) -> list[tuple[str, bool | None, float | None]]:
        promised = {row["subject_id"] for row in self.raw[Promise] if row["kind"] == "arrival"}
        found: list[tuple[str, bool | None, float | None]] = []
        for row in self.raw[WorkOrder]:
            if row["id"] in promised and row["area_class"] and span.start <= row["opened_at"] < span.end:
                later = [one for one in self.raw[OrderEvent] if one["order_id"] == row["id"] and one["seq"] > 1]
                arrived = [one["at"] for one in later if one["kind"] == "state"]
                limit = row["opened_at"] + LIMIT[row["area_class"]] * MINUTE
                if arrived:
                    minutes = (arrived[0] - row["opened_at"]) / MINUTE
                    found.append((row["area_class"], arrived[0] <= limit, minutes))
                else:  # withdrawn before somebody was to be there, it is not asked whether he was
                    end = min([NOW, *(one["at"] for one in later)])
                    found.append((row["area_class"], False if limit <= end else None, None))
        return found
