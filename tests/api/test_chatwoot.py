"""Chatwoot as the desk: its contract kept to the letter, whatever comes by its webhook."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from chatwoot_kit import NOTES, asked, case_of, hook, instead, message, served, texts, without
from desk_drivers import Chatwoot, chatwoot
from fake_chatwoot import ACCOUNT, INBOX, SECRET, chosen, signed
from supervision_kit import MONDAY, office

from api.desks.chatwoot_hooks import BadSignature, check
from core.conversation import find_conversation

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
    "another time": (instead("X-Chatwoot-Timestamp", str(int(MONDAY.timestamp()) + 77)), {}),
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


async def test_an_old_word_delivered_again_does_not_begin_a_talk_anew_that_the_customer_ended(quick: Chatwoot) -> None:
    customer = await served(quick)
    await hook(quick, message(quick, quick.remote(customer)))
    end = next(
        one["id"] for line in (await customer.history())["messages"] for one in line["buttons"]
        if one["title"] == quick.office.bridge.parts.book.words.end_human
    )  # fmt: skip
    await customer.press(end)
    answer = await hook(quick, message(quick, quick.remote(customer)))  # under another delivery id
    assert answer.json() == {"result": "ignored"}
    with quick.office.bridge.parts.bridge.reading() as session:
        assert find_conversation(session, customer.conversation_id).mode == "wrap_up"


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
