"""Who answers a conversation: its modes and the one table of how they change.

`bot → queued → offered → human → wrap_up → closed | bot`. Customers see `offered` as `queued` and `wrap_up` as `human`:
what an agent still has to decide or to write down is no concern of theirs.
"""

from __future__ import annotations

from typing import Literal, get_args

Mode = Literal["bot", "queued", "offered", "human", "wrap_up", "closed"]
MODES: tuple[str, ...] = get_args(Mode)
WAITING: frozenset[str] = frozenset({"queued", "offered"})  # for a person
WITH_PERSON: frozenset[str] = frozenset({"human", "wrap_up"})

# cause -> (modes it may start from, mode it leads to)
TRANSITIONS: dict[str, tuple[frozenset[str], Mode]] = {
    "ask_person": (frozenset({"bot"}), "queued"),
    "alarm": (frozenset({"bot", "closed"}), "queued"),  # who reports a danger after the end still has to say where
    "offer": (frozenset({"queued"}), "offered"),
    "offer_lapsed": (frozenset({"offered"}), "queued"),  # not answered in time, declined, or its agent is gone
    "claim": (frozenset({"queued", "offered"}), "human"),
    "take": (frozenset({"bot", "queued", "offered", "closed"}), "human"),  # a message left, or a supervisor steps in
    "requeue": (frozenset({"human"}), "queued"),  # the agent is gone, or gave it to another skill
    "leave_queue": (frozenset({"queued", "offered"}), "bot"),
    "finish": (frozenset({"human"}), "wrap_up"),
    "reopen": (frozenset({"wrap_up"}), "human"),  # the customer had more to say
    "hand_back": (frozenset({"human", "wrap_up"}), "bot"),
    "close": (frozenset({"bot", "queued", "offered", "human", "wrap_up"}), "closed"),
}
SHOWN: dict[str, str] = {"offered": "queued", "wrap_up": "human"}


class WrongMode(Exception):
    """The mode machine has no such change from the present mode."""

    def __init__(self, mode: str, cause: str) -> None:
        super().__init__(f"no change {cause!r} from mode {mode!r}")


def target_of(mode: str, cause: str) -> Mode:
    """Return the mode that `cause` leads to.

    Raises:
        WrongMode: if the table has no such change from the present mode.
    """
    allowed, target = TRANSITIONS[cause]
    if mode not in allowed:
        raise WrongMode(mode, cause)
    return target


def shown(mode: str) -> str:
    """Return the mode as customers see it."""
    return SHOWN.get(mode, mode)
