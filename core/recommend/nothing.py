"""Of which accounts the engines have nothing to say today: who asks for five bills has them asked once."""

from __future__ import annotations

from datetime import date
from threading import Lock
from weakref import WeakKeyDictionary

from core.db import Database

MOST = 50_000  # accounts that are remembered


class Nothing:
    """Kinds that are not worth saying, by account, for the day of which they were asked.

    Readings and bills come once a day: what one brings is found the next day. That something was found is not
    remembered; how many yuan it is the engine is asked again.
    """

    def __init__(self) -> None:
        self._day = date.min
        self._kinds: dict[str, frozenset[str]] = {}
        self._lock = Lock()

    def of(self, account_no: str, today: date) -> frozenset[str]:
        """Return the kinds of which nothing is to be said of an account today."""
        with self._lock:
            return self._kinds.get(account_no, frozenset()) if self._day == today else frozenset()

    def note(self, account_no: str, today: date, kind: str) -> None:
        """Remember that there is nothing of a kind."""
        with self._lock:
            if self._day != today or len(self._kinds) >= MOST:
                self._day, self._kinds = today, {}
            self._kinds[account_no] = self._kinds.get(account_no, frozenset()) | {kind}


_BY_DATABASE: WeakKeyDictionary[Database, Nothing] = WeakKeyDictionary()
_MAKING = Lock()


def nothing_of(billing: Database) -> Nothing:
    """Return what this process remembers of the accounts of a billing database."""
    with _MAKING:
        return _BY_DATABASE.setdefault(billing, Nothing())
