"""The hall: a code with which a clerk opens a customer's conversation, and papers that bring a matter into the chat.

A code is eight digits, lives for half an hour and opens once. It is kept as a keyed hash. What a clerk does with it
is in `core.hall_counter`, what papers do in `core.hall_paper`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from secrets import randbelow

from sqlalchemy import Index, String, UniqueConstraint, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import BridgeBase, Instant
from core.fields import Keyring

DIGITS = 8
LIFETIME = timedelta(minutes=30)
ENOUGH = timedelta(minutes=5)
MOST_TAKEN = 20  # digits that others may have had before, until free ones were found
MOST_LIVE = 3  # codes of one conversation that can be used at the same time


class HallCode(BridgeBase):
    """A code that a customer shows at the counter; kept as a keyed hash."""

    __tablename__ = "hall_codes"
    __table_args__ = (UniqueConstraint("code"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(64))
    conversation_id: Mapped[str] = mapped_column(String(36), index=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    used_at: Mapped[datetime | None] = mapped_column(Instant)
    used_by: Mapped[int | None]  # the clerk


class HallPaper(BridgeBase):
    """A paper of the hall with a QR code: whoever scans it finds its matter in the chat.

    A poster begins a business for everybody, a slip shows one order to the customer whose it is and to the first one
    who scans it.
    """

    __tablename__ = "hall_papers"
    __table_args__ = (UniqueConstraint("scene"), Index("ix_hall_papers_order", "order_no"))
    id: Mapped[int] = mapped_column(primary_key=True)
    scene: Mapped[str] = mapped_column(String(64))
    business: Mapped[str | None] = mapped_column(String(30))  # the row of the table that it begins, or
    order_no: Mapped[str | None] = mapped_column(String(20))  # the order that it shows
    order_conversation: Mapped[str | None] = mapped_column(String(36))  # in which the order was filed
    order_customer: Mapped[str | None] = mapped_column(String(12))
    title: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[datetime] = mapped_column(Instant)
    created_by: Mapped[int | None]
    expires_at: Mapped[datetime | None] = mapped_column(Instant)
    scanned_by: Mapped[int | None]  # of a slip: the user of a channel who scanned it first,
    scanned_in: Mapped[str | None] = mapped_column(String(36))  # and in which conversation
    scanned_at: Mapped[datetime | None] = mapped_column(Instant)
    link: Mapped[str | None] = mapped_column(String(200))  # what the channel's own QR code says


@dataclass(frozen=True)
class Issued:
    """A code, told to the customer and kept nowhere."""

    digits: str = field(repr=False)
    expires_at: datetime

    @property
    def grouped(self) -> str:
        """Return the digits as people read them out: 2718 2818."""
        return f"{self.digits[:4]} {self.digits[4:]}"


def issue(
    session: Session, conversation_id: str, *, keyring: Keyring, now: datetime, same: bool = True
) -> Issued:  # fmt: skip
    """Return a code for a conversation (locked): the one that it has, while that can be used, else a new one.

    A code that is about to end is no use on the way to the counter: then there is a new one too. Without `same` there
    is always a new one. Of more than three that could be used the oldest is worth nothing.
    """
    mine = HallCode.conversation_id == conversation_id
    if same and (known := _present(session, conversation_id, keyring, now=now)) is not None:
        return known
    unused = select(HallCode.id).where(mine, HallCode.used_at.is_(None), HallCode.expires_at > now)
    live = list(session.scalars(unused.order_by(HallCode.id.desc()).limit(MOST_LIVE - 1)))
    session.execute(delete(HallCode).where(mine, HallCode.used_at.is_(None), HallCode.id.not_in(live)))
    for taken in count():
        digits = _digits(conversation_id, now, taken, keyring) if same else f"{randbelow(10**DIGITS):0{DIGITS}d}"
        hashed = blind(digits, keyring)
        if session.scalar(select(HallCode.id).where(HallCode.code == hashed)) is None:
            break
    row = HallCode(code=hashed, conversation_id=conversation_id, created_at=now, expires_at=now + LIFETIME)
    session.add(row)
    session.flush()
    return Issued(digits, row.expires_at)


def _present(session: Session, conversation_id: str, keyring: Keyring, *, now: datetime) -> Issued | None:
    """Return the newest code of a conversation that can be used for a while yet, None if there is none."""
    query = select(HallCode).where(
        HallCode.conversation_id == conversation_id, HallCode.used_at.is_(None), HallCode.expires_at > now + ENOUGH
    )
    row = session.scalar(query.order_by(HallCode.id.desc()).limit(1))
    if row is None:
        return None
    for taken in range(MOST_TAKEN):
        digits = _digits(conversation_id, row.created_at, taken, keyring)
        if blind(digits, keyring) == row.code:
            return Issued(digits, row.expires_at)
    return None  # the key is another one by now


def _digits(conversation_id: str, at: datetime, taken: int, keyring: Keyring) -> str:
    """Return digits that only the key can tell, the same whenever they are asked for: so no code need be kept."""
    named = f"{conversation_id}:{at.astimezone(UTC).isoformat()}:{taken}"
    return f"{int(keyring.blind(named, 'hall_codes.digits'), 16) % 10**DIGITS:0{DIGITS}d}"


def blind(digits: str, keyring: Keyring) -> str:
    """Return the keyed hash under which a code is kept."""
    return keyring.blind(digits, "hall_codes.code")
