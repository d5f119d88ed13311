"""What a plain turn costs the database: counted in statements, which no busy machine changes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from bridge_kit import Bridge, customer_token
from fitting_kit import publish
from sqlalchemy import event

from api.rasa import BotTurn
from core.conversation import Draft, Message
from core.pinned import LOCATION

MOST_TRANSACTIONS = 2  # log the question, log the answer
MOST_STATEMENTS = {"bound": 13, "anonymous": 10}  # a bound customer's portrait is looked at
BILL = BotTurn(
    (Draft("bot", "您上个月的电费是 86.40 元。", "bill_card", {"lines": []}, (("看明细", "/query_bill"),)),),
    {"intent": "query_bill", "confidence": 0.98},
)  # fmt: skip


@contextmanager
def counted(bridge: Bridge) -> Iterator[list[str]]:
    """Give the statements that are run on the bridge database while the block lasts; `BEGIN` for a transaction."""
    found: list[str] = []

    def begun(_connection: object) -> None:
        found.append("BEGIN")

    def run(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if not statement.startswith("BEGIN"):  # SQLite is told so in words
            found.append(statement)

    engine = bridge.parts.bridge.engine
    event.listen(engine, "begin", begun)
    event.listen(engine, "before_cursor_execute", run)
    try:
        yield found
    finally:
        event.remove(engine, "begin", begun)
        event.remove(engine, "before_cursor_execute", run)


@pytest.mark.parametrize("who", list(MOST_STATEMENTS))
@pytest.mark.parametrize("before", [1, 12], ids=["early", "late"])
async def test_a_plain_turn_of_a_customer_costs_few_statements(bridge: Bridge, before: int, who: str) -> None:
    bridge.rasa.answer = lambda _: BILL
    with bridge.parts.bridge.transaction() as session:
        publish(session, {"C0000001": "growth"}, now=bridge.clock())
    customer = await bridge.customer(customer_token() if who == "bound" else None)
    for _ in range(before):
        await customer.say("我上个月电费多少")
    with counted(bridge) as found:
        await customer.say("我上个月电费多少")
    statements = [one for one in found if one != "BEGIN"]
    assert len(found) - len(statements) <= MOST_TRANSACTIONS
    assert len(statements) <= MOST_STATEMENTS[who], "\n".join(statements)


async def test_what_was_said_before_is_not_read_again_for_an_answer_that_is_understood(bridge: Bridge) -> None:
    bridge.rasa.answer = lambda _: BILL
    customer = await bridge.customer(customer_token())
    for _ in range(3):
        await customer.say("我上个月电费多少")
    with counted(bridge) as found:
        await customer.say("我上个月电费多少")
    read = [one.partition("WHERE")[2] for one in found if one.startswith("SELECT") and "messages.card" in one]
    assert [where for where in read if "messages.at" in where] == []
    assert len(read) == 0  # nor is the question itself, when its answer is there


async def test_a_question_that_waited_is_told_what_came_out_before_its_turn(bridge: Bridge) -> None:
    bridge.rasa.gate = asyncio.Event()
    customer = await bridge.customer(customer_token())
    both = [asyncio.create_task(customer.say(text)) for text in ("我这里停电了", "什么时候来电")]
    while len(bridge.rows(customer.conversation_id)) < 2:
        await asyncio.sleep(0.01)
    with bridge.parts.bridge.transaction() as session:
        first = session.get_one(Message, (customer.conversation_id, 1))
        first.type, first.text = LOCATION, "幸福路3号"
    bridge.rasa.gate.set()
    await asyncio.gather(*both)
    assert [asked["metadata"].get("place") for asked in bridge.rasa.asked] == [None, "幸福路3号"]
