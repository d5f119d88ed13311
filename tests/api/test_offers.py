"""Recommendations and offers in the bridge: after the answer, kept with it, left out where they must not be said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from bridge_kit import IDENTITY_KEY, Bridge, FakeRasa, SetClock, customer_token
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.rasa import BotTurn, RasaFailed
from core.conversation import Conversation, Draft
from core.identity import Grant, issue_grant, turn_of
from core.proactive.broadcast import announce
from core.proactive.choices import choose
from core.proactive.tables import SENT, Send
from core.recommend.record import Decided, Told
from core.recommend.tables import Recommendation, Refusal

ACCOUNT = "4201234567890"
OFFER = Draft("bot", "顺便说一条最省的：……能省73.32元。", "recommendation", None, (("怎么办理", "/inform"),))
ANSWER = Draft("bot", "上个月电费128.50元。")
Start = Callable[..., Any]


@dataclass
class OfferingRasa(FakeRasa):
    """Rasa whose actions recommend something beside every answer."""

    clock: SetClock = field(default_factory=SetClock)
    says: Told | Decided | None = None
    drafts: tuple[Draft, ...] = (OFFER, ANSWER)  # out of order, as between two wishes
    intent: str | None = "query_bill"
    handoff: str | None = None
    key: str = IDENTITY_KEY
    form: dict[str, Any] | None = None

    async def turn(self, *, sender: str, text: str, payload: bool, metadata: dict[str, Any], within: float) -> BotTurn:
        await super().turn(sender=sender, text=text, payload=payload, metadata=metadata, within=within)
        conversation = sender.partition(".")[0]
        turn = turn_of(conversation, datetime.fromisoformat(metadata["asked_at"]))
        grants: tuple[str, ...] = ()
        if self.says is not None:
            grant = Grant(conversation, turn, offer=self.says.said())
            grants = (issue_grant(self.key, grant, now=self.clock()),)
        understood = {"intent": self.intent, "confidence": 0.9, "form": self.form} if self.intent else None
        return BotTurn(self.drafts, understood, self.handoff, grants)


def told(**more: Any) -> Told:
    given: dict[str, Any] = {"yuan": Decimal("73.32"), "basis": {"months": "12"}, "segment": "basic"}
    return Told(("C0000001",), ACCOUNT, "saving_measure", **(given | more))


def kept(bridge: Bridge) -> list[tuple[str, str]]:
    with bridge.parts.bridge.reading() as session:
        return [(row.kind, row.state) for row in session.scalars(select(Recommendation))]


def texts(answer: dict[str, Any]) -> list[str]:
    return [message["text"] for message in answer["messages"]]


async def test_it_comes_after_the_answer_and_is_kept_with_it(start: Start) -> None:
    rasa = OfferingRasa(says=told())
    async with start(rasa, clock=rasa.clock) as bridge:
        customer = await bridge.customer(customer_token(accounts=(ACCOUNT,)))
        answer = await customer.say("上个月电费")
        assert texts(answer) == [ANSWER.text, OFFER.text]
        assert [button["title"] for button in answer["messages"][1]["buttons"]] == ["怎么办理"]
        assert kept(bridge) == [("saving_measure", "shown")]
        assert texts(await customer.say("上上个月呢")) == [ANSWER.text]  # once a month, whatever the actions say
        other = await bridge.customer(customer_token(accounts=(ACCOUNT,)))
        assert texts(await other.say("上个月电费")) == [ANSWER.text]
        assert kept(bridge) == [("saving_measure", "shown")]


async def test_a_message_that_is_delivered_twice_has_one(start: Start) -> None:
    rasa = OfferingRasa(says=told())
    async with start(rasa, clock=rasa.clock) as bridge:
        customer = await bridge.customer(customer_token(accounts=(ACCOUNT,)))
        first = await customer.say("上个月电费", "once")
        again = await customer.say("上个月电费", "once")
        assert texts(first) == texts(again) == [ANSWER.text, OFFER.text]
        assert len(rasa.asked) == len(kept(bridge)) == 1


async def test_of_two_conversations_at_the_same_moment_one_hears_it(start: Start) -> None:
    rasa = OfferingRasa(says=told(), gate=asyncio.Event())
    async with start(rasa, clock=rasa.clock) as bridge:
        both = [await bridge.customer(customer_token(accounts=(ACCOUNT,))) for _ in range(2)]
        asking = [asyncio.ensure_future(one.say("上个月电费")) for one in both]
        while rasa.at_once < 2:
            await asyncio.sleep(0.01)
        assert rasa.gate is not None
        rasa.gate.set()
        answers = [texts(await one) for one in asking]
        assert sorted(map(len, answers)) == [1, 2]
        assert all(one[0] == ANSWER.text for one in answers)
        assert kept(bridge) == [("saving_measure", "shown")]


async def test_the_held_out_hear_the_answer_alone_and_it_is_written_down(start: Start) -> None:
    rasa = OfferingRasa(says=told(held_out=True), drafts=(ANSWER,))
    async with start(rasa, clock=rasa.clock) as bridge:
        customer = await bridge.customer(customer_token(accounts=(ACCOUNT,)))
        assert texts(await customer.say("上个月电费")) == [ANSWER.text]
        assert kept(bridge) == [("saving_measure", "held_out")]


async def test_nothing_beside_a_second_wish_a_person_or_a_danger(start: Start) -> None:
    rasa = OfferingRasa(says=told())
    async with start(rasa, clock=rasa.clock) as bridge:
        for intent, handoff in (
            ("query_bill+complain", None), ("query_bill+query_usage", None), ("report_outage", None),
            ("query_bill", "asked"), ("query_bill", "danger"),
        ):  # fmt: skip
            rasa.intent, rasa.handoff = intent, handoff
            customer = await bridge.customer(customer_token(accounts=(ACCOUNT,)))
            assert OFFER.text not in texts(await customer.say("上个月电费"))
        assert kept(bridge) == []


async def test_a_forged_command_says_and_keeps_nothing(start: Start) -> None:
    rasa = OfferingRasa(says=told(), key="somebody else's key, long enough for it")
    async with start(rasa, clock=rasa.clock) as bridge:
        customer = await bridge.customer(customer_token(accounts=(ACCOUNT,)))
        assert OFFER.text not in texts(await customer.say("上个月电费"))
        assert kept(bridge) == []


async def test_without_a_command_nothing_is_recommended(start: Start) -> None:
    rasa = OfferingRasa()
    async with start(rasa, clock=rasa.clock) as bridge:
        customer = await bridge.customer(customer_token(accounts=(ACCOUNT,)))
        assert texts(await customer.say("再说一遍")) == [ANSWER.text]


async def test_a_refusal_is_kept_with_its_answer_and_holds_in_every_conversation(start: Start) -> None:
    rasa = OfferingRasa(says=told())
    async with start(rasa, clock=rasa.clock) as bridge:
        customer = await bridge.customer(customer_token(accounts=(ACCOUNT,)))
        await customer.say("上个月电费")
        rasa.says, rasa.drafts = Decided(("C0000001",), never="*"), (Draft("bot", "记下了。"),)
        assert texts(await customer.say("别给我推荐了")) == ["记下了。"]
        assert kept(bridge) == [("saving_measure", "refused")]
        with bridge.parts.bridge.transaction() as session:
            assert [(row.subject, row.kind) for row in session.scalars(select(Refusal))] == [("customer:C0000001", "*")]
            session.query(Recommendation).delete()
        rasa.says, rasa.drafts = told(), (ANSWER, OFFER)
        other = await bridge.customer(customer_token(accounts=(ACCOUNT,)))
        assert texts(await other.say("上个月电费")) == [ANSWER.text]
        assert kept(bridge) == []


async def test_what_somebody_unknown_refuses_holds_when_they_are_known(start: Start) -> None:
    rasa = OfferingRasa(says=Decided((), never="*"), drafts=(Draft("bot", "记下了。"),))
    async with start(rasa, clock=rasa.clock) as bridge:
        customer = await bridge.customer()
        assert texts(await customer.say("别给我推荐了")) == ["记下了。"]
        with bridge.parts.bridge.transaction() as session:
            (row,) = session.scalars(select(Refusal))
            assert row.subject == f"talk:{customer.conversation_id}"
            session.get_one(Conversation, customer.conversation_id).customer_no = "C0000001"  # a code has proved it
        rasa.says, rasa.drafts = told(), (ANSWER, OFFER)
        other = await bridge.customer(customer_token(accounts=(ACCOUNT,)))
        for one in (customer, other):
            assert texts(await one.say("上个月电费")) == [ANSWER.text]
        assert kept(bridge) == []


# -- campaigns


def campaign(bridge: Bridge, key: str = "x") -> None:
    """Let an offer wait for the customer, sent as far as it goes outside of a conversation."""

    def work(session: Session) -> None:
        now = bridge.clock()
        choose(session, "customer:C0000001", "offer", wanted=True, channel="chat", now=now)
        row = announce(
            session, bridge.parts.manner.notices, kind="offer", key=f"campaign:{key}", wording="offer",
            values={"text": "夜里充电便宜些。"}, audience={"customers": ["C0000001"]}, now=now,
        )  # fmt: skip
        session.flush()
        session.add(
            Send(
                broadcast_id=row.id, recipient="customer:C0000001", channel="chat", channel_user_id=None, values={},
                state=SENT, next_at=now, sent_at=now,
            )
        )  # fmt: skip

    with bridge.parts.bridge.transaction() as session:
        work(session)


def log(bridge: Bridge, conversation_id: str) -> list[tuple[str, str]]:
    return [(row.author, row.text.partition("\n")[0]) for row in bridge.rows(conversation_id)]


async def test_an_offer_of_a_campaign_follows_an_answer_once(start: Start) -> None:
    rasa = OfferingRasa(drafts=(ANSWER,))
    async with start(rasa, clock=rasa.clock) as bridge:
        customer = await bridge.customer(customer_token(accounts=(ACCOUNT,)))
        campaign(bridge)
        for _ in range(2):
            await customer.say("上个月电费")
        assert log(bridge, customer.conversation_id) == [
            ("customer", "上个月电费"), ("bot", ANSWER.text), ("system", "夜里充电便宜些。"),
            ("customer", "上个月电费"), ("bot", ANSWER.text),
        ]  # fmt: skip


async def test_of_two_campaigns_the_second_waits_a_week(start: Start) -> None:
    rasa = OfferingRasa(drafts=(ANSWER,))
    async with start(rasa, clock=rasa.clock) as bridge:
        customer = await bridge.customer(customer_token(accounts=(ACCOUNT,)))
        campaign(bridge)
        campaign(bridge, "y")
        for days in (0, 1, 5):
            rasa.clock.ahead += timedelta(days=days)
            customer = await bridge.customer(customer_token(accounts=(ACCOUNT,), now=rasa.clock()))
            await customer.say("上个月电费")
            told = [author for author, _ in log(bridge, customer.conversation_id)]
            assert told == ["customer", "bot", *(["system"] if days == 0 else [])]
        rasa.clock.ahead += timedelta(days=2)
        customer = await bridge.customer(customer_token(accounts=(ACCOUNT,), now=rasa.clock()))
        await customer.say("上个月电费")
        assert [author for author, _ in log(bridge, customer.conversation_id)] == ["customer", "bot", "system"]


async def test_an_offer_waits_while_anything_else_matters(start: Start) -> None:
    rasa = OfferingRasa(drafts=(ANSWER,))
    async with start(rasa, clock=rasa.clock) as bridge:
        campaign(bridge)
        for intent, form in (
            ("report_outage", None), ("complain", None), ("nlu_fallback", None), ("query_bill+complain", None),
            ("query_bill", {"business": "energy_audit"}),
        ):  # fmt: skip
            rasa.intent, rasa.form = intent, form
            customer = await bridge.customer(customer_token(accounts=(ACCOUNT,)))
            await customer.say("上个月电费")
            assert [author for author, _ in log(bridge, customer.conversation_id)] == ["customer", "bot"]


async def test_no_offer_follows_an_apology(start: Start) -> None:
    """The bot was away, or what it granted was forged: who is asked for patience is not offered anything."""
    rasa = OfferingRasa(drafts=(ANSWER,))
    async with start(rasa, clock=rasa.clock) as bridge:
        campaign(bridge)
        customer = await bridge.customer(customer_token(accounts=(ACCOUNT,)))

        async def away(**_: Any) -> BotTurn:
            raise RasaFailed("away")

        rasa.turn = away  # type: ignore[method-assign]
        await customer.say("上个月电费")
        assert [author for author, _ in log(bridge, customer.conversation_id)] == ["customer", "system"]


async def test_a_recommendation_and_an_offer_are_never_told_together(start: Start) -> None:
    rasa = OfferingRasa(says=told())
    async with start(rasa, clock=rasa.clock) as bridge:
        customer = await bridge.customer(customer_token(accounts=(ACCOUNT,)))
        campaign(bridge)
        await customer.say("上个月电费")
        assert [author for author, _ in log(bridge, customer.conversation_id)] == ["customer", "bot", "bot"]
