from __future__ import annotations

import asyncio
import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from bridge_kit import Bridge, customer_token

from api.dialogue import MAX_TO_RASA
from api.rasa import BotTurn
from core.conversation import Draft

INFORM = 'inform{"account_no":"4209999999999"}'
DISGUISED = {
    "plain": f"/{INFORM}", "full width": f"／{INFORM}", "leading blanks": f"  \t /{INFORM}",
    "ideographic space": f"\u3000／{INFORM}", "zero width": f"\u200b/{INFORM}", "joiners": f"\u200d\u2060/{INFORM}",
    "byte order mark": f"\ufeff/{INFORM}", "right to left": f"\u202e\u200f/{INFORM}",
    "isolate": f"\u2066/{INFORM}\u2069",
    "twice": f"//{INFORM}",
    "many": f"/ / ／/\u200b/{INFORM}", "tab": f"\t/{INFORM}", "newline": f"\n\n/{INFORM}",
    "em space between": f"/\u2003/{INFORM}", "next line": f"/\x85/{INFORM}",
    "line separator": f"\u2028/\u2028/{INFORM}",
    "group separator": f"\x1d/{INFORM}", "nul": f"\x00/{INFORM}", "filler": f"\u3164/{INFORM}",
    "braille blank": f"\u2800/\uffa0/{INFORM}", "soft hyphen": f"\xad/{INFORM}", "ogham": f"/\u1680/{INFORM}",
    "tag": f"\U000e0041/{INFORM}", "division slash": f"\u2215/{INFORM}", "backslash": f"\\/{INFORM}",
    "variation": f"\u180e/{INFORM}", "restart": "/restart", "session": " ／session_start", "back": "/\u00a0/back",
}  # fmt: skip


@pytest.mark.parametrize("name", DISGUISED)
async def test_a_typed_command_never_reaches_rasa_with_a_slash(bridge: Bridge, name: str) -> None:
    customer = await bridge.customer(customer_token())
    await customer.say(DISGUISED[name])
    asked = bridge.rasa.asked[0]
    assert asked["payload"] is False
    assert asked["text"] == asked["text"].strip()
    assert asked["text"][0] in "irsb"


@pytest.mark.parametrize("text", ["/", "／／", " / \u200b/ "])
async def test_slashes_alone_reach_rasa_as_an_ellipsis(bridge: Bridge, text: str) -> None:
    await (await bridge.customer()).say(text)
    assert bridge.rasa.asked[0]["text"] == "…"


async def test_second_delivery_of_a_message_gets_no_second_answer(bridge: Bridge) -> None:
    customer = await bridge.customer()
    first = await customer.say("我上个月电费多少", "same")
    again = await customer.say("我上个月电费多少", "same")
    assert again == first
    assert [row.author for row in bridge.rows(customer.conversation_id)] == ["customer", "bot"]
    assert len(bridge.rasa.asked) == 1


async def test_a_repeated_id_with_another_text_keeps_the_first(bridge: Bridge) -> None:
    customer = await bridge.customer()
    first = await customer.say("我上个月电费多少", "same")
    assert await customer.say("转人工", "same") == first


async def test_twenty_deliveries_at_once_are_one_message_with_one_answer(bridge: Bridge) -> None:
    customer = await bridge.customer()
    bridge.rasa.seconds = 0.05
    answers = await asyncio.gather(*(customer.say("我上个月电费多少", "same") for _ in range(20)))
    assert all(answer == answers[0] for answer in answers)
    assert [row.author for row in bridge.rows(customer.conversation_id)] == ["customer", "bot"]
    assert len(bridge.rasa.asked) == 1


async def test_two_customers_may_use_the_same_id(bridge: Bridge) -> None:
    one, two = await bridge.customer(), await bridge.customer()
    await one.say("在吗", "same")
    assert (await two.say("在不在", "same"))["messages"][0]["text"] == "答：在不在"


async def test_messages_at_once_are_answered_one_at_a_time_and_in_the_logs_order(bridge: Bridge) -> None:
    customer = await bridge.customer()
    bridge.rasa.seconds = 0.02
    said = [f"第{number}个问题" for number in range(8)]
    answers = await asyncio.gather(*(customer.say(text) for text in said))
    log = bridge.rows(customer.conversation_id)
    assert [row.seq for row in log] == list(range(1, 17))
    assert [one["text"] for one in bridge.rasa.asked] == [row.text for row in log if row.author == "customer"]
    assert bridge.rasa.most_at_once == 1
    for text, answer in zip(said, answers, strict=True):
        assert [one["text"] for one in answer["messages"]] == [f"答：{text}"]
    for reply in (row for row in log if row.author == "bot"):
        question = next(row for row in log if row.seq == reply.in_reply_to)
        assert reply.text == f"答：{question.text}"


async def test_conversations_do_not_wait_for_each_other(bridge: Bridge) -> None:
    customers = [await bridge.customer() for _ in range(5)]
    bridge.rasa.seconds = 0.2
    await asyncio.gather(*(one.say("在吗") for one in customers))
    assert bridge.rasa.most_at_once == 5


async def test_a_button_reaches_rasa_as_the_payload_it_was_issued_with(bridge: Bridge) -> None:
    bridge.rasa.answer = lambda _: BotTurn((Draft("bot", "哪一户？", buttons=(("420****7890", '/inform{"n":"1"}'),)),))
    customer = await bridge.customer()
    [shown] = (await customer.say("电费"))["messages"][0]["buttons"]
    assert set(shown) == {"id", "title"}
    assert "inform" not in json.dumps(shown)
    await customer.press(shown["id"])
    assert (bridge.rasa.asked[1]["text"], bridge.rasa.asked[1]["payload"]) == ('/inform{"n":"1"}', True)
    assert bridge.rows(customer.conversation_id)[2].text == "420****7890"


async def test_a_button_of_another_conversation_does_not_exist(bridge: Bridge) -> None:
    bridge.rasa.answer = lambda _: BotTurn((Draft("bot", "哪一户？", buttons=(("甲", '/inform{"n":"1"}'),)),))
    mine, other = await bridge.customer(), await bridge.customer()
    button_id = (await mine.say("电费"))["messages"][0]["buttons"][0]["id"]
    for stranger_id in (button_id, "b_never-issued-ever", "4209999999999"):
        answer = await other.post(client_id=uuid.uuid4().hex, button_id=stranger_id)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_button")
    assert len(bridge.rasa.asked) == 1
    assert bridge.rows(other.conversation_id) == []


async def test_a_payload_typed_or_sent_as_an_id_is_no_button(bridge: Bridge) -> None:
    customer = await bridge.customer()
    for wrong in ('/inform{"n":"1"}', "bridge:handoff", "b_\x00", ""):
        assert (await customer.post(client_id="a", button_id=wrong)).status_code == 422
    await customer.say("bridge:handoff")
    assert bridge.rasa.asked[0]["payload"] is False


WRONG: dict[str, dict[str, Any]] = {
    "empty": {"client_id": "a", "text": ""}, "blanks": {"client_id": "a", "text": " \n\t\u3000"},
    "controls": {"client_id": "a", "text": "\x00\x07\x1b"}, "zero widths": {"client_id": "a", "text": "\u200b\ufeff"},
    "surrogate": {"client_id": "a", "text": "\ud83d"}, "too long": {"client_id": "a", "text": "电" * 20_001},
    "no id": {"text": "在吗"}, "blank id": {"client_id": "", "text": "在吗"}, 
    "long id": {"client_id": "a" * 65, "text": "x"},
    "id with a blank": {"client_id": "a b", "text": "在吗"}, "id with nul": {"client_id": "a\x00", "text": "在吗"},
    "id with a line end": {"client_id": "a\n", "text": "在吗"},
    "number as text": {"client_id": "a", "text": 42}, "list": {"client_id": "a", "text": ["在吗"]},
    "null": {"client_id": "a", "text": None}, "neither": {"client_id": "a"},
    "both": {"client_id": "a", "text": "在吗", "button_id": "b_1"},
    "unknown field": {"client_id": "a", "text": "x", "sender": "y"},
    "unprintable field": {"client_id": "a", "text": "x", "\ud800\x00": 1},
    "number as id": {"client_id": 1, "text": "在吗"},
    "endless field": {"client_id": "a", "text": "x", "f" * 5000: 1},
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
async def test_what_is_no_message_is_refused_in_chinese_and_not_logged(bridge: Bridge, name: str) -> None:
    customer = await bridge.customer()
    content = json.dumps(WRONG[name]).encode()
    answer = await bridge.http.post("/v1/messages", content=content, headers=customer.headers | JSON)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert any("\u4e00" <= char <= "\u9fff" for char in answer.json()["detail"])
    assert len(answer.content) < 2000
    assert bridge.rows(customer.conversation_id) == []
    assert bridge.rasa.asked == []


JSON = {"Content-Type": "application/json"}
BROKEN = {
    "no json": b"{", "nothing": b"", "no object": b"[1]", "text": b'"hi"', "not utf-8": b'{"client_id":"\xff"}',
    "deep": b"[" * 100_000, "nan": b"NaN",
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_body_is_a_problem_and_no_failure(bridge: Bridge, name: str) -> None:
    customer = await bridge.customer()
    answer = await bridge.http.post("/v1/messages", content=BROKEN[name], headers=customer.headers | JSON)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_body_of_megabytes_is_refused_whether_it_says_so_or_not(bridge: Bridge) -> None:
    customer = await bridge.customer()

    async def chunks() -> Any:
        for _ in range(64):
            yield b"x" * 65536

    for content in (b"x" * 300_000, chunks()):
        answer = await bridge.http.post("/v1/messages", content=content, headers=customer.headers | JSON)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_long")


KEPT = {
    "emoji": ("👍😀", "👍😀"), "nul inside": ("电\x00费", "电费"), "surrogate inside": ("电\ud83d费", "电费"),
    "longest": ("电" * 20_000, "电" * 20_000), "rare characters": ("我叫𰻝𫖯\U000323a0", "我叫𰻝𫖯\U000323a0"),
    "lines": ("第一行\n第二行", "第一行\n第二行"), "control inside": ("a\x1bb\u202ec", "abc"),
    "slash inside": ("5/6月", "5/6月"),
    "markup": ("<b>'; drop table messages; --</b>", "<b>'; drop table messages; --</b>"),
}  # fmt: skip


@pytest.mark.parametrize("name", KEPT)
async def test_a_message_is_logged_as_the_customer_saw_it(bridge: Bridge, name: str) -> None:
    said, logged = KEPT[name]
    customer = await bridge.customer()
    content = json.dumps({"client_id": "a", "text": said}).encode()
    answer = await bridge.http.post("/v1/messages", content=content, headers=customer.headers | JSON)
    assert answer.status_code == 200, answer.text
    assert (await customer.history())["messages"][0]["text"] == logged
    assert len(bridge.rasa.asked[0]["text"]) <= MAX_TO_RASA


async def test_the_history_comes_in_pages_of_500(bridge: Bridge) -> None:
    bridge.rasa.answer = lambda _: BotTurn(tuple(Draft("bot", f"第{number}条") for number in range(204)))
    customer = await bridge.customer()
    for _ in range(3):
        await customer.say("多说点")
    first = await customer.history()
    rest = await customer.history(first["last_seq"])
    assert [one["seq"] for one in first["messages"] + rest["messages"]] == list(range(1, 616))
    assert (len(first["messages"]), first["last_seq"], rest["last_seq"]) == (500, 500, 615)
    assert (await customer.history(615))["messages"] == []


async def test_after_asks_for_what_is_new(bridge: Bridge) -> None:
    customer = await bridge.customer()
    await customer.say("在吗", "first")
    seen = await customer.history(1)
    assert [(one["seq"], one["author"], one["client_id"]) for one in seen["messages"]] == [(2, "bot", None)]
    assert (await customer.history(0))["messages"][0]["client_id"] == "first"


@pytest.mark.parametrize("after", ["-1", "x", "", "1.5", "99999999999999999999", "2147483648"])
async def test_an_impossible_after_is_refused(bridge: Bridge, after: str) -> None:
    customer = await bridge.customer()
    answer = await bridge.http.get("/v1/messages", params={"after": after}, headers=customer.headers)
    assert answer.status_code == 422


async def test_an_answer_says_where_the_question_stands_in_the_log(bridge: Bridge) -> None:
    customer = await bridge.customer()
    await customer.say("在吗")
    answer = await customer.say("我上个月电费多少")
    assert [one["seq"] for one in answer["messages"]] == [4]
    assert (answer["accepted_seq"], answer["mode"], answer["pending"]) == (3, "bot", False)


async def test_cards_and_understanding_are_kept_in_the_log(bridge: Bridge) -> None:
    card = {"title": "2026年10月电费", "amount": "142.36"}
    bridge.rasa.answer = lambda _: BotTurn((Draft("bot", "共 142.36 元", "bill_card", card),), {"intent": "query_bill"})
    customer = await bridge.customer()
    shown = (await customer.say("上个月电费"))["messages"][0]
    assert (shown["type"], shown["card"], shown["author"]) == ("bill_card", card, "bot")
    assert bridge.rows(customer.conversation_id)[0].understood == {"intent": "query_bill"}


async def test_after_half_an_hour_of_silence_the_dialogue_starts_afresh(bridge: Bridge) -> None:
    customer = await bridge.customer()
    await customer.say("我上个月电费多少")
    bridge.clock.ahead = timedelta(minutes=29)
    await customer.say("那前年呢")
    bridge.clock.ahead = timedelta(minutes=60)
    await customer.say("我上个月电费多少")
    senders = [one["sender"] for one in bridge.rasa.asked]
    assert senders == [f"{customer.conversation_id}.{number}" for number in (1, 1, 2)]
