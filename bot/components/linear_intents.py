"""Rasa intent classifier: a linear head over sparse features and sentence vectors, with an explicit rejection."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

import numpy as np
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers.classifier import IntentClassifier
from rasa.shared.constants import DEFAULT_NLU_FALLBACK_INTENT_NAME
from rasa.shared.nlu.constants import (
    INTENT,
    INTENT_NAME_KEY,
    INTENT_RANKING_KEY,
    PREDICTED_CONFIDENCE_KEY,
    TEXT,
)
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from .encoder import SentenceEncoder, vectors_of
from .intent_model import IntentModel
from .normaliser import READING

logger = logging.getLogger(__name__)
_SOURCES = ("features.py", "linear_head.py", "intent_model.py", "../language/normalise.py", "../lexicon/power.txt")
Prediction = dict[str, Any]


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class LinearIntentClassifier(GraphComponent, IntentClassifier):
    """Sets `intent` and `intent_ranking`; a doubtful message becomes `nlu_fallback`, its ranking stays."""

    def __init__(
        self, config: dict[str, Any], storage: ModelStorage, resource: Resource, model: IntentModel | None = None
    ) -> None:
        self._config, self._storage, self._resource = config, storage, resource
        self._model = model

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """C of the machines, folds of the calibration, length of the ranking, intents that are never rejected."""
        return {"c": 0.5, "folds": 3, "ranking_length": 10, "never_rejected": ["report_danger"]}

    @classmethod
    def required_components(cls) -> list[type]:
        """Readings and vectors come from the encoder."""
        return [SentenceEncoder]

    @staticmethod
    def required_packages() -> list[str]:
        """The libraries whose module and distribution share a name, as Rasa asks for both."""
        return ["jieba", "pypinyin"]

    @classmethod
    def fingerprint_addon(cls, config: dict[str, Any]) -> str | None:
        """A change in what makes the features (sources, lexicon) means training anew, not taking from Rasa's cache."""
        here = Path(__file__).resolve().parent
        sources = b"".join((here / name).read_bytes() for name in _SOURCES)
        return hashlib.sha256(sources).hexdigest()

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> LinearIntentClassifier:
        """Make an untrained classifier."""
        return cls(config, model_storage, resource)

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **_: Any,
    ) -> LinearIntentClassifier:
        """Load a trained classifier."""
        with model_storage.read_from(resource) as folder:
            return cls(config, model_storage, resource, IntentModel.load(Path(folder)))

    def train(self, training_data: TrainingData) -> Resource:
        """Learn from every message with a single intent; double ones (a+b) are left to the policies."""
        messages = [each for each in training_data.intent_examples if each.get(TEXT) and "+" not in each.get(INTENT)]
        vectors = [vectors_of(message) for message in messages]
        names = sorted(vectors[0]) if vectors else []
        self._model = IntentModel.fit(
            [message.get(READING) for message in messages],
            {name: np.vstack([each[name] for each in vectors]) for name in names},
            [message.get(INTENT) for message in messages],
            self._config["c"],
            self._config["folds"],
        )
        logger.info("%d messages, encoders %s, threshold %.3f", len(messages), names, self._model.head.threshold)
        with self._storage.write_to(self._resource) as folder:
            self._model.save(Path(folder))
        return self._resource

    def process(self, messages: list[Message]) -> list[Message]:
        """Return the same messages with intent and ranking."""
        for message in messages:
            ranking = self._ranking(message)
            message.set(INTENT, self._decided(ranking), add_to_output=True)
            message.set(INTENT_RANKING_KEY, ranking, add_to_output=True)
        return messages

    def _ranking(self, message: Message) -> list[Prediction]:
        """Return the likeliest intents first; nothing for a message without a visible character."""
        reading = message.get(READING)
        if self._model is None or not reading:
            return []
        vectors = {name: vector[np.newaxis, :] for name, vector in vectors_of(message).items()}
        confidences = self._model.confidences([reading], vectors)[0]
        best = np.argsort(-confidences)[: self._config["ranking_length"]]
        return [_prediction(self._model.head.intents[index], float(confidences[index])) for index in best]

    def _decided(self, ranking: list[Prediction]) -> Prediction:
        threshold = self._model.head.threshold if self._model else 0.0
        if not ranking:
            return _prediction(DEFAULT_NLU_FALLBACK_INTENT_NAME, 1.0)
        first = ranking[0]
        sure = first[PREDICTED_CONFIDENCE_KEY] >= threshold
        if sure or first[INTENT_NAME_KEY] in self._config["never_rejected"]:
            return first
        return _prediction(DEFAULT_NLU_FALLBACK_INTENT_NAME, 1.0 - first[PREDICTED_CONFIDENCE_KEY])


def _prediction(name: str, confidence: float) -> Prediction:
    return {INTENT_NAME_KEY: name, PREDICTED_CONFIDENCE_KEY: confidence}
