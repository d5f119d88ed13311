"""Passwords of the desk: what may be one, and argon2id.

The cost is the first of OWASP's equal choices for argon2id (Password Storage Cheat Sheet): 46 MiB, one pass, one lane,
about 50 ms. Passwords are folded by NFKC before (NIST SP 800-63B 5.1.1.2), so that a full-width digit of an input
method is the digit.
"""

from __future__ import annotations

import secrets
import unicodedata
from functools import cache
from typing import NewType

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

PasswordHash = NewType("PasswordHash", str)  # made by `hash_password` alone, so that none escapes the rules

SHORTEST, LONGEST = 10, 128
_FEWEST_SIGNS = 5  # different characters
_BESIDE_LOGIN = 6  # characters that a password has besides the login
_READABLE = "abcdefghjkmnpqrstuvwxyz23456789"  # without what is easily mistaken: i l o 0 1

# Passwords of ten characters and more that lists of leaked ones have at the top, and those near at hand here.
_COMMON_WORDS = """
    1234567890 0123456789 9876543210 12345678910 123456789a a123456789 1234567899 1122334455 1234554321
    qwertyuiop qwerty12345 qwerty123456 qwertyuiop123 1q2w3e4r5t 1qaz2wsx3edc qazwsxedcrfv q1w2e3r4t5y6 zxcvbnm123
    asdfghjkl123 abcdefghij abc1234567 abcd123456 password12 password123 password1234 passw0rd123 p@ssw0rd123
    iloveyou123 woaini1314 woaini520 woaini1314520 woaini123456 5201314520 5211314521 admin12345 admin123456
    administrator welcome123 letmein123 changeme123 dianfu12345 dianfu123456 dianli12345 95598955989 guojiadianwang
    stategrid95598 kefu123456 zuoxi123456 dianfu-demo-2026
"""
_COMMON = frozenset(_COMMON_WORDS.split())


class WeakPassword(ValueError):
    """The password is none that may be chosen; `reason` is one of short, long, login, common, simple, same."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"this password is refused: {reason}")
        self.reason = reason


def hash_password(password: str, *, login: str) -> PasswordHash:
    """Return the argon2id hash of a new password; takes about 50 ms of a processor.

    Raises:
        WeakPassword: if it is too short or long, near to the login, common, or of few different characters.
    """
    text = _folded(password)
    if reason := _weakness(text, login):
        raise WeakPassword(reason)
    return PasswordHash(_hasher().hash(text))


def is_password(stored: str | None, password: str) -> tuple[bool, PasswordHash | None]:
    """Tell whether `password` belongs to the hash, and return a new hash where the old one is of another cost.

    Without a hash (no such login) it takes as long and is false.
    """
    text, hasher = _folded(password)[: 8 * LONGEST], _hasher()
    try:
        hasher.verify(stored or _nobody(), text)
    except (VerificationError, InvalidHashError):
        return False, None
    if stored is None:
        return False, None
    return True, PasswordHash(hasher.hash(text)) if hasher.check_needs_rehash(stored) else None


def new_password() -> str:
    """Return a random password of 16 readable characters in groups (about 79 bits)."""
    return "-".join("".join(secrets.choice(_READABLE) for _ in range(4)) for _ in range(4))


def demo_hash(password: str) -> PasswordHash:
    """Return the hash of a password that everybody knows, for the demonstration's agents; no rule is applied."""
    return PasswordHash(_hasher().hash(_folded(password)))


def _weakness(text: str, login: str) -> str:
    low = text.lower()
    if len(text) < SHORTEST:
        return "short"
    if len(text) > LONGEST:
        return "long"
    if login.lower() in low and len(low.replace(login.lower(), "")) < _BESIDE_LOGIN:
        return "login"
    if low in _COMMON:
        return "common"
    return "simple" if len(set(low)) < _FEWEST_SIGNS else ""


def _folded(password: str) -> str:
    # What is no text (half of a surrogate pair in JSON) cannot be hashed; it is nobody's password either.
    return unicodedata.normalize("NFKC", password).encode("utf-8", "replace").decode()


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher(time_cost=1, memory_cost=46 * 1024, parallelism=1)


@cache
def _nobody() -> str:
    return _hasher().hash(secrets.token_hex(16))
