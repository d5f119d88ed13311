"""What is known of a model apart from its answers: size, and what its training cost."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MIB = 1024 * 1024


@dataclass(frozen=True)
class ModelFacts:
    """A model's file and bytes; seconds and peak MiB of its training, and whether Rasa's cache was left out."""

    name: str
    size: int
    training_seconds: float | None = None
    training_peak_mib: float | None = None
    training_forced: bool | None = None


def facts_of(model: Path) -> ModelFacts:
    """Return a model's facts; those of its training only if the record beside it tells of this very file."""
    size = model.stat().st_size
    record = _record(model.with_name(model.name.removesuffix(".tar.gz") + ".training.json"))
    if record.get("model") != model.name or record.get("bytes") != size:
        return ModelFacts(model.name, size)
    peak = record.get("peak_mib")
    return ModelFacts(model.name, size, record.get("seconds"), peak, record.get("forced"))


def _record(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # no record, or a damaged one, is no reason to measure nothing
        return {}
    return found if isinstance(found, dict) else {}
