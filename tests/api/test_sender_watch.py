"""The sender's look at what happens: every source in its own time, and none held up by another's failure."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from api.sender import watch as watching
from api.sender.watch import causes_of, watch

DATA = Path(__file__).parents[2] / "data"
NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)


async def test_a_source_that_fails_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "AWAY_SECONDS", 0.01)
    monkeypatch.setattr(watching, "IDLE_SECONDS", 0.01)
    stop, seen = asyncio.Event(), {"away": 0, "broken": 0, "good": 0}

    def away(_now: datetime) -> bool:
        seen["away"] += 1
        raise OperationalError("select 1", {}, Exception("gone"))

    def broken(_now: datetime) -> bool:
        seen["broken"] += 1
        raise RuntimeError

    def good(now: datetime) -> bool:
        assert now == NOW
        seen["good"] += 1
        return seen["good"] < 4

    running = asyncio.create_task(watch({"away": away, "broken": broken, "good": good}, lambda: NOW, stop))
    async with asyncio.timeout(5):
        while min(seen.values()) < 4:
            await asyncio.sleep(0.01)
        stop.set()
        await running
    assert min(seen.values()) >= 4


async def test_it_stops_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "IDLE_SECONDS", 60.0)
    stop = asyncio.Event()
    running = asyncio.create_task(watch({"idle": lambda _now: False}, lambda: NOW, stop))
    await asyncio.sleep(0.05)
    stop.set()
    async with asyncio.timeout(2):
        await running


def test_causes_have_words() -> None:
    assert causes_of(DATA)["maintenance"] == "设备检修"
