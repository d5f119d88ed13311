"""Chatwoot as the desk: its contract kept to the letter, and nothing lost or doubled whatever fails."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from bridge_kit import ROOT, Customer, customer_token, settings
from desk_drivers import Chatwoot, chatwoot
from fake_chatwoot import ACCOUNT, INBOX, SECRET, Fault, chosen, signed
from PIL import Image
from pydantic import ValidationError
from sqlalchemy import select
from supervision_kit import MONDAY, office

from api.deliveries import deliver_due
from api.desks import chatwoot_client
from api.desks import chatwoot_line as lines
from api.desks.chatwoot import ChatwootDesk
from api.desks.chatwoot_hooks import BadSignature, check
from api.desks.chatwoot_notes import Notes
from core import outbox
from core.handoff.tables import Handoff
from core.upload import Upload, path_of
from core.work_order import WorkOrder

DANGER = "电线掉在地上了还冒火花"
NOTES = Notes.load(ROOT / "data")
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


async def asked(desk: Chatwoot, *, token: str | None = None) -> Customer:
    customer = await desk.office.bridge.customer(token)
    await customer.say("我上个月电费怎么这么高")
    await customer.say("转人工")
    return customer


async def served(desk: Chatwoot) -> Customer:
    customer = await asked(desk)
    await desk.work()
    await desk.accept(customer)
    return customer


async def texts(customer: Customer, author: str) -> list[str]:
    return [one["text"] for one in (await customer.history())["messages"] if one["author"] == author]


def case_of(desk: Chatwoot, customer: Customer) -> Handoff:
    with desk.office.bridge.parts.bridge.reading() as session:
        query = select(Handoff).where(Handoff.conversation_id == customer.conversation_id)
        return session.scalars(query.order_by(Handoff.id.desc())).first()  # type: ignore[return-value]  # there is one


def message(desk: Chatwoot, remote: int, **changes: Any) -> dict[str, Any]:
    """Return what Chatwoot tells of a message of an agent."""
    return {
        "event": "message_created", "id": 9001, "content": "您好", "message_type": "outgoing", "private": False,
        "content_type": "text", "source_id": None, "sender": {"id": 7, "name": "王敏", "type": "user"},
        "conversation": {"id": remote, "status": "open"}, "account": {"id": ACCOUNT}, "inbox": {"id": INBOX},
    } | changes  # fmt: skip


async def hook(
    desk: Chatwoot, event: Any, change: Callable[[bytes, dict[str, str]], bytes] = lambda body, _: body, **how: Any
) -> httpx.Response:
    body = event if isinstance(event, bytes) else json.dumps(event, ensure_ascii=False).encode()
    headers = signed(body, **({"at": desk.office.clock()} | how))
    return await desk.office.bridge.http.post("/v1/desks/chatwoot", content=change(body, headers), headers=headers)


def without(name: str) -> Callable[[bytes, dict[str, str]], bytes]:
    def change(body: bytes, headers: dict[str, str]) -> bytes:
        del headers[name]
        return body

    return change


def instead(name: str, value: str) -> Callable[[bytes, dict[str, str]], bytes]:
    def change(body: bytes, headers: dict[str, str]) -> bytes:
        headers[name] = value
        return body

    return change


# -- webhooks


def test_the_signature_is_the_one_of_the_contract() -> None:
    body = b'{"event":"message_created","id":1}'
    headers = {
        "x-chatwoot-timestamp": "1764000000", "x-chatwoot-delivery": "0f8e5f0c-6b1d-4c8e-9a53-3a8a8d1d6f10",
        "x-chatwoot-signature": "sha256=59296c0ad7d20fadbc5079838b14deb7955d260760aa4ecc2dd144ba57694b10",
    }  # fmt: skip
    now = datetime.fromtimestamp(1764000000, tz=MONDAY.tzinfo)
    assert check(headers, body, secret=SECRET, now=now) == headers["x-chatwoot-delivery"]
    for seconds in (-300, 300):
        check(headers, body, secret=SECRET, now=now + timedelta(seconds=seconds))
    for seconds in (-301, 301):
        with pytest.raises(BadSignature):
            check(headers, body, secret=SECRET, now=now + timedelta(seconds=seconds))


async def test_a_good_delivery_reaches_the_customer(quick: Chatwoot) -> None:
    customer = await served(quick)
    answer = await hook(quick, message(quick, quick.remote(customer)))
    assert (answer.status_code, answer.json()) == (200, {"result": "done"})
    assert await texts(customer, "agent") == ["您好"]


BAD: dict[str, tuple[Callable[[bytes, dict[str, str]], bytes], dict[str, Any]]] = {
    "wrong secret": (lambda body, _: body, {"secret": "another-secret-entirely"}),
    "old": (lambda body, _: body, {"at": MONDAY - timedelta(minutes=6)}),
    "from the future": (lambda body, _: body, {"at": MONDAY + timedelta(minutes=6)}),
    "altered body": (lambda body, _: body.replace("您好".encode(), "您坏".encode()), {}),
    "body and nothing else": (lambda body, _: body + b" ", {}),
    "no signature": (without("X-Chatwoot-Signature"), {}),
    "no time": (without("X-Chatwoot-Timestamp"), {}),
    "no delivery": (without("X-Chatwoot-Delivery"), {}),
    "another time": (instead("X-Chatwoot-Timestamp", str(int(MONDAY.timestamp()) + 1)), {}),
    "a time that is none": (instead("X-Chatwoot-Timestamp", "-1"), {}),
    "a signature without its kind": (instead("X-Chatwoot-Signature", "0" * 64), {}),
    "an empty signature": (instead("X-Chatwoot-Signature", "sha256="), {}),
    "a delivery that is none": (instead("X-Chatwoot-Delivery", "x" * 100), {}),
}


async def test_what_chatwoot_did_not_sign_just_now_is_refused_and_changes_nothing(quick: Chatwoot) -> None:
    customer = await served(quick)
    for name, (change, how) in BAD.items():
        answer = await hook(quick, message(quick, quick.remote(customer)), change, **how)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json"), name
    assert await texts(customer, "agent") == []
    assert (await hook(quick, message(quick, quick.remote(customer)))).status_code == 200


UNREADABLE = {
    "gb18030": json.dumps({"event": "message_created", "content": "您好"}, ensure_ascii=False).encode("gb18030"),
    "utf-16": '{"event": "message_created"}'.encode("utf-16"), "no JSON": b"event=message_created", "a list": b"[1, 2]",
    "nothing": b"", "too deep": b"[" * 100_000,
}  # fmt: skip


async def test_what_is_signed_but_cannot_be_read_is_refused(quick: Chatwoot) -> None:
    for name, body in UNREADABLE.items():
        answer = await hook(quick, body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), name


async def test_a_very_large_body_is_refused_before_it_is_read(quick: Chatwoot) -> None:
    customer = await served(quick)
    answer = await hook(quick, message(quick, quick.remote(customer), content="电" * 200_000))
    assert answer.status_code == 413
    assert await texts(customer, "agent") == []


NOT_FOR_CUSTOMERS: dict[str, dict[str, Any]] = {
    "a note": {"private": True}, "of the customer": {"message_type": "incoming"},
    "a template": {"message_type": "template"}, "an activity": {"message_type": "activity"},
    "our echo": {"source_id": "dianfu:case:1:0"},
    "of a contact": {"sender": {"id": 7, "name": "张", "type": "contact"}},
    "of a bot": {"sender": {"id": 7, "name": "机器人", "type": "agent_bot"}}, "of nobody": {"sender": None},
    "of another account": {"account": {"id": ACCOUNT + 1}}, "of another inbox": {"inbox": {"id": INBOX + 1}},
    "of another conversation": {"conversation": {"id": 77}}, "of no conversation": {"conversation": None},
    "another event": {"event": "message_updated"}, "no event": {"event": None}, "an empty text": {"content": "  "},
    "an id that is none": {"id": "x"}, "a content that is none": {"content": ["您好"]},
}  # fmt: skip


async def test_what_is_not_for_the_customer_is_answered_and_left_alone(quick: Chatwoot) -> None:
    customer = await served(quick)
    for name, changes in NOT_FOR_CUSTOMERS.items():
        answer = await hook(quick, message(quick, quick.remote(customer), **changes))
        assert (answer.status_code, answer.json()) == (200, {"result": "ignored"}), name
    assert await texts(customer, "agent") == []


async def test_a_replayed_delivery_changes_nothing_also_after_a_restart(desk: Chatwoot, urls: Urls) -> None:
    customer = await served(desk)
    body = json.dumps(message(desk, desk.remote(customer))).encode()
    headers = signed(body, at=desk.office.clock())
    for expected in ("done", "known"):
        answer = await desk.office.bridge.http.post("/v1/desks/chatwoot", content=body, headers=headers)
        assert answer.json() == {"result": expected}
    async with office(urls, **chosen(desk.fake)) as after:
        answer = await after.bridge.http.post("/v1/desks/chatwoot", content=body, headers=headers)
        assert answer.json() == {"result": "known"}
        await after.bridge.http.post(
            "/v1/desks/chatwoot", content=body, headers=signed(body, at=desk.office.clock())
        )  # under another delivery id it is still the same message
    assert await texts(customer, "agent") == ["您好"]


async def test_one_delivery_at_the_same_moment_many_times_is_one_message(desk: Chatwoot) -> None:
    customer = await served(desk)
    body = json.dumps(message(desk, desk.remote(customer))).encode()
    headers = signed(body, at=desk.office.clock())
    answers = await asyncio.gather(
        *(desk.office.bridge.http.post("/v1/desks/chatwoot", content=body, headers=headers) for _ in range(10))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert await texts(customer, "agent") == ["您好"]


async def test_there_is_no_such_route_where_the_desk_is_another(sqlite_urls: Urls) -> None:
    async with office(sqlite_urls) as builtin:
        body = b"{}"
        answer = await builtin.bridge.http.post(
            "/v1/desks/chatwoot", content=body, headers=signed(body, at=builtin.clock())
        )
        assert answer.status_code == 404


# -- what goes out


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


# -- what comes in


async def test_an_attachment_of_an_agent_is_not_passed_over_in_silence(quick: Chatwoot) -> None:
    customer = await served(quick)
    await quick.fake.says(quick.remote(customer), "", quick.member, attachments=[{"file_type": "image"}])
    assert await texts(customer, "agent") == [NOTES.attachment]


async def test_without_webhooks_everything_comes_half_a_minute_later(desk: Chatwoot) -> None:
    customer = await asked(desk)
    await desk.work()
    desk.fake.webhooks_lost = True
    remote = desk.remote(customer)
    await desk.fake.assign(remote, desk.member)
    for text in ("您好", "查到了"):
        await desk.fake.says(remote, text, desk.member)
    await customer.say("在吗")
    desk.office.clock.on(seconds=31)
    await desk.work()
    assert await texts(customer, "agent") == ["您好", "查到了"]
    assert (await customer.history())["mode"] == "human"
    desk.fake.webhooks_lost = False
    await desk.fake.says(remote, "再见", desk.member)
    desk.fake.webhooks_lost = True
    await desk.fake.resolve(remote)
    desk.office.clock.on(seconds=31)
    await desk.work()
    assert await texts(customer, "agent") == ["您好", "查到了", "再见"]
    assert (await customer.history())["mode"] == "bot"


async def test_an_end_that_only_the_update_tells_is_an_end(quick: Chatwoot) -> None:
    customer = await served(quick)
    await quick.fake.resolve(quick.remote(customer), only_updated=True)
    assert (await customer.history())["mode"] == "bot"


async def test_resolved_without_a_word_the_customer_is_told_so(quick: Chatwoot) -> None:
    customer = await asked(quick)
    await quick.work()
    await quick.ends(customer)
    assert (await customer.history())["mode"] == "bot"
    assert (await texts(customer, "system"))[-1] == NOTES.resolved_unanswered


async def test_what_is_written_after_the_end_reaches_nobody_not_even_a_later_case(quick: Chatwoot) -> None:
    customer = await served(quick)
    first = quick.remote(customer)
    await quick.ends(customer)
    await quick.fake.says(first, "还有一句", quick.member)
    quick.office.clock.on(minutes=1)
    await customer.say("转人工")
    await quick.work()
    assert quick.remote(customer) != first
    await quick.fake.says(first, "又一句", quick.member)
    await quick.fake.assign(first, quick.member)
    await quick.fake.resolve(first)
    assert await texts(customer, "agent") == []
    assert (await customer.history())["mode"] == "queued"


async def test_nobody_online_there_is_nobody_on_duty_here(quick: Chatwoot) -> None:
    quick.member["availability_status"] = "offline"
    quick.office.clock.on(seconds=31)
    await quick.work()
    customer = await asked(quick)
    assert "没有坐席在线" in (await texts(customer, "system"))[-1]
    quick.office.clock.on(minutes=8)
    await quick.work()
    quick.office.clock.on(minutes=8)
    await quick.work()
    assert case_of(quick, customer).left_message


# -- Chatwoot is away


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
