"""The named manager (客户经理) of a customer: who is asked first, and to whom calls back fall."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from core.agent import Agent
from core.locking import one_at_a_time
from core.recommend.tables import CallBack, CustomerManager

ANYBODY = 0  # whoever is manager now: no agent has this number
_HERE = select(Agent.id).where(Agent.active)


class ManagerChanged(Exception):
    """Somebody else has named another manager, or taken the name away, since the caller looked."""

    def __init__(self, agent_id: int | None) -> None:
        super().__init__(f"the manager is agent {agent_id}")
        self.agent_id = agent_id


def manager_of(session: Session, customer_no: str | None) -> CustomerManager | None:
    """Return who looks after a customer by name, None if nobody does or that agent has left."""
    row = session.get(CustomerManager, customer_no) if customer_no else None
    agent = session.get(Agent, row.agent_id) if row is not None else None
    return row if agent is not None and agent.active else None


def set_manager(
    session: Session, customer_no: str, agent_id: int | None, *, now: datetime, instead_of: int | None = ANYBODY
) -> bool:
    """Name the manager of a customer, or (None) take the name away; tell whether anything changed.

    Calls that fall to nobody fall to the new manager. `instead_of`: whom the caller saw there, None for nobody. Whether
    there is such an agent, and an active one, is the caller's to check.

    Raises:
        ManagerChanged: if it is somebody else by now, and not the one that is wanted either.
    """
    one_at_a_time(session, f"manager:{customer_no}")  # of a first one there is no row yet to lock
    row = session.get(CustomerManager, customer_no, with_for_update=True, populate_existing=True)
    known = manager_of(session, customer_no)
    present = known.agent_id if known is not None else None
    if instead_of not in (ANYBODY, present) and present != agent_id:
        raise ManagerChanged(present)
    if agent_id is None:
        if row is not None:
            session.delete(row)
        return row is not None
    changed = row is None or row.agent_id != agent_id
    if row is None:
        session.add(CustomerManager(customer_no=customer_no, agent_id=agent_id, since=now))
    elif changed:
        row.agent_id, row.since = agent_id, now
    _bring_calls(session, customer_no, agent_id)
    return changed


def _bring_calls(session: Session, customer_no: str, agent_id: int) -> None:
    nobodys = or_(CallBack.agent_id.is_(None), CallBack.agent_id.not_in(_HERE))
    query = update(CallBack).where(CallBack.customer_no == customer_no, CallBack.state == "open", nobodys)
    session.execute(query.values(agent_id=agent_id))
