"""The work of learning that is done now and then, in a process of its own: gather, group, tell how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from core.clock import SHANGHAI
from core.db import Database
from core.learning import marks
from core.learning.collect import Collected, Sources, collect
from core.learning.group_rows import Overtaken
from core.learning.marks import DONE, FAILED, RUNNING
from core.learning.settings import LearningSettings
from core.learning.training import training_messages

NIGHT = time(2, 30)  # before the segments of the month, at three
AGAIN = timedelta(hours=1)  # one that failed is tried again; one that tells nothing for so long has died
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Refreshed:
    """What a run brought."""

    new: int
    changed: int
    dropped: dict[str, int]
    items: int
    groups: int
    kept: int
    waiting: int


def due(session: Session, now: datetime) -> bool:
    """Tell whether to gather and group now: it was never done, or not since half past two at night."""
    state = marks.mark(session, marks.RUN)
    if not state:
        return True
    at = datetime.fromisoformat(state["at"])
    if state["state"] != DONE:
        return now - at >= AGAIN
    night = datetime.combine(now.astimezone(SHANGHAI), NIGHT, SHANGHAI)
    return at < (night if now >= night else night - timedelta(days=1))


def refresh(
    sources: Sources, settings: LearningSettings, nlu: Path, *, now: datetime, progress: Progress = lambda _stage: None
) -> Refreshed:
    """Gather what is new in the log and put all that is open into groups; `nlu` holds the messages of training.

    How far it is stands in the mark `marks.RUN`, for the console; what goes wrong does too, and is raised.
    """
    from core.learning.said_names import names_in  # here: jieba and scikit-learn take a second to load

    def step(stage: str) -> None:
        progress(stage)
        _tell(sources.bridge, {"state": RUNNING, "stage": stage, "at": now.isoformat()}, now)

    try:
        step("collect")
        collected = collect(sources, settings, now=now, find_names=names_in)
        step("group")
        result = _grouped(sources, settings, nlu, collected, now)
    except Overtaken:  # the faster one has told already how it came out
        raise
    except BaseException as error:
        _tell(sources.bridge, {"state": FAILED, "error": type(error).__name__, "at": now.isoformat()}, now)
        raise
    _tell(sources.bridge, {"state": DONE, "at": now.isoformat(), **asdict(result)}, now)
    return result


def _grouped(
    sources: Sources, settings: LearningSettings, nlu: Path, collected: Collected, now: datetime
) -> Refreshed:  # fmt: skip
    from core.learning.groups import regroup  # here: as above

    known = list(training_messages(nlu))
    made = regroup(sources.bridge, settings, sources.rules, known, now=now)
    return Refreshed(
        collected.new, collected.changed, dict(collected.dropped), made.items, made.groups, made.kept, made.waiting
    )


def _tell(bridge: Database, value: dict[str, Any], now: datetime) -> None:
    with bridge.transaction() as session:
        marks.put_mark(session, marks.RUN, value, now=now)
