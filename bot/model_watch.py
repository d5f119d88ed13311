"""Takes a model that was put in place of the running one, without a restart: no turn fails and none waits for it.

The file is replaced whole (`dianfu model promote|rollback`, `make train`). The new model is unpacked and tried beside
the old one, in a thread of its own; then the next turn uses it. What cannot be loaded is left, said in the log, and
tried again after a while: a full disk or memory passes, and the rows already say that this model runs.
"""

import asyncio
import logging
import time
from pathlib import Path
from typing import Any, Callable, Optional, Tuple

from rasa.core.agent import Agent
from rasa.core.channels.channel import UserMessage
from rasa.core.nlg import TemplatedNaturalLanguageGenerator
from rasa.core.processor import MessageProcessor

logger = logging.getLogger(__name__)
MODEL = Path("models/dianfu.tar.gz")
POLL_SECONDS = 2.0
RETRY_LOOKS = 30  # after so many looks a model that could not be loaded is tried again: a minute
WARM_UP = ("你好", "上个月电费多少钱")  # the first messages fill caches and take several times as long
Stamp = Tuple[int, int, int]


class ModelWatch:
    """Looks at the file now and then; made before the model is loaded, so that no change is missed."""

    def __init__(self, path: Path = MODEL, poll: float = POLL_SECONDS) -> None:
        """Remember the file as it is now."""
        self.path, self.poll = path, poll
        self._seen = stamp_of(path)
        self._failed = 0  # looks since the model that lies there could not be loaded; 0: it could

    async def run(self, agent: Agent, load: Optional[Callable[[Agent, Path], Any]] = None) -> None:
        """Take every new model, for ever."""
        while True:
            await asyncio.sleep(self.poll)
            await self.look(agent, load or loaded)

    async def look(self, agent: Agent, load: Callable[[Agent, Path], Any]) -> bool:
        """Take the model if it changed; tell whether one was taken."""
        stamp = stamp_of(self.path)
        if stamp is None or (stamp == self._seen and not self._is_time_again()):
            return False
        self._seen, self._failed = stamp, 0
        began = time.monotonic()
        try:
            processor = await asyncio.get_running_loop().run_in_executor(None, load, agent, self.path)
        except Exception as error:  # the old model goes on, whatever is wrong with the new one
            logger.error("the new model cannot be loaded, the old one goes on: %r", error)
            self._failed = 1
            return False
        take(agent, processor)
        logger.warning("a new model answers from now on (loaded in %.1f s)", time.monotonic() - began)
        return True

    def _is_time_again(self) -> bool:
        self._failed += bool(self._failed)
        return self._failed > RETRY_LOOKS


def stamp_of(path: Path) -> Optional[Stamp]:
    """Return what tells one file from the next under the same name, None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def loaded(agent: Agent, path: Path) -> MessageProcessor:
    """Return a processor with the model of a file, which has read a few messages already."""
    processor = MessageProcessor(
        model_path=str(path), tracker_store=agent.tracker_store, lock_store=agent.lock_store,
        action_endpoint=agent.action_endpoint, generator=agent.nlg, http_interpreter=agent.http_interpreter,
    )  # fmt: skip
    for text in WARM_UP:
        asyncio.run(processor.parse_message(UserMessage(text)))
    return processor


def take(agent: Agent, processor: MessageProcessor) -> None:
    """Let a processor answer from now on, as `Agent.load_model` does."""
    agent.processor, agent.domain = processor, processor.domain
    agent.tracker_store.domain = processor.domain
    if isinstance(agent.nlg, TemplatedNaturalLanguageGenerator):
        agent.nlg.responses = processor.domain.responses
