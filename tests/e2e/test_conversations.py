"""Whole conversations by behaviour, against the trained model, the real action server and the real databases."""

from __future__ import annotations

from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import Customer, within
from conversation_files import Scenario, scenarios
from conversation_kit import Play
from conversation_stage import RECOVERED, Stage

from ops.stack import Stack

ALL = scenarios()
BEHAVIOURS = (
    "happy_path", "interruption", "correction", "cancellation", "digression", "invalid_input", "multi_intent",
    "repeated_contact", "back_end_down", "identity",
)  # fmt: skip
AT_ONCE = 4
Outcomes = dict[str, BaseException | None]


@pytest.fixture(scope="module")
def outcomes(stack: Stack, customers: dict[str, Customer], request: pytest.FixtureRequest) -> Outcomes:
    """Play the chosen conversations: those of one customer one after the other, different customers at the same time.

    What disturbs others (processes that stop, operators who move outages) is played alone.
    """
    assert within(RECOVERED, Stage(stack, customers).ready), stack.last_words()
    stage = Stage(stack, customers)
    chosen = {item.callspec.id for item in request.session.items if getattr(item, "callspec", None)}
    alone = [scenario for scenario in ALL if scenario.name in chosen and scenario.disturbs]
    groups: dict[str, list[Scenario]] = defaultdict(list)
    for scenario in ALL:
        if scenario.name in chosen and not scenario.disturbs:
            groups[scenario.customer].append(scenario)
    found: Outcomes = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for played in pool.map(lambda group: {one.name: _play(stage, one) for one in group}, groups.values()):
            found |= played
    return found | {scenario.name: _play(stage, scenario) for scenario in alone}


def _play(stage: Stage, scenario: Scenario) -> BaseException | None:
    try:
        assert within(RECOVERED, stage.ready), stage.stack.last_words()
        stage.tidy(scenario.customer)
        Play(stage, scenario).run()
    except Exception as error:
        return error
    return None


def test_each_behaviour_has_at_least_twelve_conversations() -> None:
    counted = Counter(scenario.path.parent.name for scenario in ALL if not scenario.known)
    assert set(counted) == set(BEHAVIOURS)
    assert {name: count for name, count in counted.items() if count < 12} == {}


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.name)
def test_conversation(scenario: Scenario, outcomes: Outcomes) -> None:
    error = outcomes[scenario.name]
    if error is not None and scenario.known:
        pytest.xfail(f"{scenario.known} ({error})")
    if error is not None:
        raise error
