"""Which answers were written to a connection: a file that outlives this process, though not the machine.

Between the writing of an answer and the transaction that says so the process may be killed. Whoever takes its place
finds here that the answer has gone out, and does not give it a second time.
"""

from __future__ import annotations

import os
from pathlib import Path

import structlog

log = structlog.get_logger("api.wechat")
FILE = "wechat-written"
MOST = 20_000  # lines; what matters is seconds old


class Written:
    """The names of pushes that were answered; without a file (it cannot be had) nothing is known."""

    def __init__(self, path: Path) -> None:
        self._file, self._lines = -1, 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            known = os.pread(self._file, os.fstat(self._file).st_size, 0).decode("ascii", "ignore")
        except OSError as error:
            log.warning("written_answers_not_kept", error=type(error).__name__)
            known = ""
        self._before = frozenset(known.split("\n")[-MOST:])
        self._lines = known.count("\n")

    def __contains__(self, external_id: object) -> bool:
        """Tell whether the process before this one has written the answer to a push."""
        return external_id in self._before

    def note(self, external_id: str) -> None:
        """Note that the answer to a push was written."""
        if self._file < 0:
            return
        try:
            if self._lines >= MOST:
                os.ftruncate(self._file, 0)
                self._lines = 0
            os.write(self._file, f"{external_id}\n".encode("ascii", "ignore"))
            self._lines += 1
        except OSError as error:
            log.warning("written_answer_not_noted", error=type(error).__name__)

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
