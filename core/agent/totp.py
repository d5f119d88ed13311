"""The second factor: codes by time (RFC 6238: SHA-1, six digits, half a minute), each good for one use."""

from __future__ import annotations

import hmac
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime

import pyotp
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.agent.tables import Agent
from core.audit import Auditor
from core.fields import Keyring

PERIOD, DRIFT = 30, 1  # seconds of a step; steps that a telephone's clock may be wrong
ISSUER = "dianfu"
_CODE = re.compile(r"[0-9]{6}", re.ASCII)


class BadCode(ValueError):
    """The code does not belong to the secret that waits to be confirmed."""


class NoSecondFactor(LookupError):
    """No second factor waits to be confirmed."""


@dataclass(frozen=True)
class Enrolment:
    """What an authenticator app is given, once."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


def begin_totp(session: Session, agent: Agent, *, keyring: Keyring) -> Enrolment:
    """Make a secret that counts once a code has confirmed it; the one in use stays until then."""
    secret = pyotp.random_base32()
    agent.totp_pending = keyring.encrypt(secret, _context(agent))
    session.flush()
    return Enrolment(secret, pyotp.TOTP(secret).provisioning_uri(name=agent.login, issuer_name=ISSUER))


def confirm_totp(session: Session, agent: Agent, code: str, *, keyring: Keyring, now: datetime) -> None:
    """Take the waiting secret into use.

    Raises:
        NoSecondFactor: if none waits.
        BadCode: if the code is not that of the waiting secret.
    """
    if agent.totp_pending is None:
        raise NoSecondFactor
    step = _step(keyring.decrypt(agent.totp_pending, _context(agent)), code, now, after=None)
    if step is None:
        raise BadCode
    agent.totp_cipher, agent.totp_pending, agent.totp_step = agent.totp_pending, None, step
    Auditor.of(keyring, agent.id).note(session, "totp_on", agent.login, now=now)


def totp_off(session: Session, agent: Agent, *, auditor: Auditor, now: datetime) -> bool:
    """Give up the second factor; false if there was none."""
    had = agent.totp_cipher is not None
    agent.totp_cipher = agent.totp_pending = agent.totp_step = None
    if had:
        auditor.note(session, "totp_off", agent.login, now=now)
    return had


def accept(agent: Agent, code: str, *, keyring: Keyring, now: datetime) -> bool:
    """Tell whether a code is right and not used yet, and use it. The caller holds the agent's row."""
    if agent.totp_cipher is None:
        return False
    step = _step(keyring.decrypt(agent.totp_cipher, _context(agent)), code, now, after=agent.totp_step)
    if step is None:
        return False
    agent.totp_step = step
    return True


def renew_totp(session: Session, keyring: Keyring) -> int:
    """Write all secrets anew under the active key; return how many were of another."""
    changed = 0
    for agent in session.scalars(select(Agent)):
        context = _context(agent)
        for name in ("totp_cipher", "totp_pending"):
            cipher = getattr(agent, name)
            if cipher is not None and not keyring.is_current(cipher):
                setattr(agent, name, keyring.renew(cipher, context))
                changed += 1
    return changed


def _step(secret: str, code: str, now: datetime, *, after: int | None) -> int | None:
    """Return the step that a code belongs to, None if it is wrong or not later than the step `after`."""
    digits = re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", code))
    if not _CODE.fullmatch(digits):
        return None
    present, totp = int(now.timestamp()) // PERIOD, pyotp.TOTP(secret)
    matching = [
        step
        for step in range(present - DRIFT, present + DRIFT + 1)
        if hmac.compare_digest(totp.generate_otp(step), digits) and (after is None or step > after)
    ]
    return matching[0] if matching else None


def _context(agent: Agent) -> str:
    return f"agents.totp:{agent.id}"
