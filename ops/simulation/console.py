"""An agent's console as a program: a session of the desk, a socket that resumes, what was said and what was shown."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import httpx

from ops.simulation.staff import PASSWORD
from ops.simulation.wire import Frame, GaveUp, Wire, until

Message = dict[str, Any]
PING_SECONDS = 5.0
COOKIE = "dianfu_desk"


class Console:
    """One agent at the desk; `offered` is called with each case that is offered to him, once an offer."""

    def __init__(
        self, url: str, login: str, *, offered: Callable[[Frame], None] | None = None, patience: float = 60.0
    ) -> None:
        self._wire, self.login, self._offered, self._patience = Wire(url, patience=patience), login, offered, patience
        self.agent_id, self._csrf, self.seq = 0, "", 0
        self.shown: dict[str, list[Message]] = {}  # by conversation that was opened
        self.said: dict[str, list[str]] = {}
        self.modes: dict[str, str] = {}  # the last that a frame told of a conversation
        self.events: list[Frame] = []
        self.faults: list[str] = []
        self.viewing: str | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def cuts(self) -> int:
        """How often the socket had to be opened anew."""
        return max(0, self._wire.opened - 1)

    async def sign_in(self) -> None:
        """Open a session of the desk."""
        body = {"login": self.login, "password": PASSWORD}
        answer = (await self._wire.call("POST", "/v1/desk/login", json=body)).raise_for_status().json()
        self.agent_id, self._csrf = answer["agent"]["id"], answer["csrf_token"]

    async def come(self) -> None:
        """Be online, look at the inbox and open the socket behind it."""
        await self.good("POST", "/me/status", status="online")
        inbox = await self.inbox()
        self.seq = inbox["seq"]
        for case in inbox["offers"]:
            self._offer(case)
        self._tasks = [
            asyncio.create_task(
                self._wire.follow(self._stream, self._take, headers=self._cookie, hello=self._look)
            ),
            asyncio.create_task(self._ping()),
        ]  # fmt: skip

    async def inbox(self) -> Frame:
        """Return all lists."""
        body: Frame = (await self.good("GET", "/inbox")).json()
        return body

    async def post(self, path: str, **body: Any) -> httpx.Response:
        """Make a call that changes something and may be refused."""
        return await self._call("POST", path, body)

    async def good(self, method: str, path: str, **body: Any) -> httpx.Response:
        """Make a call that must not be refused.

        Raises:
            GaveUp: if it is.
        """
        answer = await self._call(method, path, body)
        if not answer.is_success:
            raise GaveUp(f"{self.login}: {method} {path}: {answer.status_code} {answer.text}")
        return answer

    async def open(self, conversation_id: str) -> Frame:
        """Open a conversation and go on with it over the socket."""
        detail: Frame = (await self.good("GET", f"/conversations/{conversation_id}")).json()
        self.shown[conversation_id] = list(detail["messages"])
        self.viewing = conversation_id
        await self._look()
        return detail

    async def say(self, conversation_id: str, text: str, *, twice: bool = False) -> Message:
        """Say something to the customer; `twice`: sent again with the same id."""
        self.said.setdefault(conversation_id, []).append(text)
        body, path = {"client_id": uuid.uuid4().hex, "text": text}, f"/conversations/{conversation_id}/messages"
        for _ in range(2 if twice else 1):
            answer = await self.good("POST", path, **body)
        message: Message = answer.json()["message"]
        return message

    async def end(self, conversation_id: str, *, then: str = "bot") -> None:
        """Write the case up; a call that is made again after it succeeded finds no case of his any more."""
        body = {"outcome": "solved", "then": then, "note": {"done": ["说明了情况"]}}
        answer = await self.post(f"/conversations/{conversation_id}/wrap_up", **body)
        if answer.status_code not in (204, 403, 409):
            raise GaveUp(f"{self.login}: wrap-up: {answer.status_code} {answer.text}")
        if self.viewing == conversation_id:
            self.viewing = None

    async def catch_up(self, conversation_id: str, seq: int) -> None:
        """Wait until a message of an open conversation was shown; raises `GaveUp`."""
        shown = self.shown[conversation_id]
        await until(
            lambda: bool(shown) and shown[-1]["seq"] >= seq, within=self._patience, what=f"{self.login}: message {seq}"
        )  # fmt: skip

    def cut(self) -> None:
        """Lose the connection."""
        self._wire.cut()

    async def close(self) -> None:
        """Close the console without a word: the agent is still online for who looks at his status."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._wire.close()

    async def _call(self, method: str, path: str, body: dict[str, Any]) -> httpx.Response:
        more = {"json": body} if method != "GET" else {}
        return await self._wire.call(method, f"/v1/desk{path}", headers={"X-CSRF-Token": self._csrf}, **more)

    def _cookie(self) -> dict[str, str]:
        return {"Cookie": f"{COOKIE}={self._wire.http.cookies[COOKIE]}"}

    def _stream(self) -> str:
        return f"/v1/desk/stream?after={self.seq}"

    async def _look(self) -> None:
        """Tell the socket what is open here and up to where it is known."""
        if self.viewing is not None:
            shown = self.shown[self.viewing]
            after = shown[-1]["seq"] if shown else 0
            await self._wire.send({"kind": "view", "conversation_id": self.viewing, "after": after})

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(PING_SECONDS)
            await self._wire.send({"kind": "ping"})

    async def _take(self, frame: Frame) -> None:
        if frame["kind"] == "pong":
            self.seq = max(self.seq, frame["seq"])
        if frame["kind"] != "event":
            return
        event, self.seq = frame["event"], max(self.seq, frame["seq"])
        self.events.append(event)
        if event["kind"] == "message":
            self._show(event)
        elif event["kind"] == "case" and event["case"] is not None:
            self.modes[event["conversation_id"]] = event["case"]["mode"]
            if event["list"] == "offers":
                self._offer(event["case"])

    def _show(self, event: Frame) -> None:
        """Append what is new; the same again is passed over (it was asked for while it came), a gap is a fault."""
        shown = self.shown.get(event["conversation_id"])
        if shown is None:
            return
        for message in event["messages"]:
            last = shown[-1]["seq"] if shown else 0
            if message["seq"] > last + 1:
                self.faults.append(f"{self.login} was shown message {message['seq']} after {last}")
            if message["seq"] > last:
                shown.append(message)

    def _offer(self, case: Frame) -> None:
        if self._offered is not None and case["offered_to"] in (None, self.agent_id):
            self._offered(case)
