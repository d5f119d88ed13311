"""Reads the validation messages with a trained model, as the service would."""

from __future__ import annotations

import asyncio
import csv
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rasa.core.agent import Agent
from rasa.core.channels.channel import UserMessage

ROOT = Path(__file__).resolve().parents[2]
# The day on which the writers of the validation file asked.
ASKED_AT = "2026-11-22T10:00:00+08:00"


class NoModel(RuntimeError):
    """There is no trained model to measure."""


@dataclass(frozen=True)
class Case:
    """One validation message with what two people agreed on, and what the model read."""

    text: str
    intent: str
    entities: list[dict[str, str]]
    read: dict[str, Any]
    seconds: float

    @property
    def top(self) -> str:
        """The intent that the model decided for."""
        return str(self.read["intent"]["name"])


class Reader:
    """A loaded model."""

    def __init__(self, model: Path) -> None:
        self._agent = Agent.load(str(model))
        if not self._agent.is_ready():
            raise NoModel(f"{model.name} cannot be loaded: run make train")

    def read(self, text: str) -> dict[str, Any]:
        """Return what the model makes of one message asked on the day of the validation file."""
        message = UserMessage(text, metadata={"asked_at": ASKED_AT})
        return dict(asyncio.run(self._agent.processor.parse_message(message)))


def newest_model(folder: Path = ROOT / "models") -> Path:
    """Return the newest packed model; raises NoModel if there is none."""
    models = sorted(folder.glob("*.tar.gz"), key=lambda path: path.stat().st_mtime)
    if not models:
        raise NoModel(f"no model in {folder.name}/: run make train")
    return models[-1]


def read_validation(reader: Reader) -> list[Case]:
    """Return every validation message that has a single intent, as the reader reads it."""
    with (ROOT / "tests" / "nlu" / "validation.tsv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if "+" not in row[1]]
    cases = []
    for text, intent, entities in rows:
        begun = time.perf_counter()
        read = reader.read(text)
        cases.append(Case(text, intent, json.loads(entities), read, time.perf_counter() - begun))
    return cases
