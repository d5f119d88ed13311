"""The people of the desk: who they are, how they sign in, what they may do."""

from core.agent.login import LIMITS, Attempt, CodeNeeded, Limits, LockedOut, Refused, SignedIn, begin, confirm, settle
from core.agent.password import PasswordHash, WeakPassword, hash_password, is_password, new_password
from core.agent.people import (
    AgentNotFound,
    AgentTaken,
    BadAgent,
    Changes,
    LastAdministrator,
    NewAgent,
    add_agent,
    agent_by_login,
    change_agent,
    find_agent,
    list_agents,
    locked_until,
    present,
    set_password,
    set_status,
    touch,
    unlock,
)
from core.agent.tables import (
    ADMINISTRATOR,
    AGENT,
    PRESENT_FOR,
    ROLES,
    SKILLS,
    STATUSES,
    SUPERVISOR,
    Agent,
    LoginGuard,
    at_least,
)
from core.agent.totp import BadCode, NoSecondFactor, begin_totp, confirm_totp, renew_totp, totp_off

__all__ = [
    "ADMINISTRATOR", "AGENT", "LIMITS", "PRESENT_FOR", "ROLES", "SKILLS", "STATUSES", "SUPERVISOR", "Agent",
    "AgentNotFound", "AgentTaken", "Attempt", "BadAgent", "BadCode", "Changes", "CodeNeeded", "LastAdministrator",
    "Limits", "LockedOut", "LoginGuard", "NewAgent", "NoSecondFactor", "PasswordHash", "Refused", "SignedIn",
    "WeakPassword", "add_agent", "agent_by_login", "at_least", "begin", "begin_totp", "change_agent", "confirm",
    "confirm_totp", "find_agent", "hash_password", "is_password", "list_agents", "locked_until", "new_password",
    "present", "renew_totp", "set_password", "set_status", "settle", "totp_off", "touch", "unlock",
]  # fmt: skip
