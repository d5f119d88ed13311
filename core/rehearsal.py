"""Rehearsals: an answer is worked out as in earnest, and nothing is changed by it (the desk's drafts)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from core.db import Database
from core.one_time_code import Parcel


class RehearsedDatabase(Database):
    """A database over the connections of another, whose transactions are carried out and always rolled back."""

    def __init__(self, database: Database) -> None:
        # Not the base's own start, which would open further connections: only `transaction` differs.
        self.__dict__.update(vars(database))

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Give a session; what the block has changed is checked by the database, and thrown away."""
        with self._session() as session, session.begin() as transaction:
            yield session
            session.flush()
            session.expunge_all()  # a rollback would empty the objects that the answer is made from
            transaction.rollback()


class SilentSender:
    """A sender of one-time codes that sends none."""

    def send(self, session: Session, parcel: Parcel) -> None:
        """See `CodeSender.send`."""
