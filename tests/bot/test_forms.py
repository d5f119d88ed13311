"""Which messages answer an open form, and which are questions of their own."""

import pytest

from bot import forms

ADDRESS = {
    "kind": "business", "action": "action_form", "asking": "address", "intents": ["report_outage"], "free": True,
    "entities": ["address"], "words": [], "pattern": "",
}  # fmt: skip
CODE = {**ADDRESS, "asking": "_code", "free": False, "entities": [], "pattern": r"^\D{0,8}\d{4,8}\D{0,4}$"}
CALL = {**ADDRESS, "asking": "how", "entities": [], "words": ["打电话"]}
STORY = {**ADDRESS, "asking": "detail", "entities": [], "pattern": "(?![\\s\\S]*[?？])[\\s\\S]{6,}"}
SUMMARY = {**ADDRESS, "asking": "_confirm", "free": False, "entities": [], "doubtful": True}
CHOICE = {**ADDRESS, "asking": "scope", "entities": ["outage_scope"], "words": ["只有我家", "整栋楼"]}


def parsed(text, intent, confidence=0.95, *entities):
    return {
        "text": text,
        "intent": {"name": intent, "confidence": confidence},
        "entities": [{"entity": name, "value": text, "start": 0, "end": min(6, len(text))} for name in entities],
    }


def read_as(form, *said):
    return forms.claimed(parsed(*said), form)["intent"]["name"]


@pytest.mark.parametrize(
    ("form", "text", "intent", "confidence", "entities"),
    [
        (ADDRESS, "知音苑3栋2单元", "out_of_scope", 0.9, ["address"]),
        (ADDRESS, "月湖湾那边", "nlu_fallback", 0.2, []),
        (ADDRESS, "我家在知音苑，一直没电", "report_outage", 0.9, ["address"]),
        (ADDRESS, "古田里7栋", "find_service_hall", 0.9, ["address"]),
        (CODE, "验证码是385201", "query_bill", 0.4, []),
        (CHOICE, "整栋楼都黑的", "query_outage", 0.9, ["outage_scope"]),
        (CALL, "打电话就行", "request_human", 0.45, []),
        (STORY, "报了三个钟头才来人", "urge_work_order", 0.87, []),
        (SUMMARY, "一个礼拜停三次 都没通知过", "subscribe_notice", 0.55, []),
        (SUMMARY, "我本人用", "out_of_scope", 0.9, []),
    ],
)
def test_answers_become_data(form, text, intent, confidence, entities):
    assert read_as(form, text, intent, confidence, *entities) == "inform"


@pytest.mark.parametrize(
    ("form", "text", "intent", "confidence", "entities"),
    [
        (ADDRESS, "我上个月电费多少钱", "query_bill", 0.95, []),
        (ADDRESS, "算了不报了", "cancel", 0.9, []),
        (ADDRESS, "转人工", "request_human", 0.99, []),
        (ADDRESS, "电线掉在地上冒火花", "report_danger", 0.9, ["address"]),
        (ADDRESS, "知音苑那边的营业厅周六上不上班，我想去办点别的事情问一下", "find_service_hall", 0.95, ["address"]),
        (CALL, "给我打电话转人工", "request_human", 0.97, []),
        (SUMMARY, "一档电价多少", "explain_tier", 0.95, []),
        (CODE, "验证码怎么还没到", "query_work_order", 0.4, []),
        (CODE, "阶梯电价怎么算", "explain_tier", 0.95, []),
        (CHOICE, "你们这个值班的妹子忙不忙哦", "out_of_scope", 0.5, []),
        (ADDRESS, "明天武汉要不要落雨", "out_of_scope", 0.8, []),
    ],
)
def test_questions_stay_questions(form, text, intent, confidence, entities):
    assert read_as(form, text, intent, confidence, *entities) == intent


def test_without_a_form_nothing_is_claimed():
    said = parsed("知音苑3栋", "out_of_scope")
    assert forms.claimed(said, None) is said


def test_form_asks_again_only_after_another_question():
    assert forms.asks_again("query_bill", ADDRESS, ADDRESS, False)
    assert not forms.asks_again("inform", ADDRESS, ADDRESS, False)
    assert not forms.asks_again("cancel", ADDRESS, None, False)
    assert not forms.asks_again("apply_transfer", None, ADDRESS, False)
    assert forms.asks_again("apply_transfer", None, ADDRESS, True)
    assert not forms.asks_again("query_bill", {**ADDRESS, "quiet": True}, {**ADDRESS, "quiet": True}, False)


class Remembered:
    def __init__(self, submitted):
        self.submitted = submitted

    def get_slot(self, name):
        return self.submitted if name == "submitted" else None


@pytest.mark.parametrize(
    ("submitted", "asked_at", "expected"),
    [
        ({"asked_at": "2026-11-22T02:00:00+00:00", "form": "f1"}, "2026-11-22T02:00:00+00:00", True),
        ({"asked_at": "2026-11-22T02:00:00+00:00", "form": "f1"}, "2026-11-22T02:00:09+00:00", False),
        (None, "2026-11-22T02:00:00+00:00", False),
    ],
)
def test_only_the_very_turn_that_filed_a_form_is_told_again(submitted, asked_at, expected):
    assert forms.carried_out(Remembered(submitted), {"asked_at": asked_at}) is expected
