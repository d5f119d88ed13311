"""Whether a drill went well: nobody lost, nobody taken twice, order kept, both sides told all, waits as expected."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import fmean

from core.handoff.rules import rank
from ops.simulation.history import BY_LOOK, OVER, Case
from ops.simulation.model import Job, replay, steady_wait
from ops.simulation.workers import AgentReport, CustomerReport, Line

REPLAY_RATIO, REPLAY_SLACK = (0.5, 2.0), 0.5  # measured mean wait against the replay, and seconds that say nothing
SLOWEST_LOOK, SLOWEST_RATIO = 10.0, 20.0  # seconds between looks (one is meant); times what an agent takes to accept
STEADY_RATIO, STEADY_SLACK = (0.2, 4.0), 2.0  # … against Erlang C
STEADY_LOAD = 0.9  # busier than that, a drill is over long before the steady state that Erlang C speaks of


@dataclass(frozen=True)
class Waits:
    """The mean wait of one pool of agents: measured, by Erlang C, by the replay (seconds).

    `load` is the share of their time that was needed, from the measured rates.
    """

    pool: str
    customers: int
    agents: int
    measured: float
    steady: float
    replayed: float
    load: float


@dataclass
class Verdict:
    """What came of a drill; `faults` is empty if all went well."""

    ends: Counter[str] = field(default_factory=Counter)
    waits: list[Waits] = field(default_factory=list)
    by_priority: dict[int, float] = field(default_factory=dict)  # mean wait of each class
    messages: int = 0
    offers: int = 0
    let_go: int = 0
    cuts: int = 0
    look_seconds: float = 1.0  # how often the desk looked for work
    faults: list[str] = field(default_factory=list)
    of_pace: list[str] = field(default_factory=list)  # those that a slow machine can bring about


def judge(
    cases: Sequence[Case], logs: Mapping[str, Sequence[Line]], customers: Sequence[CustomerReport],
    agents: Sequence[AgentReport], *, skills: Mapping[int, tuple[str, ...]], aging: timedelta,
) -> Verdict:  # fmt: skip
    """Compare what the two sides saw with the log of the desk; `skills` of each agent by id."""
    verdict = Verdict(Counter(case.end for case in cases))
    people: list[CustomerReport | AgentReport] = [*customers, *agents]
    verdict.faults += [fault for one in people for fault in one.faults]
    verdict.faults += [*nobody_lost(cases, customers), *nobody_twice(cases)]
    verdict.faults += [*order_kept(cases, customers, skills, aging), *same_on_both_sides(logs, customers, agents)]
    verdict.offers = sum(len(case.attempts) for case in cases)
    verdict.let_go, verdict.cuts = sum(one.let_go for one in agents), sum(one.cuts for one in people)
    verdict.messages = sum(len(logs[one.conversation_id]) for one in customers if one.conversation_id)
    answered = [case for case in cases if case.claimed_at is not None]
    for priority in sorted({case.priority_at(case.steps[-1].id) for case in answered}):
        waited = [_wait(case) for case in answered if case.priority_at(case.steps[-1].id) == priority]
        verdict.by_priority[priority] = fmean(waited)
    verdict.look_seconds = look_seconds(cases)
    verdict.of_pace += too_seldom(cases)
    for pool in sorted(set(skills.values())):
        waits = waits_of(pool, cases, sum(one == pool for one in skills.values()), aging)
        verdict.waits.append(waits)
        verdict.of_pace += too_far(waits)
    verdict.faults += verdict.of_pace
    return verdict


def nobody_lost(cases: Sequence[Case], customers: Sequence[CustomerReport]) -> Iterator[str]:
    """Each customer has one case, which ended, and as the customer saw it; a message may have been answered since."""
    of_conversation = {case.conversation_id: case for case in cases}
    if len(of_conversation) != len(cases):
        yield f"{len(cases)} cases of {len(of_conversation)} conversations"
    for one in customers:
        case = of_conversation.get(one.conversation_id)
        answered = case is not None and case.end == "answered" and case.was_message and one.end == "message"
        if case is None or (case.end != one.end and not answered):
            desk = case.end if case else "no case"
            yield f"customer {one.number}: {one.end or 'no end'} for him, {desk} for the desk"


def nobody_twice(cases: Sequence[Case]) -> Iterator[str]:
    """No case was claimed again while somebody had it."""
    for case in cases:
        if case.holders_at_once > 1:
            yield f"case {case.id} was claimed {case.holders_at_once} times"


def order_kept(
    cases: Sequence[Case], customers: Sequence[CustomerReport], skills: Mapping[int, tuple[str, ...]], aging: timedelta
) -> Iterator[str]:
    """Nothing was offered to an agent while a case before it waited that he could have been given.

    An event names the moment before it is written, so times alone do not tell what a look at the queue can have seen:
    it saw what the customer had been told by then, and what stands in the log before something that an earlier look,
    or an earlier step of the same one, has written (the loop does one thing after another).
    """
    told = {one.conversation_id: one.queued_at for one in customers if one.queued_at is not None}
    looks = [(step.at, step.id) for case in cases for step in case.steps if step.kind in BY_LOOK]
    for case in cases:
        for attempt in case.attempts:
            seen = max((line for at, line in looks if at < attempt.at), default=0)
            mine = _rank(case, attempt.id, aging)
            for other in cases:
                since = other.waits_at(attempt.id)
                if other is case or since is None or other.skill not in skills[attempt.agent_id]:
                    continue
                answered_at = told.get(other.conversation_id, math.inf) if since.kind == "requested" else math.inf
                known = since.id <= seen or answered_at < attempt.at.timestamp()
                let_go = attempt.agent_id in other.let_go_by(attempt.id)
                if known and not let_go and _rank(other, seen, aging) < mine:
                    yield f"case {case.id} was offered before case {other.id}"


def same_on_both_sides(
    logs: Mapping[str, Sequence[Line]], customers: Sequence[CustomerReport], agents: Sequence[AgentReport]
) -> Iterator[str]:
    """Each side was shown the log as it is, and what each said stands there once, in the order in which it was said."""
    for one in customers:
        log = list(logs.get(one.conversation_id, ()))
        if [seq for seq, _, _ in log] != list(range(1, len(log) + 1)):
            yield f"the log of {one.conversation_id} has gaps"
        if one.seen != log[: len(one.seen)] or len(one.seen) < _shown_at_least(one, log):
            yield f"customer {one.number} was not shown his log"
        if [text for _, author, text in log if author == "customer"] != one.said:
            yield f"customer {one.number} did not say what his log says"
    for agent in agents:
        for key, shown in agent.shown.items():
            log = list(logs[key])
            if shown != log[shown[0][0] - 1 :][: len(shown)]:
                yield f"{agent.login} was not shown the log of {key}"
            if [text for _, author, text in log if author == "agent"] != agent.said.get(key, []):
                yield f"{agent.login} did not say what the log of {key} says"


def _shown_at_least(customer: CustomerReport, log: Sequence[Line]) -> int:
    """Return how much of the log a customer must have been shown: all; but a survey may come when he has gone.

    Who leaves a message goes once that is taken down: what he is answered he reads when he is back.
    """
    if customer.end != "message":
        return len(log) - 1
    return max((seq for seq, author, _ in log if author == "customer"), default=0) + 1


def waits_of(pool: tuple[str, ...], cases: Sequence[Case], agents: int, aging: timedelta) -> Waits:
    """Return the mean wait of who was served by a pool, with both predictions."""
    mine = [case for case in cases if case.skill in pool]
    began = min(case.requested_at for case in cases)
    looks, latency = look_seconds(cases), _latency(mine)
    jobs = [_job(case, began, aging) for case in mine]
    usual = fmean(job.busy[-1] for job in jobs if job.case.claimed_at)
    for job in jobs:
        job.busy = job.busy or [usual]
    steady, load = steady_wait(jobs, agents, look_seconds=looks, latency=latency)
    replay(jobs, agents, look_seconds=looks, latency=latency)
    served = [job for job in jobs if job.case.claimed_at is not None and job.wait is not None]
    return Waits(
        "+".join(pool), len(served), agents, fmean(_wait(job.case) for job in served), steady,
        fmean(job.wait for job in served if job.wait is not None), load,
    )  # fmt: skip


def too_far(waits: Waits) -> Iterator[str]:
    """Compare a mean wait with what it should be."""
    low, high = REPLAY_RATIO
    if not low * waits.replayed - REPLAY_SLACK <= waits.measured <= high * waits.replayed + REPLAY_SLACK:
        yield f"{waits.pool}: waits of {waits.measured:.1f} s, by the replay {waits.replayed:.1f} s"
    low, high = STEADY_RATIO
    if waits.load > STEADY_LOAD:
        return
    if not low * waits.steady - STEADY_SLACK <= waits.measured <= high * waits.steady + STEADY_SLACK:
        yield f"{waits.pool}: waits of {waits.measured:.1f} s, by Erlang C {waits.steady:.1f} s"


def look_seconds(cases: Sequence[Case]) -> float:
    """Return how often the desk looks for work: on average half of it passes until a free agent is offered a case."""
    freed: defaultdict[int, list[datetime]] = defaultdict(list)
    for case in cases:
        for attempt in case.attempts:
            freed[attempt.agent_id].append((case.at(*OVER) or attempt.until) if attempt.taken else attempt.until)
    idle = []
    for case in cases:
        since = case.requested_at
        for attempt in case.attempts:
            before = [at for at in freed[attempt.agent_id] if at <= attempt.at]
            idle.append((attempt.at - max([since, *before])).total_seconds())
            since = attempt.until
    return max(1.0, 2 * fmean(idle))


def too_seldom(cases: Sequence[Case]) -> Iterator[str]:
    """Compare how often the desk looks with what it means to do, and with what all else takes on this machine."""
    looks = look_seconds(cases)
    if looks > max(SLOWEST_LOOK, SLOWEST_RATIO * _latency(cases)):
        yield f"the desk looked for work every {looks:.1f} s only"


def _latency(cases: Sequence[Case]) -> float:
    return fmean((one.until - one.at).total_seconds() for case in cases for one in case.attempts if one.taken)


def _wait(case: Case) -> float:
    assert case.claimed_at is not None
    return (case.claimed_at - case.requested_at).total_seconds()


def _rank(case: Case, line: int, aging: timedelta) -> datetime:
    return rank(case.requested_at, case.priority_at(line), aging)


def _job(case: Case, began: datetime, aging: timedelta) -> Job:
    def seconds(at: datetime) -> float:
        return (at - began).total_seconds()

    changes = [step for step in case.steps if step.priority is not None]
    ranks = [(seconds(step.at), seconds(rank(case.requested_at, step.priority or 0, aging))) for step in changes]
    busy = [(one.until - one.at).total_seconds() for one in case.attempts]
    over = case.at(*OVER)
    if over is not None and case.attempts and case.attempts[-1].taken:
        busy[-1] = (over - case.attempts[-1].at).total_seconds()
    left = case.at("left_queue", "left_message")
    if left is not None and case.claimed_at is None:
        return Job(case, seconds(case.requested_at), ranks, [], leaves=seconds(left))
    return Job(case, seconds(case.requested_at), ranks, busy)
