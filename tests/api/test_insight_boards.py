"""The dashboards over HTTP: their JSON, who may look, what is refused, rows, tables, masking, and no data at all."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from bridge_kit import FakeRasa
from sqlalchemy import select
from supervision_kit import MONDAY, Office, Seat, office, refused

from api.rasa import BotTurn
from core.audit import AuditEntry
from core.conversation import Draft
from core.insight.words import words_of

DAYS = "from=2026-11-23&to=2026-11-23"
FIGURE = {
    "key", "name", "value", "text", "unit", "definition", "previous", "change_text", "good", "verdict", "rows",
    "aim_text",
}  # fmt: skip
CHART = {"key", "name", "definition", "kind", "unit", "empty", "x", "series", "rows"}
WORDS = words_of(Path(__file__).parents[2] / "data")
PHONE, NAME = "13912345678", "欧阳建国"
ROUTES = ("/boards/service", "/rows/contacts", "/rows/contacts.csv", "/pulse")


def answer(text: str) -> BotTurn:
    """Understand bills, and nothing else."""
    known = "电费" in text or "=" in text
    understood = {"intent": "query_bill" if known else "nlu_fallback", "confidence": 0.9}
    return BotTurn((Draft("bot", "好的"),), understood if known else {**understood, "failed": True})


@pytest.fixture
async def desk(urls: tuple[str, str]) -> AsyncIterator[Office]:
    async with office(urls, rasa=FakeRasa(answer=answer)) as one:
        yield one


async def get(seat: Seat, path: str) -> httpx.Response:
    return await seat.http.get(f"/v1/insight{path}")


async def good(seat: Seat, path: str) -> Any:
    found = await get(seat, path)
    assert found.status_code == 200, found.text
    return found.json()


async def boss_of(desk: Office) -> Seat:
    return await desk.seat("supervisor", skills=())


def figures(board: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["key"]: one for group in board["groups"] for one in group["figures"]}


def charts(board: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["key"]: one for group in board["groups"] for one in group["charts"]}


async def some_talk(desk: Office) -> None:
    one, two = await desk.bridge.customer(), await desk.bridge.customer()
    await one.say(f"我叫{NAME}，电话{PHONE}，查一下电费")
    await two.say("今天天气不错")
    await desk.closed(await desk.seat(name="陈静"))


@pytest.mark.parametrize("path", ROUTES)
async def test_only_supervisors_and_above_are_shown_figures(desk: Office, path: str) -> None:
    assert refused(await get(await desk.nobody(), path)) == (401, "not_signed_in")
    assert refused(await get(await desk.seat(), path)) == (403, "forbidden")
    for role in ("supervisor", "administrator"):
        assert (await get(await desk.seat(role, skills=()), path)).status_code == 200


async def test_a_board_has_the_figures_and_charts_that_the_page_draws(desk: Office) -> None:
    await some_talk(desk)
    board = await good(await boss_of(desk), f"/boards/service?{DAYS}")
    assert (board["board"], board["from"], board["to"]) == ("service", "2026-11-23", "2026-11-23")
    for figure in figures(board).values():
        assert set(figure) == FIGURE
        assert figure["definition"]
        assert figure["verdict"] in ("good", "bad", "none")
    for chart in charts(board).values():
        assert set(chart) >= CHART
        for series in chart["series"] if chart["kind"] != "heat" else ():
            assert len(series["data"]) == len(chart["x"]) == len(chart["picks"])
    found = figures(board)
    assert (found["contacts"]["value"], found["cases"]["value"], found["failures"]["value"]) == (3, 1, 2)
    assert found["contacts"]["text"] == "3 次"
    today = found["failures"]  # 2, and none the day before: but the day is not over
    assert (today["good"], today["verdict"], today["change_text"]) == ("down", "none", "本期未完")
    heat = charts(board)["heat"]
    assert [one for one in heat["series"][0]["data"] if one[2]] == [[10, 0, 3]]
    assert (heat["x"][10], heat["y"][0]) == ("10", "周一")


async def test_without_data_there_is_no_share_and_no_zero_percent(desk: Office) -> None:
    board = await good(await boss_of(desk), f"/boards/service?{DAYS}")
    for key, figure in figures(board).items():
        if figure["unit"] in ("share", "score", "seconds"):
            assert (figure["value"], figure["text"]) == (None, WORDS.figures[key].empty or "无数据"), key
    assert figures(board)["satisfaction"]["text"] == "还没有评价"
    assert figures(board)["contacts"]["text"] == "0 次"
    assert figures(board)["complaint_rate"]["text"] == "数据源暂时连不上"  # these tests have no billing
    assert all(chart["empty"] for chart in charts(board).values())


async def test_days_to_come_have_no_data_and_too_many_days_are_refused(desk: Office) -> None:
    boss = await boss_of(desk)
    later = await good(boss, "/boards/service?from=2027-05-01&to=2027-05-31")
    assert figures(later)["contacts"]["value"] == 0
    assert len(charts(later)["volume_by_day"]["x"]) == 31
    for days in (
        "from=2026-11-23&to=2026-11-22", "from=2025-01-01&to=2026-11-23", "from=0001-01-01&to=0001-01-02",
        "from=9999-12-31&to=9999-12-31",
    ):  # fmt: skip
        for path in ("/boards/service", "/rows/contacts", "/rows/contacts.csv"):
            assert refused(await get(boss, f"{path}?{days}")) == (422, "bad_span"), days
    assert (await get(boss, "/boards/service?from=yesterday")).status_code == 422


async def test_unknown_boards_rows_series_and_cursors_are_refused_in_words(desk: Office) -> None:
    boss = await boss_of(desk)
    assert refused(await get(boss, "/boards/nothing")) == (404, "no_such_board")
    assert refused(await get(boss, "/rows/nothing")) == (404, "no_such_rows")
    assert refused(await get(boss, "/rows/nothing.csv")) == (404, "no_such_rows")
    assert refused(await get(boss, "/rows/topics?series=nothing")) == (404, "no_such_rows")
    await some_talk(desk)
    for cursor in ("gestern", "2026-11-23T10:00:00|x"):  # the second one names no zone
        assert refused(await get(boss, f"/rows/contacts?{DAYS}&after={cursor}")) == (422, "bad_cursor")
    answer = (await get(boss, "/rows/nothing")).json()
    assert answer["detail"] == "没有这项指标的明细。"


async def test_the_worst_topic_leads_to_its_conversations(desk: Office) -> None:
    await some_talk(desk)
    boss = await boss_of(desk)
    worst = charts(await good(boss, f"/boards/service?{DAYS}"))["worst_topics"]
    assert [one["key"] for one in worst["columns"]][:2] == ["rank", "topic"]
    first = worst["lines"][0]
    assert (first["key"], first["topic"], first["failed"]) == ("nlu_fallback", "没听懂", 2)
    found = await good(boss, first["rows"].removeprefix("/v1/insight"))
    assert (found["total"], found["figure"]) == (first["contacts"], first["contacts"])
    for row in found["rows"]:
        assert row["link"] == f"/desk#/conversations/{row['conversation_id']}"
        opened = await boss.get(f"/conversations/{row['conversation_id']}")
        assert opened["messages"]


async def test_rows_come_in_pages_without_one_twice(desk: Office) -> None:
    boss = await boss_of(desk)
    for _ in range(5):
        await (await desk.bridge.customer()).say("查电费")
    seen, after = [], ""
    while True:
        page = await good(boss, f"/rows/contacts?{DAYS}&limit=2{after}")
        assert page["total"] == 5
        seen += [row["conversation_id"] for row in page["rows"]]
        if page["next"] is None:
            break
        after = f"&after={httpx.QueryParams({'after': page['next']})['after']}".replace("+", "%2B")
    assert len(seen) == len(set(seen)) == 5


async def test_a_point_of_a_chart_is_picked_by_its_key_or_by_what_is_read_there(desk: Office) -> None:
    await some_talk(desk)
    boss = await boss_of(desk)
    for pick in ("query_bill", "查电费账单"):
        page = await good(boss, f"/rows/topics?{DAYS}&pick={pick}")
        assert [row["topic"] for row in page["rows"]] == ["查电费账单"]
    for pick, series in (("10", "0"), ("10", "周一")):
        assert (await good(boss, f"/rows/heat?{DAYS}&pick={pick}&series={series}"))["total"] == 3
    assert (await good(boss, f"/rows/volume_by_day?{DAYS}&pick=2026-11-23&series=网页"))["total"] == 3
    assert (await good(boss, f"/rows/topics?{DAYS}&pick=query_bill&series=answered_alone"))["total"] == 0  # goes on yet
    desk.clock.on(hours=1)
    boss = await boss_of(desk)  # the session of the first one is over
    assert (await good(boss, f"/rows/topics?{DAYS}&pick=query_bill&series=answered_alone"))["figure"] == 1


async def test_what_customers_said_is_shown_masked_and_never_in_a_table(desk: Office) -> None:
    await some_talk(desk)
    boss = await boss_of(desk)
    page = await get(boss, f"/rows/contacts?{DAYS}")
    said = [row["said"] for row in page.json()["rows"]]
    assert any("查一下电费" in one for one in said)
    assert PHONE not in page.text
    assert NAME not in page.text
    table = await get(boss, f"/rows/contacts.csv?{DAYS}")
    assert "电费，" not in table.text
    assert PHONE not in table.text
    assert NAME not in table.text


async def test_a_table_opens_in_a_spreadsheet_and_who_took_it_is_written_down(desk: Office) -> None:
    await some_talk(desk)
    boss = await boss_of(desk)
    answer = await get(boss, f"/rows/cases.csv?{DAYS}&channel=web")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="cases-20261123-20261123.csv"'
    assert answer.content.startswith(b"\xef\xbb\xbf")
    lines = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert lines[0][:3] == ["时间", "服务单", "对话编号"]
    assert [line[lines[0].index("答复坐席")] for line in lines[1:]] == ["陈静"]
    with desk.bridge.parts.bridge.reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "insight_exported")).one()
    assert (entry.agent_id, entry.subject) == (boss.id, "cases")
    assert entry.detail == {
        "since": "2026-11-23", "until": "2026-11-23", "channel": "web", "pick": None, "series": None, "rows": 1,
    }  # fmt: skip


async def test_no_cell_of_a_table_is_a_formula(desk: Office) -> None:
    await desk.closed(await desk.seat(name="=HYPERLINK(1)"))
    answer = await get(await boss_of(desk), f"/rows/cases.csv?{DAYS}")
    assert "'=HYPERLINK(1)" in answer.text
    assert ",=HYPERLINK" not in answer.text


async def test_the_pulse_changes_when_something_is_said_and_not_otherwise(desk: Office) -> None:
    boss = await boss_of(desk)
    first = await good(boss, "/pulse")
    assert await good(boss, "/pulse") == first
    await (await desk.bridge.customer()).say("查电费")
    second = await good(boss, "/pulse")
    assert second != first
    desk.clock.at = MONDAY
    await desk.case()
    assert await good(boss, "/pulse") != second
