"""What follows into the customer's home: photos for whom they are meant, orders and notices."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from bridge_kit import Customer, running, settings
from PIL import Image
from test_one_conversation import BOB, HERS, House, Urls, h5_page, people

from api.channels import links
from api.deliveries import deliver_notices
from core import notice
from core.channel.writer import grant_to
from core.conversation import Message, find_conversation
from core.identity import Grant


@pytest.fixture
async def house(urls: Urls, tmp_path: Path) -> AsyncIterator[House]:
    billing = f"sqlite:///{tmp_path / 'billing.db'}"
    people(billing)
    async with running(settings(*urls, billing_url=billing, upload_dir=tmp_path / "photos")) as bridge:
        yield House(bridge.app, bridge.rasa, bridge.clock, bridge.http)


def jpeg() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), "orange").save(out, "JPEG")
    return out.getvalue()


async def shows(customer: Customer, client_id: str = "photo") -> str:
    """Send a photo and return its id."""
    headers = {**customer.headers, "Content-Type": "image/jpeg"}
    taken = await customer.http.post("/v1/uploads", content=jpeg(), headers=headers)
    assert taken.status_code == 201, taken.text
    upload_id: str = taken.json()["upload_id"]
    sent = await customer.post(client_id=client_id, upload_id=upload_id)
    assert sent.status_code == 200, sent.text
    return upload_id


async def sees(customer: Customer, upload_id: str) -> bool:
    answer: httpx.Response = await customer.http.get(f"/v1/uploads/{upload_id}", headers=customer.headers)
    assert answer.status_code in (200, 401, 404)
    return answer.status_code == 200


async def binds(house: House, page: Customer, number: str) -> None:
    """Let somebody unknown prove an account on a page."""
    await page.say("我绑一下", "bind")

    def work(session: Any) -> None:
        conversation = find_conversation(session, page.conversation_id, lock=True)
        message = session.get_one(Message, (conversation.id, 1))
        grant_to(session, conversation, message, Grant(conversation.id, "t", add=(number,)), now=house.clock())

    await house.parts.store.write(work)
    await links.settle_news(house.parts)


async def test_a_page_that_was_joined_sends_and_sees_photos_in_the_home(house: House) -> None:
    page = await house.page()
    before = await shows(page, "before")
    await house.proves("o-alice", HERS)
    after = await shows(page, "after")
    h5 = h5_page(house, await house.follows("o-alice"))
    assert [await sees(page, one) for one in (before, after)] == [True, True]
    assert [await sees(await house.page(), one) for one in (before, after)] == [True, True]
    assert [await sees(h5, one) for one in (before, after)] == [False, True]
    assert await sees(page, await shows(h5, "h5"))


async def test_nobody_else_sees_a_photo(house: House) -> None:
    await house.proves("o-alice", HERS)
    hers = await shows(await house.page())
    assert not await sees(await house.page(BOB), hers)
    assert not await sees(await house.customer(), hers)
    assert not await sees(h5_page(house, await house.follows("o-bob")), hers)


async def test_who_came_unknown_sees_no_photo_of_before_they_came(house: House) -> None:
    await house.proves("o-alice", HERS)
    early = await shows(h5_page(house, await house.follows("o-alice")), "early")
    house.clock.ahead = timedelta(minutes=1)
    stranger = await house.customer()
    own = await shows(stranger, "own")
    house.clock.ahead = timedelta(minutes=2)
    await binds(house, stranger, HERS)
    assert [await sees(stranger, one) for one in (early, own)] == [False, True]


async def test_the_older_telephone_sees_nothing_that_the_pages_showed(house: House) -> None:
    await house.proves("o-old", HERS)
    old = h5_page(house, await house.follows("o-old"))
    photo = await shows(await house.page())
    assert await sees(old, photo)
    await house.proves("o-new", HERS)
    assert not await sees(old, photo)
    assert not await sees(h5_page(house, await house.follows("o-old")), photo)
    assert (await house.follows("o-old")).conversation_id != old.conversation_id
    assert (await old.http.get("/v1/messages", headers=old.headers)).status_code == 401


async def test_the_actions_hear_of_joined_conversations_while_something_is_proved(house: House) -> None:
    await house.proves("o-alice", HERS)
    stranger = await house.customer()
    await binds(house, stranger, HERS)
    await house.writes("o-alice", "我的报修到哪了")
    assert house.identity().conversations == (stranger.conversation_id,)
    page = await house.page()
    await page.say("我的报修到哪了")
    assert house.identity().talks == (page.conversation_id, stranger.conversation_id)
    other = await house.customer()
    await other.say("我的报修到哪了")
    assert house.identity().conversations == ()


async def test_what_a_page_and_the_home_both_wait_for_is_told_once(house: House) -> None:
    await house.proves("o-alice", HERS)
    stranger = await house.customer()
    await binds(house, stranger, HERS)
    home = (await house.follows("o-alice")).conversation_id
    values = {"order_no": "20261122000001", "title": "过户", "reason": ""}
    with house.parts.workorder.transaction() as session:
        for one in (stranger.conversation_id, home):
            notice.put(session, key=f"k:{one}", conversation_id=one, wording="order_taken", values=values,
                       now=house.clock())  # fmt: skip
    deliver_notices(house.parts)
    assert [row.text for row in house.rows(home) if row.type == "notice"] == [
        "您的过户（工单号20261122000001）有人接单了。"
    ]


async def test_a_photo_that_was_sent_up_just_before_the_join_can_be_shown_after_it(house: House) -> None:
    page = await house.page()
    headers = {**page.headers, "Content-Type": "image/jpeg"}
    upload_id = (await page.http.post("/v1/uploads", content=jpeg(), headers=headers)).json()["upload_id"]
    await house.proves("o-hers", HERS)
    sent = await page.post(client_id="photo", upload_id=upload_id)
    home = await house.follows("o-hers")
    assert (sent.status_code, sent.json()["conversation_id"]) == (200, home.conversation_id)
    again = await page.post(client_id="photo", upload_id=upload_id)
    assert again.json() == sent.json()
    assert await sees(page, upload_id)
    assert await sees(h5_page(house, home), upload_id)  # it was shown in the home
