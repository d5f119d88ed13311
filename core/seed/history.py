"""Sixty days of conversations, cases, orders and outages of the demonstration, up to yesterday evening.

For development alone: dashboards, learning and portraits then have something to show. Everything is over: nothing of it
is open, due or to be sent, so that no loop of the bridge does anything about it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import Session

from core.conversation import Conversation, Message
from core.db import Database
from core.desk_note import DeskNote
from core.fields import Keyring
from core.handoff.tables import Handoff, HandoffEvent
from core.notice import Notice
from core.outage import Outage, OutageNode, OutageReport, OutageSubscriber
from core.promise import Promise
from core.quality import QualityScore
from core.seed.history_data import Material
from core.seed.history_days import Dark, Planner, end_of, weathers
from core.seed.history_desk import NobodyAtTheDesk, desk_of
from core.seed.history_orders import WorkOrderRows
from core.seed.history_people import people_of
from core.seed.history_talk import Teller, Told
from core.survey import Survey
from core.work_order.tables import OrderEvent, WorkOrder

__all__ = ["AlreadyTold", "HistorySummary", "NobodyAtTheDesk", "seed_history"]

CHUNK = 5_000
Progress = Callable[[str, int, int], None]


class AlreadyTold(Exception):
    """The bridge has conversations; the history is only written where there is none."""


@dataclass(frozen=True)
class HistorySummary:
    """How much was written, and of which days."""

    first_day: date
    last_day: date
    conversations: int
    messages: int
    cases: int
    orders: int
    outages: int


def seed_history(
    billing: Database,
    workorder: Database,
    bridge: Database,
    *,
    keyring: Keyring,
    today: date,
    data_dir: Path,
    progress: Progress = lambda _stage, _done, _whole: None,
) -> HistorySummary:
    """Write the history up to the day before `today`; the network, the customers and the desk's people are there.

    The same day and the same databases give the same content, but for the random part of ciphertexts.

    Raises:
        AlreadyTold: if the bridge has a conversation.
        NobodyAtTheDesk: if the demonstration's agents are not there.
        DemoDataError: if a file of the demonstration is malformed.
    """
    material, limit = Material.load(data_dir), end_of(today)
    people = people_of(billing, workorder, today=today, directory=data_dir / "demo")
    days = weathers(material, today=today)
    scale = min(1.0, (len(people.line) or 1) / material.days.full_region)
    planner = Planner(material, people, max(scale, 0.2))
    with bridge.reading() as session:
        _refuse_unless_empty(session)
        teller = Teller(material, desk_of(session, data_dir / "desk"), limit)
        first_event = (session.scalar(select(func.max(HandoffEvent.id))) or 0) + 1
    told: list[Told] = []
    darks: list[Dark] = []
    for done, weather in enumerate(days):
        progress("days", done, len(days))
        told += map(teller.tell, planner.day(weather))
        darks += planner.darkness(weather)
    with workorder.transaction() as session:
        rows = WorkOrderRows.behind(session, material, people, keyring, limit)
        _fill(rows, told, darks)
        _write_orders(session, rows)
    with bridge.transaction() as session:
        _refuse_unless_empty(session)
        messages = _write_bridge(session, told, first_event)
    progress("days", len(days), len(days))
    return HistorySummary(
        days[0].day, days[-1].day, len(told), messages, sum(one.case is not None for one in told), len(rows.orders),
        len(rows.outages),
    )  # fmt: skip


def _fill(rows: WorkOrderRows, told: list[Told], darks: list[Dark]) -> None:
    by_dark: dict[Dark, list[Told]] = {dark: [] for dark in darks}
    for one in told:
        if one.plan.dark is not None:
            by_dark[one.plan.dark].append(one)
        if one.order is not None:
            rows.order(one)
        if one.case is not None:
            rows.case(one.case)
    for dark, reporters in by_dark.items():
        rows.dark(dark, reporters)


def _write_orders(session: Session, rows: WorkOrderRows) -> None:
    tables = (
        (WorkOrder, rows.orders), (OrderEvent, rows.order_events), (Outage, rows.outages),
        (OutageNode, rows.outage_nodes), (OutageReport, rows.reports), (OutageSubscriber, rows.subscribers),
        (Promise, rows.promises), (Notice, rows.notices),
    )  # fmt: skip
    for model, content in tables:
        _insert(session, model, content)
    _advance(session, (WorkOrder, Outage))


def _write_bridge(session: Session, told: list[Told], first_event: int) -> int:
    """Write conversations and cases; return how many messages there were."""
    cases = [one.case for one in told if one.case is not None]
    events = sorted((event for case in cases for event in case.events), key=itemgetter("at"))
    messages = [row for one in told for row in one.log.messages]
    tables: tuple[tuple[Any, list[dict[str, Any]]], ...] = (
        (Conversation, [one.log.row() for one in told]),
        (Message, messages),
        (Handoff, [case.row for case in cases]),
        (HandoffEvent, [{"id": number, **event} for number, event in enumerate(events, first_event)]),
        (Survey, [case.survey for case in cases if case.survey is not None]),
        (QualityScore, [case.score for case in cases if case.score is not None]),
        (DeskNote, [note for case in cases for note in case.notes]),
    )
    for model, content in tables:
        _insert(session, model, content)
    _advance(session, (Handoff, HandoffEvent))
    return len(messages)


def _refuse_unless_empty(session: Session) -> None:
    if session.scalar(select(Conversation.id).limit(1)) is not None:
        raise AlreadyTold


def _insert(session: Session, model: Any, rows: Iterable[dict[str, Any]]) -> None:
    rest = iter(rows)
    while chunk := list(islice(rest, CHUNK)):
        session.execute(insert(model.__table__), chunk)


def _advance(session: Session, models: Iterable[Any]) -> None:
    """Let PostgreSQL give ids above those that were given here."""
    if session.get_bind().dialect.name != "postgresql":
        return
    for model in models:
        name = model.__tablename__
        highest = session.scalar(select(func.max(model.id)))
        if highest is not None:
            session.execute(
                text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :highest)"), {"name": name, "highest": highest}
            )
