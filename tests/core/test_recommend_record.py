"""What was recommended is kept once a month, in one of two conversations, never after a refusal, never in a danger."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from threading import Barrier

import pytest
from dialects import DIALECTS, NewUrl
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import SHANGHAI
from core.conversation import Conversation, Message, open_conversation
from core.db import Database
from core.fields import Keyring
from core.handoff.tables import Handoff
from core.migrations import upgrade
from core.proactive.choices import choose
from core.proactive.tables import Choice
from core.recommend.choosing import held_out, is_due, is_quiet
from core.recommend.record import Decided, Told, decide, keep, read
from core.recommend.refusals import BadOffer, refuse, refused
from core.recommend.rules import recommend_rules
from core.recommend.tables import ALL, RECOMMENDATIONS, Recommendation, Refusal

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=SHANGHAI)
RULES = recommend_rules()
TOLD = Told(("C1",), "4201234567890", "saving_measure", Decimal("73.32"), {"months": "12"}, "basic")


@pytest.fixture(params=DIALECTS)
def bridge(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Database]:
    database = Database(new_url(request.param, tmp_path))
    upgrade("bridge", database)
    yield database
    database.dispose()


def talk(session: Session, *, at: datetime = NOW, channel: str = "web") -> Conversation:
    return open_conversation(session, channel=channel, customer_no="C1", accounts=[], assurance=1, now=at)


def kept(session: Session, told: Told = TOLD, *, at: datetime = NOW, where: Conversation | None = None) -> bool:
    conversation = where or talk(session, at=at)
    return keep(session, RULES, told, conversation_id=conversation.id, talks=(conversation.id,), now=at)


def rows(session: Session) -> list[Recommendation]:
    return list(session.scalars(select(Recommendation).order_by(Recommendation.id)))


def said(session: Session, where: Conversation, intent: str | None, *, at: datetime, kind: str = "text") -> None:
    session.add(
        Message(
            conversation_id=where.id, seq=where.next_seq, at=at, author="customer", type=kind, text="x", buttons=[],
            channel="web", understood={"intent": intent, "confidence": 0.9} if intent else None,
        )
    )  # fmt: skip
    where.next_seq += 1
    session.flush()


def test_what_was_told_is_written_down_whole(bridge: Database) -> None:
    with bridge.transaction() as session:
        where = talk(session)
        assert kept(session, where=where)
        (row,) = rows(session)
        assert (row.customer_no, row.account_no, row.kind, row.state, row.segment, row.conversation_id) == (
            "C1", "4201234567890", "saving_measure", "shown", "basic", where.id,
        )  # fmt: skip
        assert (row.yuan, row.basis, row.month.isoformat()) == (Decimal("73.32"), {"months": "12"}, "2026-11-01")


def test_a_command_is_read_as_it_was_written(bridge: Database) -> None:
    assert read(TOLD.said()) == TOLD
    for decided in (Decided(("C1", "C2"), "accepted"), Decided(("C1",), never=ALL)):
        assert read(decided.said()) == decided
    for wrong in (
        {}, {"customers": []}, {"customers": ["C1"]}, {"customers": ["C1"], "state": "shown"},
        {"customers": ["C1"], "never": "everything"}, TOLD.said() | {"kind": "loan"}, TOLD.said() | {"yuan": "much"},
        {"customers": ["C1"], "state": "refused", "never": ALL},
    ):  # fmt: skip
        with pytest.raises(BadOffer):
            read(wrong)


def test_one_customer_has_one_a_month_wherever_they_ask(bridge: Database) -> None:
    with bridge.transaction() as session:
        assert kept(session)
        assert not kept(session, at=NOW + timedelta(days=3))  # another conversation
        assert not kept(session, at=datetime(2026, 12, 1, 9, tzinfo=SHANGHAI))  # the next month, a week later
        assert kept(session, at=datetime(2026, 12, 20, 9, tzinfo=SHANGHAI))
        assert len(rows(session)) == 2


def test_a_conversation_has_one_whoever_its_accounts_belong_to(bridge: Database) -> None:
    with bridge.transaction() as session:
        where = talk(session)
        assert kept(session, where=where)
        other = Told(("C2",), "4209876543210", "tier_warning", Decimal(20), {})
        assert not kept(session, other, at=NOW + timedelta(hours=1), where=where)
        elsewhere = open_conversation(session, channel="web", customer_no="C2", accounts=[], assurance=1, now=NOW)
        assert kept(session, other, at=NOW + timedelta(hours=1), where=elsewhere)


def test_who_asks_for_two_owners_accounts_in_two_conversations_has_one_a_month(bridge: Database) -> None:
    """Somebody who asks for their own account and for their parents' is one who hears it."""
    with bridge.transaction() as session:
        parents = Told(("C2", "C1"), "4209876543210", "tier_warning", Decimal(20), {})
        assert kept(session, parents, where=talk(session))
        assert not kept(session, TOLD, at=NOW + timedelta(days=2))
        assert not kept(session, replace(parents, customers=("C3", "C1")), at=NOW + timedelta(days=3))
        assert len(rows(session)) == 1


def test_the_month_of_two_zones_is_that_of_shanghai(bridge: Database) -> None:
    with bridge.transaction() as session:
        assert kept(session, at=datetime(2026, 11, 30, 23, 30, tzinfo=SHANGHAI))
        assert rows(session)[0].month.isoformat() == "2026-11-01"


def test_two_at_the_same_moment_in_two_conversations_become_one(bridge: Database) -> None:
    with bridge.transaction() as session:
        ids = [talk(session).id for _ in range(4)]
    together = Barrier(len(ids))

    def one(conversation_id: str) -> bool:
        together.wait()
        with bridge.transaction() as session:
            return keep(session, RULES, TOLD, conversation_id=conversation_id, talks=(conversation_id,), now=NOW)

    with ThreadPoolExecutor(len(ids)) as pool:
        found = list(pool.map(one, ids))
    assert sorted(found) == [False, False, False, True]
    with bridge.reading() as session:
        assert len(rows(session)) == 1


def test_refused_once_is_never_again_in_any_conversation_month_channel_or_kind(bridge: Database) -> None:
    with bridge.transaction() as session:
        assert kept(session)
        decide(session, Decided(("C1",), never=ALL), now=NOW)
        decide(session, Decided(("C1",), never=ALL), now=NOW)  # again: nothing changes
        assert [(row.state, row.decided_at) for row in rows(session)] == [("refused", NOW)]
        for months, kind in enumerate(RECOMMENDATIONS, 1):
            at = NOW + timedelta(days=40 * months)
            told = Told(("C1",), "4201234567890", kind, Decimal(900), {})
            assert not kept(session, told, at=at, where=talk(session, at=at, channel="wechat"))
        assert refused(session, ["C1", "C2"]) == {ALL}
        assert len(rows(session)) == 1


def test_a_refused_kind_leaves_the_others(bridge: Database) -> None:
    with bridge.transaction() as session:
        decide(session, Decided(("C1",), never="saving_measure"), now=NOW)
        assert not kept(session)
        assert kept(session, Told(("C1",), "4201234567890", "tier_warning", Decimal(9), {}))


def test_not_this_time_is_no_refusal_for_ever(bridge: Database) -> None:
    with bridge.transaction() as session:
        assert kept(session)
        decide(session, Decided(("C1",), "refused"), now=NOW)
        assert [row.state for row in rows(session)] == ["refused"]
        assert session.scalars(select(Refusal)).all() == []
        assert kept(session, at=NOW + timedelta(days=40))


def test_what_was_accepted_stays_accepted(bridge: Database) -> None:
    with bridge.transaction() as session:
        assert kept(session)
        decide(session, Decided(("C1",), "accepted"), now=NOW)
        decide(session, Decided(("C1",), "refused"), now=NOW + timedelta(minutes=1))
        assert [(row.state, row.decided_at) for row in rows(session)] == [("accepted", NOW)]


def test_the_word_of_whoever_speaks_counts_too(bridge: Database) -> None:
    """A daughter asks for her mother's account: her refusal and her mother's both hold."""
    with bridge.transaction() as session:
        refuse(session, "customer:C9", ALL, now=NOW)
        assert not kept(session, Told(("C1", "C9"), "4201234567890", "tier_warning", Decimal(9), {}))
        assert kept(session)
        with pytest.raises(BadOffer):
            refuse(session, "customer:C1", "loans", now=NOW)


def test_a_refusal_of_all_ends_offers_by_notice(bridge: Database) -> None:
    with bridge.transaction() as session:
        choose(session, "customer:C1", "offer", wanted=True, channel="chat", now=NOW)
        decide(session, Decided(("C1",), never=ALL), now=NOW)
        assert session.get_one(Choice, ("customer:C1", "offer")).wanted is False


def test_the_held_out_are_written_down_by_the_same_rules_and_nobody_decides_for_them(bridge: Database) -> None:
    quiet = Told(("C1",), "4201234567890", "saving_measure", Decimal("73.32"), {}, "basic", held_out=True)
    with bridge.transaction() as session:
        assert kept(session, quiet)
        assert not kept(session, quiet, at=NOW + timedelta(days=2))
        decide(session, Decided(("C1",), "accepted"), now=NOW)
        assert [(row.state, row.yuan, row.decided_at) for row in rows(session)] == [
            ("held_out", Decimal("73.32"), None)
        ]


def test_a_tenth_is_held_out_for_good_and_no_other_key_says_who(keyring: Keyring) -> None:
    numbers = [f"C{number:08d}" for number in range(5000)]
    mine = {number for number in numbers if held_out(keyring, number, RULES)}
    assert 400 < len(mine) < 600
    assert mine == {number for number in numbers if held_out(keyring, number, RULES)}
    other = Keyring(keyring.active, keyring.keys, bytes(32))
    assert len(mine & {number for number in numbers if held_out(other, number, RULES)}) < 120


@pytest.mark.parametrize("mode", ["queued", "offered", "human", "wrap_up"])
def test_nothing_while_a_person_has_the_conversation(bridge: Database, mode: str) -> None:
    with bridge.transaction() as session:
        where = talk(session)
        where.mode = mode
        assert not kept(session, where=where)
        where.mode = "bot"
        assert kept(session, where=where)


def test_nothing_while_a_case_is_open_or_just_over(bridge: Database) -> None:
    with bridge.transaction() as session:
        where = talk(session)
        case = Handoff(
            conversation_id=where.id, reason="asked", skill="billing", requested_at=NOW, rank_at=NOW, agent_id=None,
            offered_to=None, due_at=None, category=None, outcome=None, ended_at=None,
        )  # fmt: skip
        session.add(case)
        session.flush()
        assert not kept(session, where=where)
        case.ended_at = NOW - timedelta(hours=2)
        session.flush()
        assert not kept(session, where=where)
        case.ended_at = NOW - timedelta(hours=30)
        session.flush()
        assert kept(session, where=where)


@pytest.mark.parametrize("intent", ["report_danger", "report_outage", "complain", "query_bill+complain"])
def test_nothing_after_a_danger_an_outage_or_a_complaint_was_spoken_of(bridge: Database, intent: str) -> None:
    with bridge.transaction() as session:
        where = talk(session)
        said(session, where, intent, at=NOW - timedelta(hours=3))
        said(session, where, "query_bill", at=NOW)
        assert is_quiet(session, RULES, talks=(where.id,), now=NOW)
        assert not kept(session, where=where)
        assert not is_quiet(session, RULES, talks=(where.id,), now=NOW + timedelta(hours=30))


def test_nothing_after_a_warning_of_a_danger(bridge: Database) -> None:
    with bridge.transaction() as session:
        where = talk(session)
        said(session, where, None, at=NOW - timedelta(minutes=5), kind="safety")
        assert not kept(session, where=where)


def test_what_was_said_before_the_conversations_became_one_counts(bridge: Database) -> None:
    with bridge.transaction() as session:
        before, where = talk(session), talk(session)
        said(session, before, "report_outage", at=NOW - timedelta(hours=1))
        both = (where.id, before.id)
        assert not keep(session, RULES, TOLD, conversation_id=where.id, talks=both, now=NOW)
        assert is_due(session, RULES, customers=("C1",), talks=both, now=NOW)


def test_what_the_customer_speaks_of_in_another_channel_counts(bridge: Database) -> None:
    """An outage reported over WeChat, or a person who has that conversation: nothing on the web page either."""
    with bridge.transaction() as session:
        where, wechat = talk(session), talk(session, channel="wechat")
        said(session, wechat, "report_outage", at=NOW - timedelta(hours=3))
        assert not kept(session, where=where)
        wechat.last_at, wechat.mode = NOW + timedelta(days=3), "human"
        assert not kept(session, where=where, at=NOW + timedelta(days=3))
        stranger = open_conversation(session, channel="web", customer_no="C2", accounts=[], assurance=1, now=NOW)
        stranger.mode, stranger.last_at, wechat.mode = "human", NOW + timedelta(days=3), "bot"
        assert kept(session, where=where, at=NOW + timedelta(days=3))
