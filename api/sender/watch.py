"""The sender's look at what happens: steps through the sources, one after the other, and never in a hurry."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import structlog
import yaml
from sqlalchemy.exc import SQLAlchemyError

from core.clock import Clock
from core.proactive.sources import Step

log = structlog.get_logger("api.sender")
IDLE_SECONDS, BREATH_SECONDS, AWAY_SECONDS = 2.0, 0.03, 10.0  # others write too


def causes_of(data_dir: Path) -> dict[str, str]:
    """Return the words for the causes of outages, by their codes."""
    tree = yaml.safe_load((data_dir / "phrases" / "outage.yaml").read_text(encoding="utf-8"))
    return {str(code): str(words) for code, words in tree["causes"].items()}


async def watch(sources: Mapping[str, Step], clock: Clock, stop: asyncio.Event) -> None:
    """Look until `stop` is set; a source that fails does not hold up the others."""
    await asyncio.gather(*(_keep(name, step, clock, stop) for name, step in sources.items()))


async def _keep(name: str, step: Step, clock: Clock, stop: asyncio.Event) -> None:
    while not stop.is_set():
        pause = IDLE_SECONDS
        try:
            if await asyncio.to_thread(step, clock()):
                pause = BREATH_SECONDS
        except SQLAlchemyError as error:
            log.error("database_unavailable", loop=name, error=type(error).__name__)
            pause = AWAY_SECONDS
        except Exception as error:
            log.error("source_failed", source=name, exc_info=error)
            pause = AWAY_SECONDS
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await stop.wait()
