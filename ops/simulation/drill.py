"""A drill of the desk from its start to the verdict: a site, processes of customers and agents, and the log."""

from __future__ import annotations

import multiprocessing as mp
import queue
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import select

from core.agent import Agent
from core.clock import system_clock
from core.identity import issue_customer
from core.work_order import Filing, file_order
from ops.simulation import workers
from ops.simulation.history import cases_of, messages_of
from ops.simulation.plan import CATEGORIES, Setup, Visit, limits_of, shifts_of, staff_of, visits_of
from ops.simulation.site import PROJECT, Site, running
from ops.simulation.verdict import Verdict, judge
from ops.simulation.workers import AgentReport, CustomerReport, Links

CUSTOMER_PROCESSES, AGENT_PROCESSES = 2, 4
THERE_WITHIN, GONE_WITHIN = 120.0, 20.0  # since the last one came, or went
PATIENCE, STUCK = 180.0, 180.0  # how long somebody waits for one thing; and how much longer the drill, for somebody
Told = Callable[[str], None]


class DrillFailed(Exception):
    """The drill could not be carried through."""


def drill(setup: Setup, told: Told = lambda _line: None) -> Verdict:
    """Let the customers come and the agents work, and judge what came of it.

    Raises:
        DrillFailed: if somebody did not come, or did not come to an end.
        SiteFailed: if the bridge did not start.
    """
    ordinary = yaml.safe_load((PROJECT / "data" / "desk" / "limits.yaml").read_text(encoding="utf-8"))
    limits, staff = limits_of(setup, ordinary), staff_of(setup)
    with (
        tempfile.TemporaryDirectory(prefix="dianfu-drill-") as folder,
        running(Path(folder).resolve(), staff, limits=limits) as site,
    ):
        visits = [(visit, _token(site, visit)) for visit in visits_of(setup)]
        _register(site, [visit for visit, _ in visits])
        reports = _people(site, setup, visits, told)
        bridge = site.database("bridge")
        with bridge.reading() as session:
            skills = {agent.id: tuple(agent.skills) for agent in session.scalars(select(Agent))}
        customers = [one for one in reports if isinstance(one, CustomerReport)]
        agents = [one for one in reports if isinstance(one, AgentReport)]
        verdict = judge(
            cases_of(bridge), messages_of(bridge), customers, agents, skills=skills,
            aging=timedelta(minutes=limits["aging_minutes"]),
        )  # fmt: skip
        bridge.dispose()
        if errors := [line for line in site.last_words(10_000).splitlines() if '"level": "error"' in line]:
            verdict.faults.append(f"the bridge logged {len(errors)} errors, the first: {errors[0]}")
        return verdict


def _people(
    site: Site, setup: Setup, visits: Sequence[tuple[Visit, str | None]], told: Told
) -> list[CustomerReport | AgentReport]:
    """Start the processes, wait until all customers have come to an end, and send the agents home."""
    context = mp.get_context("spawn")
    stop, began = context.Event(), context.Value("d", 0.0)
    links = Links(site.url, context.Queue(), began, stop, patience=PATIENCE + setup.seconds / 2)
    shifts = shifts_of(setup, staff_of(setup))
    processes: list[BaseProcess] = [
        *(context.Process(target=workers.agents, args=(links, shifts[number::AGENT_PROCESSES]))
          for number in range(AGENT_PROCESSES)),
        *(context.Process(target=workers.customers, args=(links, visits[number::CUSTOMER_PROCESSES]))
          for number in range(CUSTOMER_PROCESSES)),
    ]  # fmt: skip
    try:
        for process in processes:
            process.start()
        _gather(links, processes, len(shifts), THERE_WITHIN, "agents to come")
        told(f"{len(shifts)} agents are there; {len(visits)} customers come within {setup.seconds:.0f} s")
        began.value = time.time() + 0.5
        within = links.patience + STUCK
        served = _gather(links, processes, len(visits), within, "customers to be served", told)
        stop.set()
        return served + _gather(links, processes, len(shifts), within, "agents to go home")
    finally:
        stop.set()
        for process in processes:
            process.join(GONE_WITHIN)
            if process.is_alive():
                process.kill()
                process.join()


def _gather(
    links: Links, processes: Sequence[BaseProcess], count: int, within: float, what: str, told: Told | None = None
) -> list[Any]:
    """Return so many reports; it fails when nothing was heard of anybody for `within` seconds."""
    found: list[Any] = []
    heard = said = time.monotonic()
    while len(found) < count:
        try:
            one = links.reports.get(timeout=1.0)
            if not links.stop.is_set() and isinstance(one, AgentReport):
                raise DrillFailed(f"an agent went home too early: {one.faults}")
            found.append(one)
            heard = time.monotonic()
        except queue.Empty:
            dead = [process.name for process in processes if process.exitcode not in (None, 0)]
            if dead or time.monotonic() > heard + within:
                got = f"{len(found)} of {count}; ended badly: {dead or 'none'}"
                raise DrillFailed(f"waited for {what}: {got}") from None
        if told is not None and time.monotonic() > said + 10:
            said = time.monotonic()
            told(f"{len(found)} of {count} customers have come to an end")
    return found


def _token(site: Site, visit: Visit) -> str | None:
    """Return the token of a customer who is registered; all others come as nobody."""
    if visit.kind not in CATEGORIES:
        return None
    return issue_customer(
        site.secrets["DIANFU_CUSTOMER_TOKEN_KEY"], customer_no=_number(visit), accounts=(), assurance=1,
        now=system_clock(), lifetime=timedelta(hours=12),
    )  # fmt: skip


def _register(site: Site, visits: Sequence[Visit]) -> None:
    """Let the work-order system know who needs current to live, or has a special service."""
    workorder, now = site.database("workorder"), system_clock()
    with workorder.transaction() as session:
        for visit in visits:
            if visit.kind in CATEGORIES:
                filing = Filing(
                    cause=f"drill:{visit.number}", category=CATEGORIES[visit.kind], title="特殊用户登记",
                    kind="special_service", family=f"drill:{visit.number}", description="演练",
                    customer_no=_number(visit),
                )  # fmt: skip
                file_order(session, filing, keyring=site.keyring, now=now, joins=False)
    workorder.dispose()


def _number(visit: Visit) -> str:
    return f"D{visit.number:06d}"
