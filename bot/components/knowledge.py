"""Rasa component that sets `knowledge`: the items of data/knowledge that answer a message, or none.

It never decides on the intent: actions use the hits where the intent alone leaves them without an answer.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.exceptions import RasaException
from rasa.shared.nlu.constants import INTENT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.language.normalise import reading_of

from .encoders import Encoder, EncoderUnavailable, VectorCache, load_encoder
from .knowledge_index import KnowledgeIndex
from .normaliser import READING, TextNormaliser

logger = logging.getLogger(__name__)
KNOWLEDGE = "knowledge"
_SOURCES = ("knowledge_index.py", "features.py", "use.py", "../language/normalise.py", "../lexicon/power.txt")
Wording = tuple[str, str]


class KnowledgeUnreadable(RasaException):
    """A file of knowledge lacks what the retrieval needs: items with id, question and other wordings."""


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class KnowledgeRetriever(GraphComponent):
    """Adds [{"id", "score"}] of at most three items, the likeliest first; an empty list means: not known."""

    def __init__(
        self,
        config: dict[str, Any],
        storage: ModelStorage,
        resource: Resource,
        index: KnowledgeIndex | None = None,
        encoder: Encoder | None = None,
    ) -> None:
        self._config, self._storage, self._resource = config, storage, resource
        self._index, self._encoder = index, encoder

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """The folders of the files, the encoder and part of its row, and the score from which a hit is an answer.

        `learned` is the folder of what reviewers wrote (ops/training.py names it), "" for none.
        Messages of the intents `unanswerable` teach what no item answers.
        """
        return {
            "folder": "data/knowledge",
            "learned": "",
            "encoder": "use",
            "part": "use",
            "cache": "var/encodings",
            "least": 0.65,
            "unanswerable": ["out_of_scope", "chitchat"],
        }

    @classmethod
    def required_components(cls) -> list[type]:
        """Readings come from the normaliser."""
        return [TextNormaliser]

    @classmethod
    def fingerprint_addon(cls, config: dict[str, Any]) -> str | None:
        """Other knowledge, or other sources, mean training anew."""
        here = Path(__file__).resolve().parent
        files = [*(here / name for name in _SOURCES), *_files(config)]
        return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> KnowledgeRetriever:
        """Make an untrained retriever."""
        return cls(config, model_storage, resource)

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **_: Any,
    ) -> KnowledgeRetriever:
        """Load what `train` kept; without the encoder it finds nothing, and the rest of the model works."""
        with model_storage.read_from(resource) as folder:
            if not any(Path(folder).iterdir()):
                return cls(config, model_storage, resource)
            index = KnowledgeIndex.load(Path(folder))
        return cls(config, model_storage, resource, index, _encoder(config))

    def train(self, training_data: TrainingData) -> Resource:
        """Build the index from the files, and learn doubt from the messages that no item answers."""
        wordings = read_wordings(_files(self._config))
        unanswerable = set(self._config["unanswerable"])
        messages = [each for each in training_data.intent_examples if each.get(INTENT) in unanswerable]
        others = list(dict.fromkeys(each.get(READING) for each in messages if each.get(READING)))
        self._encoder = _encoder(self._config)
        with self._storage.write_to(self._resource) as folder:
            if self._encoder is not None and wordings:
                self._index = self._built(wordings, others)
                self._index.save(Path(folder))
        logger.info("%d wordings of knowledge, %d messages without an answer", len(wordings), len(others))
        return self._resource

    def process(self, messages: list[Message]) -> list[Message]:
        """Return the same messages, each with what is known about it."""
        for message in messages:
            message.set(KNOWLEDGE, self._find(message.get(READING) or ""), add_to_output=True)
        return messages

    def _find(self, reading: str) -> list[dict[str, Any]]:
        if self._index is None or self._encoder is None or not reading:
            return []
        # A customer's message is never put on disk.
        row = self._encoder.encode([reading])
        hits = self._index.find(reading, self._encoder.split(row)[self._config["part"]][0])
        if hits[0].score < self._config["least"]:
            return []
        return [{"id": hit.id, "score": round(hit.score, 4)} for hit in hits]

    def _built(self, wordings: list[Wording], others: list[str]) -> KnowledgeIndex:
        cache = VectorCache(Path(self._config["cache"]) / "vectors.sqlite")
        vectors = self._vectors(cache, [reading for _, reading in wordings])
        return KnowledgeIndex.build(wordings, vectors, others, self._vectors(cache, others))

    def _vectors(self, cache: VectorCache, readings: list[str]) -> np.ndarray:
        if self._encoder is None or not readings:
            return np.zeros((0, 0), np.float32)
        rows = cache.vectors(self._encoder, readings).astype(np.float32)
        return np.asarray(self._encoder.split(rows)[self._config["part"]])


def read_wordings(files: list[Path]) -> list[Wording]:
    """Return (item, reading) for every wording of the files; raises KnowledgeUnreadable."""
    found = []
    for file in files:
        try:
            entries = yaml.safe_load(file.read_text(encoding="utf-8"))["items"]
            found += [(str(one["id"]), reading_of(str(said))) for one in entries for said in _said(one)]
        except (OSError, yaml.YAMLError, KeyError, TypeError) as problem:
            raise KnowledgeUnreadable(f"{file.name}: {problem!r}") from problem
    return found


def _said(item: dict[str, Any]) -> list[str]:
    return [item["question"], *item["also"]]


def _files(config: dict[str, Any]) -> list[Path]:
    folder = config.get("folder") or KnowledgeRetriever.get_default_config()["folder"]
    more = config.get("learned")
    return [*sorted(Path(folder).glob("*.yaml")), *(sorted(Path(more).glob("*.yaml")) if more else [])]


def _encoder(config: dict[str, Any]) -> Encoder | None:
    try:
        return load_encoder(config["encoder"])
    except EncoderUnavailable as failure:
        logger.warning("knowledge is not searched: %s", failure)
        return None
