"""The question for satisfaction: once, at the right time, and never where it would hurt."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from bridge_kit import Bridge, Customer, SetClock, running, settings
from handoff_kit import DeskRoom, empty
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from api import dispatch
from api.dispatch import dispatch_once
from api.rasa import BotTurn
from core.clock import system_clock
from core.conversation import Draft
from core.handoff import life
from core.handoff.ending import WrapUp
from core.handoff.tables import Handoff
from core.survey import Survey
from core.work_order import WorkOrder


@pytest.fixture
async def bridge(shared_urls: Any) -> AsyncIterator[Bridge]:
    """A bridge in the morning without cases; its Rasa understands thanks."""
    clock, now = SetClock(), system_clock()
    clock.ahead = (now + timedelta(days=1)).replace(hour=10, minute=0, second=0) - now
    async with running(settings(*shared_urls), clock=clock) as one:
        empty(one.parts.bridge)
        one.rasa.answer = lambda text: BotTurn(
            (Draft("bot", f"答：{text}"),), {"intent": "thank" if "谢" in text else "query_bill"}
        )
        yield one


def _room(bridge: Bridge) -> DeskRoom:
    return DeskRoom(bridge.parts.bridge, bridge.clock())


async def _served(
    bridge: Bridge, *, replies: bool = True, finish: bool = True, **written: Any
) -> tuple[Customer, Handoff]:
    """Let a customer be served by an agent until the hand-back."""
    customer = await bridge.customer()
    room = _room(bridge)
    agent = room.agent("小王")
    await customer.say("转人工")
    with bridge.parts.bridge.reading() as session:
        query = select(Handoff).where(Handoff.conversation_id == customer.conversation_id)
        case = session.scalars(query).one()
    room = _room(bridge)
    room.claim(case, agent)
    if replies:
        room.replies(case, agent)
    if finish:
        chosen = WrapUp(**({"outcome": "solved"} | written))
        _room(bridge).call(life.wrap_up, case.conversation_id, chosen, agent_id=agent)
    return customer, case


def _surveys(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in answer["messages"] if one["type"] == "survey"]


def _row(bridge: Bridge, case: Handoff) -> Survey | None:
    with bridge.parts.bridge.reading() as session:
        return session.scalar(select(Survey).where(Survey.handoff_id == case.id))


async def _later(bridge: Bridge, **span: float) -> None:
    bridge.clock.ahead += timedelta(**span)
    await dispatch_once(bridge.parts)


async def test_it_is_asked_after_two_minutes_of_silence_and_once(bridge: Bridge) -> None:
    customer, case = await _served(bridge)
    await _later(bridge, seconds=110)
    assert _surveys(await customer.history()) == []
    await _later(bridge, seconds=15)
    await _later(bridge, minutes=10)
    [asked] = _surveys(await customer.history())
    assert [one["title"] for one in asked["buttons"]] == ["很满意", "满意", "一般", "不满意", "很不满意"]
    row = _row(bridge, case)
    assert row is not None
    assert (row.channel, row.skipped, row.score) == ("web", None, None)
    assert _room(bridge).kinds(case).count("survey_asked") == 1


async def test_it_is_asked_at_once_after_thanks_and_not_after_a_question(bridge: Bridge) -> None:
    customer, _ = await _served(bridge)
    await customer.say("上月电费多少")
    await dispatch_once(bridge.parts)
    assert _surveys(await customer.history()) == []
    await customer.say("谢谢你们")
    await dispatch_once(bridge.parts)
    assert len(_surveys(await customer.history())) == 1


async def test_it_is_asked_at_once_when_the_case_is_closed_and_may_be_answered_then(bridge: Bridge) -> None:
    customer, case = await _served(bridge, then="close")
    await dispatch_once(bridge.parts)
    [asked] = _surveys(await customer.history())
    answer = await customer.press(asked["buttons"][0]["id"])
    assert (answer["mode"], answer["messages"][0]["type"]) == ("closed", "survey_comment")
    again = await customer.press(asked["buttons"][4]["id"])
    assert again["messages"][0]["text"] == bridge.parts.book.words.survey.again
    row = _row(bridge, case)
    assert row is not None
    assert (row.score, row.answered_at is not None) == (5, True)


async def test_the_answer_ends_a_finished_matter_and_one_sentence_may_follow(bridge: Bridge) -> None:
    customer, case = await _served(bridge)
    await _later(bridge, minutes=3)
    [asked] = _surveys(await customer.history())
    answer = await customer.press(asked["buttons"][1]["id"])
    assert (answer["mode"], answer["messages"][0]["text"]) == ("closed", bridge.parts.book.words.survey.thanks_closed)
    noted = await customer.say("小王很耐心")
    assert noted["messages"][0]["text"] == bridge.parts.book.words.survey.noted
    row = _row(bridge, case)
    assert row is not None
    assert (row.score, row.comment) == (4, "小王很耐心")
    refused = await customer.post(client_id="more", text="还有个事")
    assert (refused.status_code, refused.json()["code"]) == (409, "closed")


async def test_the_answer_to_an_unfinished_matter_leaves_the_conversation_open(bridge: Bridge) -> None:
    customer, _ = await _served(bridge, outcome="not_solved")
    await _later(bridge, minutes=3)
    [asked] = _surveys(await customer.history())
    answer = await customer.press(asked["buttons"][4]["id"])
    assert (answer["mode"], answer["messages"][0]["text"]) == ("bot", bridge.parts.book.words.survey.thanks)
    assert (await customer.say("没解决"))["messages"][0]["text"] == bridge.parts.book.words.survey.noted
    assert (await customer.say("上月电费多少"))["messages"][0]["text"] == "答：上月电费多少"


async def test_somebody_elses_survey_cannot_be_answered(bridge: Bridge) -> None:
    customer, _ = await _served(bridge, then="close")
    stranger, _ = await _served(bridge, then="close")
    await dispatch_once(bridge.parts)
    [asked] = _surveys(await customer.history())
    refused = await stranger.post(client_id="x", button_id=asked["buttons"][0]["id"])
    assert refused.status_code == 404


async def test_where_no_agent_said_anything_nothing_is_asked_and_the_reason_is_kept(bridge: Bridge) -> None:
    customer, case = await _served(bridge, replies=False)
    await _later(bridge, minutes=3)
    row = _row(bridge, case)
    assert row is not None
    assert (_surveys(await customer.history()), row.skipped) == ([], "no_reply")
    assert _room(bridge).events(case)[-1].data == {"why": "no_reply"}


async def test_a_talk_that_ended_by_silence_is_not_asked_about(bridge: Bridge) -> None:
    customer, case = await _served(bridge, finish=False)
    agents = [_room(bridge).case(case).agent_id]
    for _ in range(40):
        bridge.clock.ahead += timedelta(minutes=1)
        _room(bridge).alive(*agents)  # type: ignore[arg-type] - it has one
        await dispatch_once(bridge.parts)
    row = _row(bridge, case)
    assert row is not None
    assert (row.skipped, _surveys(await customer.history()), (await customer.history())["mode"]) == (
        "auto_closed", [], "bot",
    )  # fmt: skip


async def test_nobody_is_asked_in_the_middle_of_an_outage(bridge: Bridge) -> None:
    customer, case = await _served(bridge)
    now = bridge.clock()
    with bridge.parts.workorder.transaction() as session:
        session.add(WorkOrder(
            order_no=f"{now:%y%m%d%H%M%S%f}", cause=f"s{now.timestamp()}", category="故障报修→低压停电→一户停电",
            title="t",
            kind="k", family="f", priority="normal", state="working", conversation_id=customer.conversation_id,
            description_cipher="", details_cipher="", opened_at=now, updated_at=now,
        ))  # fmt: skip
    await _later(bridge, minutes=3)
    row = _row(bridge, case)
    assert row is not None
    assert (row.skipped, _surveys(await customer.history())) == ("order_open", [])


async def test_with_the_work_order_system_away_the_question_waits(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> bool:
        raise OperationalError("select", {}, Exception("gone"))

    customer, case = await _served(bridge)
    with monkeypatch.context() as patch:
        patch.setattr(dispatch, "_order_open", away)
        await _later(bridge, minutes=3)
        assert (_row(bridge, case), _surveys(await customer.history())) == (None, [])
    await dispatch_once(bridge.parts)
    assert len(_surveys(await customer.history())) == 1


async def test_who_is_in_the_queue_again_is_not_asked_about_the_case_before(bridge: Bridge) -> None:
    customer, case = await _served(bridge)
    await customer.say("转人工")
    await _later(bridge, minutes=3)
    row = _row(bridge, case)
    assert row is not None
    assert (row.skipped, _surveys(await customer.history())) == ("new_case", [])


async def test_in_an_open_form_nobody_is_asked(bridge: Bridge) -> None:
    customer, case = await _served(bridge)
    form = {"business": "transfer", "title": "过户", "values": {}, "missing": ["姓名"]}
    bridge.rasa.answer = lambda _: BotTurn((Draft("bot", "叫什么名字？"),), {"intent": "apply_transfer", "form": form})
    await customer.say("我要过户")
    await _later(bridge, minutes=10)
    assert (_row(bridge, case), _surveys(await customer.history())) == (None, [])
    await _later(bridge, hours=2)
    row = _row(bridge, case)
    assert row is not None
    assert row.skipped == "late"


async def test_who_only_left_the_queue_is_no_case_to_ask_about(bridge: Bridge) -> None:
    customer = await bridge.customer()
    await customer.say("转人工")
    await customer.say("算了不等了")
    await _later(bridge, minutes=10)
    with bridge.parts.bridge.reading() as session:
        assert session.scalars(select(Survey).where(Survey.conversation_id == customer.conversation_id)).all() == []
