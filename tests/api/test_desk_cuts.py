"""Connections cut a thousand times between write and push: both sides read the same in the same order."""

from __future__ import annotations

import json
import random
from typing import Any

from bridge_kit import Customer
from supervision_kit import BOOK, Office, Seat, office

from api.desk.access import Signed
from api.desk.socket import Console
from core.conversation import find_conversation, record_customer
from core.handoff import life


class _Cut(Exception):
    """The connection broke."""


class Wire:
    """A socket that breaks before its n-th sending, as if cut between the write and the push."""

    def __init__(self, sendings: int) -> None:
        self.left, self.frames = sendings, []

    async def send_json(self, frame: dict[str, Any]) -> None:
        if self.left == 0:
            raise _Cut
        self.left -= 1
        self.frames.append(json.loads(json.dumps(frame)))


class Page:
    """A console as the page keeps it: the messages by number, and how far its feed is."""

    def __init__(self) -> None:
        self.log: dict[int, str] = {}
        self.seq = 0

    def take(self, frames: list[dict[str, Any]]) -> int:
        """Take frames in; return the smallest number behind which a message is missing, or -1."""
        for one in frames:
            if one["kind"] != "event":
                continue
            event = one["event"]
            if event["kind"] == "message":
                if event["after"] > max(self.log, default=0):
                    return max(self.log, default=0)
                for message in event["messages"]:
                    text = f"{message['author']}:{message['text']}"
                    assert self.log.setdefault(message["seq"], text) == text
            self.seq = max(self.seq, one["seq"])
        return -1


class Talk:
    """A customer and an agent who write, and a page whose connection is cut again and again."""

    def __init__(self, desk: Office, seat: Seat, customer: Customer, dice: random.Random, since: int) -> None:
        self.desk, self.seat, self.customer, self.dice = desk, seat, customer, dice
        self.place, self.page, self.written, self.cuts = customer.conversation_id, Page(), 0, 0
        self.page.seq = since

    def write(self) -> None:
        self.written += 1
        text = f"第{self.written}句"
        if self.dice.random() < 0.5:
            self.desk.reply(self.customer, self.seat, text)
        else:
            self.desk.write(lambda session: _customer_writes(session, self.place, text, self.desk))

    async def push(self, sendings: int) -> None:
        """Connect anew, send what there is until the cut, and let the page take what arrived."""
        wire, parts = Wire(sendings), self.desk.bridge.parts
        signed = Signed(self.seat.id, self.seat.login, "坐席", "agent", ("repair",), 1)
        console = Console(wire, parts, signed, self.page.seq)  # type: ignore[arg-type]
        await parts.store.read(console._begin)
        try:
            await console._catch_up()
        except _Cut:
            self.cuts += 1
        missing = self.page.take(wire.frames)
        if missing >= 0:  # the page sees the gap and fetches the log, as it does on opening
            found = await self.seat.get(f"/conversations/{self.place}/messages?after={missing}")
            self.page.log |= {one["seq"]: f"{one['author']}:{one['text']}" for one in found["messages"]}

    async def theirs(self) -> dict[int, str]:
        """Return what the customer's page has."""
        return {one["seq"]: f"{one['author']}:{one['text']}" for one in (await self.customer.history())["messages"]}


async def test_a_thousand_cuts_between_write_and_push_lose_double_and_mix_nothing(sqlite_urls: Any) -> None:
    dice, cuts = random.Random(20261123), 0
    async with office(sqlite_urls) as desk:
        for _ in range(20):
            seat = await desk.seat()
            customer, case = await desk.case()
            desk.claim(case, seat)
            talk = Talk(desk, seat, customer, dice, since=0)
            while talk.cuts < 50:
                for _ in range(dice.randint(1, 2)):
                    talk.write()
                await talk.push(dice.choice((0, 0, 0, 1)))
            await talk.push(10**6)
            cuts += talk.cuts
            said = {row.seq: f"{row.author}:{row.text}" for row in desk.bridge.rows(customer.conversation_id)}
            assert talk.page.log == await talk.theirs() == said
            assert sum(text.partition(":")[0] in ("agent", "customer") for text in said.values()) == talk.written + 1
    assert cuts == 1000


def _customer_writes(session: Any, conversation_id: str, text: str, desk: Office) -> None:
    now = desk.clock()
    conversation = find_conversation(session, conversation_id, lock=True)
    message, _ = record_customer(
        session, conversation, external_id=f"{conversation_id}:{text}", text=text, payload=None, now=now
    )
    message.turn = "done"
    life.customer_said(session, conversation, message, book=BOOK, now=now)
