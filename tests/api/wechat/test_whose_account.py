"""Before a user is heard who was silent for a while, it is looked at whose the accounts are by now."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from bridge_kit import running
from channel_kit import Phone, wechat_settings
from test_one_conversation import BOB, HERS, House, Urls, people

from core.account import Account
from core.account import Customer as Person
from core.db import Database


@pytest.fixture
async def official(urls: Urls, tmp_path: Path) -> AsyncIterator[House]:
    billing = f"sqlite:///{tmp_path / 'billing.db'}"
    people(billing)
    async with running(wechat_settings(urls, billing_url=billing)) as bridge:
        yield House(bridge.app, bridge.rasa, bridge.clock, bridge.http)


async def test_after_ten_quiet_minutes_it_is_looked_at_whose_the_account_is(official: House, tmp_path: Path) -> None:
    phone = Phone(official)
    await phone.say("你好")
    await official.proves(phone.openid, HERS)
    before = phone.user.conversation_id
    database = Database(f"sqlite:///{tmp_path / 'billing.db'}")
    with database.transaction() as session:
        account = session.query(Account).filter_by(account_no=HERS).one()
        account.customer_id = session.query(Person).filter_by(customer_no=BOB).one().id
    database.dispose()
    await phone.say("上个月电费")
    assert official.identity().accounts == (HERS,)  # nobody has looked again yet
    official.clock.ahead = timedelta(minutes=11)
    heard = await phone.say("这个月电费")
    assert official.identity().accounts == ()
    assert phone.user.conversation_id != before
    assert heard.text is not None
    assert "解除绑定" in heard.text
    assert phone.user.customer_no is None


async def test_without_the_billing_system_the_message_is_heard_all_the_same(official: House, tmp_path: Path) -> None:
    phone = Phone(official)
    await phone.say("你好")
    await official.proves(phone.openid, HERS)
    (tmp_path / "billing.db").rename(tmp_path / "away.db")
    official.clock.ahead = timedelta(minutes=11)
    heard = await phone.say("这个月电费")
    assert (heard.text or "").endswith("答：这个月电费")
