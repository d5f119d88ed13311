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
    """Keep the messages of some conversations: known values are read first, then one short transaction writes."""
    with sources.bridge.reading() as session:
        fresh = _unknown(session, some)
        talks = list(session.scalars(select(Conversation).where(Conversation.id.in_(sorted({k[0] for k in fresh})))))
    redactors = _redactors(sources, talks)
    with sources.bridge.transaction() as session:
        # Whoever erases a conversation locks it, so that nothing of it is kept after it is gone.
        locked = select(Conversation.id).where(Conversation.id.in_(sorted(some))).order_by(Conversation.id)
        there = set(session.scalars(locked.with_for_update(read=True)))
        known = _known_items(session, some)
        for talk, each in some.items():
            for seq, why in each.items():
                if (item := known.get((talk, seq))) is not None:
                    done.changed += _add_reason(item, why)
                elif talk in there and talk in redactors:
                    _keep_new(session, settings, scrubber, redactors[talk], (talk, seq), why, done)


def _unknown(session: Session, some: dict[str, dict[int, Why]]) -> set[Key]:
    known = _known_items(session, some)
    return {(talk, seq) for talk, each in some.items() for seq in each if (talk, seq) not in known}


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


def _keep_new(
    session: Session, settings: LearningSettings, scrubber: Scrubber, redactor: Redactor, key: Key, why: Why,
    done: Collected,
) -> None:  # fmt: skip
    message = session.get(Message, key)
    if message is None or message.author != "customer" or message.type != "text" or message.payload is not None:
        return  # a button, a photo, or erased meanwhile
    before = session.get(Message, (key[0], key[1] - 1))
    asked = before.text if before is not None and before.author != "customer" else ""
    text = _fitting(scrubber, redactor, message.text, asked, settings, done)
    if text is None:
        return
    understood = message.understood or {}
    confidence = understood.get("confidence")
    session.add(LearningItem(
        conversation_id=key[0], seq=key[1], at=message.at, channel=message.channel, text=text,
        reasons=sorted(why.reasons), intent=str(understood.get("intent") or "")[:80] or None,
        confidence=float(confidence) if isinstance(confidence, int | float) else None,
        suggested=why.suggested, state=OPEN, harm=0, parts={},
    ))  # fmt: skip
    done.new += 1


def _fitting(
    scrubber: Scrubber, redactor: Redactor, said: str, asked: str, settings: LearningSettings, done: Collected
) -> str | None:
    if len(said) > settings.collect.longest:
        done.dropped["long"] += 1
        return None
    text = scrubber.text(said, redactor, asked=asked)
    if text is None:
        done.dropped["personal"] += 1
        return None
    if not says_something(text, settings.collect.shortest):
        done.dropped["empty"] += 1
        return None
    return text
