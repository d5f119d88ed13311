"""How outages, reports, subscribers and arrivals are shown as rows: places, never addresses."""

from __future__ import annotations

from core.insight.arrivals import Arrival
from core.insight.kpi import Cell, Table
from core.insight.network_items import OutageItem, Subscriber
from core.insight.service_tables import link_to, time
from core.insight.words import Words


def _yes(value: bool | None, words: Words) -> Cell:
    return None if value is None else words.yes_no[value]


def _minutes(value: float | None) -> Cell:
    return None if value is None else round(value, 1)


def _cause(one: OutageItem, words: Words) -> Cell:
    return words.value("cause", one.cause) if one.cause else None


OUTAGES = Table(
    columns={
        "at": lambda one, _words: time(one.at),
        "outage_no": lambda one, _words: one.outage_no,
        "outage_kind": lambda one, words: words.value("outage_kind", one.kind),
        "state": lambda one, words: words.value("outage_state", one.state),
        "cause": _cause,
        "area": lambda one, _words: one.area,
        "district": lambda one, _words: one.district,
        "accounts": lambda one, _words: one.accounts,
        "expected_at": lambda one, _words: time(one.expected_at),
        "restored_at": lambda one, _words: time(one.restored_at),
        "kept": lambda one, words: _yes(one.kept, words),
        "late_minutes": lambda one, _words: _minutes(one.late_minutes),
        "said_at": lambda one, _words: time(one.said_at),
        "again": lambda one, words: _yes(one.again, words),
    }
)
DARK = Table(
    columns={
        "at": lambda one, _words: time(one.at),
        "transformer": lambda one, _words: one.name,
        "district": lambda one, _words: one.district,
        "outage_no": lambda one, _words: one.outage_no,
        "accounts": lambda one, _words: one.accounts,
    }
)
REPORTS = Table(
    columns={
        "at": lambda one, _words: time(one.at),
        "area": lambda one, _words: one.area,
        "district": lambda one, _words: one.district,
        "outage_no": lambda one, _words: one.outage_no,
        "order_no": lambda one, _words: one.order_no,
        "conversation_id": lambda one, _words: one.conversation_id,
    },
    link=lambda one: link_to(one.conversation_id),
)


def _heard(one: Subscriber, words: Words) -> Cell:
    return _yes(one.heard, words)


SUBSCRIBERS = Table(
    columns={
        "at": lambda one, _words: time(one.at),
        "outage_no": lambda one, _words: one.outage_no,
        "notices": lambda one, _words: one.told,
        "heard": _heard,
        "conversation_id": lambda one, _words: one.conversation_id,
    },
    link=lambda one: link_to(one.conversation_id),
)


def _clock(one: Arrival, words: Words) -> Cell:
    return words.value("clock", one.figure.state)


ARRIVALS = Table(
    columns={
        "at": lambda one, _words: time(one.at),
        "order_no": lambda one, _words: one.order_no,
        "district": lambda one, _words: one.district,
        "area_class": lambda one, words: words.value("area_class", one.area_class),
        "due_at": lambda one, _words: time(one.figure.due_at),
        "arrived_at": lambda one, _words: time(one.arrived_at),
        "state": _clock,
    }
)
