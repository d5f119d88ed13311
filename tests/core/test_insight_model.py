"""The board of the model: every figure a second time from the raw log, learning items and models."""

from __future__ import annotations

import math
import random
import statistics
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from dialects import DIALECTS, NewUrl
from insight_boards_kit import (
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
from insight_by_hand import everything
from sqlalchemy import insert

from core.clock import SHANGHAI
from core.conversation import Conversation, Message
from core.handoff.tables import Handoff
from core.insight.kpi import Sources
from core.insight.rows import Point, rows
from core.insight.spans import Span
from core.learning.tables import LearningItem, ModelVersion

INTENTS = ("query_bill", "report_outage", "nlu_fallback", "query_bill+pay_bill", "greet")
LINE = 0.5
Row = dict[str, Any]


class World:
    """Talks with messages and corrections, learning items and models, made up row by row."""

    def __init__(self, sources: Sources, seed: int) -> None:
        self.sources, self.rng = sources, random.Random(seed)
        talks, messages, cases, items = [], [], [], []
        for number in range(30):
            talk, at = f"talk-{number:02d}", ago(self.rng.uniform(0, 27))
            talks.append({
                "id": talk, "channel": "web", "accounts": [], "assurance": 0, "assured": [], "mode": "bot",
                "mode_since": at, "priority": 5, "dialogue": 1, "next_seq": 1, "created_at": at, "last_at": at,
            })  # fmt: skip
            said = [self._message(talk, seq, at + timedelta(minutes=seq)) for seq in range(1, self.rng.randrange(3, 9))]
            messages += said
            if self.rng.random() < 0.6:
                cases.append(self._case(talk, len(cases) + 1, said))
            items += [self._item(one, len(items) + place) for place, one in enumerate(said) if self.rng.random() < 0.3]
        for number, one in enumerate(items, 1):
            one["id"] = number
        with sources.bridge.transaction() as session:
            for table, found in (
                (Conversation, talks), (Message, messages), (Handoff, cases), (LearningItem, items),
                (ModelVersion, self._models()),
            ):  # fmt: skip
                session.execute(insert(table), found)

    def _message(self, talk: str, seq: int, at: Any) -> Row:
        rng = self.rng
        intent = rng.choice(INTENTS)
        understood: Row | None = {
            "intent": intent, "confidence": rng.choice((None, 0.2, 0.5, 0.69, 0.7, 0.91, 1.0)),
            "form": rng.choice((None, None, None, {"title": "报修", "values": {}})),
        }  # fmt: skip
        if intent == "nlu_fallback" or rng.random() < 0.1:
            understood["failed"] = True  # type: ignore[index]  # it is set just above
        return {
            "conversation_id": talk, "seq": seq, "at": at, "author": rng.choice(("customer",) * 5 + ("bot",)),
            "type": rng.choice(("text",) * 6 + ("image",)), "text": "x", "buttons": [],
            "channel": rng.choice(("web", "wechat")), "external_id": f"{talk}-{seq}",
            "payload": rng.choice((None,) * 5 + ("/query_bill",)), "turn": rng.choice(("done", "done", "open")),
            "understood": understood if rng.random() < 0.9 else None,
        }  # fmt: skip

    def _case(self, talk: str, number: int, said: list[Row]) -> Row:
        corrected = {
            str(one["seq"]): self.rng.choice(("query_bill", "report_outage", "pay_bill"))
            for one in said if self.rng.random() < 0.5
        }  # fmt: skip
        last = said[-1]["at"]
        return {
            "id": number, "conversation_id": talk, "reason": "asked", "skill": "billing", "priority": 5,
            "requested_at": last, "rank_at": last, "tried": [], "summary": {}, "left_message": False,
            "corrected": corrected, "note": {}, "ended_at": self.rng.choice((None, last + timedelta(hours=1))),
        }  # fmt: skip

    def _item(self, one: Row, number: int) -> Row:
        state = self.rng.choice(("open", "labelled", "answered", "dismissed"))
        return {
            "id": number, "conversation_id": one["conversation_id"], "seq": one["seq"], "at": one["at"],
            "channel": one["channel"], "text": "某人问", "reasons": ["unanswered"], "intent": "query_bill",
            "harm": 1.0, "parts": {}, "state": state, "label": "pay_bill" if state == "labelled" else None,
        }  # fmt: skip

    def _models(self) -> list[Row]:
        found = []
        for number, (state, back, promoted) in enumerate(
            (("retired", 20, 19), ("running", 9, 8), ("candidate", 1, None), ("failed", 0.5, None)), 1
        ):
            sets = {name: {"accuracy": round(0.8 + number / 100, 2), "ece": 0.03} for name in ("all", "validation_web")}
            found.append({
                "name": f"model-{number}", "file": "x", "sha256": "x", "state": state,
                "trained_at": ago(back) if state != "failed" else None, "started_at": ago(back + 0.1),
                "promoted_at": ago(promoted) if promoted is not None else None, "figures": sets if number < 4 else {},
                "learned": {"messages": 10 * number, "answers": 2}, "compared": {},
            })  # fmt: skip
        return found


class ByHand:
    """The figures from raw rows, as their definitions read."""

    def __init__(self, sources: Sources) -> None:
        self.messages = everything(sources.bridge, Message)
        self.cases = everything(sources.bridge, Handoff)
        self.items = everything(sources.bridge, LearningItem)
        self.models = everything(sources.bridge, ModelVersion)

    def said(self, span: Span, channel: str | None = None) -> list[Row]:
        return [
            row for row in self.messages
            if row["author"] == "customer" and row["type"] == "text" and row["payload"] is None and row["understood"]
            and not row["understood"]["form"] and span.start <= row["at"] < span.end
            and channel in (None, row["channel"])
        ]  # fmt: skip

    def corrected(self, span: Span, channel: str | None = None) -> list[tuple[str, str]]:
        meant = {(row["conversation_id"], int(seq)): to for row in self.cases for seq, to in row["corrected"].items()}
        found = []
        for row in self.messages:
            to = meant.get((row["conversation_id"], row["seq"]))
            inside = span.start <= row["at"] < span.end and channel in (None, row["channel"])
            if to and inside and row["understood"] and row["understood"]["intent"] != to:
                found.append((row["understood"]["intent"], to))
        return found

    def drift(self, span: Span, channel: str | None = None) -> dict[str, float]:
        now = Counter(row["understood"]["intent"] for row in self.said(span, channel))
        before = Counter(row["understood"]["intent"] for row in self.said(span.previous, channel))
        if not now or not before:
            return {}
        return {
            intent: (new - old) * math.log(new / old)
            for intent in {*now, *before}
            for new in [max(now[intent] / sum(now.values()), 1e-4)]
            for old in [max(before[intent] / sum(before.values()), 1e-4)]
        }

    def figures(self, span: Span, channel: str | None = None) -> dict[str, float | None]:
        said, drift = self.said(span, channel), self.drift(span, channel)
        sure = [row["understood"]["confidence"] for row in said if row["understood"]["confidence"] is not None]
        failed = [
            bool(row["understood"].get("failed")) or row["understood"]["intent"] == "nlu_fallback" for row in said
        ]
        items = [
            row["state"] for row in self.items
            if span.start <= row["at"] < span.end and channel in (None, row["channel"])
        ]  # fmt: skip
        ran = [row for row in self.models if row["promoted_at"] and row["promoted_at"] < span.end]
        newest = max(ran, key=lambda row: row["promoted_at"], default=None)
        at = [row["trained_at"] or row["started_at"] for row in self.models]
        return {
            "understood": len(said), "confidence_median": statistics.median(sure) if sure else None,
            "low_confidence": sum(one < LINE for one in sure) / len(sure) if sure else None,
            "fallbacks": sum(failed) / len(failed) if failed else None,
            "corrected": len(self.corrected(span, channel)),
            "intent_drift": math.fsum(drift.values()) if drift else None,
            "learning_found": len(items), "learning_open": items.count("open"),
            "learning_done": items.count("labelled") + items.count("answered"),
            "trainings": sum(span.start <= one < span.end for one in at),
            "model_accuracy": newest["figures"]["all"]["accuracy"] if newest else None,
        }  # fmt: skip


world = world_of(World)


def test_every_figure_agrees_with_the_one_from_raw_rows(world: World) -> None:
    agrees("model", world.sources, ByHand(world.sources).figures, (6, 0), (0, 0), (13, 0), (25, 21))


def test_a_channel_shows_its_own_messages_and_no_training(world: World) -> None:
    what = asked(13, 0, "wechat")
    shown = figures(board("model", world.sources, what))
    hand = ByHand(world.sources).figures(what.span, "wechat") | {"trainings": None, "model_accuracy": None}
    assert {key: one["value"] for key, one in shown.items()} == hand


def test_rows_come_to_their_figures_and_points(world: World) -> None:
    what = asked(13, 0)
    rows_come_to_figures("model", world.sources, what)
    assert points_are_figures_of_rows("model", world.sources, what) > 60


def test_confused_intents_are_counted_and_open_their_messages(world: World) -> None:
    what = asked(13, 0)
    pairs = Counter(ByHand(world.sources).corrected(what.span))
    lines = charts(board("model", world.sources, what))["confused"]["lines"]
    assert {line["key"]: line["times"] for line in lines} == {
        f"{one}>{two}": count for (one, two), count in pairs.items()
    }
    assert [line["times"] for line in lines] == sorted(pairs.values(), reverse=True)
    for line in lines:
        found = rows(Point("confused_messages", line["key"]), world.sources, what, WORDS)
        assert (found.figure, {item.pair for item, _ in found.pairs}) == (line["times"], {line["key"]})
        assert all(found.kpi.table.conversation(item) == (item.conversation_id, item.seq) for item, _ in found.pairs)


def test_bands_of_confidence_come_to_all_messages_that_have_one(world: World) -> None:
    what = asked(13, 0)
    chart = charts(board("model", world.sources, what))["confidence_bands"]
    said = [row for row in ByHand(world.sources).said(what.span) if row["understood"]["confidence"] is not None]
    ends = (0.0, LINE, 0.7, 0.9)
    counts = Counter(
        (
            row["at"].astimezone(SHANGHAI).date().isoformat(),
            max(end for end in ends if end <= row["understood"]["confidence"]),
        )
        for row in said
    )
    shown = {
        (day, float(one["key"])): value for one in chart["series"]
        for day, value in zip(chart["picks"], one["data"], strict=True) if value
    }  # fmt: skip
    assert shown == counts
    assert [one["name"] for one in chart["series"]] == ["低把握", "50% 至 70%", "70% 至 90%", "90% 以上"]


def test_each_intent_adds_its_part_to_the_drift(world: World) -> None:
    what = asked(6, 0)
    drift = ByHand(world.sources).drift(what.span)
    assert series_of(charts(board("model", world.sources, what))["drift_by_intent"]) == drift


def test_models_are_shown_over_time_and_only_until_the_end_of_the_days(world: World) -> None:
    found = charts(board("model", world.sources, asked(6, 0)))
    assert found["accuracy_by_model"]["x"] == ["model-1", "model-2", "model-3"]
    assert {one["key"]: one["data"] for one in found["accuracy_by_model"]["series"]} == {
        "all": [0.81, 0.82, 0.83], "validation_web": [0.81, 0.82, 0.83]
    }  # fmt: skip
    assert [line["model"] for line in found["models"]["lines"]] == ["model-4", "model-3", "model-2", "model-1"]
    assert found["models"]["lines"][1]["accuracy_share"] == 0.83
    assert found["models"]["lines"][3]["learned"] == 12
    earlier = charts(board("model", world.sources, asked(16, 12)))
    assert earlier["accuracy_by_model"]["x"] == ["model-1"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_without_data_there_is_no_share_and_no_zero_percent(dialect: str, new_url: NewUrl, tmp_path: Path) -> None:
    with opened(new_url, dialect, tmp_path) as sources:
        found = board("model", sources, asked(6, 0))
        for key, one in figures(found).items():
            assert one["value"] == (0 if one["unit"] in ("count", "messages") else None), key
        assert all(chart["empty"] for chart in charts(found).values())
        rows_come_to_figures("model", sources, asked(6, 0))


def test_the_documentation_has_every_definition() -> None:
    every_definition_is_documented("model")
