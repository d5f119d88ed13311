"""The second opinion: what the nearest training messages were labelled."""

from __future__ import annotations

import numpy as np

from bot.components.neighbours import Neighbours

ROWS = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.5, 0.5]])
KNOWN = [[0], [0], [1], [0, 1]]


def test_message_gets_the_intents_of_its_like() -> None:
    shares = Neighbours.of(ROWS, KNOWN).opinion(np.array([[2.0, 0.0], [0.0, 3.0]]), 3)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert shares[0].argmax() == 0
    assert shares[1].argmax() == 1
    assert shares[:, 2].tolist() == [0.0, 0.0]


def test_message_with_two_wishes_counts_half_for_each() -> None:
    shares = Neighbours.of(ROWS[3:], KNOWN[3:]).opinion(np.array([[1.0, 1.0]]), 2)
    assert shares.tolist() == [[0.5, 0.5]]


def test_nearest_of_many_are_asked_alone() -> None:
    rows = np.vstack([np.tile([0.0, 1.0], (50, 1)), np.tile([1.0, 0.02], (20, 1))])
    shares = Neighbours.of(rows, [[1]] * 50 + [[0]] * 20).opinion(np.array([[1.0, 0.0]]), 2)
    assert shares[0].tolist() == [1.0, 0.0]


def test_without_vectors_there_is_no_advice() -> None:
    assert Neighbours.of(np.zeros((4, 0)), KNOWN).advice(np.zeros((2, 0)), 3).tolist() == [[0.0] * 3] * 2


def test_message_like_no_other_gets_an_opinion_all_the_same() -> None:
    shares = Neighbours.of(ROWS, KNOWN).opinion(np.zeros((1, 2)), 2)
    assert np.isfinite(shares).all()
