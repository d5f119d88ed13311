"""A model that was put in place is taken while the server runs; one that cannot be loaded is not."""

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bot.model_watch import RETRY_LOOKS, ModelWatch


def agent() -> Any:
    return SimpleNamespace(processor="old", domain="old domain", tracker_store=SimpleNamespace(domain=None), nlg=None)


def replaced(path: Path, content: str) -> None:
    half = path.with_suffix(".half")
    half.write_text(content)
    half.replace(path)


def look(watch: ModelWatch, bot: Any, load: Any) -> bool:
    return asyncio.run(watch.look(bot, load))


def loads(bot: Any, path: Path) -> Any:
    return SimpleNamespace(text=path.read_text(), domain="new domain")


def test_a_new_model_is_taken_once(tmp_path: Path) -> None:
    path, bot = tmp_path / "dianfu.tar.gz", agent()
    path.write_text("one")
    watch = ModelWatch(path)
    assert look(watch, bot, loads) is False
    assert bot.processor == "old"
    replaced(path, "two")
    assert look(watch, bot, loads) is True
    assert (bot.processor.text, bot.domain, bot.tracker_store.domain) == ("two", "new domain", "new domain")
    assert look(watch, bot, loads) is False


def test_a_model_that_cannot_be_loaded_leaves_the_old_one_until_the_next(tmp_path: Path) -> None:
    path, bot = tmp_path / "dianfu.tar.gz", agent()
    path.write_text("one")
    watch = ModelWatch(path)
    replaced(path, "broken")

    def fails(_bot: Any, _path: Path) -> Any:
        raise ValueError("no model")

    assert look(watch, bot, fails) is False
    assert bot.processor == "old"
    path.unlink()
    assert look(watch, bot, loads) is False
    replaced(path, "good")
    assert look(watch, bot, loads) is True


def test_a_model_that_could_not_be_loaded_is_tried_again_after_a_while(tmp_path: Path) -> None:
    path, bot, tried = tmp_path / "dianfu.tar.gz", agent(), []
    path.write_text("one")
    watch = ModelWatch(path)
    replaced(path, "two")

    def fails(_bot: Any, _path: Path) -> Any:
        tried.append(1)
        raise OSError("no space left")

    assert [look(watch, bot, fails) for _ in range(2 * RETRY_LOOKS)] == [False] * 2 * RETRY_LOOKS
    assert len(tried) == 2
    assert [look(watch, bot, loads) for _ in range(RETRY_LOOKS)].count(True) == 1
    assert bot.processor.text == "two"


def test_turns_go_on_while_a_model_is_loaded(tmp_path: Path) -> None:
    path, bot, seen = tmp_path / "dianfu.tar.gz", agent(), []
    path.write_text("one")
    watch = ModelWatch(path, poll=0.01)
    replaced(path, "two")

    def slowly(given: Any, file: Path) -> Any:
        time.sleep(0.3)
        return loads(given, file)

    async def work() -> None:
        watching = asyncio.create_task(watch.run(bot, slowly))
        while bot.processor == "old":
            seen.append(bot.processor)
            await asyncio.sleep(0.01)
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watching

    asyncio.run(work())
    assert len(seen) >= 5
