"""How long customers should wait: by Erlang's formula, and by playing the same arrivals and talks through the rule.

Erlang C (M/M/c, A. K. Erlang 1917; Gross & Harris, Fundamentals of Queueing Theory, 2.3) gives the mean of a steady
state: a drill is one short sample of it, so it says no more than the order of magnitude. As all kinds of customers are
served for times of one distribution, and nobody who is served is interrupted, priorities do not change its mean. The
replay knows the very arrivals, talks and offers let go by of the drill and differs by what the machine alone adds.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from ops.simulation.history import Case


@dataclass
class Job:
    """One case for the replay, in seconds from the start of the drill; `busy`: what each offer takes of an agent.

    `ranks` are (from when, rank), `leaves` when the customer gave up, `shy` who had let it go by.
    """

    case: Case
    arrives: float
    ranks: list[tuple[float, float]]
    busy: list[float]
    leaves: float = math.inf
    wait: float | None = None
    shy: set[int] = field(default_factory=set)

    def rank(self, now: float) -> float:
        """Return where it stands in the line."""
        return [rank for since, rank in self.ranks if since <= now][-1]


def erlang_c(arrivals: float, services: float, servers: int) -> float:
    """Return the mean wait of M/M/c (inf if overloaded), from arrivals, and services of one server, in a second."""
    offered = arrivals / services
    if offered >= servers:
        return math.inf
    blocked = 1.0  # Erlang B by its recursion, which does not overflow
    for number in range(1, servers + 1):
        blocked = offered * blocked / (number + offered * blocked)
    waits = blocked / (1 - offered / servers * (1 - blocked))
    return waits / (servers * services - arrivals)


def steady_wait(
    jobs: Sequence[Job], servers: int, *, look_seconds: float, latency: float
) -> tuple[float, float]:  # fmt: skip
    """Return what Erlang's formula predicts from the measured rates, with what the desk adds by looking now and then.

    The second is the share of the servers' time that these rates need.
    """
    span = max(job.arrives for job in jobs) - min(job.arrives for job in jobs)
    arrivals = (len(jobs) - 1) / span if span else 0.0
    busy = fmean(sum(job.busy) for job in jobs if job.busy) + look_seconds / 2
    return erlang_c(arrivals, 1 / busy, servers) + look_seconds / 2 + latency, arrivals * busy / servers


def replay(jobs: Iterable[Job], agents: int, *, look_seconds: float, latency: float) -> None:
    """Serve the jobs by rank with so many agents, looking every `look_seconds`, and write each one's wait.

    `latency` is what passes between an offer and the talk.
    """
    coming = sorted(jobs, key=lambda job: job.arrives)
    free_at = dict.fromkeys(range(agents), 0.0)
    back: list[tuple[float, int, Job]] = []  # offers that were let go by: when the case is in the queue again
    line: list[Job] = []
    now = coming[0].arrives if coming else 0.0
    while coming or line or back:
        while coming and coming[0].arrives <= now:
            line.append(coming.pop(0))
        while back and back[0][0] <= now:
            line.append(heapq.heappop(back)[2])
        line = [job for job in line if job.leaves > now]
        for job in sorted(line, key=lambda one: one.rank(now)):
            free = [agent for agent, at in free_at.items() if at <= now and agent not in job.shy]
            if not free:
                continue
            agent = min(free, key=lambda one: free_at[one])
            line.remove(job)
            taken = job.busy.pop(0)
            free_at[agent] = now + taken
            if job.busy:  # this one lets it go by
                job.shy = (job.shy | {agent}) if len(job.shy) + 1 < agents else set()  # all were asked: once more
                heapq.heappush(back, (now + taken, job.case.id, job))
            else:
                job.wait = now + latency - job.arrives
        now += look_seconds
