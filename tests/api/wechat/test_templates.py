"""Template messages: every value is made to fit its field, every mistake of the operator shows at start."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from api.channels.wechat.templates import GIVEN, BadValue, NoTemplate, Templates
from core.proactive.tables import KINDS, OFFER

ROOT = Path(__file__).parents[3]
PATH = ROOT / "data/wechat/templates.yaml"
IDS = {kind: f"id-{kind}" for kind in GIVEN}
TEMPLATES = Templates.load(PATH, IDS)
VALUES = {
    "month": "2026年10月", "account_tail": "3456", "amount": "1234.5", "energy": "321", "balance": "-8.2", "days": "3",
    "due_at": "2026-11-30T23:59:00+08:00", "started_at": "2026-12-01T01:00:00+00:00",
    "expected_at": "2026-12-01T18:05:00+08:00", "restored_at": "2026-12-01T18:05:00+08:00",
    "at": "2026-11-22T15:00:00+08:00", "area": "江岸区听涛苑一期至三期及周边商铺一带", "cause": "线路检修",
    "order_no": "20261122000012", "agent": "李霞", "title": "停电报修", "what": "到现场的时间",
    "state": "已派给处理班组",
}  # fmt: skip
# What Tencent takes, from its table of field types.
TAKEN = {
    "thing": r".{1,20}", "phrase": r"[\u4e00-\u9fff]{1,5}", "character_string": r"[!-~]{1,32}", "const": r".{1,20}",
    "amount": r"-?[0-9]{1,10}(\.[0-9]{1,2})?元", "number": r"-?[0-9.]{1,32}",
    "time": r"(\d{4}年\d{1,2}月\d{1,2}日 )?\d{1,2}:\d{2}", "date": r"\d{4}年\d{1,2}月\d{1,2}日( \d{1,2}:\d{2})?",
}  # fmt: skip


def fits(data: dict[str, dict[str, str]]) -> list[str]:
    """Return the fields that Tencent would refuse."""
    return [key for key, one in data.items() if not re.fullmatch(TAKEN[key.rstrip("0123456789")], one["value"])]


def given_of(kind: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return all values of a kind, and those that are always there."""
    always, sometimes = GIVEN[kind]
    return {name: VALUES[name] for name in always | sometimes}, {name: VALUES[name] for name in always}


def test_every_kind_that_we_send_has_a_template_but_for_what_advertises() -> None:
    """Tencent forbids advertising in template messages: there is none to bind, whatever is configured."""
    assert set(KINDS) - {OFFER} <= set(TEMPLATES.kinds)
    assert OFFER not in TEMPLATES.kinds
    assert set(TEMPLATES.kinds) == {*KINDS, "agent_replied"} - {OFFER}


@pytest.mark.parametrize("kind", GIVEN)
def test_every_template_can_be_filled_with_all_values_and_with_the_least(kind: str) -> None:
    for values in given_of(kind):
        for wording in ("", "unknown", *TEMPLATES.kinds[kind].says):
            template_id, data = TEMPLATES.fill(kind, values, wording=wording)
            assert template_id == f"id-{kind}"
            assert fits(data) == []
            assert 2 <= len(data) <= 5


def test_a_bill_reads_as_it_should() -> None:
    assert TEMPLATES.fill("bill_ready", given_of("bill_ready")[0])[1] == {
        "thing1": {"value": "2026年10月"}, "character_string2": {"value": "****3456"},
        "amount3": {"value": "1234.50元"}, "time4": {"value": "2026年11月30日 23:59"},
    }  # fmt: skip


def test_planned_works_read_as_they_should_in_shanghai_time() -> None:
    values = {**given_of("planned_outage")[0], "state": ""}
    assert TEMPLATES.fill("planned_outage", values, wording="planned_outage_moved")[1] == {
        "thing1": {"value": "江岸区听涛苑一期至三期及周边商铺一带"}, "thing2": {"value": "12月1日09:00起"},
        "thing3": {"value": "12月1日18:05左右"}, "thing4": {"value": "线路检修"}, "thing5": {"value": "停电时间有变化"},
    }  # fmt: skip


def test_an_open_bill_shows_what_is_to_be_paid_and_by_when() -> None:
    values = {"account_tail": "3456", "balance": "-12.50", "amount": "12.50", "due_at": "2026-12-24T23:59:00+08:00"}
    assert TEMPLATES.fill("balance_low", values, wording="bill_unpaid")[1] == {
        "character_string1": {"value": "****3456"}, "amount2": {"value": "12.50元"},
        "thing3": {"value": "请在12月24日23:59前交清电费"},
    }  # fmt: skip


def test_what_is_not_known_yet_is_said_otherwise() -> None:
    data = TEMPLATES.fill("outage", {"area": "听涛苑", "expected_at": ""}, wording="outage_begun")[1]
    assert [one["value"] for one in data.values()] == ["听涛苑", "停电抢修", "点开看最新进展"]


def test_every_wording_of_the_notices_has_its_state() -> None:
    notices = yaml.safe_load((ROOT / "data/notices.yaml").read_text())["wordings"]
    for name, one in notices.items():
        if one["kind"] in ("outage", "planned_outage"):
            assert name in TEMPLATES.kinds[one["kind"]].says


def _templates(tmp_path: Path, fields: dict[str, Any], **more: Any) -> Templates:
    every = yaml.safe_load(PATH.read_text())
    every["order_progress"] = {"title": "t", "fields": fields, **more}
    path = tmp_path / "templates.yaml"
    path.write_text(yaml.safe_dump(every, allow_unicode=True))
    return Templates.load(path, IDS)


LONG = {
    "thing1": ("很" * 50, "很" * 19 + "…"), "thing2": ("一\n 二\t三\x00", "一 二 三"),
    "phrase3": ("已派单，去现场了", "已派单去现"),
    "character_string4": ("A" * 40, "A" * 29 + "..."), "character_string5": ("编号 12", "12"),
    "amount6": ("¥12.3元", "12.30元"), "number7": ("1" * 40, "1" * 32),
}  # fmt: skip


@pytest.mark.parametrize("key", LONG)
def test_what_is_too_long_is_cut_and_never_refused(key: str, tmp_path: Path) -> None:
    said, shown = LONG[key]
    templates = _templates(tmp_path, {key: {"value": "{state}"}})
    values = {"order_no": "1", "title": "t", "state": said}
    data = templates.fill("order_progress", values)[1]
    assert data == {key: {"value": shown}}
    assert fits(data) == []


@given(st.text(min_size=1, max_size=80))
def test_any_text_fits_or_is_told_to_be_none(text: str) -> None:
    for kind, values in (("order_progress", {"order_no": text, "title": text, "state": text}),
                         ("outage", {"area": text, "cause": text, "state": text})):  # fmt: skip
        try:
            data = TEMPLATES.fill(kind, values)[1]
        except BadValue:
            continue
        assert fits(data) == []


def test_values_that_are_none_of_their_kind_are_told() -> None:
    good = given_of("bill_ready")[0]
    for name, wrong in (
        ("amount", "很多"),
        ("amount", "NaN"),
        ("amount", "1e30"),
        ("due_at", "明天"),
        ("account_tail", "尾号"),
    ):
        values = {**good, name: wrong}
        if name == "account_tail":
            assert TEMPLATES.fill("bill_ready", values)[1]["character_string2"]["value"] == "****"
            continue
        with pytest.raises(BadValue):
            TEMPLATES.fill("bill_ready", values)
    with pytest.raises(BadValue, match="amount"):
        TEMPLATES.fill("bill_ready", {**good, "amount": ""})


def test_values_are_never_read_as_fields() -> None:
    data = TEMPLATES.fill("order_progress", {"order_no": "1", "title": "{state}", "state": "{0} {x.y}"})[1]
    assert [one["value"] for one in data.values()] == ["1", "{state}", "{0} {x.y}"]


def test_a_kind_without_an_id_is_told_apart() -> None:
    templates = Templates.load(PATH, {"outage": "id", "bill_ready": ""})
    assert templates.has("outage")
    assert templates.without_id == [kind for kind in templates.kinds if kind != "outage"]
    for kind in ("bill_ready", "agent_replied"):
        with pytest.raises(NoTemplate):
            templates.fill(kind, VALUES)
    assert templates.url("outage", "https://x.cn/") == "https://x.cn/wechat/h5"


BAD_FIELDS: dict[str, dict[str, Any]] = {
    "unknown value": {"thing1": {"value": "{colour}"}},
    "value that is not always there": {"time1": {"value": "{due_at}"}},
    "value of another kind": {"thing1": {"value": "{balance}"}},
    "attribute of a value": {"thing1": {"value": "{state.x}"}},
    "place without a name": {"thing1": {"value": "{}"}},
    "broken braces": {"thing1": {"value": "{state"}},
    "unknown type": {"things1": {"value": "{state}"}},
    "type without a number": {"thing": {"value": "{state}"}},
    "fixed text that does not fit": {"phrase1": {"value": "OK"}},
    "replacement that does not fit": {"time1": {"value": "{due_at}", "missing": "以后"}},
    "no fields": {},
    "unknown word": {"thing1": {"value": "{state}", "colour": "red"}},
}


@pytest.mark.parametrize("name", BAD_FIELDS)
def test_mistakes_in_a_template_show_at_start(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        _templates(tmp_path, BAD_FIELDS[name])


def test_unknown_and_missing_kinds_and_ids_show_at_start(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="weather"):
        Templates.load(PATH, {"weather": "id"})
    every = yaml.safe_load(PATH.read_text())
    path = tmp_path / "templates.yaml"
    for changed in ({**every, "weather": every["outage"]}, {k: v for k, v in every.items() if k != "outage"}):
        path.write_text(yaml.safe_dump(changed, allow_unicode=True))
        with pytest.raises(ValidationError, match="kinds"):
            Templates.load(path, {})
    with pytest.raises(ValidationError, match="colour"):
        _templates(tmp_path, {"thing1": {"value": "{state}"}}, says={"order_done": {"colour": "red"}})


def test_an_id_may_be_that_of_a_subscription_message() -> None:
    found = Templates.load(PATH, {"outage": "subscribe:S1", "bill_ready": "T1"})
    assert found.singles == {"outage": "S1"}
    assert found.fill("outage", {"area": "听涛苑"})[0] == "S1"
    for wrong in ("subscribe:", "subscribe: S1"):
        with pytest.raises(ValidationError, match="is no id"):
            Templates.load(PATH, {"outage": wrong})
