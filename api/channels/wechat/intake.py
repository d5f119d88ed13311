"""What a push says: a message of the customer in the form in which the dialogue takes it, or an event."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from api.channels.wechat.menu import Menu
from api.channels.wechat.words import Words
from api.schemas import MAX_TEXT
from core.channel.windows import Cause
from core.conversation import Draft
from core.text import clean

Fields = Mapping[str, Any]
BUTTON = re.compile(r"b_[A-Za-z0-9_-]{1,38}", re.ASCII)
SUBSCRIPTION = "subscribe_msg_"  # what events about subscription messages begin with
_LABEL = 200  # characters of a place or a title
_LAST_INSTANT = 253_402_300_799  # the end of the year 9999


@dataclass(frozen=True)
class Said:
    """What the customer said, showed or chose, and what that lets us send (`cause`).

    `media_id`: a photo that has still to be fetched. `tapped`: the id that came with a choice, ours or anybody's.
    """

    text: str
    cause: Cause = "message"
    type: str | None = None
    card: dict[str, Any] | None = None
    payload: str | None = None
    tapped: str | None = None
    media_id: str | None = None
    answer: str | None = None  # what the channel says to it itself

    @property
    def is_choice(self) -> bool:
        """Tell whether a choice that we showed was tapped, now or long ago."""
        return self.tapped is not None and BUTTON.fullmatch(self.tapped) is not None


def is_event(fields: Fields) -> bool:
    """Tell whether this is an event and no message."""
    return str(fields["MsgType"]).lower() == "event"


def external_id_of(fields: Fields) -> str:
    """Return what names a push however often it comes; an event has no number, and what names it is kept as a hash."""
    if fields.get("MsgId") and not is_event(fields):
        return f"msg:{fields['MsgId']}"
    named = [_text(fields, name) for name in ("FromUserName", "CreateTime", "MsgType", "Event", "EventKey", "MsgID")]
    if is_event(fields):  # several of these may come in one second, and differ in their lists alone
        named += [json.dumps(listed(fields), sort_keys=True)] if listed(fields) else []
    else:
        named += [_text(fields, name) for name in ("Content", "MediaId")]
    return "evt:" + hashlib.sha256("\n".join(named).encode()).hexdigest()


def listed(fields: Fields) -> list[Fields]:
    """Return the list of an event about subscription messages, which XML and JSON wrap differently; else none."""
    event = _text(fields, "Event").lower()
    if not event.startswith(SUBSCRIPTION):
        return []
    wrapped = next((one for name, one in fields.items() if name.lower() == event.replace("_", "")), fields)
    found = wrapped.get("List") if isinstance(wrapped, Mapping) else wrapped
    return [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, Mapping)]


def created_at(fields: Fields, *, now: datetime) -> datetime:
    """Return when the user did it by Tencent's clock, which may run a little ahead of ours."""
    stamp = int(fields.get("CreateTime") or 0)
    return datetime.fromtimestamp(stamp, UTC) if 0 < stamp < _LAST_INSTANT else now


def said_of(fields: Fields, *, words: Words, photo: str) -> Said:
    """Return a message as the dialogue takes it; what nobody here can read is answered by the channel."""
    kind = str(fields["MsgType"]).lower()
    if kind == "text":
        return _typed(fields, words)
    if kind == "voice":
        heard = clean(_text(fields, "Recognition"))
        return Said(heard[:MAX_TEXT], type="voice") if heard else Said(words.said_by_voice, answer=words.voice)
    if kind == "image" and _text(fields, "MediaId"):
        return Said(photo, media_id=_text(fields, "MediaId"))
    if kind == "location":
        return _place(fields, words)
    if kind == "link":
        title = clean(_text(fields, "Title"))[:_LABEL] or clean(_text(fields, "Url"))[:_LABEL]
        return Said(words.said_link.format(title=title).strip(), answer=words.link)
    if kind in ("video", "shortvideo"):
        return Said(words.said_by_video, answer=words.video)
    return Said(words.said_unknown, answer=words.unknown)


def clicked(fields: Fields, menu: Menu) -> Said | None:
    """Return what an item of the menu stands for; None if the menu has it no longer."""
    item = menu.key(_text(fields, "EventKey"))
    return Said(item.text, "tap", payload=item.payload) if item else None


def _typed(fields: Fields, words: Words) -> Said:
    text, tapped = clean(_text(fields, "Content")), _text(fields, "bizmsgmenuid") or None
    cause: Cause = "tap" if tapped else "message"  # a choice counts as a tap, not as a message (1.5)
    if not text and not tapped:
        return Said(words.said_unknown, answer=words.unknown)
    answer = words.too_long if len(text) > MAX_TEXT else None
    return Said(text[:MAX_TEXT] or words.said_unknown, cause, tapped=tapped, answer=answer)


def _place(fields: Fields, words: Words) -> Said:
    """Return the address as the text, so that whatever asks where it is takes it."""
    lat, lon = _degrees(fields, "Location_X", 90), _degrees(fields, "Location_Y", 180)
    label = clean(_text(fields, "Label"))[:_LABEL]
    if lat is None or lon is None:
        return Said(label) if label else Said(words.said_unknown, answer=words.unknown)
    card = {"lat": lat, "lon": lon, "label": label}
    return Said(label or words.place.format(lat=lat, lon=lon), type="location", card=card)


def _degrees(fields: Fields, name: str, most: int) -> float | None:
    try:
        value = float(_text(fields, name))
    except ValueError:
        return None
    return round(value, 6) if abs(value) <= most else None


def _text(fields: Fields, name: str) -> str:
    value = fields.get(name, "")
    return str(value) if isinstance(value, str | int) else ""


def draft_of(text: str) -> Draft:
    """Return what the channel says as a message of the log."""
    return Draft("system", text)
