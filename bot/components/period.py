"""Rasa component that adds `period` and `date` entities, resolved against the day of asking."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.shared.nlu.training_data.message import Message

from bot.language.period import Period, find_dates, find_periods

from .rule_extractor import Entity, RuleExtractor

SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")  # no summer time since 1991, so no tzdata is needed


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=False)
class PeriodExtractor(RuleExtractor):
    """Adds periods (YYYY-MM/YYYY-MM) and days (YYYY-MM-DD) with their grain."""

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """`asked_at_key`: the metadata key under which the caller gives the ISO time of asking."""
        return {"asked_at_key": "asked_at"}

    def _read(self, text: str, earlier: list[Entity], message: Message) -> list[Entity]:
        today = self._day_of_asking(message)
        found = [self._grained("period", period) for period in find_periods(text, today)]
        return earlier + found + [self._grained("date", day) for day in find_dates(text, today)]

    def _day_of_asking(self, message: Message) -> date:
        metadata = message.get("metadata")
        asked_at = metadata.get(self._config["asked_at_key"]) if isinstance(metadata, dict) else None
        try:
            moment = datetime.fromisoformat(str(asked_at).strip().replace("Z", "+00:00"))
        except ValueError:
            return datetime.now(SHANGHAI).date()
        return (moment.astimezone(SHANGHAI) if moment.tzinfo else moment).date()

    def _grained(self, kind: str, found: Period) -> Entity:
        return {**self._entity(kind, found.value, found.start, found.end), "grain": found.grain}
