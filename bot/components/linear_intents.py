"""Rasa intent classifier: a linear head over sparse features and sentence vectors, with an explicit rejection.

A message that asks for two things gets the intent `a+b`, in the order of asking.
"""

from __future__ import annotations

import hashlib
import json
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

from .encoders import Encoder, VectorCache, available, load_encoder
from .intent_model import IntentModel
from .linear_head import Wishes
from .machines import DOUBLE
from .normaliser import READING, TextNormaliser

logger = logging.getLogger(__name__)
_SOURCES = (
    "features.py", "dense.py", "machines.py", "neighbours.py", "double.py", "use.py", "linear_head.py",
    "intent_model.py",
    "../language/normalise.py", "../lexicon/power.txt",
)  # fmt: skip
_REMEMBERED = "encoders.json"
Prediction = dict[str, Any]


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class LinearIntentClassifier(GraphComponent, IntentClassifier):
    """Sets `intent` and `intent_ranking`; a doubtful message becomes `nlu_fallback`, its ranking stays."""

    def __init__(
        self,
        config: dict[str, Any],
        storage: ModelStorage,
        resource: Resource,
        model: IntentModel | None = None,
        encoders: list[Encoder] | None = None,
    ) -> None:
        self._config, self._storage, self._resource = config, storage, resource
        self._model = model
        self._encoders = encoders or []

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """The encoders, the folder for vectors of training messages, C of the machines, folds, length of the ranking.

        An encoder that cannot run here is left out of the training, with a warning. `double` is the probability from
        which two wishes are believed. An intent in `alone` wins from the confidence given there, whatever else is in
        the message; it is never rejected and never one of two.
        """
        return {
            "encoders": ["use"],
            "cache": "var/encodings",
            "c": 0.35,
            "folds": 3,
            "ranking_length": 10,
            "double": 0.4,
            "alone": {"report_danger": 0.2},
        }

    @classmethod
    def required_components(cls) -> list[type]:
        """Readings come from the normaliser."""
        return [TextNormaliser]

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
        """Load a trained classifier; raises EncoderUnavailable if an encoder it needs cannot run here."""
        with model_storage.read_from(resource) as folder:
            names = json.loads((Path(folder) / _REMEMBERED).read_text(encoding="utf-8"))
            model = IntentModel.load(Path(folder))
        return cls(config, model_storage, resource, model, [load_encoder(name) for name in names])

    def train(self, training_data: TrainingData) -> Resource:
        """Learn from every message; double wishes are labelled `a+b`."""
        messages = [each for each in training_data.intent_examples if each.get(TEXT)]
        readings = [message.get(READING) for message in messages]
        self._encoders = available(self._config["encoders"])
        cache = VectorCache(Path(self._config["cache"]) / "vectors.sqlite")
        vectors = [encoder.split(cache.vectors(encoder, readings)) for encoder in self._encoders]
        self._model = IntentModel.fit(
            readings,
            {name: part for parts in vectors for name, part in parts.items()},
            [message.get(INTENT) for message in messages],
            self._config["c"],
            self._config["folds"],
        )
        names = [encoder.name for encoder in self._encoders]
        logger.info("%d messages, encoders %s, threshold %.3f", len(messages), names, self._model.head.threshold)
        with self._storage.write_to(self._resource) as folder:
            (Path(folder) / _REMEMBERED).write_text(json.dumps(names), encoding="utf-8")
            self._model.save(Path(folder))
        return self._resource

    def process(self, messages: list[Message]) -> list[Message]:
        """Return the same messages with intent and ranking."""
        for message in messages:
            decided, ranking = self._read(message)
            message.set(INTENT, decided, add_to_output=True)
            message.set(INTENT_RANKING_KEY, ranking, add_to_output=True)
        return messages

    def _read(self, message: Message) -> tuple[Prediction, list[Prediction]]:
        """Return the decision and the likeliest intents; no ranking for a message without a visible character."""
        reading = message.get(READING)
        if self._model is None or not reading:
            return _prediction(DEFAULT_NLU_FALLBACK_INTENT_NAME, 1.0), []
        # A customer's message is never put on disk.
        rows = [encoder.split(encoder.encode([reading])) for encoder in self._encoders]
        wishes = self._model.read([reading], {name: part for parts in rows for name, part in parts.items()})[0]
        ranking = self._ranking(wishes)
        decided = self._alone(wishes) or self._double(wishes)
        if decided:
            return decided, [decided, *(each for each in ranking if each[INTENT_NAME_KEY] != decided[INTENT_NAME_KEY])]
        first = ranking[0]
        if first[PREDICTED_CONFIDENCE_KEY] >= self._model.head.threshold:
            return first, ranking
        return _prediction(DEFAULT_NLU_FALLBACK_INTENT_NAME, 1.0 - first[PREDICTED_CONFIDENCE_KEY]), ranking

    def _ranking(self, wishes: Wishes) -> list[Prediction]:
        best = np.argsort(-wishes.confidences)[: self._config["ranking_length"]]
        return [_prediction(self._model.head.intents[index], float(wishes.confidences[index])) for index in best]

    def _alone(self, wishes: Wishes) -> Prediction | None:
        """Return the intent that wins over whatever else is in the message, if it is likely enough."""
        for name, least in self._config["alone"].items():
            known = self._model.head.intents
            confidence = float(wishes.confidences[known.index(name)]) if name in known else 0.0
            if confidence >= least:
                return _prediction(name, confidence)
        return None

    def _double(self, wishes: Wishes) -> Prediction | None:
        """Return the two intents as one if they are believed."""
        if wishes.pair is None or wishes.double < self._config["double"]:
            return None
        names = [self._model.head.intents[index] for index in wishes.pair]
        return None if set(names) & set(self._config["alone"]) else _prediction(DOUBLE.join(names), wishes.double)


def _prediction(name: str, confidence: float) -> Prediction:
    return {INTENT_NAME_KEY: name, PREDICTED_CONFIDENCE_KEY: confidence}
