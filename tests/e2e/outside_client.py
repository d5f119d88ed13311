"""A client that knows the published interface alone: HTTP and the stream, nothing of how they are made."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

Message = dict[str, Any]


class Client:
    """One customer's conversation (or nobody's, without a token)."""

    def __init__(self, url: str, customer_token: str | None = None) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=30, trust_env=False)
        headers = {"Authorization": f"Bearer {customer_token}"} if customer_token else {}
        opened = self.http.post("/v1/sessions", json={"channel": "web"}, headers=headers)
        assert opened.status_code == 201, opened.text
        self.conversation_id: str = opened.json()["conversation_id"]
        self.token: str = opened.json()["token"]
        self.headers = {"Authorization": f"Bearer {self.token}"}
        self.mode = "bot"

    def post(self, **body: object) -> httpx.Response:
        """Send what may be refused."""
        return self.http.post("/v1/messages", json={"client_id": uuid.uuid4().hex, **body}, headers=self.headers)

    def _replies(self, response: httpx.Response) -> list[Message]:
        assert response.status_code == 200, response.text
        self.mode = response.json()["mode"]
        return list(response.json()["messages"])

    def ask(self, text: str, client_id: str | None = None) -> list[Message]:
        """Say something and return the replies."""
        return self._replies(self.post(text=text, client_id=client_id or uuid.uuid4().hex))

    def press(self, button_id: str) -> list[Message]:
        return self._replies(self.post(button_id=button_id))

    def history(self, after: int = 0) -> list[Message]:
        """The whole log after a sequence number, page by page."""
        found: list[Message] = []
        while True:
            answer = self.http.get("/v1/messages", params={"after": after}, headers=self.headers)
            assert answer.status_code == 200, answer.text
            if not answer.json()["messages"]:
                return found
            found += answer.json()["messages"]
            after = found[-1]["seq"]

    @contextmanager
    def stream(self, after: int = 0) -> Iterator[ClientConnection]:
        address = self.url.replace("http", "ws", 1) + f"/v1/stream?after={after}"
        with connect(address, additional_headers=self.headers, proxy=None) as socket:
            yield socket

    def close(self) -> None:
        self.http.close()


def next_message(socket: ClientConnection, timeout: float = 15) -> Message:
    """The next message frame of a stream; mode and typing frames are passed over."""
    while True:
        frame = json.loads(socket.recv(timeout=timeout))
        if frame["kind"] == "message":
            return dict(frame["message"])


def words_of(messages: list[Message]) -> str:
    return "\n".join(message["text"] for message in messages)


def cards_of(messages: list[Message], kind: str | None = None) -> list[Message]:
    return [one["card"] for one in messages if one.get("card") and kind in (None, one["type"])]


def buttons_of(messages: list[Message]) -> dict[str, str]:
    """Title -> id of all buttons shown."""
    return {button["title"]: button["id"] for message in messages for button in message["buttons"]}
