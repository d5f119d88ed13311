"""Who asks for the promised call after a hand-back is not put through to another person."""

import pytest

from bot.handback import asked_after
from bot.knowing import preferred

NOTE = {"handed_back": {"done": [], "promised": []}}


def read_as(text, metadata=NOTE, intent="request_human"):
    return asked_after({"text": text, "intent": {"name": intent, "confidence": 0.5}}, metadata)["intent"]["name"]


@pytest.mark.parametrize(
    "text", ["你们什么时候给我回电话", "怎么还没人打给我", "几时联系我咧", "说好的回电呢", "都下午了还冇人答复我"]
)
def test_question_for_the_call_is_a_question_for_progress(text):
    assert read_as(text) == "query_work_order"


@pytest.mark.parametrize(
    "text", ["转人工", "什么时候能打通你们客服", "换个人给我打电话，什么时候打", "打电话给我", "找真人"]
)
def test_wish_for_a_person_stays_one(text):
    assert read_as(text) == "request_human"


@pytest.mark.parametrize("metadata", [None, {}, {"handed_back": None}])
def test_without_a_note_nothing_is_changed(metadata):
    assert read_as("你们什么时候给我回电话", metadata) == "request_human"


def test_other_intents_are_left_alone():
    assert read_as("什么时候给我回电话", intent="report_danger") == "report_danger"


ASKED = [
    "你们答应我什么了", "你们答应我什么", "刚才那个人怎么说的", "坐席说什么时候给我回电", "说好的几点打电话呢",
    "刚才那事办得怎么样了", "答应我的事情呢", "你们承诺过我啥子嘛", "那个小姑娘讲几点给我回话的呀",
    "刚刚跟我聊的那位师傅是怎么讲的", "前头那个妹子说么样搞咧", "他到底应承我么事了", "先前搞的那个事有得下文",
    "先头那个伢说几时打过来唦", "人工那边给我办了些什么", "客服刚才帮我弄好了没有", "工号那位跟我约的是几点来着",
    "俺就想知道刚才那大姐咋说的", "说好今天答复我的，人呢", "不是说帮我查吗，查到哪步了", "答应好的回电咋一直没动静",
    "之前那位同志许了我啥", "请问贵方承诺的回电时间是何时", "刚才跟我讲话那个男的交代了什么",
    "刚才处理的结果再给我讲讲", "那桩事儿后来怎么弄的", "你们那个人讲等下给我打电话，等到么时候啊",
    "我刚刚反映的那个现在啥进度", "咋个还不打过来嘛，好久给我回话哦", "她刚跟我保证的那个退费，几时退咧",
    "几点联系我来着，我忘记了", "那个女娃儿跟我咋个说的喃", "约好三点回电的",
    "给我回电的时间定了吗", "之前那个坐席答应帮我查的电费查了没", "那个大姐的话我没听清，她说啥了",
    "怎么还没给我回电", "电话几点打来啊", "我等回电等到现在了，啥情况", "刚才那人讲的还算不算数",
]  # fmt: skip


@pytest.mark.parametrize("intent", ["nlu_fallback", "ask_capabilities", "request_human", "complain", "query_bill"])
@pytest.mark.parametrize("text", ASKED)
def test_who_asks_what_was_said_done_or_promised_asks_for_the_note_whatever_the_model_takes_it_for(text, intent):
    assert read_as(text, intent=intent) == "query_work_order"


@pytest.mark.parametrize("text", ASKED)
def test_such_a_question_is_what_it_was_where_there_is_no_note(text):
    assert read_as(text, {}, "nlu_fallback") == "nlu_fallback"


@pytest.mark.parametrize(
    "text",
    [
        "上个月电费多少", "转人工", "我要投诉", "电费什么时候交", "你们说话算话不", "什么时候来电", "你能帮我办什么",
        "人工客服能办些什么业务", "刚才停电的事是怎么回事", "刚才交的电费到账没有", "客服电话是多少", "客服几点下班",
        "抄表的师傅说我家表坏了怎么换", "我可没答应过你们什么", "刚才的事谢谢你", "你刚才说的是什么意思",
        "打电话报修要多久", "充电桩报装多久回复", "说好的优惠怎么还收我钱", "不是说打电话就可以报修吗",
        "客服怎么说话这么难听", "客服说什么都不给退", "答应我的事不办，我要投诉", "你们答应我的呢，给我转人工",
        "说好给我回电的呢，我不想活了", "听邻居讲峰谷划算，怎么办理", "刚才说的那个套餐怎么办理", "那个事我不办了",
        "刚才那事解决了，多谢", "刚才那个事办得真好",
        "户销了，剩的八十几块啥时候打给我", "说好了当天上门，打电话不接，什么服务",
    ],
)  # fmt: skip
def test_what_only_sounds_alike_stays_what_it_is(text):
    assert read_as(text, intent="nlu_fallback") == "nlu_fallback"


def test_second_wish_beside_the_question_is_not_lost():
    asked = "你们答应我什么了，上个月电费多少"
    assert read_as(asked, intent="query_bill+query_work_order") == "query_bill+query_work_order"
    assert read_as(asked, intent="query_bill") == "query_bill"
    assert read_as("说好的几点打电话呢，人呢", intent="query_bill") == "query_work_order"


def test_what_is_written_into_a_form_with_free_text_stays_its_answer():
    parsed = {"text": "说好给我回电，几点都没人打", "intent": {"name": "complain", "confidence": 0.5}}
    assert asked_after(parsed, NOTE, {"free": True}) is parsed
    assert asked_after(parsed, NOTE, {"free": False})["intent"]["name"] == "query_work_order"


def test_knowledge_does_not_take_the_question_away_again():
    parsed = {"text": "你们答应我什么了", "intent": {"name": "nlu_fallback", "confidence": 0.3}}
    parsed["knowledge"] = [{"item": "promise", "score": 0.99}]
    assert preferred(asked_after(parsed, NOTE))["intent"]["name"] == "query_work_order"
