"""Agents for the demonstration, with a password that everybody knows: for development alone."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.agent import Agent, NewAgent, add_agent
from core.agent.password import demo_hash
from core.audit import Auditor

DEMO_PASSWORD = "dianfu-demo-2026"  # the rules for passwords refuse it to everybody else
FILE = "demo_agents.yaml"


def demo_agents(session: Session, now: datetime, *, auditor: Auditor, directory: Path) -> int:
    """Add those of the demonstration's agents (`directory`/demo_agents.yaml) who are not there; return how many."""
    rows = _rows(directory)
    people = [NewAgent(**{**row, "skills": tuple(row["skills"])}) for row in rows]
    there = set(session.scalars(select(Agent.login).where(Agent.login.in_([one.login for one in people]))))
    missing = [one for one in people if one.login not in there]
    for one in missing:
        add_agent(session, one, demo_hash(DEMO_PASSWORD), auditor=auditor, now=now)
    return len(missing)


def demo_logins(directory: Path) -> set[str]:
    """Return the logins of the demonstration's agents."""
    return {row["login"] for row in _rows(directory)}


def _rows(directory: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = yaml.safe_load((directory / FILE).read_text(encoding="utf-8"))
    return rows
