from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import conversation as log_of
from core.db import Database
from core.handoff.tables import CaseNotFound, Handoff, HandoffEvent
from core.migrations import upgrade
from core.quality import (
    BadScores,
    CaseNotOver,
    Item,
    OwnCase,
    QualityScore,
    Sheet,
    answered_by,
    closed_cases,
    give_score,
    sample,
    scores_for,
    scores_of,
)

ROOT = Path(__file__).parents[2]
SHEET = Sheet.load(ROOT / "data" / "desk" / "quality.yaml")
START = datetime(2026, 11, 22, 0, 0, tzinfo=UTC)
END = START + timedelta(days=1)
REVIEWER = 90
SMALL = Sheet(
    steps=5,
    items=(
        Item(key="a", label="甲", hint="", weight=50, critical=True),
        Item(key="b", label="乙", hint="", weight=30),
        Item(key="c", label="丙", hint="", weight=20, optional=True),
    ),
)


@pytest.fixture(params=["sqlite", "postgresql"])
def bridge(request: pytest.FixtureRequest, new_url: Callable[[str, Path], str], tmp_path: Path) -> Iterator[Database]:
    """A migrated bridge database of each dialect."""
    database = Database(new_url(request.param, tmp_path))
    upgrade("bridge", database)
    yield database
    database.dispose()


def _case(session: Session, *agents: int, ended: datetime | None = START + timedelta(hours=3)) -> int:
    """Open a case in which these agents answer in turn."""
    conversation = log_of.open_conversation(
        session, channel="web", customer_no=None, accounts=[], assurance=0, now=START
    )
    case = Handoff(
        conversation_id=conversation.id, reason="asked", skill="billing", priority=5, requested_at=START,
        rank_at=START, ended_at=ended,
    )  # fmt: skip
    session.add(case)
    session.flush()
    kinds = [("requested", None), *(("agent_replied", agent) for agent in agents), ("closed", None)]
    for minute, (kind, agent) in enumerate(kinds):
        session.add(
            HandoffEvent(
                handoff_id=case.id,
                conversation_id=conversation.id,
                at=START + timedelta(minutes=minute),
                kind=kind,
                agent_id=agent,
            )  # fmt: skip
        )
    session.flush()
    return case.id


def _fill(bridge: Database, sizes: dict[int, int]) -> None:
    with bridge.transaction() as session:
        for agent, count in sizes.items():
            for _ in range(count):
                _case(session, agent)


def _agents(session: Session, count: int, seed: int = 1) -> Counter[int]:
    return Counter(one.agent_id for one in sample(session, START, END, count, seed=seed))


def test_the_items_of_a_check_add_up_to_a_hundred_and_none_is_missing() -> None:
    assert len(SHEET.items) >= 8
    assert sum(item.weight for item in SHEET.items) == 100
    assert SHEET.total({item.key: SHEET.steps for item in SHEET.items}) == 100
    assert all(item.label and item.hint for item in SHEET.items)


@pytest.mark.parametrize(
    ("scores", "total"),
    [
        ({"a": 5, "b": 5, "c": 5}, 100),
        ({"a": 5, "b": 0, "c": 0}, 50),
        ({"a": 3, "b": 4, "c": 2}, 62),
        ({"a": 5, "b": 4}, 93),  # 7.4 of 8 parts: 92.5, halves go up
        ({"a": 0, "b": 5, "c": 5}, 0),
        ({"a": 1, "b": 0, "c": 0}, 10),
    ],
)
def test_points_are_weighed_and_a_critical_item_without_any_makes_all_of_it_nothing(
    scores: dict[str, int], total: int
) -> None:
    assert SMALL.total(scores) == total


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ({"a": 5}, "missing items: ['b']"),
        ({"a": 5, "b": 5, "z": 1}, "unknown items: ['z']"),
        ({"a": 6, "b": 5}, "points outside 0 to 5: ['a']"),
        ({"a": 5, "b": -1}, "points outside 0 to 5: ['b']"),
    ],
)
def test_points_that_do_not_fit_the_sheet_are_refused(scores: dict[str, int], words: str) -> None:
    with pytest.raises(BadScores) as refused:
        SMALL.total(scores)
    assert str(refused.value) == words


def test_a_sheet_whose_weights_are_not_a_hundred_is_no_sheet(tmp_path: Path) -> None:
    wrong = tmp_path / "quality.yaml"
    wrong.write_text(yaml.safe_dump({"steps": 5, "items": [{"key": "a", "label": "甲", "hint": "", "weight": 99}]}))
    with pytest.raises(ValidationError, match="do not add up to 100"):
        Sheet.load(wrong)


def test_the_same_seed_draws_the_same_cases_and_another_one_others(bridge: Database) -> None:
    _fill(bridge, {1: 20, 2: 20})
    with bridge.reading() as session:
        first = sample(session, START, END, 10, seed=7)
        assert sample(session, START, END, 10, seed=7) == first
        assert len(first) == 10
        assert len({one.handoff_id for one in first}) == 10
        assert sample(session, START, END, 10, seed=8) != first


def test_a_sample_is_shared_among_the_agents_as_their_cases_are(bridge: Database) -> None:
    _fill(bridge, {1: 60, 2: 30, 3: 10, 4: 1})
    with bridge.reading() as session:
        assert _agents(session, 10) == {1: 5, 2: 3, 3: 1, 4: 1}
        assert _agents(session, 4) == {1: 1, 2: 1, 3: 1, 4: 1}
        assert sum(_agents(session, 2).values()) == 2
        assert len({agent for seed in range(20) for agent in _agents(session, 1, seed)}) > 1
        assert _agents(session, 200) == {1: 60, 2: 30, 3: 10, 4: 1}


def test_every_case_can_be_drawn(bridge: Database) -> None:
    _fill(bridge, {1: 5})
    with bridge.reading() as session:
        drawn = {one.handoff_id for seed in range(60) for one in sample(session, START, END, 1, seed=seed)}
        assert drawn == {one.handoff_id for one in closed_cases(session, START, END)}


@pytest.mark.parametrize("count", [0, -1, 201])
def test_a_sample_of_no_or_too_many_cases_is_refused(bridge: Database, count: int) -> None:
    with bridge.reading() as session, pytest.raises(ValueError, match="1 to 200"):
        sample(session, START, END, count, seed=1)


def test_only_closed_cases_of_the_time_in_which_somebody_answered_are_drawn(bridge: Database) -> None:
    with bridge.transaction() as session:
        kept = _case(session, 1)
        _case(session, 1, ended=None)
        _case(session)  # left the queue: nobody answered
        _case(session, 1, ended=END)
        _case(session, 1, ended=START - timedelta(seconds=1))
        edge = _case(session, 2, ended=START)
        assert [one.handoff_id for one in closed_cases(session, START, END)] == [kept, edge]


def test_a_case_that_went_through_two_hands_is_the_last_ones_work(bridge: Database) -> None:
    with bridge.transaction() as session:
        case = _case(session, 1, 2, 2)
        assert answered_by(session, [case]) == {case: 2}
        assert [one.agent_id for one in closed_cases(session, START, END)] == [2]


def test_a_second_check_by_the_same_reviewer_takes_the_place_of_the_first(bridge: Database) -> None:
    with bridge.transaction() as session:
        case = _case(session, 1)
        for scores, comment in (({"a": 5, "b": 5}, "好"), ({"a": 2, "b": 0}, " 没核对账单 ")):
            give_score(session, SMALL, handoff_id=case, reviewer_id=REVIEWER, scores=scores, comment=comment, now=START)
        give_score(session, SMALL, handoff_id=case, reviewer_id=91, scores={"a": 5, "b": 5}, comment="", now=END)
    with bridge.reading() as session:
        assert session.scalar(select(func.count()).select_from(QualityScore)) == 2
        mine, other = scores_of(session, [case])[case]
        assert (mine.reviewer_id, mine.total, mine.scores, mine.comment) == (
            REVIEWER,
            25,
            {"a": 2, "b": 0},
            "没核对账单",
        )
        assert (other.reviewer_id, other.total) == (91, 100)


def test_agents_see_the_checks_of_their_own_work_only(bridge: Database) -> None:
    with bridge.transaction() as session:
        first, second, passed_on = _case(session, 1), _case(session, 2), _case(session, 1, 2)
        for minute, case in enumerate((first, second, passed_on)):
            give_score(
                session, SMALL, handoff_id=case, reviewer_id=REVIEWER, scores={"a": 5, "b": 5}, comment="",
                now=START + timedelta(minutes=minute),
            )  # fmt: skip
        assert [one.handoff_id for one in scores_for(session, 1)] == [first]
        assert [one.handoff_id for one in scores_for(session, 2)] == [passed_on, second]
        assert scores_for(session, 3) == []


def test_what_cannot_be_checked_is_refused(bridge: Database) -> None:
    with bridge.transaction() as session:
        open_case, unanswered, own = _case(session, 1, ended=None), _case(session), _case(session, REVIEWER, 1)

        def give(case: int, comment: str = "") -> None:
            give_score(
                session, SMALL, handoff_id=case, reviewer_id=REVIEWER, scores={"a": 5, "b": 5}, comment=comment,
                now=END,
            )  # fmt: skip

        with pytest.raises(CaseNotFound):
            give(4711)
        for case in (open_case, unanswered):
            with pytest.raises(CaseNotOver):
                give(case)
        with pytest.raises(OwnCase):
            give(own)
        with pytest.raises(BadScores, match="1000 characters"):
            give(own, "长" * 1001)
        assert session.scalar(select(func.count()).select_from(QualityScore)) == 0
