"""The demonstration's past: talks and cases are valid by the functions that read such rows, and like people."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from past_kit import HOURS, MATERIAL, MIDNIGHT, NOW, TODAY, YESTERDAY, Region, events_of, past, rows
from sqlalchemy import select

from core.clock import SHANGHAI
from core.conversation import Conversation, Message
from core.handoff.figures import Calendars, cases_requested, open_cases, service_figures, span_of
from core.handoff.tables import Handoff, HandoffEvent
from core.quality import QualityScore, answered_by
from core.seed.history_days import weathers
from core.survey import Survey

if TYPE_CHECKING:
    from core.fields import Keyring
    from tests.conftest import NewUrl, Seeded


@pytest.fixture(scope="module")
def region(
    seeded: Seeded, new_url: NewUrl, tmp_path_factory: pytest.TempPathFactory, keyring: Keyring
) -> Iterator[Region]:
    with past(seeded, new_url, tmp_path_factory.mktemp("past"), keyring) as made:
        yield made


def test_there_are_sixty_days_up_to_yesterday_with_some_conversations_on_each(region: Region) -> None:
    assert (region.summary.first_day, region.summary.last_day) == (TODAY - timedelta(days=60), YESTERDAY)
    days = defaultdict(int)
    for one in rows(region.bridge, Conversation, Conversation.id):
        days[one.created_at.astimezone(SHANGHAI).date()] += 1
    assert len(days) == 60
    assert min(days.values()) >= MATERIAL.days.least
    assert sum(days.values()) == region.summary.conversations


def test_the_figures_of_every_day_are_computed_and_no_case_is_open(region: Region) -> None:
    with region.bridge.reading() as session:
        calendars = Calendars.read(session, HOURS)
        cases = []
        for back in range(60, 0, -1):
            day = TODAY - timedelta(days=back)
            found = cases_requested(session, calendars, *span_of(day, day), now=NOW)
            service_figures(found)
            cases += found
        assert open_cases(session, calendars, now=NOW) == []
    whole = service_figures(cases)
    assert whole.cases == region.summary.cases
    assert {one.standing for one in cases} == {"over"}
    assert whole.answered > 0.7 * whole.cases
    assert 0 < whole.left_queue < 0.3 * whole.cases
    assert whole.first_response.share is not None
    assert 0.85 < whole.first_response.share < 1
    assert whole.first_response.open == whole.closure.open == 0


def test_what_happened_to_a_case_leads_to_its_row(region: Region) -> None:
    logs = events_of(region)
    for case in rows(region.bridge, Handoff, Handoff.id):
        events = logs[case.id]
        assert [one.at for one in events] == sorted(one.at for one in events)
        assert {one.conversation_id for one in events} == {case.conversation_id}
        replayed = _replayed(events)
        row = (case.reason, case.skill, case.priority, case.requested_at, case.agent_id, case.ended_at)
        assert replayed == row
        assert (case.left_message, case.offered_to, case.due_at) == (False, None, None)


def _replayed(events: list[HandoffEvent]) -> tuple[Any, ...]:
    asked, holder, ended = events[0], None, None
    assert asked.kind == "requested"
    for event in events:
        if event.kind == "claimed":
            assert holder is None
            holder = event.agent_id
        elif event.kind in ("transferred", "vanished"):
            assert event.agent_id == holder
            holder = None
        elif event.kind in ("agent_replied", "paused", "resumed", "handed_back", "closed"):
            assert event.agent_id == holder
        if event.kind in ("handed_back", "closed", "left_queue"):
            assert ended is None
            ended = event.at
    given = asked.data
    return given["reason"], given["skill"], given["priority"], asked.at, holder, ended


def test_events_name_the_messages_that_they_are_about(region: Region) -> None:
    said = {(one.conversation_id, one.seq): one for one in rows(region.bridge, Message, Message.seq)}
    authors = {"agent_replied": "agent", "customer_wrote": "customer"}
    for event in itertools.chain(*events_of(region).values()):
        if event.kind in authors:
            message = said[event.conversation_id, event.data["seq"]]
            assert (message.author, message.at) == (authors[event.kind], event.at)
            assert message.agent_id == event.agent_id


def test_each_log_is_whole_and_everything_understood_is_an_intent(region: Region) -> None:
    logs: dict[str, list[Message]] = defaultdict(list)
    for message in rows(region.bridge, Message, Message.conversation_id, Message.seq):
        logs[message.conversation_id].append(message)
        assert message.at < MIDNIGHT
        if message.understood:
            assert message.author == "customer"
            assert message.understood["intent"] in MATERIAL.book.labels
            assert 0 < message.understood["confidence"] <= 1
            assert bool(message.understood.get("failed")) == (message.understood["intent"] == "nlu_fallback")
    for one in rows(region.bridge, Conversation, Conversation.id):
        log = logs[one.id]
        assert [message.seq for message in log] == list(range(1, one.next_seq))
        assert [message.at for message in log] == sorted(message.at for message in log)
        assert one.mode in ("bot", "closed")
        assert one.created_at == log[0].at
        assert (one.assurance == 1) == bool(one.accounts) == (one.customer_no is not None)
    assert sum(map(len, logs.values())) == region.summary.messages


def test_checks_are_by_a_supervisor_who_had_no_part_in_the_case(region: Region) -> None:
    checks = rows(region.bridge, QualityScore, QualityScore.id)
    logs = events_of(region)
    assert len(checks) > 5
    for check in checks:
        assert check.total == MATERIAL.sheet.total(check.scores)
        assert check.reviewer_id not in {one.agent_id for one in logs[check.handoff_id] if one.kind == "agent_replied"}
    with region.bridge.reading() as session:
        assert set(answered_by(session, logs)) == {
            number for number, log in logs.items() if any(one.kind == "agent_replied" for one in log)
        }


def test_corrections_are_of_messages_of_the_customer_with_an_intent_that_there_is(region: Region) -> None:
    corrected = [one for one in rows(region.bridge, Handoff, Handoff.id) if one.corrected]
    said = {(one.conversation_id, one.seq): one for one in rows(region.bridge, Message, Message.seq)}
    assert len(corrected) > 20
    for case in corrected:
        for seq, intent in case.corrected.items():
            assert said[case.conversation_id, int(seq)].author == "customer"
            assert intent in MATERIAL.book.labels


def test_surveys_are_put_or_skipped_for_every_case_that_an_agent_had(region: Region) -> None:
    surveys = {one.handoff_id: one for one in rows(region.bridge, Survey, Survey.id)}
    had = {one.id for one in rows(region.bridge, Handoff, Handoff.id) if one.agent_id is not None}
    assert set(surveys) == had
    assert all((one.asked_at is None) == (one.skipped is not None) for one in surveys.values())
    assert {one.score for one in surveys.values()} >= {1, 2, 3, 4, 5, None}
    assert any(one.comment for one in surveys.values())


def test_yesterday_the_charging_piles_went_wrong(region: Region) -> None:
    theme = MATERIAL.themes["pile_progress"]
    start, end = span_of(YESTERDAY, YESTERDAY)
    with region.bridge.reading() as session:
        query = select(Message).where(Message.at >= start, Message.at < end, Message.author == "customer")
        said = list(session.scalars(query))
        about = {one.conversation_id for one in said if one.text in theme.messages}
        to_person = set(session.scalars(select(Handoff.conversation_id).where(Handoff.conversation_id.in_(about))))
    lost = [one for one in said if (one.understood or {}).get("failed")]
    assert len(about) >= 4
    assert sum(one.conversation_id in about for one in lost) > 0.6 * len(lost)
    assert len(to_person) > 0.6 * len(about)


def test_more_and_more_is_answered_without_a_person_but_for_one_bad_week(region: Region) -> None:
    days = {one.day: one for one in weathers(MATERIAL, today=TODAY)}
    assert sum(one.bad for one in days.values()) >= 5
    with_person = {one.conversation_id for one in rows(region.bridge, Handoff, Handoff.id)}
    shares: dict[str, list[bool]] = defaultdict(list)
    for one in rows(region.bridge, Conversation, Conversation.id):
        weather = days[one.created_at.astimezone(SHANGHAI).date()]
        if not weather.last:
            part = "bad" if weather.bad else "first" if weather.progress < 0.5 else "last"
            shares[part].append(one.id in with_person)
    first, last, bad = (sum(shares[part]) / len(shares[part]) for part in ("first", "last", "bad"))
    assert last < first < bad
