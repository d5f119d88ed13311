"""What brings a person without the wish for one, and what the bot knows when it has the talk back."""

from __future__ import annotations

from datetime import datetime, timedelta

from bridge_kit import Bridge
from handoff_cases_kit import bridge, case_of, room_of, taken, texts

from api.rasa import BotTurn, RasaFailed
from core import conversation as log_of
from core.conversation import CONFIRM, Draft
from core.handoff import life
from core.handoff.ending import WrapUp

__all__ = ["bridge"]  # fixtures


# -- escalation


async def test_anger_brings_a_person_at_once(bridge: Bridge) -> None:
    customer = await bridge.customer()
    answer = await customer.say("你们这帮骗子，我要去12345告你们")
    assert (answer["mode"], texts(answer)[0].startswith("真对不起")) == ("queued", True)
    case = case_of(bridge, customer)
    assert (case.reason, case.skill, case.priority, bridge.rasa.asked) == ("anger", "complaint", 3, [])


async def test_at_a_confirmation_even_anger_is_an_answer(bridge: Bridge) -> None:
    bridge.rasa.answer = lambda _: BotTurn((Draft("bot", "确认提交吗", CONFIRM),))
    customer = await bridge.customer()
    await customer.say("我要投诉")
    assert (await customer.say("提交！气死我了"))["mode"] == "bot"


async def test_the_second_failure_offers_a_person_and_the_third_brings_one(bridge: Bridge) -> None:
    bridge.rasa.answer = lambda _: BotTurn((Draft("bot", "没听懂"),), {"intent": "nlu_fallback", "failed": True})
    customer = await bridge.customer()
    titles = []
    for text in ("呜啦", "咕噜"):
        titles.append([one["title"] for one in (await customer.say(text))["messages"][0]["buttons"]])
    third = await customer.say("啊吧")
    assert titles == [[], ["转人工"]]
    assert (third["mode"], texts(third)[0].startswith("我几次都没听明白")) == ("queued", True)
    assert case_of(bridge, customer).reason == "failures"


async def test_an_answer_between_two_failures_begins_the_count_anew(bridge: Bridge) -> None:
    customer = await bridge.customer()
    for text in ("呜啦", "电费", "咕噜", "电费", "啊吧"):
        failed = text != "电费"
        understood = {"intent": "nlu_fallback", "failed": True} if failed else {"intent": "query_bill"}
        bridge.rasa.answer = lambda _, understood=understood: BotTurn((Draft("bot", "答"),), understood)  # type: ignore[misc]
        answer = await customer.say(text)
        assert (answer["mode"], answer["messages"][0]["buttons"]) == ("bot", [])


async def test_other_peoples_business_offers_a_person_and_never_forces_one(bridge: Bridge) -> None:
    bridge.rasa.answer = lambda _: BotTurn((Draft("bot", "这个我不懂"),), {"intent": "out_of_scope"})
    customer = await bridge.customer()
    answers = [await customer.say(text) for text in ("天气", "股票", "机票", "写首诗")]
    assert [answer["mode"] for answer in answers] == ["bot"] * 4
    assert [len(answer["messages"][0]["buttons"]) for answer in answers] == [0, 1, 1, 1]


async def test_when_the_system_fails_twice_a_person_comes_with_honest_words(bridge: Bridge) -> None:
    def fail(_: str) -> BotTurn:
        raise RasaFailed("down")

    bridge.rasa.answer = fail
    customer = await bridge.customer()
    first, second = await customer.say("电费"), await customer.say("电费呢")
    assert (texts(first), first["mode"]) == ([bridge.parts.wording.apology], "bot")
    assert (len(second["messages"]), second["mode"]) == (1, "queued")
    assert "出了故障" in texts(second)[0]
    assert case_of(bridge, customer).reason == "system_failed"


async def test_a_complaint_offers_a_person_once_and_not_in_the_middle_of_its_form(bridge: Bridge) -> None:
    customer = await bridge.customer()
    form = {"business": "complain", "title": "投诉", "values": {}, "missing": ["事由"]}
    told = []
    for open_form in (form, None, None):
        understood = {"intent": "complain", "form": open_form}
        bridge.rasa.answer = lambda _, understood=understood: BotTurn((Draft("bot", "记下了"),), understood)  # type: ignore[misc]
        told.append([one["title"] for one in (await customer.say("抄表员态度差"))["messages"][0]["buttons"]])
    assert told == [[], [], []]
    other = await bridge.customer()
    assert [one["title"] for one in (await other.say("抄表员态度差"))["messages"][0]["buttons"]] == ["转人工"]


async def test_a_reason_that_the_model_gives_is_kept(bridge: Bridge) -> None:
    bridge.rasa.answer = lambda _: BotTurn(
        (Draft("bot", "这个得请人看"),), {"intent": "claim_compensation"}, "high_risk"
    )
    customer = await bridge.customer()
    await customer.say("冰箱烧了要赔")
    case = case_of(bridge, customer)
    assert (case.reason, case.skill) == ("high_risk", "complaint")


# -- back to the bot


async def test_the_bot_is_told_what_the_person_has_left_for_a_day(bridge: Bridge) -> None:
    customer = await bridge.customer()
    agent, case = await taken(bridge, customer)
    note = {"done": ["已退违约金"], "open": [], "promised": [{"text": "回电", "due_at": None}]}
    written = WrapUp("bill", "solved", note=note, intents=["query_bill"])
    room_of(bridge).call(life.wrap_up, case.conversation_id, written, agent_id=agent)
    await customer.say("刚才那个事怎么样了")
    [asked] = bridge.rasa.asked
    left = asked["metadata"]["handed_back"]
    assert (left["done"], left["promised"], left["case"]) == (["已退违约金"], note["promised"], case.id)
    assert asked["sender"] == f"{customer.conversation_id}.2"
    bridge.clock.ahead += timedelta(hours=23, minutes=59)
    fresh = log_of.find_conversation
    with bridge.parts.bridge.reading() as session:
        conversation = fresh(session, customer.conversation_id)
    from api.identity import handed_back

    book, since = bridge.parts.book, datetime.fromisoformat(left["at"])
    assert handed_back(conversation, book, now=since + timedelta(hours=23, minutes=59)) == left
    assert handed_back(conversation, book, now=since + timedelta(hours=24)) is None


async def test_without_a_note_nothing_is_told(bridge: Bridge) -> None:
    await (await bridge.customer()).say("电费")
    assert "handed_back" not in bridge.rasa.asked[0]["metadata"]
