"""A Chatwoot to talk to: one account with one API inbox, behind real HTTP, that fails when it is told to.

It keeps contacts, conversations and messages as Chatwoot does (ids of its own, identifiers once, `source_id` kept, an
incoming message opens a resolved conversation again) and sends signed webhooks about all of it, its own echoes too.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import itertools
import json
import re
import uuid
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes
from email.policy import HTTP
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TOKEN, SECRET, ACCOUNT, INBOX = "chatwoot-access-token-24", "chatwoot-signs-with-this", 3, 5
INCOMING, OUTGOING = 0, 1
BASE = f"/api/v1/accounts/{ACCOUNT}"
Hook = Callable[[bytes, dict[str, str]], Awaitable[Any]]


@dataclass
class Fault:
    """What goes wrong with a request: before it is carried out (`status`), or only its answer (`lost`)."""

    status: int = 500
    lost: bool = False
    hang: float = 0


@dataclass
class FakeChatwoot:
    """The account; `deliver` takes the webhooks once the bridge is there."""

    clock: Callable[[], datetime]
    deliver: Hook | None = None
    url: str = ""
    members: list[dict[str, Any]] = field(default_factory=list)
    contacts: dict[int, dict[str, Any]] = field(default_factory=dict)
    conversations: dict[int, dict[str, Any]] = field(default_factory=dict)
    faults: deque[Fault] = field(default_factory=deque)
    fails_on: str = ""  # faults are for requests (`POST /contacts`) that this pattern fits
    down: bool = False
    webhooks_lost: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    files: list[bytes] = field(default_factory=list)  # what came as attachments
    answers: list[Any] = field(default_factory=list)  # of the bridge to webhooks
    queue: deque[dict[str, Any]] = field(default_factory=deque)
    ids: itertools.count[int] = field(default_factory=lambda: itertools.count(101))

    # -- what its people do

    def agent(self, name: str, *, online: bool = True) -> dict[str, Any]:
        """Add somebody to the inbox."""
        status = "online" if online else "offline"
        member = {"id": next(self.ids), "name": name, "type": "user", "availability_status": status}
        self.members.append(member)
        return member

    async def says(self, remote: int, text: str, member: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Let somebody write to the customer, or (`private`) to colleagues."""
        message = self._message(remote, {"content": text, "message_type": "outgoing", **more}, sender=member)
        await self.send_hooks()
        return message

    async def assign(self, remote: int, member: dict[str, Any] | None) -> None:
        """Let somebody have a conversation."""
        self.conversations[remote]["assignee"] = member
        self._changed(remote, "conversation_updated", assignee_id=member)
        await self.send_hooks()

    async def resolve(self, remote: int, *, only_updated: bool = False) -> None:
        """Let somebody mark a conversation as done; sometimes only the update is told (#9277)."""
        self._status(remote, "resolved", only_updated=only_updated)
        await self.send_hooks()

    def fail(self, pattern: str, fault: Fault, *, times: int = 1) -> None:
        """Let the next requests that the pattern fits (`POST /contacts`) fail."""
        self.fails_on = pattern
        self.faults.extend([fault] * times)

    def seen(self, remote: int, *, private: bool = False) -> list[str]:
        """Return what the customer said, or the notes, in order."""
        kind = OUTGOING if private else INCOMING
        return [
            one["content"] for one in self.conversations[remote]["messages"]
            if one["message_type"] == kind and one["private"] is private and (not private or _ours(one))
        ]  # fmt: skip

    def of(self, conversation_id: str) -> list[int]:
        """Return the conversations about one of the bridge's."""
        return [
            remote for remote, one in self.conversations.items()
            if self.contacts[one["contact_id"]]["identifier"] == conversation_id
        ]  # fmt: skip

    # -- webhooks

    async def send_hooks(self) -> None:
        """Send what has happened since, in order; a delivery that fails is not tried again."""
        while self.queue:
            event = self.queue.popleft()
            if not self.webhooks_lost and self.deliver is not None:
                body = json.dumps(event, ensure_ascii=False).encode()
                self.answers.append(await self.deliver(body, signed(body, at=self.clock())))

    def _changed(self, remote: int, event: str, **changes: Any) -> None:
        attributes = [{name: {"current_value": value}} for name, value in changes.items()]
        self.queue.append(self._shown(remote) | {"event": event, "changed_attributes": attributes})

    def _status(self, remote: int, status: str, *, only_updated: bool = False) -> None:
        if self.conversations[remote]["status"] == status:
            return
        self.conversations[remote]["status"] = status
        if not only_updated:
            self._changed(remote, "conversation_status_changed", status=status)
        self._changed(remote, "conversation_updated", status=status)

    # -- the interface

    async def answer(self, request: Request) -> Response:
        """Answer one request, or fail as the test wants it."""
        path = request.url.path.removeprefix(BASE)
        if self.down:
            raise HTTPException(502)
        if request.headers.get("api_access_token") != TOKEN:
            return JSONResponse({"error": "Invalid Access Token"}, 401)
        if not request.url.path.startswith(BASE):
            return JSONResponse({"error": "not found"}, 404)
        self.asked.append((request.method, path))
        hit = self.faults and re.search(self.fails_on, f"{request.method} {path}")
        fault = self.faults.popleft() if hit else None
        if fault and not fault.lost:
            await asyncio.sleep(fault.hang)
            return JSONResponse({"error": "as wanted"}, fault.status)
        answer = await self._route(request, path.strip("/").split("/"))
        if fault:
            return Response("<html>Bad Gateway</html>", 502)  # done, and nobody is told
        return answer

    async def _route(self, request: Request, parts: list[str]) -> Response:
        with contextlib.suppress(ClientDisconnect):
            self.bodies.append((await request.body()).decode("utf-8", "replace"))
        match request.method, parts:
            case "GET", ["inbox_members", str(inbox)] if int(inbox) == INBOX:
                return JSONResponse({"payload": self.members})
            case "POST", ["contacts"]:
                return self._new_contact(await request.json())
            case "GET", ["contacts", "search"]:
                wanted = request.query_params["q"]
                found = [one for one in self.contacts.values() if wanted in (one["identifier"], one["name"])]
                return JSONResponse({"meta": {"count": len(found)}, "payload": found})
            case "GET", ["contacts", number, "conversations"]:
                found = [
                    self._shown(one["id"]) for one in self.conversations.values() if one["contact_id"] == int(number)
                ]
                return JSONResponse({"payload": found})
            case "POST", ["conversations"]:
                return self._new_conversation(await request.json())
            case method, ["conversations", number, *rest] if int(number) in self.conversations:
                return await self._conversation(request, method, int(number), rest)
        return JSONResponse({"error": "Resource could not be found"}, 404)

    async def _conversation(self, request: Request, method: str, remote: int, rest: list[str]) -> Response:
        match method, rest:
            case "GET", []:
                return JSONResponse(self._shown(remote))
            case "GET", ["messages"]:
                after = int(request.query_params.get("after", 0))
                found = [one for one in self.conversations[remote]["messages"] if one["id"] > after]
                return JSONResponse({"meta": {}, "payload": found[:100]})
            case "POST", ["messages"]:
                return JSONResponse(self._message(remote, await _body(request)))
            case "POST", ["toggle_status"]:
                self._status(remote, (await request.json())["status"])
                return JSONResponse({"payload": {"success": True}})
            case "POST", ["toggle_priority"]:
                self.conversations[remote]["priority"] = (await request.json())["priority"]
                return Response()
        return JSONResponse({"error": "Resource could not be found"}, 404)

    def _new_contact(self, given: dict[str, Any]) -> Response:
        if any(one["identifier"] == given["identifier"] for one in self.contacts.values()):
            return JSONResponse({"message": "Identifier has already been taken", "attributes": ["identifier"]}, 422)
        inbox = {"inbox": {"id": given["inbox_id"]}, "source_id": str(uuid.uuid4())}
        contact = {
            "id": next(self.ids), "name": given["name"], "identifier": given["identifier"], "contact_inboxes": [inbox],
        }  # fmt: skip
        self.contacts[contact["id"]] = contact
        return JSONResponse({"payload": {"contact": contact, "contact_inbox": inbox}})

    def _new_conversation(self, given: dict[str, Any]) -> Response:
        contact = self.contacts[given["contact_id"]]
        if given["source_id"] != contact["contact_inboxes"][0]["source_id"] or given["inbox_id"] != INBOX:
            return JSONResponse({"error": "Resource could not be found"}, 404)
        remote = next(self.ids)
        self.conversations[remote] = {
            "id": remote, "contact_id": contact["id"], "status": given["status"], "assignee": None, "messages": [],
            "team_id": given.get("team_id"), "custom_attributes": given["custom_attributes"], "priority": None,
        }  # fmt: skip
        self._changed(remote, "conversation_created")
        return JSONResponse(self._shown(remote))

    def _message(self, remote: int, given: dict[str, Any], sender: dict[str, Any] | None = None) -> dict[str, Any]:
        incoming, conversation = given["message_type"] == "incoming", self.conversations[remote]
        if incoming:
            self._status(remote, "open")
        contact = {"id": conversation["contact_id"], "name": "", "type": "contact"}
        message = {
            "id": next(self.ids), "content": given["content"], "private": bool(given.get("private", False)),
            "message_type": INCOMING if incoming else OUTGOING, "content_type": "text",
            "content_attributes": given.get("content_attributes", {}), "source_id": given.get("source_id"),
            # What comes by the interface is said by the user of the token, as everything else that users say.
            "sender": sender or (contact if incoming else {"id": 1, "name": "接口", "type": "user"}),
            "attachments": [{"file_type": one["file_type"]} for one in given.get("attachments", [])],
            "conversation_id": remote,
        }  # fmt: skip
        self.files += [one["content"] for one in given.get("attachments", []) if "content" in one]
        conversation["messages"].append(message)
        self.queue.append(message | {
            "event": "message_created", "message_type": given["message_type"], "conversation": self._shown(remote),
            "account": {"id": ACCOUNT, "name": "供电"}, "inbox": {"id": INBOX, "name": "电小服"},
        })  # fmt: skip
        return message

    def _shown(self, remote: int) -> dict[str, Any]:
        one = self.conversations[remote]
        contact = self.contacts[one["contact_id"]]
        return {
            "id": remote, "status": one["status"], "inbox_id": INBOX, "custom_attributes": one["custom_attributes"],
            "meta": {"sender": {"id": contact["id"], "name": contact["name"]}, "assignee": one["assignee"]},
            "contact_inbox": {"source_id": contact["contact_inboxes"][0]["source_id"]}, "priority": one["priority"],
        }  # fmt: skip


def signed(body: bytes, *, at: datetime, secret: str = SECRET, delivery: str | None = None) -> dict[str, str]:
    """Return the headers with which Chatwoot delivers a body."""
    timestamp = str(int(at.timestamp()))
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json", "X-Chatwoot-Timestamp": timestamp,
        "X-Chatwoot-Signature": f"sha256={digest}", "X-Chatwoot-Delivery": delivery or str(uuid.uuid4()),
    }  # fmt: skip


def chosen(fake: FakeChatwoot) -> dict[str, Any]:
    """Return the settings of a bridge whose desk is this Chatwoot."""
    return {
        "desk": "chatwoot", "chatwoot_url": fake.url, "chatwoot_token": TOKEN, "chatwoot_webhook_secret": SECRET,
        "chatwoot_account": ACCOUNT, "chatwoot_inbox": INBOX, "chatwoot_team_by_skill": {"repair": 21},
    }  # fmt: skip


@asynccontextmanager
async def speaking(clock: Callable[[], datetime]) -> AsyncIterator[FakeChatwoot]:
    """Serve a Chatwoot."""
    fake = FakeChatwoot(clock)
    app = Starlette(routes=[Route("/{path:path}", fake.answer, methods=["GET", "POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    fake.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield fake
    finally:
        server.should_exit = server.force_exit = True
        await serving


async def _body(request: Request) -> dict[str, Any]:
    """Return JSON, or the fields of a form with files as Chatwoot takes them."""
    if request.headers["content-type"].startswith("application/json"):
        given: dict[str, Any] = await request.json()
        return given
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    fields: dict[str, Any] = {"attachments": []}
    for part in message_from_bytes(head + await request.body(), policy=HTTP).iter_parts():
        name = part.get_param("name", header="content-disposition")
        if name == "attachments[]":
            fields["attachments"].append({"file_type": part.get_content_maintype(), "content": part.get_content()})
        else:
            fields[str(name)] = part.get_payload(decode=True).decode().strip()  # a form's fields are UTF-8
    return fields | {"private": fields.get("private") == "true"}


def _ours(message: dict[str, Any]) -> bool:
    return str(message["source_id"] or "").startswith("dianfu:")
