"""Gathering: every message that was not done justice to, once, however late; nothing else, and nobody's data."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from core import conversation as log_of
from core.channel.erase import user_left
from core.channel.tables import WECHAT
from core.channel.users import user_of
from core.learning import marks
from core.learning.tables import LearningGroup, LearningItem
from tests.core.learning_kit import LearningRoom, rooms
from tests.dialects import DIALECTS

if TYPE_CHECKING:
    from tests.conftest import NewUrl


@pytest.fixture(params=DIALECTS)
def room(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[LearningRoom]:
    yield from rooms(new_url, request.param, tmp_path)


def test_what_was_not_answered_or_hardly_understood_is_gathered_with_its_reasons(room: LearningRoom) -> None:
    talk = room.talk()
    room.says(talk, "绿电怎么买", "out_of_scope")
    room.says(talk, "那个东西咋整", "nlu_fallback", 0.2, failed=True)
    room.says(talk, "碳积分能抵电费吗", "query_bill", 0.45)
    room.says(talk, "查一下电费", "query_bill", 0.99)
    room.says(talk, "表箱有蛇", author="system", answer=room.sources.apology)
    assert room.collects().new == 4
    assert room.texts() == {
        "绿电怎么买": ["unanswered"],
        "那个东西咋整": ["low_confidence", "unanswered"],
        "碳积分能抵电费吗": ["low_confidence"],
        "表箱有蛇": ["unanswered"],
    }
    found = {item.text: (item.intent, item.confidence, item.state) for item in room.items()}
    assert found["碳积分能抵电费吗"] == ("query_bill", 0.45, "open")
    assert found["表箱有蛇"] == (None, None, "open")


def test_what_stood_before_a_handoff_and_what_an_agent_corrected_is_gathered(room: LearningRoom) -> None:
    talk = room.talk()
    room.says(talk, "早些时候的问题", "query_bill")
    room.passes(minutes=20)
    seq = room.says(talk, "电梯停了归哪个管", "query_outage")
    room.says(talk, "转人工", "request_human")
    room.case(talk, corrected={str(seq): "report_outage"})
    calm = room.talk()
    room.says(calm, "我要过户", "apply_transfer")
    room.case(calm, "rule")
    room.collects()
    assert room.texts() == {"电梯停了归哪个管": ["corrected", "handed_over"]}
    assert room.items()[0].suggested == "report_outage"


def test_words_by_which_the_bridge_itself_hands_over_were_not_misread_by_any_model(room: LearningRoom) -> None:
    talk = room.talk()
    room.says(talk, "一户一表怎么申请", "apply_new_supply")
    room.says(talk, "人工！")
    room.case(talk)
    room.collects()
    assert room.texts() == {"一户一表怎么申请": ["handed_over"]}


def test_forms_buttons_pictures_and_payloads_are_no_questions(room: LearningRoom) -> None:
    talk = room.talk()
    room.says(talk, "王小明", "out_of_scope", 0.2, form={"name": "transfer_form"})
    room.says(talk, "我的账单", "out_of_scope", payload="/query_bill")
    room.says(talk, "???", "out_of_scope")
    room.says(talk, "长" * 301, "out_of_scope")
    found = room.collects()
    assert (found.new, dict(found.dropped)) == (0, {"empty": 1, "long": 1})


def test_each_message_comes_once_and_later_reasons_join_it(room: LearningRoom) -> None:
    talk = room.talk()
    seq = room.says(talk, "绿电怎么买", "out_of_scope")
    assert room.collects().new == 1
    assert room.collects().new == 0
    room.passes(days=3)
    room.case(talk, corrected={str(seq): "ask_integrated_energy"})
    found = room.collects()
    assert (found.new, found.changed) == (0, 1)
    assert [(item.reasons, item.suggested) for item in room.items()] == [
        (["corrected", "unanswered"], "ask_integrated_energy")
    ]
    assert room.collects().changed == 0


def test_an_answer_that_comes_long_after_the_mark_is_not_missed(room: LearningRoom) -> None:
    talk = room.talk()
    late = room.says(talk, "绿电证书在哪领", done=False)
    room.passes(hours=30)
    room.says(talk, "充电站合伙找谁", "out_of_scope")
    assert list(room.collects() and room.texts()) == ["充电站合伙找谁"]
    with room.writing() as session:
        message = session.get_one(log_of.Message, (talk, late))
        message.turn, message.understood = "done", {"intent": "out_of_scope", "confidence": 0.3}
        assert marks.mark(session, marks.CURSOR)["until"] == message.at.isoformat()
    room.passes(hours=1)
    room.collects()
    assert sorted(room.texts()) == ["充电站合伙找谁", "绿电证书在哪领"]


def test_more_messages_than_a_page_all_at_one_instant_are_all_found(
    room: LearningRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.learning.found.PAGE", 3)
    for word in "甲乙丙丁戊己庚":
        room.says(room.talk(), f"{word}种绿电怎么买", "out_of_scope")
    assert room.collects().new == 7


def test_personal_data_of_the_customer_and_of_anybody_is_gone_before_it_is_kept(room: LearningRoom) -> None:
    talk = room.talk(None, "4201234567890")
    room.says(talk, "四二零一二三四五六七八九零的绿电怎么买，我叫刘建国，13912345678", "out_of_scope")
    room.collects()
    (text,) = room.texts()
    assert text == "某号的绿电怎么买，我叫某人，某号"


def test_an_erased_conversation_takes_its_messages_and_the_example_of_its_group_along(room: LearningRoom) -> None:
    with room.writing() as session:
        talk = str(user_of(session, WECHAT, "oSomebody", now=room.now).conversation_id)
    room.says(talk, "绿电怎么买", "out_of_scope")
    room.says(talk, "绿证哪里领", "out_of_scope")
    room.collects()
    other = room.item("风电能认购吗")
    with room.writing() as session:
        group = LearningGroup(name="绿电", size=3, harm=3.0, parts={}, example="绿电怎么买", made_at=room.now)
        alone = LearningGroup(name="绿证", size=1, harm=1.0, parts={}, example="绿证哪里领", made_at=room.now)
        session.add_all([group, alone])
        session.flush()
        first, second = session.query(LearningItem).filter(LearningItem.conversation_id == talk).order_by("id")
        first.group_id, second.group_id = group.id, alone.id
        session.get_one(LearningItem, other).group_id = group.id
        ids = (group.id, alone.id)
    with room.writing() as session:
        user_left(session, user_of(session, WECHAT, "oSomebody", now=room.now), room.now)
    with room.bridge.reading() as session:
        left, gone = (session.get(LearningGroup, one) for one in ids)
        assert left is not None
        assert (left.size, left.example, gone) == (1, "风电能认购吗", None)
    room.passes(minutes=1)
    room.collects()
    assert list(room.texts()) == ["风电能认购吗"]


def test_harm_is_what_went_with_a_message(room: LearningRoom) -> None:
    plain = room.talk()
    room.says(plain, "绿电怎么买", "out_of_scope")
    bad = room.talk("C0000001")
    room.says(bad, "空调外机电人", "out_of_scope")
    room.passes(minutes=5)
    danger = room.case(bad, "danger")
    room.case(bad, "asked")
    room.rates(danger, bad, 1)
    room.passes(hours=3)
    again = room.talk("C0000001")
    room.says(again, "外机还是麻手", "out_of_scope")
    room.collects()
    weights = room.harms()
    assert weights["绿电怎么买"] == {"message": 1.0}
    assert weights["空调外机电人"] == {
        "message": 1.0, "danger": 6.0, "handed_over": 2.0, "repeated": 1.5, "low_survey": 2.0,
    }  # fmt: skip
    assert weights["外机还是麻手"] == {"message": 1.0}


def test_harm_fades_by_half_in_its_half_life() -> None:
    from core.learning.harm import faded
    from tests.core.learning_kit import NOW, SETTINGS

    days = SETTINGS.harm.half_life_days
    assert faded(NOW, SETTINGS.harm, NOW) == 1.0
    assert faded(NOW - timedelta(days=days), SETTINGS.harm, NOW) == 0.5
