"""How it was with a person, asked and answered in WeChat after that person has ended the talk."""

from __future__ import annotations

from typing import Any

import pytest
from bridge_kit import Bridge
from channel_kit import Phone
from handoff_kit import DeskRoom
from sqlalchemy import select, update

from api.dispatch import dispatch_once
from core.channel.deliveries import OPEN
from core.channel.tables import SENT, Delivery
from core.channel.users import begin_anew
from core.conversation import Conversation, Message
from core.handoff import life
from core.handoff.ending import WrapUp
from core.handoff.tables import Handoff
from core.survey import Survey


def delivered(bridge: Bridge) -> None:
    """Let all that waits have been sent by the courier just now."""
    with bridge.parts.bridge.transaction() as session:
        waiting = update(Delivery).where(Delivery.state.in_(OPEN))
        session.execute(waiting.values(state=SENT, sent_at=bridge.clock(), way="service"))


async def served(phone: Phone) -> Message:
    """Let a person serve somebody and end the talk; return the question for satisfaction."""
    bridge = phone.bridge
    await phone.say("转人工")
    room = DeskRoom(bridge.parts.bridge, bridge.clock())
    agent = room.agent("小王")
    with bridge.parts.bridge.reading() as session:
        query = select(Handoff).where(Handoff.conversation_id == phone.user.conversation_id)
        case = session.scalars(query).one()
    room.claim(case, agent)
    delivered(bridge)
    room.replies(case, agent)
    delivered(bridge)
    room.call(life.wrap_up, case.conversation_id, WrapUp(outcome="solved", then="close"), agent_id=agent)
    await dispatch_once(bridge.parts)
    asked = next(one for one in phone.log if one.type == "survey")
    delivered(bridge)
    return asked


def survey(bridge: Bridge, asked: Message) -> Survey:
    with bridge.parts.bridge.reading() as session:
        return session.scalars(select(Survey).where(Survey.conversation_id == asked.conversation_id)).one()


@pytest.mark.parametrize(("typed", "score"), [("5", 5), ("2", 2), ("五", 5)])
async def test_a_digit_after_the_end_is_the_score_and_a_sentence_may_follow(
    start_account: Any, typed: str, score: int
) -> None:
    async with start_account() as bridge:
        phone = Phone(bridge)
        asked = await served(phone)
        assert (await phone.say(typed)).text == bridge.parts.book.words.survey.thanks_closed
        assert (await phone.say("小王很耐心")).text == bridge.parts.book.words.survey.noted
        row = survey(bridge, asked)
        assert (row.score, row.comment, phone.user.conversation_id) == (score, "小王很耐心", asked.conversation_id)


async def test_a_tap_after_the_end_is_the_score(start_account: Any) -> None:
    async with start_account() as bridge:
        phone = Phone(bridge)
        asked = await served(phone)
        await phone.say("很满意", bizmsgmenuid=asked.buttons[0]["id"])
        assert (survey(bridge, asked).score, phone.user.conversation_id) == (5, asked.conversation_id)


async def test_what_is_asked_after_another_talk_has_begun_is_answered_where_it_was_asked(start_account: Any) -> None:
    async with start_account() as bridge:
        for way in ("digit", "tap"):
            phone = Phone(bridge)
            asked = await served(phone)
            with bridge.parts.bridge.transaction() as session:
                fresh = begin_anew(session, session.merge(phone.user), now=bridge.clock()).id
            tapped = {"bizmsgmenuid": asked.buttons[1]["id"]} if way == "tap" else {}
            await phone.say("满意" if tapped else "4", **tapped)
            assert survey(bridge, asked).score == 4
            await phone.say("小王很耐心")
            assert (survey(bridge, asked).comment, phone.user.conversation_id) == ("小王很耐心", fresh)
            assert (await phone.say("查电费")).text == "答：查电费"


async def test_words_that_end_a_talk_are_no_notice(start_account: Any) -> None:
    async with start_account() as bridge:
        phone = Phone(bridge)
        await served(phone)
        said = {one.text: one.seq for one in phone.log}
        kinds = {one.seq: one.kind for one in phone.deliveries}
        assert kinds[said[bridge.parts.book.words.closed]] == "closing"


async def test_another_persons_question_is_nobody_elses_to_answer(start_account: Any) -> None:
    async with start_account() as bridge:
        phone, other = Phone(bridge), Phone(bridge)
        asked = await served(phone)
        heard = await other.say("很满意", bizmsgmenuid=asked.buttons[0]["id"])
        assert heard.text == bridge.parts.wechat.words.choice_gone
        assert survey(bridge, asked).score is None


async def test_a_digit_said_to_a_person_ends_nothing(start_account: Any) -> None:
    async with start_account() as bridge:
        phone = Phone(bridge)
        await phone.say("转人工")
        room = DeskRoom(bridge.parts.bridge, bridge.clock())
        agent = room.agent("小王")
        with bridge.parts.bridge.reading() as session:
            query = select(Handoff).where(Handoff.conversation_id == phone.user.conversation_id)
            case = session.scalars(query).one()
        room.claim(case, agent)
        delivered(bridge)
        await phone.say("1")
        assert "wrap_up" not in room.kinds(case)
        room.replies(case, agent)
        delivered(bridge)
        await phone.say("1")
        assert "wrap_up" not in room.kinds(case)
        with bridge.parts.bridge.reading() as session:
            assert session.get_one(Conversation, case.conversation_id).mode == "human"
        assert [text for author, text in phone.said if author == "customer"][-2:] == ["1", "1"]
