"""Sparse text features that need no model: TF-IDF of characters, words and pinyin syllables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jieba
import numpy as np
from pypinyin import lazy_pinyin
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

_FEW = 200  # of so few messages every term counts
_LONG_NUMBER = re.compile(r"\d{5,}")
_LEXICON = Path(__file__).resolve().parent.parent / "lexicon" / "power.txt"
# jieba logs through its own handler on every first use; a service's log is no place for it.
jieba.setLogLevel("WARNING")


class Words:
    """Cuts a reading into words with the power lexicon; one dictionary a process, loaded at first use."""

    _tokenizer: jieba.Tokenizer | None = None

    @classmethod
    def cut(cls, text: str) -> list[str]:
        """Return the words of text without blanks."""
        if cls._tokenizer is None:
            cls._tokenizer = jieba.Tokenizer()
            if _LEXICON.exists():
                cls._tokenizer.load_userdict(str(_LEXICON))
        return [word for word in cls._tokenizer.cut(text) if not word.isspace()]


def mask_numbers(text: str) -> str:
    """Return text with every number of five or more digits written as zeros: its length tells, not its value."""
    return _LONG_NUMBER.sub(lambda number: "0" * len(number.group()), text)


def char_grams(text: str) -> list[str]:
    """Return the 1- to 4-grams of characters, the ends of the message marked."""
    return _grams(f"^{mask_numbers(text)}$", 4, "")


def word_grams(text: str) -> list[str]:
    """Return the 1- and 2-grams of jieba words."""
    return _grams(Words.cut(mask_numbers(text)), 2, " ")


def pinyin_grams(text: str) -> list[str]:
    """Return the 1- to 3-grams of toneless syllables, so that a wrong homophone reads like the right word."""
    return _grams(lazy_pinyin(mask_numbers(text)), 3, " ")


def _grams(units: Sequence[str], longest: int, joint: str) -> list[str]:
    return [
        joint.join(units[start : start + length])
        for length in range(1, longest + 1)
        for start in range(len(units) - length + 1)
    ]


@dataclass(frozen=True)
class View:
    """One way to cut a message into terms; a term must occur in `rarest` training messages to count."""

    name: str
    cut: Callable[[str], list[str]]
    rarest: int


VIEWS = (View("char", char_grams, 3), View("word", word_grams, 2), View("pinyin", pinyin_grams, 3))


class SparseFeatures:
    """TF-IDF over several views of the same text, side by side, each row of each view of length one."""

    def __init__(self, vectorizers: dict[str, TfidfVectorizer]) -> None:
        self._vectorizers = vectorizers

    @classmethod
    def fit(
        cls, texts: Sequence[str], names: Iterable[str] = ("char", "word", "pinyin")
    ) -> tuple[SparseFeatures, sparse.csr_matrix]:
        """Learn vocabulary and weights of the named views; return them with one row a reading."""
        few = len(texts) < _FEW
        wanted = [view for view in VIEWS if view.name in set(names)]
        learned = {view.name: _vectorizer(view, min_df=1 if few else view.rarest) for view in wanted}
        blocks = [vectorizer.fit_transform(texts) for vectorizer in learned.values()]
        return cls(learned), sparse.hstack(blocks, format="csr", dtype=np.float32)

    def transform(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """Return one row a reading; unknown terms count nothing."""
        blocks = [each.transform(texts) for each in self._vectorizers.values()]
        # A restored vectorizer returns double precision; multiplying by that would copy all the weights first.
        return sparse.hstack(blocks, format="csr", dtype=np.float32)

    def vocabularies(self) -> dict[str, list[str]]:
        """Return the terms of each view in the order of its columns."""
        return {name: list(each.get_feature_names_out()) for name, each in self._vectorizers.items()}

    def weights(self) -> dict[str, np.ndarray]:
        """Return the inverse document frequencies of each view."""
        return {name: np.asarray(each.idf_, dtype=np.float32) for name, each in self._vectorizers.items()}

    @classmethod
    def restore(cls, vocabularies: dict[str, list[str]], weights: dict[str, np.ndarray]) -> SparseFeatures:
        """Rebuild the features from what `vocabularies` and `weights` returned."""
        vectorizers = {}
        for view in (view for view in VIEWS if view.name in vocabularies):
            vectorizers[view.name] = _vectorizer(view, vocabulary=vocabularies[view.name])
            vectorizers[view.name].idf_ = weights[view.name]
        return cls(vectorizers)


def _vectorizer(view: View, **settings: Any) -> TfidfVectorizer:
    return TfidfVectorizer(analyzer=view.cut, sublinear_tf=True, dtype=np.float32, **settings)
