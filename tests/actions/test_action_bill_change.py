"""Why a bill is high: what is said and shown equals the bills of the database, and adds up."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path

import pytest
from actions_desk import Desk, Said, period

ASK = "action_explain_high_bill"
_BILL = " from bills b join accounts a on a.id = b.account_id "


def amount(desk: Desk, account: str, month: str) -> Decimal:
    return desk.billed(account, f"{month}-01", f"{month}-01")


def effects(said: Said) -> list[Decimal]:
    """Return the last column of the table without the row of kWh and the sum."""
    return [Decimal(row[3]) for row in said.card["rows"][1:-1]]


def rising(desk: Desk, condition: str = "1 = 1") -> tuple[str, str, str]:
    """Return an account, its month that cost at least 5 yuan more than the month before, and that month."""
    rows = desk.sql(
        f"select account_no, b.month, p.month{_BILL}join bills p on p.account_id = a.id"
        " and p.month = date(b.month, '-1 month') where b.amount > p.amount + 5 and a.closed_on is null"
        f" and b.month > '2025-03-01' and {condition} order by b.id",
    )
    account, month, before = rows[0]
    return account, month[:7], before[:7]


def short(month: str) -> str:
    year, number = month.split("-")
    return f"{int(number)}月" if year == "2026" else f"{year}年{int(number)}月"


def test_the_difference_comes_first_then_causes_with_yuan(desk: Desk) -> None:
    account, month, before = rising(desk, "profile = 'children' and b.month > '2026-02-01'")
    said = desk.ask(ASK, account, text="怎么这么高", entities=[period(month)])
    new, old = amount(desk, account, month), amount(desk, account, before)
    assert said.response == "utter_bill_change"
    assert said.text.startswith(f"{short(month)}电费比{short(before)}多{new - old:.2f}元（{new:.2f}元，")
    largest = max(effects(said))
    assert f"多{largest:.2f}元" in said.text.split("\n")[1] + said.text.split("\n")[2]


def test_of_150_bills_the_table_adds_up_to_the_difference(desk: Desk) -> None:
    every = desk.sql(f"select account_no, month, p{_month_before()} where p is not null order by id")
    checked = 0
    for account, month, before in random.Random(20261123).sample(every, 150):
        said = desk.ask(ASK, account, entities=[period(month[:7])])
        difference = amount(desk, account, month[:7]) - amount(desk, account, before[:7])
        if said.reply.cards:
            assert sum(effects(said), Decimal(0)) == difference
            assert Decimal(said.card["rows"][-1][3]) == difference
        else:
            assert difference == 0
        assert f"{abs(difference):.2f}元" in said.text or difference == 0
        checked += 1
    assert checked == 150


def _month_before() -> str:
    return (
        " from (select a.account_no, b.month, b.id, (select max(p.month) from bills p where p.account_id = a.id"
        " and p.month < b.month) as p from bills b join accounts a on a.id = b.account_id)"
    )


def test_a_factory_hears_its_two_largest_causes_and_sees_all(desk: Desk) -> None:
    account, month, _before = rising(desk, "profile = 'two_shifts'")
    said = desk.ask(ASK, account, entities=[period(month)])
    up = sorted((one for one in effects(said) if one > 0), reverse=True)
    assert len(said.card["rows"]) > 4
    for one in up[:2]:
        assert f"{one:.2f}元" in said.text
    for one in up[2:]:
        assert f"{one:.2f}元" not in said.text


def test_passing_into_the_second_tier_is_named_as_a_cause(desk: Desk) -> None:
    account, month, _before = rising(
        desk,
        "b.plan_code = 'hubei.residential.tier' and (select count(*) from bill_lines l where l.bill_id = b.id"
        " and l.tier = 2) = 1 and (select count(*) from bill_lines l where l.bill_id = p.id and l.tier = 2) = 0",
    )
    said = desk.ask(ASK, account, entities=[period(month)])
    (row,) = [row for row in said.card["rows"] if row[0] == "阶梯"]
    kwh = desk.one(
        f"select l.quantity{_BILL}join bill_lines l on l.bill_id = b.id where account_no = ? and b.month = ?"
        " and l.tier = 2", account, f"{month}-01",
    )  # fmt: skip
    assert (row[1], row[2]) == ("一档以外0度", f"一档以外{Decimal(str(kwh)).normalize():f}度")
    assert Decimal(row[3]) == round(Decimal(str(kwh)) * Decimal("0.05"), 2)


def test_a_bill_that_is_not_higher_is_said_not_to_be(desk: Desk) -> None:
    account = desk.account("profile = 'children'")
    said = desk.ask(ASK, account, text="电费怎么这么高")
    difference = amount(desk, account, "2026-09") - amount(desk, account, "2026-10")
    assert difference > 0
    assert said.text.startswith(f"10月电费没有变高，比9月少{difference:.2f}元")
    highest = max(amount(desk, account, f"2026-{month:02}") for month in range(1, 11))
    assert f"{highest:.2f}元" in said.text.split("\n")[0]


@pytest.mark.parametrize("text", ["怎么比去年同期高那么多", "跟去年比涨了好多"])
def test_last_year_is_compared_when_it_is_named(desk: Desk, text: str) -> None:
    account = desk.account("profile = 'children' and opened_on < '2024-01-01'")
    said = desk.ask(ASK, account, text=text)
    difference = amount(desk, account, "2026-10") - amount(desk, account, "2025-10")
    assert said.card["rows"][-1][1:] == [
        f"{amount(desk, account, '2025-10'):.2f}", f"{amount(desk, account, '2026-10'):.2f}",
        f"{'+' if difference > 0 else ''}{difference:.2f}",
    ]  # fmt: skip
    assert "2025年10月" in said.text


def test_a_month_of_last_year_that_is_compared_with_is_no_month_to_explain(desk: Desk) -> None:
    account = desk.account("profile = 'children' and opened_on < '2024-01-01'")
    said = desk.ask(ASK, account, text="怎么比去年10月高", entities=[period("2025-10")])
    assert said.card["rows"][-1][1] == f"{amount(desk, account, '2025-10'):.2f}"
    assert said.card["rows"][-1][2] == f"{amount(desk, account, '2026-10'):.2f}"


def test_a_month_of_last_year_alone_is_explained_against_the_month_before(desk: Desk) -> None:
    account = desk.account("profile = 'children' and opened_on < '2024-01-01'")
    said = desk.ask(ASK, account, text="去年8月电费为什么高", entities=[period("2025-08")])
    assert said.card["columns"][1:3] == ["2025年7月", "2025年8月"]


def test_two_months_named_are_compared_with_one_another(desk: Desk) -> None:
    account = desk.account("profile = 'children' and opened_on < '2024-01-01'")
    said = desk.ask(ASK, account, text="8月怎么比5月高", entities=[period("2026-05"), period("2026-08")])
    assert said.card["columns"][1:3] == ["5月", "8月"]


def test_of_a_season_the_highest_bill_is_explained(desk: Desk) -> None:
    account = desk.account("profile = 'children' and opened_on < '2024-01-01'")
    said = desk.ask(ASK, account, text="夏天电费太高", entities=[period("2026-06/2026-08", "season")])
    months = {month: amount(desk, account, f"2026-{month:02}") for month in (6, 7, 8)}
    highest = max(months, key=lambda month: months[month])
    assert said.card["columns"][2] == f"{highest}月"


def test_the_button_of_last_year_gives_that_comparison(desk: Desk) -> None:
    account = desk.account("profile = 'children' and opened_on < '2024-01-01'")
    title, payload = desk.ask(ASK, account).buttons[0]
    assert (title, payload) == ("和去年同月比", '/explain_high_bill{"period": "2025-10/2026-10/range"}')
    said = desk.ask(ASK, account, text=payload, entities=[{"entity": "period", "value": "2025-10/2026-10/range"}])
    assert said.card["columns"][1:3] == ["2025年10月", "10月"]
    assert ("和上个月比", '/explain_high_bill{"period": "2026-10/2026-10/month"}') in said.buttons


def test_a_meter_test_and_a_person_are_always_offered(desk: Desk) -> None:
    for profile in ("children", "two_shifts", "charging", "crops"):
        payloads = [payload for _title, payload in desk.ask(ASK, desk.account(f"profile = '{profile}'")).buttons]
        assert "/apply_meter_check" in payloads
        assert "/request_human" in payloads


def test_a_month_that_is_not_billed_yet_is_said_and_the_latest_bill_told(desk: Desk) -> None:
    account = desk.account("profile = 'children'")
    said = desk.ask(ASK, account, text="这个月电费怎么这么高", entities=[period("2026-11")])
    assert said.text.startswith("2026年11月的账单还没出，先看最近一期。10月电费")


def test_a_month_to_come_is_not_explained(desk: Desk) -> None:
    said = desk.ask(ASK, desk.account("profile = 'children'"), entities=[period("2027-02")])
    assert said.response == "utter_no_bill_yet"


def test_before_the_first_bill_nothing_is_explained(desk: Desk) -> None:
    said = desk.ask(ASK, desk.account("opened_on > '2026-01-01'"), entities=[period("2024-02")])
    assert said.response == "utter_no_bill"


def test_the_first_bill_is_shown_by_its_lines(desk: Desk) -> None:
    account = desk.account("opened_on > '2025-06-01'")
    first = desk.one(f"select min(month){_BILL}where account_no = ?", account)
    said = desk.ask(ASK, account, text="头个月怎么这么多", entities=[period(first[:7])])
    assert said.response == "utter_bill_change_first"
    assert f"电费{amount(desk, account, first[:7]):.2f}元" in said.text


def test_an_account_without_a_bill_is_told_so(desk: Desk, tmp_path: Path) -> None:
    account = desk.account("profile = 'children'")
    query = "delete from bills where account_id = (select id from accounts where account_no = ?)"
    assert desk.changed(tmp_path, (query, account)).ask(ASK, account).response == "utter_never_billed"


def test_a_bill_that_does_not_come_out_right_goes_to_a_person(desk: Desk, tmp_path: Path) -> None:
    account = desk.account("profile = 'children'")
    of_account = "(select id from accounts where account_no = ?)"
    wrong = desk.changed(
        tmp_path,
        (f"update bills set amount = amount + 12.34 where month = '2026-10-01' and account_id = {of_account}", account),
    )
    right = amount(desk, account, "2026-10")
    said = wrong.ask(ASK, account)
    assert said.response == "utter_bill_change_unclear"
    assert f"10月应是{right:.2f}元，账单上是{right + Decimal('12.34'):.2f}元，对不上" in said.text
    assert said.buttons[0] == ("转人工", "/request_human")
    assert not said.reply.cards


def test_an_estimated_reading_is_named(desk: Desk, tmp_path: Path) -> None:
    account, month, before = rising(desk, "profile = 'flat' and b.month > '2026-02-01'")
    of_account = "(select id from accounts where account_no = ?)"
    changed = desk.changed(
        tmp_path,
        (f"update bills set estimated = 1 where month = ? and account_id = {of_account}", f"{before}-01", account),
    )
    said = changed.ask(ASK, account, entities=[period(month)])
    assert f"{short(before)}有的读数没抄到，是估的" in said.text


def test_what_is_owed_of_other_months_is_kept_apart(desk: Desk, tmp_path: Path) -> None:
    account = desk.account("profile = 'children' and not prepaid and opened_on < '2024-01-01'")
    assert "没缴清" not in desk.ask(ASK, account).text
    of_account = "(select id from accounts where account_no = ?)"
    bill = f"(select id from bills where month = '2026-08-01' and account_id = {of_account})"
    owing = desk.changed(tmp_path, (f"update payments set status = 'failed' where bill_id = {bill}", account))
    said = owing.ask(ASK, account)
    owed = amount(desk, account, "2026-08")
    assert f"另外还有1个月的账单没缴清，共{owed:.2f}元，不算在这期电费里" in said.text


def test_a_meter_exchanged_in_the_month_is_named(desk: Desk) -> None:
    account, month = desk.sql(
        f"select account_no, b.month{_BILL}join meters m on m.account_id = a.id where m.installed_on > a.opened_on"
        " and m.installed_on between b.period_first and b.period_last and exists (select 1 from meters o"
        " where o.account_id = a.id and o.removed_on = m.installed_on) order by b.month desc"
    )[0]
    said = desk.ask(ASK, account, entities=[period(month[:7])])
    assert f"{short(month[:7])}换过电表" in said.text


def test_an_empty_flat_hears_what_uses_energy_there(desk: Desk) -> None:
    said = desk.ask(ASK, desk.account("profile = 'empty'"), text="屋里冇得人住还有电费")
    assert "家里没人，冰箱、路由器、热水器插着也会走电" in said.text


def test_somebody_who_suspects_a_neighbour_is_offered_a_check_and_nobody_is_accused(desk: Desk) -> None:
    said = desk.ask(ASK, desk.account("profile = 'children'"), text="是不是隔壁偷搭了我的线")
    assert "担心线路接错，可以申请上门查" in said.text
    assert "偷" not in said.text


def test_a_hot_month_is_explained_by_the_season(desk: Desk) -> None:
    account, month, _before = rising(desk, "profile = 'children' and strftime('%m', b.month) = '07'")
    assert "天热，空调最费电" in desk.ask(ASK, account, entities=[period(month)]).text


def test_several_accounts_are_asked_about_and_the_question_is_kept(desk: Desk) -> None:
    mine = [row[0] for row in desk.sql(
        "select account_no from accounts where customer_id = (select customer_id from accounts where profile ="
        " 'charging' order by id limit 1) order by id"
    )]  # fmt: skip
    asked = desk.ask(ASK, *mine, text="怎么比去年同期高那么多")
    assert asked.response == "utter_which_account"
    chosen = {"entity": "account_no", "value": mine[0]}
    said = desk.ask("action_inform", *mine, text="/inform", entities=[chosen], after=asked)
    assert said.card["columns"][1] == "2025年10月"


def test_nobody_is_told_about_an_account_that_is_not_theirs(desk: Desk) -> None:
    mine, other = desk.account("profile = 'children'"), desk.account("profile = 'food'")
    said = desk.ask(ASK, mine, entities=[{"entity": "account_no", "value": other}])
    assert said.response == "utter_account_not_yours"
    assert desk.ask(ASK).response == "utter_not_identified"
