"""What there is to hear of, who hears it unless they said otherwise, when, and in which words (data/notices.yaml)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from pathlib import Path
from string import Formatter
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.clock import SHANGHAI
from core.proactive.tables import KINDS
from core.said_instant import Times

Channel = Literal["wechat", "sms", "chat"]
CHANNELS: tuple[Channel, ...] = ("wechat", "sms", "chat")
CHAT, SMS = "chat", "sms"
MAX_SMS = 350  # characters of our words: five parts of a short message with its values


class UnknownWording(LookupError):
    """There are no such words, or they belong to another kind."""


class MissingValue(ValueError):
    """The words need a value that is not there, or it has the wrong form."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Quiet(_Model):
    """The hours in which nobody is woken, over midnight or within a day."""

    begins: time
    ends: time

    def holds(self, at: datetime) -> bool:
        """Tell whether an instant lies within."""
        clock = at.astimezone(SHANGHAI).time()
        if self.begins <= self.ends:
            return self.begins <= clock < self.ends
        return clock >= self.begins or clock < self.ends

    def over(self, at: datetime) -> datetime:
        """Return when the quiet hours in which an instant lies are over; of any other instant, that instant."""
        if not self.holds(at):
            return at
        end = datetime.combine(at.astimezone(SHANGHAI).date(), self.ends, SHANGHAI)
        return end if end > at else end + timedelta(days=1)


class Kind(_Model):
    """One kind of thing to hear of."""

    name: str
    customers: bool
    followers: bool
    channel: Channel
    fallback: Literal["sms", "chat"]
    wakes: bool
    good_for: float = Field(gt=0)  # hours
    awaited: frozenset[str] = frozenset()  # notices of a conversation that are told at any hour (data/wording.yaml)
    ways: tuple[Channel, ...] = CHANNELS  # over which it may go at all; whoever chose another one has `channel`

    def instead(self, *, of_customer: bool) -> str:
        """Return where it goes if it cannot go over its channel; telephones are known of customers alone."""
        return self.fallback if of_customer else CHAT


class Wording(_Model):
    """The words for one kind of event."""

    kind: str
    chat: str
    sms: str = Field(max_length=MAX_SMS)
    wakes: bool | None = None  # None: as the kind says

    @property
    def needs(self) -> frozenset[str]:
        """Return the names of the values that the words need."""
        return frozenset(name for text in (self.chat, self.sms) for _, name, _, _ in Formatter().parse(text) if name)


class Notices(_Model):
    """The whole file."""

    quiet: Quiet
    times: Times
    said_before: str
    kinds: dict[str, Kind]
    wordings: dict[str, Wording]

    @classmethod
    def load(cls, path: Path) -> Notices:
        """Read the file.

        Raises:
            pydantic.ValidationError: if something in it is missing, unknown or does not fit.
        """
        return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))

    def wording(self, name: str, *, kind: str | None = None) -> Wording:
        """Return the words of this name.

        Raises:
            UnknownWording: if there are none, or not for this kind.
        """
        found = self.wordings.get(name)
        if found is None or kind not in (None, found.kind):
            raise UnknownWording(name)
        return found

    def check(self, name: str, values: Mapping[str, str], *, now: datetime) -> None:
        """See that the words can be said with these values.

        Raises:
            UnknownWording, MissingValue: if they cannot.
        """
        self.text(name, values, CHAT, now=now)

    def text(self, name: str, values: Mapping[str, str], channel: str, *, now: datetime) -> str:
        """Return what a subscriber reads over a channel.

        Raises:
            UnknownWording: if there are no such words.
            MissingValue: if they need a value that is not there.
        """
        words, shown = self.wording(name), self.shown(values, now=now)
        missing = sorted(words.needs - set(shown))
        if missing:
            raise MissingValue(f"{name} needs {', '.join(missing)}")
        return (words.sms if channel == SMS else words.chat).format(**shown)

    def shown(self, values: Mapping[str, str], *, now: datetime) -> dict[str, str]:
        """Return the values as people read them.

        Raises:
            MissingValue: if an instant is none.
        """
        try:
            return {
                name: self.times.say(datetime.fromisoformat(value), now=now) if name.endswith("_at") else value
                for name, value in values.items()
            }
        except (TypeError, ValueError) as error:
            raise MissingValue("a value whose name ends in _at is no instant") from error

    def may_go(self, name: str, *, now: datetime) -> bool:
        """Tell whether the words may be sent at this hour."""
        words = self.wording(name)
        wakes = self.kinds[words.kind].wakes if words.wakes is None else words.wakes
        return wakes or not self.quiet.holds(now)

    def expiry(self, kind: str, *, now: datetime) -> datetime:
        """Return until when somebody wants to hear of an event of this kind."""
        return now + timedelta(hours=self.kinds[kind].good_for)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if set(self.kinds) != set(KINDS):
            raise ValueError(f"the kinds are {', '.join(KINDS)}")
        for name, words in self.wordings.items():
            if words.kind not in self.kinds:
                raise ValueError(f"{name}: there is no kind {words.kind}")
        told = {words.kind for words in self.wordings.values()}
        if told != set(KINDS):
            raise ValueError(f"no words for {', '.join(sorted(set(KINDS) - told))}")
        if any(one.channel not in one.ways for one in self.kinds.values()):
            raise ValueError("the channel of a kind is one of its ways")
        if self.said_before.format(at="", text="") == self.said_before:
            raise ValueError("said_before needs {at} and {text}")
        return self
