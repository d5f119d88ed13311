"""Outages of the demonstration region: past, under way with their reports, suspected and planned, seen from `now`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from random import Random
from typing import TypedDict

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.clock import SHANGHAI
from core.demo import DemoCustomer
from core.network import TRANSFORMER, NetworkNode
from core.outage import Outage, OutageReport, open_outage, subscribe

# Customers of the demonstration whose supply stays undisturbed: their stories are about other things.
UNDISTURBED = ("tier", "arrears", "prepaid")
OUT_NOW, OUT_SOON, SUSPECTED = "charging", "three_homes", "large_family"
PAST_OUTAGES = 40
_PAST_CAUSES = ("cable", "line", "overload", "storm", "equipment", "maintenance")


class Made(TypedDict):
    """How many outages there are, and which demonstration customers live in which (their ids)."""

    outages: int
    out_now: str | None
    out_soon: str | None
    suspected: str | None


def write_outages(
    session: Session, nodes: Sequence[NetworkNode], connected: Mapping[str, str], known: Sequence[DemoCustomer],
    now: datetime,
) -> Made:  # fmt: skip
    """Write all outages; `connected` is the transformer of each account."""
    where = {one.id: [connected[number] for number in one.account_nos if number in connected] for one in known}
    kept = {code for name in UNDISTURBED for code in where.get(name, [])}
    by_code = {node.code: node for node in nodes}
    free = [node for node in nodes if node.kind == TRANSFORMER and node.code not in kept]
    taken: set[str] = set(kept)
    homes = {name: _home(where.get(name, []), taken, free) for name in (OUT_NOW, OUT_SOON, SUSPECTED)}
    _current(session, by_code, homes, free, taken, now)
    _planned(session, homes[OUT_SOON], free, taken, now)
    _past(session, free, now)
    living = {name: name if homes[name] in where.get(name, []) else None for name in homes}
    return Made(
        outages=session.scalar(select(func.count()).select_from(Outage)) or 0, out_now=living[OUT_NOW],
        out_soon=living[OUT_SOON], suspected=living[SUSPECTED],
    )  # fmt: skip


def _home(codes: Sequence[str], taken: set[str], free: Sequence[NetworkNode]) -> str:
    """Return a transformer for an outage: that of the customer, else the first that nothing else uses."""
    home = next((code for code in codes if code not in taken), None)
    chosen = home or next(node.code for node in free if node.code not in taken)
    taken.add(chosen)
    return chosen


def _current(
    session: Session, nodes: Mapping[str, NetworkNode], homes: Mapping[str, str], free: Sequence[NetworkNode],
    taken: set[str], now: datetime,
) -> None:  # fmt: skip
    """Write a fault under repair, one whose end nobody knows yet, and a suspected one, each with its reports."""
    began = now - timedelta(minutes=75)
    fault = open_outage(
        session, [homes[OUT_NOW]], kind="fault", state="active", cause="cable", started_at=began,
        expected_at=_quarter(now + timedelta(minutes=100)), now=now - timedelta(minutes=10),
    )  # fmt: skip
    _heard(session, fault, nodes, began, 5)
    rural = next(node.code for node in free if node.area_class == "rural" and node.code not in taken)
    taken.add(rural)
    line = open_outage(
        session, [rural], kind="fault", state="confirmed", cause="line", started_at=now - timedelta(minutes=35),
        now=now - timedelta(minutes=20),
    )  # fmt: skip
    _heard(session, line, nodes, now - timedelta(minutes=35), 3)
    first = now - timedelta(minutes=18)
    suspected = open_outage(
        session, [homes[SUSPECTED]], kind="fault", state="suspected", started_at=first, now=now - timedelta(minutes=9)
    )
    _heard(session, suspected, nodes, first, 3)


def _heard(session: Session, outage: Outage, nodes: Mapping[str, NetworkNode], began: datetime, count: int) -> None:
    """Write reports by conversations of the past, which are told how it goes on."""
    node = nodes[outage.nodes[0].node_code]
    for number in range(count):
        conversation = f"demo-{outage.outage_no}-{number + 1}"
        at = began + timedelta(minutes=2 + 3 * number)
        session.add(
            OutageReport(
                conversation_id=conversation, outage_id=outage.id, transformer_code=node.code, area=node.area,
                premises=f"{conversation}", at=at,
            )
        )  # fmt: skip
        subscribe(session, outage, conversation, now=at)
    session.flush()


def _planned(session: Session, home: str, free: Sequence[NetworkNode], taken: set[str], now: datetime) -> None:
    """Write works announced a week or more before (十项承诺: planned ≥ 7 days ahead), and a temporary one."""
    said = now - timedelta(days=7)
    chosen = [
        (home, 2, "maintenance"),
        *((node.code, 3 + place * 2, "upgrade") for place, node in _spread(free, taken, 3)),
    ]
    for code, days, cause in chosen:
        first, last = _on(now, days, time(8)), _on(now, days, time(17))
        open_outage(
            session, [code], kind="planned", state="planned", cause=cause, started_at=first, expected_at=last, now=said
        )
    for _, node in _spread(free, taken | {code for code, _, _ in chosen}, 1):
        first, last = _on(now, 1, time(13, 30)), _on(now, 1, time(16))
        open_outage(
            session, [node.code], kind="temporary", state="planned", cause="defect", started_at=first,
            expected_at=last, now=now - timedelta(hours=6),
        )  # fmt: skip


def _spread(free: Sequence[NetworkNode], taken: set[str], count: int) -> list[tuple[int, NetworkNode]]:
    left = [node for node in free if node.code not in taken]
    step = max(1, len(left) // (count + 1))
    return list(enumerate(left[step::step][:count]))


def _past(session: Session, free: Sequence[NetworkNode], now: datetime) -> None:
    """Write outages of the past year that are over."""
    for number in range(PAST_OUTAGES):
        rng = Random(f"{number}:outage")
        node, cause = rng.choice(free), rng.choice(_PAST_CAUSES)
        days = rng.randint(number * 9 + 2, number * 9 + 8)
        kind = "planned" if cause == "maintenance" else "fault"
        began = _on(now, -days, time(8) if kind == "planned" else time(rng.randint(0, 23), rng.randint(0, 59)))
        took = timedelta(minutes=rng.randint(35, 420))
        outage = open_outage(
            session, [node.code], kind=kind, state="active", cause=cause, started_at=began, now=began,
            expected_at=began + took + timedelta(minutes=rng.randint(-30, 60)) if took > timedelta(hours=1) else None,
        )  # fmt: skip
        outage.state, outage.restored_at = "restored", began + took
    session.flush()


def _on(now: datetime, days: int, at: time) -> datetime:
    return datetime.combine(now.astimezone(SHANGHAI).date() + timedelta(days=days), at, SHANGHAI)


def _quarter(at: datetime) -> datetime:
    """Return the time rounded up to the next quarter of an hour, as crews say it."""
    local = at.astimezone(SHANGHAI).replace(second=0, microsecond=0)
    return local + timedelta(minutes=-local.minute % 15)
