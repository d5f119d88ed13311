"""Fairness: whoever asks, the answers of fact, of safety and of the way to a person are the same; only words differ."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from actions_desk import KEY, NOW, Desk, Said
from fitting_kit import LABELS

from actions.base import CONFIRMING
from actions.phrases import PhraseError, Phrases
from api.plain import spoken
from api.rasa import BotTurn
from core.conversation import CONFIRM, Draft
from core.fitting import fitting
from core.identity import Identity, issue_identity
from core.plain import MOST_LINES
from core.segment.standing import Standing
from core.segment.tables import BASIC, SEGMENTS

OTHERS = [one for one in SEGMENTS if one != BASIC]
NUMBER = re.compile(r"[0-9][0-9.,]*")
FACTS = [
    ("action_query_bill", "上个月电费多少"),
    ("action_query_bill", "今年的电费一共多少"),
    ("action_query_usage", "上个月用了多少度"),
    ("action_query_balance", "我欠费没有"),
    ("action_query_payment", "缴费记录"),
    ("action_explain_high_bill", "电费怎么突然高了"),
    ("action_pay_bill", "怎么交电费"),
    ("action_query_meter_reading", "电表读数是多少"),
    ("action_explain_tier", "我现在第几档"),
    ("action_explain_tariff", "居民电价多少钱一度"),
    ("action_explain_tou", "峰谷时间是几点到几点"),
    ("action_query_outage", "我家停电了吗"),
    ("action_query_work_order", "我的工单办到哪了"),
    ("action_advise_saving", "怎么省电"),
    ("action_compare_tariff", "哪种电价便宜"),
    ("action_request_invoice", "开发票"),
    ("action_query_account_no", "我的户号是多少"),
]


def identity_of(segment: str, account: str) -> str:
    service = fitting().service_for(Standing(segment, (), False, 1, ()))
    who = Identity("c1", "C1", (account,), 1, "web", style=service.style, first=service.first)
    return issue_identity(KEY, who, now=NOW)


def asked(desk: Desk, name: str, text: str, segment: str, account: str) -> Said:
    return desk.ask(name, account, text=text, identity=identity_of(segment, account))


def told(said: Said) -> str:
    return "\n".join([said.reply.lead, said.text])


def numbers(text: str) -> Counter[str]:
    return Counter(one.rstrip(".,") for one in NUMBER.findall(text))


def without_id(slots: dict[str, Any]) -> dict[str, Any]:
    """Return what is remembered; a form has a new number each time it is begun."""
    form = slots.get("form")
    return slots | {"form": {**form, "id": ""}} if form else slots


@pytest.fixture(scope="module", params=["residential", "commercial", "industrial"])
def account(request: pytest.FixtureRequest, desk: Desk) -> str:
    return desk.account(f"a.user_class = '{request.param}'")


@pytest.mark.parametrize("segment", OTHERS)
@pytest.mark.parametrize(("name", "text"), FACTS, ids=[f"{name}-{text}" for name, text in FACTS])
def test_each_question_of_fact_has_the_same_figures(
    desk: Desk, account: str, name: str, text: str, segment: str
) -> None:
    plain, mine = (asked(desk, name, text, one, account) for one in (BASIC, segment))
    assert mine.response == plain.response
    assert numbers(told(mine)) == numbers(told(plain))
    assert mine.reply.cards == plain.reply.cards
    assert mine.buttons == plain.buttons
    assert without_id(mine.slots) == without_id(plain.slots)
    assert mine.reply.handoff == plain.reply.handoff
    assert not [label for label in LABELS if label in told(mine)]


@pytest.mark.parametrize("segment", OTHERS)
def test_somebody_who_wants_a_person_gets_one_alike(desk: Desk, account: str, segment: str) -> None:
    for name, text in (("action_default", "……"), ("action_out_of_scope", "明天天气怎么样")):
        plain, mine = (asked(desk, name, text, one, account) for one in (BASIC, segment))
        assert mine.reply.handoff == plain.reply.handoff
        assert [payload for _, payload in mine.buttons] == [payload for _, payload in plain.buttons]


@pytest.mark.parametrize("segment", SEGMENTS)
def test_every_greeting_leads_to_a_person(desk: Desk, account: str, segment: str) -> None:
    said = asked(desk, "action_greet", "你好", segment, account)
    payloads = [payload for _, payload in said.buttons]
    assert "/request_human" in payloads
    assert len(payloads) == len(set(payloads)) <= 4
    assert not [label for label in LABELS if label in told(said) + "".join(title for title, _ in said.buttons)]


@pytest.mark.parametrize("segment", OTHERS)
def test_a_fitted_greeting_always_offers_to_report_an_outage(desk: Desk, account: str, segment: str) -> None:
    said = asked(desk, "action_greet", "你好", segment, account)
    assert "/report_outage" in [payload for _, payload in said.buttons]


def test_special_service_is_offered_a_person_first_and_help_at_home(desk: Desk) -> None:
    said = asked(desk, "action_greet", "你好", "special_service", desk.account("a.user_class = 'residential'"))
    assert [title for title, _ in said.buttons][:2] == ["找人工", "报停电"]
    assert "/request_special_service" in [payload for _, payload in said.buttons]


def test_only_organisations_are_offered_what_private_persons_do_not_have(desk: Desk) -> None:
    offered = {
        kind: [title for title, _ in asked(desk, "action_greet", "你好", "high_value", desk.account(
            f"a.customer_id in (select id from customers where kind {kind} 'person')"
        )).buttons]
        for kind in ("=", "!=")
    }  # fmt: skip
    assert "力调电费" not in offered["="]
    assert not offered["!="] or "账单明细" in offered["!="] or "看欠费" in offered["!="]


def test_who_is_at_high_risk_is_not_pressed(desk: Desk) -> None:
    account = desk.account("a.user_class = 'residential'")
    risky, plain = (asked(desk, "action_greet", "你好", one, account) for one in ("high_risk", BASIC))
    assert told(risky) == told(plain)


def test_without_proof_nothing_is_fitted(desk: Desk) -> None:
    who = Identity("c1", None, (), 0, "web")
    said = desk.ask("action_greet", text="你好", identity=issue_identity(KEY, who, now=NOW))
    assert [title for title, _ in said.buttons] == ["上个月电费", "报停电", "查停电信息", "转人工"]


# -- wording


def test_in_plain_wording_the_real_answers_keep_every_character_button_and_card(desk: Desk, account: str) -> None:
    """Only line breaks and the limits of messages are new; the longest answers are long ones indeed."""
    longest = 0
    for name, text in FACTS:
        said = asked(desk, name, text, "special_service", account)
        given = BotTurn((*told_as_drafts(said),))
        heard = spoken(given, "plain").drafts
        longest = max(longest, len(said.text))
        assert pressed("".join(one.text for one in heard)) == pressed("".join(one.text for one in given.drafts))
        assert [one.buttons for one in heard if one.buttons] == [one.buttons for one in given.drafts if one.buttons]
        assert [one.card for one in heard if one.card] == [one.card for one in given.drafts if one.card]
        texts = [one.text for one in heard if one.type == "text"]
        assert all(len([line for line in one.split("\n") if line]) <= MOST_LINES + 2 for one in texts), texts
        assert all(one.rstrip()[-1] not in "，、：" for one in texts), texts
    assert longest > 80


def told_as_drafts(said: Said) -> list[Draft]:
    """Return a reply as the bridge gets it from Rasa."""
    lead = [Draft("bot", said.reply.lead)] if said.reply.lead else []
    cards = [Draft("bot", one["text"], one["type"], one["card"]) for one in said.reply.cards]
    kind = CONFIRM if CONFIRMING in said.reply.commands else "text"
    drafts = [*lead, Draft("bot", said.text, kind), *cards]
    return [*drafts[:-1], replace(drafts[-1], buttons=tuple(said.buttons))]


def pressed(text: str) -> str:
    return text.replace("\n", "")


def test_a_variant_that_tells_other_figures_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bill.yaml"
    for wrong in ("{amount}元、{more}元", "没有数", "{amount}元，{amount}元"):
        file.write_text(f'owed: "您要交{{amount}}元"\nowed.plain: "{wrong}"\n', encoding="utf-8")
        with pytest.raises(PhraseError, match=r"bill\.owed\.plain"):
            Phrases.load(tmp_path)


def test_a_style_changes_its_own_phrases_and_leaves_the_others(tmp_path: Path) -> None:
    (tmp_path / "bill.yaml").write_text('owed: "欠{a}"\nowed.plain: "还差{a}"\npaid: 清\n', encoding="utf-8")
    usual = Phrases.load(tmp_path)
    plain = usual.in_style("plain")
    assert (usual.say("bill.owed", a=1), plain.say("bill.owed", a=1), plain.say("bill.paid")) == ("欠1", "还差1", "清")
    assert usual.under("bill") == {"owed": "欠{a}", "paid": "清"}
    assert usual.in_style("business") is usual
