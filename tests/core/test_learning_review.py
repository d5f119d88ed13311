"""Reviewing and giving out: two at once do not undo each other, and what must not be learnt is not given out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from sqlalchemy import select

from core.audit import AuditEntry
from core.knowledge import Knowledge
from core.learning import faq, marks, review
from core.learning.export import KNOWLEDGE, MESSAGES, Guard, as_zip, refused_items, write
from core.learning.held_out import FILE, BadHeldOutFile, HeldOut, messages_in, terms_of
from core.learning.tables import LearnedFaq, LearningGroup, LearningItem
from core.learning.training import training_messages
from tests.core.learning_kit import DATA, SETS, SETTINGS, LearningRoom, reviewer, rooms
from tests.dialects import DIALECTS

if TYPE_CHECKING:
    from tests.conftest import NewUrl

GUARD = Guard.load(DATA, SETS)
BESIDE = faq.Beside(Knowledge.load(DATA / "knowledge"), GUARD.held_out, SETTINGS.faq.key_prefix, SETTINGS.leaks.like)
INTENTS = {"ask_solar", "complain", "query_bill"}
GREEN = faq.Written(
    "learned_green_power", "绿电要到哪里认购",
    ("个人想买风电找谁", "公司采购绿色电力的门路", "绿证和绿电买哪样划算"),
    "绿电在电力交易平台认购，企业开户后挂单，个人暂时只能买绿证。", "hubei",
    "湖北电力交易中心公告", "2026-10", "verified",
)  # fmt: skip


@pytest.fixture(params=DIALECTS)
def room(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[LearningRoom]:
    yield from rooms(new_url, request.param, tmp_path)


OTHER = faq.Written(
    "learned_certificates", "绿色凭证一本要花多少", ("凭证行情去哪看", "凭证能转让吗", "凭证有没有期限"),
    "绿证价格由买卖双方商定，每张对应1000千瓦时。", "national", "国家能源局公告", "2026-10", "verified",
)  # fmt: skip


def grouped(room: LearningRoom) -> int:
    with room.writing() as session:
        group = LearningGroup(name="绿电", size=0, harm=1.0, parts={}, example="绿电", made_at=room.now)
        session.add(group)
        session.flush()
        return group.id


def label(room: LearningRoom, ids: list[int], intent: str = "ask_solar", by: int = 1) -> None:
    with room.writing() as session:
        review.label(session, ids, intent, intents=INTENTS, by=reviewer(by), now=room.now)


def audited(room: LearningRoom) -> list[tuple[str, int | None]]:
    with room.bridge.reading() as session:
        return [(row.action, row.agent_id) for row in session.scalars(select(AuditEntry).order_by(AuditEntry.id))]


def states(room: LearningRoom) -> list[tuple[str, str | None, int | None]]:
    return [(item.state, item.label, item.reviewed_by) for item in room.items()]


def exported(room: LearningRoom, folder: Path) -> tuple[Any, dict[str, list[str]], list[Any]]:
    """Write, and return what was counted, intent -> messages, items."""
    made = write(room.bridge, folder, now=room.now, guard=GUARD)
    nlu = yaml.safe_load((folder / MESSAGES).read_text(encoding="utf-8"))
    assert nlu["version"] == "3.1"
    messages = {one["intent"]: [x.removeprefix("- ") for x in one["examples"].splitlines()] for one in nlu["nlu"]}
    return made, messages, yaml.safe_load((folder / KNOWLEDGE).read_text(encoding="utf-8"))["items"]


def test_a_label_holds_is_audited_and_can_be_taken_back(room: LearningRoom) -> None:
    ids = [room.item("屋顶发的电卖给谁"), room.item("瓦面上铺板子要批不")]
    label(room, ids)
    label(room, ids)
    assert states(room) == [("labelled", "ask_solar", 1)] * 2
    with room.writing() as session:
        review.undo(session, ids[:1], by=reviewer(2), now=room.now)
    assert states(room) == [("open", None, None), ("labelled", "ask_solar", 1)]
    with room.writing() as session:
        review.dismiss(session, ids[:1], by=reviewer(2), now=room.now)
    assert states(room)[0] == ("dismissed", None, 2)
    assert audited(room) == [("learning_labelled", 1), ("learning_undone", 2), ("learning_dismissed", 2)]


def test_the_second_of_two_reviewers_is_told_who_was_first_and_changes_nothing(room: LearningRoom) -> None:
    first, second = room.item("屋顶发的电卖给谁"), room.item("瓦面上铺板子要批不")
    label(room, [second], by=2)
    with pytest.raises(review.AlreadyReviewed) as told:
        label(room, [first, second], "complain", by=1)
    assert told.value.agent_id == 2
    assert states(room) == [("open", None, None), ("labelled", "ask_solar", 2)]
    label(room, [second], "complain", by=2)
    assert states(room)[1] == ("labelled", "complain", 2)


@pytest.mark.parametrize(
    ("ids", "intent", "error"), [([], "ask_solar", review.ItemNotFound), ([99], "ask_solar", review.ItemNotFound),
                                 ([1], "no_such", review.UnknownIntent)],
)  # fmt: skip
def test_what_is_not_there_cannot_be_labelled(
    room: LearningRoom, ids: list[int], intent: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        label(room, ids, intent)
    with pytest.raises(review.NotReviewed), room.writing() as session:
        review.undo(session, [room.item("屋顶发的电卖给谁")], by=reviewer(), now=room.now)


def test_an_answer_is_written_edited_approved_and_withdrawn_each_by_its_version(room: LearningRoom) -> None:
    number = room.item("风电能认购吗")
    with room.writing() as session:
        row = faq.create(session, GREEN, beside=BESIDE, by=reviewer(1), now=room.now)
        review.answer(session, [number], row, by=reviewer(1), now=room.now)
    assert states(room) == [("answered", None, 1)]
    other = replace(GREEN, answer="绿电在电力交易平台认购，个人目前可以先买绿证。")
    with room.writing() as session:
        faq.edit(session, row.id, other, version=1, beside=BESIDE, by=reviewer(2), now=room.now)
    with pytest.raises(faq.FaqChanged) as told, room.writing() as session:
        faq.set_state(session, row.id, faq.READY, version=1, beside=BESIDE, by=reviewer(1), now=room.now)
    assert told.value.agent_id == 2
    with room.writing() as session:
        faq.set_state(session, row.id, faq.READY, version=2, beside=BESIDE, by=reviewer(1), now=room.now)
        faq.set_state(session, row.id, faq.WITHDRAWN, version=3, beside=BESIDE, by=reviewer(1), now=room.now)
        found = faq.find(session, row.id)
        assert (found.state, found.version, found.author_id, found.answer) == ("withdrawn", 4, 1, other.answer)
    assert [action for action, _ in audited(room)] == [
        "learning_faq_created", "learning_answered", "learning_faq_edited", "learning_faq_ready",
        "learning_faq_withdrawn", "learning_reopened",
    ]  # fmt: skip
    assert states(room) == [("open", None, None)]


def test_withdrawing_an_answer_opens_the_messages_it_was_written_for_and_no_others(room: LearningRoom) -> None:
    group = grouped(room)
    mine, others = room.item("风电能认购吗", group_id=group), room.item("绿证多少钱一张", group_id=group)
    with room.writing() as session:
        row = faq.create(session, GREEN, beside=BESIDE, by=reviewer(1), now=room.now)
        kept = faq.create(session, OTHER, beside=BESIDE, by=reviewer(1), now=room.now)
        review.answer(session, [mine], row, by=reviewer(1), now=room.now)
        review.answer(session, [others], kept, by=reviewer(1), now=room.now)
        assert session.get_one(LearningGroup, group).size == 0
    for version in (1, 2):
        with room.writing() as session:
            faq.set_state(session, row.id, faq.WITHDRAWN, version=version, beside=BESIDE, by=reviewer(2), now=room.now)
        with room.bridge.reading() as session:
            first, second = session.get_one(LearningItem, mine), session.get_one(LearningItem, others)
            assert (first.state, first.faq_id, first.reviewed_by) == ("open", None, None)
            assert (second.state, second.faq_id) == ("answered", kept.id)
            assert session.get_one(LearningGroup, group).size == 1
    assert [one for one in audited(room) if one[0] == "learning_reopened"] == [("learning_reopened", 2)]


def test_a_group_that_is_done_tells_who_did_it_but_not_to_whom_did_it_himself(room: LearningRoom) -> None:
    group = grouped(room)
    first = room.item("屋顶发的电卖给谁", group_id=group)
    second = room.item("瓦面上铺板子要批不", group_id=group)
    label(room, [second], by=1)
    room.passes(minutes=1)
    label(room, [first], by=2)
    with room.bridge.reading() as session:
        assert review.open_ids(session, group, by=reviewer(2)) == []
        with pytest.raises(review.GroupReviewed) as told:
            review.open_ids(session, group, by=reviewer(1))
        assert told.value.agent_id == 2
        with pytest.raises(review.GroupNotFound):
            review.open_ids(session, grouped(room), by=reviewer(1))


HELD_QUESTION = messages_in(SETS)[0]
TAKEN = BESIDE.knowledge.items[0]


@pytest.mark.parametrize(
    ("change", "field", "why"),
    [
        ({"also": ("一种", "两种")}, "also", "too_short"), ({"also": tuple("甲乙丙丁戊己庚")}, "also", None),
        ({"answer": "长" * 121}, "answer", "string_too_long"), ({"region": "hunan"}, "region", "literal_error"),
        ({"month": "2026-13"}, "date", "string_pattern_mismatch"), ({"status": "sure"}, "status", "literal_error"),
        ({"source": ""}, "source", "string_too_short"), ({"key": "绿电"}, "id", "string_pattern_mismatch"),
        ({"key": "green_power"}, "id", "prefix"), ({"question": f"{TAKEN.question}？"}, "question", "wording_taken"),
        ({"also": (*GREEN.also[:2], GREEN.question)}, "also", "wording_taken"),
        ({"question": HELD_QUESTION}, "question", "held_out"),
    ],
)  # fmt: skip
def test_an_answer_is_checked_as_an_item_of_knowledge(
    room: LearningRoom, change: dict[str, Any], field: str, why: str | None
) -> None:
    with pytest.raises(faq.BadFaq) as told, room.writing() as session:
        faq.create(session, replace(GREEN, **change), beside=BESIDE, by=reviewer(), now=room.now)
    assert told.value.field == field
    assert why in (None, told.value.why)


def test_two_answers_share_neither_id_nor_wording_unless_one_is_withdrawn(room: LearningRoom) -> None:
    with room.writing() as session:
        row = faq.create(session, GREEN, beside=BESIDE, by=reviewer(), now=room.now)
    for key, field in ((GREEN.key, "id"), ("learned_green_again", "question")):
        with pytest.raises(faq.BadFaq) as told, room.writing() as session:
            faq.create(session, replace(GREEN, key=key), beside=BESIDE, by=reviewer(), now=room.now)
        assert told.value.field == field
    with room.writing() as session:
        faq.set_state(session, row.id, faq.WITHDRAWN, version=1, beside=BESIDE, by=reviewer(), now=room.now)
        faq.create(session, replace(GREEN, key="learned_green_again"), beside=BESIDE, by=reviewer(), now=room.now)


def test_an_export_holds_what_was_labelled_and_approved_and_is_the_same_again(
    room: LearningRoom, tmp_path: Path
) -> None:
    label(room, [room.item("屋脊上发的那点电卖得脱不"), room.item("瓦面[铺]板子要批不")])
    room.item("没人看过的问题")
    with room.writing() as session:
        row = faq.create(session, GREEN, beside=BESIDE, by=reviewer(), now=room.now)
        faq.set_state(session, row.id, faq.READY, version=1, beside=BESIDE, by=reviewer(), now=room.now)
    made, messages, items = exported(room, tmp_path / "out")
    assert messages == {"ask_solar": ["屋脊上发的那点电卖得脱不", "瓦面［铺］板子要批不"]}
    assert (made.messages, made.faqs, made.refused, made.by_intent) == (2, 1, {}, {"ask_solar": 2})
    assert Knowledge.load(tmp_path / "out" / "knowledge").get(GREEN.key).question == GREEN.question
    assert [item["id"] for item in items] == [GREEN.key]
    before = [(tmp_path / "out" / name).read_bytes() for name in (MESSAGES, KNOWLEDGE)]
    exported(room, tmp_path / "out")
    assert [(tmp_path / "out" / name).read_bytes() for name in (MESSAGES, KNOWLEDGE)] == before
    with room.bridge.reading() as session:
        assert marks.mark(session, marks.EXPORT)["messages"] == 2
        assert as_zip(session, guard=GUARD) == as_zip(session, guard=GUARD)


def test_no_message_of_a_validation_set_leaves_however_it_is_dressed(room: LearningRoom, tmp_path: Path) -> None:
    known = GUARD.known
    held = [text for text in messages_in(SETS)[::97] if len(text) > 14]
    dressed = [text for one in held for text in (one, f"“{one}！！”", one.upper() + "。", f"{one}啊")]
    assert len(held) > 15
    for text in dressed:
        label(room, [room.item(text)])
    fine = "屋脊上发的那点电卖得脱不"
    label(room, [room.item(fine)])
    _, messages, _ = exported(room, tmp_path)
    assert messages == {"ask_solar": [fine]}
    assert known


def test_what_is_personal_known_or_labelled_in_two_ways_is_refused_and_counted(
    room: LearningRoom, tmp_path: Path
) -> None:
    trained = next(text for _, text in training_messages(DATA / "nlu") if not GUARD.held_out.holds(text, 0.85))
    label(room, [room.item("我叫王小明，板子哪天装"), room.item("13912345678 打这个说光伏"), room.item(f"{trained}！")])
    label(room, [room.item("晒谷场上搭板子发电"), room.item("晒谷场上搭板子，发电")])
    label(room, [room.item("铁皮棚顶发电划算不")], "complain")
    label(room, [room.item("铁皮棚顶发电划算不？")])
    made, messages, _ = exported(room, tmp_path)
    assert messages == {"ask_solar": ["晒谷场上搭板子发电"]}
    assert made.refused == {"conflicting": 2, "known": 2, "personal": 2}


def test_an_answer_that_slipped_past_the_first_check_is_refused_by_the_second(
    room: LearningRoom, tmp_path: Path
) -> None:
    with room.writing() as session:
        for key, question in (("learned_a", HELD_QUESTION), ("learned_b", "我叫王小明，绿电怎么认购")):
            session.add(LearnedFaq(
                key=key, question=question, also=list(GREEN.also), answer=GREEN.answer, region="hubei", source="公告",
                month="2026-10", status="verified", state=faq.READY, author_id=1, edited_by=1, at=room.now,
            ))  # fmt: skip
    made, _, items = exported(room, tmp_path)
    assert (made.faqs, made.refused, items) == (0, {"held_out": 1, "personal": 1}, [])


def test_an_answer_that_may_point_at_somebody_is_refused_too(room: LearningRoom, tmp_path: Path) -> None:
    with room.writing() as session:
        for place, answer in enumerate(("找王小明，电话13912345678，他帮你办。", "在电力交易平台认购，有事打95598。")):
            session.add(LearnedFaq(
                key=f"learned_{place}", question=f"{GREEN.question}{'呢' * place}", also=list(GREEN.also),
                answer=answer, region="hubei", source="公告", month="2026-10", status="verified", state=faq.READY,
                author_id=1, edited_by=1, at=room.now,
            ))  # fmt: skip
    made, _, items = exported(room, tmp_path)
    assert (made.faqs, made.refused, [item["id"] for item in items]) == (1, {"personal": 1}, ["learned_1"])


def test_what_an_export_held_back_is_known_with_its_reason_until_it_is_reviewed_anew(
    room: LearningRoom, tmp_path: Path
) -> None:
    fine, bad = room.item("屋脊上发的那点电卖得脱不"), room.item("我叫王小明，板子哪天装")
    label(room, [fine, bad])
    with room.bridge.reading() as session:
        assert refused_items(session) == {}
    exported(room, tmp_path)
    with room.bridge.reading() as session:
        assert refused_items(session) == {bad: "personal"}
        assert [item.exported_at for item in room.items()] == [room.now, None]
    room.passes(minutes=1)
    twice = room.item("屋脊上发的那点电，卖得脱不？")
    label(room, [twice], "complain")
    label(room, [bad], "complain")
    with room.bridge.reading() as session:
        assert refused_items(session) == {}
    exported(room, tmp_path)
    with room.bridge.reading() as session:
        assert refused_items(session) == {fine: "conflicting", bad: "personal", twice: "conflicting"}
        assert session.get_one(LearningItem, fine).exported_at is None


def test_what_was_exported_is_noted_and_counts_anew_when_it_is_labelled_otherwise(
    room: LearningRoom, tmp_path: Path
) -> None:
    number = room.item("屋脊上发的那点电卖得脱不")
    label(room, [number])
    exported(room, tmp_path)
    assert [item.exported_at for item in room.items()] == [room.now]
    label(room, [number], "complain")
    with room.bridge.reading() as session:
        assert session.get_one(LearningItem, number).exported_at is None


def test_the_hashes_of_the_validation_sets_are_up_to_date_and_enough_by_themselves() -> None:
    content = (DATA / FILE).read_text(encoding="ascii")
    assert content == HeldOut(terms_of(text) for text in messages_in(SETS)).packed(), "run `dianfu learn held-out`"
    alone = HeldOut.load(DATA)
    assert [text for text in messages_in(SETS) if not alone.holds(text, 1.0)] == []
    assert not alone.holds("屋脊上发的那点电卖得脱不", SETTINGS.leaks.like)


def test_without_the_hashes_nothing_can_be_exported(tmp_path: Path) -> None:
    with pytest.raises(BadHeldOutFile):
        HeldOut.load(tmp_path)
    (tmp_path / "learning").mkdir()
    (tmp_path / FILE).write_text("AAAA\nAAA\n", encoding="ascii")
    with pytest.raises(BadHeldOutFile):
        HeldOut.load(tmp_path)


def test_an_answer_whose_wording_is_labelled_or_trained_as_an_intent_is_not_given_out(
    room: LearningRoom, tmp_path: Path
) -> None:
    trained = next(text for _, text in training_messages(DATA / "nlu") if not GUARD.held_out.holds(text, 0.85))
    label(room, [room.item("铁皮棚顶发电划算不")])
    with room.writing() as session:
        for key, question in (("learned_a", "铁皮棚顶发电划算不？"), ("learned_b", trained)):
            session.add(LearnedFaq(
                key=key, question=question, also=list(GREEN.also), answer=GREEN.answer, region="hubei", source="公告",
                month="2026-10", status="verified", state=faq.READY, author_id=1, edited_by=1, at=room.now,
            ))  # fmt: skip
    made, messages, items = exported(room, tmp_path)
    assert (made.refused, messages, items) == ({"conflicting": 2}, {"ask_solar": ["铁皮棚顶发电划算不"]}, [])
