"""The five-second rule: one answer to each message, whatever comes twice, late, or is cut off between."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from bridge_kit import FakeRasa, SetClock
from channel_kit import Phone, account
from starlette.types import Message as Frame

from api.channels.wechat import passive as answers
from api.channels.wechat.render import LIMIT
from api.rasa import BotTurn
from core import conversation as log_of
from core.channel import passive
from core.channel.tables import PARKED, Delivery
from core.conversation import Draft


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait a second for an answer instead of 4.2."""
    monkeypatch.setattr(answers, "ANSWER_WITHIN", 1.0)


async def raw(phone: Phone, fields: dict[str, Any], *, hang_up_after: float | None = None) -> list[Frame]:
    """Push without an HTTP client, so that the other side can hang up; return what was written."""
    params, body = phone.request(fields)
    written: list[Frame] = []
    gone, given = asyncio.Event(), False
    if hang_up_after is not None:
        asyncio.get_running_loop().call_later(hang_up_after, gone.set)

    async def receive() -> Frame:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(frame: Frame) -> None:
        written.append(frame)

    text = "&".join(f"{name}={value}" for name, value in params.items())
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": "/wechat",
        "raw_path": b"/wechat", "query_string": text.encode(), "headers": [], "client": ("127.0.0.1", 1),
        "server": ("bridge.test", 80), "scheme": "http", "root_path": "",
    }  # fmt: skip
    await phone.bridge.app(scope, receive, send)
    return written


async def _until(check: Any) -> None:
    async with asyncio.timeout(5):
        while not check():
            await asyncio.sleep(0.02)


async def test_no_answer_in_time_is_success_and_the_answer_waits_for_the_courier(
    start_account: Any, hurried: None
) -> None:
    async with start_account(FakeRasa(seconds=1.6)) as bridge:
        phone = Phone(bridge)
        started = asyncio.get_running_loop().time()
        heard = await phone.say("查电费")
        assert heard.body == b"success"
        assert 0.9 < asyncio.get_running_loop().time() - started < 1.6
        assert not bridge.parts.wechat.holds.held(phone.user.id)
        await _until(lambda: len(phone.log) == 2)
        assert phone.states == [("waiting", None)]


async def test_while_a_request_is_open_the_courier_keeps_away(start_account: Any) -> None:
    rasa = FakeRasa(gate=asyncio.Event())
    async with start_account(rasa) as bridge:
        phone = Phone(bridge)
        asking = asyncio.create_task(phone.say("查电费"))
        await _until(lambda: rasa.asked)
        assert bridge.parts.wechat.holds.held(phone.user.id)
        rasa.gate.set()
        assert (await asking).text == "答：查电费"
        assert not bridge.parts.wechat.holds.held(phone.user.id)


async def test_the_same_message_three_times_is_one_turn_and_one_answer(start_account: Any) -> None:
    rasa = FakeRasa(seconds=0.3)
    async with start_account(rasa) as bridge:
        phone = Phone(bridge)
        fields = phone.fields("text", Content="停电了")
        heard = await asyncio.gather(*[phone.push(fields) for _ in range(3)])
        assert sorted(one.text or "" for one in heard) == ["", "", "答：停电了"]
        assert len(rasa.asked) == 1
        assert phone.states == [("sent", "passive")]


async def test_a_retry_after_the_first_connection_was_lost_takes_the_answer(start_account: Any) -> None:
    rasa = FakeRasa(gate=asyncio.Event())
    async with start_account(rasa) as bridge:
        phone = Phone(bridge)
        fields = phone.fields("text", Content="停电了")
        lost = asyncio.create_task(raw(phone, fields, hang_up_after=0.1))
        await asyncio.sleep(0.2)
        retry = asyncio.create_task(phone.push(fields))
        await asyncio.sleep(0.2)
        rasa.gate.set()
        assert (await retry).text == "答：停电了"
        await lost
        assert len(rasa.asked) == 1
        assert phone.states == [("sent", "passive")]


async def test_nothing_is_claimed_for_a_connection_that_has_gone(start_account: Any) -> None:
    async with start_account(FakeRasa(seconds=0.3)) as bridge:
        phone = Phone(bridge)
        fields = phone.fields("text", Content="停电了")
        await raw(phone, fields, hang_up_after=0.1)
        assert phone.states == [("waiting", None)]
        assert (await phone.push(fields)).text == "答：停电了"
        assert phone.states == [("sent", "passive")]


async def test_what_was_claimed_for_a_connection_that_goes_just_then_is_given_back(
    start_account: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [False, True]

    async def gone(receive: Any) -> bool:
        return told.pop(0) if told else False

    monkeypatch.setattr(answers, "_gone", gone)
    async with start_account() as bridge:
        phone = Phone(bridge)
        fields = phone.fields("text", Content="停电了")
        assert await raw(phone, fields) == []
        assert phone.states == [("waiting", None)]
        assert (await phone.push(fields)).text == "答：停电了"


async def test_an_answer_that_took_longer_than_five_seconds_is_not_taken_for_received(
    start_account: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "HUNG_UP_AFTER", 0.0)
    async with start_account() as bridge:
        phone = Phone(bridge)
        fields = phone.fields("text", Content="停电了")
        assert (await phone.push(fields)).text == "答：停电了"
        assert phone.states == [("waiting", None)]
        assert (await phone.push(fields)).text == "答：停电了"


async def test_a_crash_between_claim_and_writing_answers_once(urls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SetClock()
    async with account(urls, clock=clock) as bridge:
        phone = Phone(bridge)
        fields = phone.fields("text", Content="查电费")

        async def killed(*_: Any) -> None:
            raise asyncio.CancelledError

        monkeypatch.setattr(answers.Answering, "_write", killed)  # the process dies just before it writes
        with pytest.raises(asyncio.CancelledError):
            await raw(phone, fields)
        monkeypatch.undo()
        assert phone.states == [("passing", None)]
    async with account(urls, clock=clock) as other:
        again = Phone(other, openid=phone.openid)
        assert (await again.push(fields)).text == "答：查电费"
        assert (await again.push(fields)).body == b"success"
        assert again.states == [("sent", "passive")]
        assert other.rasa.asked == []
        assert len(again.log) == 2


async def test_a_crash_before_the_message_is_in_the_log_runs_it_with_the_retry(urls: Any) -> None:
    async with account(urls) as bridge:
        phone = Phone(bridge)
        fields = phone.fields("text", Content="查电费")

        async def killed(*_: Any, **__: Any) -> None:
            raise asyncio.CancelledError

        bridge.parts.dialogue.take = killed
        await raw(phone, fields)
        assert phone.log == []
        assert len(phone.pushes) == 1
    async with account(urls) as other:
        again = Phone(other, openid=phone.openid)
        assert (await again.push(fields)).text == "答：查电费"
        assert len(other.rasa.asked) == 1


@pytest.mark.parametrize(("up_since", "state"), [(timedelta(seconds=5), "sent"), (timedelta(seconds=15), "waiting")])
async def test_after_a_crash_silence_means_received_for_who_would_have_heard_a_retry(
    start_account: Any, up_since: timedelta, state: str
) -> None:
    async with start_account() as bridge:
        phone = Phone(bridge)
        await phone.say("你好")
        at = phone.pushes[0].received_at
        with bridge.parts.bridge.transaction() as session:  # as a process that was killed has left it
            push = session.merge(phone.pushes[0])
            push.passed_at = None
            for row in session.query(Delivery):
                row.state, row.way, row.sent_at = "passing", None, None
        with bridge.parts.bridge.transaction() as session:
            assert passive.settle_lost(session, up_since=at + up_since, now=at + timedelta(seconds=19)) == 0
        with bridge.parts.bridge.transaction() as session:
            assert passive.settle_lost(session, up_since=at + up_since, now=at + timedelta(seconds=21)) == 1
        assert [one.state for one in phone.deliveries] == [state]


async def test_what_was_parked_rides_along_in_order(start_account: Any) -> None:
    async with start_account() as bridge:
        phone = Phone(bridge)
        await phone.say("你好")
        with bridge.parts.bridge.transaction() as session:
            conversation = log_of.find_conversation(session, phone.user.conversation_id, lock=True)
            for text in ("您的工单已派出", "师傅十点到"):
                log_of.record_reply(session, conversation, Draft("system", text, "notice"), now=bridge.clock())
            for row in session.query(Delivery).filter(Delivery.state == "waiting"):
                row.state = PARKED
        heard = await phone.say("到哪了")
        assert heard.text == "您的工单已派出\n\n师傅十点到\n\n答：到哪了"
        assert phone.states == [("sent", "passive")] * 4


async def test_an_answer_that_waits_for_an_earlier_turn_goes_with_its_own_message(start_account: Any) -> None:
    rasa = FakeRasa(seconds=0.2)
    async with start_account(rasa) as bridge:
        phone = Phone(bridge)
        first = asyncio.create_task(phone.say("查电费"))
        await _until(lambda: rasa.asked)
        second = asyncio.create_task(phone.say("再查停电"))
        assert (await first).text == "答：查电费"
        assert (await second).text == "答：再查停电"
        assert rasa.most_at_once == 1


async def test_an_earlier_answer_that_came_late_goes_with_the_next_message(start_account: Any, hurried: None) -> None:
    rasa = FakeRasa(seconds=1.4)
    async with start_account(rasa) as bridge:
        phone = Phone(bridge)
        assert (await phone.say("查电费")).text is None
        heard = await phone.say("再查停电")
        assert heard.text == "答：查电费"
        await _until(lambda: len(phone.log) == 4)
        assert phone.states == [("sent", "passive"), ("waiting", None)]


async def test_a_long_answer_goes_in_parts_and_nothing_of_it_twice(start_account: Any) -> None:
    long = "".join(f"第{n}条，用电安全要注意。" for n in range(1, 100))
    assert LIMIT < len(long.encode()) < 3 * LIMIT
    async with start_account(FakeRasa(answer=lambda _: BotTurn((Draft("bot", long),)))) as bridge:
        phone = Phone(bridge)
        first = (await phone.say("注意什么")).text
        assert len(first.encode()) <= LIMIT
        assert [(one.state, one.part) for one in phone.deliveries] == [("waiting", 1)]
        bridge.rasa.answer = lambda _: BotTurn((Draft("bot", "不客气"),))
        second = (await phone.say("谢谢")).text
        assert first + second.removesuffix("\n\n不客气") == long
        assert phone.states == [("sent", "passive")] * 2


async def test_what_does_not_fit_waits_for_the_courier(start_account: Any) -> None:
    drafts = tuple(Draft("bot", sign * 500) for sign in "甲乙丙")
    async with start_account(FakeRasa(answer=lambda _: BotTurn(drafts))) as bridge:
        phone = Phone(bridge)
        assert (await phone.say("说说看")).text == "甲" * 500
        assert [one.state for one in phone.deliveries] == ["sent", "waiting", "waiting"]


async def test_while_something_is_being_sent_nothing_overtakes_it(
    start_account: Any, hurried: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "CLAIM_WITHIN", 0.5)
    async with start_account() as bridge:
        phone = Phone(bridge)
        await phone.say("你好")
        with bridge.parts.bridge.transaction() as session:
            session.query(Delivery).update({"state": "sending"})
        assert (await phone.say("在吗")).body == b"success"
        assert [one.state for one in phone.deliveries] == ["sending", "waiting"]


async def test_a_person_who_has_the_conversation_answers_later(start_account: Any) -> None:
    async with start_account() as bridge:
        phone = Phone(bridge)
        await phone.say("你好")
        with bridge.parts.bridge.transaction() as session:
            conversation = log_of.find_conversation(session, phone.user.conversation_id, lock=True)
            log_of.change_mode(conversation, "take", now=bridge.clock())
        assert (await phone.say("有人吗")).body == b"success"
        assert bridge.rasa.asked[-1]["text"] == "你好"


async def test_a_danger_is_warned_of_at_once_and_passively(start_account: Any) -> None:
    async with start_account(FakeRasa(seconds=3)) as bridge:
        phone = Phone(bridge)
        waiting = asyncio.create_task(phone.say("查电费"))
        await _until(lambda: bridge.rasa.asked)
        heard = await phone.say("变压器着火了，冒黑烟")
        assert "120" in heard.text or "119" in heard.text
        waiting.cancel()
