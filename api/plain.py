"""Rasa's answers in plain wording, for whose service it is: short lines, a long answer in several messages.

It is done here, where answers of actions, forms and rules all pass, whatever channel they go to. No figure, button,
card or command is touched, and what is said of a danger is the same for everybody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from api.rasa import BotTurn, Rasa
from core.clock import Clock
from core.conversation import CONFIRM, Draft
from core.identity import read_identity
from core.plain import by_lines, in_messages

PLAIN, DANGER = "plain", "danger"
_TEXT = "text"


def spoken(turn: BotTurn, style: str) -> BotTurn:
    """Return an answer in a style; the very same where the style changes nothing."""
    understood = str((turn.understood or {}).get("intent") or "")
    if style != PLAIN or turn.handoff == DANGER or DANGER in understood:
        return turn
    return replace(turn, drafts=tuple(one for draft in turn.drafts for one in _plain(draft)))


class Spoken:
    """Rasa, whose answers are spoken in the style of whoever asks (`core.identity.Identity.style`)."""

    def __init__(self, rasa: Rasa, *, key: str, clock: Clock) -> None:
        self._rasa, self._key, self._clock = rasa, key, clock

    async def turn(self, *, sender: str, text: str, payload: bool, metadata: dict[str, Any], within: float) -> BotTurn:
        """See `Rasa.turn`.

        Raises:
            core.identity.BadToken: if the metadata do not say whose turn it is.
        """
        style = read_identity(self._key, metadata["identity"], now=self._clock(), sender=sender).style
        turn = await self._rasa.turn(sender=sender, text=text, payload=payload, metadata=metadata, within=within)
        return spoken(turn, style)

    async def forget(self, conversation_ids: Sequence[str]) -> None:
        """See `Rasa.forget`."""
        await self._rasa.forget(conversation_ids)

    async def health(self) -> dict[str, bool]:
        """See `Rasa.health`."""
        return await self._rasa.health()


def _plain(draft: Draft) -> Iterator[Draft]:
    """Yield the messages that say it: buttons stand under the last; what has to be confirmed is seen at once."""
    if draft.type == CONFIRM:
        yield replace(draft, text=by_lines(draft.text))
    elif draft.type != _TEXT or draft.card:
        yield draft
    else:
        *first, last = in_messages(draft.text)
        yield from (replace(draft, text=text, buttons=()) for text in first)
        yield replace(draft, text=last)
