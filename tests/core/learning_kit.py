"""What the tests of learning share: a log with conversations, cases and surveys, and reviewers who are audited."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import conversation as log_of
from core.audit import Auditor
from core.clock import SHANGHAI
from core.conversation import Draft
from core.db import Database
from core.fields import Keyring, new_key
from core.handoff.case import note_event
from core.handoff.tables import Handoff
from core.learning import harm
from core.learning.collect import Collected, Sources, collect
from core.learning.review import Reviewer
from core.learning.settings import learning_settings
from core.learning.tables import OPEN, LearningItem
from core.migrations import upgrade
from core.survey import Survey

if TYPE_CHECKING:
    from tests.conftest import NewUrl

DATA = Path(__file__).parents[2] / "data"
SETS = Path(__file__).parents[1] / "nlu"
SETTINGS = learning_settings(DATA)
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=SHANGHAI)
KEYRING = Keyring.parse(f"test:{new_key()}", new_key())
_numbers = count(1)


@dataclass
class LearningRoom:
    """The three databases, and the short ways of a test; the clock stands until it is pushed."""

    sources: Sources
    now: datetime = NOW
    talks: dict[str, str] = field(default_factory=dict)

    @property
    def bridge(self) -> Database:
        return self.sources.bridge

    def passes(self, **span: float) -> None:
        self.now += timedelta(**span)

    def talk(self, customer_no: str | None = None, *accounts: str) -> str:
        with self.bridge.transaction() as session:
            return log_of.open_conversation(
                session, channel="web", customer_no=customer_no, accounts=list(accounts), assurance=0, now=self.now
            ).id

    def says(
        self, talk: str, text: str, intent: str | None = None, confidence: float = 0.97, *, answer: str = "好的",
        author: str = "bot", done: bool = True, payload: str | None = None, **understood: Any,
    ) -> int:  # fmt: skip
        """Let the customer write, and the bot answer; the number of the message."""
        with self.bridge.transaction() as session:
            conversation = log_of.find_conversation(session, talk, lock=True, exact=True)
            message, _ = log_of.record_customer(
                session, conversation, external_id=f"m{next(_numbers)}", text=text, payload=payload, now=self.now
            )
            if intent:
                message.understood = {"intent": intent, "confidence": confidence, "form": None, **understood}
            if done:
                message.turn = "done"
                draft = Draft("system" if author == "system" else "bot", answer)
                log_of.record_reply(session, conversation, draft, now=self.now, in_reply_to=message.seq)
            return message.seq

    def case(self, talk: str, reason: str = "asked", *, corrected: dict[str, str] | None = None) -> int:
        """Let the conversation be handed over; with `corrected` an agent ends it, too."""
        with self.bridge.transaction() as session:
            case = Handoff(
                conversation_id=talk, reason=reason, skill="billing", requested_at=self.now, rank_at=self.now,
                agent_id=1, ended_at=self.now if corrected else None, corrected=corrected or {},
            )  # fmt: skip
            session.add(case)
            session.flush()
            note_event(session, case, "requested", now=self.now, reason=reason)
            if corrected:
                note_event(session, case, "closed", now=self.now, agent_id=1)
            return case.id

    def rates(self, case: int, talk: str, score: int) -> None:
        with self.bridge.transaction() as session:
            session.add(Survey(handoff_id=case, conversation_id=talk, channel="web", asked_at=self.now, score=score,
                               answered_at=self.now))  # fmt: skip

    def collects(self) -> Collected:
        return collect(self.sources, SETTINGS, now=self.now)

    def items(self) -> list[LearningItem]:
        with self.bridge.reading() as session:
            return list(session.scalars(select(LearningItem).order_by(LearningItem.id)))

    def texts(self) -> dict[str, list[str]]:
        """Return the reasons by text."""
        return {item.text: item.reasons for item in self.items()}

    def item(self, text: str, **more: Any) -> int:
        """Put a message there as if it had been gathered."""
        number = next(_numbers)
        values = {"conversation_id": f"talk{number}", "seq": 1, "at": self.now, "channel": "web", "harm": 0.0,
                  "reasons": ["unanswered"], "state": OPEN, "intent": "out_of_scope", "confidence": 0.3}  # fmt: skip
        with self.bridge.transaction() as session:
            item = LearningItem(text=text, parts={}, **(values | more))
            session.add(item)
            session.flush()
            return item.id

    def harms(self) -> dict[str, dict[str, float]]:
        with self.bridge.reading() as session:
            items = list(session.scalars(select(LearningItem)))
            near = harm.around(session, items)
            return {item.text: harm.parts_of(item, near, SETTINGS.harm, self.sources.rules) for item in items}

    @contextmanager
    def writing(self) -> Iterator[Session]:
        with self.bridge.transaction() as session:
            yield session


def reviewer(agent_id: int = 1) -> Reviewer:
    return Reviewer(agent_id, Auditor.of(KEYRING, agent_id))


def rooms(new_url: NewUrl, dialect: str, directory: Path) -> Iterator[LearningRoom]:
    """Give a room over empty databases; the bridge is of the dialect."""
    databases = {}
    for name in ("bridge", "workorder", "billing"):
        databases[name] = Database(new_url(dialect if name == "bridge" else "sqlite", directory))
        upgrade(name, databases[name])
    sources = Sources.of(databases["bridge"], databases["workorder"], databases["billing"], keyring=KEYRING,
                         data_dir=DATA)  # fmt: skip
    yield LearningRoom(sources)
    for database in databases.values():
        database.dispose()
