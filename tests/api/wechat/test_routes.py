"""The address that Tencent's server calls: who is let in, and what goes back."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from bridge_kit import FakeRasa, running, settings
from channel_kit import Phone, account
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from wire_kit import FORMS, MODES, query

from api.rasa import BotTurn
from core.channel.passive import prune
from core.channel.tables import UsedNonce
from core.conversation import Draft


async def test_the_check_of_the_address_is_answered_with_its_own_word(sqlite_urls: Any) -> None:
    async with account(sqlite_urls) as bridge:
        asked = query(bridge.clock()) | {"echostr": "4375120948345356249"}
        answer = await bridge.http.get("/wechat", params=asked)
        assert (answer.status_code, answer.text) == (200, "4375120948345356249")
        assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("change", [{"signature": "0" * 40}, {"timestamp": "1"}, {"nonce": ""}, {"signature": ""}])
async def test_who_is_not_tencent_is_refused_without_a_word(sqlite_urls: Any, change: dict[str, str]) -> None:
    async with account(sqlite_urls) as bridge:
        asked = query(bridge.clock()) | {"echostr": "1"} | change
        got = await bridge.http.get("/wechat", params=asked)
        posted = await bridge.http.post("/wechat", params=asked, content=b"<xml/>")
        for answer in (got, posted):
            assert (answer.status_code, answer.text) == (403, "")
            assert answer.headers["content-type"].startswith("text/plain")


async def test_without_an_official_account_there_is_no_such_address(sqlite_urls: Any) -> None:
    async with running(settings(*sqlite_urls)) as bridge:
        assert (await bridge.http.get("/wechat")).status_code == 404
        assert (await bridge.http.post("/wechat", content=b"<xml/>")).status_code == 404


async def test_a_body_of_more_than_a_megabyte_is_not_read(sqlite_urls: Any) -> None:
    async with account(sqlite_urls) as bridge:
        answer = await bridge.http.post("/wechat", params=query(bridge.clock()), content=b" " * (1024 * 1024 + 1))
        assert answer.status_code == 413


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("form", FORMS)
async def test_a_message_is_answered_in_the_mode_and_form_in_which_it_came(
    sqlite_urls: Any, mode: Any, form: str
) -> None:
    async with account(sqlite_urls) as bridge:
        phone = Phone(bridge, mode=mode, form=form)
        heard = await phone.say("这个月电费多少")
        assert (heard.status, heard.text) == (200, "答：这个月电费多少")
        assert (b"Encrypt" in heard.body) == (mode != "plain")
        assert heard.body.startswith(b"{" if form == "json" else b"<xml>")
        assert phone.said == [("customer", "这个月电费多少"), ("bot", "答：这个月电费多少")]
        assert phone.states == [("sent", "passive")]


async def test_a_signature_serves_one_push_and_its_repetitions(start_account: Any) -> None:
    async with start_account() as bridge:
        phone = Phone(bridge)
        params, body = phone.request(phone.fields("text", Content="查电费"))
        other = phone.request(phone.fields("text", Content="转账给我"))[1]
        first = phone.heard(await bridge.http.post("/wechat", params=params, content=body))
        again = phone.heard(await bridge.http.post("/wechat", params=params, content=body))
        forged = await bridge.http.post("/wechat", params=params, content=other)
        assert (first.text, again.text, again.status) == ("答：查电费", None, 200)
        assert (forged.status_code, forged.text) == (403, "")
        assert [text for author, text in phone.said if author == "customer"] == ["查电费"]


async def test_used_signatures_are_forgotten_when_they_are_stale(start_account: Any) -> None:
    async with start_account() as bridge:
        await Phone(bridge).say("在吗")
        for later, left in ((timedelta(minutes=9), 1), (timedelta(minutes=11), 0)):
            with bridge.parts.bridge.transaction() as session:
                prune(session, now=bridge.clock() + later)
                assert session.scalar(select(func.count()).select_from(UsedNonce)) == left


def _away(bridge: Any, monkeypatch: pytest.MonkeyPatch, times: int = 99) -> None:
    """Let the next transactions fail."""
    store, real, left = bridge.parts.store, bridge.parts.store.write, [times]

    async def write(work: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise OperationalError("select 1", {}, Exception("away"))
        return await real(work)

    monkeypatch.setattr(store, "write", write)


async def test_with_the_database_away_the_customer_is_asked_to_send_it_again(
    sqlite_urls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with account(sqlite_urls) as bridge:
        phone = Phone(bridge)
        await phone.say("你好")
        _away(bridge, monkeypatch)
        heard = await phone.say("帮我查电费")
        assert (heard.status, heard.text) == (200, bridge.parts.wechat.words.busy)
        assert "再发一次" in heard.text


async def test_with_the_database_away_a_danger_is_warned_of_all_the_same(
    sqlite_urls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with account(sqlite_urls) as bridge:
        _away(bridge, monkeypatch)
        heard = await Phone(bridge).say("电线断了掉在地上冒火花")
        assert heard.status == 200
        assert "95598" in heard.text
        assert heard.text != bridge.parts.wechat.words.busy
        assert bridge.figure("dianfu_danger_total", kind="wire") == 1


async def test_an_event_while_the_database_is_away_gets_no_notice_of_failure(
    sqlite_urls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with account(sqlite_urls) as bridge:
        _away(bridge, monkeypatch)
        heard = await Phone(bridge).event("subscribe")
        assert (heard.status, heard.body) == (200, b"success")


async def test_the_log_that_cannot_be_written_between_two_transactions_is_told_too(
    sqlite_urls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with account(sqlite_urls) as bridge:
        phone = Phone(bridge)
        await phone.say("你好")
        store, real, count = bridge.parts.store, bridge.parts.store.write, [0]

        async def write(work: Any) -> Any:
            count[0] += 1
            if count[0] == 2:
                raise OperationalError("insert", {}, Exception("away"))
            return await real(work)

        monkeypatch.setattr(store, "write", write)
        fields = phone.fields("text", Content="报修")
        heard = await phone.push(fields)
        assert heard.text == bridge.parts.wechat.words.busy
        monkeypatch.undo()
        assert [one for one in phone.said if one[1] == "报修"] == []


async def test_a_failing_turn_is_answered_with_an_apology_and_never_with_a_failure(start_account: Any) -> None:
    def broken(text: str) -> BotTurn:
        raise RuntimeError("boom")

    async with start_account(FakeRasa(answer=broken)) as bridge:
        phone = Phone(bridge)
        heard = await phone.say("查电费")
        assert heard.status == 200
        assert bridge.parts.wording.apology in heard.text


async def test_two_first_messages_at_once_make_one_user(start_account: Any) -> None:
    async with start_account() as bridge:
        phone = Phone(bridge)
        heard = await asyncio.gather(*[phone.say(f"第{n}句") for n in "一二三四"])
        assert [one.status for one in heard] == [200] * 4
        assert phone.user.followed
        said = "\n".join(one.text or "" for one in heard)
        assert all(f"答：第{n}句" in said for n in "一二三四")
        replies = [(one.in_reply_to, one.text) for one in phone.log if one.author == "bot"]
        assert len(replies) == len(set(replies)) == 4


async def test_what_has_passed_is_not_said_again_to_the_same_push(start_account: Any) -> None:
    async with start_account(
        FakeRasa(answer=lambda _: BotTurn((Draft("bot", "好的"), Draft("bot", "还有吗"))))
    ) as bridge:
        phone = Phone(bridge)
        fields = phone.fields("text", Content="谢谢")
        assert (await phone.push(fields)).text == "好的\n\n还有吗"
        assert (await phone.push(fields)).body == b"success"
        assert len(phone.log) == 3
