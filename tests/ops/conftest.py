"""Settings for the command's tests: a sound production environment, and nothing of the machine's own."""

import os
from collections.abc import Iterator

import pytest

from ops import keys


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Set fresh keys for production; what a test's command sets in the environment is undone."""
    for name in [name for name in os.environ if name.startswith("DIANFU_")]:
        monkeypatch.delenv(name)
    before = dict(os.environ)
    values = {"DIANFU_ENV": "production", **keys.fresh()}
    os.environ.update(values)
    yield values
    os.environ.clear()
    os.environ.update(before)
