"""One at a time through a door with a name: for what must be decided from all rows at once."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session


def one_at_a_time(session: Session, name: str) -> None:
    """Wait until no other transaction holds `name`, and hold it until this one ends.

    What others committed before is seen by the statements that follow. On SQLite every writing transaction has
    held the whole database since it began (see `core.db`).
    """
    if session.connection().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": name})
