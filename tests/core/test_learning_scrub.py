"""Nothing that points at anybody is left, however it is written; what tells of the matter stays."""

from __future__ import annotations

import pytest

from core.learning.said_names import names_in
from core.learning.scrub import Scrubber, says_something
from core.redact import Known, Redactor
from tests.core.learning_kit import SETTINGS

SCRUBBER = Scrubber(SETTINGS.placeholders, names_in)

HIDDEN = [
    ("我叫王小明，住汉阳区钟家村3栋2单元", ["王", "明", "钟家", "3栋"]),
    ("我屋里老头子张建国的户头欠费了", ["张", "建国"]),
    ("李芳芳家的表坏了", ["李", "芳"]),
    ("王建国，13900001111，报停电", ["王", "建国", "1390", "1111"]),
    ("身份证 4201 0619 9003 0722 15 能不能过户", ["4201", "0722", "15"]),
    ("身份证号四二零一零六一九九零零三零七二二一五", ["四二零", "二一五"]),
    ("打我电话138 0013 8000或者一三八零零一三八零零零", ["138", "8000", "一三八", "零零零"]),
    ("户号4208831957查下", ["420", "1957"]),
    ("鄂A12345停在配电房门口", ["鄂A", "12345"]),
    ("鄂 A·12 34F挡住了箱变", ["鄂", "12", "34F"]),
    ("京ADF0123 占了充电位", ["京A", "0123"]),
    ("仙桃市沔城七里村二组余家湾 屋里没得电", ["七里", "二组", "余家"]),
    ("老王滴屋里在熊家畈七组", ["熊家", "七组"]),
    ("我妈欧阳菊香家住后湖大道百步亭花园3-2-501", ["欧阳", "菊香", "后湖", "百步亭", "501"]),
    ("这边是武昌区中北路108号", ["中北", "108"]),
    ("我微信zhangsan_88加我", ["zhang", "88"]),
    ("每期账单发我邮箱行不行，qiufeng88@163.com", ["qiu", "163.com"]),
    ("看这个 https://x.example/u?id=4201234567890", ["http", "420"]),
    ("廖家湾 七号 杆子倒了", ["廖家", "七号"]),
    ("工单20261115000327撤回", ["20261115", "0327"]),
    ("电话１３８００１３８０００打我", ["１３８", "８０００", "138", "8000"]),
    ("①③⑧⓪⓪①③⑧⓪⓪⓪是我手机", ["①③⑧", "⓪⓪⓪", "138"]),
    ("㈠㈢㈧零零一三八零零零", ["㈠㈢㈧", "零零", "138"]),
    ("壹叁捌零零壹叁捌零零零", ["壹叁捌", "捌零零"]),
    ("13８零零13８零零零", ["13８", "８零", "138"]),
    ("一三八，零零一三，八零零零 是我手机", ["一三八", "零零一三", "八零零"]),
    ("我电话幺三八 后面 0013 8000", ["幺三八", "0013", "8000"]),
    ("我邮箱是123456789＠ｑｑ．ｃｏｍ", ["123456", "ｑｑ", "qq"]),
    ("鄂牌A12345堵了门", ["A123", "2345"]),
    ("车号A7K921的车", ["A7K", "921"]),
    ("银行卡后四位六六八八", ["六六", "八八"]),
    ("身份证尾数是123X", ["123", "X"]),
    ("身份证最后四位2 3 1 X", ["2 3", "X"]),
    ("我是九零年三月五号生的", ["九零年", "五号"]),
    ("密码是8848，帮我改", ["8848"]),
    ("我密码abc123登不上", ["abc", "123"]),
    ("家里路由器192.168.1.100连不上", ["192", "168"]),
    ("恒大绿洲7栋2单元1803停电了", ["恒大", "绿洲", "1803"]),
    ("我叫阿依古丽，查电费", ["阿依", "古丽"]),
    ("我同事欧阳娜娜说的", ["欧阳", "娜娜"]),
    ("我姓诸葛，单名一个亮字", ["亮"]),
    ("武汉鑫源商贸的电费", ["鑫源"]),
    ("抖音@小丽爱生活", ["小丽"]),
    ("138-0013-8000转812", ["138", "8000", "812"]),
]

KEPT = [
    "充电桩多久能装", "线路老化短路了", "2026年10月电费12345.67元", "用了12345度电", "95598打不通", "王师傅什么时候来",
    "农村自建房怎么装光伏", "我们小区整个停电", "马上要停电吗", "阶梯电价怎么算", "高压线掉下来了", "谢谢你们",
    "10kV永丰线停不停", "怎么弄才能便宜", "下夜班顺路交", "钱能退回来不", "房东收我一块五一度，合法吗",
    "这个月尾数差一个", "密码忘了怎么改", "欠费八百八十八块", "一百三十八度，一千零一十三度", "2026年9月结的账",
    "银行卡后四位怎么看", "万科物业收两块一度", "我姓王", "验证码收不到", "车牌识别坏了",
]  # fmt: skip


@pytest.mark.parametrize(("said", "gone"), HIDDEN)
def test_nothing_of_a_person_is_left(said: str, gone: list[str]) -> None:
    text = SCRUBBER.text(said) or ""
    assert [one for one in gone if one in text] == []


@pytest.mark.parametrize("said", KEPT)
def test_the_matter_stays_as_it_was_written(said: str) -> None:
    assert SCRUBBER.text(said) == said


def test_what_is_known_of_the_customer_goes_also_where_its_form_says_nothing() -> None:
    known = Known(names=("司马青",), addresses=("武汉市江岸区惠济花园9栋1单元1204室",))
    assert SCRUBBER.text("司马青交的钱，1204", Redactor(known)) == "某人交的钱，某号"


def test_a_star_of_the_customers_own_does_no_harm() -> None:
    assert SCRUBBER.text("**急** 停电了") == "急 停电了"


def test_the_second_net_catches_what_came_by_another_way() -> None:
    personal = ("电话13912345678", "鄂A12345", "a@b.cn", "我叫王小明", "3-2-501")
    assert [SCRUBBER.is_personal(text) for text in personal] == [True] * 5
    assert not SCRUBBER.is_personal("我叫某人，住某地某号，2026年10月用了12345度")


def test_what_says_nothing_is_told() -> None:
    assert [says_something(text, 2) for text in ("???", "电", "停电", "ok ok", "123")] == [
        False,
        False,
        True,
        False,
        False,
    ]
