"""WeChat's API is away for an hour of its own time: who writes is answered with his message, the rest waits."""

from __future__ import annotations

import signal
import time
import uuid
from collections.abc import Iterator

import pytest
from conftest import within
from desk_pages import Colleague
from test_desk import TAN
from test_kills import RECOVERED, ready, send
from wechat_kit import WeChatStack, conversation_of, differences, log_of, told, unsettled

WRITER, SILENT, SLOW = (f"oAway{name:_>23}" for name in ("Writer", "Silent", "Slow"))
HOUR = 3600.0


@pytest.fixture
def colleague(wechat_stack: WeChatStack) -> Iterator[Colleague]:
    assert within(RECOVERED, lambda: ready(wechat_stack)), wechat_stack.last_words()
    wechat_stack.wechat.plan()
    one = Colleague(wechat_stack.url, TAN[0])
    yield one
    wechat_stack.wechat.down(None)
    send(wechat_stack, "rasa", signal.SIGCONT)
    one.clear([conversation_of(wechat_stack, SILENT)])
    one.leave()


def test_an_hour_without_the_api_loses_nothing_and_doubles_nothing(
    wechat_stack: WeChatStack, colleague: Colleague
) -> None:
    stack, wechat = wechat_stack, wechat_stack.wechat
    wechat.users(WRITER, SILENT, SLOW)
    for one in (WRITER, SLOW):
        told(stack, one, "你好")
    told(stack, SILENT, "转人工")
    conversation_id = conversation_of(stack, SILENT)
    colleague.post("/me/status", status="online")
    colleague.post(f"/conversations/{conversation_id}/take_over")
    assert within(20, lambda: not unsettled(stack)), unsettled(stack)

    wechat.down("refuse")
    words = [f"停机时坐席说的第{number}句" for number in range(6)]
    for number, text in enumerate(words):
        if number == 3:
            wechat.down("502")
        colleague.get("/inbox")
        colleague.post(f"/conversations/{conversation_id}/messages", client_id=uuid.uuid4().hex, text=text)
        wechat.clock(advance=HOUR / len(words))
        answered = wechat.say(WRITER, f"柜台码{'。' * number}")
        assert answered.outcome == "passive"
        assert max(one["took"] for one in answered.tries) < 5
        time.sleep(1.0)
    assert not any(text in one.text for one in wechat.phone(SILENT) for text in words)
    answer_too_late_for_the_push(stack)
    kept = stack.rows("bridge", "SELECT count(*) FROM deliveries WHERE state IN ('waiting', 'parked')")
    assert kept[0][0] > len(words)

    wechat.down(None)
    assert within(90, lambda: not unsettled(stack)), (unsettled(stack), stack.last_words())
    for one in (WRITER, SILENT, SLOW):
        assert differences(wechat.phone(one), log_of(stack, one)) == []
    shown = "".join(one.text for one in wechat.phone(SILENT))
    assert [shown.count(text) for text in words] == [1] * len(words)
    assert not [one for one in wechat.phone(SILENT) if one.way == "notice"]
    states = stack.rows("bridge", "SELECT DISTINCT state FROM deliveries d JOIN channel_users u"
                        " ON u.id = d.channel_user_id WHERE u.user_id LIKE 'oAway%'")  # fmt: skip
    assert states == [("sent",)]
    assert [one["code"] for one in wechat.refused("custom/send") if one["code"] in (45015, 45047)] == []


def answer_too_late_for_the_push(stack: WeChatStack) -> None:
    """Somebody asks while Rasa sleeps: the push ends with `success`, what is said then has to be sent."""
    send(stack, "rasa", signal.SIGSTOP)
    asked = stack.wechat.say(SLOW, "阶梯电价怎么算")
    assert asked.outcome == "success", asked
    send(stack, "rasa", signal.SIGCONT)
    key = conversation_of(stack, SLOW)
    assert within(20, lambda: bool(stack.rows(
        "bridge", "SELECT 1 FROM deliveries d JOIN messages m USING (conversation_id, seq)"
        " WHERE conversation_id = ? AND d.state = 'waiting'", key,
    )))  # fmt: skip
