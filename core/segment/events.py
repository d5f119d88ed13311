"""What changes a portrait at once, between two runs: written once for its cause, read by `core.segment.standing`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import and_, delete, select
from sqlalchemy.orm import Session

from core.locking import one_at_a_time
from core.portrait.tables import PortraitEvent
from core.segment.rules import EventKind, Rules, load_rules

DATA = Path(__file__).parents[2] / "data" / "segments"


def note(
    session: Session, *, account_no: str, customer_no: str | None, kind: EventKind, cause: str, at: datetime,
    data: Mapping[str, Any] | None = None, segment: str | None = None, rules: Rules | None = None,
) -> bool:  # fmt: skip
    """Write an event down and tell whether it is new; the same cause (80 characters) counts once.

    What it makes of the account stands in segments.yaml; `segment` overrides it (what a settled account falls back to).
    `data` are figures, never personal data. The kinds are those of segments.yaml; KeyError for another.
    """
    effect = (rules or _rules()).events[kind]
    one_at_a_time(session, "portrait_events")
    if session.scalar(select(PortraitEvent.id).where(PortraitEvent.cause == cause)) is not None:
        return False
    session.add(
        PortraitEvent(
            account_no=account_no, customer_no=customer_no, at=at, kind=kind, cause=cause,
            segment=segment or effect.segment, tags=list(effect.tags), data=dict(data or {}),
        )
    )  # fmt: skip
    session.flush()
    return True


def cause_of_order(order_no: str, account_no: str) -> str:
    """Return the cause of what a work order means for an account."""
    return f"order:{order_no}:{account_no}"


def take_back(session: Session, *, order_no: str, account_no: str | None, customer_no: str | None) -> None:
    """Take away what an order brought about; without an account: for whichever accounts of the customer."""
    if account_no is not None:
        of_order = PortraitEvent.cause == cause_of_order(order_no, account_no)
    else:
        begins = PortraitEvent.cause.startswith(cause_of_order(order_no, ""), autoescape=True)
        of_order = and_(PortraitEvent.customer_no == customer_no, begins)
    session.execute(delete(PortraitEvent).where(of_order))


def cause_of_payment(payment_id: int, what: str) -> str:
    """Return the cause of what a payment means for its account."""
    return f"payment:{payment_id}:{what}"


def payment_of(cause: str) -> int | None:
    """Return the payment that such a cause names, None if it is of something else."""
    kind, _, rest = cause.partition(":")
    number = rest.partition(":")[0]
    return int(number) if kind == "payment" and number.isdigit() else None


def take_back_payment(session: Session, payment_id: int) -> None:
    """Take away what a payment brought about."""
    begins = PortraitEvent.cause.startswith(cause_of_payment(payment_id, ""), autoescape=True)
    session.execute(delete(PortraitEvent).where(begins))


@cache
def _rules() -> Rules:
    return load_rules(DATA)
