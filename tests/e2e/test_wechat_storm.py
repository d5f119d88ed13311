"""Two thousand messages of sixty WeChat users while the bridge and Rasa are killed: each done once, answered once.

Most are answered by the bridge itself, each with a code of its own; the rest by Rasa, by the queue and by a person.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter

import pytest
from conftest import within
from test_kills import RECOVERED, ready
from wechat_kit import Logged, WeChatStack, differences, log_of, unsettled
from wechat_storm import (
    AT_ONCE,
    CODE,
    CODE_AGAIN,
    PLAN,
    QUEUED,
    RATHER_ASK,
    SEED,
    SERVED,
    UNHEARD,
    WAITERS,
    After,
    Storm,
    fetch_what_is_parked,
    people,
    say_again_what_was_lost,
    tried,
    tries_of,
    unheard_of,
)


@pytest.fixture(scope="module")
def after(wechat_stack: WeChatStack) -> After:
    stack = wechat_stack
    assert within(RECOVERED, lambda: ready(stack)), stack.last_words()
    began, draw, wechat = time.monotonic(), random.Random(SEED), stack.wechat
    wechat.clock(offset=0)  # other tests let hours pass there; the ledger goes by when WeChat says somebody wrote
    everybody = people(draw)
    wechat.users(*(one.openid for one in everybody))
    manners = [(mode, form) for mode in ("plain", "compatible", "safe") for form in ("xml", "json")]
    wechat.settings(apart={one.openid: manners[place % 6] for place, one in enumerate(everybody)})
    wechat.plan(**PLAN)
    storm = Storm(stack, everybody, draw)
    asyncio.run(storm.run())
    wechat.plan()
    assert within(RECOVERED, lambda: ready(stack)), stack.last_words()
    said_again = say_again_what_was_lost(stack, everybody)
    assert within(60, lambda: not unsettled(stack)), (unsettled(stack), stack.last_words())
    fetch_what_is_parked(stack)
    logs = {one.openid: log_of(stack, one.openid) for one in everybody}
    phones = {one.openid: wechat.phone(one.openid) for one in everybody}
    return After(everybody, logs, phones, *tries_of(wechat), storm.killed, said_again, time.monotonic() - began)


def test_every_message_is_in_the_log_once_and_its_turn_is_done_once(after: After) -> None:
    sent = sorted(text for one in after.people for text in one.lines)
    assert len(sent) == len(set(sent)) == 2000
    said = [row for log in after.logs.values() for row in log if row.author == "customer"]
    assert sorted(row.text for row in said if row.text not in (RATHER_ASK, CODE_AGAIN)) == sent
    assert {row.turn for row in said} == {"done"}
    for log in after.logs.values():
        assert [row.seq for row in log] == list(range(1, len(log) + 1))
    assert after.killed == {"api": 3, "rasa": 2}
    assert after.said_again <= 5 * AT_ONCE  # what was under way when the bridge died, if it was away too long


def test_every_phone_shows_what_the_log_says_once_and_in_order(after: After) -> None:
    again = {push for push, tries in after.tries.items() if len(tries) > 1}
    unheard = {row for openid in after.logs for row in unheard_of(after, openid)}
    assert len(unheard) <= UNHEARD
    found = {
        openid: differences(after.phones[openid], [row for row in log if row not in unheard], again)
        for openid, log in after.logs.items()
    }
    assert {openid: [*wrong, *tried(after, openid)] for openid, wrong in found.items() if wrong} == {}


def test_every_message_has_its_answer(after: After) -> None:
    """The bridge and Rasa owe one; who talks to a person has said so before."""
    understood, owed = 0, []
    for log in after.logs.values():
        replies = Counter(row.in_reply_to for row in log if row.author != "customer" and row.in_reply_to is not None)
        person = next((row.seq for row in log if SERVED in row.text and row.author == "system"), len(log) + 1)
        for row in log:
            if row.author == "customer" and row.text.endswith("码"):
                assert replies[row.seq] == 1, row
            elif row.author == "customer" and not (replies[row.seq] or row.seq > person or handed_over(row, log)):
                owed.append(row)
            understood += row.text.endswith("问）") and row.understood
    assert owed == []
    assert understood >= 300


def handed_over(row: Logged, log: list[Logged]) -> bool:
    """Tell whether the answer to an earlier question gave the conversation to people while this one waited."""
    return any(QUEUED in one.text and one.seq > row.seq and (one.in_reply_to or row.seq) < row.seq for one in log)


def test_each_code_is_another_and_stands_on_one_phone_once(after: After) -> None:
    issued = Counter(
        code for log in after.logs.values() for row in log if row.author == "system" for code in CODE.findall(row.text)
    )
    shown = Counter(
        code for phone in after.phones.values() for one in phone if one.way != "own" for code in CODE.findall(one.text)
    )
    assert set(issued.values()) == {1}
    unheard = {code for openid in after.logs for row in unheard_of(after, openid) for code in CODE.findall(row.text)}
    assert shown == issued - Counter(unheard)


def test_each_danger_has_one_order(wechat_stack: WeChatStack, after: After) -> None:
    told = [row for log in after.logs.values() for row in log if row.author == "customer" and "高压线断了" in row.text]
    filed = Counter(cause for (cause,) in wechat_stack.rows("workorder", "SELECT cause FROM work_orders"))
    mine = {cause: many for cause, many in filed.items() if any(cause.startswith(row.conversation_id) for row in told)}
    assert mine == {f"{row.conversation_id}:{row.seq}": 1 for row in told}
    assert len(told) == WAITERS // 2


def test_wechat_refused_nothing_that_the_bridge_holds_for_sent(wechat_stack: WeChatStack, after: After) -> None:
    refused = [one for one in wechat_stack.wechat.refused("custom/send") if one["openid"] in after.logs]
    assert refused == []
    query = (
        "SELECT d.state, d.way, d.error, count(*) FROM deliveries d JOIN channel_users u ON u.id = d.channel_user_id"
        " WHERE u.user_id LIKE 'oStorm%' GROUP BY d.state, d.way, d.error"
    )
    ways = wechat_stack.rows("bridge", query)
    print(f"storm: {after.seconds:.0f} s, said again {after.said_again}, {ways}, {wechat_stack.wechat.counters()}")
    assert {state for state, *_ in ways} == {"sent"}
    assert {way for _, way, *_ in ways} <= {"passive", "service"}
