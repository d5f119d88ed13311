"""Many at once at the desk: customers by the hundred, and fifty agents who want one conversation.

`dianfu drill desk` does the first with two hundred customers in ten minutes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from core.handoff.tables import HandoffEvent
from ops.simulation.console import Console
from ops.simulation.customer import Customer
from ops.simulation.drill import drill
from ops.simulation.plan import Setup
from ops.simulation.site import Site, running
from ops.simulation.staff import Staff

pytestmark = pytest.mark.alone

RACERS, ROUNDS = 50, 20
LIMITS = {"nobody_minutes": 30, "queued_reminder_minutes": 30, "vanish_seconds": 900}


def test_a_hundred_customers_and_twenty_agents_lose_nobody_and_wait_as_the_queue_model_says() -> None:
    setup = Setup(customers=100, agents=20, minutes=0.7, speed=60)
    verdict = drill(setup)
    if verdict.faults and verdict.faults == verdict.of_pace:  # the machine had other things to do: another sample
        verdict = drill(setup)
    assert verdict.faults == []
    assert verdict.ends.total() == 100
    assert verdict.ends["lost"] == 0
    assert verdict.ends["answered"] >= 85
    assert verdict.messages > 100 * 6
    assert verdict.let_go > 0
    assert verdict.cuts > 10


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    staff = [Staff(f"racer{number}", ("business",), capacity=20) for number in range(RACERS)]
    with running(tmp_path, staff, limits=LIMITS) as made:
        yield made


async def test_of_fifty_agents_who_claim_one_conversation_one_gets_it_and_the_others_hear_his_name(site: Site) -> None:
    consoles = [Console(site.url, f"racer{number}") for number in range(RACERS)]
    await asyncio.gather(*(one.sign_in() for one in consoles))
    await asyncio.gather(*(one.inbox() for one in consoles))  # a sign of life: else they are taken for gone
    names = {one.agent_id: f"坐席{number}" for number, one in enumerate(consoles, 1)}
    winners: list[int] = []
    for _ in range(ROUNDS):
        customer = Customer(site.url)
        await customer.open()
        await customer.say("转人工")
        [waiting] = (await consoles[0].inbox())["queue"]
        path = f"/cases/{waiting['handoff_id']}/claim"
        answers = await asyncio.gather(*(one.post(path) for one in consoles))
        winner, *more = [one.agent_id for one, answer in zip(consoles, answers, strict=True) if answer.is_success]
        assert more == []
        refused = [answer.json() for answer in answers if not answer.is_success]
        assert [(one["code"], one["holder"]) for one in refused] == [
            ("already_taken", {"id": winner, "name": names[winner]})
        ] * (RACERS - 1)
        await customer.wait_for("human")
        assert [text for text in customer.words("system") if names[winner] in text]
        winners.append(winner)
        await customer.close()
    database = site.database("bridge")
    with database.reading() as session:
        claims = select(HandoffEvent.handoff_id, func.count()).where(HandoffEvent.kind == "claimed")
        claimed = session.execute(claims.group_by(HandoffEvent.handoff_id)).all()
    database.dispose()
    assert [count for _, count in claimed] == [1] * ROUNDS
    await asyncio.gather(*(one.close() for one in consoles))
