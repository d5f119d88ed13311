from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from core import conversation as log_of
from core.conversation import (
    Conversation,
    ConversationClosed,
    ConversationNotFound,
    Draft,
)
from core.db import Database
from core.migrations import upgrade
from core.mode import MODES, TRANSITIONS, WrongMode, shown

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
EXPECTED = {
    ("bot", "ask_person"): "queued", ("bot", "alarm"): "queued", ("closed", "alarm"): "queued",
    ("queued", "offer"): "offered", ("offered", "offer_lapsed"): "queued",
    ("queued", "claim"): "human", ("offered", "claim"): "human", ("human", "requeue"): "queued",
    ("bot", "take"): "human", ("queued", "take"): "human", ("offered", "take"): "human", ("closed", "take"): "human",
    ("queued", "leave_queue"): "bot", ("offered", "leave_queue"): "bot",
    ("human", "finish"): "wrap_up", ("wrap_up", "reopen"): "human",
    ("human", "hand_back"): "bot", ("wrap_up", "hand_back"): "bot",
    ("bot", "close"): "closed", ("queued", "close"): "closed", ("offered", "close"): "closed",
    ("human", "close"): "closed", ("wrap_up", "close"): "closed",
}  # fmt: skip


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def bridge(
    request: pytest.FixtureRequest, new_url: Callable[[str, Path], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """A migrated bridge database of each dialect."""
    database = Database(new_url(request.param, tmp_path_factory.mktemp("bridge")))
    upgrade("bridge", database)
    yield database
    database.dispose()


def _open(session: Session) -> Conversation:
    return log_of.open_conversation(session, channel="web", customer_no=None, accounts=[], assurance=0, now=NOW)


def _say(session: Session, conversation: Conversation, text: str, external_id: str, now: datetime = NOW) -> int:
    message, _ = log_of.record_customer(
        session, conversation, external_id=f"{conversation.id}:{external_id}", text=text, payload=None, now=now
    )
    return message.seq


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("cause", TRANSITIONS)
def test_the_mode_changes_as_the_table_says_and_not_otherwise(bridge: Database, mode: str, cause: str) -> None:
    with bridge.transaction() as session:
        conversation = _open(session)
        conversation.mode = mode
        if (mode, cause) in EXPECTED:
            log_of.change_mode(conversation, cause, now=NOW, reason="why")
            assert (conversation.mode, conversation.mode_since, conversation.mode_reason) == (
                EXPECTED[mode, cause], NOW, "why",
            )  # fmt: skip
        else:
            with pytest.raises(WrongMode):
                log_of.change_mode(conversation, cause, now=NOW)
            assert conversation.mode == mode


@pytest.mark.parametrize("mode", MODES)
def test_from_every_mode_there_is_a_way_on(mode: str) -> None:
    assert {target for allowed, target in TRANSITIONS.values() if mode in allowed} - {mode}


def test_customers_see_neither_offers_nor_the_agents_paperwork() -> None:
    assert [shown(mode) for mode in MODES] == ["bot", "queued", "queued", "human", "human", "closed"]


def test_back_with_the_bot_nothing_is_urgent(bridge: Database) -> None:
    with bridge.transaction() as session:
        conversation = _open(session)
        log_of.change_mode(conversation, "alarm", now=NOW)
        conversation.priority = log_of.PRIORITY_DANGER
        log_of.change_mode(conversation, "claim", now=NOW)
        assert conversation.priority == log_of.PRIORITY_DANGER
        log_of.change_mode(conversation, "hand_back", now=NOW)
        assert conversation.priority == log_of.PRIORITY_NORMAL


Step = tuple[str, int]
STEPS = st.lists(st.tuples(st.sampled_from(["say", "reply"]), st.integers(0, 3)), min_size=1, max_size=4)


@given(st.lists(STEPS, min_size=2, max_size=4))
@examples(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_numbers_grow_by_one_without_gaps_under_concurrent_writers(bridge: Database, writers: list[list[Step]]) -> None:
    with bridge.transaction() as session:
        conversation_id = _open(session).id

    def write(step: Step) -> None:
        kind, number = step
        with bridge.transaction() as session:
            conversation = log_of.find_conversation(session, conversation_id, lock=True)
            if kind == "say":
                _say(session, conversation, "在吗", str(number))
            else:
                log_of.record_reply(session, conversation, Draft("bot", "在", buttons=(("甲", "/a"),)), now=NOW)

    with ThreadPoolExecutor(len(writers)) as pool:
        list(pool.map(lambda steps: [write(step) for step in steps], writers))
    steps = [step for each in writers for step in each]
    expected = sum(kind == "reply" for kind, _ in steps) + len({number for kind, number in steps if kind == "say"})
    with bridge.reading() as session:
        log = log_of.messages_after(session, conversation_id, 0)
        assert [message.seq for message in log] == list(range(1, expected + 1))
        assert log_of.find_conversation(session, conversation_id).next_seq == expected + 1


def test_a_failed_transaction_uses_up_no_number(bridge: Database) -> None:
    with bridge.transaction() as session:
        conversation_id = _open(session).id

    def fail() -> None:
        with bridge.transaction() as session:
            _say(session, log_of.find_conversation(session, conversation_id, lock=True), "在吗", "a")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with bridge.transaction() as session:
        assert _say(session, log_of.find_conversation(session, conversation_id, lock=True), "在吗", "a") == 1


def test_an_unknown_conversation_is_not_found(bridge: Database) -> None:
    with bridge.reading() as session, pytest.raises(ConversationNotFound):
        log_of.find_conversation(session, "nobody")


def test_a_closed_conversation_takes_nothing_but_what_is_urgent(bridge: Database) -> None:
    with bridge.transaction() as session:
        conversation = _open(session)
        log_of.change_mode(conversation, "close", now=NOW)
        with pytest.raises(ConversationClosed):
            _say(session, conversation, "在吗", "a")
        _, is_new = log_of.record_customer(
            session, conversation, external_id=f"{conversation.id}:b", text="触电了", payload=None, now=NOW, urgent=True
        )
        assert is_new


def test_the_dialogue_starts_afresh_after_half_an_hour(bridge: Database) -> None:
    with bridge.transaction() as session:
        conversation = _open(session)
        _say(session, conversation, "在吗", "a", NOW + timedelta(minutes=30))
        assert conversation.sender == f"{conversation.id}.1"
        _say(session, conversation, "在吗", "b", NOW + timedelta(minutes=60, seconds=1))
        assert conversation.sender == f"{conversation.id}.2"


def test_open_turns_come_in_order_and_the_longest_waiting_conversation_first(bridge: Database) -> None:
    with bridge.transaction() as session:
        late, early = _open(session), _open(session)
        assert [_say(session, late, text, text, NOW - timedelta(days=1)) for text in "ab"] == [1, 2]
        _say(session, early, "c", "c", NOW - timedelta(days=2))
        assert [message.text for message in log_of.open_turns(session, late.id)] == ["a", "b"]
        found = log_of.conversations_with_open_turns(session)
        assert [one for one in found if one in (late.id, early.id)] == [early.id, late.id]
        for conversation in (late, early):
            for message in log_of.open_turns(session, conversation.id):
                message.turn = "done"
        assert late.id not in log_of.conversations_with_open_turns(session)


def test_answers_are_found_by_what_they_answer(bridge: Database) -> None:
    with bridge.transaction() as session:
        conversation = _open(session)
        _say(session, conversation, "一", "a")
        _say(session, conversation, "二", "b")
        for seq, text in ((2, "答二"), (1, "答一"), (1, "再答一")):
            log_of.record_reply(session, conversation, Draft("bot", text), now=NOW, in_reply_to=seq)
        [question] = [one for one in log_of.messages_after(session, conversation.id, 0) if one.text == "一"]
        assert [one.text for one in log_of.replies_to(session, question)] == ["答一", "再答一"]


def test_a_button_belongs_to_its_conversation(bridge: Database) -> None:
    with bridge.transaction() as session:
        mine, other = _open(session), _open(session)
        shown = log_of.record_reply(session, mine, Draft("bot", "选", buttons=(("甲", "/a"),)), now=NOW).buttons
        assert log_of.find_button(session, mine, shown[0]["id"]).payload == "/a"
        with pytest.raises(log_of.ButtonNotFound):
            log_of.find_button(session, other, shown[0]["id"])
