"""Rules: which skill, which priority, who is angry, and what a wrong file is refused for."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from handoff_kit import BOOK
from pydantic import ValidationError

from core.handoff.rules import BadRules, Rules
from core.handoff.summary import danger_first, summary_of
from core.handoff.tables import REASONS

RULES = BOOK.rules
FILE = Path(__file__).parents[2] / "data" / "desk" / "rules.yaml"


@pytest.mark.parametrize(
    ("reason", "intents", "flags", "route"),
    [
        ("asked", [], [], ("business", 5)),
        ("asked", ["query_bill"], [], ("billing", 5)),
        ("asked", ["query_bill", "report_outage"], [], ("repair", 5)),
        ("asked", ["report_outage", "chitchat"], [], ("repair", 5)),
        ("asked", ["query_usage+complain"], [], ("billing", 5)),
        ("danger", ["query_bill"], [], ("repair", 0)),
        ("anger", ["query_bill"], [], ("complaint", 3)),
        ("complaint", [], ["special_service"], ("complaint", 2)),
        ("failures", ["apply_transfer"], ["high_value"], ("business", 4)),
        ("asked", ["report_outage"], ["life_support"], ("repair", 1)),
        ("system_failed", ["pay_bill"], ["unheard_of"], ("billing", 5)),
    ],
)
def test_reason_talk_and_customer_say_who_answers_and_how_soon(
    reason: str, intents: list[str], flags: list[str], route: tuple[str, int]
) -> None:
    assert RULES.route(reason, intents, flags) == route


def test_every_reason_has_a_rule_and_an_unknown_one_none() -> None:
    for reason in REASONS:
        RULES.route(reason)
    with pytest.raises(BadRules):
        RULES.route("boredom")


def test_every_intent_with_a_name_has_a_skill_or_is_small_talk() -> None:
    assert {name for name in BOOK.labels if RULES.skill_of(name) is None} == set(RULES.small_talk)


@pytest.mark.parametrize(
    "text",
    [
        "你们这群强盗，乱收我的钱", "我要去12345告你们", "再不解决我就打12398", "找记者来评评理！",
        "我要发抖音曝光你们",
        "你妈的到底管不管", "滚，叫管事的来", "这事没完", "气死我了，打了五个电话", "等着收律师函吧", "老子受够了",
        "把老百姓当猴耍是吧", "你们还有没有良心", "傻逼机器人", "直接投诉到能源局", "店大欺客", "tmd又停电",
        "我只能找市长热线了", "要告你们供电局", "欺人太甚", "敷衍我半个月了！！", "个板马的，电费又涨",
    ],
)  # fmt: skip
def test_anger_is_heard(text: str) -> None:
    assert RULES.is_angry(text)


@pytest.mark.parametrize(
    "text",
    [
        "12345转给你们的那个单子到哪一步了", "12398是什么电话", "怎么投诉你们的抄表员", "我是一名退休律师，想查电费",
        "房东乱收电费我要起诉他", "违约金是按日滚还是按月滚", "法院判给我的房子怎么过户", "电费好贵啊",
        "急，今天能来电吗",
        "老婆生气了，因为停电", "变压器滚烫", "报社记者证年审要房屋地址证明", "我要投诉", "谢谢你们", "律师要用电记录",
        "空调吹死人的费电", "发改委定的电价是多少", "我妈的电表在哪查", "他妈妈的户号", "滚筒洗衣机费电吗",
    ],
)  # fmt: skip
def test_what_only_sounds_like_it_is_no_anger(text: str) -> None:
    assert not RULES.is_angry(text)


@pytest.mark.parametrize(
    "said", ["谢谢", "好的谢谢你", "没事了，谢谢！", "好的", "再见", "行，知道了", "多谢了啊", "ok", "没有了谢谢"]
)
def test_short_thanks_want_no_answer(said: str) -> None:
    assert BOOK.words.only_thanks(said)


@pytest.mark.parametrize(
    "said", ["谢谢，还有一个问题", "好的，那电费呢", "不行", "没事了，但是电还没来", "行不行啊", "知道为什么吗"]
)
def test_what_goes_on_after_the_thanks_wants_one(said: str) -> None:
    assert not BOOK.words.only_thanks(said)


def test_registrations_say_who_the_customer_is() -> None:
    categories = ["服务申请→特殊服务→居家医疗设备", "服务申请→变更用电→过户"]
    assert RULES.flags_of(categories) == ["life_support"]
    assert RULES.flags_of(["服务申请→特殊服务→保供电"]) == ["special_service"]
    assert RULES.flags_of([]) == []


def test_a_rule_may_be_for_some_customers_only() -> None:
    assert RULES.intent_rule("report_outage") is None
    rule = RULES.intent_rule("report_outage", ["life_support"])
    assert rule is not None
    assert rule.reason == "special_service"
    complaint = RULES.intent_rule("query_bill+complain")
    assert complaint is not None
    assert (complaint.reason, complaint.how) == ("complaint", "offer")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("default_skill",), "cooking"), (("reasons", "asked"), None), (("reasons", "bored"), {}),
        (("intents", "complain", "reason"), "bored"), (("anger",), ["("]), (("failures",), {"offer": 2}),
        (("special_categories", "life_support"), "[" ), (("flags", "life_support"), 9), (("extra",), 1),
        (("intents", "complain", "how"), "maybe"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused(path: tuple[str, ...], value: Any) -> None:
    content = copy.deepcopy(yaml.safe_load(FILE.read_text(encoding="utf-8")))
    place = content
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    with pytest.raises(ValidationError):
        Rules.model_validate(content)


class _Row:
    def __init__(self, author: str, understood: dict[str, Any] | None = None, type_: str = "text") -> None:
        self.author, self.understood, self.type = author, understood, type_


def _talk(*rows: _Row) -> dict[str, Any]:
    return summary_of(rows, book=BOOK)  # type: ignore[arg-type] - rows of the log as far as the summary looks at them


def test_the_summary_tells_wish_cards_and_what_the_form_still_needs() -> None:
    form = {
        "business": "transfer",
        "title": "过户",
        "values": {"新户主": "陈先生"},
        "missing": ["联系电话", "身份证号"],
    }
    found = _talk(
        _Row("customer", {"intent": "query_bill"}), _Row("bot", type_="bill_card"),
        _Row("customer", {"intent": "thank"}),
        _Row("customer", {"intent": "apply_transfer", "form": form}), _Row("bot"),
    )  # fmt: skip
    assert found == {
        "wish": "过户", "understood": ["新户主 陈先生"], "checked": ["电费账单"], "missing": ["联系电话", "身份证号"],
        "intents": ["query_bill", "apply_transfer"],
    }  # fmt: skip


def test_without_a_form_the_summary_tells_what_was_asked() -> None:
    found = _talk(
        _Row("customer", {"intent": "query_bill"}), _Row("customer", {"intent": "explain_high_bill", "form": None}),
        _Row("customer", {"intent": "request_human"}),
    )  # fmt: skip
    assert (found["wish"], found["understood"], found["missing"]) == ("电费为什么高", ["查电费账单"], [])
    assert _talk() == {"wish": "", "understood": [], "checked": [], "missing": [], "intents": []}


def test_a_form_that_was_given_up_is_no_wish_any_more() -> None:
    form = {"title": "查电费账单", "values": {}, "missing": ["户号"]}
    given_up = [
        _Row("customer", {"intent": "report_outage"}), _Row("customer", {"intent": "query_bill", "form": form}),
        _Row("customer", {"intent": "inform", "form": form}), _Row("customer", {"intent": "cancel"}),
    ]  # fmt: skip
    assert (_talk(*given_up)["wish"], _talk(*given_up)["intents"]) == ("报停电", ["report_outage"])
    assert _talk(*given_up[1:])["wish"] == ""
    assert _talk(*given_up[:3])["wish"] == "查电费账单"


def test_the_summary_of_a_danger_begins_with_what_was_said() -> None:
    before = _talk(_Row("customer", {"intent": "query_bill"}))
    found = danger_first(before, " 电线掉下来冒火花了 ", book=BOOK)
    assert found == before | {"wish": "电线掉下来冒火花了、查电费账单"}
    assert danger_first({}, "电表箱冒烟", book=BOOK)["wish"] == "电表箱冒烟"


def test_an_open_form_counts_its_own_failures() -> None:
    assert RULES.failed({"intent": "inform", "failed": True})
    assert not RULES.failed({"intent": "nlu_fallback", "failed": True, "form": {"title": "过户"}})
    assert not RULES.failed(None)
