"""Chatwoot as the desk: while it is away, customers are told the truth and nothing is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from bridge_kit import settings
from chatwoot_kit import DANGER, NOTES, asked, case_of, served, texts
from desk_drivers import Chatwoot, chatwoot
from fake_chatwoot import SECRET
from pydantic import ValidationError
from sqlalchemy import select

from api.deliveries import deliver_due
from api.desks.chatwoot_notes import Notes
from core import outbox
from core.work_order import WorkOrder

Urls = tuple[str, str]


@pytest.fixture
async def desk(urls: Urls, tmp_path: Any) -> AsyncIterator[Chatwoot]:
    async with chatwoot(urls, upload_dir=tmp_path / "photos") as one:
        await one.ready()
        yield one


@pytest.fixture
async def quick(sqlite_urls: Urls, tmp_path: Any) -> AsyncIterator[Chatwoot]:
    """The same on SQLite alone, for what has nothing to do with the database."""
    async with chatwoot(sqlite_urls, upload_dir=tmp_path / "photos") as one:
        await one.ready()
        yield one


async def test_while_chatwoot_is_away_nobody_is_left_in_a_queue_that_is_none(desk: Chatwoot) -> None:
    desk.fake.down = True
    customer = await asked(desk)
    await customer.say("我的电表转得太快")
    await desk.work()
    desk.office.clock.on(seconds=11)
    for _ in range(3):
        await desk.work()
    history = await customer.history()
    told = [one["text"] for one in history["messages"] if one["author"] == "system"]
    words = NOTES.down.partition("{by}")[0]
    assert [text.startswith(words) for text in told].count(True) == 1
    assert history["mode"] == "bot"
    case = case_of(desk, customer)
    assert case.left_message
    assert case.due_at is not None
    desk.fake.down = False
    desk.office.clock.on(seconds=31)
    await desk.work()
    remote = desk.remote(customer)
    assert desk.fake.seen(remote)[-1] == "我的电表转得太快"
    assert any(note.startswith("客户不再排队，改为留言") for note in desk.fake.seen(remote, private=True))
    await desk.says(customer, "您好，马上帮您核对。")
    assert await texts(customer, "agent") == ["您好，马上帮您核对。"]


async def test_known_to_be_away_the_next_customer_hears_it_at_once(desk: Chatwoot) -> None:
    desk.fake.down = True
    desk.office.clock.on(seconds=31)
    await desk.work()
    desk.office.clock.on(seconds=15)
    customer = await asked(desk)
    assert "没有坐席在线" in (await texts(customer, "system"))[-1]
    await desk.work()
    assert (await texts(customer, "system"))[-1].startswith(NOTES.down.partition("{by}")[0])


async def test_a_danger_is_warned_of_and_filed_although_chatwoot_is_away(desk: Chatwoot) -> None:
    desk.fake.down = True
    customer = await desk.office.bridge.customer()
    [warning] = (await customer.say(DANGER))["messages"]
    assert warning["type"] == "safety"
    parts = desk.office.bridge.parts
    assert deliver_due(parts) == 1
    with parts.workorder.reading() as session:
        order = session.scalars(select(WorkOrder).where(WorkOrder.cause.startswith(customer.conversation_id))).one()
        assert order.priority == "urgent"
    for _ in range(3):
        desk.office.clock.on(seconds=11)
        await desk.work()
    assert (await texts(customer, "system")).count(NOTES.down_danger) == 1
    assert (await customer.history())["mode"] == "queued"
    desk.fake.down = False
    desk.office.clock.on(seconds=31)
    await desk.work()
    assert desk.fake.conversations[desk.remote(customer)]["priority"] == "urgent"


async def test_words_that_cannot_be_passed_on_are_kept_and_the_customer_knows(desk: Chatwoot) -> None:
    customer = await served(desk)
    desk.fake.down = True
    for text in ("第一句", "第二句"):
        await customer.say(text)
    for _ in range(4):
        desk.office.clock.on(seconds=6)
        await desk.work()
    assert (await texts(customer, "system")).count(NOTES.stalled) == 1
    assert (await customer.history())["mode"] == "human"
    desk.fake.down = False
    desk.office.clock.on(seconds=31)
    await desk.work()
    assert desk.fake.seen(desk.remote(customer)) == ["第一句", "第二句"]


async def test_the_outbox_of_others_and_that_of_chatwoot_do_not_meet(quick: Chatwoot) -> None:
    customer = await served(quick)
    await customer.say("我等着")
    parts = quick.office.bridge.parts
    with parts.bridge.reading() as session:
        due = outbox.due(session, now=quick.office.clock())
        assert [item.kind for item in due] == ["chatwoot_case"]
    assert deliver_due(parts) == 0
    with parts.bridge.reading() as session:
        assert [item.attempts for item in outbox.due(session, now=quick.office.clock())] == [0]
    await quick.work()
    assert quick.fake.seen(quick.remote(customer)) == ["我等着"]


async def test_a_fault_of_ours_in_one_case_does_not_stop_the_others(quick: Chatwoot, monkeypatch: Any) -> None:
    first, second = await served(quick), await served(quick)
    written = Notes.aside

    def broken(self: Notes, told: Any, redactor: Any) -> str:
        if told.conversation_id == first.conversation_id:
            raise KeyError("text")
        return written(self, told, redactor)

    monkeypatch.setattr(Notes, "aside", broken)
    for customer in (first, second):
        await customer.say(DANGER)
        await customer.say("在路口")
    for _ in range(7):
        await quick.work()
        quick.office.clock.on(seconds=31)
    for customer in (first, second):
        assert quick.fake.seen(quick.remote(customer)) == [DANGER, "在路口"]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"chatwoot_url": ""}, "DIANFU_CHATWOOT_URL"), ({"chatwoot_url": "ftp://desk"}, "DIANFU_CHATWOOT_URL"),
        ({"chatwoot_token": ""}, "DIANFU_CHATWOOT_TOKEN"), ({"chatwoot_account": 0}, "DIANFU_CHATWOOT_ACCOUNT"),
        ({"chatwoot_inbox": 0}, "DIANFU_CHATWOOT_INBOX"), ({"chatwoot_webhook_secret": "short"}, "WEBHOOK_SECRET"),
        ({"chatwoot_team_by_skill": {"repairs": 1}}, "DIANFU_CHATWOOT_TEAM_BY_SKILL"),
    ],
)  # fmt: skip
def test_an_incomplete_chatwoot_is_refused_at_start(changed: dict[str, Any], named: str) -> None:
    complete = {
        "desk": "chatwoot", "chatwoot_url": "https://desk.example", "chatwoot_token": "t", "chatwoot_account": 1,
        "chatwoot_inbox": 1, "chatwoot_webhook_secret": SECRET,
    }  # fmt: skip
    assert settings("sqlite://", "sqlite://", **complete).desk == "chatwoot"
    with pytest.raises(ValidationError, match=named):
        settings("sqlite://", "sqlite://", **(complete | changed))
