"""What forms read, keep, correct and still want, in the words of customers."""

from __future__ import annotations

from datetime import date

import pytest

from core import form
from core.business import Business
from core.form import FormState
from core.form_fields import Said, Unreadable, read

TODAY = date(2026, 11, 22)
ROW = Business.model_validate(
    {
        "key": "transfer", "title": "过户", "intent": "apply_transfer", "category": "服务申请→变更用电→过户",
        "assurance": 2, "account": "required", "about": "换户主", "region": "hubei", "date": "2023-12",
        "source": "承诺",
        "status": "secondary",
        "fields": [
            {"name": "owner", "kind": "name", "label": "新户主", "ask": "新户主叫什么？"},
            {
                "name": "reason", "kind": "choice", "label": "原因", "ask": "哪种情况？",
                "options": [
                    {"value": "sale", "label": "房屋买卖", "words": ["二手房", "买的"]},
                    {"value": "heir", "label": "继承", "words": ["过世", "走了"]},
                ],
            },
            {"name": "court", "kind": "yes_no", "label": "有公证", "ask": "有公证吗？", "when": {"reason": ["heir"]}},
            {"name": "phone", "kind": "phone", "label": "联系电话", "ask": "电话？"},
            {"name": "address", "kind": "address", "label": "用电地址", "ask": "地址？"},
            {"name": "kw", "kind": "capacity", "label": "容量", "ask": "多大？", "optional": True},
            {"name": "count", "kind": "number", "label": "人数", "ask": "几口人？", "min": 5, "max": 20, "unit": "人"},
            {"name": "words", "kind": "text", "label": "说明", "ask": "说说情况。", "default": "message"},
            {"name": "day", "kind": "date", "label": "哪天", "ask": "哪天？", "optional": True},
            {"name": "title", "kind": "text", "label": "抬头", "ask": "抬头写什么？", "optional": True},
        ],
    }
)  # fmt: skip


def value(name: str, text: str, **entities: list[str]) -> str:
    return read(ROW.field(name), Said(text, entities), today=TODAY)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("owner", "我叫欧阳建国。", "欧阳建国"),
        ("owner", "户主是王桂芳", "王桂芳"),
        ("owner", "鄙人姓覃，叫覃国梁", "覃国梁"),
        ("owner", "周建民，建设的建", "周建民"),
        ("owner", "我姓刘，刘桂香", "刘桂香"),
        ("reason", "这是个二手房", "sale"),
        ("reason", "老人家过世了", "heir"),
        ("reason", "第二个", "heir"),
        ("reason", "2", "heir"),
        ("court", "有的", "yes"),
        ("court", "冇得", "no"),
        ("phone", "打我139 0000 1234咧", "13900001234"),
        ("phone", "027-85551234", "02785551234"),
        ("kw", "10个千瓦就够了", "10kW"),
        ("kw", "315kVA", "315kVA"),
        ("kw", "现在20千瓦不够，要加到50", "50kW"),
        ("kw", "原来315kVA，想增容到630千伏安", "630kVA"),
        ("day", "礼拜四晚上", "礼拜四晚上"),
        ("count", "七口人", "7"),
        ("count", "连老带小一共十二口人，都在一个户口本上", "12"),
        ("title", "名称武汉市青山区老四川饭馆", "武汉市青山区老四川饭馆"),
        ("title", "抬头是：湖北宏达机械有限公司", "湖北宏达机械有限公司"),
        ("title", "发到 laosichuan@qq.com 吧", "laosichuan@qq.com"),
    ],
)
def test_answers_are_read_in_the_customers_own_words(name: str, text: str, expected: str) -> None:
    assert value(name, text) == expected


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("owner", "13900001234", "no_match"),
        ("owner", "等等，买家还没付尾款，这事再说", "no_match"),
        ("owner", "", "empty"),
        ("reason", "不晓得", "no_match"),
        ("phone", "12345", "no_match"),
        ("address", "那边", "no_match"),
        ("address", "为什么要地址？", "no_match"),
        ("address", "会不会让他晓得是我说的", "no_match"),
        ("address", "那我还是留一个吧 027-87654321", "no_match"),
        ("day", "电视机 冰箱", "no_match"),
        ("address", "我妈80多了手机不会用能不能去营业厅办", "no_match"),
        ("owner", "怎么申请", "no_match"),
        ("title", "停了这三个月基本电费还收不收", "no_match"),
        ("title", "是的", "no_match"),
        ("count", "三口人", "too_small"),
        ("count", "300", "too_big"),
        ("words", "字" * 501, "too_long"),
    ],
)
def test_what_is_no_answer_is_refused_with_its_reason(name: str, text: str, reason: str) -> None:
    with pytest.raises(Unreadable) as problem:
        value(name, text)
    assert problem.value.reason == reason


def test_address_of_the_understanding_goes_before_the_whole_text() -> None:
    assert value("address", "就在知音苑3栋那里撒", address=["知音苑3栋"]) == "知音苑3栋"


def test_opening_message_fills_all_that_it_tells() -> None:
    words = "我买的二手房要过户，电话13900001234，知音苑3栋"
    said = Said(words, {"address": ["知音苑3栋"]})
    state = form.take(ROW, FormState.new("transfer"), said, today=TODAY, opening=True)
    assert state.values == {"reason": "sale", "phone": "13900001234", "address": "知音苑3栋", "words": words}
    missing = form.next_field(ROW, state)
    assert missing is not None
    assert missing.name == "owner"


def test_field_with_a_condition_is_only_wanted_when_it_holds() -> None:
    names = [one.name for one in form.wanted(ROW, FormState.new("transfer").with_value("reason", "sale"))]
    assert "court" not in names
    assert "court" in [one.name for one in form.wanted(ROW, FormState.new("transfer").with_value("reason", "heir"))]


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("不是三楼是四楼", "address", "知音苑3栋4楼"),
        ("不是3栋，是5栋", "address", "知音苑5栋3楼"),
        ("电话写错了，是13811112222", "phone", "13811112222"),
        ("新户主改成刘玉兰", "owner", "刘玉兰"),
    ],
)
def test_corrections_change_the_answer_they_mean(text: str, name: str, expected: str) -> None:
    state = FormState("f1", "transfer", {"owner": "王建国", "phone": "13900001234", "address": "知音苑3栋3楼"})
    corrected, changed = form.correct(ROW, state, Said(text), today=TODAY)
    assert changed == [name]
    assert corrected.values[name] == expected


def test_ordinary_answer_corrects_nothing() -> None:
    state = FormState("f1", "transfer", {"owner": "王建国", "phone": "13900001234"})
    assert form.correct(ROW, state, Said("知音苑3栋"), today=TODAY) == (state, [])


def test_state_comes_back_from_json_as_it_went() -> None:
    state = FormState.new("transfer", opening="要过户").with_value("owner", "王建国")
    assert FormState.parse({"kind": "business", "free": True, **state.dump()}) == state


def test_field_is_named_by_its_label_or_by_what_it_is() -> None:
    state = FormState.new("transfer").with_value("reason", "sale")
    named = [form.named_field(ROW, state, text) for text in ("电话要改", "名字不对", "改地址", "随便")]
    assert [one.name if one else None for one in named] == ["phone", "owner", "address", None]


def test_how_many_people_live_there_is_read_from_the_opening_words() -> None:
    state = form.take(ROW, FormState.new("transfer"), Said("3栋的，我家七口人有没有优惠"), today=TODAY, opening=True)
    assert state.values["count"] == "7"


def test_a_telephone_number_changes_the_only_telephone_once_nothing_else_is_asked() -> None:
    state = FormState("f1", "transfer", {"owner": "王建国", "phone": "13900001234"})
    assert form.correct(ROW, state, Said("13811112222"), today=TODAY) == (state, [])
    corrected, changed = form.correct(ROW, state, Said("13811112222"), today=TODAY, complete=True)
    assert (changed, corrected.values["phone"]) == (["phone"], "13811112222")


def test_the_day_of_a_damage_lies_behind() -> None:
    one = ROW.field("day").model_copy(update={"past": True})
    for said, day in (("2026-11-26", "2026-11-19"), ("2026-11-20", "2026-11-20")):
        assert read(one, Said("礼拜四晚上", {"date": [said]}), today=TODAY) == day


def test_a_home_that_is_not_the_own_one_replaces_the_address_on_file() -> None:
    state = FormState("f1", "transfer", {"owner": "王建国", "address": "武东小区2栋"})
    said = Said("她住在汉阳月湖湾3栋1单元201 不是我这个户", {"address": ["汉阳月湖湾3栋1单元201"]})
    corrected, changed = form.correct(ROW, state, said, today=TODAY, complete=True)
    assert (changed, corrected.values["address"]) == (["address"], "汉阳月湖湾3栋1单元201")


@pytest.mark.parametrize(
    ("text", "found", "expected"),
    [
        ("武昌区中北路积玉新居4栋1单元302", "4栋1单元302", "武昌区中北路积玉新居4栋1单元302"),
        ("江岸区狮城名居一期底商6号，我姓周", "江岸区狮城名居", "江岸区狮城名居一期底商6号"),
        ("地址是知音苑3栋，一直没电", "知音苑3栋", "知音苑3栋"),
        ("我要报修知音苑3栋", "知音苑3栋", "知音苑3栋"),
    ],
)
def test_address_is_whole_and_nothing_but_the_address(text: str, found: str, expected: str) -> None:
    assert value("address", text, address=[found]) == expected
