"""A conversation at the desk: reading it, writing in it, photos, cards and forms, notes, passing on and the end."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from bridge_kit import Customer, FakeRasa, customer_token
from PIL import Image
from sqlalchemy import select
from supervision_kit import MONDAY, Office, Seat, good, office, refused, text_of

from api.rasa import BotTurn
from api.settings import ApiSettings
from core.account import Account
from core.conversation import Button, Draft, find_conversation, record_reply
from core.fields import Keyring
from core.work_order import Filing, file_order

UNDERSTOOD = {"intent": "report_outage+query_bill", "confidence": 0.83}


@pytest.fixture
async def desk(urls: Any, tmp_path: Path) -> AsyncIterator[Office]:
    rasa = FakeRasa(lambda text: BotTurn((Draft("bot", f"答：{text}"),), UNDERSTOOD))
    async with office(urls, rasa=rasa, upload_dir=tmp_path / "photos") as one:
        yield one


async def talking(desk: Office, **more: Any) -> tuple[Seat, Customer, str]:
    """Return an agent who has a customer's conversation."""
    seat = await desk.seat()
    customer, case = await desk.case(**more)
    desk.claim(case, seat)
    return seat, customer, f"/conversations/{customer.conversation_id}"


async def say(seat: Seat, path: str, client_id: str = "m1", **body: Any) -> Any:
    return await seat.call("POST", f"{path}/messages", client_id=client_id, **body)


def photo() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (80, 60), "orange").save(out, "JPEG")
    return out.getvalue()


async def test_opening_a_conversation_brings_its_log_with_what_was_understood(desk: Office) -> None:
    seat, customer, path = await talking(desk, said="家里停电了，打我手机13871234567")
    found = await seat.get(path)
    first = found["messages"][0]
    assert first["author"] == "customer"
    assert first["understood"] == {
        "intent": "report_outage+query_bill", "label": "报停电、查电费账单", "confidence": 0.83,
    }  # fmt: skip
    assert "13871234567" not in text_of(found)
    assert found["last_seq"] == desk.bridge.rows(customer.conversation_id)[-1].seq
    assert [one["seq"] for one in found["messages"]] == list(range(1, found["last_seq"] + 1))
    assert found["case"]["holder"]["id"] == seat.id
    assert found["can"]["write"] is True
    assert found["can"]["take_over"] is False
    assert set(found["summary"]) == {"wish", "understood", "checked", "missing"}


async def test_who_does_not_have_the_conversation_cannot_write_in_it(desk: Office) -> None:
    seat, _, path = await talking(desk)
    other, chief = await desk.seat(), await desk.seat("supervisor")
    assert refused(await say(other, path, text="我来答")) == (403, "forbidden")
    assert refused(await say(chief, path, text="我来答")) == (403, "not_holder")
    assert (await say(seat, path, text="我在")).status_code == 200


async def test_who_lost_a_conversation_is_told_who_has_it(desk: Office) -> None:
    seat, _, path = await talking(desk)
    chief, stranger = await desk.seat("supervisor"), await desk.seat()
    await chief.post(f"{path}/take_over")
    refusal = await say(seat, path, text="我这边查到了")
    assert refused(refusal) == (403, "not_holder")
    assert refusal.json()["holder"]["id"] == chief.id
    assert refused(await say(stranger, path, text="我来答")) == (403, "forbidden")


async def test_before_the_claim_and_after_the_end_nothing_can_be_written(desk: Office) -> None:
    seat = await desk.seat()
    customer, case = await desk.case()
    path = f"/conversations/{customer.conversation_id}"
    assert refused(await say(seat, path, text="您好")) == (403, "not_holder")
    desk.claim(case, seat)
    await seat.post(f"{path}/finish")
    assert refused(await say(seat, path, text="您好")) == (409, "wrong_mode")


async def test_the_customer_reads_what_the_agent_says_and_who_says_it(desk: Office) -> None:
    seat, customer, path = await talking(desk)
    shown = good(await say(seat, path, "first", text="您好，我来查。"))["message"]
    assert (shown["author"], shown["text"], shown["client_id"]) == ("agent", "您好，我来查。", "first")
    assert shown["agent"]["id"] == seat.id
    last = (await customer.history())["messages"][-1]
    assert (last["seq"], last["author"], last["text"]) == (shown["seq"], "agent", "您好，我来查。")


async def test_sending_the_same_again_says_it_once(desk: Office) -> None:
    seat, customer, path = await talking(desk)
    answers = await asyncio.gather(*(say(seat, path, "same", text="马上查") for _ in range(5)))
    assert {good(answer)["message"]["seq"] for answer in answers} == {good(answers[0])["message"]["seq"]}
    said = [row for row in desk.bridge.rows(customer.conversation_id) if row.author == "agent"]
    assert [row.text for row in said] == ["马上查"]


EMOJI = "好的👌🏽👨\u200d👩\u200d👧\u200d👦🇨🇳𠮷野家"


@pytest.mark.parametrize("text", ["电" * 10_000, EMOJI, "第一行\n第二行\n", "<script>alert(1)</script>"])
async def test_what_was_typed_reaches_the_customer_as_it_is(desk: Office, text: str) -> None:
    seat, customer, path = await talking(desk)
    good(await say(seat, path, text=text))
    # What joins emoji is invisible and goes, in customers' messages too.
    assert (await customer.history())["messages"][-1]["text"] == text.strip().replace("\u200d", "")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"text": " \u200b\n"}, "empty"), ({"text": "电" * 20_001}, "too_long"), ({}, "one_content"),
        ({"text": "好", "form": "outage_household"}, "one_content"), ({"form": "no_such_form"}, "no_form"),
    ],
)  # fmt: skip
async def test_what_cannot_be_sent_is_refused_in_words(desk: Office, body: dict[str, Any], code: str) -> None:
    seat, _, path = await talking(desk)
    assert refused(await say(seat, path, **body)) == (422, code)


async def test_photos_go_both_ways_and_stay_in_their_conversation(desk: Office) -> None:
    seat, customer, path = await talking(desk)
    jpeg = {"X-CSRF-Token": seat.csrf, "Content-Type": "image/jpeg"}
    taken = await seat.http.post(f"/v1/desk{path}/uploads", content=photo(), headers=jpeg)
    assert taken.status_code == 201, taken.text
    shown = good(await say(seat, path, upload_id=taken.json()["upload_id"]))["message"]
    assert (shown["type"], shown["text"]) == ("image", "[图片]")
    upload_id = (await customer.history())["messages"][-1]["card"]["upload_id"]
    seen = await customer.http.get(f"/v1/uploads/{upload_id}", headers=customer.headers)
    assert (seen.status_code, seen.headers["content-type"]) == (200, "image/jpeg")
    sent = await customer.http.post(
        "/v1/uploads", content=photo(), headers={**customer.headers, "Content-Type": "image/jpeg"}
    )
    await customer.post(client_id="p1", upload_id=sent.json()["upload_id"])
    back = await seat.call("GET", f"{path}/uploads/{sent.json()['upload_id']}")
    assert (back.status_code, back.headers["content-type"]) == (200, "image/jpeg")
    stranger, _, elsewhere = await talking(desk)
    assert (await stranger.call("GET", f"{path}/uploads/{upload_id}")).status_code == 403
    assert (await stranger.call("GET", f"{elsewhere}/uploads/{upload_id}")).status_code == 404
    assert (await say(stranger, elsewhere, upload_id=upload_id)).status_code == 404


async def test_a_photo_larger_than_other_bodies_is_taken(desk: Office) -> None:
    seat, _, path = await talking(desk)
    out = io.BytesIO()
    Image.effect_noise((1200, 900), 90).save(out, "PNG")
    assert len(out.getvalue()) > 300_000
    png = {"X-CSRF-Token": seat.csrf, "Content-Type": "image/png"}
    taken = await seat.http.post(f"/v1/desk{path}/uploads", content=out.getvalue(), headers=png)
    assert taken.status_code == 201, taken.text


async def test_the_log_is_read_on_by_its_numbers(desk: Office) -> None:
    seat, customer, path = await talking(desk)
    for text in ("一", "二"):
        await customer.say(text)
    whole = (await seat.get(path))["messages"]
    found = await seat.get(f"{path}/messages?after={whole[-2]['seq']}")
    assert found == {"messages": whole[-1:], "last_seq": whole[-1]["seq"], "mode": "human"}
    assert (await seat.get(f"{path}/messages?after={whole[-1]['seq']}"))["messages"] == []


async def test_a_long_log_opens_with_its_end(desk: Office) -> None:
    seat, customer, path = await talking(desk)
    with desk.bridge.parts.bridge.transaction() as session:
        conversation = find_conversation(session, customer.conversation_id, lock=True)
        for number in range(520):
            record_reply(session, conversation, Draft("bot", f"第{number}条"), now=desk.clock())
    found = await seat.get(path)
    assert len(found["messages"]) == 200
    assert found["messages"][-1]["seq"] == found["last_seq"] > 520


async def test_another_agents_conversation_and_an_unknown_one_look_the_same(desk: Office) -> None:
    _, _, path = await talking(desk)
    other = await desk.seat()
    calls = [("GET", ""), ("GET", "/messages"), ("POST", "/seen"), ("POST", "/typing"), ("POST", "/notes"),
             ("POST", "/finish"), ("POST", "/transfer"), ("GET", "/drafts")]  # fmt: skip
    bodies = {
        "/seen": {"seq": 1}, "/typing": {"on": True}, "/notes": {"text": "记"},
        "/transfer": {"skill": "billing", "note": "请看"},
    }  # fmt: skip
    for method, more in calls:
        known, unknown = [
            await other.call(method, f"{base}{more}", **bodies.get(more, {}))
            for base in (path, "/conversations/00000000-0000-0000-0000-000000000000")
        ]
        assert refused(known) == refused(unknown) == (403, "forbidden"), more
        assert known.json()["detail"] == unknown.json()["detail"]


async def test_the_skills_queue_may_be_read_before_it_is_taken(desk: Office) -> None:
    seat = await desk.seat()
    customer, _ = await desk.case()
    found = await seat.get(f"/conversations/{customer.conversation_id}")
    assert found["case"]["mode"] == "queued"
    assert (found["can"]["write"], found["can"]["claim"]) == (False, True)


async def test_a_form_is_sent_as_a_button_that_begins_it(desk: Office) -> None:
    seat, customer, path = await talking(desk)
    shown = good(await say(seat, path, form="meter_check"))["message"]
    assert [list(one) for one in shown["buttons"]] == [["title"]]  # the desk has no use for the ids of buttons
    button_id = (await customer.history())["messages"][-1]["buttons"][0]["id"]
    with desk.bridge.parts.bridge.reading() as session:
        assert session.get_one(Button, button_id).payload == '/inform{"start": "meter_check"}'


async def test_the_card_of_an_order_tells_its_stages(desk: Office, keyring: Keyring) -> None:
    seat, customer, path = await talking(desk)
    keys = desk.bridge.parts.settings.keyring()
    with desk.bridge.parts.workorder.transaction() as session:
        filed = file_order(session, _filing(customer.conversation_id), keyring=keys, now=desk.clock())
        order_no = filed.order.order_no
    shown = good(await say(seat, path, card={"kind": "order", "order_no": order_no}))["message"]
    assert (shown["type"], shown["card"]["title"]) == ("fact_card", f"停电报修 {order_no}")
    assert {"label": "进度", "value": "已受理，等待派单"} in shown["card"]["rows"]
    stranger, _, elsewhere = await talking(desk)
    assert refused(await say(stranger, elsewhere, card={"kind": "order", "order_no": order_no})) == (409, "no_card")
    assert refused(await say(stranger, elsewhere, card={"kind": "bill"})) == (409, "no_card")


async def test_the_cards_of_bill_and_balance_are_those_of_the_customers_own_account(
    sqlite_urls: Any, fill: Any, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ApiSettings, "keyring", lambda _settings: keyring)
    billing = fill(date(2026, 11, 23), customers=25, months=3)
    with billing.reading() as session:
        account = session.scalars(select(Account).where(Account.closed_on.is_(None)).order_by(Account.id)).first()
        owner, account_no = account.customer.customer_no, account.account_no
    token = customer_token(customer_no=owner, accounts=(account_no,), now=MONDAY, lifetime=timedelta(hours=1))
    async with office(sqlite_urls, billing_url=str(billing.url)) as desk:
        seat, customer, path = await talking(desk, token=token)
        bill = good(await say(seat, path, "bill", card={"kind": "bill"}))["message"]
        balance = good(await say(seat, path, "balance", card={"kind": "balance"}))["message"]
        none = await say(seat, path, "none", card={"kind": "bill", "month": "2020-01"})
        outside = await say(seat, path, "outside", card={"kind": "bill", "account": 1})
        opened, sent = await seat.get(path), (await customer.history())["messages"]
        line = (await seat.get("/inbox"))["mine"][0]["customer"]["label"]
    assert (bill["type"], balance["type"]) == ("bill_card", "balance_card")
    cards = [one["card"] for one in sent if one["card"]]
    assert {"title", "account", "address", "amount", "kwh", "lines", "period", "due", "status"} <= set(cards[0])
    assert cards[0]["lines"]
    assert {"title", "account", "balance", "owed", "bills", "as_of"} <= set(cards[1])
    assert account_no not in text_of([opened, sent])
    assert refused(none) == refused(outside) == (409, "no_card")
    assert "*" in line


def _filing(conversation_id: str) -> Filing:
    return Filing(
        cause=f"{conversation_id}:9",
        kind="outage_household",
        category="故障报修→低压停电→一户停电",
        title="停电报修",
        conversation_id=conversation_id,
        contact="13871234567",
        description="家里没电",
    )
