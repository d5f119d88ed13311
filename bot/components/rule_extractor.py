"""What entity extractors without training have in common as Rasa components."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.extractors.extractor import EntityExtractorMixin
from rasa.shared.nlu.constants import ENTITIES, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

Entity = dict[str, Any]


class RuleExtractor(GraphComponent, EntityExtractorMixin):
    """Reads entities by rules; it keeps nothing in the model but its configuration."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = {**self.get_default_config(), **config}

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> RuleExtractor:
        """Build the extractor."""
        return cls(config)

    def process(self, messages: list[Message]) -> list[Message]:
        """Set the entities of every message that has a text."""
        for message in messages:
            text = message.get(TEXT)
            if isinstance(text, str) and text:
                message.set(ENTITIES, self._read(text, list(message.get(ENTITIES) or []), message), add_to_output=True)
        return messages

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Leave the training data alone: nothing is learned here."""
        return training_data

    @abstractmethod
    def _read(self, text: str, earlier: list[Entity], message: Message) -> list[Entity]:
        """Return all entities of a message, those that earlier components have set among them."""

    def _entity(self, kind: str, value: str, start: int, end: int) -> Entity:
        return {"entity": kind, "value": value, "start": start, "end": end, "extractor": self.name}
