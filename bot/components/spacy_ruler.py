"""Rasa component that finds closed vocabularies (appliances, channels, scopes) with a spaCy EntityRuler.

The lexicon read in training travels in the model: a loaded model needs none of its files. Tokens are single
characters, so that no segmentation can hide a word.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import spacy
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.extractors.extractor import EntityExtractorMixin
from rasa.shared.exceptions import RasaException
from rasa.shared.nlu.constants import ENTITIES, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from spacy.language import Language
from spacy.tokens import Span

from bot.language.numbers import fold

_LEXICON = Path(__file__).resolve().parent.parent / "lexicon"
_PIPELINE, _ROWS = "pipeline", "rows.json"
_LONGEST_BARE_ANSWER = 4
_SURROGATES = re.compile("[\ud800-\udfff]")
_LATIN = re.compile("[0-9A-Za-z]")


class LexiconError(RasaException):
    """A lexicon file is missing or holds a line that is no valid entry."""


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=True)
class SpacyRuler(GraphComponent, EntityExtractorMixin):
    """Adds an entity for each word of the lexicon, its value the canonical name."""

    def __init__(
        self,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        nlp: Language | None = None,
        rows: list[dict[str, Any]] | None = None,
    ) -> None:
        self._config = {**self.get_default_config(), **config}
        self._model_storage, self._resource = model_storage, resource
        self._nlp, self._rows = nlp, rows or []

    @staticmethod
    def required_packages() -> list[str]:
        """The libraries that this component needs at run time."""
        return ["spacy"]

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """`lexicon`: folder of <entity>.jsonl; `exclusive`: of these a message has one, by order of rows."""
        return {
            "lexicon": None,
            "entities": ["appliance", "payment_channel", "tariff_class", "outage_scope"],
            "exclusive": ["outage_scope"],
        }

    @classmethod
    def fingerprint_addon(cls, config: dict[str, Any]) -> str | None:
        """Make a changed lexicon retrain this component."""
        digest = hashlib.sha256()
        for path in _files({**cls.get_default_config(), **config}):
            digest.update(path.read_bytes() if path.exists() else b"")
        return digest.hexdigest()

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> SpacyRuler:
        """Build an untrained ruler."""
        return cls(config, model_storage, resource)

    def train(self, training_data: TrainingData) -> Resource:
        """Read the lexicon and write pipeline and rows into the model."""
        self._rows = [row for path in _files(self._config) for row in _read(path)]
        self._nlp = _pipeline(self._rows)
        with self._model_storage.write_to(self._resource) as folder:
            self._nlp.to_disk(folder / _PIPELINE)
            kept = [
                {key: value for key, value in row.items() if key not in ("phrases", "tokens")} for row in self._rows
            ]
            (folder / _ROWS).write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")
        return self._resource

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> SpacyRuler:
        """Take pipeline and rows out of the model; ValueError of the storage if it was never trained."""
        with model_storage.read_from(resource) as folder:
            rows = json.loads((folder / _ROWS).read_text(encoding="utf-8"))
            return cls(config, model_storage, resource, spacy.load(folder / _PIPELINE), rows)

    def process(self, messages: list[Message]) -> list[Message]:
        """Append the entities found, whatever earlier components have set staying as it is."""
        for message in messages:
            text = message.get(TEXT)
            if isinstance(text, str) and text and self._nlp is not None:
                message.set(ENTITIES, (message.get(ENTITIES) or []) + self._find(text), add_to_output=True)
        return messages

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Leave the training data alone: the lexicon is all that is learned."""
        return training_data

    def _find(self, text: str) -> list[dict[str, Any]]:
        assert self._nlp is not None
        plain = _SURROGATES.sub("\ufffd", fold(text))
        spans = [span for span in self._nlp(plain).ents if self._fits(span, plain)]
        for entity in self._config["exclusive"]:
            ranks = [int(span.ent_id_) for span in spans if span.label_ == entity]
            spans = [span for span in spans if span.label_ != entity or int(span.ent_id_) == min(ranks)]
        return [self._entity(span) for span in spans]

    def _fits(self, span: Span, text: str) -> bool:
        start, end = span.start_char, span.end_char
        inside_a_word = any(
            len(pair) == 2 and all(_LATIN.match(char) for char in pair)
            for pair in (text[max(start - 1, 0) : start + 1] if start else "", text[end - 1 : end + 1])
        )
        context = self._rows[int(span.ent_id_)].get("context")
        rest = text[:start] + "\0" + text[end:]
        bare = len(rest) <= _LONGEST_BARE_ANSWER + 1
        return not inside_a_word and (not context or bare or bool(re.search(context, rest)))

    def _entity(self, span: Span) -> dict[str, Any]:
        return {
            "entity": span.label_,
            "value": self._rows[int(span.ent_id_)]["id"],
            "start": span.start_char,
            "end": span.end_char,
            "extractor": self.name,
        }


def _files(config: dict[str, Any]) -> list[Path]:
    folder = Path(config["lexicon"]) if config["lexicon"] else _LEXICON
    return [folder / f"{entity}.jsonl" for entity in config["entities"]]


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        for row in rows:
            re.compile(row.get("context", ""))
            if not row["id"] or not (row.get("phrases") or row.get("tokens")):
                raise LexiconError(f"{path.name}: an entry without id or words: {row}")
    except (OSError, ValueError, KeyError, AttributeError, TypeError, re.error) as error:
        raise LexiconError(f"{path.name}: {error!r}") from error
    return [{**row, "entity": path.stem} for row in rows]


def _pipeline(rows: list[dict[str, Any]]) -> Language:
    nlp = spacy.blank("zh")
    ruler = nlp.add_pipe("entity_ruler", config={"phrase_matcher_attr": "LOWER"})
    patterns = []
    for index, row in enumerate(rows):
        for pattern in [*row.get("phrases", []), *row.get("tokens", [])]:
            patterns.append({"label": row["entity"], "pattern": pattern, "id": str(index)})
    ruler.add_patterns(patterns)
    return nlp
