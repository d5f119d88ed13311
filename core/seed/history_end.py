"""The end of a case of the past: writing up, the clocks as they were noted, the survey, and a supervisor's check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from core import service_clock
from core.clock import SHANGHAI
from core.handoff.words import END_HUMAN, RATE
from core.seed.history_data import Material, at
from core.seed.history_days import Plan
from core.seed.history_desk import Desk, Worker
from core.seed.history_log import CaseLog, TalkLog
from core.service_clock import Event
from core.survey import COMMENT, FINISHED, SURVEY


@dataclass
class Ending:
    """What comes after the last words of an agent."""

    material: Material
    desk: Desk
    limit: datetime
    plan: Plan
    log: TalkLog
    rng: Random
    case: CaseLog

    def finish(self, worker: Worker, *, category: str, wrong: Sequence[int], ordered: bool, trouble: bool) -> None:
        """End the talk, give the conversation back or close it, ask how it was, have some checked."""
        by = self._ends(worker)
        auto = by != "silence" and self.rng.random() < 0.05
        if auto:
            self.log.now += self.material.book.limits.minutes("wrap_up")
        else:
            self.log.passes(self.rng.uniform(20, 200))
            self._written_up(by, category, wrong, ordered=ordered)
        closes = not auto and by == "agent" and self.rng.random() < 0.3
        self._over(worker, closes=closes, auto=auto)
        self.note_clocks()
        self._survey(by, trouble=ordered and trouble)
        self._checked(worker)

    def note_clocks(self) -> None:
        """Note what the desk's loop noted while the case was open: warnings and breaches of the two clocks."""
        row, calendar = self.case.row, self.material.book.calendar
        lines = [Event(n, one["at"], one["kind"], one["data"]) for n, one in enumerate(self.case.events)]
        for figure in service_clock.figures(lines, calendar, now=row["ended_at"]):
            due_at = figure.due_at.isoformat() if figure.due_at else None
            end = min(figure.stopped_at or row["ended_at"], row["ended_at"])
            if figure.warn_at is not None and figure.state in ("met", "breached") and figure.warn_at < end:
                self.case.happened("warned", figure.warn_at, clock=figure.name, due_at=due_at)
            if figure.breached_at is not None and figure.breached_at <= row["ended_at"]:
                self.case.happened("breached", figure.breached_at, clock=figure.name, due_at=due_at)
                self.case.happened("escalated", figure.breached_at, clock=figure.name)

    def _ends(self, worker: Worker) -> str:
        """Let the talk end and return by whom it did."""
        words, limits, fate = self.material.book.words, self.material.book.limits, self.rng.random()
        if fate < 0.1:
            self.log.now += limits.minutes("customer_silent")
            self.log.system(words.silent.format(minutes=limits.customer_silent_finish_minutes), wakes=False)
            self.case.happened("warned", self.log.now, what="customer_silent")
            self.log.now += limits.minutes("customer_silent_finish")
            self.log.system(words.silent_end, wakes=False)
            self.log.turns("wrap_up")
            self.case.happened("wrap_up", self.log.now, by="silence")
            return "silence"
        self.log.passes(self.rng.uniform(10, 90))
        if fate < 0.2:
            self.log.customer(words.end_human, payload=END_HUMAN)
            self.log.system(words.ended_by_customer, answers=True)
            self.log.turns("wrap_up")
            self.case.happened("wrap_up", self.log.now, by="customer")
            return "customer"
        if fate < 0.65:
            seq = self.log.customer(self.rng.choice(self.material.words.customer.thanks))
            self.case.happened("customer_wrote", self.log.now, seq=seq, closing=True)
            self.log.passes(self.rng.uniform(5, 40))
        self.log.turns("wrap_up")
        self.case.happened("wrap_up", self.log.now, worker.id, by="agent")
        return "agent"

    def _written_up(self, by: str, category: str, wrong: Sequence[int], *, ordered: bool) -> None:
        words, row, rng = self.material.words, self.case.row, self.rng
        worst = self.plan.weather.last and self.plan.theme is not None
        solved = 0.45 if worst else 0.72
        if ordered:
            outcome = "ordered"
        elif by == "silence":
            outcome = "no_answer"
        else:
            outcome = "solved" if rng.random() < solved else rng.choice(("not_solved", "not_solved", "transferred_out"))
        note: dict[str, Any] = {"done": [rng.choice(words.done)], "open": [], "promised": []}
        if outcome in ("ordered", "not_solved"):
            note["open"] = [rng.choice(words.open)]
            self._promised(note)
        intent = self.plan.theme.intent if self.plan.theme else None
        note |= {"intents": [intent] if intent else [], "keep_form": False}
        corrected = {str(seq): intent for seq in wrong} if intent and rng.random() < 0.6 else {}
        row.update(category=category, outcome=outcome, corrected=corrected, note=note)

    def _promised(self, note: dict[str, Any]) -> None:
        """Promise to be in touch again, and be so, mostly in time; never where that would lie ahead."""
        due = self.log.now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=self.rng.choice((3, 5, 24)))
        kept = due + timedelta(minutes=self.rng.uniform(-120, -5))
        if self.rng.random() > self.material.days.kept:
            kept = due + timedelta(minutes=self.rng.uniform(20, 300))
        if max(kept, due) < self.limit and self.rng.random() < 0.5:
            text = self.rng.choice(self.material.words.promised)
            note["promised"] = [{"text": text, "due_at": due.isoformat()}]
            self.case.contacts.append((due, self.log.now, kept))

    def _over(self, worker: Worker, *, closes: bool, auto: bool) -> None:
        row, log, words = self.case.row, self.log, self.material.book.words
        row["ended_at"] = log.now
        self.case.happened("closed" if closes else "handed_back", log.now, worker.id, auto=auto)
        log.note = {
            "done": [], "open": [], "promised": [], "intents": [], **row["note"],
            "at": log.now.isoformat(), "agent": worker.id, "agent_name": worker.name, "case": row["id"],
        }  # fmt: skip
        log.dialogue += 1
        log.turns("closed" if closes else "bot")
        log.system(words.closed if closes else words.handed_back, wakes=False)

    # -- how it was

    def _survey(self, by: str, *, trouble: bool) -> None:
        row, log = self.case.row, self.log
        self.case.survey = {
            "handoff_id": row["id"], "conversation_id": log.id, "channel": log.channel, "asked_at": None,
            "skipped": None, "score": None, "comment": None, "answered_at": None,
        }  # fmt: skip
        why = "auto_closed" if by == "silence" else "order_open" if trouble else None
        if why is not None:
            self.case.survey["skipped"] = why
            self.case.happened("survey_skipped", log.passes(1), why=why)
            return
        silence = self.material.book.limits.survey_silence_seconds if log.mode == "bot" else 0
        asked = self.case.survey["asked_at"] = log.passes(float(silence) + 1)
        self.case.happened("survey_asked", asked)
        log.system(self.material.book.words.survey.ask, SURVEY, wakes=False)
        if self.rng.random() < self.material.days.answered_survey:
            self._rated(self.case.survey)

    def _rated(self, survey: dict[str, Any]) -> None:
        days, weather, words = self.material.days, self.plan.weather, self.material.book.words.survey
        worst = weather.last and self.plan.theme is not None and self.plan.theme.key in days.yesterday.themes
        weights = days.scores.yesterday if worst else days.scores.bad_week if weather.bad else days.scores.normal
        score, log = self.rng.choices(range(1, 6), weights)[0], self.log
        survey.update(score=score, answered_at=log.passes(self.rng.uniform(8, 400)))
        log.customer(words.scores[score], payload=f"{RATE}{survey['handoff_id']}:{score}")
        self.case.happened("survey_answered", log.now, score=score)
        if log.mode == "bot" and self.case.row["outcome"] in FINISHED:
            log.turns("closed")
        log.system(words.thanks_closed if log.mode == "closed" else words.thanks, COMMENT, answers=True)
        if self.rng.random() < (0.7 if score < 3 else 0.35):
            log.passes(self.rng.uniform(10, 200))
            survey["comment"] = self.rng.choice(self.material.words.comments[score])
            log.customer(survey["comment"])
            self.case.happened("survey_answered", log.now, comment=True)
            log.system(words.noted, answers=True)

    def _checked(self, worker: Worker) -> None:
        """Let a supervisor look at some cases the next day."""
        reviewer, rng, sheet = self.desk.reviewer(worker.id), self.rng, self.material.sheet
        day = self.case.row["ended_at"].astimezone(SHANGHAI).date() + timedelta(days=1)
        when = at(day, rng.randint(9, 17), rng.randrange(60))
        touched = {one["agent_id"] for one in self.case.events if one["kind"] == "agent_replied"}
        if (
            reviewer is None
            or reviewer.id in touched
            or when >= self.limit
            or rng.random() > self.material.days.reviewed
        ):
            return
        low = 2 if self.plan.weather.bad else 3
        scores = {item.key: rng.randint(low, sheet.steps) for item in sheet.items if not item.optional}
        self.case.score = {
            "handoff_id": self.case.row["id"], "reviewer_id": reviewer.id, "at": when, "scores": scores,
            "total": sheet.total(scores), "comment": rng.choice(self.material.words.reviews),
        }  # fmt: skip
