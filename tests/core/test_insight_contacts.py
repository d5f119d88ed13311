"""What a contact is, case by case: where one begins, what it is about, and what makes it a repetition."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dialects import DIALECTS, NewUrl
from insight_kit import APOLOGY, DATA, databases

from core.channel.join import join
from core.clock import SHANGHAI
from core.conversation import Conversation, Draft, open_conversation, record_customer, record_reply
from core.db import Database
from core.handoff.tables import Handoff
from core.insight.contacts import Contact
from core.insight.kpi import Asked, Sources
from core.insight.service_facts import ServiceFacts
from core.insight.spans import BadSpan, Span
from core.insight.words import words_of
from core.survey import Survey

T0 = datetime(2026, 11, 20, 9, 0, tzinfo=SHANGHAI)
DAY = date(2026, 11, 20)
MINUTE = timedelta(minutes=1)


class Talk:
    """A conversation that is written into through the log's own functions."""

    def __init__(self, sources: Sources, *, customer_no: str | None = None, channel: str = "web") -> None:
        self.database: Database = sources.bridge
        with self.database.transaction() as session:
            self.id = open_conversation(
                session, channel=channel, customer_no=customer_no, accounts=[], assurance=0, now=T0
            ).id  # fmt: skip
        self.said = 0

    def say(self, minutes: float, intent: str | None = "query_bill", text: str = "查电费", **more: Any) -> None:
        at = T0 + minutes * MINUTE
        self.said += 1
        with self.database.transaction() as session:
            talk = session.get_one(Conversation, self.id)
            message, _ = record_customer(
                session, talk, external_id=f"{self.id}{self.said}", text=text, payload=more.pop("payload", None), now=at
            )  # fmt: skip
            reply = more.pop("reply", "好的")
            author = "system" if reply == APOLOGY else "bot"
            record_reply(session, talk, Draft(author, reply), now=at, in_reply_to=message.seq)  # type: ignore[arg-type]
            message.understood = {"intent": intent, "form": None, **more} if intent else None
            message.turn = "done"

    def hand_over(self, minutes: float, *, until: float | None, left: bool = False) -> int:
        at = T0 + minutes * MINUTE
        with self.database.transaction() as session:
            case = Handoff(
                conversation_id=self.id, reason="asked", skill="billing", priority=5, requested_at=at, rank_at=at,
                left_message=left, ended_at=None if until is None else T0 + until * MINUTE,
            )  # fmt: skip
            session.add(case)
            session.flush()
            return case.id


@pytest.fixture(params=DIALECTS)
def sources(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Sources]:
    made = databases(new_url, request.param, tmp_path)
    yield made
    for database in (made.bridge, made.workorder, made.billing):
        database.dispose()


def contacts(sources: Sources, *, days: int = 1, hours: float = 200) -> list[Contact]:
    span = Span.of(DAY, DAY + timedelta(days=days - 1))
    asked = Asked(span, None, T0 + timedelta(hours=hours))
    return ServiceFacts(sources, asked, words_of(DATA)).contacts


def test_half_an_hour_of_silence_ends_a_contact_and_not_a_moment_less(sources: Sources) -> None:
    talk = Talk(sources)
    for minute in (0, 29.99, 59.98, 89.98):
        talk.say(minute)
    assert [one.visit.messages for one in contacts(sources)] == [3, 1]


def test_while_a_person_has_it_the_contact_goes_on_however_slow_the_talk_is(sources: Sources) -> None:
    talk = Talk(sources)
    talk.say(0)
    talk.hand_over(1, until=200)
    talk.say(50)
    talk.say(150)
    talk.say(260)
    found = contacts(sources)
    assert [(one.visit.messages, len(one.cases), one.alone) for one in found] == [(3, 1, False), (1, 0, True)]


def test_a_message_that_was_left_keeps_nobody_from_talking_to_the_bot_anew(sources: Sources) -> None:
    talk = Talk(sources)
    talk.say(0)
    talk.hand_over(1, until=None, left=True)
    talk.say(100)
    assert [len(one.cases) for one in contacts(sources)] == [1, 0]


def test_talks_that_were_joined_are_one_stream_and_count_once(sources: Sources) -> None:
    own, home = Talk(sources), Talk(sources, customer_no="C1", channel="wechat")
    own.say(0, "greet")
    home.say(10, "explain_high_bill")
    assert len(contacts(sources)) == 2
    with sources.bridge.transaction() as session:
        here, there = (session.get_one(Conversation, one.id) for one in (own, home))
        assert join(session, here, there, now=T0 + 11 * MINUTE)
    (one,) = contacts(sources)
    assert (one.visit.messages, one.topic, one.customer, one.visit.channel) == (2, "explain_high_bill", "C1", "web")


def test_the_answer_for_satisfaction_and_what_is_added_are_no_contact(sources: Sources) -> None:
    talk = Talk(sources)
    talk.say(0)
    case = talk.hand_over(1, until=20)
    talk.say(60, None, payload=f"bridge:rate:{case}:5")
    with sources.bridge.transaction() as session:
        at = T0 + 60 * MINUTE
        session.add(
            Survey(
                handoff_id=case, conversation_id=talk.id, channel="web", asked_at=at, score=5, comment="挺好",
                answered_at=at,
            )
        )  # fmt: skip
    talk.say(61, None, "挺好")
    assert [one.visit.messages for one in contacts(sources)] == [1]
    talk.say(62, "query_bill", "挺好，那电费呢")
    assert [one.visit.messages for one in contacts(sources)] == [1, 1]


def test_the_topic_is_the_first_wish_and_small_talk_is_none(sources: Sources) -> None:
    for said, topic in (
        (("greet", "explain_high_bill", "report_outage"), "explain_high_bill"),
        (("thank+report_outage",), "report_outage"), (("greet", "nlu_fallback", "out_of_scope"), "nlu_fallback"),
        (("out_of_scope", "request_human"), "out_of_scope"),
        (("greet", "request_human"), "request_human"), (("greet", "affirm+inform"), "none"), ((None,), "none"),
    ):  # fmt: skip
        talk = Talk(sources)
        for minute, intent in enumerate(said):
            talk.say(minute, intent)
        (one,) = [one for one in contacts(sources) if one.visit.talk == talk.id]
        assert one.topic == topic


def test_a_contact_that_ends_without_an_answer_is_not_settled(sources: Sources) -> None:
    for last, alone in (
        ({}, True), ({"intent": "nlu_fallback", "failed": True}, False), ({"intent": None, "reply": APOLOGY}, False),
        ({"intent": "nlu_fallback", "failed": True, "form": {"title": "报修"}}, True),
    ):  # fmt: skip
        talk = Talk(sources)
        talk.say(0)
        talk.say(1, **last)  # type: ignore[arg-type]
        (one,) = [one for one in contacts(sources) if one.visit.talk == talk.id]
        assert one.alone is alone, last


def test_what_goes_on_is_not_decided_yet(sources: Sources) -> None:
    Talk(sources).say(0)
    assert [one.alone for one in contacts(sources, hours=0.49)] == [None]
    assert [one.alone for one in contacts(sources, hours=0.5)] == [True]


def test_coming_back_within_a_day_for_the_same_unsettles_the_first_and_repeats_for_a_week(sources: Sources) -> None:
    first, second = Talk(sources, customer_no="C1"), Talk(sources, customer_no="C1")
    other = Talk(sources, customer_no="C2")
    first.say(0)
    other.say(30)
    second.say(23 * 60 + 59)
    second.say(24 * 60 * 7 + 23 * 60)
    second.say(24 * 60 * 15)
    found = [one for one in contacts(sources, days=20, hours=900) if one.customer == "C1"]
    assert [(one.alone, one.after) for one in found] == [(False, None), (True, "bot"), (True, "bot"), (True, None)]
    (stranger,) = [one for one in contacts(sources) if one.customer == "C2"]
    assert (stranger.alone, stranger.after) == (True, None)


def test_coming_back_to_be_led_to_a_person_unsettles_whatever_it_was_about(sources: Sources) -> None:
    talk = Talk(sources)
    talk.say(0, "query_bill")
    talk.say(120, "request_human")
    talk.hand_over(121, until=140)
    talk.say(300, "report_outage")
    assert [one.alone for one in contacts(sources)] == [False, False, True]


def test_a_contact_belongs_to_the_day_in_shanghai_on_which_it_began(sources: Sources) -> None:
    talk = Talk(sources)
    talk.say(15 * 60 - 1)  # a minute before midnight
    talk.say(15 * 60 + 5)
    span = Span.of(DAY, DAY)
    facts = ServiceFacts(sources, Asked(span, None, T0 + timedelta(days=3)), words_of(DATA))
    assert [one.visit.messages for one in facts.within("contacts", span)] == [2]
    after = Span.of(DAY + timedelta(days=1), DAY + timedelta(days=1))
    facts = ServiceFacts(sources, Asked(after, None, T0 + timedelta(days=3)), words_of(DATA))
    assert facts.within("contacts", after) == []


def test_spans_are_as_long_before_and_no_longer_than_allowed() -> None:
    span = Span.of(date(2026, 11, 17), date(2026, 11, 23))
    assert (span.previous.first, span.previous.last) == (date(2026, 11, 10), date(2026, 11, 16))
    assert span.previous.end == span.start
    assert len(span.days) == 7
    assert Span.of(date(2026, 1, 1), date(2026, 1, 1) + timedelta(days=399)).last
    for first, last in (
        (date(2026, 1, 2), date(2026, 1, 1)), (date(2026, 1, 1), date(2027, 2, 5)), (date.min, date.min),
        (date.max, date.max),
    ):  # fmt: skip
        with pytest.raises(BadSpan):
            Span.of(first, last)
