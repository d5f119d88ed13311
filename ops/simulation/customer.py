"""A customer as a program: a session, a socket that resumes, what was said and what was shown."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from ops.simulation.wire import Frame, GaveUp, Wire, until

Message = dict[str, Any]


class OutOfOrder(Exception):
    """The stream showed a message twice, or left one out."""


class Customer:
    """One conversation from the customer's side, with nothing but the published interface."""

    def __init__(self, url: str, *, token: str | None = None, patience: float = 60.0) -> None:
        self._wire, self._customer_token, self._patience = Wire(url, patience=patience), token, patience
        self.conversation_id, self.mode = "", "bot"
        self._headers: dict[str, str] = {}
        self.seen: list[Message] = []
        self.said: list[str] = []
        self._sent: dict[str, Any] = {}
        self.place: Frame | None = None
        self.faults: list[str] = []
        self._reading: asyncio.Task[None] | None = None

    @property
    def cuts(self) -> int:
        """How often the socket had to be opened anew."""
        return max(0, self._wire.opened - 1)

    async def open(self) -> None:
        """Open the session and the stream."""
        headers = {"Authorization": f"Bearer {self._customer_token}"} if self._customer_token else {}
        answer = await self._wire.call("POST", "/v1/sessions", json={"channel": "web"}, headers=headers)
        body = answer.raise_for_status().json()
        self.conversation_id, self._headers = body["conversation_id"], {"Authorization": f"Bearer {body['token']}"}
        self._reading = asyncio.create_task(
            self._wire.follow(self._stream, self._take, headers=lambda: self._headers)
        )  # fmt: skip

    async def say(self, text: str, *, twice: bool = False) -> list[Message]:
        """Say something and return the replies; `twice`: sent again with the same id, as after a lost answer."""
        self.said.append(text)
        replies = await self._post({"client_id": uuid.uuid4().hex, "text": text})
        return await self.say_again() if twice else replies

    async def say_again(self) -> list[Message]:
        """Send what was sent last once more, with the same id, and return the replies."""
        return await self._post(self._sent)

    async def press(self, title: str) -> list[Message]:
        """Press the last button with this title and return the replies.

        Raises:
            GaveUp: if there is none.
        """
        await until(lambda: self.button(title) is not None, within=self._patience, what=f"button {title}")
        self.said.append(title)
        return await self._post({"client_id": uuid.uuid4().hex, "button_id": self.button(title)})

    def button(self, title: str) -> str | None:
        """Return the id of the last button with this title that was shown."""
        shown = (one["id"] for row in reversed(self.seen) for one in row["buttons"] if one["title"] == title)
        return next(shown, None)

    def words(self, author: str | None = None) -> list[str]:
        """Return what was shown, in order."""
        return [row["text"] for row in self.seen if author in (None, row["author"])]

    async def queue(self) -> Frame:
        """Return how it stands in the queue."""
        answer = await self._wire.call("GET", "/v1/queue", headers=self._headers)
        body: Frame = answer.raise_for_status().json()
        return body

    async def history(self) -> list[Message]:
        """Return the whole log."""
        found: list[Message] = []
        while True:
            after = found[-1]["seq"] if found else 0
            answer = await self._wire.call("GET", "/v1/messages", params={"after": after}, headers=self._headers)
            rows = answer.raise_for_status().json()["messages"]
            if not rows:
                return found
            found += rows

    async def wait_for(self, *modes: str, within: float | None = None) -> str:
        """Wait until the stream has told one of these modes, and return it.

        Raises:
            GaveUp: if it does not in time.
        """
        await until(lambda: self.mode in modes, within=within or self._patience, what=f"{modes}, it is {self.mode}")
        return self.mode

    async def wait_for_words(self, part: str, *, within: float | None = None) -> None:
        """Wait until the stream has shown a message with these words; raises `GaveUp`."""
        await until(lambda: any(part in text for text in self.words()), within=within or self._patience, what=part)

    def cut(self) -> None:
        """Lose the connection."""
        self._wire.cut()

    async def catch_up(self) -> None:
        """Wait until the stream has shown all that the log has; raises `GaveUp`."""
        last = (await self.history())[-1]["seq"]
        await until(
            lambda: bool(self.seen) and self.seen[-1]["seq"] >= last, within=self._patience, what=f"message {last}"
        )  # fmt: skip

    async def close(self) -> None:
        """Go away."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        await self._wire.close()

    async def _post(self, body: dict[str, Any]) -> list[Message]:
        self._sent = body
        answer = await self._wire.call("POST", "/v1/messages", json=body, headers=self._headers)
        if not answer.is_success:
            raise GaveUp(f"{answer.status_code} {answer.text}")
        replies: list[Message] = answer.json()["messages"]
        return replies

    def _stream(self) -> str:
        return f"/v1/stream?after={self.seen[-1]['seq'] if self.seen else 0}"

    async def _take(self, frame: Frame) -> None:
        if frame["kind"] == "message":
            wanted = self.seen[-1]["seq"] + 1 if self.seen else 1
            if frame["message"]["seq"] != wanted:
                self.faults.append(f"the stream showed message {frame['message']['seq']} instead of {wanted}")
            self.seen.append(frame["message"])
        elif frame["kind"] == "mode":
            self.mode = frame["mode"]
        elif frame["kind"] == "queue":
            self.place = frame
