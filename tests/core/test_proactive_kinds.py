"""data/notices.yaml: what can be said, when it may be sent, and what is refused."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from core.clock import SHANGHAI
from core.proactive.kinds import MissingValue, Notices, UnknownWording
from core.proactive.tables import KINDS

FILE = Path(__file__).parents[2] / "data" / "notices.yaml"
NOW = datetime(2026, 11, 24, 10, 0, tzinfo=SHANGHAI)
SAMPLES = {
    "account_tail": "7788", "month": "10月", "energy": "231", "amount": "128.50", "due_at": "2026-12-05T23:59:00+08:00",
    "balance": "12.30", "days": "3", "area": "江岸区听涛苑", "started_at": "2026-12-02T08:00:00+08:00",
    "expected_at": "2026-11-24T18:30:00+08:00", "restored_at": "2026-11-24T09:40:00+08:00", "cause": "检修",
    "title": "故障报修", "order_no": "20261124000001", "state": "抢修人员已到现场", "what": "上门时间",
    "text": "夜里充电更便宜",
}  # fmt: skip


@pytest.fixture
def notices() -> Notices:
    return Notices.load(FILE)


def at(hour: int, minute: int = 0) -> datetime:
    return NOW.replace(hour=hour, minute=minute)


def test_every_wording_can_be_said_over_each_channel_with_instants_as_people_say_them(notices: Notices) -> None:
    for name in notices.wordings:
        for channel in ("chat", "sms"):
            text = notices.text(name, SAMPLES, channel, now=NOW)
            assert "{" not in text
            assert "T" not in text
    assert notices.text("outage_expected", SAMPLES, "chat", now=NOW).startswith(
        "江岸区听涛苑停电：预计今天18:30左右来电"
    )
    assert "请在12月5日前交清" in notices.text("bill_ready", SAMPLES, "sms", now=NOW)


def test_the_night_is_quiet_but_for_what_may_wake_somebody(notices: Notices) -> None:
    hours = {hour: notices.may_go("bill_ready", now=at(hour)) for hour in (7, 8, 21, 22, 23, 0)}
    assert hours == {7: False, 8: True, 21: True, 22: False, 23: False, 0: False}
    assert notices.may_go("outage_begun", now=at(3))
    assert not notices.may_go("outage_restored", now=at(3))
    assert not notices.may_go("planned_outage", now=at(21, 59) + timedelta(minutes=1))


def test_words_that_there_are_not_and_values_that_are_missing_are_refused(notices: Notices) -> None:
    with pytest.raises(UnknownWording):
        notices.check("outage_over", SAMPLES, now=NOW)
    with pytest.raises(UnknownWording):
        notices.wording("outage_begun", kind="bill_ready")
    with pytest.raises(MissingValue, match="outage_expected needs expected_at"):
        notices.check("outage_expected", {"area": "江岸区"}, now=NOW)
    with pytest.raises(MissingValue):
        notices.check("outage_expected", {"area": "江岸区", "expected_at": "晚上"}, now=NOW)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file["kinds"].pop("outage"),
        lambda file: file["kinds"]["outage"].update(channel="fax"),
        lambda file: file["wordings"]["outage_begun"].update(kind="weather"),
        lambda file: file["wordings"].pop("bill_ready"),
        lambda file: file["wordings"]["outage_begun"].update(sms="停" * 400),
        lambda file: file.update(said_before="先前说过"),
        lambda file: file["quiet"].update(begins="late"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(spoil: Any) -> None:
    file = yaml.safe_load(FILE.read_text())
    Notices.model_validate(file)
    spoil(file)
    with pytest.raises(ValidationError):
        Notices.model_validate(file)


def test_all_kinds_have_a_name_that_customers_can_choose_by(notices: Notices) -> None:
    assert len({notices.kinds[kind].name for kind in KINDS}) == len(KINDS)
