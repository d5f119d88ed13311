"""The demonstration's past: valid by the functions that read such rows, all over, the same again, and like people."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select

from core import notice, outbox, promise, survey
from core.audit import Auditor
from core.business import BusinessTable
from core.channel.tables import Delivery
from core.clock import SHANGHAI
from core.conversation import Conversation, Message, conversations_with_open_turns, open_conversation
from core.db import Database
from core.handoff import ledger, routing, waiting, watch
from core.handoff.figures import Calendars, arrivals, cases_requested, open_cases, service_figures, span_of
from core.handoff.tables import Handoff, HandoffEvent
from core.migrations import upgrade
from core.notice import Notice
from core.outage import Outage, OutageReport
from core.outbox import OutboxItem
from core.promise import Commitments, Promise
from core.quality import QualityScore, answered_by
from core.seed.agents import demo_agents
from core.seed.history import AlreadyTold, HistorySummary, NobodyAtTheDesk, seed_history
from core.seed.history_data import Material, training_messages
from core.seed.history_days import Plan, Planner, weathers
from core.seed.history_gone import take_away
from core.seed.history_people import People, people_of
from core.seed.network import seed_network
from core.seed.orders import seed_orders
from core.survey import Survey
from core.work_order import WorkOrder, reveal
from core.work_order.tables import NEXT

if TYPE_CHECKING:
    from core.fields import Keyring
    from tests.conftest import NewUrl, Seeded

ROOT = Path(__file__).parents[2]
DATA = ROOT / "data"
HOURS = DATA / "desk" / "hours.yaml"
TODAY = date(2026, 11, 22)  # a Sunday
MIDNIGHT = datetime(2026, 11, 22, tzinfo=SHANGHAI)
NOW = MIDNIGHT + timedelta(minutes=5)
MATERIAL = Material.load(DATA)
YESTERDAY = TODAY - timedelta(days=1)


@dataclass
class Region:
    """The databases with the past in them."""

    billing: Database
    workorder: Database
    bridge: Database
    keyring: Keyring
    summary: HistorySummary


def _databases(seeded: Seeded, new_url: NewUrl, folder: Path, keyring: Keyring) -> tuple[Database, Database]:
    """Return a work-order database with network and orders, and a bridge with agents and no conversation."""
    dialect = seeded.database.engine.dialect.name
    workorder, bridge = (Database(new_url(dialect, folder)) for _ in range(2))
    upgrade("workorder", workorder)
    upgrade("bridge", bridge)
    common = {"keyring": keyring, "now": MIDNIGHT + timedelta(hours=12), "directory": DATA / "demo"}
    businesses, commitments = BusinessTable.load(DATA / "business"), Commitments.load(DATA / "promises.yaml")
    seed_orders(workorder, seeded.database, businesses=businesses, commitments=commitments, **common)
    seed_network(workorder, seeded.database, **common)
    with bridge.transaction() as session:
        demo_agents(session, MIDNIGHT, auditor=Auditor.of(keyring), directory=DATA / "desk")
    return workorder, bridge


def _told(seeded: Seeded, new_url: NewUrl, folder: Path, keyring: Keyring) -> Region:
    workorder, bridge = _databases(seeded, new_url, folder, keyring)
    made = seed_history(seeded.database, workorder, bridge, keyring=keyring, today=TODAY, data_dir=DATA)
    return Region(seeded.database, workorder, bridge, keyring, made)


@pytest.fixture(scope="module")
def region(
    seeded: Seeded, new_url: NewUrl, tmp_path_factory: pytest.TempPathFactory, keyring: Keyring
) -> Iterator[Region]:
    """The past of a small region, once for each dialect; tests only read it."""
    made = _told(seeded, new_url, tmp_path_factory.mktemp("past"), keyring)
    yield made
    made.workorder.dispose()
    made.bridge.dispose()


def _rows(database: Database, table: Any, *order: Any) -> list[Any]:
    with database.reading() as session:
        return list(session.scalars(select(table).order_by(*order)))


def _logs(region: Region) -> dict[int, list[HandoffEvent]]:
    found: dict[int, list[HandoffEvent]] = defaultdict(list)
    for event in _rows(region.bridge, HandoffEvent, HandoffEvent.id):
        found[event.handoff_id].append(event)
    return found


# -- valid


def test_there_are_sixty_days_up_to_yesterday_with_some_conversations_on_each(region: Region) -> None:
    assert (region.summary.first_day, region.summary.last_day) == (TODAY - timedelta(days=60), YESTERDAY)
    days = defaultdict(int)
    for one in _rows(region.bridge, Conversation, Conversation.id):
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
    logs = _logs(region)
    for case in _rows(region.bridge, Handoff, Handoff.id):
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
    said = {(one.conversation_id, one.seq): one for one in _rows(region.bridge, Message, Message.seq)}
    authors = {"agent_replied": "agent", "customer_wrote": "customer"}
    for event in itertools.chain(*_logs(region).values()):
        if event.kind in authors:
            message = said[event.conversation_id, event.data["seq"]]
            assert (message.author, message.at) == (authors[event.kind], event.at)
            assert message.agent_id == event.agent_id


def test_each_log_is_whole_and_everything_understood_is_an_intent(region: Region) -> None:
    logs: dict[str, list[Message]] = defaultdict(list)
    for message in _rows(region.bridge, Message, Message.conversation_id, Message.seq):
        logs[message.conversation_id].append(message)
        assert message.at < MIDNIGHT
        if message.understood:
            assert message.author == "customer"
            assert message.understood["intent"] in MATERIAL.book.labels
            assert 0 < message.understood["confidence"] <= 1
            assert bool(message.understood.get("failed")) == (message.understood["intent"] == "nlu_fallback")
    for one in _rows(region.bridge, Conversation, Conversation.id):
        log = logs[one.id]
        assert [message.seq for message in log] == list(range(1, one.next_seq))
        assert [message.at for message in log] == sorted(message.at for message in log)
        assert one.mode in ("bot", "closed")
        assert one.created_at == log[0].at
        assert (one.assurance == 1) == bool(one.accounts) == (one.customer_no is not None)
    assert sum(map(len, logs.values())) == region.summary.messages


def test_checks_are_by_a_supervisor_who_had_no_part_in_the_case(region: Region) -> None:
    checks = _rows(region.bridge, QualityScore, QualityScore.id)
    logs = _logs(region)
    assert len(checks) > 5
    for check in checks:
        assert check.total == MATERIAL.sheet.total(check.scores)
        assert check.reviewer_id not in {one.agent_id for one in logs[check.handoff_id] if one.kind == "agent_replied"}
    with region.bridge.reading() as session:
        assert set(answered_by(session, logs)) == {
            number for number, log in logs.items() if any(one.kind == "agent_replied" for one in log)
        }


def test_corrections_are_of_messages_of_the_customer_with_an_intent_that_there_is(region: Region) -> None:
    corrected = [one for one in _rows(region.bridge, Handoff, Handoff.id) if one.corrected]
    said = {(one.conversation_id, one.seq): one for one in _rows(region.bridge, Message, Message.seq)}
    assert len(corrected) > 20
    for case in corrected:
        for seq, intent in case.corrected.items():
            assert said[case.conversation_id, int(seq)].author == "customer"
            assert intent in MATERIAL.book.labels


def test_surveys_are_put_or_skipped_for_every_case_that_an_agent_had(region: Region) -> None:
    surveys = {one.handoff_id: one for one in _rows(region.bridge, Survey, Survey.id)}
    had = {one.id for one in _rows(region.bridge, Handoff, Handoff.id) if one.agent_id is not None}
    assert set(surveys) == had
    assert all((one.asked_at is None) == (one.skipped is not None) for one in surveys.values())
    assert {one.score for one in surveys.values()} >= {1, 2, 3, 4, 5, None}
    assert any(one.comment for one in surveys.values())


# -- orders, outages, promises


def test_every_order_went_a_way_that_orders_may_go_and_is_over(region: Region) -> None:
    orders = [one for one in _with_events(region) if one[0].cause.startswith("history:")]
    assert len(orders) == region.summary.orders > 20
    for order, events in orders:
        state = "accepted"
        for event in events[1:]:
            assert event.values["from"] == state
            assert event.values["to"] in NEXT[state]
            state = event.values["to"]
        assert state == order.state in ("closed", "cancelled")
        assert [one.at for one in events] == sorted(one.at for one in events)
        assert order.closed_at == events[-1].at < MIDNIGHT
        assert reveal(order, keyring=region.keyring).description


def _with_events(region: Region) -> list[tuple[WorkOrder, list[Any]]]:
    with region.workorder.reading() as session:
        return [(one, list(one.events)) for one in session.scalars(select(WorkOrder).order_by(WorkOrder.id))]


def test_promises_are_mostly_kept_and_arrivals_can_be_measured(region: Region) -> None:
    told = [one for one in _rows(region.workorder, Promise, Promise.id) if one.conversation_id and _is_past(one)]
    in_time = [one for one in told if one.kept_at is not None and one.kept_at <= one.due_at]
    assert all(one.kept_at is not None and one.kept_at < MIDNIGHT for one in told)
    assert 0.6 < len(in_time) / len(told) < 1
    commitments = Commitments.load(DATA / "promises.yaml")
    with region.bridge.reading() as session:
        calendars = Calendars.read(session, HOURS)
    with region.workorder.reading() as session:
        figures = arrivals(session, commitments, calendars, MIDNIGHT - timedelta(days=60), MIDNIGHT, now=NOW)
    assert {"met"} <= {one.state for one in figures.values()}


def _is_past(one: Promise) -> bool:
    return not str(one.conversation_id).startswith("demo-")


def test_the_ledger_has_nothing_to_add_to_what_the_cases_promised(region: Region) -> None:
    cases = _rows(region.bridge, Handoff, Handoff.id)

    def count() -> int:
        return len(_rows(region.workorder, Promise, Promise.id))

    before = count()
    for case in cases:
        with region.bridge.reading() as log, region.workorder.reading() as session:
            found = ledger.told_of(log, case.id)
            assert found is not None
            ledger.enter(session, found)
            assert not session.new
            assert session.scalar(select(func.count()).select_from(Promise)) == before


def test_outages_are_over_and_were_reported_in_conversations_that_there_are(region: Region) -> None:
    talks = {one.id for one in _rows(region.bridge, Conversation, Conversation.id)}
    reports = [one for one in _rows(region.workorder, OutageReport, OutageReport.id) if one.conversation_id in talks]
    outages = {one.id: one for one in _rows(region.workorder, Outage, Outage.id)}
    assert len({one.outage_id for one in reports}) == region.summary.outages > 10
    for report in reports:
        outage = outages[report.outage_id]
        assert outage.state == "restored"
        assert outage.started_at <= report.at < outage.restored_at < MIDNIGHT + timedelta(hours=2)


# -- nothing to be done


@pytest.mark.parametrize("later", [timedelta(minutes=5), timedelta(hours=9), timedelta(days=2)])
def test_no_loop_of_the_bridge_finds_anything_to_do(region: Region, later: timedelta) -> None:
    now, book = MIDNIGHT + later, MATERIAL.book
    with region.bridge.reading() as session:
        assert conversations_with_open_turns(session) == []
        assert waiting.due_cases(session, now=now) == []
        assert watch.to_note(session, book=book, now=now) == []
        assert routing.plan(session, book=book, now=now) == []
        assert routing.vanished(session, book=book, now=now) == []
        assert survey.due(session, book=book, now=now) == []
        assert outbox.due(session, now=now) == []
        assert [session.scalar(select(func.count()).select_from(one)) for one in (OutboxItem, Delivery)] == [0, 0]
    with region.workorder.reading() as session:
        assert notice.due(session) == []
        assert session.scalar(select(func.count()).select_from(Notice)) == 0
        late = promise.late(session, now)
    talks = {one.id for one in _rows(region.bridge, Conversation, Conversation.id)}
    assert [one for one in late if one.conversation_id in talks] == []


# -- what there is to find


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
    with_person = {one.conversation_id for one in _rows(region.bridge, Handoff, Handoff.id)}
    shares: dict[str, list[bool]] = defaultdict(list)
    for one in _rows(region.bridge, Conversation, Conversation.id):
        weather = days[one.created_at.astimezone(SHANGHAI).date()]
        if not weather.last:
            part = "bad" if weather.bad else "first" if weather.progress < 0.5 else "last"
            shares[part].append(one.id in with_person)
    first, last, bad = (sum(shares[part]) / len(shares[part]) for part in ("first", "last", "bad"))
    assert last < first < bad


# -- the same again


def test_the_same_day_gives_the_same_past(
    region: Region, seeded: Seeded, new_url: NewUrl, tmp_path: Path, keyring: Keyring
) -> None:
    again = _told(seeded, new_url, tmp_path, keyring)
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
    workorder, bridge = _databases(seeded, new_url, tmp_path, keyring)
    with bridge.transaction() as session:
        open_conversation(session, channel="web", customer_no=None, accounts=[], assurance=0, now=NOW)
    with pytest.raises(AlreadyTold):
        seed_history(seeded.database, workorder, bridge, keyring=keyring, today=TODAY, data_dir=DATA)
    assert len(_rows(bridge, Conversation, Conversation.id)) == 1


def test_without_the_desks_people_there_is_no_past(
    seeded: Seeded, new_url: NewUrl, tmp_path: Path, keyring: Keyring
) -> None:
    workorder, _ = _databases(seeded, new_url, tmp_path, keyring)
    bridge = Database(new_url(seeded.database.engine.dialect.name, tmp_path))
    upgrade("bridge", bridge)
    with pytest.raises(NobodyAtTheDesk):
        seed_history(seeded.database, workorder, bridge, keyring=keyring, today=TODAY, data_dir=DATA)


def test_the_past_can_be_taken_away_without_what_came_after_it(
    seeded: Seeded, new_url: NewUrl, tmp_path: Path, keyring: Keyring
) -> None:
    made = _told(seeded, new_url, tmp_path, keyring)
    with made.bridge.transaction() as session:
        mine = open_conversation(session, channel="web", customer_no=None, accounts=[], assurance=0, now=NOW).id
    assert take_away(made.bridge, made.workorder) == made.summary.conversations
    assert [one.id for one in _rows(made.bridge, Conversation, Conversation.id)] == [mine]
    for table in (Message, Handoff, HandoffEvent, Survey, QualityScore):
        assert _rows(made.bridge, table) == []
    assert {one.cause.partition(":")[0] for one in _rows(made.workorder, WorkOrder)} == {"seed"}


# -- the texts


def test_what_is_not_understood_is_said_by_people_each_in_words_of_their_own() -> None:
    said = [text for theme in MATERIAL.themes.values() for text in theme.messages]
    assert len(MATERIAL.themes) >= 12
    assert len(said) >= 200
    near = max(itertools.combinations(said, 2), key=_likeness)
    assert _likeness(near) < 0.6, near


def _likeness(pair: tuple[str, str]) -> float:
    one, other = ({text[place : place + 3] for place in range(max(1, len(text) - 2))} for text in pair)
    return len(one & other) / len(one | other)


def test_nothing_of_it_is_a_message_that_the_model_is_judged_by() -> None:
    judged = {line.partition("\t")[0] for path in (ROOT / "tests" / "nlu").glob("*.tsv") for line in _lines(path)}
    said = {text for theme in MATERIAL.themes.values() for text in theme.messages}
    assert len(judged) > 1000
    assert judged & said == set()


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_the_safety_line_and_the_rules_of_anger_see_nothing_in_what_is_not_understood() -> None:
    for theme in MATERIAL.themes.values():
        for text in theme.messages:
            assert not MATERIAL.is_danger(text), text
            assert not MATERIAL.book.rules.is_angry(text), text
    assert all(MATERIAL.book.rules.is_angry(text) for text in MATERIAL.words.customer.angry)


def test_training_messages_are_read_by_intent_without_double_ones() -> None:
    found = training_messages(DATA / "nlu")
    assert set(found) <= set(MATERIAL.book.labels)
    assert not any("+" in intent for intent in found)
    assert min(map(len, found.values())) > 20
