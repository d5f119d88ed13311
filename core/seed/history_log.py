"""One conversation of the past as it is put together: the log, its handoff with all events, survey, notes, checks.

Nothing is in a database yet. Every row is as the bridge would have written it; what it says comes from the data files.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from core.conversation import PRIORITY_NORMAL

_NAMES = uuid.UUID("6f0f1a3e-2f0b-5c52-9d0c-5b1f0c7a4d11")  # of the ids: the same talk has the same one
MARK = "history:"  # before what the channel calls a message: of the demonstration's past
Row = dict[str, Any]


class TalkLog:
    """The messages of one conversation, in order; `now` only moves forward."""

    def __init__(self, key: str, *, channel: str, customer_no: str | None, accounts: list[str], at: datetime) -> None:
        self.id, self.channel, self.customer_no, self.accounts = name_of(key), channel, customer_no, accounts
        self.began = self.now = self.last_at = self.mode_since = at
        self.mode, self.dialogue = "bot", 1
        self.note: Row | None = None
        self.messages: list[Row] = []

    def passes(self, seconds: float) -> datetime:
        """Let some time go by."""
        self.now += timedelta(seconds=seconds)
        return self.now

    def turns(self, mode: str) -> None:
        """Change who answers."""
        self.mode, self.mode_since = mode, self.now

    def customer(self, text: str, understood: Mapping[str, Any] | None = None, payload: str | None = None) -> int:
        """Append what the customer says; return its number."""
        more = {"understood": dict(understood) if understood else None, "payload": payload, "turn": "done"}
        return self._add("customer", "text", text, external_id=f"{MARK}{self.id}:{len(self.messages) + 1}", **more)

    def bot(self, text: str) -> int:
        """Append an answer to what was said last."""
        return self._add("bot", "text", text, in_reply_to=self._question())

    def system(self, text: str, kind: str = "notice", *, answers: bool = False, wakes: bool = True) -> int:
        """Append a line of the bridge's own; `wakes`: it counts as the last word."""
        before = self.last_at
        seq = self._add("system", kind, text, in_reply_to=self._question() if answers else None)
        self.last_at = self.last_at if wakes else before
        return seq

    def agent(self, text: str, agent_id: int, name: str) -> int:
        """Append what an agent says."""
        external_id = f"desk:{self.id}:{agent_id}:h{len(self.messages) + 1}"
        return self._add("agent", "text", text, agent_id=agent_id, agent_name=name, external_id=external_id)

    @property
    def wanted(self) -> list[str]:
        """What was understood so far, the latest last."""
        return [one["understood"]["intent"] for one in self.messages if one["understood"]]

    def row(self) -> Row:
        """Return the row of the conversation."""
        return {
            "id": self.id, "channel": self.channel, "customer_no": self.customer_no, "accounts": self.accounts,
            "assurance": 1 if self.accounts else 0, "assured": [], "assured_until": None, "mode": self.mode,
            "mode_since": self.mode_since, "mode_reason": None, "priority": PRIORITY_NORMAL,
            "dialogue": self.dialogue, "next_seq": len(self.messages) + 1, "created_at": self.began,
            "last_at": self.last_at, "note": self.note, "channel_user_id": None, "joined_to": None, "joined_at": None,
        }  # fmt: skip

    def _question(self) -> int | None:
        return next((one["seq"] for one in reversed(self.messages) if one["author"] == "customer"), None)

    def _add(self, author: str, kind: str, text: str, **more: Any) -> int:
        seq = len(self.messages) + 1
        self.messages.append({
            "conversation_id": self.id, "seq": seq, "at": self.now, "author": author, "type": kind, "text": text,
            "card": None, "buttons": [], "channel": self.channel, "external_id": None, "payload": None,
            "in_reply_to": None, "understood": None, "turn": None, "agent_id": None, "agent_name": None, **more,
        })  # fmt: skip
        self.last_at = self.now
        return seq


@dataclass
class CaseLog:
    """One handoff and the log of what happened to it."""

    row: Row
    events: list[Row] = field(default_factory=list)
    survey: Row | None = None
    score: Row | None = None
    notes: list[Row] = field(default_factory=list)
    contacts: list[tuple[datetime, datetime, datetime]] = field(default_factory=list)  # due, told, kept

    def happened(self, kind: str, at: datetime, agent_id: int | None = None, **data: Any) -> None:
        """Append an event; what has happened later already stays behind it."""
        event = {
            "handoff_id": self.row["id"], "conversation_id": self.row["conversation_id"], "at": at, "kind": kind,
            "agent_id": agent_id, "data": data,
        }  # fmt: skip
        place = next((n for n, one in enumerate(self.events) if one["at"] > at), len(self.events))
        self.events.insert(place, event)

    @property
    def kinds(self) -> list[str]:
        """What happened, in order."""
        return [event["kind"] for event in self.events]


def name_of(key: str) -> str:
    """Return the id of a conversation of the history."""
    return str(uuid.uuid5(_NAMES, f"history:{key}"))
