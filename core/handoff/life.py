"""The life of a case, step by step; each step is one transaction of the caller's.

A step locks the conversation, changes its mode by the one table (`core.mode`), appends to the case's log, sets the
deadline of the new state, says what the customer has to hear, and tells the desk last.
"""

from core.handoff.asking import (
    NoCapacity,
    NotOffered,
    claim,
    decline,
    lapse_offer,
    leave_message,
    leave_queue,
    offer,
    reprioritise,
    request,
    vanish,
)
from core.handoff.case import BadNote, add_note, events_of, hold, hold_case, note_event, open_case, say, tell_desk
from core.handoff.ending import (
    OUTCOMES,
    BadWrapUp,
    WrapUp,
    cases_of,
    close_idle,
    end_by_customer,
    expire_wrap_up,
    finish,
    reopen,
    wrap_up,
)
from core.handoff.tables import AlreadyTaken, CaseNotFound, NotHolder
from core.handoff.talking import (
    BadTransfer,
    CustomerWaits,
    InDanger,
    agent_said,
    ask_help,
    customer_said,
    is_paused,
    pause,
    reassign,
    resume,
    said_before,
    shown_name,
    take_over,
    transfer,
    whisper,
)

__all__ = [
    "OUTCOMES", "AlreadyTaken", "BadNote", "BadTransfer", "BadWrapUp", "CaseNotFound", "CustomerWaits",
    "InDanger", "NoCapacity", "NotHolder", "NotOffered", "WrapUp", "add_note", "agent_said", "ask_help",
    "cases_of", "claim", "close_idle", "customer_said", "decline", "end_by_customer", "events_of",
    "expire_wrap_up", "finish", "hold", "hold_case", "is_paused", "lapse_offer", "leave_message", "leave_queue",
    "note_event", "offer", "open_case", "pause", "reassign", "reopen", "reprioritise", "request", "resume",
    "said_before", "say", "shown_name", "take_over", "tell_desk", "transfer", "vanish", "whisper", "wrap_up",
]  # fmt: skip
