"""Whole conversations by behaviour, against the trained model, the real action server and the real databases."""

from __future__ import annotations

from collections import Counter

import pytest
from conftest import Customer, within
from conversation_kit import RECOVERED, Play, Scenario, Stage, scenarios

from ops.stack import Stack

ALL = scenarios()
BEHAVIOURS = (
    "happy_path", "interruption", "correction", "cancellation", "digression", "invalid_input", "multi_intent",
    "repeated_contact", "back_end_down", "identity",
)  # fmt: skip


@pytest.fixture(scope="module")
def stage(stack: Stack, customers: dict[str, Customer]) -> Stage:
    return Stage(stack, customers)


def test_each_behaviour_has_at_least_twelve_conversations() -> None:
    counted = Counter(scenario.path.parent.name for scenario in ALL)
    assert set(counted) == set(BEHAVIOURS)
    assert {name: count for name, count in counted.items() if count < 12} == {}


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.name)
def test_conversation(scenario: Scenario, stage: Stage) -> None:
    assert within(RECOVERED, stage.ready), stage.stack.last_words()
    stage.tidy(scenario.customer)
    Play(stage, scenario).run()
