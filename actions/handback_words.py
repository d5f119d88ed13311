"""How a hand-back note is told (data/phrases/handback.yaml)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from core.clock import SHANGHAI

if TYPE_CHECKING:
    from actions.handback import Note, Promised
    from actions.services import Services

# Hours of the day from which on a part of it is called so.
_PARTS = ((0, "night"), (6, "morning"), (12, "noon"), (13, "afternoon"), (19, "evening"))
_DAYS = {-1: "yesterday", 0: "today", 1: "tomorrow", 2: "after_tomorrow"}
_DAY_END = timedelta(minutes=1)
_NOON = 12


class NoteWords:
    """The sentences about one note at one time."""

    def __init__(self, services: Services, note: Note, now: datetime) -> None:
        self._phrases, self._note, self._now = services.phrases, note, now

    def line(self) -> str:
        """Return the note in one line: in full the first time, later no more than what is still expected."""
        said = [self._brief() if self._note.told else self._full()]
        if self._note.is_overdue(self._now):
            said.append(self._say("sorry"))
        elif self._note.told and self._promised():
            said.append(self._say("brief_wait"))
        return "".join(said)

    def time(self, at: datetime) -> str:
        """Return a time as it is said: 今天下午6点半."""
        local = at.astimezone(SHANGHAI)
        part = [name for first, name in _PARTS if local.hour >= first][-1]
        values = {
            "day": self._day(local), "part": self._say(f"time.{part}"), "minute": local.minute,
            "hour": local.hour - _NOON if local.hour > _NOON else local.hour,
        }  # fmt: skip
        form = {0: "hour", 30: "half"}.get(local.minute, "minute")
        return self._say(f"time.{form}", **values)

    def until(self, at: datetime) -> str:
        """Return a deadline as it is said: 今天下午6点前, 明天之内."""
        local = at.astimezone(SHANGHAI)
        if (local + _DAY_END).date() != local.date():
            return self._say("time.day_end", day=self._day(local))
        return self._say("time.before", time=self.time(at))

    def _full(self) -> str:
        note = self._note
        told = (("done", note.done), ("open", note.open), ("promised", self._promises(note.promised)))
        parts = [self._say(kind, items=listed) for kind, items in told if (listed := self._list(items))]
        return self._say("full", who=self._who(), at=self.time(note.at), parts=self._say("parts").join(parts))

    def _brief(self) -> str:
        promised = self._promised()
        items = self._say("brief_promise", items=self._list(promised)) if promised else ""
        return self._say("brief", who=self._who()) + items

    def _promised(self) -> list[str]:
        """Return the promises with a time, which are what is asked about again."""
        return self._promises(one for one in self._note.promised if one.due_at)

    def _promises(self, promised: Iterable[Promised]) -> list[str]:
        return [self._promise(one) for one in promised]

    def _promise(self, one: Promised) -> str:
        if one.due_at is None:
            return one.text
        key = "overdue" if one.due_at <= self._now else "promise"
        return self._say(key, text=self._part(one.text), due=self.until(one.due_at))

    def _who(self) -> str:
        return self._say("who", name=self._note.agent) if self._note.agent else self._say("nobody")

    def _day(self, local: datetime) -> str:
        ahead = (local.date() - self._now.astimezone(SHANGHAI).date()).days
        if ahead in _DAYS:
            return self._say(f"time.{_DAYS[ahead]}")
        return self._say("time.date", month=local.month, day=local.day)

    def _list(self, items: Iterable[str]) -> str:
        return self._say("list").join(filter(None, map(self._part, items)))

    def _part(self, text: str) -> str:
        """Return what an agent typed as an item of our list, be it several lines."""
        ends = self._phrases.raw("handback.ends")
        return self._say("list").join(filter(None, (line.strip().strip(ends) for line in text.splitlines())))

    def _say(self, key: str, **values: object) -> str:
        return self._phrases.say(f"handback.{key}", **values)
