"""A conversation's way to a person in the past: every event as `core.handoff` would have written it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from core.conversation import Message
from core.handoff import speech
from core.handoff.queue import QueueView
from core.handoff.rules import rank
from core.handoff.summary import danger_first, summary_of
from core.handoff.words import LEAVE_MESSAGE, LEAVE_QUEUE
from core.seed.history_data import Material
from core.seed.history_days import Plan
from core.seed.history_desk import Desk, Worker
from core.seed.history_end import Ending
from core.seed.history_log import CaseLog, TalkLog

_MOST_WAIT = 2400.0  # seconds: who has waited for longer has left
_LATEST = timedelta(minutes=75)  # before the end of the history nobody comes to a person any more


@dataclass
class Way:
    """One case on its way; `desk` and `limit` (the end of the history) are shared by all."""

    material: Material
    desk: Desk
    limit: datetime
    plan: Plan
    log: TalkLog
    rng: Random
    case: CaseLog = field(init=False)
    worker: Worker = field(init=False)
    since: datetime = field(init=False)  # when the worker took it

    def go(self, reason: str, *, category: str, wrong: Sequence[int], ordered: bool, trouble: bool) -> CaseLog | None:
        """Tell the case from the request on; None if it is too late in the history for one.

        `wrong` are the messages that were misunderstood, `ordered`: an order comes of it, `trouble`: one about an
        outage or a fault.
        """
        if self.log.now > self.limit - _LATEST:
            return None
        skill, priority = self.material.book.rules.route(reason, self.log.wanted)
        self.case = CaseLog(self._row(reason, skill, priority))
        calendar = self.material.book.calendar
        there = calendar.open_at(self.log.now, skill, priority)
        self.log.turns("queued")
        self.case.happened(
            "requested", self.log.now, reason=reason, skill=skill, priority=priority, nobody=not there
        )  # fmt: skip
        self._say_queued(reason, there)
        ending = Ending(self.material, self.desk, self.limit, self.plan, self.log, self.rng, self.case)
        worker = self._by_message() if not there else self._from_queue()
        if worker is None:
            self._leave()
            ending.note_clocks()
            return self.case
        self._talk(worker, category)
        ending.finish(self.worker, category=category, wrong=wrong, ordered=ordered, trouble=trouble)
        return self.case

    def _row(self, reason: str, skill: str, priority: int) -> dict[str, Any]:
        now, limits, book = self.log.now, self.material.book.limits, self.material.book
        talk = [Message(**one) for one in self.log.messages]
        summary = summary_of(talk, book=book)
        if reason == "danger":
            summary = danger_first(summary, self.plan.text, book=book)
        return {
            "id": next(self.desk.numbers), "conversation_id": self.log.id, "reason": reason, "skill": skill,
            "priority": priority, "requested_at": now, "rank_at": rank(now, priority, limits.minutes("aging")),
            "agent_id": None, "offered_to": None, "due_at": None, "tried": [], "summary": {**summary, "flags": []},
            "left_message": False, "category": None, "outcome": None, "corrected": {}, "note": {}, "ended_at": None,
        }  # fmt: skip

    def _say_queued(self, reason: str, there: bool) -> None:
        row, book, now = self.case.row, self.material.book, self.log.now
        due = book.calendar.answer_by(now, row["skill"], row["priority"])
        if not there:
            self.case.happened("promised", now, due_at=due.at.isoformat(), certain=due.certain, what="queue")
        if reason == "danger":
            return  # what to do was said
        view = QueueView(1, timedelta(0), there, there, due)
        text = speech.queued(view, reason=reason, summary=row["summary"], book=book, now=now).text
        self.log.system(text, answers=True)

    # -- outside the hours

    def _by_message(self) -> Worker | None:
        """Let the customer leave a message, which somebody answers in the morning; None if he does not."""
        row, book = self.case.row, self.material.book
        opening = book.calendar.next_opening(self.log.now, row["skill"], row["priority"])
        taken = opening + timedelta(minutes=self.rng.randint(1, 45), seconds=self.rng.randrange(60))
        stays = self.rng.random() < 0.6 and taken < self.limit - _LATEST
        self.log.passes(self.rng.randint(15, 90))
        if not stays:
            return None
        now = self.log.now
        self.log.customer(book.words.queue.leave_message, payload=LEAVE_MESSAGE)
        due = book.calendar.answer_by(now, row["skill"], row["priority"])
        by = speech.by(due, book=book, now=now)
        self.log.system(book.words.queue.message_known.format(by=by), answers=True)
        self.log.turns("bot")
        self.case.happened("left_message", now, by="customer", skill=row["skill"])
        self.case.happened("promised", now, due_at=due.at.isoformat(), certain=due.certain, what="message")
        self.log.now = taken
        worker = self.desk.able(row["skill"], taken)[0]
        self.log.now = self.desk.free_at(worker, taken)
        self._claimed(worker, message=True)
        return worker

    # -- in the queue

    def _from_queue(self) -> Worker | None:
        """Let the customer wait until somebody takes the case; None if he leaves before."""
        shares, weather, row = self.material.days.left_queue, self.plan.weather, self.case.row
        leaves = shares.storm if weather.storm else shares.bad_week if weather.bad else shares.normal
        wait = min(self._median() * self.rng.lognormvariate(0, 0.75), _MOST_WAIT)
        if row["reason"] != "danger" and self.rng.random() < leaves:
            self._waits(wait * 1.5 + 60)
            return None
        asked = self.log.now
        worker = self.desk.able(row["skill"], asked + timedelta(seconds=wait))[0]
        free = self.desk.free_at(worker, asked + timedelta(seconds=5 if row["reason"] == "danger" else wait))
        self._waits(max(5.0, (free - asked).total_seconds()))
        others = self.desk.able(row["skill"], self.log.now, but=worker.id)
        if others and self.rng.random() < 0.07:
            self._offered(others[0], lapses=True)
        self._offered(worker)
        self._claimed(worker)
        return worker

    def _median(self) -> float:
        waits, weather = self.material.days.wait_seconds, self.plan.weather
        if weather.last and self.plan.theme and self.plan.theme.key in self.material.days.yesterday.themes:
            return waits.yesterday
        return waits.storm if weather.storm else waits.bad_week if weather.bad else waits.median

    def _waits(self, seconds: float) -> None:
        """Let time go by in the queue, with the truth told again as the loop of the desk does."""
        book, asked, number = self.material.book, self.log.now, 0
        end = asked + timedelta(seconds=seconds)
        due = asked + book.limits.minutes("queued_reminder")
        if seconds > 90 and self.rng.random() < 0.4:
            self.log.passes(60)
            self._wrote(self.rng.choice(self.material.words.customer.waiting))
        while due < end:
            self.log.now, number = due, number + 1
            queue = book.words.queue
            self.log.system(queue.still + queue.first + queue.soon + queue.hotline, wakes=False)
            self.case.happened("warned", due, what="waiting", nobody=False)
            most = book.limits.minutes("queued_reminder_most")
            due += min(book.limits.minutes("queued_reminder") * 2**number, most)
        self.log.now = max(end, self.log.now)

    def _offered(self, worker: Worker, *, lapses: bool = False) -> None:
        self.log.turns("offered")
        self.case.happened("offered", self.log.now, worker.id)
        if lapses:
            self.log.passes(float(self.material.book.limits.offer_seconds) + 1)
            self.log.turns("queued")
            self.case.happened("offer_expired", self.log.now, worker.id)
            return
        self.log.passes(self.rng.uniform(2, 15))

    def _leave(self) -> None:
        self.log.customer(self.material.book.words.queue.leave, payload=LEAVE_QUEUE)
        self.log.system(self.material.words.left_queue, "text", answers=True)
        self.log.turns("bot")
        self.case.happened("left_queue", self.log.now)
        self.case.row["ended_at"] = self.log.now

    # -- with a person

    def _claimed(self, worker: Worker, *, message: bool = False) -> None:
        self.worker, self.since = worker, self.log.now
        self.case.row.update(agent_id=worker.id, left_message=False)
        self.log.turns("human")
        self.case.happened("claimed", self.log.now, worker.id, message=message)
        text = self.material.book.words.serving.format(name=worker.name, staff_no=worker.staff_no)
        self.log.system(text, wakes=False)

    def _talk(self, worker: Worker, category: str) -> None:
        words, rng = self.material.words, self.rng
        self._says(rng.choice(words.agent["greeting"]).format(name=worker.name, staff_no=worker.staff_no), first=True)
        if rng.random() < 0.05 and self.case.row["reason"] != "danger":
            self._passed_on()
        lines = rng.sample(words.agent[category], min(rng.randint(1, 2), len(words.agent[category])))
        more = rng.sample(words.customer.more, len(words.customer.more))
        for place, line in enumerate(lines):
            self._says(line)
            if place == 0 and rng.random() < 0.06 and self.case.row["reason"] != "danger":
                self._held()
            self.log.passes(rng.uniform(12, 140))
            self._wrote(more.pop())
        self._says(rng.choice(words.agent["closing"]))
        self.desk.takes(self.worker, self.since, self.log.now + timedelta(minutes=3))

    def _says(self, text: str, *, first: bool = False) -> None:
        """Let the agent answer, after a time that is his fault if it is long."""
        slow = self.plan.weather.bad and self.rng.random() < 0.2
        took = self.rng.uniform(110, 260) if slow else self.rng.uniform(12, 70 if first else 85)
        warn = float(self.material.book.limits.agent_silent_seconds)
        if took > warn:
            self.case.happened("warned", self.log.now + timedelta(seconds=warn), what="agent_silent")
        self.log.passes(took)
        seq = self.log.agent(text, self.worker.id, self.worker.shown)
        self.case.happened("agent_replied", self.log.now, self.worker.id, seq=seq)

    def _wrote(self, text: str, *, closing: bool = False) -> None:
        seq = self.log.customer(text)
        self.case.happened("customer_wrote", self.log.now, seq=seq, **({"closing": True} if closing else {}))

    def _held(self) -> None:
        self.log.passes(self.rng.uniform(5, 30))
        self.case.happened("paused", self.log.now, self.worker.id, reason="waiting_customer")
        self.log.passes(self.rng.uniform(240, 2400))
        self.case.happened("resumed", self.log.now, self.worker.id)

    def _passed_on(self) -> None:
        """Let the case go to somebody else of the same skill: passed on, or because the console was gone."""
        row, book = self.case.row, self.material.book
        others = self.desk.able(row["skill"], self.log.now, but=self.worker.id)
        if not others:
            return
        before, gone = self.worker, self.rng.random() < 0.3
        self.log.passes(self.rng.uniform(30, 90))
        self.log.turns("queued")
        self.desk.takes(before, self.since, self.log.now)
        data = {} if gone else {"to_agent": None}
        self.case.happened(
            "vanished" if gone else "transferred", self.log.now, before.id, skill=row["skill"], **data
        )  # fmt: skip
        words = book.words
        said = words.vanished if gone else words.transferred.format(skill=words.skills[row["skill"]])
        self.log.system(said, wakes=False)
        row["rank_at"] = rank(row["requested_at"], row["priority"], book.limits.minutes("aging"), returned=True)
        if not gone:
            text = self.rng.choice(self.material.words.open)
            self.case.notes.append(self._note(before.id, text))
        self.log.passes(self.rng.uniform(5, 60))
        self._offered(others[0])
        self._claimed(others[0])
        self._says(self.rng.choice(self.material.words.agent["greeting"]).format(
            name=others[0].name, staff_no=others[0].staff_no
        ))  # fmt: skip

    def _note(self, agent_id: int, text: str) -> dict[str, Any]:
        return {
            "conversation_id": self.log.id, "handoff_id": self.case.row["id"], "at": self.log.now,
            "agent_id": agent_id, "kind": "transfer", "after_seq": len(self.log.messages), "to_agent": None,
            "text": text,
        }  # fmt: skip
