"""Prices, steps and hours as customers hear them: every figure is that of the tariff files or of their own bill."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from actions_desk import ROOT, TODAY, Desk

from core.account import Account
from core.clock import SHANGHAI
from core.tier_year import tier_year

TARIFF, TIER, TOU = "action_explain_tariff", "action_explain_tier", "action_explain_tou"
HOME = "user_class = 'residential' and opened_on < '2023-01-01' and not prepaid"
DOUBT = "以网上国网App或95598答复为准"


def of_class(name: str) -> list[dict[str, Any]]:
    return [{"entity": "tariff_class", "value": name}]


@pytest.fixture(scope="module")
def hubei() -> dict[str, dict[str, Any]]:
    """The first entry of each plan as it stands in the file."""
    plans = yaml.safe_load((ROOT / "data" / "tariffs" / "hubei.yaml").read_text(encoding="utf-8"))["plans"]
    return {plan["code"]: plan for plan in reversed(plans)}


def test_anybody_hears_the_price_of_a_home_with_what_it_rests_on(desk: Desk, hubei: dict[str, Any]) -> None:
    said = desk.ask(TARIFF, text="现在几多钱一度", assurance=0)
    prices = [tier["price"] for tier in hubei["hubei.residential.tier"]["tiers"]]
    assert [said.text.index(price) for price in prices] == sorted(said.text.index(price) for price in prices)
    assert "2012年7月1日起执行" in said.text
    assert DOUBT not in said.text
    assert [row[2] for row in said.card["rows"]] == prices


def test_own_class_is_told_and_called_own(desk: Desk) -> None:
    account = desk.account("user_class = 'shared_meter'")
    said = desk.ask(TARIFF, account, text="电价")
    assert "每度0.58元" in said.text
    assert f"您的户号（{account[:3]}" in said.text
    assert account not in said.text


def test_an_assumed_price_is_called_assumed_and_dated(desk: Desk) -> None:
    said = desk.ask(TARIFF, text="商用电多少钱", entities=of_class("commercial"), assurance=0)
    assert "2026年11月" in said.text
    assert DOUBT in said.text
    assert said.card["note"].endswith(f"{DOUBT}。")


def test_the_table_has_the_exact_price_and_the_sentence_a_rounded_one(desk: Desk) -> None:
    said = desk.ask(TARIFF, text="工业用电多少钱", entities=of_class("industrial"), assurance=0)
    parts = {
        "agent_price": "0.384470",
        "line_loss": "0.013643",
        "rest": "0.1263",
        "system": "0.082273",
        "funds": "0.0452",
    }
    flat = sum(Decimal(part) for part in parts.values())
    rows = {row[0]: row[2] for row in said.card["rows"]}
    assert Decimal(rows["平段"]) == flat
    assert f"平段每度约{flat.quantize(Decimal('0.0001')).normalize():f}元" in said.text
    assert "按需量每千瓦42元，或按容量每千伏安26.3元" in said.text


def test_a_named_class_wins_over_the_account_and_the_account_is_still_mentioned(desk: Desk) -> None:
    said = desk.ask(TARIFF, desk.account(HOME), text="合表用户单价是多少", entities=of_class("shared_meter"))
    assert "每度0.58元" in said.text
    assert "执行的是居民（一户一表）电价" in said.text


@pytest.mark.parametrize("text", ["农业用电多少钱一度", "抽水浇田的电跟屋里的电 一度差几多", "农排电价"])
def test_no_price_of_farming_is_quoted_to_anybody(desk: Desk, text: str) -> None:
    farm = desk.account("user_class = 'agricultural'")
    for accounts in ((), (farm,)):
        said = desk.ask(TARIFF, *accounts, text=text, entities=of_class("agricultural"), assurance=len(accounts))
        assert "0.56" not in said.text
        assert "没有查到可靠的数" in said.text
        assert DOUBT in said.text
        assert not said.reply.cards


@pytest.mark.parametrize(
    ("action", "text"), [(TARIFF, "浙江电价多少"), (TIER, "长沙一档是多少度"), (TOU, "上海晚上几点开始是谷电")]
)
def test_prices_of_other_provinces_are_refused(desk: Desk, action: str, text: str) -> None:
    said = desk.ask(action, text=text, assurance=0)
    assert "我只管湖北" in said.text
    assert "0.5" not in said.text


def test_a_street_named_after_another_city_is_in_wuhan(desk: Desk) -> None:
    assert "0.558" in desk.ask(TARIFF, text="汉口南京路这边住家的电价多少", assurance=0).text


def test_a_late_fee_is_told_with_the_customers_own_figures_first(desk: Desk, tmp_path: Path) -> None:
    account = desk.account(
        f"{HOME} and not exists (select 1 from bills b where b.account_id = a.id and abs(b.amount - (select"
        " coalesce(sum(p.amount), 0) from payments p where p.bill_id = b.id and status = 'succeeded')) > 0.001)"
    )
    late = desk.changed(tmp_path, (
        "delete from payments where bill_id = (select b.id from bills b join accounts a on a.id = b.account_id"
        " where account_no = ? and month = '2026-09-01')", account,
    ))  # fmt: skip
    said = late.ask(TARIFF, account, text="违约金咋算的")
    owed = desk.billed(account, "2026-09-01", "2026-09-01")
    days = (TODAY - date(2026, 10, 25)).days
    fee = (owed * days / 1000).quantize(Decimal("0.01"), "ROUND_HALF_UP")
    assert said.text.startswith(f"您2026年9月的电费还有{owed:.2f}元没交，已过期{days}天，到今天违约金{fee:.2f}元")
    assert "千分之一" in said.text
    assert "千分之二" not in said.text
    assert desk.ask(TARIFF, account, text="滞纳金一天多少").text.startswith("您现在没有过期的电费")


def test_businesses_hear_their_own_rate_of_late_fee(desk: Desk) -> None:
    said = desk.ask(TARIFF, desk.account("user_class = 'industrial'"), text="违约金一天收几多")
    assert "千分之二" in said.text
    assert "千分之一" not in said.text


@pytest.mark.parametrize(("text", "code"), [("基本电费怎么收的", "basic"), ("力调电费是什么", "power_factor")])
def test_a_charge_is_explained_with_the_line_of_the_latest_bill(desk: Desk, text: str, code: str) -> None:
    factory = desk.account("user_class = 'industrial'")
    amount = desk.fen(
        "select abs(cast(round(l.amount * 100) as integer)) from bill_lines l join bills b on b.id = l.bill_id"
        " join accounts a on a.id = b.account_id where account_no = ? and code = ? order by month desc limit 1",
        factory, code,
    )  # fmt: skip
    said = desk.ask(TARIFF, factory, text=text)
    assert said.text.startswith("您2026年10月的")
    assert f"{amount:.2f}元" in said.text.partition("\n")[0]
    assert "您2026年" not in desk.ask(TARIFF, text=text, assurance=0).text


def test_the_make_up_of_a_business_price_adds_up_and_a_homes_is_not_invented(desk: Desk) -> None:
    said = desk.ask(TARIFF, desk.account("user_class = 'industrial'"), text="输配电价和政府基金各占多少")
    shares = [Decimal(share) for share in re.findall(r"(\d+(?:\.\d+)?)%", said.text)]
    assert len(shares) == 5
    assert abs(sum(shares) - 100) < Decimal("0.3")
    home = desk.ask(TARIFF, desk.account(HOME), text="请问居民电价由哪几部分构成")
    assert "%" not in home.text
    assert "没有按户公布" in home.text


def test_a_landlords_price_is_compared_with_ours_and_accuses_nobody(desk: Desk) -> None:
    said = desk.ask(TARIFF, text="物业说门面都是一块二，我问你们国家定的门面价是几多", assurance=0)
    assert ("反映加价", "/report_violation") in said.buttons
    for word in ("违法", "乱收费", "骗"):
        assert word not in said.text


def test_a_button_for_another_class_comes_back_to_the_same_action(desk: Desk) -> None:
    said = desk.ask(TARIFF, text="电价", assurance=0)
    again = desk.ask(
        "action_inform", text='/inform{"tariff_class": "commercial"}', entities=of_class("commercial"), after=said,
        assurance=0,
    )  # fmt: skip
    assert again.text.startswith("商业（不满1千伏）")


# -- steps


def test_where_the_customer_stands_comes_first_and_equals_the_step_year(desk: Desk) -> None:
    for (account,) in desk.sql(
        f"select account_no from accounts a where closed_on is null and {HOME} order by id limit 12"
    ):
        said = desk.ask(TIER, account, text="我用到第几档了")
        used = desk.used(account, date(2026, 1, 1), TODAY)
        assert said.text.startswith(f"今年到11月21日您用了{used.normalize():f}度，在第")


def test_the_kwh_left_the_next_price_and_the_day_are_told(desk: Desk) -> None:
    found = 0
    with desk.services.billing.reading() as session:
        for (number,) in desk.sql(f"select account_no from accounts a where closed_on is null and {HOME} order by id"):
            account = session.query(Account).filter_by(account_no=number).one()
            year = tier_year(session, account=account, book=desk.services.book, today=TODAY)
            assert year is not None
            text = desk.ask(TIER, number, text="阶梯").text
            if year.left is not None:
                assert f"再用{year.left.normalize():f}度进第" in text
            if year.next_on is not None:
                found += 1
                assert f"大约{year.next_on.month}月{year.next_on.day}日进第" in text
                assert f"还有{(year.next_on - TODAY).days}天" in text
            elif year.left is None:
                assert "最高一档" in text
    assert found


def test_a_question_of_the_rule_is_answered_before_the_own_standing(desk: Desk) -> None:
    said = desk.ask(TIER, desk.account(HOME), text="一年清零是不是元旦那天")
    assert said.text.startswith("阶梯按自然年算，1月1日从零起算")
    assert "今年到11月21日您用了" in said.text


def test_who_is_unknown_hears_the_bounds_and_how_to_see_their_own(desk: Desk) -> None:
    said = desk.ask(TIER, text="阶梯电价怎么算", assurance=0)
    assert said.text.startswith("一年2160度以内每度0.558元，2160到4800度每度0.608元，4800度以上每度0.858元")
    assert ("绑定户号", "/bind_account") in said.buttons


def test_who_has_several_accounts_may_pick_one_and_then_hears_its_standing(desk: Desk) -> None:
    home, pile = desk.account(HOME), desk.account("user_class = 'charging'")
    said = desk.ask(TIER, home, pile, text="阶梯到第几档了")
    assert len(said.buttons) == 2
    chosen = desk.ask(
        "action_inform", home, pile, text="/inform", entities=[{"entity": "account_no", "value": home}], after=said
    )
    assert chosen.text.startswith("今年到11月21日您用了")


def test_a_shop_is_told_that_it_has_no_steps(desk: Desk) -> None:
    said = desk.ask(TIER, desk.account("user_class = 'commercial'"), text="阶梯")
    assert "不分阶梯" in said.text.partition("\n")[0]


def test_a_large_family_hears_its_own_bounds(desk: Desk) -> None:
    account = desk.account("large_family_kwh > 0 and opened_on < '2026-01-01'")
    extra = Decimal(desk.one("select large_family_kwh from accounts where account_no = ?", account)) * 12
    said = desk.ask(TIER, account, text="我的档位")
    assert f"一年{(2160 + extra).normalize():f}度以内" in said.text
    assert f"{(2160 + extra).normalize():f}度以内" in said.card["rows"][0][1]


# -- hours


def test_homes_hear_that_they_have_no_hours_and_nothing_is_invented(desk: Desk) -> None:
    for accounts in ((), (desk.account(HOME),)):
        said = desk.ask(TOU, *accounts, text="谷电时间", assurance=len(accounts))
        assert said.text.startswith("湖北居民用电目前执行阶梯电价，不分峰谷。自家的充电桩可以自愿选分时电价。")
        assert "普通居民能不能办峰谷，以网上国网App或95598最新答复为准" in said.text
        assert "低谷23:00—7:00，每度0.43元" in said.text


def test_who_only_asks_whether_homes_may_have_hours_is_spared_them(desk: Desk) -> None:
    said = desk.ask(TOU, desk.account(HOME), text="家里能办峰谷吗")
    assert said.text.count("\n") == 1
    assert ("充电桩时段", '/inform{"tariff_class": "charging"}') in said.buttons


def test_a_factory_that_asks_for_the_hours_of_businesses_hears_its_own(desk: Desk) -> None:
    account = desk.account("plan_code = 'hubei.industrial.two.10kv'")
    said = desk.ask(TOU, account, text="工商业用电的尖峰、高峰时段如何划分？", entities=of_class("commercial"))
    assert said.text.startswith("两部制工业（1至10千伏）的时段")


def test_the_hours_of_a_shop_are_those_of_the_season_and_the_present_rate_is_told(desk: Desk) -> None:
    shop = desk.account("plan_code = 'hubei.commercial.single.lv.tou'")
    winter = desk.ask(TOU, shop, text="几点便宜")
    assert "低谷0:00—6:00、12:00—14:00" in winter.text
    assert "尖峰18:00—20:00，" in winter.text
    assert "7、8月不一样" in winter.text
    assert "尖峰20:00—22:00" in winter.text.partition("7、8月")[2]
    assert "现在是平段" in winter.text
    summer = datetime(2026, 7, 5, 21, 0, tzinfo=SHANGHAI)
    other = Desk(desk.path, _at(desk, summer), desk.templates).ask(TOU, shop, text="几点便宜", now=summer)
    assert "尖峰20:00—22:00，" in other.text
    assert "现在是尖峰" in other.text


def _at(desk: Desk, now: datetime) -> Any:
    return replace(desk.services, clock=lambda: now)


def test_every_hour_of_the_day_stands_once_in_the_table(desk: Desk) -> None:
    said = desk.ask(TOU, desk.account("user_class = 'charging'"), text="几点充电便宜")
    minutes = []
    for _name, hours, _price in said.card["rows"]:
        for span in hours.split("、"):
            start, end = (60 * int(one.split(":")[0]) + int(one.split(":")[1]) for one in span.split("—"))
            minutes += [minute % 1440 for minute in range(start, end if end > start else end + 1440)]
    assert sorted(minutes) == list(range(1440))


def test_the_doubt_about_the_validity_of_the_charging_offer_is_told(desk: Desk) -> None:
    said = desk.ask(TOU, desk.account("user_class = 'charging'"), text="充电桩峰谷")
    assert "2024年11月30日" in said.text
    assert "至少执行12个月" in said.text


def test_a_question_about_the_deep_valley_is_answered_first(desk: Desk) -> None:
    said = desk.ask(TOU, desk.account("user_class = 'industrial'"), text="深谷什么时候")
    assert said.text.startswith("湖北现在的时段表只有尖峰、高峰、平段、低谷四种，没有深谷。")


def test_hours_of_farming_are_not_made_up(desk: Desk) -> None:
    said = desk.ask(TOU, text="夜里打氧是不是便宜些 么时候算夜里", assurance=0)
    assert ":" not in said.text
    assert DOUBT in said.text
