"""The rows of applications, account data, voice and tariff options: complete, honest, and chosen rightly."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from core.business import Business, BusinessTable

ROOT = Path(__file__).parents[2]
FILES = ("application", "account", "voice", "tariff")
TABLE = BusinessTable.load(ROOT / "data" / "business")
KEYS = [
    key
    for name in FILES
    for key in yaml.safe_load((ROOT / "data" / "business" / f"{name}.yaml").read_text(encoding="utf-8"))["businesses"]
]
ROWS = [TABLE.get(key) for key in KEYS]
OFFERED = [row for row in ROWS if not row.unavailable]
# Words that would promise an outcome.
PROMISES = re.compile(r"(?:一定|保证|肯定)(?:能|会|给|赔|批|修)|包赔|全额赔|马上赔|必须赔")
ENGLISH = re.compile(r"[A-Za-z]{2,}")


@pytest.fixture(params=ROWS, ids=KEYS)
def row(request: pytest.FixtureRequest) -> Business:
    business: Business = request.param
    return business


def said_by(row: Business) -> list[str]:
    """Return everything in a row that a customer may read."""
    fields = [text for one in row.fields for text in (one.label, one.ask, one.hint or "")]
    options = [option.label for one in row.fields for option in one.options]
    limit = [row.limit.text] if row.limit else []
    rest = [row.title, row.about, row.fee or "", row.unavailable or "", row.intro or "", row.done or "", row.source]
    return [*rest, *row.papers, *row.steps, *row.notes, *limit, *fields, *options]


def test_every_intent_of_these_topics_has_a_row() -> None:
    intents = {
        "apply_new_supply", "apply_capacity", "apply_transfer", "apply_closure", "apply_meter_check",
        "apply_meter_move", "apply_large_household", "request_special_service", "update_contact", "subscribe_notice",
        "complain", "claim_compensation", "report_violation", "suggest", "praise", "switch_tariff",
    }  # fmt: skip
    assert {row.intent for row in ROWS} == intents


def test_a_row_says_in_few_words_what_it_is(row: Business) -> None:
    assert 6 <= len(row.about) <= 60


def test_a_row_speaks_chinese_but_for_the_names_of_things(row: Business) -> None:
    said = "".join(said_by(row)).replace("App", "")
    assert ENGLISH.findall(said) == []


def test_a_row_promises_no_outcome(row: Business) -> None:
    assert PROMISES.findall("".join(said_by(row))) == []


def test_no_row_sends_the_customer_to_the_telephone(row: Business) -> None:
    assert re.findall(r"(?:请|可以)?(?:拨打|打)95598", "".join(said_by(row))) == []


def test_few_things_are_asked_besides_what_is_known(row: Business) -> None:
    asked = [one for one in row.fields if one.default is None and not one.optional and not one.when]
    assert len(asked) <= 4


def test_a_business_on_offer_asks_something_and_tells_its_steps(row: Business) -> None:
    if row.unavailable:
        assert row.fields == ()
    else:
        assert row.fields
        assert row.steps


def test_every_business_on_offer_but_praise_has_a_limit_and_the_promise_of_it() -> None:
    without = {row.key for row in OFFERED if row.limit is None or row.promise is None}
    assert without == {"praise"}


def test_a_form_without_an_account_still_learns_whom_to_call_or_lets_them_stay_unnamed() -> None:
    unreachable = {
        row.key for row in OFFERED if row.account != "required" and not any(one.kind == "phone" for one in row.fields)
    }
    assert unreachable == {"praise"}


def test_reports_of_violations_ask_for_no_name_and_take_no_telephone_by_themselves() -> None:
    for key in ("report_theft", "report_overcharge"):
        row = TABLE.get(key)
        (phone,) = [one for one in row.fields if one.kind == "phone"]
        assert (row.account, row.assurance) == ("none", 0)
        assert (phone.optional, phone.default) == (True, None)
        assert not any(one.kind == "name" for one in row.fields)


def test_changes_of_data_and_contracts_need_a_one_time_code() -> None:
    keys = (
        "transfer", "closure", "capacity_up", "capacity_up_home", "capacity_down", "suspension", "resume",
        "three_phase", "meter_check", "meter_move", "large_household", "low_income", "update_phone", "update_data",
        "charging_tou_on", "charging_tou_off", "contract_demand", "basic_charge_method", "shared_meter_price",
        "price_class",
    )  # fmt: skip
    assert {key: TABLE.get(key).assurance for key in keys} == dict.fromkeys(keys, 2)


def test_a_code_is_only_asked_for_where_there_is_an_account_to_send_it_for() -> None:
    assert [row.key for row in ROWS if row.assurance == 2 and row.account == "none"] == []


def test_somebody_without_any_account_can_have_a_new_supply() -> None:
    rows = TABLE.of_intent("apply_new_supply")
    assert {(row.account, row.assurance) for row in rows} == {("none", 0)}


def test_life_support_is_urgent() -> None:
    assert TABLE.get("special_life_support").priority == "urgent"


def test_works_of_the_customer_name_no_contractor() -> None:
    for key in ("new_supply_high", "new_supply_temporary", "capacity_up", "capacity_down"):
        assert "我们不指定" in "".join(TABLE.get(key).notes)


# The order's figures, from the reference of facts (limits in working days).
@pytest.mark.parametrize(
    ("key", "amount", "unit"),
    [
        ("new_supply_home", 5, "working_days"),
        ("split_meter", 5, "working_days"),
        ("new_supply_business", 6, "working_days"),
        ("new_supply_high", 22, "working_days"),
        ("meter_check", 5, "working_days"),
        ("complaint", 5, "working_days"),
        ("compensation_appliance", 24, "hours"),
        ("charging_tou_on", 5, "working_days"),
        ("basic_charge_method", 15, "working_days"),
        ("contract_demand", 5, "working_days"),
    ],
)
def test_limits_are_those_of_the_published_promises(key: str, amount: int, unit: str) -> None:
    limit = TABLE.get(key).limit
    assert limit is not None
    assert (limit.amount, limit.unit) == (amount, unit)
    assert str(amount) in limit.text


def test_what_no_public_paper_settles_is_marked_as_unverified() -> None:
    for key in ("large_household", "low_income", "shared_meter_price", "charging_tou_on", "household_tou"):
        assert TABLE.get(key).status == "unverified"


def test_ordinary_households_are_told_that_they_have_no_peak_and_valley_price() -> None:
    text = TABLE.get("household_tou").unavailable
    assert text is not None
    assert "阶梯电价" in text
    assert "没有查到公开文件" in text


# In the words of customers; each of one row.
@pytest.mark.parametrize(
    ("intent", "text", "key"),
    [
        ("apply_new_supply", "新做的屋要接电", "new_supply_home"),
        ("apply_new_supply", "五户人家共用一个电表，想分开各装各的表", "split_meter"),
        ("apply_new_supply", "老房子是合表，能不能给每家装一块表", "split_meter"),
        ("apply_new_supply", "鸡舍盖好了，就差电，什么时候能来装", "new_supply_business"),
        ("apply_new_supply", "双电源，二级医院，新建门诊楼，申请", "new_supply_high"),
        ("apply_new_supply", "冷库新报装 315千伏安", "new_supply_high"),
        ("apply_new_supply", "工地临时电 315的 三个月 怎么报", "new_supply_temporary"),
        ("apply_capacity", "家里装中央空调 电容量不够", "capacity_up_home"),
        ("apply_capacity", "米厂变压器换大的 找哪个", "capacity_up"),
        ("apply_capacity", "增容", "capacity_up"),
        ("apply_capacity", "退一半容量出来 生意做不下去了", "capacity_down"),
        ("apply_capacity", "订单下滑，1号变压器先报停三个月", "suspension"),
        ("apply_capacity", "暂停到期了，下月复工，把那台恢复起来", "resume"),
        ("apply_capacity", "两相电改动力电", "three_phase"),
        ("apply_transfer", "户主改成我老婆", "transfer"),
        ("apply_transfer", "买的二手房 户主还是原来那个人", "transfer_new_owner"),
        ("apply_transfer", "老头子死了 户头改成我的名字", "transfer_new_owner"),
        ("apply_transfer", "房子我卖了，要过户给买家", "transfer"),
        ("apply_meter_move", "电表挂得太高 我看不到", "meter_move"),
        ("apply_meter_move", "门口那根拉线绊人 移开行不", "pole_move"),
        ("apply_large_household", "户口本上六个人 阶梯能不能提高", "large_household"),
        ("apply_large_household", "低保证在哪里登记 电费能减不", "low_income"),
        ("request_special_service", "老两口都八十多，想请人上门看看线", "special_elder"),
        ("request_special_service", "婆婆坐轮椅 去不了大厅 可以来家里办吗", "special_disabled"),
        ("request_special_service", "我爸透析在家做 停电能提前打电话不", "special_life_support"),
        ("request_special_service", "抗旱的水泵千万莫停 给我们保个电", "special_farm"),
        ("request_special_service", "高考期间请求对我校派驻保电", "special_event"),
        ("update_contact", "手机卡换了，留在你们那儿的也跟着换", "update_phone"),
        ("update_contact", "名字里的字打错了，改一下", "update_data"),
        ("subscribe_notice", "停电提前通知我", "subscribe"),
        ("subscribe_notice", "一天三条短信，烦死了，别发了", "unsubscribe"),
        ("subscribe_notice", "麻烦你们停电前发个短信", "subscribe"),
        ("claim_compensation", "送电的时候电压猛一下，洗衣机坏了，要你们负责", "compensation_appliance"),
        ("claim_compensation", "塔基占了我地，补偿多少", "compensation_works"),
        ("claim_compensation", "两千斤草鱼翻塘 一下午的电 哪个赔我", "compensation_other"),
        ("report_violation", "那家用磁铁吸表 我亲眼看到的", "report_theft"),
        ("report_violation", "二房东一度收一块八 还不给票", "report_overcharge"),
        ("switch_tariff", "开峰谷", "household_tou"),
        ("switch_tariff", "给充电桩表办分时", "charging_tou_on"),
        ("switch_tariff", "取消我家的峰谷，还原成平价", "charging_tou_off"),
        ("switch_tariff", "基本电费改按需量计，下个月起", "basic_charge_method"),
        ("switch_tariff", "需量核定值从300往下调到240，这月就改", "contract_demand"),
        ("switch_tariff", "小卖部关了 那个商业电要改回来", "price_class"),
        ("switch_tariff", "把我家改成合表那种价", "shared_meter_price"),
        ("switch_tariff", "我要退市场化购电，转给你们代购", "market_exit"),
        ("switch_tariff", "单一制转两部制，帮我办", "two_part"),
        ("switch_tariff", "换套餐", "tariff_other"),
    ],
)  # fmt: skip
def test_a_message_chooses_its_row(intent: str, text: str, key: str) -> None:
    assert [one.key for one in TABLE.choose(intent, text)] == [key]


def test_a_report_that_names_neither_theft_nor_price_gets_the_choice() -> None:
    assert [one.key for one in TABLE.choose("report_violation", "匿名举报行吗")] == [
        "report_theft",
        "report_overcharge",
    ]


def examples(topic: str, intent: str) -> list[str]:
    tree = yaml.safe_load((ROOT / "data" / "nlu" / f"{topic}.yml").read_text(encoding="utf-8"))
    lines = next(part["examples"] for part in tree["nlu"] if part.get("intent") == intent).splitlines()
    return [re.sub(r"\[([^\]]*)\](?:\{[^}]*\}|\([^)]*\))", r"\1", line[2:]) for line in lines if line.strip()]


@pytest.mark.parametrize(
    ("topic", "intent"),
    [
        ("application", "apply_new_supply"), ("application", "apply_capacity"), ("application", "apply_transfer"),
        ("application", "apply_meter_move"), ("application", "request_special_service"),
        ("account", "update_contact"), ("account", "subscribe_notice"), ("voice", "claim_compensation"),
        ("voice", "report_violation"), ("tariff", "switch_tariff"),
    ],
)  # fmt: skip
def test_of_what_customers_write_hardly_anything_leaves_the_business_open(topic: str, intent: str) -> None:
    texts = examples(topic, intent)
    open_ones = [text for text in texts if len(TABLE.choose(intent, text)) > 1]
    assert len(open_ones) <= len(texts) * 0.07


def test_life_support_begins_with_what_to_do_without_power() -> None:
    intro = TABLE.get("special_life_support").intro
    assert intro is not None
    assert "备好电池" in intro
    assert "120" in intro


def test_the_charging_tariff_tells_its_prices_and_its_doubt_before_anything_is_asked() -> None:
    intro = TABLE.get("charging_tou_on").intro
    assert intro is not None
    assert all(part in intro for part in ("0.15", "0.10", "0.20", "12个月", "以网上国网App或95598答复为准"))


def test_no_source_that_is_read_out_has_a_mark_of_ours() -> None:
    marks = r"\bS\d|常识|未核实|未见|未查到|整理"
    assert [row.key for row in TABLE if re.search(marks, row.source)] == []


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("我老伴81了，腿脚不好，能不能派人上门教我交电费", "special_elder"),
        ("我老娘八十三了，下不了床，派个人上门看看", "special_elder"),
        ("刚摔断了腿，能不能派人上门", "special_disabled"),
        ("七十八岁的聋哑老人，要上门", "special_disabled"),
        ("家里有制氧机，老人卧床", "special_life_support"),
    ],
)
def test_who_needs_a_visit_gets_the_row_for_them(text: str, key: str) -> None:
    assert [row.key for row in TABLE.choose("request_special_service", text)] == [key]


@pytest.mark.parametrize(
    ("text", "fits"), [("我换手机了", False), ("我的手机换号了", False), ("我的", True), ("是我自己的号", True)]
)
def test_a_new_number_is_the_owners_only_if_said(text: str, fits: bool) -> None:
    owner = next(one for one in TABLE.get("update_phone").field("whose").options if one.value == "owner")
    assert any(re.search(word, text) for word in owner.words) is fits
