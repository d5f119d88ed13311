"""A process that was killed just after an answer had gone out: the next one finds that it had."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from bridge_kit import SetClock
from channel_kit import Phone, account

from api.channels.wechat import written
from api.channels.wechat.written import Written
from core.channel import passive
from core.channel.tables import Delivery

LONG_AFTER = timedelta(seconds=15)  # nobody was there to hear a retry


def test_the_next_process_knows_what_the_one_before_has_written(tmp_path: Path) -> None:
    first = Written(tmp_path / "var" / "written")
    first.note("msg:1")
    assert "msg:1" not in first
    second = Written(tmp_path / "var" / "written")
    assert "msg:1" in second
    assert "msg:2" not in second


def test_the_file_does_not_grow_for_ever(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(written, "MOST", 3)
    one = Written(tmp_path / "written")
    for number in range(5):
        one.note(f"msg:{number}")
    assert (tmp_path / "written").read_text() == "msg:3\nmsg:4\n"


def test_without_a_file_nothing_is_known_and_nothing_fails(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    one = Written(tmp_path / "file" / "written")
    one.note("msg:1")
    one.close()
    assert "msg:1" not in one


async def test_an_answer_that_had_gone_out_before_the_process_was_killed_is_not_given_again(urls: Any) -> None:
    async with account(urls) as bridge:
        phone = Phone(bridge)
        await phone.say("你好")
        [push] = phone.pushes
        with bridge.parts.bridge.transaction() as session:  # killed before it was noted that it had passed
            session.merge(push).passed_at = None
            for row in session.query(Delivery):
                row.state, row.way, row.sent_at = "passing", None, None
    async with account(urls) as other:
        at, up_since = push.received_at, push.received_at + LONG_AFTER
        assert push.external_id in other.parts.wechat.written
        with other.parts.bridge.transaction() as session:
            now = at + timedelta(seconds=21)
            assert passive.settle_lost(session, up_since=up_since, written=other.parts.wechat.written, now=now) == 1
        assert [one.state for one in Phone(other, openid=phone.openid).deliveries] == ["sent"]


async def test_who_asks_again_after_five_seconds_has_not_got_the_answer_and_a_duplicate_has(urls: Any) -> None:
    clock = SetClock()
    async with account(urls, clock=clock) as bridge:
        phone = Phone(bridge)
        fields = phone.fields("text", Content="查电费")
        first = await phone.push(fields)
        assert first.text == "答：查电费"
        clock.ahead += timedelta(seconds=0.1)
        assert (await phone.push(fields)).body == b"success"
        clock.ahead += timedelta(seconds=5)
        assert (await phone.push(fields)).text == first.text
        clock.ahead += timedelta(seconds=20)
        assert (await phone.push(fields)).body == b"success"
        assert phone.states == [("sent", "passive")]
        assert len(bridge.rasa.asked) == 1
