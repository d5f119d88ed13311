"""Chatwoot's HTTP interface, as far as a desk behind an API inbox needs it.

Every request may have been carried out although its answer was lost. So each thing that is made carries a mark of ours
(contact: `identifier`, conversation: custom attribute, message: `source_id`) by which it is found again, and a second
try looks before it makes anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

from api.settings import ApiSettings

TIMEOUT = httpx.Timeout(5, connect=2)
CASE, MARK = "dianfu_case", "dianfu_id"  # custom attribute of a conversation, content attribute of a message
PAGES = 20  # of 100 messages each: longer is no talk


class ChatwootAway(Exception):
    """Chatwoot does not answer, or not as it should; worth trying again."""


class ChatwootRefused(Exception):
    """Chatwoot took the request and will have none of it; the same again would be refused again."""

    def __init__(self, status: int) -> None:
        super().__init__(f"refused with {status}")
        self.status = status


@dataclass(frozen=True)
class Contact:
    """A customer there: `source_id` is the contact's in our inbox."""

    id: int
    source_id: str


@dataclass(frozen=True)
class Remote:
    """How a conversation stands there."""

    status: str
    assignee: str | None


class ChatwootClient:
    """One account and one API inbox of a Chatwoot; bound to the event loop of its first request."""

    def __init__(self, settings: ApiSettings) -> None:
        self._base = f"{settings.chatwoot_url.rstrip('/')}/api/v1/accounts/{settings.chatwoot_account}"
        self._inbox = settings.chatwoot_inbox
        self._headers = {"api_access_token": settings.chatwoot_token.get_secret_value()}
        self._http: httpx.AsyncClient | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def contact(self, identifier: str, name: str, *, again: bool) -> Contact:
        """Return the contact of this identifier, made if there is none."""
        found = await self._known_contact(identifier) if again else None
        if found is None:
            body = {"inbox_id": self._inbox, "name": name, "identifier": identifier}
            try:
                made = (await self._ask("POST", "/contacts", json=body))["payload"]
                found = made.get("contact", made) | {"contact_inbox": made.get("contact_inbox")}
            except ChatwootRefused as error:
                if error.status != HTTPStatus.UNPROCESSABLE_ENTITY:
                    raise
                found = await self._known_contact(identifier)  # the identifier is taken: of an earlier case
                if found is None:
                    raise
        source_id = self._source_of(found) or await self._join(found["id"])
        return Contact(found["id"], source_id)

    async def conversation(
        self, contact: Contact, case: str, *, team: int | None, attributes: Mapping[str, Any], again: bool
    ) -> int:  # fmt: skip
        """Return the conversation of a case, made if there is none."""
        if again:
            known = (await self._ask("GET", f"/contacts/{contact.id}/conversations"))["payload"]
            for one in known:
                if str((one.get("custom_attributes") or {}).get(CASE)) == case:
                    return int(one["id"])
        body = {
            "source_id": contact.source_id, "inbox_id": self._inbox, "contact_id": contact.id, "status": "open",
            "custom_attributes": {**attributes, CASE: case}, "additional_attributes": {},
        } | ({"team_id": team} if team is not None else {})  # fmt: skip
        return int((await self._ask("POST", "/conversations", json=body))["id"])

    async def post(
        self, remote: int, mark: str, content: str, *, private: bool, after: int, again: bool,
        photo: bytes | None = None,
    ) -> int:  # fmt: skip
        """Put a message of the customer, or a private note, into a conversation and return its id there.

        `after`: an id of a message before it, so that a second try need not read everything.
        """
        if again:
            known = next((one["id"] for one in await self.messages(remote, after) if _mark_of(one) == mark), None)
            if known is not None:
                return int(known)
        kind = "outgoing" if private else "incoming"
        path = f"/conversations/{remote}/messages"
        if photo is not None:
            fields = {"content": content, "message_type": kind, "private": "false", "source_id": mark, "echo_id": mark}
            files = {"attachments[]": ("photo.jpg", photo, "image/jpeg")}
            return int((await self._ask("POST", path, data=fields, files=files))["id"])
        body = {
            "content": content, "message_type": kind, "private": private, "content_type": "text",
            "content_attributes": {MARK: mark}, "source_id": mark, "echo_id": mark,
        }  # fmt: skip
        return int((await self._ask("POST", path, json=body))["id"])

    async def messages(self, remote: int, after: int) -> list[dict[str, Any]]:
        """Return the messages of a conversation with an id above `after`, in order."""
        found: list[dict[str, Any]] = []
        for _ in range(PAGES):
            answer = await self._ask("GET", f"/conversations/{remote}/messages", params={"after": str(after)})
            page = [one for one in answer["payload"] if one["id"] > after]
            if not page:
                break
            found += page
            after = max(one["id"] for one in page)
        return sorted(found, key=lambda one: int(one["id"]))

    async def state(self, remote: int) -> Remote:
        """Return how a conversation stands."""
        answer = await self._ask("GET", f"/conversations/{remote}")
        assignee = (answer.get("meta") or {}).get("assignee") or {}
        return Remote(str(answer["status"]), assignee.get("name"))

    async def online(self) -> list[int]:
        """Return the ids of the people of our inbox who are there and take conversations."""
        found = (await self._ask("GET", f"/inbox_members/{self._inbox}"))["payload"]
        return sorted(int(one["id"]) for one in found if one.get("availability_status") == "online")

    async def resolve(self, remote: int) -> None:
        """Mark a conversation as done."""
        await self._ask("POST", f"/conversations/{remote}/toggle_status", json={"status": "resolved"})

    async def prioritise(self, remote: int, priority: str) -> None:
        """Set the priority of a conversation: urgent, high, medium or low."""
        await self._ask("POST", f"/conversations/{remote}/toggle_priority", json={"priority": priority})

    async def _known_contact(self, identifier: str) -> dict[str, Any] | None:
        found = (await self._ask("GET", "/contacts/search", params={"q": identifier}))["payload"]
        known: dict[str, Any] | None = next((one for one in found if one.get("identifier") == identifier), None)
        return known

    def _source_of(self, contact: Mapping[str, Any]) -> str | None:
        """Return the contact's id in our inbox; where it stands differs from version to version."""
        places = [contact.get("contact_inbox") or {}, *(contact.get("contact_inboxes") or [])]
        for place in places:
            inbox = (place.get("inbox") or {}).get("id", place.get("inbox_id"))
            if place.get("source_id") and inbox in (None, self._inbox):
                return str(place["source_id"])
        return None

    async def _join(self, contact_id: int) -> str:
        """Let a contact that was made elsewhere be one of our inbox too."""
        answer = await self._ask("POST", f"/contacts/{contact_id}/contact_inboxes", json={"inbox_id": self._inbox})
        return str(answer["source_id"])

    async def _ask(self, method: str, path: str, **more: Any) -> Any:
        if self._http is None:
            self._http = httpx.AsyncClient(timeout=TIMEOUT, trust_env=False, headers=self._headers)
        try:
            answer = await self._http.request(method, self._base + path, **more)
            if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS):
                raise ChatwootAway(f"{answer.status_code}")  # a wrong token is mended by people, and then it works
            if 400 <= answer.status_code < 500:
                raise ChatwootRefused(answer.status_code)
            answer.raise_for_status()
            return _Answer(answer.json() if answer.content.strip() else {})
        except (httpx.HTTPError, ValueError) as error:
            raise ChatwootAway(type(error).__name__) from None  # the error itself may name what was sent


class _Answer(dict[str, Any]):
    """An answer of Chatwoot; what it should hold and does not is Chatwoot's failure."""

    def __missing__(self, key: str) -> Any:
        raise ChatwootAway(f"an answer without {key}")


def _mark_of(message: Mapping[str, Any]) -> str | None:
    """Return the mark under which we sent a message; older versions keep no `source_id` that they are given."""
    mark = message.get("source_id") or (message.get("content_attributes") or {}).get(MARK)
    return str(mark) if mark else None
