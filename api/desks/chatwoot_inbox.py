"""What comes from Chatwoot: by webhook at once, and by asking where a webhook was lost. Both end in the same steps."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.orm import Session

from api.deps import Parts
from api.desks import chatwoot_line as lines
from api.desks.base import DeskInbound
from api.desks.chatwoot_client import ChatwootAway, ChatwootClient, ChatwootRefused
from api.desks.chatwoot_line import Progress
from api.desks.chatwoot_notes import Notes

log = structlog.get_logger("api.chatwoot")
AT_ONCE = 8
OUTGOING, RESOLVED, USER = ("outgoing", 1), "resolved", "user"
MAX_TEXT = 20_000  # characters, as of a customer's message


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Person(_Lenient):
    """Who wrote a message, or has a conversation."""

    id: int | None = None
    name: str = ""
    type: str = ""


class RemoteMessage(_Lenient):
    """A message as webhooks and lists show it."""

    id: int
    content: str | None = None
    message_type: str | int
    private: bool = False
    source_id: str | None = None
    sender: Person | None = None
    attachments: list[Mapping[str, Any]] = Field(default_factory=list)

    @property
    def by_agent(self) -> bool:
        """Tell whether it is what an agent says to the customer: no note, no echo of ours, nothing automatic."""
        ours = (self.source_id or "").startswith("dianfu:")
        person = self.sender is not None and self.sender.type.lower() == USER
        return self.message_type in OUTGOING and not self.private and not ours and person


class Inbox:
    """Takes in messages and changes; everything may come twice, late, or after the end."""

    def __init__(self, parts: Parts, inbound: DeskInbound, client: ChatwootClient, notes: Notes) -> None:
        self._parts, self._inbound, self._client, self._notes = parts, inbound, client, notes

    async def said(self, remote: int, message: RemoteMessage) -> bool:
        """Take in what an agent wrote; false if it is not for the customer, or the case is over."""
        handoff_id = await self._case_of(remote)
        if handoff_id is None or not message.by_agent or message.sender is None:
            return False
        parts = [(message.content or "").strip()[:MAX_TEXT], self._notes.attachment if message.attachments else ""]
        text = "\n".join(part for part in parts if part)
        if not text:
            return False
        logged = await self._inbound.agent_said(handoff_id, f"cw:{message.id}", message.sender.name, text)
        return logged is not None

    async def changed(self, remote: int, status: str, assignee: str | None) -> bool:
        """Take in how a conversation stands; false if nothing follows from it."""
        handoff_id = await self._case_of(remote)
        if handoff_id is None:
            return False
        if status == RESOLVED:
            return await self._inbound.ended(handoff_id, unanswered=self._notes.resolved_unanswered)
        return assignee is not None and await self._inbound.taken(handoff_id, assignee)

    async def fetch(self) -> int:
        """Ask for the messages and the state of all open cases; return how much was new.

        Raises:
            ChatwootAway: if it cannot be had.
        """
        known = await self._parts.store.read(_open_remotes)
        gate, away = asyncio.Semaphore(AT_ONCE), list[ChatwootAway]()

        async def one(progress: Progress) -> int:
            async with gate:
                try:
                    return 0 if away else await self._fetch_one(progress, progress.remote or 0)
                except ChatwootAway as error:
                    away.append(error)  # the others need not find out for themselves
                    return 0

        new = sum(await asyncio.gather(*(one(progress) for progress in known)))
        if away:
            raise away[0]
        return new

    async def _fetch_one(self, progress: Progress, remote: int) -> int:
        try:
            found = await self._client.messages(remote, progress.seen)
            state = await self._client.state(remote)
        except ChatwootRefused as error:
            log.error("chatwoot_refused", handoff=progress.handoff_id, step="fetch", status=error.status)
            return 0
        new = 0
        for one in found:
            try:
                new += await self.said(remote, RemoteMessage.model_validate(one))
            except ValidationError:
                log.error("chatwoot_unreadable", handoff=progress.handoff_id, message=one.get("id"))
        if found:
            seen = int(found[-1]["id"])
            await self._parts.store.write(lambda session: lines.mark(session, progress.handoff_id, seen=seen))
        return new + await self.changed(remote, state.status, state.assignee)

    async def _case_of(self, remote: int) -> int | None:
        return await self._parts.store.read(lambda session: lines.handoff_of(session, remote))


def _open_remotes(session: Session) -> list[Progress]:
    return [progress for progress, _ in lines.open_lines(session) if progress.remote is not None]
