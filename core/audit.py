"""The audit log of the desk: who did what to what, in a chain of hashes that shows every later change.

Each row carries a keyed hash (HMAC-SHA-256) over all its fields and the hash of the row before it; ids have no gaps. A
signed head counts the rows, so that rows taken off the end are missed too. The database refuses to change or delete
rows (triggers of migration 0004); the chain shows what somebody did who got round that.

The key is derived from the look-up key. That one is never changed in operation, as all blind indexes hang on it, while
the identity key may be replaced at any time and old rows would then look forged.

What no chain can show by itself: a database put back whole to an earlier state. For that, write down now and then what
`dianfu audit verify` prints as the head, and give it to a later run.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Row, String, select, true
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import BridgeBase, Instant
from core.fields import Keyring
from core.locking import one_at_a_time

START = "0" * 64  # what the first row has in place of a hash before it
_ONLY_HEAD = 1
_BATCH = 1000


class AuditEntry(BridgeBase):
    """One row of the log; written by `append` alone."""

    __tablename__ = "audit_log"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(Instant, index=True)
    agent_id: Mapped[int | None] = mapped_column(index=True)  # who did it; None: the command line, or nobody known
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(80))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class AuditHead(BridgeBase):
    """The one row that says how long the log is, signed."""

    __tablename__ = "audit_head"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    count: Mapped[int]
    hash: Mapped[str] = mapped_column(String(64))
    seal: Mapped[str] = mapped_column(String(64))


class AuditBroken(Exception):
    """The head of the log is missing or not ours; to write on would hide that. `dianfu audit verify` tells more."""


class BadDetail(ValueError):
    """The detail of an entry is no JSON object, or names are too long for their columns."""


@dataclass(frozen=True)
class Verdict:
    """What a check of the log found; `first_bad` is the id of the first row that is not as it was written."""

    ok: bool
    rows: int
    first_bad: int | None = None
    why: str = ""
    head: str = START


@dataclass(frozen=True)
class Auditor:
    """Writes entries for one doer: an agent, or (None) the command line or somebody who has not signed in."""

    key: bytes = field(repr=False)
    agent_id: int | None = None

    @classmethod
    def of(cls, keyring: Keyring, agent_id: int | None = None) -> Auditor:
        """Return the auditor of one doer with the key of the settings."""
        return cls(key_of(keyring), agent_id)

    def note(self, session: Session, action: str, subject: str = "", *, now: datetime, **detail: Any) -> AuditEntry:
        """Append an entry; raises what `append` raises."""
        return append(
            session, action=action, subject=subject, agent_id=self.agent_id, detail=detail, now=now, key=self.key
        )


def key_of(keyring: Keyring) -> bytes:
    """Return the key of the log, 32 bytes, derived from the look-up key."""
    return hmac.new(keyring.lookup, b"dianfu audit log v1", hashlib.sha256).digest()


def append(
    session: Session, *, action: str, subject: str = "", agent_id: int | None = None,
    detail: Mapping[str, Any] | None = None, now: datetime, key: bytes,
) -> AuditEntry:  # fmt: skip
    """Write an entry within the caller's transaction; it is there exactly if what it tells of is.

    Others who append wait until this transaction ends, so append last, after all other locks.

    Raises:
        AuditBroken: if the head is missing though there are rows, or was not written with this key.
        BadDetail: if the detail is no JSON, or action or subject are too long (40 and 80 characters).
    """
    if not 0 < len(action) <= 40 or len(subject) > 80:
        raise BadDetail(f"the action has {len(action)} characters, the subject {len(subject)}")
    one_at_a_time(session, "audit")
    session.flush()
    head = session.get(AuditHead, _ONLY_HEAD, populate_existing=True)
    if head is None:
        head = _new_head(session, key)
    elif not hmac.compare_digest(head.seal, _seal(key, head.count, head.hash)):
        raise AuditBroken("the head of the audit log is not signed with this key")
    row = AuditEntry(
        id=head.count + 1, at=now, agent_id=agent_id, action=action, subject=subject, detail=_plain(detail or {}),
        previous_hash=head.hash,
    )  # fmt: skip
    row.hash = _hash(key, row.id, now, agent_id, action, subject, row.detail, head.hash)
    session.add(row)
    head.count, head.hash, head.seal = row.id, row.hash, _seal(key, row.id, row.hash)
    session.flush()
    return row


def verify(session: Session, key: bytes, *, anchor: tuple[int, str] | None = None) -> Verdict:
    """Read the whole log and tell whether every row is there as it was written.

    `anchor` is a head noted earlier (how many rows, hash of the last): the log must still hold it.
    """
    seen, last, head = 0, START, None
    for row in _chained(session):
        head = row
        if row.id is None:
            break
        why = _fault(row, seen + 1, last, key)
        if not why and anchor and row.id == anchor[0] and row.hash != anchor[1]:
            why = f"row {row.id} is not the one whose hash was noted"
        if why:
            return Verdict(False, seen, seen + 1, why, last)
        seen, last = row.id, row.hash
    if why := _end_fault(session, head, seen, last, key):
        return Verdict(False, seen, seen + 1, why, last)
    if anchor and anchor[0] > seen:
        return Verdict(False, seen, seen + 1, f"{anchor[0]} rows were noted, only {seen} are left", last)
    return Verdict(True, seen, head=last)


def entries(
    session: Session, *, since: datetime | None = None, agent_id: int | None = None, limit: int = 200
) -> list[AuditEntry]:
    """Return the last `limit` entries, oldest first; from `since` on, of one agent, where given."""
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    if since is not None:
        query = query.where(AuditEntry.at >= since)
    if agent_id is not None:
        query = query.where(AuditEntry.agent_id == agent_id)
    return list(session.scalars(query))[::-1]


def _chained(session: Session) -> Iterator[Row[Any]]:
    """Return head and rows in one statement, so that both are of the same instant while others write."""
    columns = AuditEntry.__table__.c
    query = (
        select(
            columns.id, columns.at, columns.agent_id, columns.action, columns.subject, columns.detail,
            columns.previous_hash, columns.hash,
            AuditHead.count.label("counted"), AuditHead.hash.label("head_hash"), AuditHead.seal,
        )
        .select_from(AuditHead).outerjoin(AuditEntry, true())
        .order_by(columns.id).execution_options(yield_per=_BATCH)
    )  # fmt: skip
    yield from session.execute(query)


def _fault(row: Row[Any], expected: int, last: str, key: bytes) -> str:
    if row.id != expected:
        return f"row {expected} is missing" if row.id > expected else f"row {row.id} was put in"
    own = _hash(key, row.id, row.at, row.agent_id, row.action, row.subject, row.detail, row.previous_hash)
    if not hmac.compare_digest(own, row.hash):
        return f"row {row.id} was changed, or is not in its place"
    if row.previous_hash != last:
        return f"row {row.id} does not follow on the row before it"
    return ""


def _end_fault(session: Session, head: Row[Any] | None, seen: int, last: str, key: bytes) -> str:
    if head is None:
        there = session.scalar(select(AuditEntry.id).limit(1))
        return "" if there is None else "the head is missing"
    if not hmac.compare_digest(head.seal, _seal(key, head.counted, head.head_hash)):
        return "the head was changed, or written with another key"
    if head.counted > seen:
        return f"the head counts {head.counted} rows, the last ones are missing"
    if (head.counted, head.head_hash) != (seen, last):
        return f"the head counts {head.counted} rows, there are {seen}"
    return ""


def _new_head(session: Session, key: bytes) -> AuditHead:
    if session.scalar(select(AuditEntry.id).limit(1)) is not None:
        raise AuditBroken("the head of the audit log is missing")
    head = AuditHead(id=_ONLY_HEAD, count=0, hash=START, seal=_seal(key, 0, START))
    session.add(head)
    session.flush()
    return head


def _hash(
    key: bytes, number: int, at: datetime, agent_id: int | None, action: str, subject: str, detail: Mapping[str, Any],
    previous_hash: str,
) -> str:  # fmt: skip
    instant = at.astimezone(UTC).isoformat(timespec="microseconds")
    fields = [number, instant, agent_id, action, subject, detail, previous_hash]
    return hmac.new(key, _canonical(fields).encode(), hashlib.sha256).hexdigest()


def _seal(key: bytes, count: int, last: str) -> str:
    return hmac.new(key, _canonical(["head", count, last]).encode(), hashlib.sha256).hexdigest()


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _plain(detail: Mapping[str, Any]) -> dict[str, Any]:
    """Return the detail as it will be read back: JSON has no tuples and no keys but strings."""
    try:
        plain: dict[str, Any] = json.loads(_canonical(dict(detail)))
    except (TypeError, ValueError) as error:
        raise BadDetail("the detail of an audit entry is no JSON") from error
    return plain
