"""The figures of the service reckoned a second way: from raw rows, in plain Python, without core.insight's figures."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import yaml
from insight_kit import APOLOGY, DATA, NOW
from sqlalchemy import select

from core.account import Account
from core.clock import SHANGHAI
from core.conversation import Conversation, Message
from core.db import Database
from core.handoff.figures import Calendars, arrivals, cases_requested, service_figures, summary
from core.handoff.tables import Handoff, HandoffEvent
from core.insight.kpi import Sources
from core.promise import Commitments, Promise
from core.recommend.tables import CallBack
from core.survey import Survey
from core.work_order import WorkOrder

RULES = yaml.safe_load((DATA / "desk" / "rules.yaml").read_text("utf-8"))
SKILL = {intent: skill for skill, intents in RULES["skills"].items() for intent in intents}
HALF, DAY = timedelta(minutes=30), timedelta(hours=24)


def everything(database: Database, table: Any) -> list[dict[str, Any]]:
    """Return all rows of a table as they are."""
    with database.reading() as session:
        return [dict(row) for row in session.execute(select(table.__table__)).mappings()]


@dataclass
class ByHand:
    """The figures of the service from raw rows, as their definitions read; slow, and nothing of the product's."""

    sources: Sources
    now: datetime = NOW

    def __post_init__(self) -> None:
        bridge, orders = self.sources.bridge, self.sources.workorder
        self.talks = {row["id"]: row for row in everything(bridge, Conversation)}
        self.messages = everything(bridge, Message)
        self.cases = everything(bridge, Handoff)
        self.events = everything(bridge, HandoffEvent)
        self.surveys = {row["handoff_id"]: row for row in everything(bridge, Survey)}
        self.call_backs = everything(bridge, CallBack)
        self.orders = everything(orders, WorkOrder)
        self.promises = everything(orders, Promise)
        self.accounts = everything(self.sources.billing, Account)
        self.visits = self._visits()

    def home(self, talk: str) -> str:
        return self.talks[talk]["joined_to"] or talk

    def _counts(self, row: dict[str, Any]) -> bool:
        if row["author"] != "customer" or (row["payload"] or "").startswith("bridge:rate:"):
            return False
        added = any(
            one["comment"] == row["text"] and one["answered_at"] <= row["at"]
            and self.home(one["conversation_id"]) == self.home(row["conversation_id"])
            for one in self.surveys.values() if one["comment"]
        )  # fmt: skip
        return not (added and row["payload"] is None and not (row["understood"] or {}).get("intent"))

    def _visits(self) -> list[dict[str, Any]]:
        lines = [row for row in self.messages if self._counts(row)]
        found = []
        for talk in {self.home(row["conversation_id"]) for row in lines}:
            mine = [row for row in lines if self.home(row["conversation_id"]) == talk]
            mine.sort(key=lambda row: (row["at"], row["conversation_id"], row["seq"]))
            starts = [place for place in range(len(mine)) if self._starts(mine, place, talk)]
            for number, first in enumerate(starts):
                until = starts[number + 1] if number + 1 < len(starts) else len(mine)
                part = [row for row in mine[first:until] if row["at"] < mine[first]["at"] + DAY]
                found.append(self._visit(talk, part))
        found.sort(key=lambda visit: (visit["at"], visit["talk"]))
        for case in sorted(self.cases, key=lambda case: case["id"]):
            own = [one for one in found if one["talk"] == self.home(case["conversation_id"])]
            own = [one for one in own if one["at"] <= case["requested_at"]]
            if own and case["requested_at"] < own[-1]["at"] + DAY:
                own[-1]["cases"].append(case)
        for visit in found:
            self._follow(visit, found)
        return found

    def _starts(self, mine: Sequence[dict[str, Any]], place: int, talk: str) -> bool:
        at = mine[place]["at"]
        if any(at - row["at"] < HALF for row in mine[:place]):
            return False
        return not any(
            case["requested_at"] < at and (case["ended_at"] is None or case["ended_at"] > at)
            for case in self.cases if self.home(case["conversation_id"]) == talk and not case["left_message"]
        )  # fmt: skip

    def _bad(self, row: dict[str, Any]) -> str | None:
        understood = row["understood"] or {}
        if understood.get("failed") and not understood.get("form"):
            return "failure"
        answers = (
            one for one in self.messages
            if one["conversation_id"] == row["conversation_id"] and one["in_reply_to"] == row["seq"]
        )  # fmt: skip
        sorry = any(one["author"] == "system" and one["text"] == APOLOGY for one in answers)
        return "silence" if sorry and not understood.get("intent") else None

    def _visit(self, talk: str, part: list[dict[str, Any]]) -> dict[str, Any]:
        said = [(row["understood"] or {}).get("intent") for row in part]
        wishes = [one for intent in said if intent for one in intent.split("+") if one in SKILL]
        bad = [self._bad(row) for row in part]
        others = ["nlu_fallback"] if "nlu_fallback" in said or any(bad) else []
        others += [one for one in ("out_of_scope", "request_human") if one in said]
        return {
            "talk": talk, "at": part[0]["at"], "last": part[-1]["at"], "channel": part[0]["channel"],
            "topic": (wishes + others + ["none"])[0], "messages": len(part), "bad": bad, "cases": [],
            "waiting": any(row["turn"] == "open" for row in part),
            "customer": self.talks[talk]["customer_no"] or talk,
        }  # fmt: skip

    def _follow(self, visit: dict[str, Any], found: list[dict[str, Any]]) -> None:
        place = found.index(visit)
        same = [one for one in found if one["customer"] == visit["customer"] and one is not visit]
        real = visit["topic"] in SKILL
        later = [one for one in same if found.index(one) > place and one["at"] < visit["at"] + DAY]
        visit["back"] = any(one["cases"] or (real and one["topic"] == visit["topic"]) for one in later)
        before = [
            one for one in same
            if found.index(one) < place and one["topic"] == visit["topic"]
            and visit["at"] - one["at"] <= timedelta(days=7)
        ]  # fmt: skip
        visit["after"] = None if not (real and before) else "person" if before[-1]["cases"] else "bot"
        over = visit["cases"] or self.now - visit["last"] >= HALF
        good = not (visit["cases"] or visit["bad"][-1] or visit["waiting"] or visit["back"])
        visit["alone"] = good if over else None

    def figures(self, first: date, last: date) -> dict[str, float | None]:
        """Return all figures of these days."""
        start = datetime.combine(first, time(), SHANGHAI)
        end = datetime.combine(last + timedelta(days=1), time(), SHANGHAI)
        return {
            **self._of_visits([one for one in self.visits if start <= one["at"] < end]),
            **self._of_cases(start, end), **self._of_promises(start, end, last),
        }  # fmt: skip

    def _of_visits(self, visits: list[dict[str, Any]]) -> dict[str, float | None]:
        decided = [one["alone"] for one in visits if one["alone"] is not None]
        return {
            "contacts": len(visits), "messages": sum(one["messages"] for one in visits),
            "customers": len({one["customer"] for one in visits}), "answered_alone": share(decided),
            "bot_contacts": len([one for one in visits if not one["cases"]]),
            "failed_contacts": share([any(one["bad"]) for one in visits]),
            "failures": sum(one["bad"].count("failure") for one in visits),
            "silences": sum(one["bad"].count("silence") for one in visits),
            "repeat_after_bot": share([one["after"] == "bot" for one in visits]),
            "repeat_after_person": share([one["after"] == "person" for one in visits]),
            "handed_over": share([bool(one["cases"]) for one in visits]),
        }  # fmt: skip

    def _of_cases(self, start: datetime, end: datetime) -> dict[str, float | None]:
        mine = [case for case in self.cases if start <= case["requested_at"] < end]
        queued, waits, left = [], [], []
        for case in mine:
            kinds = {one["kind"]: one["at"] for one in self.events if one["handoff_id"] == case["id"]}
            if "left_message" in kinds or case["reason"] == "hall":
                continue
            queued.append(case)
            left.append("left_queue" in kinds)
            taken = kinds.get("claimed") or kinds.get("taken_over")
            waits += [(taken - case["requested_at"]).total_seconds()] if taken else []
        waits.sort()
        surveys = [self.surveys[case["id"]] for case in mine if case["id"] in self.surveys]
        scores = [one["score"] for one in surveys if one["score"] is not None]
        with self.sources.bridge.reading() as session:
            calendars = Calendars.read(session, DATA / "desk" / "hours.yaml")
            clocks = service_figures(cases_requested(session, calendars, start, end, now=self.now))
        with self.sources.workorder.reading() as session:
            book = Commitments.load(DATA / "promises.yaml")
            arrived = summary(arrivals(session, book, calendars, start, end, now=self.now))
        return {
            "cases": len(mine), "wait_median": statistics.median(waits) if waits else None,
            "wait_p90": waits[-(-len(waits) * 9 // 10) - 1] if waits else None, "left_queue": share(left),
            "left_messages": clocks.messages, "first_response": clocks.first_response.share,
            "closure": clocks.closure.share, "arrival": arrived.share,
            "satisfaction": sum(scores) / len(scores) if scores else None,
            "survey_answered": share([one["score"] is not None for one in surveys if one["asked_at"]]),
        }  # fmt: skip

    def _of_promises(self, start: datetime, end: datetime, last: date) -> dict[str, float | None]:
        due = [one for one in self.promises if one["conversation_id"] and start <= one["due_at"] < end]
        things: dict[Any, list[dict[str, Any]]] = {}
        for one in due:
            things.setdefault((one["subject_id"], one["kind"], self._moved(one)), []).append(one)
        ends = {one["id"]: one["closed_at"] for one in self.orders if one["state"] == "cancelled"}
        kept = [self._kept(ones, ends.get(order)) for (order, _, moved), ones in things.items() if not moved]
        owed = [one for one in self.call_backs if one["state"] != "dropped" and start <= one["due_at"] < end]
        made = [self._kept([one | {"kept_at": one["done_at"]}]) for one in owed]
        wrong = [one for one in self.orders if one["kind"] == "complaint" and start <= one["opened_at"] < end]
        served = {
            one["customer_id"] for one in self.accounts
            if one["opened_on"] <= last and (one["closed_on"] is None or one["closed_on"] >= last)
        }  # fmt: skip
        return {
            "promises_kept": share([one for one in kept if one is not None]),
            "promises_moved": len([1 for _, _, moved in things if moved]), "call_backs_due": len(owed),
            "call_backs_done": share([one for one in made if one is not None]), "complaints": len(wrong),
            "complaint_rate": len(wrong) / (len(served) / 10_000) if served else None,
        }  # fmt: skip

    def _moved(self, one: dict[str, Any]) -> bool:
        """Tell that another time was given before this one came."""
        return any(other["id"] == one["moved_to"] and other["told_at"] <= one["due_at"] for other in self.promises)

    def _kept(self, ones: list[dict[str, Any]], cancelled_at: datetime | None = None) -> bool | None:
        due = min(one["due_at"] for one in ones)
        if all(one["kept_at"] for one in ones):
            last = max(one["kept_at"] for one in ones)
            return None if cancelled_at and cancelled_at <= last <= due else last <= due
        return False if due < self.now else None


def share(found: Sequence[bool]) -> float | None:
    """Return how many of them are true, None of nothing."""
    return sum(found) / len(found) if found else None
