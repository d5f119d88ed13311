"""Rasa, all agents, the database: any of them may be away. Nobody waits untold."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

from desk_kills_kit import (
    CLOSED,
    NOBODY,
    PERSON,
    case_of,
    console_at,
    customer_at,
    empty_desk,
    offered,
    site,
)

from ops.simulation.site import Site

__all__ = ["empty_desk", "site"]  # fixtures


async def test_without_rasa_a_person_can_be_had_and_the_failure_is_said(site: Site) -> None:
    async with customer_at(site) as asks, customer_at(site) as fails:
        [answer] = await asks.say(PERSON)
        assert NOBODY in answer["text"] or CLOSED in answer["text"]
        assert asks.mode == "queued" or await asks.wait_for("queued")
        [sorry] = await fails.say("我上个月电费多少")
        assert "95598" in sorry["text"]
        assert [one["title"] for one in sorry["buttons"]] == ["再试一次", "转人工"]
        told = await fails.say("我上个月电费多少啊")
        assert "智能客服这会儿出了故障" in told[-1]["text"]
        assert await fails.wait_for("queued")
        for one in (asks, fails):
            await one.press("不等了，继续问电小服")
            await one.wait_for("bot")
        assert case_of(site, fails).end == "left"


async def test_with_no_agent_on_duty_the_truth_is_told_and_what_is_left_is_answered(site: Site) -> None:
    async with customer_at(site) as leaves, customer_at(site) as waits:
        [told] = await leaves.say(PERSON)
        await waits.say(PERSON)
        assert NOBODY in told["text"] or CLOSED in told["text"]
        assert "最迟" in told["text"]
        standing = await leaves.queue()
        assert (standing["on_duty"], standing["expected_wait_seconds"]) == (False, None)
        await leaves.press("给坐席留言")
        [taken] = await leaves.say("请坐席帮我查一下户名改好了没有")
        assert "最迟" in taken["text"]
        await waits.wait_for_words("已经作为留言转给坐席", within=40)  # without a word of his
        assert waits.mode == "bot"
        async with console_at(site) as console:
            left = {case["conversation_id"]: case for case in (await console.inbox())["messages"]}
            for one in (leaves, waits):
                case = left[one.conversation_id]
                assert case["due_at"]
                await console.good("POST", f"/cases/{case['handoff_id']}/claim")
                await console.open(one.conversation_id)
                await console.say(one.conversation_id, "您的留言看到了，已经改好")
                await one.wait_for_words("已经改好")
                await console.end(one.conversation_id)
                await one.wait_for("bot")
                assert case_of(site, one).holders_at_once == 1


async def test_the_desk_goes_on_after_the_database_was_away(site: Site) -> None:
    """Another process holds the database for longer than anybody waits for it."""
    async with customer_at(site) as customer, console_at(site) as console:
        await console.good("POST", "/me/status", status="away")
        await customer.say(PERSON)
        offset = site.log.stat().st_size
        holder = sqlite3.connect(site.root / "bridge.db", isolation_level=None)
        with closing(holder):
            await console.good("POST", "/me/status", status="online")
            holder.execute("BEGIN IMMEDIATE")
            await asyncio.sleep(12)
            holder.execute("ROLLBACK")
        assert "database_unavailable" in site.log.read_text()[offset:]
        await console.good("POST", f"/cases/{await offered(console, customer)}/accept")
        await customer.wait_for("human")
        await console.open(customer.conversation_id)
        await console.say(customer.conversation_id, "让您久等了")
        await customer.wait_for_words("让您久等了")
        await console.end(customer.conversation_id)
