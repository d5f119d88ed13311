"""How alike Chinese messages are: by their terms, by topics, and by the intents that they come near.

Plain terms (one to three characters, TF-IDF) alone miss that 充电枪 and 桩 speak of the same. What stands together in
the messages that the model is trained with draws terms together (latent semantic analysis), and so does the nearness
to the middle of each intent's messages. Measured in docs/learning.md. Only for processes of their own: scikit-learn
takes a second to load and hundreds of megabytes to work.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from core.learning.settings import Grouping, Naming, Placeholders
from core.learning.words import matter_of
from core.text import folded

_SIGNS = re.compile(r"[^\w]|[0-9_]")
SEED = 20260711
ROUNDS = 3  # of the randomised decomposition
LEAST_MESSAGES = 4  # of training, in which a term that draws others to it stands
SHARP = 25.0  # how much the nearest intent outweighs the others
Matrix = NDArray[np.float32]
Distances = NDArray[np.float64]


class Likeness:
    """Distances between messages, learnt from what the model is trained with: (intent, message)."""

    def __init__(
        self, known: Sequence[tuple[str, str]], settings: Grouping, words: Placeholders, names: Naming
    ) -> None:  # fmt: skip
        """With fewer messages than would tell topics, the plain terms count alone; `names` has the stop words."""
        self._names = names
        self._words = (words.name, words.place, words.number, words.plate)
        self._settings = settings
        # A message with two wishes (a+b) is in the middle of nothing.
        single = [(intent, self._plain(text)) for intent, text in known if "+" not in intent]
        self._intents, self._known = [one[0] for one in single], [one[1] for one in single]

    def distances(self, texts: Sequence[str]) -> Distances:
        """Return the distance of each pair, 0 to 1, in the order of `scipy.spatial.distance.pdist`."""
        plain = [self._plain(text) for text in texts]
        upper = np.triu_indices(len(plain), k=1)
        terms = _vectorizer(1).fit([*self._known, *plain])
        mine = terms.transform(plain).astype(np.float32)
        likeness = np.asarray((mine @ mine.T).todense(), dtype=np.float32)[upper]
        if len(self._known) > 4 * self._settings.topics:
            likeness = self._learnt(likeness, plain, upper)
        return np.asarray(np.clip(1.0 - likeness, 0.0, 1.0), dtype=np.float64)

    def _learnt(self, surface: Matrix, plain: Sequence[str], upper: Any) -> Matrix:
        terms, known, svd = self._space
        mine = terms.transform(plain).astype(np.float32)
        topics = normalize(svd.transform(mine)).astype(np.float32)
        intents = self._near_intents(known, mine)
        weights = self._settings
        found = weights.surface * surface + weights.topic * (topics @ topics.T)[upper]
        return np.asarray(found + weights.intent * (intents @ intents.T)[upper], dtype=np.float32)

    @cached_property
    def _space(self) -> tuple[Any, Any, Any]:
        """What is learnt from the messages of training, once: terms, the messages by their terms, topics."""
        terms = _vectorizer(LEAST_MESSAGES)
        known = terms.fit_transform(self._known).astype(np.float32)
        return terms, known, TruncatedSVD(self._settings.topics, random_state=SEED, n_iter=ROUNDS).fit(known)

    def _near_intents(self, known: Any, mine: Any) -> Matrix:
        """Return for each message how near it is to the middle of each intent, next to how near messages are to it."""
        labels = np.asarray(self._intents)
        middles = normalize(np.vstack([np.asarray(known[labels == one].mean(axis=0)) for one in sorted(set(labels))]))
        near = mine @ middles.T - (known @ middles.T).mean(axis=0)
        sharp = np.exp(SHARP * (near - near.max(axis=1, keepdims=True)))
        return np.asarray(normalize(sharp), dtype=np.float32)

    def _plain(self, text: str) -> str:
        """Return what tells of the matter: no signs, figures, placeholders or words of every message; never empty."""
        for word in self._words:
            text = text.replace(word, "")
        return _SIGNS.sub("", matter_of(folded(text), self._names)) or "_"


def _vectorizer(least: int) -> Any:
    return TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True, min_df=least)
