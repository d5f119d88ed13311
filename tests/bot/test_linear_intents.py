"""The intent model: learning, calibration, rejection, storage, and its Rasa component."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from rasa.engine.graph import ExecutionContext, GraphSchema
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.components import encoders
from bot.components.dense import VectorMissing
from bot.components.encoders import Encoder, EncoderUnavailable
from bot.components.features import char_grams, mask_numbers, pinyin_grams, word_grams
from bot.components.intent_model import IntentModel, IntentModelError
from bot.components.linear_head import TooFewMessages, best_scale, rejection_threshold
from bot.components.linear_intents import LinearIntentClassifier

CONTEXT = ExecutionContext(GraphSchema({}))
MESSAGES = {
    "report_outage": ["停电了", "家里没电", "整栋楼都黑了", "没电了快来", "突然断电了", "又停电"],
    "query_bill": ["上月电费多少钱", "账单多少", "查电费账单", "九月账单金额", "电费账单发我", "多少钱电费"],
    "query_account_no": ["户号是多少", "户号忘了", "查一下户号", "我的户号", "户号在哪看", "户号多少位"],
}
READINGS = [text for texts in MESSAGES.values() for text in texts]
LABELS = [intent for intent, texts in MESSAGES.items() for _ in texts]


DOUBLES = {
    "停电了，户号是多少": "report_outage+query_account_no",
    "查电费账单，户号忘了": "query_bill+query_account_no",
    "家里没电，账单多少": "report_outage+query_bill",
    "户号在哪看，上月电费多少钱": "query_account_no+query_bill",
    "九月账单金额，又停电": "query_bill+report_outage",
    "我的户号，突然断电了": "query_account_no+report_outage",
}


def encode(readings: list[str]) -> np.ndarray:
    """A toy encoder: does the reading speak of power cuts, money, the account number?"""
    rows = [[any(c in text for c in cue) for cue in ("停断黑没", "账钱", "户")] for text in readings]
    return np.array(rows, dtype=np.float32)


def vectors(readings: list[str]) -> dict[str, np.ndarray]:
    return {"toy": encode(readings)}


@pytest.fixture(scope="module")
def model() -> IntentModel:
    readings = [*READINGS, *DOUBLES]
    return IntentModel.fit(readings, vectors(readings), [*LABELS, *DOUBLES.values()], c=0.5, folds=3)


def best(model: IntentModel, reading: str) -> str:
    return model.head.intents[int(model.read([reading], vectors([reading]))[0].confidences.argmax())]


@pytest.mark.parametrize(
    ("reading", "intent"),
    [("我家停电", "report_outage"), ("十月账单多少钱", "query_bill"), ("户号呢", "query_account_no")],
)
def test_unseen_message_gets_the_intent_of_its_like(model: IntentModel, reading: str, intent: str) -> None:
    assert best(model, reading) == intent


def test_wrong_homophone_is_read_by_its_sound(model: IntentModel) -> None:
    assert best(model, "互号是多少") == "query_account_no"
    assert pinyin_grams("互号") == pinyin_grams("户号") == ["hu", "hao", "hu hao"]


def test_confidences_of_a_message_sum_to_one(model: IntentModel) -> None:
    rows = np.vstack([wishes.confidences for wishes in model.read(READINGS, vectors(READINGS))])
    assert rows.shape == (len(READINGS), 3)
    np.testing.assert_allclose(rows.sum(axis=1), 1.0, atol=1e-6)


def test_long_numbers_count_by_length_and_not_by_value() -> None:
    assert mask_numbers("户号4201889301，10月") == "户号0000000000，10月"
    assert char_grams("4201889301") == char_grams("4207700135")
    assert "0000000000" in word_grams("4201889301")


def test_stored_model_answers_like_the_one_that_was_trained(model: IntentModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    loaded = IntentModel.load(tmp_path)
    assert loaded.vectors == ["toy"]
    assert (loaded.head.threshold, loaded.head.scale) == (model.head.threshold, model.head.scale)
    for mine, theirs in zip(*(each.read(READINGS, vectors(READINGS)) for each in (model, loaded)), strict=True):
        # The neighbours' vectors are stored in half precision.
        np.testing.assert_allclose(theirs.confidences, mine.confidences, atol=1e-3)
        assert (theirs.pair, theirs.double) == (mine.pair, pytest.approx(mine.double, abs=1e-5))


def test_stored_model_holds_no_pickled_object(model: IntentModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["intents.json", "intents.npz"]
    with np.load(tmp_path / "intents.npz", allow_pickle=False) as arrays:
        assert all(array.dtype.kind in "fi" for array in dict(arrays).values())


def test_model_of_another_format_is_refused(model: IntentModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    meta = json.loads((tmp_path / "intents.json").read_text(encoding="utf-8"))
    (tmp_path / "intents.json").write_text(json.dumps({**meta, "format": 0}), encoding="utf-8")
    with pytest.raises(IntentModelError, match="train again"):
        IntentModel.load(tmp_path)


def test_message_without_the_vectors_of_training_is_refused(model: IntentModel) -> None:
    with pytest.raises(VectorMissing, match="toy"):
        model.read(["停电了"], {})


def test_few_messages_with_two_wishes_are_learned_from_without_a_gate() -> None:
    readings, labels = [*READINGS, "停电了，户号多少"], [*LABELS, "report_outage+query_account_no"]
    few = IntentModel.fit(readings, vectors(readings), labels, c=0.5, folds=3)
    assert few.head.gate is None
    assert best(few, "我家停电") == "report_outage"
    assert few.read(["又停电，账单多少"], vectors(["又停电，账单多少"]))[0].pair is None


def test_single_intent_cannot_be_learned() -> None:
    with pytest.raises(TooFewMessages, match="1 intents"):
        IntentModel.fit(["停电了", "没电"], {}, ["report_outage", "report_outage"], c=0.5, folds=3)


def test_threshold_rejects_while_at_most_a_quarter_of_the_rejected_were_right() -> None:
    sure = np.array([0.51, 0.52, 0.55, 0.58, 0.70, 0.9])
    known = np.array([0, 0, 0, 1, 1, 1])  # the first three wrong, the others right
    assert rejection_threshold(np.column_stack([1 - sure, sure]), known) == pytest.approx(0.58)


def test_nothing_is_rejected_when_every_reading_was_right() -> None:
    assert rejection_threshold(np.array([[0.4, 0.6], [0.7, 0.3]]), np.array([1, 0])) == 0.0


def test_scale_is_small_for_scores_that_are_often_wrong() -> None:
    scores = np.array([[1.0, -1.0], [-1.0, 1.0]] * 10)
    right = np.array([0, 1] * 10)
    mixed = np.array([0, 1, 1, 0] * 5)
    assert best_scale(scores, mixed) < best_scale(scores, right)


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalModelStorage:
    monkeypatch.setitem(encoders._LOADERS, "toy", lambda: Encoder("toy", "1", (("toy", 3),), encode))
    folder = tmp_path / "storage"
    folder.mkdir()
    return LocalModelStorage(folder)


def message(reading: str, **data: str) -> Message:
    return Message(data={"text": reading or " ", "reading": reading, **data})


def trained(storage: LocalModelStorage, tmp_path: Path, **config: object) -> LinearIntentClassifier:
    ours = {"encoders": ["toy"], "cache": str(tmp_path / "cache")}
    settings = {**LinearIntentClassifier.get_default_config(), **ours, **config}
    fresh = LinearIntentClassifier.create(settings, storage, Resource("intents"), CONTEXT)
    lines = [*zip(READINGS, LABELS, strict=True), *DOUBLES.items()]
    fresh.train(TrainingData([message(text, intent=intent) for text, intent in lines]))
    return LinearIntentClassifier.load(settings, storage, Resource("intents"), CONTEXT)


def with_threshold(classifier: LinearIntentClassifier, threshold: float) -> LinearIntentClassifier:
    object.__setattr__(classifier._model.head, "threshold", threshold)
    return classifier


def test_component_sets_intent_and_a_falling_ranking(storage: LocalModelStorage, tmp_path: Path) -> None:
    asked = message("我家停电")
    with_threshold(trained(storage, tmp_path, double=1.1), 0.0).process([asked])
    ranking = asked.get("intent_ranking")
    assert asked.get("intent") == ranking[0]
    assert ranking[0]["name"] == "report_outage"
    assert [each["confidence"] for each in ranking] == sorted((each["confidence"] for each in ranking), reverse=True)
    assert {each["name"] for each in ranking} == set(MESSAGES)


def test_doubtful_message_becomes_fallback_and_keeps_its_ranking(storage: LocalModelStorage, tmp_path: Path) -> None:
    asked = message("我家停电")
    with_threshold(trained(storage, tmp_path, double=1.1, alone={}), 1.1).process([asked])
    assert asked.get("intent")["name"] == "nlu_fallback"
    assert asked.get("intent_ranking")[0]["name"] == "report_outage"


def test_two_wishes_become_one_intent_in_the_order_of_asking(storage: LocalModelStorage, tmp_path: Path) -> None:
    asked = message("又停电，电费账单多少")
    trained(storage, tmp_path, double=0.0).process([asked])
    assert asked.get("intent")["name"] == "report_outage+query_bill"
    assert asked.get("intent_ranking")[0] == asked.get("intent")
    assert "+" not in asked.get("intent_ranking")[1]["name"]


def test_danger_is_never_rejected(storage: LocalModelStorage, tmp_path: Path) -> None:
    asked = message("我家停电")
    with_threshold(trained(storage, tmp_path, double=1.1, alone={"report_outage": 0.2}), 1.1).process([asked])
    assert asked.get("intent")["name"] == "report_outage"


def test_danger_wins_over_a_second_wish_in_the_message(storage: LocalModelStorage, tmp_path: Path) -> None:
    asked = message("查电费账单，又停电")
    trained(storage, tmp_path, double=0.0, alone={"report_outage": 0.01}).process([asked])
    assert asked.get("intent")["name"] == "report_outage"


def test_message_without_a_visible_character_is_a_fallback(storage: LocalModelStorage, tmp_path: Path) -> None:
    asked = message("")
    trained(storage, tmp_path).process([asked])
    assert asked.get("intent") == {"name": "nlu_fallback", "confidence": 1.0}
    assert asked.get("intent_ranking") == []


def test_encoder_that_cannot_load_is_left_out_of_the_training(storage: LocalModelStorage, tmp_path: Path) -> None:
    classifier = trained(storage, tmp_path, encoders=["toy", "vanished"])
    assert classifier._model.vectors == ["toy"]


def test_model_that_needs_a_missing_encoder_says_so(
    storage: LocalModelStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(storage, tmp_path)
    encoders.load_encoder.cache_clear()
    monkeypatch.delitem(encoders._LOADERS, "toy")
    with pytest.raises(EncoderUnavailable, match="toy"):
        LinearIntentClassifier.load({}, storage, Resource("intents"), CONTEXT)


def test_message_of_a_customer_is_not_put_on_disk(storage: LocalModelStorage, tmp_path: Path) -> None:
    classifier = trained(storage, tmp_path)
    before = (tmp_path / "cache" / "vectors.sqlite").read_bytes()
    classifier.process([message("我家停电了怎么办")])
    assert (tmp_path / "cache" / "vectors.sqlite").read_bytes() == before
