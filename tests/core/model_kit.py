"""What the tests of models share: a garage with tiny files in place of models, and documents of evaluations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.audit import Auditor
from core.clock import SHANGHAI
from core.db import Database
from core.fields import Keyring, new_key
from core.learning import model_change, models
from core.learning.export import KNOWLEDGE, MESSAGES
from core.learning.model_files import Bundle, ModelFiles
from core.learning.model_settings import compare_settings
from core.learning.models import Garage
from core.learning.tables import ModelVersion
from core.migrations import upgrade

if TYPE_CHECKING:
    from tests.conftest import NewUrl

DATA = Path(__file__).parents[2] / "data"
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=SHANGHAI)
BY = Auditor.of(Keyring.parse(f"test:{new_key()}", new_key()), 7)


def put(bundle: Bundle, content: str) -> None:
    """Make a model whose content tells which it is, with what belongs to it."""
    for name in (MESSAGES, KNOWLEDGE):
        (bundle.learned / name).parent.mkdir(parents=True, exist_ok=True)
        (bundle.learned / name).write_text(f"{content} taught", encoding="utf-8")
    bundle.record.write_text(f"{content} cost", encoding="utf-8")
    bundle.archive.write_text(content, encoding="utf-8")


def content(bundle: Bundle) -> tuple[str, str, str]:
    """Return which model, cost and knowledge lie there."""
    return tuple(path.read_text(encoding="utf-8") for path in (bundle.archive, bundle.record,
                                                               bundle.learned / KNOWLEDGE))  # type: ignore[return-value]  # fmt: skip


@dataclass
class Room:
    """A garage, and the short ways of a test; the clock goes on a minute with each step."""

    garage: Garage
    now: datetime = field(default=NOW)

    @property
    def files(self) -> ModelFiles:
        return self.garage.files

    def later(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now

    def candidate(self, text: str, *, verdict: str | None = "no_worse", against: str | None = None) -> int:
        """Train (in no time) and compare with what runs now."""
        with self.garage.bridge.transaction() as session:
            row = models.begin(session, now=self.later(), asked_by=7)
            put(self.files.candidate(row.name), text)
            models.end_training(row, self.garage, learned={"messages": 12, "faqs": 1}, now=self.now)
            running = models.running(session)
            if verdict and running:
                row.compared = {"with": running.name, "with_sha256": against or running.sha256, "verdict": verdict,
                                "worse": [{"set": "all"}] if verdict == "worse" else [], "better": [],
                                "at": self.now.isoformat()}  # fmt: skip
            return row.id

    def runs(self) -> None:
        """Let the first model run, as `make train` leaves it."""
        put(self.files.live, "first")
        model_change.reconcile(self.garage, self.later())

    def promote(self, model_id: int) -> ModelVersion:
        return model_change.promote(self.garage, model_id, by=BY, now=self.later())

    def rollback(self) -> ModelVersion:
        return model_change.rollback(self.garage, by=BY, now=self.later())

    def states(self) -> list[str]:
        """Return the states in the order in which the models came."""
        with self.garage.bridge.reading() as session:
            return [row.state for row in reversed(models.all_of(session))]

    def kept(self, **keep: int) -> None:
        settings = self.garage.settings
        self.garage = replace(self.garage, settings=settings.model_copy(
            update={"keep": settings.keep.model_copy(update=keep)}))  # fmt: skip


def rooms(new_url: NewUrl, dialect: str, directory: Path) -> Iterator[Room]:
    """Give a garage over an empty bridge database."""
    bridge = Database(new_url(dialect, directory))
    upgrade("bridge", bridge)
    yield Room(Garage(ModelFiles(directory / "models"), bridge, compare_settings(DATA)))
    bridge.dispose()


def evaluation(**sets: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a document of an evaluation with these messages; figures are counted from them where that is simple."""
    everything = [one for name, found in sets.items() if name != "knowledge" for one in found]
    figures = {name: _figures(found) for name, found in sets.items()} | {"all": _figures(everything)}
    return {"version": 1, "model": "m.tar.gz", "sha256": "0", "figures": figures, "messages": dict(sets)}


def message(number: int, **more: Any) -> dict[str, Any]:
    """Return a message that was read rightly."""
    return {"key": f"{number:012x}", "single": True, "right": True, "danger": False, "danger_read": False,
            "outside": False, "outside_read": False, "entities_right": True} | more  # fmt: skip


def _figures(found: list[dict[str, Any]]) -> dict[str, float | None]:
    if found and "known" in found[0]:
        known = [one["right"] for one in found if one["known"]]
        return {"answered_right": sum(known) / len(known)}
    single = [one["right"] for one in found if one["single"]]
    double = [one["right"] for one in found if not one["single"]]
    danger = [one["danger_read"] for one in found if one["danger"]]
    return {
        "accuracy": sum(single) / len(single) if single else None,
        "double_both": sum(double) / len(double) if double else None,
        "danger_recall": sum(danger) / len(danger) if danger else None,
        "entities_exact": 1.0, "out_of_scope_f1": 0.9, "ece": 0.02,
    }  # fmt: skip
