"""Who speaks in a turn of a conversation: whose choices are shown and changed there, and what holds for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.channel.tables import WECHAT, ChannelUser
from core.identity import NoticeWish
from core.proactive.choices import USER, BadChoice, Chosen, choices_of, choose, customer, subject_of, user
from core.proactive.kinds import SMS, Notices
from core.proactive.tables import Choice

PAGE_OF_CHANNEL = "h5"
# What can only be told to somebody of whom an account is known.
OF_ACCOUNTS = frozenset({"bill_ready", "balance_low", "planned_outage", "outage", "offer"})


@dataclass(frozen=True)
class Speaker:
    """Whose choices these are; `known`: an account of theirs was proved; `pushed`: WeChat can reach them."""

    subject: str
    known: bool
    pushed: bool

    @property
    def is_customer(self) -> bool:
        """Tell whether this is a customer, whose telephone billing knows."""
        return not self.subject.startswith(USER)


def speaker_of(
    session: Session, conversation_id: str, *, channel: str, customer_no: str | None, owner_no: str | None
) -> Speaker | None:
    """Return who speaks; None for somebody on a page of whom nothing is proved.

    `customer_no`: whose conversation it is; `owner_no`: whose contract the first proved account is. Both are None
    while nothing is proved. A channel's user who is not linked to a customer has choices of their own.
    """
    query = select(ChannelUser).where(ChannelUser.conversation_id == conversation_id).limit(1)
    one = session.scalar(query)
    if one is not None and channel in (one.channel, PAGE_OF_CHANNEL):
        return Speaker(subject_of(one), known=bool(owner_no or one.customer_no), pushed=one.followed)
    number = customer_no or owner_no
    if number is None:
        return None
    linked = select(ChannelUser.id).where(
        ChannelUser.customer_no == number, ChannelUser.followed, ChannelUser.channel == WECHAT
    )
    return Speaker(customer(number), known=True, pushed=session.scalar(linked.limit(1)) is not None)


def holding(session: Session, speaker: Speaker, notices: Notices) -> dict[str, Chosen]:
    """Return by kind what holds for a speaker, with the channel over which it really goes."""
    found = {}
    for kind, one in choices_of(session, speaker.subject, notices).items():
        row = notices.kinds[kind]
        wanted = one.wanted if one.own or not speaker.known else row.customers
        channel = one.channel
        if channel == WECHAT and not speaker.pushed:
            channel = row.fallback
        if channel == SMS and not speaker.is_customer:
            channel = WECHAT
        found[kind] = replace(one, wanted=wanted, channel=channel)
    return found


def choose_all(
    session: Session, subject: str, wishes: Sequence[NoticeWish], *, conversation_id: str, now: datetime
) -> None:
    """Keep what somebody chose in a conversation.

    Raises:
        BadChoice: if a kind or channel is none, or the channel's user has another conversation now.
    """
    if subject.startswith(USER):
        one = session.get(ChannelUser, int(subject.removeprefix(USER)))
        if one is None or one.conversation_id != conversation_id:
            raise BadChoice("another conversation's user")
    for wish in wishes:
        choose(session, subject, wish.kind, wanted=wish.wanted, channel=wish.channel, now=now)


def carry_over(session: Session, one: ChannelUser, customer_no: str) -> None:
    """Let what a channel's user chose hold for the customer that they turn out to be, unless the customer chose."""
    mine = session.scalars(select(Choice).where(Choice.subject == user(one.id))).all()
    subject = customer(customer_no)
    own: Mapping[str, Choice] = {
        row.kind: row for row in session.scalars(select(Choice).where(Choice.subject == subject))
    }  # fmt: skip
    for row in mine:
        if row.kind not in own:
            session.add(
                Choice(
                    subject=subject, kind=row.kind, wanted=row.wanted, channel=row.channel, changed_at=row.changed_at
                )
            )
        session.delete(row)
    session.flush()


def bring_back(session: Session, one: ChannelUser) -> None:
    """Let what held for the customer of a channel's user hold for the user alone, before the link ends.

    Above all nobody who wanted to hear nothing is written to again. What the customer hears by SMS is the customer's.
    """
    if one.customer_no is None:
        return
    known = set(session.scalars(select(Choice.kind).where(Choice.subject == user(one.id))))
    for row in session.scalars(select(Choice).where(Choice.subject == customer(one.customer_no))).all():
        if row.kind not in known and (row.channel == WECHAT or not row.wanted):
            own = Choice(
                subject=user(one.id), kind=row.kind, wanted=row.wanted, channel=row.channel, changed_at=row.changed_at
            )
            session.add(own)
    session.flush()
