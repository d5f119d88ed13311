"""Personal data goes from what agents read; amounts, dates, order numbers and hotlines stay."""

from __future__ import annotations

import re
import time
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.redact import Known, Redactor

KNOWN = Known(
    names=("钟晓晨", "欧阳雅琴", "汉阳区星火小学", "林一诺"),
    phones=("13871022842", "027-84510369"),
    addresses=("武汉市汉阳区琴台路118号知音苑6栋2单元1703室", "湖北省楚溪县柳河乡荷叶塘村3组47号"),
    account_nos=("4201054728315", "4211993206"),
    certificates=("42010519820314723X",),
)
OURS, STRANGE = Redactor(KNOWN), Redactor()

# What a customer writes -> what an agent reads; nothing is known of this customer.
BY_FORM = {
    "我手机13971045528，下午打给我": "我手机139****5528，下午打给我",
    "打 139 7104 5528 找我": "打 139 **** 5528 找我",
    "186-2714-0093这个是我老公的": "186-****-0093这个是我老公的",
    "１５９７２０８６６３１ 是微信同号": "１５９****６６３１ 是微信同号",
    "一三七零八六五四三二一": "一三七****四三二一",
    "幺三三 洞": "幺三三 洞",
    "+8613545097718打不通就发短信": "+861******7718打不通就发短信",
    "座机027-85776210，白天有人": "座机027-****6210，白天有人",
    "（0714）6358842": "（071*）***8842",
    "家里电话 8577 6210 晚上打": "家里电话 **** **10 晚上打",
    "户号4201062293847": "户号420******3847",
    "用户编号是 4203 0618 55": "用户编号是 420* **18 55",
    "帮我查4207113356交了没": "帮我查420***3356交了没",
    "户头号四二零一一一六六三九二八四": "户头号四二零******九二八四",
    "身份证420106198807124419": "身份证4****************9",
    "证件号 420106 19880712 441X": "证件号 4***** ******** ***X",
    "42010619880712441x这是我的身份证": "4****************x这是我的身份证",
    "退到6222 0235 0001 9873 行吗": "退到**** **** **** 9873 行吗",
    "银行卡号6217003810012345678": "银行卡号621************5678",
    "邮箱 liu.guixiang@example.com 发票发这里": "邮箱 l***********@example.com 发票发这里",
    "加我微信：xiaoman_8812": "加我微信：x***********",
    "我叫刘桂香，要报修": "我叫刘*香，要报修",
    "我叫覃伟": "我叫覃*",
    "我叫林可，可以上门吗": "我叫林*，可以上门吗",
    "我叫马得胜来交电费": "我叫马*胜来交电费",
    "申请人姓名：王和平": "申请人姓名：王*平",
    "我是周建民，电表在楼道里": "我是周*民，电表在楼道里",
    "户主是王翠萍，人在外地": "户主是王*萍，人在外地",
    "户主王翠萍的户": "户主王*萍的户",
    "联系人：张立": "联系人：张*",
    "联系人写我老婆何玉兰吧": "联系人写我老婆何*兰吧",
    "申请人 司马长风": "申请人 司**风",
    "我爸叫曹水生，今年七十六": "我爸叫曹*生，今年七十六",
    "我妈胡金穗，电话打不通": "我妈胡*穗，电话打不通",
    "姓名：阿依古丽·买买提": "姓名：阿******提",
    "我姓刘，刘桂香": "我姓刘，刘*香",
    "我姓陈，叫陈会": "我姓陈，叫陈*",
    "新户主姓名改成贾德胜": "新户主姓名改成贾*胜",
    "找田有田 13971045528": "找田有田 139****5528",
    "田有田，13971045528，古田里": "田*田，139****5528，古田里",
    "彭静姝电话15927344102": "彭*姝电话159****4102",
    "开户名是潘如意": "开户名是潘*意",
    "住在常青雅居7栋3单元802": "住在常青雅居**栋**单元**",
    "地址江汉区青年路66号北湖小筑12栋1单元1504室": "地址江汉区青年路**号北湖小筑**栋**单元**室",
    "知音苑三栋二单元五零一": "知音苑**栋**单元**",
    "月湖湾5-2-1103没电": "月湖湾**没电",
    "东亭苑9号楼11楼": "东亭苑**号楼**楼",
    "石桥村4组19号": "石桥村**组**号",
    "武东小区A座2203": "武东小区**座**",
    "我住1902，楼上楼下都有电": "我住**，楼上楼下都有电",
    "汉正街288号底商6号": "汉正街**号底商**号",
    "地下车库B1-078的充电桩": "地下车库**的充电桩",
    "吴家山三路17号院4幢": "吴家山三路**号院**幢",
    "中山大道一百零五号": "中山大道**号",
    "红钢坊 1603 跳闸": "红钢坊 ** 跳闸",
}
# Nothing here is anybody's: it comes back as it was.
NOBODYS = [
    "这个月电费386.52元，上个月才190",
    "用了1204度电，怎么要扣755.3块",
    "10月13日晚上8点半停的",
    "2026-11-22 14:30来的电",
    "工单20261122000031处理到哪一步了",
    "单号20261105000118帮我催一下",
    "我打了95598没人接",
    "急救打120，火警打119，110也行",
    "电表上显示012345.67",
    "容量从50kW加到160kVA",
    "峰谷电价0.5583和0.3583差多少",
    "从2025年7月到2026年6月的账单都要",
    "汉阳大道这边全停了",
    "我们村15号停电吗",
    "荷叶塘村20号早上停电到几点",
    "15号交的费，18号还没到账",
    "知道12号要检修",
    "家里三口人，一个月400多度正常吗",
    "小区300户都没电",
    "我是房东，租客不交电费",
    "我是新来的租户",
    "我是高压用户",
    "我妈高血压，离不开制氧机",
    "你们叫什么师傅来",
    "我叫了师傅三次",
    "谢谢，马上就好",
    "余额还有1280.00元",
    "去年1月用了320，2月310，3月290",
    "欠费1,234,567.89元",
    "100-200块之间吧",
    "2号表走得快",
    "3相电缺了一相",
    "1#变压器在响",
    "整栋楼都没电",
    "一栋楼都黑了",
    "两室一厅装几个千瓦的空调",
    "第一档2880度，第二档4800度",
    "2026年11月22日9时15分",
    "11-22 08:00-18:00计划检修",
    "客服400-820-1234打不进去",
    "12398能投诉吗",
    "一三五停，二四六不停",
    "一共一千二百三十四块五毛六",
    "电压只有185伏",
    "六点到十点最贵",
    "功率因数0.85罚了多少",
    "我是上个月办的过户",
    "这里15号停过一次",
    "家里500多块的账单",
    "阶梯从180度开始加价",
    "合表户和一户一表差多少",
    "退补278.4度",
    "王师傅电话没人接",
    "我要找李经理",
    "我是张村的，路灯不亮",
    "名字写成我老伴的了",
    "户名是房东，能开票吗",
    "电梯停在一楼，物业说没电",
    "隔壁盖新房，四层",
    "我孙女说要先绑定",
    "儿子成家了，改他名下",
    "业主来信反映路灯不亮",
    "他叫我等两天",
    "整个C区七栋楼没电",
    "充电桩7kW，每天充30度",
    "要等2小时还是45分钟",
]


@pytest.mark.parametrize(("said", "read"), BY_FORM.items(), ids=BY_FORM)
def test_personal_data_of_people_nobody_knows_goes_by_its_form(said: str, read: str) -> None:
    assert STRANGE.text(said) == read


@pytest.mark.parametrize("said", NOBODYS)
def test_what_is_nobodys_stays(said: str) -> None:
    assert STRANGE.text(said) == said
    assert OURS.text(said) == said


@pytest.mark.parametrize("said", [*BY_FORM, *NOBODYS])
def test_redacting_twice_changes_nothing_more(said: str) -> None:
    once = OURS.text(said)
    assert OURS.text(once) == once


KNOWN_SAID = {
    "晓晨的同学钟晓晨问": "晓晨的同学钟*晨问",
    "钟 晓 晨": "钟 * 晨",
    "是欧 阳雅琴交的钱": "是欧 **琴交的钱",
    "给汉阳区星火小学开票": "给汉*****学开票",
    "户上写的林一诺": "户上写的林*诺",
    "13871022842": "138****2842",
    "1 3 8 7 1 0 2 2 8 4 2": "1 3 8 * * * * 2 8 4 2",
    "138，7102，2842": "138，****，2842",
    "一三八七一零二二八四二": "一三八****二八四二",
    "壹叁捌柒壹零贰贰捌肆贰": "壹叁捌****贰捌肆贰",
    "138-71〇22-842": "138-****2-842",
    "84510369打这个": "******69打这个",
    "我的号是4201054728315元": "我的号是420******8315元",
    "编号 42 01 05 47 28 31 5": "编号 42 0* ** ** *8 31 5",
    "420\u200b105\u200b4728315": "420\u200b***\u200b***8315",
    "4️⃣2️⃣0️⃣1️⃣0️⃣5️⃣4728315": "4️⃣2️⃣0️⃣*️⃣*️⃣*️⃣***8315",
    "42010519820314723x": "4****************x",
    "武汉市汉阳区琴台路118号知音苑6栋2单元1703室": "武汉市汉阳区琴台路**号知音苑**栋**单元**室",
    "武汉市汉阳区琴台路一一八号 知音苑六栋二单元一七零三室": "武汉市汉阳区琴台路**号 知音苑**栋**单元**室",
    "1703漏电": "**漏电",
    "交了1703元": "交了1703元",
    "用了1703度": "用了1703度",
}


@pytest.mark.parametrize(("said", "read"), KNOWN_SAID.items(), ids=KNOWN_SAID)
def test_what_is_known_of_the_customer_goes_in_every_spelling(said: str, read: str) -> None:
    assert OURS.text(said) == read


SPELLINGS = {str(value): f"{value}{chr(0xFF10 + value)}{'零一二三四五六七八九'[value]}" for value in range(10)}
SPELLINGS["0"] += "〇"
SPELLINGS["1"] += "幺①"
JOINTS = ["", " ", "  ", "-", "—", "·", "\u200b", "　", ".", "，", "/"]


@st.composite
def spelled(draw: st.DrawFn, value: str) -> str:
    """The value with any of its digits in another spelling and joints between."""
    parts = []
    for char in value:
        parts.append(draw(st.sampled_from(SPELLINGS[char])) if char in SPELLINGS else char)
        parts.append(draw(st.sampled_from(JOINTS)))
    return "".join(parts[:-1])


def bare(text: str) -> str:
    """The text as a reader would put it together: figures of all spellings alike, nothing between."""
    figures = str.maketrans("〇零一幺二三四五六七八九", "001123456789")
    return re.sub(r"[^\w*]", "", unicodedata.normalize("NFKC", text).translate(figures))


SIDES = st.text(alphabet="0123456789一三 -，。的号我叫电话是王刘栋单元室\n*户🙂a", max_size=12)
VALUES = [*KNOWN.names, *KNOWN.phones, *KNOWN.account_nos, *KNOWN.certificates, *KNOWN.addresses]


@settings(max_examples=250, deadline=None)
@given(data=st.data(), value=st.sampled_from(VALUES), before=SIDES, after=SIDES)
def test_no_known_value_survives_in_any_spelling(data: st.DataObject, value: str, before: str, after: str) -> None:
    text = before + data.draw(spelled(value)) + after
    assert bare(value) not in bare(OURS.text(text))
    assert OURS.text(OURS.text(text)) == OURS.text(text)


def test_what_is_hidden_already_is_no_door_behind_a_building() -> None:
    once = Redactor().text("栋4211993206")
    assert once == "栋421***3206"
    assert Redactor().text(once) == once


@settings(max_examples=100, deadline=None)
@given(data=st.data(), prefix=st.sampled_from(["138", "159", "186", "199"]), rest=st.text("0123456789", min_size=8))
def test_no_mobile_number_survives_that_is_written_in_a_row(data: st.DataObject, prefix: str, rest: str) -> None:
    number = prefix + rest[:8]
    shown = STRANGE.text(f"打{number}吧")
    assert number not in bare(shown)
    assert number[-4:] in shown


@settings(max_examples=100, deadline=None)
@given(yuan=st.decimals(0, 99_999_999, places=2), kwh=st.integers(0, 9_999_999), day=st.dates())
def test_no_amount_and_no_date_is_touched(yuan: Any, kwh: int, day: Any) -> None:
    text = f"{day.isoformat()}那期{kwh}度，{yuan}元，{day.month}月{day.day}日交的"
    assert OURS.text(text) == text


def test_a_tree_is_masked_whatever_hides_in_it() -> None:
    card = {
        "title": "停电报修 20261122000031", "account": "4201054728315", "at": "2026-11-22T14:30:05+08:00",
        "rows": [
            {"label": "联系电话", "value": "8451 0369"}, {"label": "户主", "value": "阮清和"},
            {"label": "故障地址", "value": "水果湖里8栋"}, {"label": "金额", "value": "386.52元"},
        ],
        "buttons": [{"id": "b_aB3dE5gH7jK9mN1p", "title": "打给13871022842"}],
        "upload_id": "13800138000abcdef13800138000abcd", "count": 3, "phone_no": 13871022842, "ok": True, "none": None,
        "details": {"新户主": "贾德胜", "联系电话": "15927344102", "用电地址": "积玉新居2栋1单元", "容量": "20kW"},
    }  # fmt: skip
    assert OURS.tree(card) == {
        "title": "停电报修 20261122000031", "account": "420******8315", "at": "2026-11-22T14:30:05+08:00",
        "rows": [
            {"label": "联系电话", "value": "**** **69"}, {"label": "户主", "value": "阮*和"},
            {"label": "故障地址", "value": "水果湖里**栋"}, {"label": "金额", "value": "386.52元"},
        ],
        "buttons": [{"id": "b_aB3dE5gH7jK9mN1p", "title": "打给138****2842"}],
        "upload_id": "13800138000abcdef13800138000abcd", "count": 3, "phone_no": "138****2842", "ok": True,
        "none": None,
        "details": {"新户主": "贾*胜", "联系电话": "159****4102", "用电地址": "积玉新居**栋**单元", "容量": "20kW"},
    }  # fmt: skip


def test_a_tree_masked_twice_is_masked_once() -> None:
    tree = {"户主": "贾德胜", "电话": "13871022842", "地址": "积玉新居2栋1单元", "name": "钟晓晨"}
    assert OURS.tree(OURS.tree(tree)) == OURS.tree(tree)


@pytest.mark.parametrize(
    ("asked", "said", "read"),
    [
        ("新户主叫什么名字？单位就写全称。", "蒋满仓", "蒋*仓"),
        ("您怎么称呼？", "我姓覃，叫覃国梁", "我姓覃，叫覃*梁"),
        ("单位的全称是什么？", "楚鼎机械厂", "楚***厂"),
        ("您贵姓？", "跳过", "跳过"),
        ("户主叫什么名字？", "这个还要问名字吗？", "这个还要问名字吗？"),
        ("家里几口人？", "蒋满仓", "蒋满仓"),
    ],
)
def test_the_answer_to_a_question_after_a_name_is_a_name(asked: str, said: str, read: str) -> None:
    assert STRANGE.text(said, asked=asked) == read


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("您好，我是何敏，工号2031。", "您好，我是何敏，工号2031。"),
        ("我叫何敏，户主叫蒋满仓吗", "我叫何敏，户主叫蒋*仓吗"),
        ("联系人：何敏", "联系人：何敏"),
        ("蒋满仓 13871022842 已经联系过了", "蒋*仓 138****2842 已经联系过了"),
    ],
)
def test_what_our_people_say_of_themselves_stays_and_what_they_say_of_others_does_not(said: str, read: str) -> None:
    assert STRANGE.text(said, staff=("何敏",)) == read


def test_a_customer_who_says_his_name_is_masked_though_somebody_of_ours_bears_it() -> None:
    assert STRANGE.text("我是何敏") == "我是何*"


def test_what_is_known_does_not_show_in_a_trace() -> None:
    assert not any(value in repr(KNOWN) for value in VALUES)
    assert KNOWN + Known(names=("钟晓晨", "何玉兰")) == Known(
        names=(*KNOWN.names, "何玉兰"), phones=KNOWN.phones, addresses=KNOWN.addresses,
        account_nos=KNOWN.account_nos, certificates=KNOWN.certificates,
    )  # fmt: skip


@pytest.mark.parametrize("piece", ["1 ", "138 ", "a", "a@", "户主", "13871022842", "栋1", "电话1 - "])
def test_a_long_message_does_not_hold_up_the_desk(piece: str) -> None:
    text = (piece * 20_000)[:20_000]
    begun = time.process_time()
    OURS.text(text)
    assert time.process_time() - begun < 1.5
