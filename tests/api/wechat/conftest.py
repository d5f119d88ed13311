"""Bridges with an official account."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from channel_kit import account


@pytest.fixture
def start_account(urls: tuple[str, str]) -> Callable[..., Any]:
    """Start a bridge with an official account over databases of its own, on both dialects."""

    def begin(rasa: Any = None, **more: Any) -> Any:
        return account(urls, rasa, **more)

    return begin
