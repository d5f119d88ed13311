"""Chatwoot as the desk: nothing lost, doubled or out of order on the way there, whatever fails."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from bridge_kit import customer_token
from chatwoot_kit import DANGER, NOTES, asked, served
from desk_drivers import Chatwoot, chatwoot
from fake_chatwoot import Fault, chosen
from PIL import Image
from supervision_kit import office

from api.desks import chatwoot_client
from api.desks import chatwoot_line as lines
from api.desks.chatwoot import ChatwootDesk
from core import outbox
from core.upload import Upload, path_of

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


async def test_a_case_arrives_with_team_priority_reason_and_masked_story(quick: Chatwoot) -> None:
    customer = await quick.office.bridge.customer(customer_token(customer_no="C0000001", now=quick.office.clock()))
    await customer.say("我家停电了，户号4201234567890，电话13871234567")
    await customer.say(DANGER)
    await quick.work()
    [remote] = quick.fake.of(customer.conversation_id)
    there = quick.fake.conversations[remote]
    assert (there["team_id"], there["priority"], there["status"]) == (21, "urgent", "open")
    attributes = there["custom_attributes"]
    assert {key: attributes[key] for key in ("reason", "skill", "priority", "channel", "dianfu_conversation")} == {
        "reason": "danger", "skill": "repair", "priority": 0, "channel": "web",
        "dianfu_conversation": customer.conversation_id,
    }  # fmt: skip
    note = quick.fake.seen(remote, private=True)[0]
    assert note.startswith("客户转人工：用电危险")
    assert "客户：我家停电了" in note
    assert "电小服：答：我家停电了" in note
    sent = "\n".join(quick.fake.bodies)
    assert "13871234567" not in sent
    assert "4201234567890" not in sent


FAULTS = {"lost": Fault(lost=True), "failed": Fault(500), "busy": Fault(429)}
PATHS = {name: f"POST .*{name}$" for name in ("contacts", "conversations", "priority", "messages", "status")}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("path", PATHS)
async def test_after_a_failure_anywhere_everything_is_there_once(quick: Chatwoot, path: str, fault: str) -> None:
    desk, times = quick, 1 if fault == "lost" and path in ("contacts", "conversations") else 2
    desk.fake.fail(PATHS[path], FAULTS[fault], times=times)
    customer = await desk.office.bridge.customer()
    await customer.say(DANGER)
    desk.office.clock.on(seconds=1)
    await customer.say("在中山大道路口")
    await customer.say("有人在旁边看着")
    for _ in range(4):
        await desk.work()
        desk.office.clock.on(seconds=3)
    await desk.accept(customer)
    await desk.ends(customer)
    for _ in range(4):
        desk.office.clock.on(seconds=3)
        await desk.work()
    assert not desk.fake.faults
    assert len(desk.fake.contacts) == 1
    [remote] = desk.fake.of(customer.conversation_id)
    told = desk.fake.seen(remote)
    assert told[-2:] == ["在中山大道路口", "有人在旁边看着"]
    notes = desk.fake.seen(remote, private=True)
    assert (len(told), len(notes)) == (len(set(told)), len(set(notes)))
    assert desk.fake.conversations[remote]["status"] == "resolved"


async def test_the_order_is_kept_through_failures(desk: Chatwoot) -> None:
    customer = await served(desk)
    said = [f"第{n}句" for n in range(1, 13)]
    for number, text in enumerate(said):
        desk.fake.fail("POST .*messages$", Fault(lost=number % 2 == 0))
        await customer.say(text)
        await desk.work()
        desk.office.clock.on(seconds=2)
    for _ in range(20):
        await desk.work()
        desk.office.clock.on(seconds=31)
    assert desk.fake.seen(desk.remote(customer)) == said


async def test_killed_between_sending_and_noting_it_is_sent_once(desk: Chatwoot, monkeypatch: Any) -> None:
    customer = await served(desk)
    await desk.work()
    with monkeypatch.context() as patch:

        async def killed(*_: Any, **__: Any) -> None:
            raise RuntimeError("killed")

        patch.setattr(ChatwootDesk, "_settle", killed)
        await customer.say("我的电表转得太快")
        with pytest.raises(RuntimeError):
            await desk.office.bridge.parts.desk.work()
    asked_before = list(desk.fake.asked)
    await desk.work()
    assert desk.fake.asked == asked_before  # too soon: somebody else may still be at it
    desk.office.clock.on(seconds=61)
    await customer.say("还有，发票呢")
    await desk.work()
    assert desk.fake.seen(desk.remote(customer)) == ["我的电表转得太快", "还有，发票呢"]


async def test_a_step_is_taken_by_one_and_by_another_only_after_a_minute(desk: Chatwoot) -> None:
    customer = await served(desk)
    await customer.say("我等着")
    database, clock = desk.office.bridge.parts.bridge, desk.office.clock

    def take() -> bool | None:
        with database.transaction() as session:
            [item] = outbox.due(session, now=clock() + timedelta(days=1), kind="chatwoot_case")
            task = lines.take(session, item.id, now=clock())
            return None if task is None else task.again

    assert [take(), take()] == [False, None]
    clock.on(seconds=61)
    assert [take(), take()] == [True, None]


async def test_two_bridges_at_the_same_time_send_everything_once(desk: Chatwoot, urls: Urls) -> None:
    customers = [await asked(desk) for _ in range(3)]
    await desk.work()
    async with office(urls, **chosen(desk.fake)) as other:
        for text in ("一", "二", "三"):
            for customer in customers:
                await customer.say(text)
            await asyncio.gather(desk.office.bridge.parts.desk.work(), other.bridge.parts.desk.work())
        await desk.work()
        await other.bridge.parts.desk.close()  # type: ignore[attr-defined]  # it is Chatwoot's
    assert len(desk.fake.conversations) == 3
    for customer in customers:
        assert desk.fake.seen(desk.remote(customer)) == ["一", "二", "三"]
        assert len(desk.fake.seen(desk.remote(customer), private=True)) == 1


async def test_what_chatwoot_will_not_have_does_not_hold_up_the_rest(quick: Chatwoot) -> None:
    customer = await served(quick)
    quick.fake.fail("POST .*messages$", Fault(422), times=5)
    await customer.say("这句它不要")
    await customer.say("这句它要")
    for _ in range(6):
        await quick.work()
        quick.office.clock.on(seconds=31)
    assert quick.fake.seen(quick.remote(customer)) == ["这句它要"]


async def test_a_photo_arrives_as_an_attachment(quick: Chatwoot) -> None:
    customer = await served(quick)
    out = io.BytesIO()
    Image.new("RGB", (90, 60), "orange").save(out, "JPEG")
    headers = customer.headers | {"Content-Type": "image/jpeg"}
    uploads = [
        (await customer.http.post("/v1/uploads", content=out.getvalue(), headers=headers)).json()["upload_id"]
        for _ in range(2)
    ]  # fmt: skip
    settings_of = quick.office.bridge.parts.settings
    with quick.office.bridge.parts.bridge.reading() as session:
        path_of(session.get_one(Upload, uploads[1]), settings_of.upload_dir).unlink()
    for upload_id in uploads:
        await customer.post(client_id=upload_id, upload_id=upload_id)
    await quick.work()
    assert quick.fake.seen(quick.remote(customer)) == ["[图片]", NOTES.photo_gone]
    [photo] = quick.fake.files
    assert Image.open(io.BytesIO(photo)).size == (90, 60)


async def test_a_customer_never_waits_for_chatwoot(quick: Chatwoot, monkeypatch: Any) -> None:
    monkeypatch.setattr(chatwoot_client, "TIMEOUT", httpx.Timeout(0.3))
    quick.fake.fail("POST", Fault(hang=5))
    customer = await quick.office.bridge.customer()
    started = asyncio.get_running_loop().time()
    assert (await customer.say("转人工"))["mode"] == "queued"
    await customer.say("我等着")
    assert asyncio.get_running_loop().time() - started < 2
