"""Rasa component that adds `period` and `date` entities, resolved against the day of asking."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.extractors.extractor import EntityExtractorMixin
from rasa.shared.nlu.constants import ENTITIES, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.language.period import Period, find_dates, find_periods

SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")  # no summer time since 1991, so no tzdata is needed


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=False)
class PeriodExtractor(GraphComponent, EntityExtractorMixin):
    """Adds periods (YYYY-MM/YYYY-MM) and days (YYYY-MM-DD) with their grain."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = {**self.get_default_config(), **config}

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """`asked_at_key`: the metadata key under which the caller gives the ISO time of asking."""
        return {"asked_at_key": "asked_at"}

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> PeriodExtractor:
        """Build the extractor; it keeps nothing in the model but its configuration."""
        return cls(config)

    def process(self, messages: list[Message]) -> list[Message]:
        """Append `period` and `date` entities, whatever earlier components have set staying as it is."""
        for message in messages:
            text, today = message.get(TEXT), self._day_of_asking(message)
            if isinstance(text, str) and text:
                found = [self._entity("period", period) for period in find_periods(text, today)]
                found += [self._entity("date", day) for day in find_dates(text, today)]
                message.set(ENTITIES, (message.get(ENTITIES) or []) + found, add_to_output=True)
        return messages

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Leave the training data alone: nothing is learned here."""
        return training_data

    def _day_of_asking(self, message: Message) -> date:
        metadata = message.get("metadata")
        asked_at = metadata.get(self._config["asked_at_key"]) if isinstance(metadata, dict) else None
        try:
            moment = datetime.fromisoformat(str(asked_at).strip().replace("Z", "+00:00"))
        except ValueError:
            return datetime.now(SHANGHAI).date()
        return (moment.astimezone(SHANGHAI) if moment.tzinfo else moment).date()

    def _entity(self, kind: str, found: Period) -> dict[str, Any]:
        return {
            "entity": kind,
            "value": found.value,
            "start": found.start,
            "end": found.end,
            "grain": found.grain,
            "extractor": self.name,
        }
