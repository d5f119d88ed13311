"""The client of Rasa's `bridge` channel: the only file that knows Rasa's JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import httpx

from core.conversation import CONFIRM, Draft


class RasaFailed(Exception):
    """Rasa did not answer in time, refused, or had nothing to say: the turn failed."""


@dataclass(frozen=True)
class BotTurn:
    """What a turn brought: messages, what was understood, the reason for a person if one is wanted, and grants."""

    drafts: tuple[Draft, ...]
    understood: dict[str, Any] | None = None
    handoff: str | None = None
    grants: tuple[str, ...] = ()  # signed by the actions, see `core.identity.Grant`; never shown


class Rasa(Protocol):
    """What the dialogue needs of Rasa."""

    async def turn(self, *, sender: str, text: str, payload: bool, metadata: dict[str, Any], within: float) -> BotTurn:
        """Put one message (`payload`: a button's, else typed text) and return the answer.

        Raises:
            RasaFailed: if there is none `within` so many seconds.
        """

    async def forget(self, conversation_ids: Sequence[str]) -> None:
        """Erase the memory of all dialogues of these conversations; again it changes nothing.

        Raises:
            RasaFailed: if it cannot be done now.
        """

    async def health(self) -> dict[str, bool]:
        """Return which of `rasa`, `model` and `actions` can answer."""


class HttpRasa:
    """Rasa over HTTP, on loopback or a private network."""

    def __init__(self, url: str, token: str) -> None:
        self._client = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(5, connect=1),
            limits=httpx.Limits(max_connections=200, max_keepalive_connections=50),
            trust_env=False,
        )

    async def turn(self, *, sender: str, text: str, payload: bool, metadata: dict[str, Any], within: float) -> BotTurn:
        """See `Rasa.turn`."""
        body = {
            "sender": sender,
            "text": text,
            "kind": "payload" if payload else "typed",
            "metadata": metadata,
        }
        try:
            async with asyncio.timeout(within):
                answer = await self._client.post("/webhooks/bridge/turn", json=body, timeout=within)
            answer.raise_for_status()
            return _read(answer.json())
        except (TimeoutError, httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RasaFailed(type(error).__name__) from error

    async def forget(self, conversation_ids: Sequence[str]) -> None:
        """See `Rasa.forget`."""
        try:
            answer = await self._client.post("/webhooks/bridge/forget", json={"conversations": list(conversation_ids)})
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise RasaFailed(type(error).__name__) from error

    async def health(self) -> dict[str, bool]:
        """See `Rasa.health`."""
        try:
            answer = await self._client.get("/webhooks/bridge/health", timeout=2)
            answer.raise_for_status()
            state = answer.json()
            return {"rasa": True, "model": bool(state["model"]), "actions": bool(state["actions"])}
        except (httpx.HTTPError, ValueError, KeyError, TypeError):  # also what is no JSON, or none of ours
            return {"rasa": False, "model": False, "actions": False}

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _read(answer: dict[str, Any]) -> BotTurn:
    drafts: list[Draft] = []
    grants: list[str] = []
    handoff = None
    for message in answer["messages"]:
        custom = message.get("custom")
        if custom and custom.get("type") == "handoff":
            handoff = str(custom.get("reason") or "asked")
            continue
        if custom and custom.get("type") == "grant":
            grants.append(str(custom.get("token") or ""))
            continue
        if custom and custom.get("type") == "confirming" and drafts:
            drafts[-1] = replace(drafts[-1], type=CONFIRM)
            continue
        draft = _draft(message, custom)
        if draft.text.strip():
            drafts.append(draft)
    if not drafts and handoff is None:
        raise ValueError("a turn without an answer")
    understood = answer.get("understood")
    return BotTurn(tuple(drafts), understood if isinstance(understood, dict) else None, handoff, tuple(grants))


def _draft(message: dict[str, Any], custom: dict[str, Any] | None) -> Draft:
    shown = custom or message
    buttons = tuple((str(button["title"]), str(button["payload"])) for button in shown.get("buttons") or ())
    if custom:
        return Draft("bot", str(custom["text"]), str(custom["type"]), custom.get("card"), buttons)
    return Draft("bot", str(message["text"]), buttons=buttons)
