"""How far each case has come on its way to Chatwoot, and what comes next.

One row of the outbox a case is a cursor over the log: contact, conversation, note, then message after message. What is
missing is read from the log and not from a queue, so nothing can be forgotten, and the order is the log's. A row is
taken for a minute by whoever works on it; whoever takes it after a failure knows that the step may have been done.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, Self

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.conversation import Conversation, Message, messages_after
from core.handoff import life
from core.handoff.tables import COMPLAINT, DANGER, HIGH_VALUE, LIFE_SUPPORT, Handoff, HandoffEvent
from core.outbox import OutboxItem

KIND, REMOTE = "chatwoot_case", "chatwoot_conversation"
LEASE, MAX_DELAY = timedelta(minutes=1), timedelta(seconds=30)
MAX_REFUSALS = 5  # after so many, what Chatwoot will not have is left out, or nothing after it would ever arrive
SAYS = frozenset({"left_message", "wrap_up", "left_queue", "handed_back", "closed"})  # events the agent has to know of
StepKind = Literal["contact", "conversation", "priority", "summary", "message", "event", "resolve"]


@dataclass(frozen=True)
class Progress:
    """What Chatwoot has of a case: `seq` of our log, `event` of the case's, `last` message there of ours."""

    conversation_id: str
    handoff_id: int
    upto: int  # what was said before stands in the first note
    seq: int
    event: int = 0
    contact: int | None = None
    source_id: str | None = None
    remote: int | None = None
    priority: str | None = None
    summarised: bool = False
    last: int = 0
    seen: int = 0  # so far their messages were looked through, whatever the webhooks brought
    refused: int = 0
    told: bool = False  # the customer knows that Chatwoot cannot be reached

    @classmethod
    def of(cls, item: OutboxItem) -> Self:
        """Return what a row holds."""
        return cls(**item.payload)


@dataclass(frozen=True)
class Step:
    """The next thing to do for a case, with the rows that it needs."""

    kind: StepKind
    case: Handoff
    conversation: Conversation
    message: Message | None = None
    event: HandoffEvent | None = None


def begin_new(session: Session, *, now: datetime) -> int:
    """Give every open case that has none its row; return how many."""
    begun = 0
    for case in _without_row(session):
        session.get_one(Conversation, case.conversation_id, with_for_update=True)
        before = select(func.max(Message.seq)).where(
            Message.conversation_id == case.conversation_id, Message.at <= case.requested_at
        )
        upto = session.scalar(before) or 0
        progress = Progress(case.conversation_id, case.id, upto, upto)
        if session.scalar(select(OutboxItem.id).where(OutboxItem.kind == KIND, OutboxItem.key == str(case.id))):
            continue  # another process was first
        session.add(OutboxItem(kind=KIND, key=str(case.id), payload=asdict(progress), created_at=now, next_at=now))
        session.flush()
        begun += 1
    return begun


def any_new(session: Session) -> bool:
    """Tell whether there is an open case without a row."""
    return bool(_without_row(session))


def with_work(session: Session, *, now: datetime, limit: int = 200) -> list[int]:
    """Return the rows whose time has come and which may have something to do, the most urgent case first."""
    query = select(OutboxItem).where(OutboxItem.kind == KIND, OutboxItem.done_at.is_(None), OutboxItem.next_at <= now)
    lines = {int(item.key): item for item in session.scalars(query)}
    last_event = dict(session.execute(
        select(HandoffEvent.handoff_id, func.max(HandoffEvent.id))
        .where(HandoffEvent.handoff_id.in_(lines)).group_by(HandoffEvent.handoff_id)
    ).all())  # fmt: skip
    cases = (
        select(Handoff, Conversation.next_seq)
        .join(Conversation, Conversation.id == Handoff.conversation_id)
        .where(Handoff.id.in_(lines)).order_by(Handoff.rank_at)
    )  # fmt: skip
    found = []
    for case, next_seq in session.execute(cases):
        progress = Progress.of(lines[case.id])
        level = progress.summarised and priority_of(case) == progress.priority and case.ended_at is None
        if not level or progress.seq < next_seq - 1 or progress.event < last_event.get(case.id, 0):
            found.append(lines[case.id].id)
    return found[:limit]


def line_of(session: Session, conversation_id: str) -> int | None:
    """Return the row of a conversation's open case, None if there is none (yet)."""
    case = life.open_case(session, conversation_id)
    if case is None:
        return None
    return session.scalar(select(OutboxItem.id).where(OutboxItem.kind == KIND, OutboxItem.key == str(case.id)))


@dataclass(frozen=True)
class Task:
    """A step that was taken; `again`: it was tried before, and may have been done."""

    step: Step
    progress: Progress
    again: bool


def take(session: Session, item_id: int, *, now: datetime) -> Task | None:
    """Take the next step of a case for LEASE; None if there is none, or another process works on the case."""
    item = _held(session, item_id)
    if item.done_at is not None or item.next_at > now:
        return None
    progress = Progress.of(item)
    # Read before the log is looked through: what is added meanwhile must not count as seen.
    last_seq = session.get_one(Conversation, progress.conversation_id).next_seq - 1
    last_event = max((event.id for event in life.events_of(session, progress.handoff_id)), default=0)
    step = next_step(session, progress)
    if step is None:
        settle(session, item_id, now=now, done=True, seq=last_seq, event=last_event)
        return None
    if step.case.ended_at is not None and progress.remote is None and not item.attempts:
        item.done_at = now  # over before Chatwoot could hear of it
        return None
    again = item.attempts > 0
    item.attempts += 1
    item.next_at = now + LEASE
    return Task(step, progress, again)


def settle(session: Session, item_id: int, *, now: datetime, done: bool, **changes: Any) -> Progress:
    """Note what has changed; not `done`, the row is due again after 1 s, 2 s, 4 s, … up to MAX_DELAY."""
    item = _held(session, item_id)
    progress = replace(Progress.of(item), **changes)
    item.payload = asdict(progress)
    if done:
        item.attempts, item.next_at = 0, now
    else:
        item.next_at = now + min(timedelta(seconds=2 ** min(max(item.attempts, 1) - 1, 5)), MAX_DELAY)
    return progress


def close(session: Session, item_id: int, *, now: datetime) -> None:
    """Note that Chatwoot has heard all there is of a case."""
    item = _held(session, item_id)
    item.done_at = now


def refused(task: Task) -> dict[str, Any]:
    """Return what a refusal changes: at last the message or note is left out, or nothing after it would arrive."""
    step, count = task.step, task.progress.refused + 1
    if count < MAX_REFUSALS or step.kind in ("contact", "conversation"):
        return {"refused": count}
    left_out: dict[StepKind, dict[str, Any]] = {
        "priority": {"priority": priority_of(step.case)}, "summary": {"summarised": True},
        "message": {"seq": step.message.seq if step.message else 0}, "resolve": {},
        "event": {"event": step.event.id if step.event else 0},
    }  # fmt: skip
    return {"refused": 0, **left_out[step.kind]}


def keep_remote(session: Session, progress: Progress, *, now: datetime) -> None:
    """Remember whose conversation one of Chatwoot's is; an inbox with one conversation a contact has it again."""
    query = select(OutboxItem).where(OutboxItem.kind == REMOTE, OutboxItem.key == str(progress.remote))
    item = session.scalar(query)
    payload = {"handoff_id": progress.handoff_id, "conversation_id": progress.conversation_id}
    if item is None:
        session.add(OutboxItem(
            kind=REMOTE, key=str(progress.remote), payload=payload, created_at=now, next_at=now, done_at=now
        ))  # fmt: skip
    else:
        item.payload = payload


def handoff_of(session: Session, remote: int) -> int | None:
    """Return the case that one of Chatwoot's conversations is about, None if it is none of ours."""
    query = select(OutboxItem).where(OutboxItem.kind == REMOTE, OutboxItem.key == str(remote))
    item = session.scalar(query)
    return int(item.payload["handoff_id"]) if item is not None else None


def mark(session: Session, handoff_id: int, **changes: Any) -> None:
    """Note something about a case that has nothing to do with the next step."""
    item = session.scalar(
        select(OutboxItem).where(OutboxItem.kind == KIND, OutboxItem.key == str(handoff_id)).with_for_update()
    )
    if item is not None:
        item.payload = asdict(replace(Progress.of(item), **changes))


def open_lines(session: Session) -> list[tuple[Progress, int]]:
    """Return how far the cases are of which Chatwoot has not heard the end, and how often the next step failed."""
    query = select(OutboxItem).where(OutboxItem.kind == KIND, OutboxItem.done_at.is_(None)).order_by(OutboxItem.id)
    return [(Progress.of(item), item.attempts) for item in session.scalars(query)]


def next_step(session: Session, progress: Progress) -> Step | None:
    """Return what is to be done next for a case, None if nothing is."""
    case = session.get_one(Handoff, progress.handoff_id)
    conversation = session.get_one(Conversation, progress.conversation_id)
    over = case.ended_at is not None

    def step(kind: StepKind, **more: Any) -> Step:
        return Step(kind, case, conversation, **more)

    if progress.contact is None:
        return step("contact")
    if progress.remote is None:
        return step("conversation")
    if priority_of(case) != progress.priority:
        return step("priority")
    if not progress.summarised:
        return step("summary")
    message = _next_message(session, progress, case)
    event = _next_event(session, progress)
    if message is not None and (event is None or message.at <= event.at):
        return step("message", message=message)
    if event is not None:
        return step("event", event=event)
    return step("resolve") if over else None


def priority_of(case: Handoff) -> str | None:
    """Return Chatwoot's word for the priority of a case, None for an ordinary one."""
    if case.priority in (DANGER, LIFE_SUPPORT):
        return "urgent"
    return "high" if case.priority <= COMPLAINT else "medium" if case.priority == HIGH_VALUE else None


def _next_message(session: Session, progress: Progress, case: Handoff) -> Message | None:
    """Return the next message for the eyes of the agent: not what he said himself, nor talk about the queue."""
    for message in messages_after(session, progress.conversation_id, progress.seq):
        if case.ended_at is not None and message.at > case.ended_at:
            return None
        if message.author in ("customer", "bot") or message.type == "safety":
            return message
    return None


def _next_event(session: Session, progress: Progress) -> HandoffEvent | None:
    events = (event for event in life.events_of(session, progress.handoff_id) if event.id > progress.event)
    return next((event for event in events if wording_of(event) is not None), None)


def wording_of(event: HandoffEvent) -> str | None:
    """Return under which name the agent hears of an event, None if not at all."""
    danger = "danger" in (event.data.get("what"), event.data.get("reason"))
    if danger and event.kind in ("queued", "warned"):
        return "danger"
    if event.kind == "wrap_up" and event.data.get("by") != "customer":
        return None
    own = event.agent_id is not None and not event.data.get("auto")
    return event.kind if event.kind in SAYS and not own else None


def _without_row(session: Session) -> list[Handoff]:
    known = {int(key) for key in session.scalars(
        select(OutboxItem.key).where(OutboxItem.kind == KIND, OutboxItem.done_at.is_(None))
    )}  # fmt: skip
    open_cases = session.scalars(select(Handoff).where(Handoff.ended_at.is_(None)).order_by(Handoff.rank_at))
    return [case for case in open_cases if case.id not in known]


def _held(session: Session, item_id: int) -> OutboxItem:
    query = select(OutboxItem).where(OutboxItem.id == item_id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one()
