"""What customers read when they ask how to save: yuan first, reckoned from their own use, one next step."""

from __future__ import annotations

import json
import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from actions_desk import Desk, Said
from sqlalchemy import select

from core.account import Account
from core.energy_data import energy_facts
from core.saving import advise
from core.work_order import WorkOrder

HOME = energy_facts().home
YEAR = date(2025, 11, 1), date(2026, 10, 31)  # the last twelve whole months


def entity(name: str, value: str) -> dict[str, Any]:
    return {"entity": name, "value": value}


def all_text(said: Said) -> str:
    return "\n".join(
        [said.text, *(str(one["text"]) for one in said.reply.cards), *(title for title, _ in said.buttons)]
    )


def measures_of(desk: Desk, number: str, *appliances: str) -> list[tuple[str, str]]:
    """Return key and yuan of the measures as the business reckons them."""
    with desk.services.billing.reading() as session:
        account = session.scalars(select(Account).where(Account.account_no == number)).one()
        advice = advise(
            session, account=account, book=desk.services.book, facts=HOME, today=desk.services.clock().date(),
            appliances=appliances,
        )  # fmt: skip
        return [(one.key, str(one.yuan_low.quantize(Decimal(1)))) for one in advice.measures]


def yuan_lines(said: Said) -> list[str]:
    return re.findall(r"^\d\. .+：一年约省(\d+)", said.text, re.MULTILINE)


def test_household_hears_its_own_measures_in_yuan(desk: Desk) -> None:
    number = desk.account("profile = 'children'")
    said = desk.ask("action_advise_saving", number, text="怎么样能省点电费")
    assert said.response == "utter_saving_advice"
    assert yuan_lines(said) == [yuan for _, yuan in measures_of(desk, number)]
    used = desk.used(number, *YEAR)
    assert f"最近12个月用电{used.normalize():f}度" in said.text


def test_each_measure_says_how_it_was_reckoned(desk: Desk) -> None:
    said = desk.ask("action_advise_saving", desk.account("profile = 'children'"), text="怎么省电")
    assert len(said.card["rows"]) == len(yuan_lines(said))
    assert all(re.search(r"每度按0\.\d+元", row["value"]) for row in said.card["rows"])
    assert all(row["value"] in said.reply.cards[0]["text"] for row in said.card["rows"])


def test_advice_gives_account_number_masked_and_one_next_step(desk: Desk) -> None:
    number = desk.account("profile = 'flat'")
    said = desk.ask("action_advise_saving", number, text="怎么省电")
    assert number not in all_text(said)
    assert [payload for _, payload in said.buttons] == ["/query_usage", "/explain_tier"]


def test_named_appliance_is_answered_first(desk: Desk) -> None:
    number = desk.account("profile = 'children'")
    said = desk.ask("action_advise_saving", number, text="冰箱费不费电", entities=[entity("appliance", "冰箱")])
    assert "先说冰箱" in said.text
    assert re.search(r"^1\. .*冰箱", said.text, re.MULTILINE)


def test_appliance_that_left_no_trace_in_the_use_is_said_to_have_left_none(desk: Desk) -> None:
    said = desk.ask(
        "action_advise_saving",
        desk.account("profile = 'crops'"),
        text="空调怎么省",
        entities=[entity("appliance", "空调")],
    )
    assert "空调这块，从您的用电里看不出多用了多少" in said.text


def test_appliance_without_advice_is_reckoned_at_the_own_price(desk: Desk) -> None:
    said = desk.ask(
        "action_advise_saving", desk.account("profile = 'elderly'"), text="微波炉费电不",
        entities=[entity("appliance", "微波炉")],
    )  # fmt: skip
    assert "微波炉怎么算：功率（千瓦）×小时×0.558元" in said.text


def test_breathing_machine_is_never_switched_off_to_save(desk: Desk) -> None:
    said = desk.ask(
        "action_advise_saving", desk.account("profile = 'elderly'"), text="呼吸机费电怎么省",
        entities=[entity("appliance", "呼吸机")],
    )  # fmt: skip
    assert said.response == "utter_saving_essential"
    assert "不要为省电关掉" in said.text
    assert ("登记特殊用电关怀", "/request_special_service") in said.buttons


def test_somebody_unknown_hears_general_advice_and_the_way_to_log_in(desk: Desk) -> None:
    said = desk.ask("action_advise_saving", text="怎么省电", assurance=0)
    assert said.response == "utter_saving_general"
    assert "每度0.558元" in said.text
    assert yuan_lines(said) == ["122", "73", "41"]
    assert [payload for _, payload in said.buttons] == ["/bind_account"]


def test_account_without_proof_of_identity_gets_no_own_figures(desk: Desk) -> None:
    said = desk.ask("action_advise_saving", desk.account("profile = 'flat'"), text="怎么省电", assurance=0)
    assert said.response == "utter_saving_general"


def test_new_account_hears_general_advice(desk: Desk, tmp_path: Any) -> None:
    number = desk.account("profile = 'flat'")
    changed = desk.changed(
        tmp_path,
        ("delete from daily_readings where day < '2026-09-15' and meter_id in (select m.id from meters m"
         " join accounts a on a.id = m.account_id where account_no = ?)", number),
    )  # fmt: skip
    said = changed.ask("action_advise_saving", number, text="怎么省电")
    assert "读数还不到三个月" in said.text
    assert yuan_lines(said)


def test_account_whose_prices_are_not_known_hears_general_advice(desk: Desk, tmp_path: Any) -> None:
    number = desk.account("profile = 'flat'")
    changed = desk.changed(tmp_path, ("update accounts set plan_code = 'hubei.gone' where account_no = ?", number))
    said = changed.ask("action_advise_saving", number, text="怎么省电")
    assert said.response == "utter_saving_general"


def test_customer_with_several_accounts_is_asked_which_one(desk: Desk) -> None:
    rows = desk.sql(
        "select account_no from accounts where closed_on is null and customer_id = (select customer_id from accounts"
        " where closed_on is null group by customer_id having count(*) > 1 limit 1)"
    )
    said = desk.ask("action_advise_saving", *[row[0] for row in rows], text="怎么省电")
    assert said.response == "utter_which_account"


def test_charging_account_is_told_to_charge_at_night(desk: Desk) -> None:
    said = desk.ask("action_advise_saving", desk.account("user_class = 'charging'"), text="怎么充电省钱")
    assert "全部改到低谷时段充电" in said.text
    assert "空调" not in all_text(said)


def test_price_that_is_not_verified_is_said_to_be_so(desk: Desk) -> None:
    for where in ("user_class = 'agricultural'", "user_class = 'industrial'", "user_class = 'charging'"):
        assert "还没核实" in desk.ask("action_advise_saving", desk.account(where), text="怎么省电").text
    assert "还没核实" not in desk.ask("action_advise_saving", desk.account("profile = 'flat'"), text="怎么省电").text


def test_factory_hears_what_its_bills_say(desk: Desk) -> None:
    number = desk.account("user_class = 'industrial'")
    said = desk.ask("action_advise_saving", number, text="厂里怎么省电费")
    assert said.response == "utter_saving_business"
    billed = desk.billed(number, "2025-11-01", "2026-10-01")
    assert f"最近12个月电费{billed}元" in said.text
    yuan = [int(one) for one in re.findall(r"一年约省(\d+)元", said.text)]
    assert yuan == sorted(yuan, reverse=True)
    assert {row["label"] for row in said.card["rows"]} == {"功率因数", "变压器负载", "基本电费", "移峰填谷"}
    assert [json.loads(payload.removeprefix("/inform")) for _, payload in said.buttons] == [{"start": "energy_audit"}]


def test_no_reply_has_an_english_word_or_an_empty_place(desk: Desk) -> None:
    profiles = [row[0] for row in desk.sql("select distinct profile from accounts where closed_on is null")]
    for profile in profiles:
        said = desk.ask("action_advise_saving", desk.account(f"profile = '{profile}'"), text="怎么省电")
        rest = all_text(said).replace("App", "")
        assert re.findall(r"[A-Za-z{}]+", rest) == []
        assert len(said.text) < 330


# -- energy audit


def test_audit_of_a_factory_shows_its_checks_and_asks_only_for_a_yes(writing: Desk) -> None:
    number = writing.account("user_class = 'industrial'")
    said = writing.ask("action_request_energy_audit", number, text="力调每月罚三千多，想请你们派人来看看")
    assert "先看您这户" in said.text
    assert "请核对“节能诊断”" in said.text
    assert "力调每月罚三千多" in said.text
    done = writing.ask("action_affirm", number, text="确认", after=said)
    assert "节能诊断" in done.text
    with writing.services.workorder.reading() as session:
        (order,) = session.scalars(select(WorkOrder)).all()
    assert (order.kind, order.order_no in done.text) == ("energy_audit", True)


def test_audit_tells_what_to_prepare(desk: Desk) -> None:
    said = desk.ask("action_request_energy_audit", text="请派工程师上门，为本厂出一份节电改造建议书", assurance=0)
    for paper in ("12—24个月的电费账单", "负荷曲线", "设备清单"):
        assert paper in said.text


@pytest.mark.parametrize("text", ["节能诊断收费吗", "能源审计怎么申请", "用能体检几天能出报告"])
def test_question_about_the_audit_is_answered_before_anything_is_filled_in(desk: Desk, text: str) -> None:
    said = desk.ask("action_request_energy_audit", desk.account("user_class = 'industrial'"), text=text)
    assert said.response == "utter_energy_facts"
    assert "登记不收费" in said.text
    checks = desk.ask(
        "action_inform", desk.account("user_class = 'industrial'"), text="/inform",
        entities=[entity("choice", "money")], after=said,
    )  # fmt: skip
    assert "功率因数" in checks.text or "低谷" in checks.text
