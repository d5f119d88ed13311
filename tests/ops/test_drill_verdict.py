"""The judge of a drill finds what it is there to find, and the queue model says what the books say."""

from __future__ import annotations

import math
from dataclasses import astuple, replace
from datetime import datetime, timedelta

import pytest

from core.clock import SHANGHAI
from ops.simulation.history import Case, Step
from ops.simulation.model import Job, erlang_c, replay, steady_wait
from ops.simulation.plan import Setup, shifts_of, staff_of, visits_of
from ops.simulation.verdict import (
    Waits,
    look_seconds,
    nobody_lost,
    nobody_twice,
    order_kept,
    same_on_both_sides,
    too_far,
    too_seldom,
)
from ops.simulation.workers import AgentReport, CustomerReport

START = datetime(2026, 11, 23, 9, tzinfo=SHANGHAI)
AGING = timedelta(minutes=6)
SKILLS = {1: ("business",), 2: ("business",), 3: ("complaint",)}


def case(number: int, *steps: tuple[float, str, int | None], skill: str = "business", priority: int = 5) -> Case:
    """A case with (seconds, kind, agent) and its priority from the first step on, written when it happened."""
    rows = [
        Step(round(at * 1000), START + timedelta(seconds=at), kind, agent, priority if place == 0 else None)
        for place, (at, kind, agent) in enumerate(steps)
    ]  # fmt: skip
    return Case(number, f"c{number}", skill, rows)


def told(one: Case, seconds: float) -> CustomerReport:
    """The customer of a case, who had an answer of the bridge then."""
    return CustomerReport(one.id, one.conversation_id, queued_at=(START + timedelta(seconds=seconds)).timestamp())


def served(number: int, asked: float, offered: float, agent: int = 1, priority: int = 5) -> Case:
    return case(
        number, (asked, "requested", None), (offered, "offered", agent), (offered + 1, "claimed", agent),
        (offered + 2, "agent_replied", agent), (offered + 60, "handed_back", agent), priority=priority,
    )  # fmt: skip


def test_ends_are_read_from_the_log() -> None:
    assert served(1, 0, 1).end == "answered"
    assert case(1, (0, "requested", None), (5, "left_queue", None)).end == "left"
    assert case(1, (0, "requested", None), (5, "left_message", None)).end == "message"
    assert case(1, (0, "requested", None), (5, "offered", 1)).end == "lost"
    assert case(1, (0, "requested", None), (1, "claimed", 1), (5, "closed", 1)).end == "lost"  # nobody ever answered
    assert case(1, (0, "requested", None), (5, "left_message", None), (6, "claimed", 1)).end == "lost"  # the message is


def answered_message(number: int) -> Case:
    return case(
        number, (0, "requested", None), (4, "offered", 1), (5, "left_message", None), (6, "claimed", 1),
        (7, "agent_replied", 1), (8, "closed", 1),
    )  # fmt: skip


def test_a_message_that_was_taken_by_whom_the_case_had_been_offered_to_is_one_offer_and_its_answer() -> None:
    [attempt] = answered_message(1).attempts
    assert (attempt.agent_id, attempt.until - attempt.at, attempt.taken) == (1, timedelta(seconds=2), True)
    left = case(1, (0, "requested", None), (4, "offered", 1), (5, "left_message", None))
    assert [(one.until - one.at, one.taken) for one in left.attempts] == [(timedelta(seconds=1), False)]


def test_a_customer_without_a_case_or_with_another_end_is_found() -> None:
    cases = [served(1, 0, 1), case(2, (0, "requested", None), (1, "offered", 1))]
    customers = [
        CustomerReport(1, "c1", "answered"), CustomerReport(2, "c2", "answered"), CustomerReport(3, "c3", "left"),
    ]  # fmt: skip
    assert list(nobody_lost(cases, customers)) == [
        "customer 2: answered for him, lost for the desk", "customer 3: left for him, no case for the desk",
    ]  # fmt: skip
    assert list(nobody_lost(cases[:1], customers[:1])) == []


def test_a_customer_who_left_a_message_may_have_been_answered_since_and_nobody_else() -> None:
    assert list(nobody_lost([answered_message(1)], [CustomerReport(1, "c1", "message")])) == []
    assert list(nobody_lost([answered_message(1)], [CustomerReport(1, "c1", "left")])) == [
        "customer 1: left for him, answered for the desk"
    ]
    assert list(nobody_lost([served(1, 0, 1)], [CustomerReport(1, "c1", "message")])) == [
        "customer 1: message for him, answered for the desk"
    ]


def test_a_second_claim_is_found_unless_the_first_agent_was_gone() -> None:
    twice = case(1, (0, "requested", None), (1, "claimed", 1), (2, "claimed", 2))
    back = case(2, (0, "requested", None), (1, "claimed", 1), (90, "vanished", 1), (91, "claimed", 2))
    assert list(nobody_twice([twice, back])) == ["case 1 was claimed 2 times"]


@pytest.mark.parametrize(
    ("before", "found"),
    [
        (served(1, 0, 20, priority=0), True),  # danger waited meanwhile
        (served(1, 0, 20), True),  # the same class, asked earlier
        (served(1, 8, 20), False),  # the same class, asked later
        (served(1, 8, 20, priority=3), True),  # asked later but by more than the aging more important
        (served(1, 3, 4, agent=2), False),  # was offered already
        (case(1, (0, "requested", None), (1, "offered", 1), (3, "declined", 1), priority=0), False),  # he let it go by
        (case(1, (0, "requested", None), (1, "offered", 2), (3, "declined", 2), priority=0), True),  # another did
        (case(1, (0, "requested", None), skill="complaint", priority=0), False),  # he has not the skill
        (case(1, (0, "requested", None), (5, "left_queue", None), priority=0), False),
    ],
)
def test_an_offer_before_one_who_stood_ahead_is_found(before: Case, found: bool) -> None:
    earlier_look = served(3, 8.2, 9)
    assert bool(list(order_kept([before, served(2, 5, 10), earlier_look], [], SKILLS, AGING))) is found


def test_a_look_saw_what_the_customer_had_been_told_or_an_earlier_look_stands_behind() -> None:
    late, second = served(1, 9.5, 20, priority=0), served(2, 5, 10)
    assert list(order_kept([late, second], [], SKILLS, AGING)) == []  # it may have been written after the look
    assert list(order_kept([late, second], [told(late, 10.1)], SKILLS, AGING)) == []
    fault = ["case 2 was offered before case 1"]
    assert list(order_kept([late, second], [told(late, 9.9)], SKILLS, AGING)) == fault
    assert list(order_kept([late, second, served(3, 4, 9.6)], [], SKILLS, AGING)) == fault


def test_who_left_the_queue_between_the_look_and_the_offer_was_not_passed_over() -> None:
    second = served(2, 5, 10)
    second.steps[1] = Step(10_200, *astuple(second.steps[1])[1:])  # written a moment after the look that it names
    gone = case(1, (0, "requested", None), (10.1, "left_queue", None), priority=0)
    assert list(order_kept([gone, second], [told(gone, 0.1)], SKILLS, AGING)) == []
    stays = case(1, (0, "requested", None), (10.3, "left_queue", None), priority=0)
    assert list(order_kept([stays, second], [told(stays, 0.1)], SKILLS, AGING)) == ["case 2 was offered before case 1"]


def test_waiting_raises_a_case_above_a_more_important_one() -> None:
    patient, special = served(1, 0, 1830), served(2, 1500, 1810, priority=2)
    customers = [told(patient, 0.1)]
    assert list(order_kept([patient, special], customers, SKILLS, AGING)) == ["case 2 was offered before case 1"]
    assert list(order_kept([served(1, 0, 1830), served(2, 1000, 1810, priority=2)], customers, SKILLS, AGING)) == []


LOG = [(1, "customer", "转人工"), (2, "system", "排队"), (3, "agent", "您好"), (4, "customer", "好")]


def both(seen: list[tuple[int, str, str]], said: list[str], agent: AgentReport) -> list[str]:
    customer = CustomerReport(1, "c1", "answered", seen, said)
    return list(same_on_both_sides({"c1": LOG}, [customer], [agent]))


def test_what_either_side_was_not_shown_or_did_not_say_is_found() -> None:
    good = AgentReport("first1", {"c1": LOG[1:]}, {"c1": ["您好"]})
    said = ["转人工", "好"]
    assert both(LOG, said, good) == []
    assert both([LOG[0], *LOG[2:]], said, good) == ["customer 1 was not shown his log"]
    assert both([*LOG, LOG[3]], said, good) == ["customer 1 was not shown his log"]
    assert both(LOG, [*said, "还有"], good) == ["customer 1 did not say what his log says"]
    gone = CustomerReport(1, "c1", "message", LOG[:2], ["转人工"])
    answered = [*LOG[:3], (4, "agent", "再见"), (5, "system", "已结束")]  # after he had gone
    assert list(same_on_both_sides({"c1": answered}, [gone], [])) == []
    assert list(same_on_both_sides({"c1": answered}, [replace(gone, seen=LOG[:1])], [])) == [
        "customer 1 was not shown his log"
    ]
    assert both(LOG, said, AgentReport("first1", {"c1": [LOG[1], LOG[3]]}, {"c1": ["您好"]})) == [
        "first1 was not shown the log of c1"
    ]
    assert both(LOG, said, AgentReport("first1", {"c1": LOG}, {"c1": ["您好", "您好"]})) == [
        "first1 did not say what the log of c1 says"
    ]


def test_erlang_c_says_what_the_books_say() -> None:
    assert erlang_c(0.5, 1, 1) == pytest.approx(1.0)  # M/M/1: rho / (mu - lambda)
    assert erlang_c(1, 1, 2) == pytest.approx(1 / 3)  # M/M/2 at half load
    assert erlang_c(2, 1, 3) == pytest.approx(4 / 9)
    assert erlang_c(3, 1, 3) == math.inf


def jobs(*given: tuple[float, float, float]) -> list[Job]:
    """Jobs of (arrives, rank, busy)."""
    return [Job(served(n, 0, 1), at, [(at, rank)], [busy]) for n, (at, rank, busy) in enumerate(given)]


def test_the_replay_serves_by_rank_and_as_agents_become_free() -> None:
    line = jobs((0, 0, 10), (1, 1, 5), (2, 0.5, 5))
    replay(line, 1, look_seconds=1, latency=0)
    assert [job.wait for job in line] == [0, 14, 8]
    line = jobs((0, 0, 10), (1, 1, 5), (2, 0.5, 5))
    replay(line, 3, look_seconds=1, latency=0.25)
    assert [job.wait for job in line] == [0.25, 0.25, 0.25]


def test_the_replay_knows_offers_let_go_by_and_customers_who_leave() -> None:
    first, impatient = jobs((0, 0, 10), (1, 1, 5))
    first.busy, impatient.leaves = [4, 10], 3
    replay([first, impatient], 1, look_seconds=1, latency=0)
    assert impatient.wait is None
    second = jobs((0, 0, 10))[0]
    second.busy = [4, 10]
    replay([second], 2, look_seconds=1, latency=0)
    assert second.wait == 4


def test_waits_that_no_model_explains_are_found() -> None:
    assert list(too_far(Waits("business", 50, 5, 3.0, 3.0, 3.1, 0.8))) == []
    assert len(list(too_far(Waits("business", 50, 5, 30.0, 3.0, 3.1, 0.8)))) == 2
    assert len(list(too_far(Waits("business", 50, 5, 0.1, 30.0, 29.0, 0.8)))) == 2


def test_of_agents_who_are_too_busy_for_a_steady_state_the_replay_alone_tells() -> None:
    assert list(too_far(Waits("business", 50, 5, 9.0, math.inf, 8.0, 1.2))) == []
    assert len(list(too_far(Waits("business", 50, 5, 30.0, math.inf, 8.0, 1.2)))) == 1


def test_the_steady_wait_counts_what_the_desk_adds() -> None:
    line = [Job(served(n, 0, 1), float(n), [(0, 0)], [0.5]) for n in range(101)]
    assert steady_wait(line, 2, look_seconds=1.0, latency=0.2) == pytest.approx((erlang_c(1, 1, 2) + 0.7, 0.5))


def test_a_drill_is_drawn_from_its_seed_alone_and_keeps_its_load() -> None:
    setup = Setup(customers=400, agents=20, minutes=10)
    assert visits_of(setup) == visits_of(setup)
    assert visits_of(setup) != visits_of(Setup(customers=400, agents=20, minutes=10, seed=6))
    visits, staff = visits_of(setup), staff_of(setup)
    assert 0.8 < visits[-1].at / setup.seconds < 1.2
    assert {visit.kind for visit in visits} == {"danger", "life_support", "special_service", "anger", "asks"}
    assert len(staff) == 20
    needed = sum(shift.mean_seconds + 1 for shift in shifts_of(setup, staff)) / 20 * 400
    assert needed / (20 * setup.seconds) == pytest.approx(setup.load, rel=0.05)


def test_how_often_the_desk_looks_is_read_from_how_long_free_agents_and_cases_stand_side_by_side() -> None:
    first, second = served(1, 0, 2), served(2, 10, 66)  # the agent is free again at 62
    assert look_seconds([first, second]) == 6.0
    assert look_seconds([served(1, 0, 0.1)]) == 1.0


def test_a_desk_that_looks_seldom_is_found_unless_all_is_slow() -> None:
    assert list(too_seldom([served(1, 0, 2), served(2, 10, 66)])) == []
    seldom = [served(1, 0, 2), served(2, 10, 90)]
    assert list(too_seldom(seldom)) == ["the desk looked for work every 30.0 s only"]
    for one in seldom:  # the agents take three seconds to accept an offer
        one.steps[2] = replace(one.steps[2], at=one.steps[2].at + timedelta(seconds=2))
    assert list(too_seldom(seldom)) == []
