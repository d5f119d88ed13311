"""Erasing dialogues: all that the tracker store holds of a conversation, its rehearsals too."""

from typing import Any, List, Text

from rasa.core.tracker_store import InMemoryTrackerStore, SQLTrackerStore

DRAFT = "draft."  # what the sender of a rehearsal begins with


class UnknownStore(Exception):
    """Nobody knows how to erase from a tracker store of this kind."""


def forget(store: Any, conversations: List[Text]) -> int:
    """Erase the dialogues of these conversations and return how many events, or trackers in memory, they were.

    Senders are `<conversation>.<dialogue>` and `draft.<conversation>.<number>`.

    Raises:
        UnknownStore: if the store is neither SQL nor in memory.
    """
    for wrapper in ("_tracker_store", "_tracker_store"):  # Rasa wraps the store against failures, and to be awaited
        store = getattr(store, wrapper, store)
    prefixes = tuple(f"{start}{one}." for one in conversations for start in ("", DRAFT))
    if isinstance(store, InMemoryTrackerStore):
        named = [sender for sender in store.store if sender.startswith(prefixes)]
        for sender in named:
            del store.store[sender]
        return len(named)
    if not isinstance(store, SQLTrackerStore):
        raise UnknownStore(type(store).__name__)
    erased = 0
    with store.session_scope() as session:
        for prefix in prefixes:
            mine = session.query(store.SQLEvent).filter(store.SQLEvent.sender_id.startswith(prefix, autoescape=True))
            erased += mine.delete(synchronize_session=False)
        session.commit()
    return erased
