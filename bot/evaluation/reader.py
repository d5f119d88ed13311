"""Reads messages with a trained model, as the service would."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rasa.core.agent import Agent
from rasa.core.channels.channel import UserMessage

from .cases import Case, Line
from .progress import noticed

# The day on which the writers of the validation files asked.
ASKED_AT = "2026-11-22T10:00:00+08:00"
_WARM_UP = ("你好", "上个月电费多少钱")


class NoModel(RuntimeError):
    """There is no trained model to measure, or it cannot be loaded."""


class Reader:
    """A loaded model; raises NoModel if it cannot be loaded."""

    def __init__(self, model: Path) -> None:
        self._agent = Agent.load(str(model))
        if not self._agent.is_ready():
            raise NoModel(f"{model.name} cannot be loaded: run make train")

    def read(self, text: str) -> dict[str, Any]:
        """Return what the model makes of one message asked on the day of the validation files."""
        return asyncio.run(self._parse(text))

    def read_sets(self, sets: Mapping[str, Sequence[Line]], show: Callable[[str], None]) -> list[Case]:
        """Return every message of every set as the model reads it, one at a time; `show` gets the progress."""
        return asyncio.run(self._read_sets(sets, show))

    async def _read_sets(self, sets: Mapping[str, Sequence[Line]], show: Callable[[str], None]) -> list[Case]:
        # What a library loads at its first use is no part of a message's time.
        for text in _WARM_UP:
            await self._parse(text)
        cases = []
        for name, lines in sets.items():
            for line in noticed(name, lines, show):
                begun = time.perf_counter()
                read = await self._parse(line.text)
                cases.append(Case(name, line.text, line.intent, line.entities, read, time.perf_counter() - begun))
        return cases

    async def _parse(self, text: str) -> dict[str, Any]:
        message = UserMessage(text, metadata={"asked_at": ASKED_AT})
        return dict(await self._agent.processor.parse_message(message))


def newest_model(folder: Path) -> Path:
    """Return the newest packed model of a folder, or the very file; raises NoModel if there is none."""
    if folder.is_file():
        return folder
    models = sorted(folder.glob("*.tar.gz"), key=lambda path: path.stat().st_mtime)
    if not models:
        raise NoModel(f"no model in {folder.name}/: run make train")
    return models[-1]
