"""Gathers from the log what customers wrote in vain, each message once, without personal data.

The log is read from a mark on. A transaction may commit later than one that began after it, an answer may come long
after its question, and a case is written up days later: so each turn reads a while again (`overlap_minutes`), never
passes a message whose answer is missing, and finds cases by the events of their log, not by their age.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import yaml
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.conversation import Conversation, Message
from core.db import Database
from core.fields import Keyring
from core.handoff.book import Book
from core.handoff.rules import Rules
from core.learning import marks
from core.learning.found import Key, Why, batches, wanted
from core.learning.scrub import FindNames, Scrubber, says_something
from core.learning.settings import LearningSettings
from core.learning.tables import OPEN, LearningItem
from core.locking import one_at_a_time
from core.redact import Known, Redactor, known_of_customer, known_of_orders
from core.work_order import orders_of

BATCH, MOST_ORDERS = 40, 20


@dataclass(frozen=True)
class Sources:
    """The three databases, their keys, and what tells a message that failed."""

    bridge: Database
    workorder: Database
    billing: Database
    keyring: Keyring
    rules: Rules
    apology: str  # what is said where the system failed

    @classmethod
    def of(
        cls, bridge: Database, workorder: Database, billing: Database, *, keyring: Keyring, data_dir: Path
    ) -> Sources:  # fmt: skip
        """Return the sources with the rules and the wording of the data folder; raises what `Book.load` raises."""
        wording = yaml.safe_load((data_dir / "wording.yaml").read_text(encoding="utf-8"))
        return cls(bridge, workorder, billing, keyring, Book.load(data_dir).rules, str(wording["apology"]))


@dataclass
class Collected:
    """What a turn brought: new messages, those known that have a further reason, those left out, and why."""

    new: int = 0
    changed: int = 0
    dropped: dict[str, int] = field(default_factory=lambda: defaultdict(int))


@dataclass(frozen=True)
class _Said:
    message: Message
    why: Why
    asked: str  # what it answers, if anything


@dataclass(frozen=True)
class _Ready:
    message: Message
    why: Why
    text: str  # without personal data


def collect(
    sources: Sources, settings: LearningSettings, *, now: datetime, find_names: FindNames | None = None
) -> Collected:
    """Read on from the mark and keep what is new; nothing is missed and nothing kept twice.

    Raises:
        core.fields.UnreadableField: if a key is gone: nothing is kept that was not looked through.
    """
    with sources.bridge.reading() as session:
        since, until = _span(session, settings, now)
        found = wanted(session, sources.rules, sources.apology, settings, since)
    done = Collected()
    scrubber = Scrubber(settings.placeholders, find_names)
    for some in batches(list(_by_conversation(found).items()), BATCH):
        _keep(sources, settings, scrubber, dict(some), done)
    with sources.bridge.transaction() as session:
        marks.put_mark(session, marks.CURSOR, {"until": until.isoformat()}, now=now)
    return done


def _span(session: Session, settings: LearningSettings, now: datetime) -> tuple[datetime | None, datetime]:
    """Return from when on the log is read now, and the mark for the next turn."""
    overlap = timedelta(minutes=settings.collect.overlap_minutes)
    before = marks.mark(session, marks.CURSOR).get("until")
    waiting = session.scalar(select(func.min(Message.at)).where(Message.turn == "open"))
    until = min(now, waiting) if waiting is not None else now
    return (datetime.fromisoformat(before) - overlap if before else None), until


def _by_conversation(wanted: dict[Key, Why]) -> dict[str, dict[int, Why]]:
    found: dict[str, dict[int, Why]] = defaultdict(dict)
    for (talk, seq), why in sorted(wanted.items()):
        found[talk][seq] = why
    return found


def _keep(
    sources: Sources, settings: LearningSettings, scrubber: Scrubber, some: dict[str, dict[int, Why]], done: Collected
) -> None:
    """Keep the messages of some conversations: all is read and looked through first, then one short transaction writes.

    The dictionary of names alone takes seconds to load: nobody who wants to write may wait for that.
    """
    with sources.bridge.reading() as session:
        fresh = _unknown(session, some)
        talks = list(session.scalars(select(Conversation).where(Conversation.id.in_(sorted({k[0] for k in fresh})))))
        said = _said(session, fresh)
    redactors = _redactors(sources, talks)
    ready = [
        _Ready(one.message, one.why, text) for one in said
        if one.message.conversation_id in redactors
        and (text := _fitting(scrubber, redactors[one.message.conversation_id], one, settings, done)) is not None
    ]  # fmt: skip
    with sources.bridge.transaction() as session:
        one_at_a_time(session, "learning_items")
        # Whoever erases a conversation locks it, so that nothing of it is kept after it is gone.
        locked = select(Conversation.id).where(Conversation.id.in_(sorted(some))).order_by(Conversation.id)
        session.execute(locked.with_for_update(read=True)).all()
        known = _known_items(session, some)
        for (talk, seq), item in known.items():
            if seq in some[talk]:
                done.changed += _add_reason(item, some[talk][seq])
        there = _still_there(session, ready)
        for one in ready:
            key = (one.message.conversation_id, one.message.seq)
            if key not in known and there.get(key) == one.message.text:
                session.add(_item(one))
                done.new += 1


def _unknown(session: Session, some: dict[str, dict[int, Why]]) -> dict[Key, Why]:
    known = _known_items(session, some)
    return {(talk, seq): why for talk, each in some.items() for seq, why in each.items() if (talk, seq) not in known}


def _said(session: Session, fresh: dict[Key, Why]) -> list[_Said]:
    """Return what was said, and what had been asked before; no buttons and no photos."""
    found = []
    for key, why in fresh.items():
        message = session.get(Message, key)
        if message is None or message.author != "customer" or message.type != "text" or message.payload is not None:
            continue  # erased meanwhile, or nothing that was written
        before = session.get(Message, (key[0], key[1] - 1))
        found.append(_Said(message, why, before.text if before is not None and before.author != "customer" else ""))
    return found


def _still_there(session: Session, ready: Sequence[_Ready]) -> dict[Key, str]:
    """Return what the messages say now: one that was erased meanwhile is not there any more, or says nothing."""
    talks = sorted({one.message.conversation_id for one in ready})
    query = select(Message.conversation_id, Message.seq, Message.text)
    query = query.where(Message.conversation_id.in_(talks), Message.author == "customer")
    return {(talk, seq): text for talk, seq, text in session.execute(query)}


def _known_items(session: Session, some: dict[str, dict[int, Why]]) -> dict[Key, LearningItem]:
    rows = session.scalars(select(LearningItem).where(LearningItem.conversation_id.in_(sorted(some))))
    return {(row.conversation_id, row.seq): row for row in rows}


def _redactors(sources: Sources, talks: Sequence[Conversation]) -> dict[str, Redactor]:
    """Return what hides all that is known of the customers of conversations."""
    found = {}
    with sources.billing.reading() as billing, sources.workorder.reading() as workorder:
        for talk in talks:
            orders = orders_of(
                workorder, conversation_id=talk.id, customer_no=talk.customer_no, accounts=talk.accounts,
                limit=MOST_ORDERS,
            )  # fmt: skip
            known = Known(account_nos=tuple(talk.accounts)) + known_of_orders(orders, keyring=sources.keyring)
            if talk.customer_no or talk.accounts:
                known += known_of_customer(
                    billing, customer_no=talk.customer_no, accounts=talk.accounts, keyring=sources.keyring
                )
            found[talk.id] = Redactor(known)
    return found


def _add_reason(item: LearningItem, why: Why) -> int:
    reasons = sorted({*item.reasons, *why.reasons})
    if reasons == item.reasons and why.suggested in (None, item.suggested):
        return 0
    item.reasons, item.suggested = reasons, why.suggested or item.suggested
    return 1


def _item(one: _Ready) -> LearningItem:
    message, why = one.message, one.why
    understood = message.understood or {}
    confidence = understood.get("confidence")
    return LearningItem(
        conversation_id=message.conversation_id, seq=message.seq, at=message.at, channel=message.channel,
        text=one.text, reasons=sorted(why.reasons), intent=str(understood.get("intent") or "")[:80] or None,
        confidence=float(confidence) if isinstance(confidence, int | float) else None,
        suggested=why.suggested, state=OPEN, harm=0, parts={},
    )  # fmt: skip


def _fitting(
    scrubber: Scrubber, redactor: Redactor, one: _Said, settings: LearningSettings, done: Collected
) -> str | None:
    if len(one.message.text) > settings.collect.longest:
        done.dropped["long"] += 1
        return None
    text = scrubber.text(one.message.text, redactor, asked=one.asked)
    if text is None:
        done.dropped["personal"] += 1
        return None
    if not says_something(text, settings.collect.shortest):
        done.dropped["empty"] += 1
        return None
    return text
