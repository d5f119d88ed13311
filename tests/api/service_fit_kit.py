"""What the tests of fitted service over HTTP share: a desk with a customer of each segment, and calls that are owed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bridge_kit import Customer, customer_token
from fitting_kit import publish
from sqlalchemy import select
from supervision_kit import Office, Seat, office

from core.db import Database
from core.migrations import upgrade
from core.recommend.tables import CallBack
from core.segment.tables import SEGMENTS
from tests.dialects import NewUrl

NUMBERS = {key: f"C00000{place}" for place, key in enumerate(SEGMENTS)}


@asynccontextmanager
async def fitted_office(urls: tuple[str, str], new_url: NewUrl, tmp_path: Path, **more: Any) -> AsyncIterator[Office]:
    """Open a desk with a customer of each segment in the published run; `more`: figures of their portraits."""
    billing = new_url("sqlite", tmp_path)
    database = Database(billing)
    upgrade("billing", database)
    database.dispose()
    async with office(urls, billing_url=billing) as one:
        portraits = {number: key for key, number in NUMBERS.items()}
        one.write(lambda session: publish(session, portraits, now=one.clock(), **more))
        yield one


def token(desk: Office, segment: str) -> str:
    account = f"{4_200_000_000_001 + SEGMENTS.index(segment)}"
    return customer_token(customer_no=NUMBERS[segment], accounts=(account,), now=desk.clock())


async def ended(
    desk: Office, agent: Seat, segment: str | None = "special_service", **more: Any
) -> tuple[Customer, CallBack]:  # fmt: skip
    """Let an agent serve a customer (of a segment, or unknown) until the end; the call that is owed then."""
    given = {"token": token(desk, segment)} if segment else {}
    customer, case = await desk.closed(agent, **given, **more)
    with desk.bridge.parts.bridge.reading() as session:
        return customer, session.scalars(select(CallBack).where(CallBack.handoff_id == case)).one()
