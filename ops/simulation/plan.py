"""Who comes when, and what each is like: drawn once from a seed, before anything runs."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ops.simulation.staff import Staff

Kind = Literal["danger", "life_support", "special_service", "anger", "asks"]
# What share of the customers is of which kind; what each says first; who gets it.
SHARES: dict[Kind, float] = {"danger": 0.05, "life_support": 0.04, "special_service": 0.08, "anger": 0.25, "asks": 0.58}
WORDS: dict[Kind, tuple[str, ...]] = {
    "danger": ("路边的高压线断了，垂在地上，好多人围着看", "电线杆倒了，电线掉在马路上还冒火花"),
    "life_support": ("转人工", "我要人工"),
    "special_service": ("转人工", "请转人工"),
    "anger": ("你们这群骗子，我要打12398投诉你们", "我要起诉你们供电公司"),
    "asks": ("转人工", "0", "人工客服", "真人"),
}
CATEGORIES: dict[Kind, str] = {
    "life_support": "业务申请→特殊用户登记→居家医疗设备", "special_service": "业务申请→特殊服务→保供电",
}  # fmt: skip
FIRST_LINE, SECOND_LINE = ("business", "repair"), ("complaint",)  # two pools of agents
IMPATIENT, MESSAGES = 0.06, 0.5  # share that gives up waiting, and of those who leave a message
OVERHEAD = 1.0  # seconds from a freed agent to his next case: the loop of the desk looks once a second
# Waiting times of data/desk/limits.yaml that the drill speeds up, and how short each may become: machines are slow.
SPED_UP: dict[str, float] = {
    "aging_minutes": 0.02, "offer_seconds": 8, "last_agent_wait_seconds": 2, "drop_skill_seconds": 30,
    "queued_reminder_minutes": 0.1, "queued_reminder_most_minutes": 1, "nobody_minutes": 0.1, "agent_silent_seconds": 4,
    "agent_silent_escalation_seconds": 12, "customer_silent_minutes": 1, "customer_silent_finish_minutes": 0.5,
    "wrap_up_minutes": 0.5,
}  # fmt: skip


@dataclass(frozen=True)
class Setup:
    """The size of a drill: `minutes` of customers coming, in which `speed` times as much time is meant to pass."""

    customers: int = 200
    agents: int = 20
    minutes: float = 10
    speed: float = 20
    load: float = 0.8  # of the agents' time that the customers need
    seed: int = 5

    @property
    def seconds(self) -> float:
        """Seconds in which customers come."""
        return self.minutes * 60


@dataclass(frozen=True)
class Visit:
    """One customer: when he comes (seconds from the start), what he is, how long he waits before he gives up."""

    number: int
    at: float
    kind: Kind
    opening: str
    patience: float | None
    leaves_message: bool
    unsteady: bool  # his line breaks now and then, and what he says is sent again


@dataclass(frozen=True)
class Shift:
    """One agent: how long a case takes him on average (seconds), and the seed of what he does."""

    login: str
    seed: int
    mean_seconds: float


def staff_of(setup: Setup) -> list[Staff]:
    """Return the agents: two pools, one at a time each."""
    second = max(1, round(setup.agents * SHARES["anger"]))
    first = setup.agents - second
    return [Staff(f"first{number}", FIRST_LINE) for number in range(1, first + 1)] + [
        Staff(f"second{number}", SECOND_LINE) for number in range(1, second + 1)
    ]


def limits_of(setup: Setup, ordinary: Mapping[str, Any]) -> dict[str, Any]:
    """Return the waiting times of the drill; nobody gets more than he has room for, so that a model can be had."""
    sped = {name: max(least, ordinary[name] / setup.speed) for name, least in SPED_UP.items()}
    handling = {skill: minutes / setup.speed for skill, minutes in ordinary["handling_minutes"].items()}
    return {**sped, "handling_minutes": handling, "danger_over_capacity": 0}


def visits_of(setup: Setup) -> list[Visit]:
    """Return the customers in the order in which they come: a Poisson stream."""
    chance, at, visits = random.Random(setup.seed), 0.0, []
    for number in range(1, setup.customers + 1):
        at += chance.expovariate(setup.customers / setup.seconds)
        kind = chance.choices(list(SHARES), list(SHARES.values()))[0]
        impatient = kind != "danger" and chance.random() < IMPATIENT
        patience = chance.uniform(0.5, 2) * setup.load * setup.agents * setup.seconds / setup.customers / 4
        visits.append(Visit(
            number, at, kind, chance.choice(WORDS[kind]), patience if impatient else None,
            chance.random() < MESSAGES, chance.random() < 0.2,
        ))  # fmt: skip
    return visits


def shifts_of(setup: Setup, staff: list[Staff]) -> list[Shift]:
    """Return the agents' shifts; each pool is as busy as the setup says."""
    shifts = []
    for number, one in enumerate(staff):
        pool = sum(other.skills == one.skills for other in staff)
        share = SHARES["anger"] if one.skills == SECOND_LINE else 1 - SHARES["anger"]
        each = setup.load * pool * setup.seconds / (share * setup.customers)
        shifts.append(Shift(one.login, setup.seed * 1000 + number, max(0.5, each - OVERHEAD)))
    return shifts
