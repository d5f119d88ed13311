"""Erasing dialogues: all of a conversation, its rehearsals too, and nothing of any other."""

import asyncio
from pathlib import Path
from typing import Any, List

import pytest
from rasa.core.tracker_store import AwaitableTrackerStore, FailSafeTrackerStore, InMemoryTrackerStore, SQLTrackerStore
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import UserUttered
from rasa.shared.core.trackers import DialogueStateTracker

from bot.forgetting import UnknownStore, forget

HERS, HIS = "0b1f6a2e-1111-4c3e-9e5f-000000000001", "0b1f6a2e-1111-4c3e-9e5f-000000000002"
SENDERS = [f"{HERS}.1", f"{HERS}.12", f"draft.{HERS}.ab12", f"{HIS}.1", f"draft.{HIS}.ab12"]


def filled(store: Any) -> Any:
    for sender in SENDERS:
        said = [UserUttered("我叫王小明")]
        tracker = DialogueStateTracker.from_events(sender, said)
        asyncio.run(store.save(tracker))
    return store


def kept(store: Any) -> List[str]:
    return sorted(asyncio.run(store.keys()))


@pytest.mark.parametrize("kind", ["sql", "memory"])
def test_all_of_a_conversation_is_erased_and_nothing_of_another(kind: str, tmp_path: Path) -> None:
    domain = Domain.empty()
    plain = (
        SQLTrackerStore(domain, dialect="sqlite", db=str(tmp_path / "tracker.db"))
        if kind == "sql"
        else InMemoryTrackerStore(domain)
    )
    store = filled(AwaitableTrackerStore(FailSafeTrackerStore(plain)))
    assert forget(store, [HERS]) == 3
    assert kept(plain) == sorted([f"{HIS}.1", f"draft.{HIS}.ab12"])
    assert forget(store, [HERS]) == 0
    assert forget(store, []) == 0


def test_a_store_of_another_kind_is_an_error_and_not_taken_for_done() -> None:
    with pytest.raises(UnknownStore):
        forget(object(), [HERS])
