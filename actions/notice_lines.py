"""How things stand with what is told first, in words (data/phrases/notice.yaml)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from actions.services import Services
from core.proactive.choices import Chosen
from core.proactive.speaker import OF_ACCOUNTS, Speaker
from core.proactive.tables import KINDS

Changes = Mapping[str, tuple[bool, str]]
States = Mapping[str, Chosen]


def can_tell(speaker: Speaker, kind: str) -> bool:
    """Tell whether a kind can reach a speaker: most need an account."""
    return speaker.known or kind not in OF_ACCOUNTS


@dataclass(frozen=True)
class NoticeLines:
    """The sentences on kinds and channels."""

    services: Services

    def say(self, key: str, **values: object) -> str:
        """Return a phrase."""
        return self.services.phrases.say(f"notice.{key}", **values)

    def names(self, kinds: Iterable[str]) -> str:
        """Return the names of kinds."""
        return self.say("separator").join(self.services.notices.kinds[kind].name for kind in kinds)

    def line(self, speaker: Speaker, states: States, kind: str) -> str:
        """Return how one kind stands."""
        name, one = self.names([kind]), states[kind]
        if not one.own and not self.services.notices.kinds[kind].customers:
            return self.say("list.is_off", name=name)  # it stays off, bound or not, until it is asked for
        if not can_tell(speaker, kind):
            shut = one.own and not one.wanted
            return self.say("list.unbound_off" if shut else "list.unbound", name=name)
        if not one.wanted:
            return self.say("list.is_off", name=name)
        return self.say("list.is_on", name=name, channel=self.say(f"channel.{one.channel}"))

    def no_advice(self) -> tuple[str, str]:
        """Return the button that ends recommendations beside answers for good (actions.recommendation)."""
        return self.say("button.no_advice"), '/inform{"choice": "offer_never"}'

    def quiet(self) -> str:
        """Return when nothing comes."""
        quiet, kinds = self.services.notices.quiet, self.services.notices.kinds
        urgent = self.names(kind for kind in KINDS if kinds[kind].wakes)
        return self.say("list.quiet", begins=_clock(quiet.begins.hour), ends=_clock(quiet.ends.hour), urgent=urgent)

    def done(self, changes: Changes, *, same: bool) -> str:
        """Say what was switched; `same`: it was so before."""
        off = [kind for kind, (wanted, _) in changes.items() if not wanted]
        said = [self.say("done.same_off" if same else "done.shut", names=self.names(off))] if off else []
        by_channel: dict[str, list[str]] = {}
        for kind, (wanted, channel) in changes.items():
            if wanted:
                by_channel.setdefault(channel, []).append(kind)
        for channel, kinds in by_channel.items():
            values = {"names": self.names(kinds), "channel": self.say(f"done.to_{channel}")}
            said.append(self.say("done.same_on" if same else "done.opened", **values))
        return "".join(said)


def _clock(hour: int) -> str:
    return f"{hour}:00"
