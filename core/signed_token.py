"""Signed tokens (JWT, HS256 alone) with an audience and an expiry; what they say is the business of `core.identity`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import jwt

ALGORITHM = "HS256"
Audience = Literal["dianfu-customer", "dianfu-session", "dianfu-actions", "dianfu-bridge"]


class BadToken(Exception):
    """The token is missing, altered, expired, or was issued for something else."""


def sign(
    key: str, audience: Audience, subject: str, more: Mapping[str, Any], now: datetime, lifetime: timedelta
) -> str:
    """Return a token for one audience, good from `now` for its lifetime."""
    claims = {"sub": subject, "aud": audience, "iat": now, "exp": now + lifetime, **more}
    return jwt.encode(claims, key, algorithm=ALGORITHM)


def verify(key: str, token: str, audience: Audience, now: datetime) -> dict[str, Any]:
    """Return the claims of a token.

    Raises:
        BadToken: if it was not signed with this key for this audience, or its time is over.
    """
    try:
        claims: dict[str, Any] = jwt.decode(
            token, key, algorithms=[ALGORITHM], audience=audience,
            options={"require": ["sub", "aud", "exp", "iat"], "verify_exp": False, "verify_iat": False},
        )  # fmt: skip
    except jwt.PyJWTError as error:
        raise BadToken(str(error)) from error
    # The library compares with the system's clock; ours is injected.
    if not isinstance(claims["exp"], int) or claims["exp"] <= now.timestamp():
        raise BadToken("expired")
    return claims
