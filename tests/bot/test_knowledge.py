"""Retrieval of general knowledge: unseen questions find their item, others find nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.shared.core.events import UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.nlu.training_data.loading import load_data
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.components.encoders import load_encoder
from bot.components.knowledge import KNOWLEDGE, KnowledgeRetriever, KnowledgeUnreadable, read_wordings
from bot.components.knowledge_index import KnowledgeIndex, KnowledgeIndexError
from bot.components.normaliser import TextNormaliser
from bot.knowing import preferred
from bot.language.normalise import reading_of

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "data" / "knowledge").glob("*.yaml"))
# Each floor stands a little below what was measured, each ceiling a little above.
RECALL_AT_1, RECALL_AT_3, ANSWERED_RIGHT = 0.86, 0.93, 0.70
ANSWERED_WRONG, FALSE_ANSWERS = 0.05, 0.11
SLOWEST = 0.003


@dataclass(frozen=True)
class Asked:
    """A question and the items that answer it; none: nothing does."""

    text: str
    ids: frozenset[str]


@pytest.fixture(scope="module")
def asked() -> list[Asked]:
    """The questions for measuring; the threshold and the slope were chosen on others (knowledge_dev.tsv)."""
    return read_questions("knowledge.tsv")


def read_questions(name: str) -> list[Asked]:
    lines = (ROOT / "tests" / "nlu" / name).read_text(encoding="utf-8").splitlines()
    return [Asked(text, frozenset(ids.split(",")) - {"-"}) for text, ids in (line.split("\t") for line in lines)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("knowledge")


@pytest.fixture(scope="module")
def config() -> dict[str, object]:
    # The vectors of training messages are there already if a model was ever trained here.
    settings = {"folder": str(ROOT / "data" / "knowledge"), "cache": str(ROOT / "var" / "encodings")}
    return KnowledgeRetriever.get_default_config() | settings


@pytest.fixture(scope="module")
def retriever(folders: Path, config: dict[str, object]) -> KnowledgeRetriever:
    """A retriever as Rasa makes it: trained, kept, and loaded again."""
    storage, resource = LocalModelStorage.create(folders), Resource("knowledge")
    talk = load_data(str(ROOT / "data" / "nlu" / "smalltalk.yml"))
    data = TextNormaliser().process_training_data(talk)
    KnowledgeRetriever(config, storage, resource).train(data)
    return KnowledgeRetriever.load(config, storage, resource, None)  # type: ignore[arg-type]  # the context is not used


def likeliest(retriever: KnowledgeRetriever, text: str) -> list[str]:
    """The items in their order, whatever their scores."""
    encoder, reading = load_encoder("use"), reading_of(text)
    assert retriever._index is not None
    return [hit.id for hit in retriever._index.find(reading, encoder.split(encoder.encode([reading]))["use"][0])]


def found(retriever: KnowledgeRetriever, text: str) -> list[dict[str, object]]:
    message = Message({"text": text, "reading": reading_of(text)})
    hits = retriever.process([message])[0].as_dict(only_output_properties=True)[KNOWLEDGE]
    assert isinstance(hits, list)
    return hits


def test_questions_for_the_measure_are_unseen(asked: list[Asked]) -> None:
    known = {reading for _, reading in read_wordings(FILES)}
    known |= {reading_of(one.text) for one in read_questions("knowledge_dev.tsv")}
    assert not [one.text for one in asked if reading_of(one.text) in known]
    assert len([one for one in asked if one.ids]) >= 120
    assert len([one for one in asked if not one.ids]) >= 60
    items = {item for item, _ in read_wordings(FILES)}
    assert not [one for one in asked if one.ids - items]


def test_unseen_questions_find_their_item(retriever: KnowledgeRetriever, asked: list[Asked]) -> None:
    mine = [one for one in asked if one.ids]
    ranked = [likeliest(retriever, one.text) for one in mine]
    assert np.mean([hits[0] in one.ids for hits, one in zip(ranked, mine, strict=True)]) >= RECALL_AT_1
    assert np.mean([bool(one.ids & set(hits)) for hits, one in zip(ranked, mine, strict=True)]) >= RECALL_AT_3


def test_most_are_answered_and_few_wrongly(retriever: KnowledgeRetriever, asked: list[Asked]) -> None:
    mine = [one for one in asked if one.ids]
    first = [(hits[0]["id"] if hits else None, one) for one in mine for hits in [found(retriever, one.text)]]
    assert np.mean([item in one.ids for item, one in first]) >= ANSWERED_RIGHT
    assert np.mean([item is not None and item not in one.ids for item, one in first]) <= ANSWERED_WRONG


def test_what_nobody_knows_is_seldom_answered(retriever: KnowledgeRetriever, asked: list[Asked]) -> None:
    mine = [one for one in asked if not one.ids]
    answered = [one.text for one in mine if found(retriever, one.text)]
    assert len(answered) / len(mine) <= FALSE_ANSWERS, answered


def test_hits_are_at_most_three_likeliest_first(retriever: KnowledgeRetriever) -> None:
    hits = found(retriever, "插座摸着发热正常吗")
    assert hits[0]["id"] == "safety_socket_warm"
    assert 1 <= len(hits) <= 3
    scores = [float(str(hit["score"])) for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert 0.65 <= scores[0] <= 1.0


def test_hits_reach_the_actions_with_the_message() -> None:
    hits = [{"id": "meter_blink", "score": 0.9}]
    parsed = {"intent": {"name": "nlu_fallback"}, "entities": [], "text": "红点闪", KNOWLEDGE: hits}
    tracker = DialogueStateTracker.from_events("c1", [UserUttered("红点闪", parsed["intent"], [], parsed)])
    assert tracker.current_state()["latest_message"][KNOWLEDGE] == hits


def read(name: str, confidence: float, score: float) -> dict[str, Any]:
    intent = {"name": name, "confidence": confidence}
    hits = [{"id": "meter_blink", "score": score}]
    return {"intent": intent, "intent_ranking": [intent], "entities": [], "text": "红点闪", KNOWLEDGE: hits}


def test_doubtful_intent_gives_way_to_what_is_surely_known() -> None:
    parsed = read("ask_app_help", 0.5, 0.95)
    moved = preferred(parsed)
    assert moved["intent"]["name"] == "nlu_fallback"
    assert moved["intent_ranking"][0]["name"] == "ask_app_help"
    assert parsed["intent"]["name"] == "ask_app_help"


@pytest.mark.parametrize(
    "parsed",
    [
        read("query_usage", 0.95, 0.95), read("query_usage", 0.5, 0.8), read("report_danger", 0.3, 0.99),
        read("report_fault+query_bill", 0.3, 0.99), read("inform", 0.3, 0.99), {"intent": {"name": "greet"}},
        read("explain_tariff", 0.85, 0.99), read("compare_tariff", 0.5, 0.99), read("pay_bill", 0.4, 0.95),
    ],
)  # fmt: skip
def test_sure_intent_danger_and_faults_stay_what_they_are(parsed: dict[str, Any]) -> None:
    assert preferred(parsed) is parsed


@pytest.mark.parametrize("text", ["", " ", "？？？", "😀", "电" * 5000, "\ud83d", "ａｂｃ １２３"])
def test_no_message_makes_it_fail(retriever: KnowledgeRetriever, text: str) -> None:
    assert isinstance(found(retriever, text), list)


def test_search_itself_is_quick(retriever: KnowledgeRetriever, asked: list[Asked]) -> None:
    encoder = load_encoder("use")
    readings = [reading_of(one.text) for one in asked[:60]]
    vectors = encoder.split(encoder.encode(readings))["use"]
    index = retriever._index
    assert index is not None
    spent = []
    for reading, vector in zip(readings, vectors, strict=True):
        start = time.perf_counter()
        index.find(reading, vector)
        spent.append(time.perf_counter() - start)
    assert np.median(spent) <= SLOWEST


def test_another_file_of_knowledge_means_training_anew(tmp_path: Path) -> None:
    file = tmp_path / "meter.yaml"
    file.write_text("items: []", encoding="utf-8")
    before = KnowledgeRetriever.fingerprint_addon({"folder": str(tmp_path)})
    file.write_text("items: [] # more", encoding="utf-8")
    assert KnowledgeRetriever.fingerprint_addon({"folder": str(tmp_path)}) != before


def test_without_files_nothing_is_found(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    settings = {"folder": str(tmp_path / "none"), "cache": str(tmp_path / "vectors")}
    config = KnowledgeRetriever.get_default_config() | settings
    storage, resource = LocalModelStorage.create(tmp_path), Resource("knowledge")
    KnowledgeRetriever(config, storage, resource).train(TrainingData([]))
    loaded = KnowledgeRetriever.load(config, storage, resource, None)  # type: ignore[arg-type]  # the context is not used
    assert found(loaded, "插座发热") == []


@pytest.mark.parametrize("text", ["items: [{id: a}]", "- a", "items: [", "items: [{id: a, question: b, also: 3}]"])
def test_file_that_cannot_be_used_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "meter.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(KnowledgeUnreadable, match=r"meter\.yaml"):
        read_wordings([file])


def test_index_refuses_what_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeIndexError, match="three items"):
        KnowledgeIndex.build([("a", "甲"), ("b", "乙")], np.ones((2, 4), np.float32), [], np.zeros((0, 4)))
    with pytest.raises(KnowledgeIndexError, match="cannot be read"):
        KnowledgeIndex.load(tmp_path)


def test_bot_and_business_read_the_same_items() -> None:
    written = [item["id"] for file in FILES for item in yaml.safe_load(file.read_text(encoding="utf-8"))["items"]]
    assert list(dict.fromkeys(item for item, _ in read_wordings(FILES))) == written
