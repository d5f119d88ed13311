"""The demonstration's past is the same again for the same day, and can be taken away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from past_kit import DATA, MATERIAL, NOW, TODAY, YESTERDAY, Region, databases, past, rows, told
from sqlalchemy import select

from core.conversation import Conversation, Message, open_conversation
from core.db import Database
from core.handoff.tables import Handoff, HandoffEvent
from core.migrations import upgrade
from core.notice import Notice
from core.quality import QualityScore
from core.seed.history import AlreadyTold, NobodyAtTheDesk, seed_history
from core.seed.history_days import Plan, Planner, weathers
from core.seed.history_gone import take_away
from core.seed.history_people import People, people_of
from core.survey import Survey
from core.work_order import WorkOrder

if TYPE_CHECKING:
    from core.fields import Keyring
    from tests.conftest import NewUrl, Seeded


@pytest.fixture(scope="module")
def region(
    seeded: Seeded, new_url: NewUrl, tmp_path_factory: pytest.TempPathFactory, keyring: Keyring
) -> Iterator[Region]:
    with past(seeded, new_url, tmp_path_factory.mktemp("past"), keyring) as made:
        yield made


def test_the_same_day_gives_the_same_past(
    region: Region, seeded: Seeded, new_url: NewUrl, tmp_path: Path, keyring: Keyring
) -> None:
    again = told(seeded, new_url, tmp_path, keyring)
    try:
        assert again.summary == region.summary
        for table in (Conversation, Message, Handoff, HandoffEvent, Survey, QualityScore):
            keys = list(table.__table__.primary_key.columns)
            columns = [one for one in table.__table__.columns if one.name != "id" or table is not Survey]
            queries = [select(*columns).order_by(*keys) for _ in range(2)]
            with region.bridge.reading() as one, again.bridge.reading() as other:
                assert one.execute(queries[0]).all() == other.execute(queries[1]).all()
    finally:
        again.workorder.dispose()
        again.bridge.dispose()


def test_a_later_day_leaves_the_earlier_ones_as_they_were(region: Region) -> None:
    people = people_of(region.billing, region.workorder, today=TODAY, directory=DATA / "demo")
    one, other = (_openings(people, day) for day in (TODAY, TODAY + timedelta(days=1)))
    shared = sorted(set(one) & set(other))[4:-1]  # who comes back in the first days came before the time began
    assert len(shared) > 50
    assert all(one[day] == other[day] for day in shared)
    assert one[YESTERDAY] != other[YESTERDAY]


def _openings(people: People, today: date) -> dict[date, list[tuple[Any, ...]]]:
    planner = Planner(MATERIAL, people, 0.3)

    def opening(plan: Plan) -> tuple[Any, ...]:
        return plan.key, plan.at, plan.channel, plan.person and plan.person.customer_no, plan.text, plan.topic

    return {one.day: [opening(plan) for plan in planner.day(one)] for one in weathers(MATERIAL, today=today)}


def test_who_has_talked_already_keeps_what_was_said(
    seeded: Seeded, new_url: NewUrl, tmp_path: Path, keyring: Keyring
) -> None:
    workorder, bridge = databases(seeded, new_url, tmp_path, keyring)
    with bridge.transaction() as session:
        open_conversation(session, channel="web", customer_no=None, accounts=[], assurance=0, now=NOW)
    with pytest.raises(AlreadyTold):
        seed_history(seeded.database, workorder, bridge, keyring=keyring, today=TODAY, data_dir=DATA)
    assert len(rows(bridge, Conversation, Conversation.id)) == 1


def test_without_the_desks_people_there_is_no_past(
    seeded: Seeded, new_url: NewUrl, tmp_path: Path, keyring: Keyring
) -> None:
    workorder, _ = databases(seeded, new_url, tmp_path, keyring)
    bridge = Database(new_url(seeded.database.engine.dialect.name, tmp_path))
    upgrade("bridge", bridge)
    with pytest.raises(NobodyAtTheDesk):
        seed_history(seeded.database, workorder, bridge, keyring=keyring, today=TODAY, data_dir=DATA)


def test_the_past_can_be_taken_away_without_what_came_after_it(
    seeded: Seeded, new_url: NewUrl, tmp_path: Path, keyring: Keyring
) -> None:
    made = told(seeded, new_url, tmp_path, keyring)
    with made.bridge.transaction() as session:
        mine = open_conversation(session, channel="web", customer_no=None, accounts=[], assurance=0, now=NOW).id
    assert take_away(made.bridge, made.workorder) == made.summary.conversations
    assert [one.id for one in rows(made.bridge, Conversation, Conversation.id)] == [mine]
    for table in (Message, Handoff, HandoffEvent, Survey, QualityScore):
        assert rows(made.bridge, table) == []
    assert rows(made.workorder, Notice) == []
    assert {one.cause.partition(":")[0] for one in rows(made.workorder, WorkOrder)} == {"seed"}
