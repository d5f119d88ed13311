"""What the tests of links share: an empty bridge, users of WeChat, conversations, and accounts that get bound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import conversation as log_of
from core.binding import Binding
from core.channel import link, writer
from core.channel.tables import WECHAT, ChannelUser
from core.channel.users import user_of
from core.clock import SHANGHAI
from core.conversation import Conversation, Draft, Message
from core.db import Database
from core.identity import CustomerClaim, Grant, Seat
from core.migrations import upgrade

if TYPE_CHECKING:
    from tests.conftest import NewUrl

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=SHANGHAI)
DAY = timedelta(hours=24)
ALICE, BOB = "C0000001", "C0000002"
HERS, HIS, SECOND = "4201234567890", "4209876543210", "4200000000017"
OWNERS = {HERS: ALICE, SECOND: ALICE, HIS: BOB}


def fresh(new_url: NewUrl, dialect: str, directory: Path) -> Iterator[Database]:
    database = Database(new_url(dialect, directory))
    upgrade("bridge", database)
    yield database
    database.dispose()


@dataclass
class World:
    """One session over the bridge, and the short ways of a test."""

    session: Session
    now: datetime = NOW

    def user(self, openid: str) -> ChannelUser:
        return user_of(self.session, WECHAT, openid, now=self.now)

    def talk(self, user: ChannelUser) -> Conversation:
        return log_of.find_conversation(self.session, user.conversation_id, lock=True)

    def web(self, customer_no: str | None, *accounts: str) -> Conversation:
        return log_of.open_conversation(
            self.session, channel="web", customer_no=customer_no, accounts=list(accounts), assurance=1, now=self.now
        )

    def seat(self, conversation: Conversation, customer_no: str | None = None, *accounts: str) -> Seat:
        claim = CustomerClaim(customer_no, accounts, 1) if customer_no else None
        return Seat(conversation.id, "web", claim, None, self.now)

    def says(self, conversation: Conversation, text: str, seat: Seat | None = None) -> Message:
        """Write as the bridge does: the channel is set, what stands is that of who writes, then the log."""
        user = writer.user_at(self.session, conversation.id)
        assert seat is not None or user is not None
        conversation.channel = seat.via if seat else WECHAT
        conversation.channel_user_id = None if seat else user.id  # type: ignore[union-attr]  # asserted above
        writer.writes(self.session, conversation, seat=seat, user=user, now=self.now)
        began = seat.conversation_id if seat else "msg"
        message, _ = log_of.record_customer(
            self.session, conversation, external_id=f"{began}:{text}", text=text, payload=None, now=self.now
        )
        return message

    def answers(self, conversation: Conversation, message: Message, text: str) -> None:
        message.turn = "done"
        log_of.record_reply(self.session, conversation, Draft("bot", text), now=self.now, in_reply_to=message.seq)

    def proves(self, conversation: Conversation, number: str, seat: Seat | None = None) -> None:
        """Bind an account by a code, and let the link be settled."""
        message = self.says(conversation, f"绑定{number}", seat)
        writer.grant_to(self.session, conversation, message, self._grant(conversation, add=number), now=self.now)
        self.answers(conversation, message, "绑定好了")
        self.settle()

    def lets_go(self, conversation: Conversation, number: str, seat: Seat | None = None) -> None:
        message = self.says(conversation, f"解绑{number}", seat)
        writer.grant_to(self.session, conversation, message, self._grant(conversation, remove=number), now=self.now)
        self.answers(conversation, message, "已解绑")
        self.settle()

    def settle(self) -> None:
        for one in link.news(self.session):
            link.settle(self.session, one.binding_id, OWNERS.get(one.account_no), open_for=DAY, now=self.now)

    def _grant(self, conversation: Conversation, *, add: str | None = None, remove: str | None = None) -> Grant:
        return Grant(
            conversation.id, "t", add=(add,) if add else (), remove=(remove,) if remove else (),
            assured=(add,) if add else (),
        )  # fmt: skip

    def texts(self, conversation_id: str) -> list[str]:
        return [row.text for row in log_of.messages_after(self.session, conversation_id, 0)]

    def bindings(self) -> list[tuple[str | None, str, str | None, bool]]:
        rows = self.session.scalars(select(Binding).order_by(Binding.id)).all()
        return [(row.channel_user, row.account_no, row.owner_no, row.ended_at is None) for row in rows]
