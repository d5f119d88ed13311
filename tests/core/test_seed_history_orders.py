"""Orders, outages, promises and notices of the demonstration's past: all over, so that no loop finds anything to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from past_kit import DATA, HOURS, MATERIAL, MIDNIGHT, NOW, TODAY, YESTERDAY, Region, past, rows
from sqlalchemy import func, select

from api.wording import Wording
from core import notice, outbox, promise, survey
from core.channel.tables import Delivery
from core.conversation import Conversation, Message, conversations_with_open_turns
from core.handoff import ledger, routing, waiting, watch
from core.handoff.figures import Calendars, arrivals
from core.handoff.tables import Handoff
from core.insight.boards import board_json
from core.insight.kpi import Asked, Sources
from core.insight.spans import Span
from core.insight.words import words_of
from core.notice import Notice
from core.outage import Outage, OutageReport, OutageSubscriber
from core.outbox import OutboxItem
from core.promise import Commitments, Promise
from core.work_order import WorkOrder, reveal
from core.work_order.tables import NEXT

if TYPE_CHECKING:
    from core.fields import Keyring
    from tests.conftest import NewUrl, Seeded


@pytest.fixture(scope="module")
def region(
    seeded: Seeded, new_url: NewUrl, tmp_path_factory: pytest.TempPathFactory, keyring: Keyring
) -> Iterator[Region]:
    with past(seeded, new_url, tmp_path_factory.mktemp("past"), keyring) as made:
        yield made


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
    told = [one for one in rows(region.workorder, Promise, Promise.id) if one.conversation_id and _is_past(one)]
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
    cases = rows(region.bridge, Handoff, Handoff.id)

    def count() -> int:
        return len(rows(region.workorder, Promise, Promise.id))

    before = count()
    for case in cases:
        with region.bridge.reading() as log, region.workorder.reading() as session:
            found = ledger.told_of(log, case.id)
            assert found is not None
            ledger.enter(session, found)
            assert not session.new
            assert session.scalar(select(func.count()).select_from(Promise)) == before


def test_outages_are_over_and_were_reported_in_conversations_that_there_are(region: Region) -> None:
    talks = {one.id for one in rows(region.bridge, Conversation, Conversation.id)}
    reports = [one for one in rows(region.workorder, OutageReport, OutageReport.id) if one.conversation_id in talks]
    outages = {one.id: one for one in rows(region.workorder, Outage, Outage.id)}
    assert len({one.outage_id for one in reports}) == region.summary.outages > 10
    for report in reports:
        outage = outages[report.outage_id]
        assert outage.state == "restored"
        assert outage.started_at <= report.at < outage.restored_at < MIDNIGHT + timedelta(hours=2)


def test_who_waited_for_news_of_an_outage_was_told_in_the_same_words_but_for_some(region: Region) -> None:
    talks = {one.id for one in rows(region.bridge, Conversation, Conversation.id)}
    waiting_for = rows(region.workorder, OutageSubscriber, OutageSubscriber.id)
    mine = {(one.outage_id, one.conversation_id) for one in waiting_for if one.conversation_id in talks}
    said = {(one.conversation_id, one.at): one for one in rows(region.bridge, Message, Message.seq)}
    notices = rows(region.workorder, Notice, Notice.id)
    told = set()
    for one in notices:
        _, outage, what, *_ = one.key.split(":")
        assert one.key.endswith(f":{one.conversation_id}")
        assert one.wording == f"outage_{what}"
        told.add((int(outage), one.conversation_id))
        message = said[one.conversation_id, one.delivered_at]
        assert (message.author, message.type, message.in_reply_to) == ("system", "notice", None)
        assert one.values["area"] in message.text
        assert one.created_at < one.delivered_at < MIDNIGHT
    assert told < mine
    assert 0.75 < len(told) / len(mine) < 1
    assert {one.wording for one in notices} == {"outage_expected", "outage_restored"}
    late = [one for one in notices if one.delivered_at - one.created_at > timedelta(minutes=14)]
    assert 0 < len(late) < 0.4 * len(notices)


def test_notices_are_worded_as_the_bridge_words_them(region: Region) -> None:
    wording = Wording.load(DATA / "wording.yaml")
    said = {(one.conversation_id, one.at): one for one in rows(region.bridge, Message, Message.seq)}
    for one in rows(region.workorder, Notice, Notice.id):
        text, buttons = wording.notice(one.wording, one.values, now=one.delivered_at)
        assert (said[one.conversation_id, one.delivered_at].text, buttons) == (text, ())


def test_the_board_of_the_network_sees_who_was_told_and_who_came_in_time(region: Region) -> None:
    words, span = words_of(DATA), Span.of(TODAY - timedelta(days=60), YESTERDAY)
    sources = Sources(region.bridge, region.workorder, region.billing, DATA)
    found = board_json("network", sources, Asked(span, None, NOW), words)
    shown = {one["key"]: one["value"] for group in found["groups"] for one in group["figures"]}
    assert 0.75 < shown["outage_told"] < 1
    assert 0.5 < shown["field_arrival"] < 1
    assert 0.5 < shown["restore_kept"] < 1


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
        assert session.scalar(select(func.count()).where(Notice.delivered_at.is_(None))) == 0
        late = promise.late(session, now)
    talks = {one.id for one in rows(region.bridge, Conversation, Conversation.id)}
    assert [one for one in late if one.conversation_id in talks] == []
