"""What the courier sends next: a run of messages becomes as few customer-service messages as they need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from api.channels.wechat.render import LIMIT, Render, split
from core.channel.deliveries import Waiting, kind_of
from core.channel.passive import Item
from core.clock import SHANGHAI
from core.conversation import Message

AGENT, IMAGE = "agent", "image"
PHOTO_TRIES = 4  # after that, in 15 s, a photo is a text with a link to the page
MENU = "msgmenu"


@dataclass(frozen=True)
class Photo:
    """An agent's photo, which has to be uploaded first."""

    conversation_id: str
    upload_id: str


@dataclass(frozen=True)
class Shipment:
    """One sending: the deliveries that it takes along, and what it says; `more`: of the last, parts are left."""

    chosen: tuple[Waiting, ...]
    kind: str
    messages: tuple[dict[str, Any], ...] = ()
    photo: Photo | None = None
    more: bool = False

    @property
    def ids(self) -> list[int]:
        """Return the deliveries that go."""
        return [one.delivery.id for one in self.chosen]

    @property
    def menu(self) -> bool:
        """Tell whether it is of the kind that not every account may send."""
        return any(message["msgtype"] == MENU for message in self.messages)


@dataclass
class Habits:
    """What the courier has learned: whether menus are allowed, and which deliveries WeChat finds too long.

    `taken_at`: when WeChat last took a message.
    """

    menus: bool = True
    taken_at: datetime | None = None
    narrow: dict[int, int] = field(default_factory=dict)  # delivery → bytes that its pieces may have


def next_shipment(items: Sequence[Waiting], render: Render, habits: Habits, *, left: int) -> Shipment:
    """Return what goes next; `left`: how many messages may be sent, which decides how much has to go together."""
    kind = kind_of(items)
    if (limit := habits.narrow.get(items[0].delivery.id)) is not None:
        texts = split(render.as_text([items[0].message]), limit)
        return Shipment(tuple(items[:1]), kind, tuple(_text(one) for one in texts))
    if left >= _calls(items):
        photo = _photo(items[0])
        if photo is not None:
            return Shipment(tuple(items[:1]), kind, photo=photo)
        items = _alike(items)
    return _together(items, kind, render, habits)


def _calls(items: Sequence[Waiting]) -> int:
    """Return how many messages it takes if every word of an agent goes by itself."""
    agents = sum(one.message.author == AGENT for one in items)
    return agents + (agents < len(items))


def _alike(items: Sequence[Waiting]) -> Sequence[Waiting]:
    """Return the run from the first on that goes as one: what an agent said by itself, the rest together."""
    if items[0].message.author == AGENT:
        return items[:1]
    end = next((place for place, one in enumerate(items) if one.message.author == AGENT), len(items))
    return items[:end]


def _together(items: Sequence[Waiting], kind: str, render: Render, habits: Habits) -> Shipment:
    several = sum(one.message.author == AGENT for one in items) > 1
    shown = [Item(one.delivery, _timed(one.message) if several else one.message) for one in items]
    fitted = render.fit(shown)
    chosen = tuple(items[: max(fitted.whole, 1)])
    if fitted.whole and habits.menus and not chosen[0].delivery.part:
        service = render.as_service([one.message for one in shown[: fitted.whole]])
        if len(service) == 1:
            return Shipment(chosen, kind, tuple(service))
    return Shipment(chosen, kind, (_text(fitted.text),), more=bool(fitted.parts))


def _timed(message: Message) -> Message:
    """Return what an agent said with the time of day in front, for it comes later and among others."""
    if message.author != AGENT:
        return message
    return Message(
        conversation_id=message.conversation_id, seq=message.seq, at=message.at, author=message.author,
        type=message.type, card=message.card, buttons=message.buttons, agent_name=message.agent_name,
        text=f"{message.at.astimezone(SHANGHAI):%H:%M} {message.text}",
    )  # fmt: skip


def _photo(one: Waiting) -> Photo | None:
    upload_id = (one.message.card or {}).get("upload_id")
    if one.message.author != AGENT or one.message.type != IMAGE or not upload_id:
        return None
    if one.delivery.attempts >= PHOTO_TRIES:
        return None
    return Photo(one.message.conversation_id, str(upload_id))


def _text(content: str) -> dict[str, Any]:
    return {"msgtype": "text", "text": {"content": content}}


__all__ = ["LIMIT", "Habits", "Photo", "Shipment", "next_shipment"]
