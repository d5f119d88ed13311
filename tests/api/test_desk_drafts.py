"""Drafts: what is known in general and what the bot would have said, without anything being sent or changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from bridge_kit import IDENTITY_KEY, ROOT, FakeRasa, customer_token
from supervision_kit import MONDAY, Office, office, refused, text_of

from api.rasa import BotTurn, RasaFailed
from core.conversation import Draft
from core.handoff.tables import HandoffEvent
from core.identity import read_identity
from core.knowledge import Knowledge
from core.knowledge_search import KnowledgeSearch, terms_of

SAID = BotTurn(
    (
        Draft("bot", "您10月的电费是88元，回拨13871234567即可。"),
        Draft("bot", "2026年10月电费", "bill_card", {"title": "2026年10月电费", "address": "解放大道2099号3栋502室"}),
    ),
    {"intent": "query_bill", "confidence": 0.91},
    "asked",
)


def said(_text: str) -> BotTurn:
    return SAID


@pytest.fixture
def rasa() -> FakeRasa:
    return FakeRasa()


@pytest.fixture
async def desk(sqlite_urls: Any, rasa: FakeRasa) -> AsyncIterator[Office]:
    async with office(sqlite_urls, rasa=rasa) as one:
        yield one


async def test_the_bot_rehearses_its_answer_under_a_name_of_its_own(desk: Office, rasa: FakeRasa) -> None:
    seat = await desk.seat()
    customer, _ = await desk.case(token=customer_token(now=MONDAY, lifetime=timedelta(hours=1)))
    rasa.answer, before = said, len(rasa.asked)
    found = await seat.get(f"/conversations/{customer.conversation_id}/drafts")
    asked = rasa.asked[before:]
    assert [one["text"] for one in asked] == ["家里突然停电了"]
    assert asked[0]["sender"].startswith(f"draft.{customer.conversation_id}.")
    assert asked[0]["metadata"]["rehearsal"] is True
    assert asked[0]["within"] <= 4
    token = asked[0]["metadata"]["identity"]
    identity = read_identity(IDENTITY_KEY, token, now=desk.clock(), sender=asked[0]["sender"])
    assert identity.accounts == ("4201234567890",)
    bot = [one for one in found["drafts"] if one["source"] == "bot"]
    assert [(one["type"], one["score"]) for one in bot] == [("text", 0.91), ("bill_card", 0.91)]
    assert found["understood"] == {"intent": "query_bill", "label": "查电费账单", "confidence": 0.91}
    assert found["seq"] == 1
    assert "13871234567" not in text_of(found)
    assert "502" not in text_of(found)


async def test_a_rehearsal_leaves_log_and_case_as_they_were(desk: Office, rasa: FakeRasa) -> None:
    seat = await desk.seat()
    customer, _ = await desk.case()
    rasa.answer = said  # which even asks for a person
    before = [row.seq for row in desk.bridge.rows(customer.conversation_id)]
    with desk.bridge.parts.bridge.reading() as session:
        events = session.query(HandoffEvent).count()
    await seat.get(f"/conversations/{customer.conversation_id}/drafts")
    assert [row.seq for row in desk.bridge.rows(customer.conversation_id)] == before
    with desk.bridge.parts.bridge.reading() as session:
        assert session.query(HandoffEvent).count() == events
    assert desk.mode(customer) == "queued"


async def test_each_rehearsal_begins_afresh(desk: Office, rasa: FakeRasa) -> None:
    seat = await desk.seat()
    customer, _ = await desk.case()
    before = len(rasa.asked)
    for _ in range(3):
        await seat.get(f"/conversations/{customer.conversation_id}/drafts")
    assert len({one["sender"] for one in rasa.asked[before:]}) == 3


async def test_without_the_bot_the_knowledge_is_still_there(desk: Office, rasa: FakeRasa) -> None:
    seat = await desk.seat()
    customer, _ = await desk.case(said="峰谷电价是几点到几点")

    def fail(text: str) -> BotTurn:
        raise RasaFailed("ConnectError")

    rasa.answer = fail
    found = await seat.get(f"/conversations/{customer.conversation_id}/drafts")
    assert found["reason"] == "电小服暂时没有回应"
    assert {one["source"] for one in found["drafts"]} == {"knowledge"}
    assert all(one["item"] for one in found["drafts"])


@pytest.mark.parametrize("said", ["你们快点", "你们快点啊都等了一个小时了", "你们到底管不管", "有人没", "你妈的快来人"])
async def test_who_only_presses_for_speed_is_offered_no_piece_of_knowledge(desk: Office, said: str) -> None:
    seat = await desk.seat()
    customer, _ = await desk.case()
    await customer.say(said)
    found = await seat.get(f"/conversations/{customer.conversation_id}/drafts")
    assert [one["item"] for one in found["drafts"] if one["source"] == "knowledge"] == []


@pytest.mark.parametrize("said", ["13871234567", "我的号码是13871234567", "12398", "好的 3栋"])
async def test_a_number_or_a_word_or_two_ask_for_no_piece_of_knowledge(desk: Office, said: str) -> None:
    seat = await desk.seat()
    customer, _ = await desk.case()
    await customer.say(said)
    found = await seat.get(f"/conversations/{customer.conversation_id}/drafts")
    assert [one["item"] for one in found["drafts"] if one["source"] == "knowledge"] == []


async def test_a_slow_bot_is_not_waited_for(desk: Office, rasa: FakeRasa, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.desk.drafts.PATIENCE", 0.2)
    seat = await desk.seat()
    customer, _ = await desk.case()
    rasa.seconds = 5
    began = asyncio.get_running_loop().time()
    found = await seat.get(f"/conversations/{customer.conversation_id}/drafts")
    assert asyncio.get_running_loop().time() - began < 2
    assert found["reason"] == "电小服暂时没有回应"


async def test_never_more_than_two_rehearsals_run_at_once(desk: Office, rasa: FakeRasa) -> None:
    seat = await desk.seat()
    customer, _ = await desk.case()
    rasa.seconds, rasa.most_at_once = 0.1, 0
    await asyncio.gather(*(seat.get(f"/conversations/{customer.conversation_id}/drafts") for _ in range(6)))
    assert rasa.most_at_once == 2


async def test_there_is_no_draft_where_nothing_was_asked(desk: Office, rasa: FakeRasa) -> None:
    seat = await desk.seat()
    customer, _ = await desk.case()
    found = await seat.get(f"/conversations/{customer.conversation_id}/drafts?seq=2")  # the bot's own message
    assert (found["drafts"], found["reason"]) == ([], "没有可以参考的客户消息")


async def test_drafts_of_a_foreign_conversation_are_refused(desk: Office, rasa: FakeRasa) -> None:
    seat = await desk.seat(skills=("billing",))
    customer, _ = await desk.case()
    before = len(rasa.asked)
    assert refused(await seat.call("GET", f"/conversations/{customer.conversation_id}/drafts")) == (403, "forbidden")
    assert len(rasa.asked) == before


@pytest.fixture(scope="module")
def search() -> KnowledgeSearch:
    return KnowledgeSearch(Knowledge.load(ROOT / "data" / "knowledge"))


def test_every_wording_finds_its_own_item_first(search: KnowledgeSearch) -> None:
    items = Knowledge.load(ROOT / "data" / "knowledge").items
    wordings = [(item.id, text) for item in items for text in (item.question, *item.also)]
    assert [(item, text) for item, text in wordings if [one.item.id for one in search.find(text)][:1] != [item]] == []


def test_unseen_questions_mostly_find_their_item_among_three(search: KnowledgeSearch) -> None:
    lines = (ROOT / "tests" / "nlu" / "knowledge.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t")[:2] for line in lines if line and not line.startswith("#")]
    asked = [(text, right.split(",")) for text, right in rows if right != "-"]
    found = [any(one.item.id in right for one in search.find(text)) for text, right in asked]
    assert sum(found) / len(found) > 0.7
    silent = [not search.find(text) for text, right in rows if right == "-"]
    assert sum(silent) / len(silent) > 0.7


def test_figures_do_not_make_a_telephone_number_a_question_but_a_hot_line_is_one(search: KnowledgeSearch) -> None:
    assert search.find("13812398655") == []
    assert terms_of("12398是什么") == {"12398", *terms_of("是什么")}
    assert terms_of("户号1239855512398") == terms_of("户号")


@pytest.mark.parametrize("text", ["", "嗯", "今天天气真好啊", "帮我订一张去北京的火车票", "🙏🙏🙏", "哈哈哈哈"])
def test_what_no_item_answers_finds_none(search: KnowledgeSearch, text: str) -> None:
    assert search.find(text) == []
