"""What a channel hands to the dialogue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.channel.arrival import Around
from core.channel.tables import ChannelUser
from core.conversation import Conversation, Draft
from core.identity import Seat

Check = Callable[[Conversation, ChannelUser | None, Around], None]


@dataclass(frozen=True)
class Inbound:
    """What a channel received: `external_id` is unique in the channel; text, a pressed button's or a photo's id.

    With a photo, `text` is what stands in its place where it cannot be shown. `payload`: what a text of
    the channel's own making (a menu) stands for. `channel` and its user say where replies go now. `type` and `card`:
    what it is beside a text (a place on the map). `answer`: what the channel says to what nobody else can read.
    """

    external_id: str
    text: str = ""
    button_id: str | None = None
    upload_id: str | None = None
    payload: str | None = None
    channel: str | None = None  # None: as the conversation was opened
    channel_user_id: int | None = None
    type: str | None = None
    card: dict[str, Any] | None = None
    answer: Draft | None = None
    seat: Seat | None = None  # of a page: whose login it is
    check: Check | None = None  # raises, before anything is written, if the message may not be logged there
