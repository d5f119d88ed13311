"""Papers of the hall that a login's page scans in the conversation that the customer has over WeChat."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bridge_kit import running, settings
from test_one_conversation import HERS, SECOND, House, people

from core import conversation as log_of
from core.business import BusinessTable
from core.channel.join import join
from core.channel.writer import writer_of
from core.conversation import Message
from core.hall_paper import make_poster


@pytest.fixture
async def home(sqlite_urls: tuple[str, str], tmp_path: Path) -> AsyncIterator[House]:
    billing = f"sqlite:///{tmp_path / 'billing.db'}"
    people(billing)
    async with running(settings(*sqlite_urls, billing_url=billing, upload_dir=tmp_path / "photos")) as bridge:
        yield House(bridge.app, bridge.rasa, bridge.clock, bridge.http)


async def test_a_logins_scan_is_asked_with_the_logins_accounts(home: House) -> None:
    await home.proves("o-alice", HERS)
    page = await home.page()
    business = BusinessTable.load(home.parts.settings.data_dir / "business").get("transfer")
    with home.parts.bridge.transaction() as session:
        scene = make_poster(session, business, days=None, agent_id=None, now=home.clock()).scene
    await home.http.post("/v1/papers", json={"scene": scene}, headers=page.headers)
    assert home.rasa.asked[-1]["text"] == '/inform{"start": "transfer"}'
    assert (home.identity().accounts, home.identity().channel) == ((HERS, SECOND), "web")


async def test_a_scan_is_the_writing_of_who_scanned_though_the_page_was_joined(home: House) -> None:
    page = await home.customer()  # somebody unknown
    await home.proves("o-alice", HERS)
    user = await home.follows("o-alice")
    business = BusinessTable.load(home.parts.settings.data_dir / "business").get("transfer")
    with home.parts.bridge.transaction() as session:
        scene = make_poster(session, business, days=None, agent_id=None, now=home.clock()).scene
        own = log_of.find_conversation(session, page.conversation_id, lock=True)
        join(session, own, log_of.find_conversation(session, user.conversation_id, lock=True), now=home.clock())
    await home.http.post("/v1/papers", json={"scene": scene}, headers=page.headers)
    with home.parts.bridge.reading() as session:
        query = session.query(Message).filter_by(conversation_id=user.conversation_id, author="customer", channel="web")
        assert [writer_of(session, message) for message in query] == [page.conversation_id]
    assert home.identity().accounts == ()
