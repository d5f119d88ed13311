"""What a message says about notices (data/phrases/notice.yaml): on or off, which kinds, over which channel."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from actions.phrases import Phrases
from core.business import Business
from core.proactive.kinds import CHANNELS
from core.proactive.tables import KINDS, OFFER

TOKEN = "notice:"  # begins the choice that a button of ours gives
LIST, WHERE, UNDO = "list", "where", "undo"


@dataclass(frozen=True)
class Wish:
    """What is wanted; `wanted` None: only what is on is asked. No `kinds`: it was not said which.

    `shut`: what is not wanted beside (只要停电的). `refused`: the one channel that was named with a no. `elsewhere`: it
    takes a form.
    """

    wanted: bool | None = None
    kinds: tuple[str, ...] = ()
    shut: tuple[str, ...] = ()
    channel: str | None = None
    refused: str | None = None
    elsewhere: bool = False


@dataclass(frozen=True)
class Pressed:
    """What a button of ours says: the list, where to send, or changes by kind (wanted, channel), made or taken back."""

    what: str
    changes: Mapping[str, tuple[bool, str]]


def read(phrases: Phrases, unsubscribe: Business, text: str) -> Wish:
    """Return what a message wants."""
    if text.startswith("/"):
        return Wish()

    def has(key: str) -> bool:
        return re.search(phrases.raw(f"notice.words.{key}"), text) is not None

    off = _is_off(phrases, unsubscribe, text) and not has("opens")
    if (has("asks") and not off and not has("opens")) or has("quiet"):
        return Wish()
    kinds, elsewhere = _kinds(phrases, text), has("elsewhere")
    kept, shut = _apart(phrases, unsubscribe, text)
    spared = re.search(phrases.raw("notice.words.except"), text) if off else None
    if spared and (only := _kinds(phrases, spared["kept"], every=False)):
        kept, shut = only, tuple(kind for kind in KINDS if kind not in only)
    elif kept and has("only"):
        shut = tuple(kind for kind in KINDS if kind not in kept)
    if kept and shut:
        return _over(phrases, text, Wish(wanted=True, kinds=kept, shut=shut, elsewhere=elsewhere))
    if not off and kinds == KINDS:  # everything: but to what is advertising only who names it agrees
        kinds = tuple(kind for kind in KINDS if kind != OFFER)
    return _over(phrases, text, Wish(wanted=not off, kinds=kinds, elsewhere=elsewhere))


def _is_off(phrases: Phrases, unsubscribe: Business, text: str) -> bool:
    return unsubscribe.fits(text) or re.search(phrases.raw("notice.words.more_off"), text) is not None


def _apart(phrases: Phrases, unsubscribe: Business, text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return which kinds are to stay and which are not, where each has a part of the sentence of its own."""
    kept: list[str] = []
    shut: list[str] = []
    for part in re.split(phrases.raw("notice.words.clause"), text):
        kinds = _kinds(phrases, part, every=False)
        keeps = re.search(phrases.raw("notice.words.keeps"), part) or re.search(phrases.raw("notice.words.only"), part)
        if _is_off(phrases, unsubscribe, part):
            shut += kinds
        elif keeps:
            kept += kinds
    return tuple(kind for kind in KINDS if kind in kept), tuple(k for k in KINDS if k in shut and k not in kept)


def token(changes: Mapping[str, tuple[bool, str]], *, back: bool = False) -> str:
    """Return the choice of a button that makes changes; `back`: it takes others back."""
    begins = TOKEN + (UNDO if back else "")
    return begins + ",".join(f"{kind}={'on' if on else 'off'}@{channel}" for kind, (on, channel) in changes.items())


def pressed(choice: str) -> Pressed | None:
    """Read the choice of a button; None if it is none of ours."""
    said = choice.removeprefix(TOKEN)
    if not choice.startswith(TOKEN):
        return None
    if said in (LIST, WHERE):
        return Pressed(said, {})
    back, changes = said.startswith(UNDO), {}
    for one in said.removeprefix(UNDO).split(","):
        found = re.fullmatch(r"([a-z_]+)=(on|off)@([a-z]+)", one)
        if found is None or found[1] not in KINDS or found[3] not in CHANNELS:
            return None
        changes[found[1]] = (found[2] == "on", found[3])
    return Pressed(UNDO if back else "", changes)


def _kinds(phrases: Phrases, text: str, *, every: bool = True) -> tuple[str, ...]:
    words = phrases.under("notice.words.kinds")
    found = [kind for kind in KINDS if re.search(words[kind], text)]
    if {"planned_outage", "outage"} <= set(found):
        planned = re.search(phrases.raw("notice.words.planned_alone"), text)
        sudden = re.search(phrases.raw("notice.words.outage_alone"), text)
        if planned and not sudden:
            found.remove("outage")
        elif sudden and not planned:
            found.remove("planned_outage")
    if every and not found and re.search(phrases.raw("notice.words.all"), text):
        return KINDS
    return tuple(found)


def _over(phrases: Phrases, text: str, wish: Wish) -> Wish:
    """Return the wish with the channel that is wanted or refused."""
    words = phrases.under("notice.words.channels")
    named = [channel for channel in CHANNELS if re.search(words[channel], text)]

    def says(key: str, channel: str) -> bool:
        pattern = phrases.raw(f"notice.words.{key}").replace("CHANNEL", words[channel])
        return re.search(pattern, text) is not None

    if not named or wish.wanted is None:
        return wish
    refused = [channel for channel in named if says("channel_refused", channel)]
    wanted = [channel for channel in named if channel not in refused]
    if not wish.wanted and len(named) == 1 and says("channel_wanted", named[0]) and not refused:
        return replace(wish, wanted=True, channel=named[0])
    wanted.sort(key=lambda channel: not says("channel_wanted", channel))
    if wanted and (wish.wanted or len(named) > 1):
        return replace(wish, wanted=True, channel=wanted[0])
    if not wish.wanted and len(named) == 1:
        return replace(wish, refused=named[0])
    return wish
