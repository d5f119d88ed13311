"""One-time codes (验证码): six digits sent to a telephone, which prove that it is in the asker's hand.

A code belongs to a purpose, a subject (an account or a telephone number) and one conversation. It is kept as a keyed
hash, ends after ten minutes, three tries or its first use. A subject to which nothing can be sent (no such account)
gets a code that nobody knows, so that the asker meets the same words, limits and rows as with a real one.
"""

from __future__ import annotations

import hmac
import re
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from sqlalchemy import Index, String, UniqueConstraint, func, select
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column

from core.db import BridgeBase, Instant
from core.errors import BusinessError
from core.fields import Keyring

Purpose = Literal["bind", "confirm", "contact"]  # an account to bind; a bound account; a telephone without an account
DIGITS = 6
_CHINESE = str.maketrans("〇零一幺二两三四五六七八九", "0011223456789")
_JOINTS = re.compile(r"(?<=\d)[\s\-—·、]+(?=\d)")

_DIGIT = r"[\d〇零一幺二三四五六七八九]"
# A whole message that gives a code: 123456, 一二三四五六, a number that is too short, or the message as it was copied.
CODE_MESSAGE = rf"\D{{0,12}}{_DIGIT}(?:[\s-]?{_DIGIT}){{3,7}}\D{{0,6}}|.{{0,40}}(?<!\d)\d{{6}}(?!\d).{{0,60}}"


@dataclass(frozen=True)
class Limits:
    """How long a code lives, how often it may be tried, and how many are sent within the window.

    The sends count for each asker, and for each subject and each telephone by purpose (or a stranger who tries to bind
    an account could keep its owner from changing it); a code that was used rightly counts no more.
    """

    lifetime: timedelta = timedelta(minutes=10)
    tries: int = 3
    sends: int = 3
    window: timedelta = timedelta(hours=24)


LIMITS = Limits()


class OneTimeCode(BridgeBase):
    """One code that was sent, or that only seemed to be."""

    __tablename__ = "one_time_codes"
    __table_args__ = (
        UniqueConstraint("conversation_id", "purpose", "subject", "sent_turn"),
        Index("ix_one_time_codes_subject", "subject", "sent_at"),
        Index("ix_one_time_codes_address", "address", "sent_at"),
        Index("ix_one_time_codes_asker", "asker", "sent_at"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[str] = mapped_column(String(36))
    purpose: Mapped[str] = mapped_column(String(12))
    subject: Mapped[str] = mapped_column(String(64))  # keyed hashes, all four
    address: Mapped[str] = mapped_column(String(64))
    asker: Mapped[str] = mapped_column(String(64))
    code: Mapped[str] = mapped_column(String(64))
    sent_turn: Mapped[str] = mapped_column(String(80))
    sent_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    tries: Mapped[int] = mapped_column(default=0)
    tried_turn: Mapped[str | None] = mapped_column(String(80))
    used_at: Mapped[datetime | None] = mapped_column(Instant)


class TooManySends(BusinessError):
    """No further code is sent for this subject or to this asker within the window."""

    code = "too_many_codes"


@dataclass(frozen=True)
class Request:
    """Who wants a code for what; `phone` None: there is nowhere to send it, and the asker must not notice.

    `asker` is the customer number, or the conversation of somebody unknown; `turn` names the customer's message.
    """

    purpose: Purpose
    subject: str
    phone: str | None
    conversation_id: str
    asker: str
    turn: str


@dataclass(frozen=True)
class Parcel:
    """What a sender is given."""

    key: str
    conversation_id: str
    purpose: str
    phone: str | None
    digits: str
    expires_at: datetime
    now: datetime


class CodeSender(Protocol):
    """Sends a code, or writes within the transaction what will send it."""

    def send(self, session: Session, parcel: Parcel) -> None:
        """Send it; a parcel without a telephone takes the same way and ends nowhere."""


@dataclass(frozen=True)
class Right:
    """The code was right; it is used now."""


@dataclass(frozen=True)
class Wrong:
    """The code was not right; it may be tried `left` times more."""

    left: int


@dataclass(frozen=True)
class Expired:
    """There is no code that could still be used: too old, used already, or never asked for."""


@dataclass(frozen=True)
class TooMany:
    """The code was tried too often and is worth nothing now."""


@dataclass(frozen=True)
class NotACode:
    """The text holds no six digits; no try was counted."""


Checked = Right | Wrong | Expired | TooMany | NotACode


def issue(
    session: Session, request: Request, *, sender: CodeSender, keyring: Keyring, now: datetime, limits: Limits = LIMITS
) -> None:
    """Send a code, once for each turn.

    Raises:
        TooManySends: if the subject or the asker has used up the sends of the window. A telephone that has used up
            its own gets nothing, without a word: who asks for another's account must not learn whose it is.
    """
    subject = _hash(keyring, "subject", f"{request.purpose}:{request.subject}")
    asker = _hash(keyring, "asker", request.asker)
    _one_at_a_time(session, subject)
    if _sent_in(session, request, subject):
        return
    since = now - limits.window
    if max(_sends(session, OneTimeCode.subject, subject, since), _sends(session, OneTimeCode.asker, asker, since)) >= (
        limits.sends
    ):
        raise TooManySends
    address = _hash(keyring, "address", f"{request.purpose}:{request.phone or secrets.token_hex(8)}")
    phone = request.phone if _sends(session, OneTimeCode.address, address, since) < limits.sends else None
    digits = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
    known = digits if phone else secrets.token_hex(DIGITS)  # what nobody is told cannot be typed
    row = OneTimeCode(
        conversation_id=request.conversation_id, purpose=request.purpose, subject=subject, address=address,
        asker=asker, code=_hash(keyring, "code", f"{request.conversation_id}:{subject}:{request.turn}:{known}"),
        sent_turn=request.turn, sent_at=now, expires_at=now + limits.lifetime, tries=0,
    )  # fmt: skip
    session.add(row)
    session.flush()
    key = f"{request.conversation_id}:{row.id}"
    sender.send(session, Parcel(key, request.conversation_id, request.purpose, phone, digits, row.expires_at, now))


def check(
    session: Session, *, conversation_id: str, purpose: Purpose, subject: str | None, text: str, turn: str,
    keyring: Keyring, now: datetime, limits: Limits = LIMITS,
) -> Checked:  # fmt: skip
    """Compare what was typed with the latest code of this conversation, purpose and subject (None: of any subject).

    The same turn again gets the same result and costs no try.
    """
    query = select(OneTimeCode).where(OneTimeCode.conversation_id == conversation_id, OneTimeCode.purpose == purpose)
    if subject is not None:
        query = query.where(OneTimeCode.subject == _hash(keyring, "subject", f"{purpose}:{subject}"))
    row = session.scalar(query.order_by(OneTimeCode.id.desc()).limit(1).with_for_update())
    if row is None:
        return Expired()
    if row.tried_turn == turn:
        return Right() if row.used_at else _missed(row, limits)
    if row.used_at is not None:
        return Expired()
    if row.tries >= limits.tries:
        return TooMany()
    if now >= row.expires_at:
        return Expired()
    digits = code_in(text)
    return NotACode() if digits is None else _try(row, digits, turn=turn, keyring=keyring, now=now, limits=limits)


def code_in(text: str) -> str | None:
    """Return the six digits in a text: 123 456, １２３４５６ and 一二三四五六 too."""
    groups = [group for group in numbers_in(text) if len(group) == DIGITS]
    return groups[-1] if groups else None


def numbers_in(text: str) -> list[str]:
    """Return the runs of digits in a text, those that blanks or dashes divide as one."""
    plain = _JOINTS.sub("", unicodedata.normalize("NFKC", text).translate(_CHINESE))
    return re.findall(r"\d+", plain)


def _try(row: OneTimeCode, digits: str, *, turn: str, keyring: Keyring, now: datetime, limits: Limits) -> Checked:
    given = _hash(keyring, "code", f"{row.conversation_id}:{row.subject}:{row.sent_turn}:{digits}")
    row.tried_turn = turn
    if hmac.compare_digest(given, row.code):
        row.used_at = now
        return Right()
    row.tries += 1
    return _missed(row, limits)


def _missed(row: OneTimeCode, limits: Limits) -> Checked:
    left = limits.tries - row.tries
    return Wrong(left) if left > 0 else TooMany()


def _one_at_a_time(session: Session, subject: str) -> None:
    """Let parallel requests for one subject wait for each other, or they would all count the same sends.

    SQLite has one writer at a time anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(int(subject[:15], 16))))


def _sent_in(session: Session, request: Request, subject: str) -> bool:
    query = select(OneTimeCode.id).where(
        OneTimeCode.conversation_id == request.conversation_id, OneTimeCode.purpose == request.purpose,
        OneTimeCode.subject == subject, OneTimeCode.sent_turn == request.turn,
    )  # fmt: skip
    return session.scalar(query) is not None


def _sends(session: Session, column: InstrumentedAttribute[str], value: str, since: datetime) -> int:
    query = select(func.count()).where(column == value, OneTimeCode.sent_at > since, OneTimeCode.used_at.is_(None))
    return session.scalar(query) or 0


def _hash(keyring: Keyring, column: str, value: str) -> str:
    return keyring.blind(value, f"one_time_codes.{column}")
