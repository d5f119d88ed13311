"""The JSON of the public interface."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from core.clock import SHANGHAI
from core.conversation import Message

MAX_TEXT = 20_000

ClientId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]
ButtonId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
UploadId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
After = Annotated[int, Query(ge=0, le=2**31 - 1, description="a sequence number")]  # what the column holds


class SessionRequest(BaseModel):
    """The opening of a conversation."""

    model_config = ConfigDict(extra="forbid")

    channel: Literal["web", "app"] = "web"


class SessionAnswer(BaseModel):
    """A conversation, new or gone on with: `token` goes with every further call, until `expires_at`.

    `large_type`: the page begins in large type, unless the customer has chosen otherwise there.
    """

    conversation_id: str
    token: str
    mode: str
    expires_at: datetime
    large_type: bool = False


class MessageRequest(BaseModel):
    """A customer's message, either typed, by a button or a photo; `client_id` makes sending it again harmless."""

    model_config = ConfigDict(extra="forbid")

    client_id: ClientId
    text: str | None = None
    button_id: ButtonId | None = None
    upload_id: UploadId | None = None


class UploadAnswer(BaseModel):
    """A photo that was taken in: send its id as a message, or it means nothing."""

    upload_id: str
    width: int
    height: int


class ButtonView(BaseModel):
    """A button under a message."""

    id: str
    title: str


class AgentView(BaseModel):
    """Who of the desk wrote a message, as customers are told."""

    name: str


class MessageView(BaseModel):
    """One message of the log."""

    seq: int
    author: Literal["customer", "bot", "agent", "system"]
    type: str
    text: str
    buttons: list[ButtonView] = []
    card: dict[str, Any] | None = None
    client_id: str | None = None
    agent: AgentView | None = None
    at: datetime
    channel: str = Field("web", description="over which it was written: web, app, h5 or wechat")

    @classmethod
    def of(cls, message: Message) -> MessageView:
        """Return what the customer may see of a row of the log."""
        own = message.author == "customer" and message.external_id
        client_id = message.external_id.partition(":")[2] if own and message.external_id else None
        return cls.model_validate(
            {
                "seq": message.seq, "author": message.author, "type": message.type, "text": message.text,
                "buttons": message.buttons or [], "card": message.card, "client_id": client_id,
                "agent": {"name": message.agent_name} if message.agent_name else None,
                "at": message.at.astimezone(SHANGHAI), "channel": message.channel or "web",
            }
        )  # fmt: skip


class Answer(BaseModel):
    """The replies to a message; `pending` tells that more will come over the stream or with the same `client_id`."""

    messages: list[MessageView]
    mode: str
    accepted_seq: int | None = Field(description="the sequence number of the customer's own message")
    pending: bool = False
    conversation_id: str = Field(
        "", description="where the message is; another one than that of the session, if joined"
    )


class History(BaseModel):
    """The log after a sequence number, at most 500 messages at a time.

    `conversation_id` is another one than that of the session once that was joined to the customer's conversation with
    WeChat: then the log is to be read anew from 0.
    """

    messages: list[MessageView]
    mode: str
    last_seq: int
    conversation_id: str


class Earlier(BaseModel):
    """One conversation of the same customer that was joined to the present one: its latest messages."""

    conversation_id: str
    joined_at: datetime
    messages: list[MessageView]


class EarlierAnswer(BaseModel):
    """What was said over the site and the app before, the newest conversation first."""

    conversations: list[Earlier]


class QueueAnswer(BaseModel):
    """How it stands for who waits; outside the queue `place` is None. `text` says the same in words."""

    mode: str
    place: int | None = None
    expected_wait_seconds: int | None = Field(None, description="none if nobody can know it")
    on_duty: bool = False
    text: str = ""
