"""The board of the service: what came, what the bot settled, what people did, and what was promised."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from core.clock import SHANGHAI
from core.insight import service_tables as tables
from core.insight.kpi import Axis, Board, Breakdown, Custom, Group, Kpi, by_day, in_order_of, most_first
from core.insight.promised import Owed, Told
from core.insight.service_facts import ServiceFacts
from core.insight.service_worst import worst_table
from core.insight.spans import Span
from core.insight.talked import CaseItem
from core.insight.totals import mean, median, p90, sum_of
from core.insight.weighing import heaviest_first
from core.insight.words import Words

PER = 10_000  # customers


def _within(name: str) -> Callable[[ServiceFacts, Span], Iterable[Any]]:
    """Return the selection of the facts of this name that are of the days asked for."""

    def items(facts: ServiceFacts, span: Span) -> Iterable[Any]:
        return facts.within(name, span)

    return items


def _contact(key: str, measure: Callable[[Any], float | None], **more: Any) -> Kpi:
    return Kpi(key, _within("contacts"), measure, tables.CONTACTS, **more)


def _case(key: str, measure: Callable[[Any], float | None], **more: Any) -> Kpi:
    return Kpi(key, _within("cases"), measure, tables.CASES, **more)


def _if(condition: bool) -> float | None:
    return 1.0 if condition else None


def _share(found: bool | None) -> float | None:
    return None if found is None else float(found)


# What came.
CONTACTS = _contact("contacts", lambda _one: 1.0)
MESSAGES = _contact("messages", lambda one: float(one.visit.messages), total=sum_of)


def _firsts(facts: ServiceFacts, span: Span) -> Iterable[Any]:
    """Return the first contact of each customer."""
    seen: set[str] = set()
    for one in _within("contacts")(facts, span):
        if one.customer not in seen:
            seen.add(one.customer)
            yield one


CUSTOMERS = Kpi("customers", _firsts, lambda _one: 1.0, tables.CONTACTS)

# The bot's.
ALONE = _contact("answered_alone", lambda one: _share(one.alone), total=mean)
BOT_ONLY = _contact("bot_contacts", lambda one: _if(not one.cases))
FAILED_CONTACTS = _contact("failed_contacts", lambda one: float(one.bad > 0), total=mean)
FAILURES = _contact("failures", lambda one: float(one.visit.failures) if one.visit.failures else None, total=sum_of)
SILENCES = _contact("silences", lambda one: float(one.visit.silences) if one.visit.silences else None, total=sum_of)
REPEAT_BOT = _contact("repeat_after_bot", lambda one: float(one.after == "bot"), total=mean)

# People's.
CASES = _case("cases", lambda _one: 1.0)
HANDED = _contact("handed_over", lambda one: float(bool(one.cases)), total=mean)
WAIT_MEDIAN = _case("wait_median", lambda one: one.waited if one.waits else None, total=median)
WAIT_P90 = _case("wait_p90", lambda one: one.waited if one.waits else None, total=p90)
LEFT = _case("left_queue", lambda one: float(one.figures.left_queue) if one.waits else None, total=mean)
LEFT_MESSAGES = _case("left_messages", lambda one: _if(one.figures.left_message))
REPEAT_PERSON = _contact("repeat_after_person", lambda one: float(one.after == "person"), total=mean)


def _met(state: str) -> float | None:
    """Return what a clock adds to its share: one that runs, or was cancelled, nothing yet."""
    return {"met": 1.0, "breached": 0.0}.get(state)


FIRST_RESPONSE = _case("first_response", lambda one: _met(one.figures.first_response.state), total=mean)
CLOSURE = _case("closure", lambda one: _met(one.figures.closure.state), total=mean)


ARRIVAL = Kpi("arrival", _within("arrivals"), lambda one: _share(one.kept), tables.ARRIVALS, mean, by_channel=False)


def _scored(one: CaseItem) -> float | None:
    return None if one.score is None else float(one.score)


def _answered(one: CaseItem) -> float | None:
    return float(one.score is not None) if one.asked else None


SATISFACTION = _case("satisfaction", _scored, total=mean)
SURVEY_ANSWERED = _case("survey_answered", _answered, total=mean)


# What was promised, and complained of.
def _customers(facts: ServiceFacts, span: Span) -> float | None:
    return facts.customers(span) / PER


COMPLAINTS = Kpi("complaints", _within("complaints"), lambda _one: 1.0, tables.COMPLAINTS, by_channel=False)
COMPLAINT_RATE = Kpi(
    "complaint_rate", _within("complaints"), lambda _one: 1.0, tables.COMPLAINTS, per=_customers, by_channel=False
)


def _kept(one: Told | Owed) -> float | None:
    return _share(one.kept)


def _standing(facts: ServiceFacts, span: Span) -> Iterable[Told]:
    return (one for one in _within("promises")(facts, span) if not one.moved)


PROMISES_KEPT = Kpi("promises_kept", _standing, _kept, tables.PROMISES, mean, by_channel=False)
PROMISES_MOVED = Kpi(
    "promises_moved", _within("promises"), lambda one: _if(one.moved), tables.PROMISES, by_channel=False
)
CALL_BACKS = Kpi("call_backs_due", _within("call_backs"), lambda _one: 1.0, tables.CALL_BACKS, by_channel=False)
CALL_BACKS_DONE = Kpi("call_backs_done", _within("call_backs"), _kept, tables.CALL_BACKS, mean, by_channel=False)


def _local(at: datetime) -> datetime:
    return at.astimezone(SHANGHAI)


def _hours(_found: list[str], _span: Span, _words: Words) -> list[tuple[str, str]]:
    return [(str(hour), str(hour)) for hour in range(24)]


def _weekdays(_found: list[str], _span: Span, words: Words) -> list[tuple[str, str]]:
    return [(str(number), name) for number, name in enumerate(words.weekdays)]


HOURS = Axis(lambda one: str(_local(one.at).hour), _hours)
WEEKDAYS = Axis(lambda one: str(_local(one.at).weekday()), _weekdays)
CHANNELS = in_order_of(lambda words: words.channels, lambda one: one.visit.channel)
REASONS = most_first(lambda reason, words: words.reasons.get(reason, reason), lambda one: one.figures.reason)
TOPICS = most_first(lambda topic, words: words.topics.get(topic, topic), lambda one: one.topic)
HEAVIEST = heaviest_first(lambda topic, words: words.topics.get(topic, topic), lambda one: one.topic)
AGENTS = most_first(lambda name, _words: name, lambda one: one.agent or "")
SURVEYED = most_first(lambda topic, words: words.topics.get(topic, topic), lambda one: one.topic or "none")

VOLUME = Breakdown("volume_by_day", "stack", (CONTACTS,), by_day(), CHANNELS)
TOPIC_BARS = Breakdown("topics", "bar", (CONTACTS, ALONE), TOPICS)
HEAT = Breakdown("heat", "heat", (CONTACTS,), HOURS, WEEKDAYS)
ALONE_LINE = Breakdown("alone_by_day", "line", (ALONE,), by_day())
FAILED_TOPICS = Breakdown("failures_by_topic", "bar", (FAILURES, SILENCES), HEAVIEST)
REASON_BARS = Breakdown("reasons", "bar", (CASES,), REASONS)
WAITS = Breakdown("waits", "line", (WAIT_MEDIAN, WAIT_P90), by_day())
CLOCKS = Breakdown("clocks", "line", (FIRST_RESPONSE, CLOSURE, ARRIVAL), by_day())
SCORES = Breakdown("satisfaction_by_day", "line", (SATISFACTION,), by_day())
SCORES_BY_AGENT = Breakdown("satisfaction_by_agent", "bar", (SATISFACTION,), AGENTS)
SCORES_BY_TOPIC = Breakdown("satisfaction_by_topic", "bar", (SATISFACTION,), SURVEYED)
TOPIC_CONVERSATIONS = Breakdown("topic_conversations", "table", (CONTACTS,), TOPICS)
WORST = Custom("worst_topics", "table", worst_table, rows="topic_conversations")

SERVICE = Board(
    "service", ServiceFacts,
    (
        Group("volume", (CONTACTS, CUSTOMERS, MESSAGES), (WORST, VOLUME, TOPIC_BARS, HEAT)),
        Group(
            "bot", (ALONE, BOT_ONLY, FAILED_CONTACTS, FAILURES, SILENCES, REPEAT_BOT), (ALONE_LINE, FAILED_TOPICS)
        ),
        Group(
            "people", (HANDED, CASES, WAIT_MEDIAN, WAIT_P90, LEFT, LEFT_MESSAGES, REPEAT_PERSON), (REASON_BARS, WAITS)
        ),
        Group("clocks", (FIRST_RESPONSE, CLOSURE, ARRIVAL), (CLOCKS,)),
        Group("satisfaction", (SATISFACTION, SURVEY_ANSWERED), (SCORES, SCORES_BY_AGENT, SCORES_BY_TOPIC)),
        Group("promises", (PROMISES_KEPT, PROMISES_MOVED, CALL_BACKS, CALL_BACKS_DONE)),
        Group("complaints", (COMPLAINTS, COMPLAINT_RATE)),
    ),
    more=(TOPIC_CONVERSATIONS,),
    since=lambda facts: facts.since,
)  # fmt: skip
