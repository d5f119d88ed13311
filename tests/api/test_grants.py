"""Grants: what the actions prove in a turn changes the identity of the next one, and nothing else does."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from bridge_kit import IDENTITY_KEY, Bridge, FakeRasa, SetClock, customer_token, http_rasa, running, settings
from sqlalchemy import select

from api.identity import asker_of, metadata_of
from api.rasa import BotTurn, HttpRasa
from core.binding import Binding
from core.clock import system_clock
from core.conversation import Draft, find_conversation
from core.identity import Grant, Identity, issue_grant, issue_identity, read_identity, turn_of

MINE, OTHER = "4201234567890", "4209876543210"
Start = Callable[..., Any]


@dataclass
class GrantingRasa(FakeRasa):
    """Rasa whose actions grant what the test says, once."""

    grant: Callable[[str, str], str] | None = None  # conversation and turn → token

    async def turn(self, *, sender: str, text: str, payload: bool, metadata: dict[str, Any], within: float) -> BotTurn:
        said = await super().turn(sender=sender, text=text, payload=payload, metadata=metadata, within=within)
        if self.grant is None:
            return said
        conversation = sender.partition(".")[0]
        token = self.grant(conversation, turn_of(conversation, datetime.fromisoformat(metadata["asked_at"])))
        self.grant = None
        return BotTurn((Draft("bot", "绑定好了"),), grants=(token,))

    def identity(self, clock: SetClock) -> Identity:
        """Return the identity of the latest turn, as the actions read it."""
        last = self.asked[-1]
        return read_identity(IDENTITY_KEY, last["metadata"]["identity"], now=clock(), sender=last["sender"])


def signed(clock: SetClock, **what: tuple[str, ...]) -> Callable[[str, str], str]:
    return lambda conversation, turn: issue_grant(IDENTITY_KEY, Grant(conversation, turn, **what), now=clock())


def bindings(bridge: Bridge) -> list[tuple[str | None, str, bool]]:
    with bridge.parts.bridge.reading() as session:
        rows = session.scalars(select(Binding).order_by(Binding.id)).all()
    return [(row.customer_no, row.account_no, row.ended_at is None) for row in rows]


async def test_a_bound_account_is_in_the_next_turns_identity(start: Start) -> None:
    rasa, clock = GrantingRasa(), SetClock()
    async with start(rasa, clock=clock) as bridge:
        customer = await bridge.customer()
        rasa.grant = signed(clock, add=(MINE,), assured=(MINE,))
        answer = await customer.say("123456")
        assert [message["text"] for message in answer["messages"]] == ["绑定好了"]
        await customer.say("上个月电费")
        identity = rasa.identity(clock)
        assert (identity.accounts, identity.assurance, identity.assured) == ((MINE,), 2, (MINE,))
        assert bindings(bridge) == [(None, MINE, True)]


async def test_the_assurance_of_a_code_ends_after_ten_minutes(start: Start) -> None:
    rasa, clock = GrantingRasa(), SetClock()
    async with start(rasa, clock=clock) as bridge:
        customer = await bridge.customer(customer_token(accounts=(MINE,), lifetime=timedelta(hours=1)))
        rasa.grant = signed(clock, assured=(MINE,))
        await customer.say("123456")
        seen = []
        for minutes in (0, 9, 11):
            clock.ahead = timedelta(minutes=minutes)
            await customer.say("改电话")
            seen.append(rasa.identity(clock).assurance)
        assert seen == [2, 2, 1]


async def test_a_login_that_the_app_assured_is_so_for_ten_minutes(start: Start) -> None:
    rasa, clock = GrantingRasa(), SetClock()
    async with start(rasa, clock=clock) as bridge:
        customer = await bridge.customer(customer_token(assurance=2))
        await customer.say("改电话")
        assert rasa.identity(clock).assurance == 2
        clock.ahead = timedelta(minutes=11)
        await customer.say("改电话")
        assert rasa.identity(clock).assurance == 1


async def test_an_account_that_was_let_go_is_gone_now_and_in_the_next_session(start: Start) -> None:
    rasa, clock = GrantingRasa(), SetClock()
    async with start(rasa, clock=clock) as bridge:
        token = customer_token(accounts=(MINE, OTHER))
        customer = await bridge.customer(token)
        rasa.grant = signed(clock, remove=(MINE,))
        await customer.say("解绑")
        await customer.say("欠费吗")
        assert rasa.identity(clock).accounts == (OTHER,)
        await (await bridge.customer(token)).say("欠费吗")
        assert rasa.identity(clock).accounts == (OTHER,)
        assert bindings(bridge) == [("C0000001", MINE, False)]


async def test_what_a_customer_bound_is_there_in_the_next_session(start: Start) -> None:
    rasa, clock = GrantingRasa(), SetClock()
    async with start(rasa, clock=clock) as bridge:
        token = customer_token(accounts=(MINE,))
        rasa.grant = signed(clock, add=(OTHER,))
        await (await bridge.customer(token)).say("123456")
        await (await bridge.customer(token)).say("欠费吗")
        assert rasa.identity(clock).accounts == (MINE, OTHER)
        await (await bridge.customer(customer_token(customer_no="C2", accounts=(MINE,)))).say("欠费吗")
        assert rasa.identity(clock).accounts == (MINE,)


def forged(clock: SetClock) -> Callable[[str, str], str]:
    key = "another key that is long enough for us"
    return lambda conversation, turn: issue_grant(key, Grant(conversation, turn, add=(MINE,)), now=clock())


def expired(clock: SetClock) -> Callable[[str, str], str]:
    return lambda conversation, turn: issue_grant(
        IDENTITY_KEY, Grant(conversation, turn, add=(MINE,)), now=clock() - timedelta(minutes=2)
    )


def of_another_conversation(clock: SetClock) -> Callable[[str, str], str]:
    return lambda _conversation, turn: issue_grant(IDENTITY_KEY, Grant("other", turn, add=(MINE,)), now=clock())


def of_another_turn(clock: SetClock) -> Callable[[str, str], str]:
    early = system_clock() - timedelta(seconds=5)
    return lambda conversation, _turn: issue_grant(
        IDENTITY_KEY, Grant(conversation, turn_of(conversation, early), add=(MINE,)), now=clock()
    )


def an_identity(clock: SetClock) -> Callable[[str, str], str]:
    return lambda conversation, _turn: issue_identity(
        IDENTITY_KEY, Identity(conversation, None, (MINE,), 2, "web"), now=clock()
    )


@pytest.mark.parametrize("bad", [forged, expired, of_another_conversation, of_another_turn, an_identity])
async def test_a_grant_that_proves_nothing_changes_nothing_and_is_logged_and_nobody_hears_that_it_was_done(
    start: Start, bad: Callable[[SetClock], Callable[[str, str], str]], capsys: pytest.CaptureFixture[str]
) -> None:
    rasa, clock = GrantingRasa(), SetClock()
    async with start(rasa, clock=clock) as bridge:
        customer = await bridge.customer()
        rasa.grant = bad(clock)
        answer = await customer.say("123456")
        assert [message["text"] for message in answer["messages"]] == [bridge.parts.wording.apology]
        await customer.say("欠费吗")
        identity = rasa.identity(clock)
        assert (identity.accounts, identity.assurance) == ((), 0)
        assert bindings(bridge) == []
    logged = capsys.readouterr().out
    assert "grant_refused" in logged
    assert MINE not in logged


async def test_no_token_is_shown_or_kept_in_the_log_of_the_conversation(start: Start) -> None:
    rasa, clock = GrantingRasa(), SetClock()
    async with start(rasa, clock=clock) as bridge:
        customer = await bridge.customer()
        rasa.grant = signed(clock, add=(MINE,), assured=(MINE,))
        await customer.say("123456")
        history = json.dumps(await customer.history())
        assert "eyJ" not in history
        assert MINE not in history


async def test_a_grant_that_rasa_brings_is_no_message_and_alone_no_answer() -> None:
    def grant(token: Any) -> dict[str, Any]:
        return {"custom": {"type": "grant", "token": token}}

    bodies = [[{"text": "好了"}, grant("t1")], [grant("t2")], [{"text": "好了"}, grant(None)]]
    answers = iter(bodies)
    seen = []
    async with http_rasa(lambda _body: (200, json.dumps({"messages": next(answers)}).encode())) as (url, _):
        rasa = HttpRasa(url, "token")
        for _ in bodies:
            try:
                turn = await rasa.turn(sender="c", text="x", payload=False, metadata={}, within=2)
                seen.append(([draft.text for draft in turn.drafts], turn.grants))
            except Exception as error:
                seen.append(type(error).__name__)
        await rasa.close()
    assert seen == [(["好了"], ("t1",)), "RasaFailed", (["好了"], ("",))]


async def test_the_time_of_a_message_is_the_same_text_when_its_turn_is_run_again(sqlite_urls: Any) -> None:
    rasa = GrantingRasa()
    async with running(settings(*sqlite_urls), rasa) as bridge:
        customer = await bridge.customer()
        await customer.say("你好")
        first = rasa.asked[-1]["metadata"]["asked_at"]
        (row, _) = bridge.rows(customer.conversation_id)
        with bridge.parts.bridge.reading() as session:
            conversation = find_conversation(session, customer.conversation_id)
            asker = asker_of(session, conversation, row, book=bridge.parts.book, now=bridge.clock())
        again = metadata_of(conversation, row, asker, key=IDENTITY_KEY, book=bridge.parts.book, now=bridge.clock())
        assert again["asked_at"] == first
