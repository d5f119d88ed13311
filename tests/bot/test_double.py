"""Two wishes in one message: where it may be cut, what speaks for two, and the gate."""

from __future__ import annotations

import numpy as np
import pytest

from bot.components.double import DoubleGate, halves_of, weigh

# Three intents: bill, invoice, outage; the last score of a message is that of the machine for double wishes.
BILL, INVOICE, OUTAGE = 0, 1, 2


@pytest.mark.parametrize(
    ("reading", "halves"),
    [
        ("十月多少钱 顺便把票开了", ("十月多少钱", "顺便把票开了")),
        ("查账单，开票", ("查账单", "开票")),
        ("钱交了怎么还没电", ("钱交了", "怎么还没电")),
        ("查一下余额再充两百", ("查一下余额", "再充两百")),
    ],
)
def test_message_is_cut_where_a_second_wish_may_begin(reading: str, halves: tuple[str, str]) -> None:
    assert halves in halves_of(reading)


@pytest.mark.parametrize("reading", ["", "电费", "电，费", "停电了吗", "，，，", "😀"])
def test_short_message_has_no_halves(reading: str) -> None:
    assert halves_of(reading) == []


def test_long_message_is_cut_at_most_eight_times() -> None:
    assert len(halves_of("，".join(f"第{number}件事" for number in range(50)))) == 8


def test_halves_that_are_sure_of_different_intents_speak_for_two_in_their_order() -> None:
    scores = np.array([0.2, 0.3, -1.0, 0.1])
    invoice_then_bill = weigh("票开了 账单呢", scores, np.array([[-1, 1, -1], [1, -1, -1]], dtype=float))
    no_cut = weigh("票开了账单呢", scores, np.zeros((0, 3)))
    assert invoice_then_bill.pair == (INVOICE, BILL)
    assert set(no_cut.pair) == {BILL, INVOICE}
    assert invoice_then_bill.features[4] > no_cut.features[4]


def test_halves_of_one_intent_do_not_speak_for_two() -> None:
    scores = np.array([1.0, -0.8, -1.0, -1.0])
    same = weigh("十月多少 九月多少", scores, np.array([[1, -1, -1], [1, -1, -1]], dtype=float))
    apart = weigh("十月多少 停电了", scores, np.array([[1, -1, -1], [-1, -1, 1]], dtype=float))
    assert same.features[5] < apart.features[5]
    assert same.features[6] > apart.features[6]


def test_gate_learns_what_tells_two_wishes_from_one() -> None:
    drawn = np.random.default_rng(7)
    one, two = drawn.normal(0.0, 0.3, (60, 2)), drawn.normal(1.0, 0.3, (20, 2))
    gate = DoubleGate.fit(np.vstack([one, two]), np.array([False] * 60 + [True] * 20))
    told = [_probability(gate, row) for row in ([0.0, 0.0], [1.0, 1.0])]
    assert told[0] < 0.1
    assert told[1] > 0.8


def _probability(gate: DoubleGate, features: list[float]) -> float:
    evidence = weigh("", np.array([1.0, 0.0, 0.0, 0.0]), np.zeros((0, 3)))
    return gate.probability(type(evidence)(np.array(features), evidence.pair))
