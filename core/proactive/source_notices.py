"""Notices of a conversation (`core.notice`) that its customer may decline: progress of orders, times that have moved.

The log has them in any case. Who declined is not pushed to; who chose short messages gets one. What somebody asked to
be told (来电告诉我) is none of these: it always goes the conversation's own way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from sqlalchemy import Update, select, update
from sqlalchemy.orm import Session

from core.channel.callback import OUTAGE
from core.channel.deliveries import rest
from core.channel.tables import DROPPED, OPEN, Delivery
from core.conversation import Conversation, Message
from core.proactive import fanout
from core.proactive.broadcast import announce
from core.proactive.choices import customer
from core.proactive.kinds import SMS, Notices
from core.proactive.rules import SourceRules
from core.proactive.speaker import Speaker, holding, speaker_of
from core.proactive.tables import Send

PROGRESS, MOVED = "order_progress", "promise_moved"
OF_OUTAGES = ("outage_", "moved_outage_")  # with which the wordings begin that 来电告诉我 asks for
JUST_NOW = timedelta(minutes=5)  # who has written is awake for so long
WECHAT = "wechat"


@dataclass(frozen=True)
class Manner:
    """How customers are told first: the words and hours, and what is an event."""

    notices: Notices
    rules: SourceRules

    @classmethod
    def load(cls, data_dir: Path) -> Self:
        """Read both files.

        Raises:
            ValueError: if one of them is not as it should be, or they do not fit together.
        """
        found = cls(Notices.load(data_dir / "notices.yaml"), SourceRules.load(data_dir / "notice_sources.yaml"))
        for kind, one in found.notices.kinds.items():
            if strange := sorted(name for name in one.awaited if found.kind_of(name) != kind):
                raise ValueError(f"{kind} has no notices {', '.join(strange)}")
        return found

    def wakes(self, kind: str, wording: str) -> bool:
        """Tell whether a notice of a conversation is told in the quiet hours too."""
        one = self.notices.kinds[kind]
        return one.wakes or wording in one.awaited

    def kind_of(self, wording: str) -> str | None:
        """Return which kind a notice is, None if nobody can decline it."""
        if wording in self.rules.progress:
            return PROGRESS
        return MOVED if wording in self.rules.moved else None


def as_chosen(
    session: Session, conversation: Conversation, message: Message, *, key: str, wording: str,
    values: Mapping[str, str], manner: Manner, now: datetime,
) -> None:  # fmt: skip
    """Let a notice that was just logged go the way that its customer chose, and not by night."""
    if wording.startswith(OF_OUTAGES):
        session.flush()
        session.execute(_pushing(conversation, message).values(kind=OUTAGE))
    kind = manner.kind_of(wording)
    if kind is None:
        return
    speaker = _of(session, conversation)
    if speaker is None:
        return
    chosen = holding(session, speaker, manner.notices)[kind]
    session.flush()
    if not chosen.wanted or chosen.channel != WECHAT:
        session.execute(_pushing(conversation, message).values(state=DROPPED, error="chosen otherwise"))
    elif not (manner.wakes(kind, wording) or _is_awake(session, conversation, now=now)):
        rest(session, _pushing(conversation, message), until=manner.notices.quiet.over(now), now=now)
    # By itself a short message goes to nobody who has not asked for it: the conversation has it.
    if chosen.wanted and chosen.own and chosen.channel == SMS and speaker.is_customer:
        _by_sms(session, speaker.subject, kind, key, _values(manner.rules, kind, wording, values), manner, now=now)


def _pushing(conversation: Conversation, message: Message) -> Update:
    return update(Delivery).where(
        Delivery.conversation_id == conversation.id, Delivery.seq == message.seq, Delivery.state.in_(OPEN)
    )


def _is_awake(session: Session, conversation: Conversation, *, now: datetime) -> bool:
    """Tell whether the customer has just done something here: what follows from it is no surprise."""
    latest = select(Message.at).where(Message.conversation_id == conversation.id, Message.author == "customer")
    at = session.scalar(latest.order_by(Message.seq.desc()).limit(1))
    return at is not None and now - at < JUST_NOW


def _of(session: Session, conversation: Conversation) -> Speaker | None:
    """Return whose conversation it is, as far as notices go."""
    number = conversation.customer_no
    if number is None and conversation.channel_user_id is None:
        return None
    found = speaker_of(
        session, conversation.id, channel=conversation.channel, customer_no=number, owner_no=None
    )  # fmt: skip
    if found is None or not found.is_customer:
        return found
    return Speaker(customer(number) if number else found.subject, known=True, pushed=found.pushed)


def _by_sms(
    session: Session, subject: str, kind: str, key: str, values: Mapping[str, str], manner: Manner, *, now: datetime
) -> None:
    row = announce(
        session, manner.notices, kind=kind, key=f"notice:{key}"[:80], wording=kind, values=values,
        audience={"listed": True}, now=now, expires_at=now + timedelta(hours=manner.notices.kinds[kind].good_for),
    )  # fmt: skip
    fanout.add(session, manner.notices, row.id, [(subject, {})], now=now)
    row.fanned_out = True
    session.flush()
    for send in session.scalars(select(Send).where(Send.broadcast_id == row.id)):
        send.told_at = now  # the log has it already


def _values(rules: SourceRules, kind: str, wording: str, values: Mapping[str, str]) -> dict[str, str]:
    known = {"title": values.get("title", ""), "order_no": values.get("order_no", "")}
    if kind == PROGRESS:
        return known | {"state": rules.progress[wording]}
    return known | {"what": rules.moved[wording], "due_at": values["due_at"]}
