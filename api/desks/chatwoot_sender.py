"""One step of one case, done in Chatwoot: what is written there, and under which mark."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy.orm import Session

from api.deps import Parts
from api.desk.labels import labels_of
from api.desk.options import DeskOptions, options_of
from api.desk.redaction import redactor_for
from api.desks.chatwoot_client import ChatwootClient, Contact
from api.desks.chatwoot_line import Progress, Step, Task, priority_of, wording_of
from api.desks.chatwoot_notes import Notes, attributes_of
from core.conversation import Conversation, Message, messages_after
from core.fields import UnreadableField
from core.handoff import speech
from core.handoff.summary import intents_of
from core.handoff.tables import Handoff
from core.upload import UploadNotFound, find_upload, read_upload
from core.working_time import Due

TALK = 300  # messages before the case that are looked at


class Sender:
    """Does steps; all it writes has gone through the redactor of the conversation."""

    def __init__(self, parts: Parts, client: ChatwootClient, notes: Notes) -> None:
        self._parts, self._client, self._notes = parts, client, notes

    async def perform(self, task: Task) -> dict[str, Any]:
        """Do one step and return what has changed of the progress.

        Raises:
            ChatwootAway, ChatwootRefused: as their names say.
        """
        step, progress = task.step, task.progress
        if step.kind == "contact":
            name = await self._name_of(step.conversation)
            contact = await self._client.contact(step.conversation.id, name, again=task.again)
            return {"contact": contact.id, "source_id": contact.source_id}
        if step.kind == "conversation":
            return {"remote": await self._open(task)}
        assert progress.remote is not None
        if step.kind == "priority":
            priority = priority_of(step.case)
            await self._client.prioritise(progress.remote, priority or "low")
            return {"priority": priority}
        if step.kind == "resolve":
            await self._client.resolve(progress.remote)  # again changes nothing; a late message may have opened it
            return {}
        return await self._write(task, progress.remote)

    async def _open(self, task: Task) -> int:
        step, progress = task.step, task.progress
        assert progress.contact is not None
        assert progress.source_id is not None
        intents = intents_of(await self._talk(progress), book=self._parts.book)
        return await self._client.conversation(
            Contact(progress.contact, progress.source_id), str(step.case.id),
            team=self._parts.settings.chatwoot_team_by_skill.get(step.case.skill),
            attributes=attributes_of(step.case, step.conversation, intents[-1] if intents else ""), again=task.again,
        )  # fmt: skip

    async def _write(self, task: Task, remote: int) -> dict[str, Any]:
        """Put a note or a message there."""
        step, progress = task.step, task.progress
        text, photo = await self._content(step, progress)
        customers = step.message is not None and step.message.author == "customer"
        made = await self._client.post(
            remote, mark_of(step), text, private=not customers, after=progress.last, again=task.again, photo=photo
        )
        changes: dict[str, Any] = {"last": made}
        if step.message is not None:
            return changes | {"seq": step.message.seq}
        return changes | ({"event": step.event.id} if step.event is not None else {"summarised": True})

    async def _content(self, step: Step, progress: Progress) -> tuple[str, bytes | None]:
        """Return text and photo of a note or a message."""
        redactor = await redactor_for(self._parts, step.conversation)
        if step.event is not None:
            return self._notes.events[wording_of(step.event) or ""].format(by=self._by(step.case)), None
        if step.message is None:
            talk = await self._talk(progress)
            return self._notes.opening(step.case, talk, options=self._options, redactor=redactor), None
        if step.message.author != "customer":
            return self._notes.aside(step.message, redactor), None
        if step.message.type != "image":
            return redactor.text(step.message.text), None
        photo = await asyncio.to_thread(self._photo, step.message)
        return (step.message.text if photo else self._notes.photo_gone), photo

    async def _talk(self, progress: Progress) -> list[Message]:
        """Return what was said before the case came to Chatwoot."""

        def read(session: Session) -> list[Message]:
            rows = messages_after(session, progress.conversation_id, max(0, progress.upto - TALK))
            return [row for row in rows if row.seq <= progress.upto]

        return await self._parts.store.read(read)

    async def _name_of(self, conversation: Conversation) -> str:
        """Return the masked name of a customer."""
        number = conversation.customer_no
        return (await labels_of(self._parts, [number]))[number] if number else self._options.visitor

    def _photo(self, message: Message) -> bytes | None:
        """Return a customer's photo, None if it is gone."""
        upload_id, settings = str((message.card or {}).get("upload_id", "")), self._parts.settings
        try:
            with self._parts.bridge.reading() as session:
                found = find_upload(session, upload_id, conversation_id=message.conversation_id)
            return read_upload(found, directory=settings.upload_dir, keyring=settings.keyring())
        except (UploadNotFound, UnreadableField):
            return None

    def _by(self, case: Handoff) -> str:
        now = self._parts.clock()
        return speech.by(Due(case.due_at or now, certain=True), book=self._parts.book, now=now)

    @property
    def _options(self) -> DeskOptions:
        return options_of(self._parts.settings.data_dir)


def mark_of(step: Step) -> str:
    """Return the mark under which a message of ours is found again, the same at every try."""
    if step.message is not None:
        return f"dianfu:{step.conversation.id}:{step.message.seq}"
    return f"dianfu:case:{step.case.id}:{step.event.id if step.event is not None else 0}"
