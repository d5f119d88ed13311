"""Campaigns: to groups of customers who agreed, approved by another, through the broadcasts that there are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from campaign_kit import NOBODY, NOW, RULES, agree, run
from dialects import DIALECTS, NewUrl
from proactive_kit import NOTICES, fan_out, recipients
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import campaign as campaigns
from core import conversation as log_of
from core.campaign import BadCampaign, CampaignNotFound, NobodyAgreed, OwnCampaign, WrongStep
from core.campaign_reach import Reach, reached
from core.conversation import open_conversation
from core.db import Database
from core.fields import Keyring
from core.migrations import upgrade
from core.proactive import broadcast
from core.proactive.choices import choose
from core.proactive.said import bring_in, bring_offer
from core.proactive.tables import SENT, Broadcast, Send
from core.recommend.refusals import refuse
from core.recommend.tables import ALL, Campaign

TEXT = "充电桩改在夜里23点以后充，每度便宜一些。想看您家能少花多少，跟我说“哪种电价便宜”。"


@pytest.fixture(params=DIALECTS)
def bridge(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Database]:
    database = Database(new_url(request.param, tmp_path))
    upgrade("bridge", database)
    yield database
    database.dispose()


def drafted(session: Session, *segments: str, text: str = TEXT, by: int | None = 1) -> Campaign:
    return campaigns.draft(session, RULES, name="夜间充电", segments=segments or ("growth",), text=text, by=by, now=NOW)


def started(session: Session, row: Campaign, keyring: Keyring) -> Campaign:
    reach, people = reached(session, NOBODY, row.segments, keyring=keyring)
    return campaigns.start(session, NOTICES, RULES, row.id, reach=reach, recipients=people, now=NOW)


def test_those_of_the_group_who_agreed_are_told_and_nobody_else(bridge: Database, keyring: Keyring) -> None:
    with bridge.transaction() as session:
        run(
            session, {"A": ["growth"], "B": ["growth"], "C": ["basic"], "D": ["growth", "special_service"], "E": [None]}
        )
        agree(session, "A", "C", "D", "E", "X")
        agree(session, "B", wanted=False)
        row = drafted(session)
        campaigns.approve(session, row.id, by=2)
        row = started(session, row, keyring)
        assert (row.state, row.audience, row.consenting, row.held_out) == ("running", 2, 1, 0)
        number = row.broadcast_id or 0
    fan_out(bridge, number)
    with bridge.reading() as session:
        assert recipients(session, number) == {"customer:A": "chat"}
        sent = session.get_one(Broadcast, number)
        assert (sent.kind, sent.wording, sent.values) == ("offer", "offer", {"text": TEXT})
        assert sent.expires_at == NOW + timedelta(days=RULES.campaigns.good_days)


def test_without_a_choice_of_their_own_nobody_agreed(bridge: Database, keyring: Keyring) -> None:
    with bridge.transaction() as session:
        run(session, {"A": ["growth"], "B": ["growth"]})
        row = drafted(session)
        campaigns.approve(session, row.id, by=2)
        assert reached(session, NOBODY, ["growth"], keyring=keyring) == ([Reach("growth", audience=2)], [])
        with pytest.raises(NobodyAgreed):
            started(session, row, keyring)
        assert row.state == "approved"


def test_another_one_approves_it(bridge: Database) -> None:
    with bridge.transaction() as session:
        row = drafted(session, by=1)
        with pytest.raises(OwnCampaign):
            campaigns.approve(session, row.id, by=1)
        campaigns.approve(session, row.id, by=2)
        assert (row.state, row.approved_by) == ("approved", 2)
        with pytest.raises(WrongStep):
            campaigns.approve(session, row.id, by=3)
        with pytest.raises(CampaignNotFound):
            campaigns.approve(session, row.id + 1, by=2)


def test_what_nobody_approved_is_not_started(bridge: Database, keyring: Keyring) -> None:
    with bridge.transaction() as session:
        run(session, {"A": ["growth"]})
        agree(session, "A")
        row = drafted(session)
        with pytest.raises(WrongStep):
            started(session, row, keyring)


def test_stopped_it_tells_nobody_more_and_goes_on_where_it_was(bridge: Database, keyring: Keyring) -> None:
    with bridge.transaction() as session:
        run(session, {"A": ["growth"]})
        agree(session, "A")
        row = drafted(session)
        campaigns.approve(session, row.id, by=2)
        started(session, row, keyring)
        assert campaigns.stop(session, row.id, by="x", now=NOW).state == "stopped"
        assert campaigns.stop(session, row.id, by="x", now=NOW).state == "stopped"  # twice changes nothing
        sent = session.get_one(Broadcast, row.broadcast_id)
        assert sent.state == "stopped"
        again = campaigns.start(session, NOTICES, RULES, row.id, reach=[], recipients=[], now=NOW)
        assert (again.state, sent.state) == ("running", "running")
        with pytest.raises(WrongStep):
            campaigns.start(session, NOTICES, RULES, row.id, reach=[], recipients=["A"], now=NOW)
        sent.state = "done"
        session.flush()
        later = NOW + timedelta(days=RULES.campaigns.good_days)
        assert campaigns.states(session, [row], now=later) == {row.id: "done"}
        with pytest.raises(WrongStep):
            campaigns.stop(session, row.id, by="x", now=later)


def test_what_is_handed_out_and_waits_in_conversations_can_still_be_stopped(bridge: Database, keyring: Keyring) -> None:
    """All sends of an offer are handed out within minutes; who has not written since has not read it."""
    with bridge.transaction() as session:
        row, _ = told(session, keyring)
        sent = session.get_one(Broadcast, row.broadcast_id)
        sent.state = "done"
        session.flush()
        assert campaigns.states(session, [row], now=NOW) == {row.id: "running"}
        assert campaigns.told(session, [row]) == {row.id: 0}
        campaigns.stop(session, row.id, by="x", now=NOW)
        where = open_conversation(session, channel="web", customer_no="A", accounts=[], assurance=1, now=NOW)
        assert not bring_offer(session, where, NOTICES, unless=lambda: False, now=NOW)
        campaigns.start(session, NOTICES, RULES, row.id, reach=[], recipients=[], now=NOW)
        assert bring_offer(session, where, NOTICES, unless=lambda: False, now=NOW)
        assert campaigns.told(session, [row]) == {row.id: 1}


def test_what_was_stopped_on_the_page_of_broadcasts_goes_on_from_here(bridge: Database, keyring: Keyring) -> None:
    with bridge.transaction() as session:
        row, _ = told(session, keyring)
        broadcast.stop(session, int(row.broadcast_id or 0), by="x", now=NOW)
        assert campaigns.states(session, [row], now=NOW) == {row.id: "stopped"}
        campaigns.start(session, NOTICES, RULES, row.id, reach=[], recipients=[], now=NOW)
        assert campaigns.states(session, [row], now=NOW) == {row.id: "running"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "text"), ("省" * 301, "text"), ("您是我们的高价值客户", "segment_words"),
        ("限时优惠，最后一天", "pressure_words"), ("再不缴费就停电", "pressure_words"),
        ("限 时办理", "pressure_words"), ("高 风-险用户看这里", "segment_words"), ("　 \n", "text"), ("……", "text"),
        ("限\u200b时办理", "markup"), ("点<a href='x'>这里</a>", "markup"), ("{text}", "markup"),
    ],
)  # fmt: skip
def test_a_text_with_a_label_or_with_pressure_is_refused(bridge: Database, text: str, problem: str) -> None:
    with bridge.transaction() as session:
        with pytest.raises(BadCampaign) as error:
            drafted(session, text=text)
        assert error.value.problem == problem
        assert campaigns.latest(session) == []


@pytest.mark.parametrize("segments", [[], ["everybody"], ["growth", "nobody"]])
def test_a_group_that_there_is_not_is_refused(bridge: Database, segments: list[str]) -> None:
    with bridge.transaction() as session, pytest.raises(BadCampaign):
        campaigns.draft(session, RULES, name="x", segments=segments, text=TEXT, by=1, now=NOW)


def told(session: Session, keyring: Keyring) -> tuple[Campaign, Send]:
    """Return a campaign that is sent, as far as it goes outside of a conversation."""
    run(session, {"A": ["growth"]})
    agree(session, "A")
    row = drafted(session)
    campaigns.approve(session, row.id, by=2)
    started(session, row, keyring)
    send = Send(
        broadcast_id=row.broadcast_id or 0, recipient="customer:A", channel="chat", channel_user_id=None, values={},
        state=SENT, next_at=NOW, sent_at=NOW,
    )  # fmt: skip
    session.add(send)
    session.flush()
    return row, send


def test_an_offer_is_a_line_after_an_answer_once_and_never_before_a_message(bridge: Database, keyring: Keyring) -> None:
    with bridge.transaction() as session:
        told(session, keyring)
        where = open_conversation(session, channel="web", customer_no="A", accounts=[], assurance=1, now=NOW)
        assert bring_in(session, where, NOTICES, now=NOW) == 0
        assert not bring_offer(session, where, NOTICES, unless=lambda: True, now=NOW)
        assert bring_offer(session, where, NOTICES, unless=lambda: False, now=NOW)
        assert not bring_offer(session, where, NOTICES, unless=lambda: False, now=NOW)
        session.flush()
        (message,) = log_of.messages_after(session, where.id, 0)
        assert message.text == f"{TEXT}\n不想再收用电建议，跟我说“关掉用电建议”。"


@pytest.mark.parametrize("why", ["shut", "stopped", "late"])
def test_an_offer_that_nobody_wants_any_more_is_not_told(bridge: Database, keyring: Keyring, why: str) -> None:
    with bridge.transaction() as session:
        row, _ = told(session, keyring)
        where = open_conversation(session, channel="web", customer_no="A", accounts=[], assurance=1, now=NOW)
        if why == "shut":
            refuse(session, "customer:A", ALL, now=NOW)
        elif why == "stopped":
            campaigns.stop(session, row.id, by="x", now=NOW)
        at = NOW + timedelta(days=15 if why == "late" else 0)
        assert not bring_offer(session, where, NOTICES, unless=lambda: False, now=at)


def test_over_wechat_too_it_waits_for_the_conversation(bridge: Database) -> None:
    """A template message must not advertise: whoever chose WeChat or SMS for offers is told in the conversation."""
    assert NOTICES.kinds["offer"].ways == ("chat",)
    assert not NOTICES.kinds["offer"].customers
    assert not NOTICES.kinds["offer"].followers
    from core.proactive.choices import chosen

    with bridge.transaction() as session:
        for channel in ("wechat", "sms"):
            choose(session, "customer:A", "offer", wanted=True, channel=channel, now=NOW)
            assert chosen(session, ["customer:A"], "offer", NOTICES)["customer:A"].channel == "chat"
        assert session.scalars(select(Campaign)).all() == []
