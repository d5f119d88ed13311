"""How far a training is, in the database: the console shows it, whichever process trains."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from core.clock import Clock
from core.learning import marks
from core.learning.models import Garage

MARK = "learning_model"
WAIT, EXPORT, TRAIN, COMPARE = "wait", "export", "train", "compare"
_SPANS = {WAIT: (0, 0), EXPORT: (0, 3), TRAIN: (3, 55), COMPARE: (55, 100)}  # percent of the whole
EVERY = 2.0


class Teller:
    """Notes how far one model is, at most every two seconds."""

    def __init__(self, garage: Garage, model_id: int, clock: Clock) -> None:
        self._garage, self._model, self._clock = garage, model_id, clock
        self._last, self._stage = 0.0, ""
        self._began = clock()

    def tell(self, stage: str, share: float) -> None:
        """Note the stage, and which share of it is done (0 to 1)."""
        if stage == self._stage and time.monotonic() - self._last < EVERY:
            return
        self._last, self._stage = time.monotonic(), stage
        low, high = _SPANS[stage]
        percent = round(low + (high - low) * min(max(share, 0.0), 1.0), 1)
        self._put({"model_id": self._model, "stage": stage, "percent": percent, "began": self._began.isoformat()})

    def end(self) -> None:
        """Note that nothing is under way."""
        self._put({})

    def _put(self, value: dict[str, Any]) -> None:
        with self._garage.bridge.transaction() as session:
            marks.put_mark(session, MARK, value, now=self._clock())


def progress_of(session: Session, model_id: int, now: datetime) -> dict[str, Any] | None:
    """Return stage, percent and seconds of a model that is being made or compared, None of any other."""
    state = marks.mark(session, MARK)
    if state.get("model_id") != model_id:
        return None
    seconds = max(0, round((now - datetime.fromisoformat(state["began"])).total_seconds()))
    return {"stage": state["stage"], "percent": state["percent"], "seconds": seconds}
