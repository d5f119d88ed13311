"""Messages as WeChat shows them: readable lines, choices in three styles, nothing longer than fits."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from api.channels.wechat.render import LIMIT, Render, Style, split
from api.channels.wechat.words import Words
from core.channel.passive import Item
from core.channel.tables import Delivery
from core.conversation import Message

ROOT = Path(__file__).parents[3]
WORDS = Words.load(ROOT / "data/wechat/wording.yaml")
PAGE = "https://kefu.example.cn"


def render(style: Style = "links") -> Render:
    return Render(WORDS, style=style, public_url=PAGE + "/")


def message(text: str, kind: str = "text", *, seq: int = 2, buttons: list[str] | None = None, **more: Any) -> Message:
    shown = [{"id": f"b_{place:016}", "title": title} for place, title in enumerate(buttons or ())]
    given = {"author": "bot", "card": None} | more
    return Message(
        conversation_id="c", seq=seq, at=datetime(2026, 11, 22, tzinfo=UTC), type=kind, text=text, buttons=shown,
        **given,
    )  # fmt: skip


BILL_TEXT = (
    "10月电费152.30元，用电259度，已结清。\n第一档200度，117.60元；第二档59度，37.64元；农网还贷退回2.94元。\n"
    "（户号***7890，账单数据截至11月22日8:00）"
)
BILL = {
    "title": "10月电费账单", "amount": "152.30", "kwh": "259", "status": "已结清", "account": "***7890",
    "lines": [
        {"label": "第一档", "quantity": "200", "unit": "度", "price": "0.588", "amount": "117.60"},
        {"label": "第二档", "quantity": "59", "unit": "度", "price": "0.638", "amount": "37.64"},
        {"label": "农网还贷", "amount": "-2.94"},
        {"label": "违约金", "quantity": "152.30", "unit": "元", "price": "0.001", "amount": "0.15"},
    ],
}  # fmt: skip


def test_a_bill_whose_lines_were_said_comes_as_a_sentence_and_a_link() -> None:
    card = {**BILL, "lines": BILL["lines"][:2]}
    said = render().as_text([message(BILL_TEXT), message("10月电费账单 152.30", "bill_card", seq=3, card=card)])
    assert said == f'{BILL_TEXT}\n\n<a href="{PAGE}/wechat/h5#seq=3">查看明细</a>'


def test_lines_of_a_bill_that_were_not_said_come_with_how_they_are_reckoned() -> None:
    said = render().as_text([message("10月电费152.30元。"), message("10月电费账单", "bill_card", seq=3, card=BILL)])
    assert "【10月电费账单】\n第一档：200度 × 0.588元，117.60元\n第二档：59度 × 0.638元，37.64元" in said
    assert "农网还贷：-2.94元\n违约金：152.30元 × 0.001，0.15元" in said
    assert said.count("<a ") == 1


def test_bills_of_several_months_come_as_lines() -> None:
    months = [
        {"label": f"{n}月", "kwh": str(200 + n), "amount": f"{100 + n}.50", "status": "已结清"} for n in range(1, 4)
    ]
    said = render().as_text(
        [
            message("1月至3月一共306.50元。"),
            message("账单", "bill_card", card={"title": "1月至3月账单", "months": months}),
        ]
    )
    assert "1月：101.50元，201度，已结清\n2月：102.50元" in said


def test_a_chart_becomes_lines_with_the_year_before() -> None:
    card = {
        "title": "10月用电量", "unit": "度",
        "points": [{"label": "9月", "value": "210"}, {"label": "10月", "value": "198"}],
        "compare": [{"label": "9月", "value": "250"}, {"label": "10月", "value": "180"}],
    }  # fmt: skip
    said = render().as_text([message("10月用电198度。"), message("10月用电量 198", "usage_chart", seq=5, card=card)])
    assert "9月：210度（去年同期250度）" in said
    assert said.endswith(f'<a href="{PAGE}/wechat/h5#seq=5">查看明细</a>')


def test_a_list_of_accounts_reads_as_one() -> None:
    rows = [{"account": "4201234567890", "address": "岳麓区***12号", "class": "居民"}]
    said = render().as_text(
        [message("您名下有1个户号。"), message("4201234567890", "account_list", card={"title": "户号", "rows": rows})]
    )
    assert said == "您名下有1个户号。\n\n【户号】\n4201234567890（居民）\n岳麓区***12号"


def test_a_table_of_one_figure_and_one_of_several() -> None:
    one = {"title": "分时", "columns": ["时段", "电价"], "rows": [["峰", "0.9元"], ["谷", "0.3元"]]}
    two = {
        "title": "各户",
        "columns": ["户号", "用电（度）", "电费"],
        "rows": [["尾号7890", "210", "120.00"], ["尾号1111", "", ""]],
    }
    assert render().as_text([message("t", "table_card", card=one)]) == "【分时】\n峰：0.9元\n谷：0.3元"
    assert (
        render().as_text([message("t", "table_card", card=two)])
        == "【各户】\n尾号7890：用电210度，电费 120.00\n尾号1111"
    )


def test_a_long_table_is_cut_and_the_page_has_the_rest() -> None:
    rows = [{"label": f"第{n}项", "value": f"{n}.00"} for n in range(40)]
    said = render().as_text([message("表", "fact_card", seq=9, card={"title": "明细", "rows": rows})])
    assert "第11项：11.00\n…共40项" in said
    assert "第12项" not in said
    assert f"{PAGE}/wechat/h5#seq=9" in said


@pytest.mark.parametrize(
    "card", [{}, {"rows": 3}, {"title": "x", "rows": [{}]}, {"points": [{"label": "1"}]}, {"lines": [1]}]
)
@pytest.mark.parametrize(
    "kind", ["bill_card", "usage_chart", "balance_card", "payment_list", "fact_card", "table_card"]
)
def test_a_card_of_another_shape_is_read_by_its_text(kind: str, card: dict[str, Any]) -> None:
    assert "余额20元" in render().as_text([message("余额20元", kind, card=card)])


def test_buttons_become_numbered_links_that_bring_their_id_back() -> None:
    said = render().as_text([message("要办哪一项？", buttons=["查电费", "A&B<C>"])])
    links = re.findall(
        r'\n(\d)\. <a href="weixin://bizmsgmenu\?msgmenucontent=([^&"]*)&msgmenuid=([^"]*)">(.*?)</a>', said
    )
    assert [(number, unquote(content), key, title) for number, content, key, title in links] == [
        ("1", "查电费", "b_0000000000000000", "查电费"), ("2", "A&B<C>", "b_0000000000000001", "A&B＜C＞"),
    ]  # fmt: skip


def test_buttons_become_numbers() -> None:
    said = render("numbers").as_text(
        [message("要办哪一项？", buttons=["查电费", "查停电"]), message("还有", buttons=["转人工", "报修"])]
    )
    assert said == "要办哪一项？\n\n还有\n\n回复数字选择：\n1. 查电费\n2. 查停电\n3. 转人工\n4. 报修"


def test_a_way_out_that_several_have_stands_once() -> None:
    said = render("numbers").as_text(
        [message("甲", buttons=["查电费", "转人工"]), message("乙", buttons=["报修", "转人工"])]
    )
    assert said == "甲\n\n乙\n\n回复数字选择：\n1. 查电费\n2. 报修\n3. 转人工"


def test_choices_before_an_open_question_stand_at_the_end_and_have_no_numbers() -> None:
    said = render("numbers").as_text([message("修好了。", buttons=["已经好了", "还没好"]), message("家里几口人？")])
    assert said == "修好了。\n\n家里几口人？\n\n也可以回复：\n已经好了\n还没好"


def test_the_same_choice_of_two_questions_stays_under_each_and_only_the_last_has_numbers() -> None:
    said = render("numbers").as_text([message("甲？", buttons=["对", "不对"]), message("乙？", buttons=["对", "不对"])])
    assert said == "甲？\n\n也可以回复：\n对\n不对\n\n乙？\n\n回复数字选择：\n1. 对\n2. 不对"


def test_the_number_of_a_score_is_the_score() -> None:
    scores = ["很满意", "满意", "一般", "不满意", "很不满意"]
    said = render("numbers").as_text([message("满意吗？", "survey", buttons=scores)])
    assert said == "满意吗？\n\n回复数字选择：\n5. 很满意\n4. 满意\n3. 一般\n2. 不满意\n1. 很不满意"


def test_ending_a_talk_with_a_person_has_no_number() -> None:
    end = yaml.safe_load((ROOT / "data/wording.yaml").read_text(encoding="utf-8"))["desk"]["end_human"]
    said = render("numbers").as_text([message("坐席为您服务。", "notice", buttons=[end])])
    assert said == f"坐席为您服务。\n\n也可以回复：\n{end}"


def test_ways_out_of_a_question_have_no_numbers() -> None:
    said = render("numbers").as_text([message("家里几口人？", buttons=["先跳过", "不办了"])])
    assert said == "家里几口人？\n\n也可以回复：\n先跳过\n不办了"


def test_the_ways_out_are_those_of_the_forms() -> None:
    form = yaml.safe_load((ROOT / "data/phrases/form.yaml").read_text(encoding="utf-8"))
    end = yaml.safe_load((ROOT / "data/wording.yaml").read_text(encoding="utf-8"))["desk"]["end_human"]
    assert {form["skip"], form["give_up"], form["person"], form["resend"], end} == WORDS.ways_out


def test_as_menu_buttons_are_a_message_of_their_own_kind_and_links_in_an_answer() -> None:
    several = [message("10月电费152.30元。"), message("还要看什么？", buttons=["看9月", "缴费"])]
    (sent,) = render("menu").as_service(several)
    assert sent["msgtype"] == "msgmenu"
    assert sent["msgmenu"]["head_content"] == "10月电费152.30元。\n\n还要看什么？"
    assert [one["content"] for one in sent["msgmenu"]["list"]] == ["看9月", "缴费"]
    assert "weixin://bizmsgmenu" in render("menu").as_text(several)
    assert render("links").as_service(message("好的")) == [{"msgtype": "text", "text": {"content": "好的"}}]


def test_what_looks_like_a_tag_is_none() -> None:
    said = render().as_text([message('<a href="http://x.cn">点我</a> 电压<220伏 <3')])
    assert "<a" not in said
    assert "电压<220伏 <3" in said


def test_an_agent_is_named_and_a_photo_of_theirs_has_a_link() -> None:
    said = render().as_text(
        [
            message("您好", author="agent", agent_name="小周"),
            message("[图片]", "image", seq=7, author="agent", agent_name="小周", card={"upload_id": "u"}),
        ]
    )
    assert said == f'【小周】您好\n\n【小周】[图片]\n\n<a href="{PAGE}/wechat/h5#seq=7">查看图片</a>'


def test_as_much_as_fits_goes_and_a_long_one_in_parts() -> None:
    def item(text: str, part: int = 0) -> Item:
        return Item(Delivery(part=part), message(text))

    assert render().fit([item("甲" * 300), item("乙" * 300), item("丙" * 300)]).whole == 2
    long = "一二三四五六七八九。" * 120
    first = render().fit([item(long), item("乙")])
    assert (first.whole, first.parts) == (0, 1)
    rest = render().fit([item(long, 1), item("乙")])
    assert rest.whole == 2
    assert first.text + rest.text == long + "\n\n乙"


def test_what_is_left_of_a_long_message_with_choices_goes_alone_so_that_no_number_comes_twice() -> None:
    long = message("一二三四五六七八九。" * 120, buttons=["查电费", "报修"])
    items = [Item(Delivery(part=1), long), Item(Delivery(part=0), message("乙", seq=3, buttons=["缴费"]))]
    rest = render().fit(items)
    assert (rest.whole, rest.text.count("1. "), "缴费" in rest.text) == (1, 1, False)


@given(st.text(alphabet=st.sampled_from("电费。，\n<a 1x"), max_size=900), st.integers(20, 200))
def test_pieces_fit_and_lose_nothing_but_ends_of_lines(text: str, limit: int) -> None:
    pieces = split(text, limit)
    assert all(len(piece.encode()) <= limit for piece in pieces)
    assert "".join(pieces).replace("\n", "") == text.replace("\n", "")


@given(st.lists(st.text(min_size=1, max_size=80), min_size=1, max_size=12))
def test_links_are_never_cut(titles: list[str]) -> None:
    for piece in split(render().as_text([message("选哪个？", buttons=titles)])):
        assert piece.count("<a ") == piece.count("</a>")
        assert len(piece.encode()) <= LIMIT


def test_of_many_payments_the_latest_five_are_told_and_how_many_more_there_are() -> None:
    rows = [
        {"date": f"2026-{month:02}-05", "channel": "微信", "amount": f"{month}.00", "status": "成功"}
        for month in range(12, 0, -1)
    ]
    text = render().as_text([message("交费记录", "payment_list", card={"rows": rows})])
    assert [line for line in text.split("\n") if line.startswith("2026")] == [
        f"2026-{month:02}-05 微信 {month}.00元，成功" for month in range(12, 7, -1)
    ]
    assert "…还有7笔更早的" in text
    assert "/wechat/h5#seq=" in text
    few = render().as_text([message("交费记录", "payment_list", card={"rows": rows[:5]})])
    assert "还有" not in few
    assert "/wechat/h5" not in few
