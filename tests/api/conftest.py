"""Bridges for tests, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
from bridge_kit import Bridge, running, settings
from structlog.contextvars import merge_contextvars
from structlog.processors import KeyValueRenderer, add_log_level

from api import dialogue
from api.channels import links, web
from api.channels.wechat import passive
from api.logs import without_values
from core.db import Database
from core.migrations import upgrade

PLENTY = 30.0  # seconds
DIALECTS = ("sqlite", "postgresql")
structlog.configure(processors=[merge_contextvars, add_log_level, without_values, KeyValueRenderer()])
NewUrl = Callable[[str, Path], str]
Urls = tuple[str, str]


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the bridge wait as long as a busy machine may take; tests about its waiting set it shorter again.

    The limits are seconds of the real clock: on a machine that stands still for two of them a test about something
    else would see the answer that is given without a log.
    """
    for name in ("RECORD_WITHIN", "LOG_WITHIN", "ANSWER_WITHIN", "CLAIM_WITHIN", "HUNG_UP_AFTER"):
        monkeypatch.setattr(passive, name, PLENTY)
    monkeypatch.setattr(dialogue, "DANGER_PATIENCE", PLENTY)
    monkeypatch.setattr(links, "PATIENCE", PLENTY)
    monkeypatch.setattr(web, "PLACING_SECONDS", PLENTY)


def _migrated(new_url: NewUrl, dialect: str, directory: Path) -> Urls:
    urls = new_url(dialect, directory), new_url(dialect, directory)
    for name, url in zip(("bridge", "workorder"), urls, strict=True):
        database = Database(url)
        upgrade(name, database)
        database.dispose()
    return urls


@pytest.fixture(scope="module", params=DIALECTS)
def shared_urls(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path_factory: pytest.TempPathFactory) -> Urls:
    """Bridge and work-order database of a dialect, for all tests of a module."""
    return _migrated(new_url, request.param, tmp_path_factory.mktemp("bridge"))


@pytest.fixture(params=DIALECTS)
def urls(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Urls:
    """Bridge and work-order database of a dialect, for this test alone."""
    return _migrated(new_url, request.param, tmp_path)


@pytest.fixture
def sqlite_urls(new_url: NewUrl, tmp_path: Path) -> Urls:
    """Bridge and work-order database for this test alone, where the dialect does not matter."""
    return _migrated(new_url, "sqlite", tmp_path)


@pytest.fixture
async def bridge(shared_urls: Urls) -> AsyncIterator[Bridge]:
    """A bridge over the module's databases; nothing runs in its background."""
    async with running(settings(*shared_urls)) as one:
        yield one


@pytest.fixture
def start(urls: Urls) -> Callable[..., Any]:
    """Start a bridge over databases of its own: `start(rasa, loops=True, turn_deadline=1)`."""

    def begin(rasa: Any = None, *, loops: bool = False, clock: Any = None, **more: Any) -> Any:
        return running(settings(*urls, **more), rasa, loops=loops, clock=clock)

    return begin
