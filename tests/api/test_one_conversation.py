"""One conversation over WeChat, app and web: who goes on where, who may read what, and that nothing leaks."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bridge_kit import IDENTITY_KEY, Bridge, Customer, FakeRasa, SetClock, customer_token, settings
from bridge_kit import running as run
from sqlalchemy import select, update

from api.channels import links
from api.inbound import Inbound
from core.account import Account
from core.account import Customer as Person
from core.binding import Binding
from core.channel.tables import WECHAT, ChannelUser
from core.channel.users import user_of
from core.channel.writer import grant_to
from core.conversation import Message, find_conversation
from core.db import Database
from core.identity import Grant, issue_session, read_identity
from core.migrations import upgrade

ALICE, BOB = "C0000001", "C0000002"
HERS, SECOND, HIS = "4201234567890", "4200000000017", "4209876543210"
Urls = tuple[str, str]


def people(url: str) -> None:
    """Fill a billing database with two customers and their accounts."""
    database = Database(url)
    upgrade("billing", database)
    common = {
        "address_cipher": "-", "district": "江岸区", "area_class": "city", "region": "wuhan",
        "user_class": "residential", "plan_code": "p", "profile": "", "opened_on": SetClock()().date(),
    }  # fmt: skip
    with database.transaction() as session:
        for number, accounts in ((ALICE, (HERS, SECOND)), (BOB, (HIS,))):
            session.add(Person(
                customer_no=number, kind="person", name_cipher="-", phone_cipher="-", phone_hash="same",
                accounts=[Account(account_no=one, **common) for one in accounts],
            ))  # fmt: skip
    database.dispose()


class House(Bridge):
    """A bridge with WeChat users and a billing system."""

    async def follows(self, openid: str) -> ChannelUser:
        return await self.parts.store.write(lambda session: user_of(session, WECHAT, openid, now=self.clock()))

    async def writes(self, openid: str, text: str) -> list[str]:
        user = await self.follows(openid)
        inbound = Inbound(f"msg:{uuid.uuid4().hex}", text, channel=WECHAT, channel_user_id=user.id)
        outcome = await self.parts.dialogue.customer_says(user.conversation_id, inbound)
        return [message.text for message in outcome.messages]

    async def proves(self, openid: str, *add: str, remove: tuple[str, ...] = ()) -> None:
        """Bind accounts over WeChat, or let them go, and let the loop see it."""
        await self.writes(openid, "办绑定")
        user = await self.follows(openid)

        def work(session: Any) -> None:
            conversation = find_conversation(session, user.conversation_id, lock=True)
            query = select(Message).where(Message.conversation_id == conversation.id, Message.author == "customer")
            message = session.scalars(query.order_by(Message.seq.desc()).limit(1)).one()
            grant = Grant(conversation.id, "t", add=add, remove=remove, assured=add)
            grant_to(session, conversation, message, grant, now=self.clock())

        await self.parts.store.write(work)
        await links.settle_news(self.parts)

    def identity(self) -> Any:
        last = self.rasa.asked[-1]
        return read_identity(IDENTITY_KEY, last["metadata"]["identity"], now=self.clock(), sender=last["sender"])

    async def page(self, customer_no: str = ALICE, *accounts: str) -> Customer:
        token = customer_token(customer_no=customer_no, accounts=accounts or (HERS, SECOND))
        return await self.customer(token)


@pytest.fixture
async def house(urls: Urls, tmp_path: Path) -> AsyncIterator[House]:
    billing = f"sqlite:///{tmp_path / 'billing.db'}"
    people(billing)
    async with run(settings(*urls, billing_url=billing, upload_dir=tmp_path / "photos")) as bridge:
        yield House(bridge.app, bridge.rasa, bridge.clock, bridge.http)


def texts(found: dict[str, Any]) -> list[str]:
    return [message["text"] for message in found["messages"]]


async def test_a_page_of_a_customer_with_wechat_goes_on_in_that_conversation(house: House) -> None:
    await house.writes("o-alice", "匿名时问的")
    await house.proves("o-alice", HERS)
    page = await house.page()
    user = await house.follows("o-alice")
    assert page.conversation_id == user.conversation_id
    assert "匿名时问的" in texts(await page.history())
    answer = await page.say("网页上接着问")
    assert texts(answer) == ["答：网页上接着问"]
    assert (house.identity().accounts, house.identity().channel) == ((HERS, SECOND), "web")
    assert house.rasa.asked[0]["sender"] == house.rasa.asked[-1]["sender"]  # so a form that is open goes on
    await house.writes("o-alice", "微信上再问")
    assert (house.identity().accounts, house.identity().channel) == ((HERS,), "wechat")
    shown = (await page.history())["messages"]
    assert {one["channel"] for one in shown} == {"wechat", "web"}


async def test_a_customer_without_wechat_gets_a_new_conversation_each_time(house: House) -> None:
    assert (await house.page()).conversation_id != (await house.page()).conversation_id


async def test_an_open_page_is_joined_and_its_session_goes_on(house: House) -> None:
    page = await house.page()
    said = await page.say("先在网页上", "c-1")
    await house.proves("o-alice", HERS)
    user = await house.follows("o-alice")
    found = await page.history()
    assert found["conversation_id"] == user.conversation_id != page.conversation_id
    assert "先在网页上" not in texts(found)
    again = await page.say("先在网页上", "c-1")
    assert (texts(again), again["accepted_seq"]) == (texts(said), said["accepted_seq"])
    assert again["conversation_id"] == page.conversation_id
    assert [one["text"] for one in house.rasa.asked].count("先在网页上") == 1
    assert (await page.say("再说一句"))["conversation_id"] == user.conversation_id


async def test_what_was_said_on_a_page_is_shown_to_logins_alone(house: House) -> None:
    page = await house.page()
    await page.say("只在网页上说")
    await house.proves("o-alice", HERS)
    login = await house.page()
    earlier = (await login.http.get("/v1/messages/earlier", headers=login.headers)).json()["conversations"]
    assert [texts(one) for one in earlier] == [["只在网页上说", "答：只在网页上说"]]
    h5 = h5_page(house, await house.follows("o-alice"))
    assert "只在网页上说" not in texts(await h5.history())
    assert (await h5.http.get("/v1/messages/earlier", headers=h5.headers)).json() == {"conversations": []}


def h5_page(house: House, user: ChannelUser) -> Customer:
    token = issue_session(
        house.parts.settings.session_key.get_secret_value(), conversation_id=user.conversation_id, now=house.clock(),
        lifetime=timedelta(hours=1), via="h5", user_id=user.id,
    )  # fmt: skip
    return Customer(house.http, user.conversation_id, token)


async def test_a_page_that_wrote_last_gets_the_replies_and_wechat_does_again_when_it_writes(house: House) -> None:
    await house.proves("o-alice", HERS)
    user = await house.follows("o-alice")

    async def aim() -> tuple[str, int | None]:
        one = await house.parts.store.read(lambda session: find_conversation(session, user.conversation_id))
        return one.channel, one.channel_user_id

    await (await house.page()).say("网页")
    assert await aim() == ("web", None)
    await h5_page(house, user).say("页面")
    assert await aim() == ("h5", user.id)
    await house.writes("o-alice", "微信")
    assert await aim() == ("wechat", user.id)


async def test_two_customers_on_one_wechat_leak_nothing(house: House) -> None:
    await house.proves("o-phone", HERS)
    await house.writes("o-phone", "我住解放大道88号")
    hers = await house.page()
    old = h5_page(house, await house.follows("o-phone"))
    await house.proves("o-phone", remove=(HERS,))
    await house.proves("o-phone", HIS)
    his = await house.page(BOB, HIS)
    user = await house.follows("o-phone")
    assert (user.customer_no, his.conversation_id) == (BOB, user.conversation_id)
    new = h5_page(house, user)
    for reader in (his, new):
        assert not any("解放大道" in text for text in texts(await reader.history()))
    await house.writes("o-phone", "上个月电费")
    assert house.identity().accounts == (HIS,)
    assert (await old.http.get("/v1/messages", headers=old.headers)).status_code == 401
    answer = await hers.http.get("/v1/messages", headers=hers.headers)
    assert answer.status_code == 401 or "上个月电费" not in texts(answer.json())


async def test_a_newer_telephone_ends_the_sessions_of_the_login_in_the_older_conversation(house: House) -> None:
    await house.proves("o-old", HERS)
    page = await house.page()
    await page.say("给旧手机的那个会话")
    await house.proves("o-new", HERS)
    assert (await page.http.get("/v1/messages", headers=page.headers)).status_code == 401
    again = await house.page()
    assert again.conversation_id == (await house.follows("o-new")).conversation_id
    assert "给旧手机的那个会话" not in texts(await again.history())


async def test_the_login_of_another_customer_in_the_same_browser_gets_its_own_conversation(house: House) -> None:
    await house.proves("o-alice", HERS)
    hers = await house.page()
    await hers.say("她的事")
    his = await house.page(BOB, HIS)
    assert his.conversation_id != hers.conversation_id
    assert (await his.history())["messages"] == []
    forged = issue_session(
        house.parts.settings.session_key.get_secret_value(), conversation_id=hers.conversation_id,
        now=house.clock(), lifetime=timedelta(hours=1),
    )  # fmt: skip
    stranger = Customer(house.http, hers.conversation_id, forged)
    assert (await stranger.http.get("/v1/messages", headers=stranger.headers)).status_code == 401


async def test_customers_with_the_same_telephone_number_are_two(house: House) -> None:
    await house.proves("o-alice", HERS)
    await house.proves("o-bob", HIS)
    hers, his = await house.page(), await house.page(BOB, HIS)
    assert hers.conversation_id != his.conversation_id
    await hers.say("她的话")
    assert "她的话" not in texts(await his.history())


async def test_an_account_that_moved_to_another_customer_is_void(house: House, tmp_path: Path) -> None:
    await house.proves("o-tenant", HERS)
    database = Database(f"sqlite:///{tmp_path / 'billing.db'}")
    with database.transaction() as session:
        bob = session.scalars(select(Person.id).where(Person.customer_no == BOB)).one()
        session.execute(update(Account).where(Account.account_no == HERS).values(customer_id=bob))
    database.dispose()
    assert await links.look_through(house.parts) == 1
    user = await house.follows("o-tenant")
    assert user.customer_no is None
    rows = house.rows(user.conversation_id)
    assert len(rows) == 1
    assert "解除绑定" in rows[0].text
    await house.writes("o-tenant", "上个月电费")
    assert house.identity().accounts == ()
    assert await links.look_through(house.parts) == 0


async def test_without_the_billing_system_nothing_is_lost_and_the_link_comes_later(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    async with start(billing_url=f"sqlite:///{tmp_path / 'later.db'}") as bridge:
        house = House(bridge.app, bridge.rasa, bridge.clock, bridge.http)
        with pytest.raises(Exception, match="no such table|unable to open|readonly"):
            await house.proves("o-alice", HERS)
        people(f"sqlite:///{tmp_path / 'later.db'}")
        await links.settle_news(house.parts)
        assert (await house.follows("o-alice")).customer_no == ALICE


async def test_forgetting_asks_the_dialogue_model_until_it_has_done_so(house: House) -> None:
    from api.rasa import RasaFailed
    from core.channel.erase import user_left
    from core.channel.users import known_user

    forgotten: list[str] = []
    answers = [RasaFailed("ConnectError"), None]

    async def forget(conversations: list[str]) -> None:
        if (error := answers.pop(0)) is not None:
            raise error
        forgotten.extend(conversations)

    house.rasa.forget = forget  # type: ignore[attr-defined]
    await house.writes("o-gone", "我的话")
    user = await house.follows("o-gone")

    def leave(session: Any) -> None:
        known = known_user(session, WECHAT, "o-gone")
        assert known is not None
        user_left(session, known, house.clock())

    await house.parts.store.write(leave)
    assert await links.forget_due(house.parts) == 0  # a push of the last moment may still come again
    house.clock.ahead = timedelta(minutes=2)
    await links.forget_due(house.parts)
    assert forgotten == []
    await links.forget_due(house.parts)
    assert forgotten == [user.conversation_id]
    assert await links.forget_due(house.parts) == 0
    bound = await house.parts.store.read(lambda session: session.scalars(select(Binding)).all())
    assert bound == []


async def test_somebody_unknown_who_proves_an_account_reads_from_then_on_alone(house: House) -> None:
    await house.writes("o-alice", "微信里早先说的")
    await house.proves("o-alice", HERS)
    stranger = await house.customer()
    await stranger.say("我绑一下")

    def work(session: Any) -> None:
        conversation = find_conversation(session, stranger.conversation_id, lock=True)
        message = session.get_one(Message, (conversation.id, 1))
        grant_to(session, conversation, message, Grant(conversation.id, "t", add=(HERS,)), now=house.clock())

    await house.parts.store.write(work)
    await links.settle_news(house.parts)
    await stranger.say("接着问")
    assert texts(await stranger.history()) == ["接着问", "答：接着问"]
    assert house.identity().accounts == (HERS,)
    assert isinstance(house.rasa, FakeRasa)
