"""The supervisor's wall, stepping in, the figures, the export and quality checks over HTTP."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from supervision_kit import BOOK, MONDAY, Office, Seat, good, office, refused, served, text_of
from websockets.asyncio.client import connect

from core.audit import entries
from core.desk_feed import DeskEvent
from core.handoff import life
from core.handoff.help import look_at_calls
from core.promise import ARRIVAL
from core.survey import Survey
from core.work_order import Filing, file_order, progress

SCORES = {
    "greeting": 5,
    "context": 4,
    "understanding": 5,
    "accuracy": 5,
    "solving": 4,
    "manner": 5,
    "privacy": 5,
    "record": 3,
}
DAYS = "from=2026-11-23&to=2026-11-23"


@pytest.fixture
async def desk(urls: tuple[str, str]) -> AsyncIterator[Office]:
    async with office(urls) as one:
        yield one


async def test_the_wall_shows_who_waits_who_works_and_what_is_late(desk: Office) -> None:
    boss, agent, idle = await desk.seat("supervisor", skills=()), await desk.seat(), await desk.seat()
    taken, case = await desk.case()
    desk.claim(case, agent)
    waiting, second = await desk.case(said="表箱跳闸了，帮忙看看")
    desk.clock.on(minutes=13)
    wall = await boss.get("/wall")
    assert [one["handoff_id"] for one in wall["queue"]] == [second]
    assert wall["queue"][0]["waiting_seconds"] == 13 * 60
    tiles = {one["id"]: one for one in wall["agents"]}
    assert [one["conversation_id"] for one in tiles[agent.id]["talking"]] == [taken.conversation_id]
    assert (tiles[agent.id]["load"], tiles[idle.id]["load"], tiles[idle.id]["talking"]) == (1, 0, [])
    figures = wall["figures"]
    assert (figures["waiting"], figures["longest_wait_seconds"]) == (1, 13 * 60)
    assert {one["handoff_id"] for one in figures["warnings"]} == {case, second}
    assert figures["breaches"] == []
    desk.clock.on(minutes=3)
    figures = (await boss.get("/wall"))["figures"]
    assert {one["handoff_id"] for one in figures["breaches"]} == {case, second}
    assert (figures["warnings"], figures["within_15min"]) == ([], 0.0)
    assert waiting.conversation_id not in text_of(tiles)


async def test_the_wall_tells_presence_as_it_is(desk: Office) -> None:
    boss, agent, off = await desk.seat("supervisor"), await desk.seat(), await desk.seat(online=False)
    seen = {one["id"]: (one["present"], one["status"]) for one in (await boss.get("/wall"))["agents"]}
    assert (seen[agent.id], seen[off.id]) == ((True, "online"), (False, "offline"))
    desk.clock.on(seconds=60)
    seen = {one["id"]: (one["present"], one["status"]) for one in (await boss.get("/wall"))["agents"]}
    assert seen[agent.id] == (False, "online")


async def test_each_skill_tells_who_waits_who_is_there_and_how_long_it_takes(desk: Office) -> None:
    boss = await desk.seat("supervisor", skills=(), online=False)

    async def skills() -> dict[str, Any]:
        return {one["skill"]: one for one in (await boss.get("/wall"))["skills"]}

    nobody = await skills()
    assert (nobody["repair"]["on_duty"], nobody["repair"]["expected_wait_seconds"]) == (0, None)
    agent = await desk.seat(capacity=1)
    assert (await skills())["repair"] == {
        "skill": "repair", "open": True, "waiting": 0, "on_duty": 1, "expected_wait_seconds": 0,
    }  # fmt: skip
    _, case = await desk.case()
    desk.claim(case, agent)
    await desk.case(said="又停电了")
    found = (await skills())["repair"]
    usual = BOOK.limits.handling_minutes["repair"] * 60
    assert (found["waiting"], found["expected_wait_seconds"]) == (1, 2 * usual)
    desk.clock.on(hours=11)  # 21:00: the hotline works on, the other skills have closed
    late = await desk.seat("supervisor", skills=())
    opened = {one["skill"]: one["open"] for one in (await late.get("/wall"))["skills"]}
    assert opened == {"repair": True, "billing": False, "business": False, "complaint": False}


async def test_the_day_counts_answers_leavers_and_satisfaction(desk: Office) -> None:
    boss, agent = await desk.seat("supervisor"), await desk.seat()
    _, quick = await desk.closed(agent, reply=2)
    await desk.closed(agent, reply=10)
    left, _ = await desk.case()
    desk.clock.on(minutes=1)
    desk.write(lambda session: life.leave_queue(session, left.conversation_id, book=BOOK, now=desk.clock()))
    desk.write(
        lambda session: session.add(
            Survey(
                handoff_id=quick, conversation_id=left.conversation_id, channel="web", asked_at=desk.clock(), score=4,
                answered_at=desk.clock(),
            )
        )
    )  # fmt: skip
    desk.clock.on(seconds=10)
    figures = (await boss.get("/wall"))["figures"]
    assert (figures["requested_today"], figures["answered_today"], figures["left_queue"]) == (3, 2, 1)
    assert (figures["within_15min"], figures["within_3min"]) == (1.0, 0.5)
    assert (figures["average_wait_seconds"], figures["closure_within_2h"]) == (6 * 60, 1.0)
    assert (figures["satisfaction"], figures["satisfaction_count"]) == (4.0, 1)


async def test_a_whisper_reaches_the_agent_alone(desk: Office) -> None:
    boss, agent, other = await desk.seat("supervisor", name="周班长"), await desk.seat(), await desk.seat()
    customer, case = await desk.case()
    desk.claim(case, agent)
    words = "先安抚，再报抢修电话"
    note = await boss.post(f"/conversations/{customer.conversation_id}/whisper", text=words)
    assert (note["kind"], note["text"], note["agent"]["name"], note["to_agent"]) == (
        "whisper",
        words,
        "周班长",
        agent.id,
    )
    with desk.bridge.parts.bridge.reading() as session:
        [event] = session.scalars(select(DeskEvent).where(DeskEvent.kind == "whisper"))
        assert event.agent_id == agent.id
        last = entries(session)[-1]
        assert (last.action, last.agent_id, words in text_of(last.detail)) == ("whispered", boss.id, False)
    assert words in text_of(await agent.get(f"/conversations/{customer.conversation_id}"))
    assert words not in text_of(await customer.history())
    refusal = await other.call("GET", f"/conversations/{customer.conversation_id}")
    assert refusal.status_code == 403


async def test_nobody_to_whisper_to_is_told(desk: Office) -> None:
    boss = await desk.seat("supervisor")
    customer, _ = await desk.case()
    path = f"/conversations/{customer.conversation_id}/whisper"
    assert refused(await boss.call("POST", path, text="在吗")) == (409, "no_case")
    assert refused(await boss.call("POST", path, text="")) == (422, "invalid")
    assert refused(await boss.call("POST", "/conversations/none/whisper", text="在吗")) == (403, "forbidden")


async def test_a_supervisor_reads_along_and_takes_over(desk: Office) -> None:
    boss, agent = await desk.seat("supervisor"), await desk.seat()
    customer, case = await desk.case()
    desk.claim(case, agent)
    path = f"/conversations/{customer.conversation_id}"
    read = await boss.get(path)
    assert (read["case"]["handoff_id"], read["can"]["write"]) == (case, False)
    refusal = await boss.call("POST", f"{path}/messages", client_id="c1", text="我来说一句")
    assert refused(refusal) == (403, "not_holder")
    view = await boss.post(f"{path}/take_over")
    assert (view["holder"]["id"], view["mode"]) == (boss.id, "human")
    assert (await boss.post(f"{path}/take_over"))["holder"]["id"] == boss.id
    good(await boss.call("POST", f"{path}/messages", client_id="c1", text="您好，我是班长，我来处理。"))
    assert (await agent.call("GET", path)).status_code == 403
    told = [one["text"] for one in (await customer.history())["messages"]]
    assert "您好，我是班长，我来处理。" in told


async def test_a_case_is_given_to_another_agent_with_a_note(desk: Office) -> None:
    boss, agent, other = await desk.seat("supervisor"), await desk.seat(), await desk.seat()
    customer, case = await desk.case()
    desk.claim(case, agent)
    path = f"/conversations/{customer.conversation_id}/reassign"
    assert refused(await boss.call("POST", path, agent_id=other.id, note="")) == (422, "invalid")
    assert refused(await boss.call("POST", path, agent_id=4711, note="请接"))[0] in (404, 409)
    view = await boss.post(path, agent_id=other.id, note="他更熟悉这一片")
    assert view["holder"]["id"] == other.id
    assert (await agent.call("GET", f"/conversations/{customer.conversation_id}")).status_code == 403
    assert "他更熟悉这一片" in text_of(await other.get(f"/conversations/{customer.conversation_id}"))
    again = await boss.call("POST", path, agent_id=other.id, note="再给一次")
    assert again.status_code in (409, 422)


async def test_nobody_is_given_a_case_whose_console_is_not_open(desk: Office) -> None:
    boss, agent, gone = await desk.seat("supervisor"), await desk.seat(), await desk.seat()
    customer, case = await desk.case()
    desk.claim(case, agent)
    desk.clock.on(seconds=91)
    await agent.get("/inbox")
    path = f"/conversations/{customer.conversation_id}/reassign"
    assert refused(await boss.call("POST", path, agent_id=gone.id, note="请接")) == (409, "no_such_agent")
    assert (await agent.get(f"/conversations/{customer.conversation_id}"))["case"]["holder"]["id"] == agent.id


async def _some_days(desk: Office, agent: Seat) -> list[int]:
    """Fill a Monday: quick, slow, late, left, and one that still runs."""
    cases = [(await desk.closed(agent, reply=reply, minutes=reply + 30))[1] for reply in (1, 2, 3, 8, 20)]
    left, gone = await desk.case()
    desk.clock.on(minutes=1)
    desk.write(lambda session: life.leave_queue(session, left.conversation_id, book=BOOK, now=desk.clock()))
    _, running = await desk.case()
    return [*cases, gone, running]


async def test_wall_page_and_export_tell_the_same_figures(desk: Office) -> None:
    cases = await _some_days(desk, await desk.seat())
    boss = await desk.seat("supervisor")
    page = await boss.get(f"/figures?{DAYS}")
    first, closure = page["first_response"], page["closure"]
    assert (page["cases"], page["answered"], page["left_queue"]) == (7, 5, 1)
    assert (first["count"], first["met"], first["breached"], first["open"]) == (6, 4, 1, 1)
    assert (first["share"], first["within_aim"], first["median_seconds"], first["p90_seconds"]) == (0.8, 0.6, 180, 1200)
    assert (first["breached_cases"], closure["met"]) == ([cases[4]], 5)
    wall = (await boss.get("/wall"))["figures"]
    assert (wall["within_15min"], wall["within_3min"], wall["left_queue"]) == (0.8, 0.6, 1)
    assert (wall["requested_today"], wall["answered_today"]) == (page["cases"], page["answered"])
    assert (wall["average_wait_seconds"], wall["closure_within_2h"]) == (first["mean_seconds"], closure["share"])
    rows = await _table(boss)
    assert [int(row["服务单"]) for row in rows] == cases
    states = [row["首次响应"] for row in rows]
    assert (states.count("达标"), states.count("超时"), states.count("不计"), states.count("计时中")) == (4, 1, 1, 1)
    seconds = sorted(int(row["首次响应秒数"]) for row in rows if row["首次响应秒数"])
    assert (seconds[len(seconds) // 2], sum(seconds) / len(seconds)) == (first["median_seconds"], first["mean_seconds"])
    assert sum(row["达到目标"] == "是" for row in rows) / 5 == first["within_aim"]
    assert sum(row["办结"] == "达标" for row in rows) == closure["met"]
    assert sum(row["排队中离开"] == "是" for row in rows) == page["left_queue"]
    assert page["arrival"]["count"] == 0


async def test_every_figure_opens_the_cases_and_events_behind_it(desk: Office) -> None:
    await _some_days(desk, await desk.seat())
    boss = await desk.seat("supervisor")
    page = await boss.get(f"/figures?{DAYS}")
    for handoff_id in page["first_response"]["cases"]:
        case = await boss.get(f"/figures/{handoff_id}")
        kinds = {one["id"]: one["kind"] for one in case["events"]}
        clock = case["clocks"]["first_response"]
        behind = [kinds[one] for one in clock["events"]]
        assert behind == (["requested", "agent_replied"] if clock["state"] != "running" else ["requested"])
    assert refused(await boss.call("GET", "/figures/4711")) == (404, "no_such_case")


@pytest.mark.parametrize("days", ["from=2026-11-24&to=2026-11-23", "from=2020-01-01&to=2026-11-23"])
async def test_days_that_are_none_are_refused(desk: Office, days: str) -> None:
    boss = await desk.seat("supervisor")
    for path in ("/figures", "/export/cases.csv", "/quality/sample"):
        assert refused(await boss.call("GET", f"{path}?{days}")) == (422, "bad_span")


async def test_the_export_is_a_table_without_formulas_and_its_taking_is_noted(desk: Office) -> None:
    boss, agent = await desk.seat("supervisor"), await desk.seat(name="=SUM(A1)小李")
    await desk.closed(agent)
    answer = await boss.call("GET", f"/export/cases.csv?{DAYS}")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith("\ufeff服务单".encode())
    assert [row["答复坐席"] for row in await _table(boss)] == ["'=SUM(A1)小李"]
    with desk.bridge.parts.bridge.reading() as session:
        last = entries(session)[-1]
        assert (last.action, last.subject, last.detail["cases"]) == ("cases_exported", "2026-11-23", 1)


async def test_a_sample_is_read_scored_and_seen_by_whose_work_it_was(desk: Office) -> None:
    boss, agent, other = await desk.seat("supervisor", name="周班长"), await desk.seat(), await desk.seat()
    customer, case = await desk.closed(agent)
    await desk.closed(other)
    drawn = await boss.get(f"/quality/sample?{DAYS}&n=2&seed=5")
    assert {one["agent"]["id"] for one in drawn} == {agent.id, other.id}
    assert await boss.get(f"/quality/sample?{DAYS}&n=2&seed=5") == drawn
    assert {one["total"] for one in drawn} == {None}
    read = await boss.get(f"/quality/{case}")
    assert (read["agent"]["id"], read["conversation_id"]) == (agent.id, customer.conversation_id)
    assert "您好，我来帮您查。" in [one["text"] for one in read["messages"]]
    given = await boss.post(f"/quality/{case}", scores=SCORES, comment="开头很好，收尾差一句")
    assert given["total"] == 92
    again = await boss.post(f"/quality/{case}", scores=SCORES | {"privacy": 0}, comment="把户号念出来了")
    assert again["total"] == 0
    assert [one["total"] for one in (await boss.get(f"/quality/{case}"))["scores"]] == [0]
    [seen] = await agent.get("/quality/mine")
    assert (seen["total"], seen["comment"], seen["reviewer"]["name"]) == (0, "把户号念出来了", "周班长")
    assert await other.get("/quality/mine") == []
    totals = {one["handoff_id"]: one["total"] for one in await boss.get(f"/quality/sample?{DAYS}&n=2&seed=5")}
    assert totals[case] == 0


async def test_a_check_that_cannot_be_is_refused(desk: Office) -> None:
    boss, agent = await desk.seat("supervisor"), await desk.seat()
    _, case = await desk.closed(agent)
    _, open_case = await desk.case()
    _, own = await desk.closed(boss)
    wrong = await boss.call("POST", f"/quality/{case}", scores={"greeting": 5})
    assert refused(wrong) == (422, "bad_scores")
    assert "missing items" in wrong.json()["why"]
    assert refused(await boss.call("POST", f"/quality/{case}", scores={"greeting": "5"})) == (422, "invalid")
    assert refused(await boss.call("POST", f"/quality/{open_case}", scores=SCORES)) == (409, "case_not_over")
    assert refused(await boss.call("POST", f"/quality/{own}", scores=SCORES)) == (403, "own_case")
    assert refused(await boss.call("POST", "/quality/4711", scores=SCORES)) == (404, "no_such_case")
    assert refused(await boss.call("GET", "/quality/4711")) == (404, "no_such_case")


async def test_agents_know_what_they_are_judged_by(desk: Office) -> None:
    agent = await desk.seat()
    sheet = await agent.get("/options/quality")
    assert sum(one["weight"] for one in sheet["items"]) == 100
    assert {one["key"] for one in sheet["items"] if not one["optional"]} == set(SCORES)


async def test_yesterdays_case_that_still_waits_is_on_todays_wall(desk: Office) -> None:
    await desk.case()
    desk.clock.at = MONDAY + timedelta(hours=15)  # Tuesday 01:00
    boss = await desk.seat("supervisor")
    wall = await boss.get("/wall")
    assert (wall["figures"]["waiting"], wall["figures"]["longest_wait_seconds"]) == (1, 15 * 3600)
    assert (wall["figures"]["requested_today"], len(wall["figures"]["breaches"])) == (0, 1)


async def test_who_is_not_on_the_spot_in_time_is_on_the_wall(desk: Office) -> None:
    boss = await desk.seat("supervisor")

    def order(name: str) -> str:
        promises = [(ARRIVAL, desk.clock() + timedelta(minutes=45))]
        words = {"category": "故障报修", "title": "停电报修"}
        filing = Filing(cause=name, kind=name, **words, area_class="city", promises=promises)
        keyring = desk.bridge.parts.settings.keyring()
        with desk.bridge.parts.workorder.transaction() as session:
            found = file_order(session, filing, keyring=keyring, now=desk.clock(), joins=False).order
            if name == "there":
                for state in ("dispatched", "taken", "arrived"):
                    progress(session, found, state, now=desk.clock())
            return found.order_no

    late, _ = order("late"), order("there")
    desk.clock.on(minutes=5)
    near = order("near")
    desk.clock.on(minutes=41)
    shown = (await boss.get("/wall"))["figures"]["arrivals"]
    assert [(one["order_no"], one["title"], one["state"]) for one in shown] == [
        (late, "停电报修", "breached"), (near, "停电报修", "running"),
    ]  # fmt: skip
    assert shown[0]["due_at"] == "2026-11-23T10:45:00+08:00"


@pytest.mark.parametrize("settled", ["look", "whisper", "take_over"])
async def test_a_call_for_help_stands_on_the_wall_until_a_supervisor_turns_to_it(desk: Office, settled: str) -> None:
    boss, agent = await desk.seat("supervisor"), await desk.seat()
    customer, case = await desk.case()
    desk.claim(case, agent)
    path = f"/conversations/{customer.conversation_id}"
    assert (await boss.get("/wall"))["helps"] == []
    await agent.post(f"{path}/help", text="客户要找领导")
    await agent.post(f"{path}/help", text="客户要投诉到12398，怎么回")
    [call] = (await boss.get("/wall"))["helps"]
    assert (call["case"]["handoff_id"], call["note"]["text"]) == (case, "客户要投诉到12398，怎么回")
    if settled == "look":
        now = desk.clock()
        own = desk.write(lambda s: look_at_calls(s, customer.conversation_id, agent_id=agent.id, now=now))
        assert own is False
        assert len((await boss.get("/wall"))["helps"]) == 1
        await _look(desk, boss, customer.conversation_id)
    elif settled == "whisper":
        await boss.post(f"{path}/whisper", text="我来回")
    else:
        await boss.post(f"{path}/take_over")
    assert (await boss.get("/wall"))["helps"] == []


async def _look(desk: Office, boss: Seat, conversation_id: str) -> None:
    """Open a conversation as a console does, and wait until the desk has heard of it."""
    cookie = {"Cookie": f"dianfu_desk={boss.http.cookies['dianfu_desk']}"}
    async with served(desk) as address:
        url = f"ws://{address}/v1/desk/stream"
        async with connect(url, additional_headers=cookie, origin=f"http://{address}") as socket:
            await socket.send(json.dumps({"kind": "view", "conversation_id": conversation_id}))
            await socket.send(json.dumps({"kind": "ping"}))
            while json.loads(await socket.recv())["kind"] != "pong":
                continue


async def test_a_case_is_read_with_its_wrap_up_and_only_to_its_end(desk: Office) -> None:
    boss, agent = await desk.seat("supervisor"), await desk.seat()
    customer, case = await desk.case()
    desk.claim(case, agent)
    desk.reply(customer, agent, "您好，我来帮您查。")
    note = {"done": ["核对了账单"], "open": [], "promised": [{"text": "回电", "due_at": "2026-11-23T18:00:00+08:00"}]}
    written = life.WrapUp(category="outage", outcome="solved", note=note, then="bot")
    now = desk.clock.on(minutes=5)
    ids = {"agent_id": agent.id, "book": BOOK, "now": now}
    desk.write(lambda session: life.wrap_up(session, customer.conversation_id, written, **ids))
    desk.clock.on(minutes=10)
    await customer.say("再问一下下个月的电费")
    read = await boss.get(f"/quality/{case}")
    assert read["wrap_up"] == note
    said = [one["text"] for one in read["messages"]]
    assert "您好，我来帮您查。" in said
    assert "再问一下下个月的电费" not in said


async def _table(boss: Seat) -> list[dict[str, str]]:
    answer = await boss.call("GET", f"/export/cases.csv?{DAYS}")
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
