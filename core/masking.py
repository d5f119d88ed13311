"""Masked forms of personal data: what is shown unless somebody proved a need to see more."""

from __future__ import annotations

import re

_NUMBER = r"[0-9A-Za-z零一二三四五六七八九十百]+"
_DOOR = re.compile(rf"{_NUMBER}(?=号楼|号院|栋|幢|座|单元|层|楼|室|号|组|门|弄|户)|[0-9]+(?:[-–—#/][0-9A-Za-z]+)*")


def mask_name(name: str) -> str:
    """Return a name with all but its first and, from three characters on, last character hidden (张*明)."""
    if len(name) <= 1:
        return "*"
    return name[0] + "*" * (len(name) - 2) + name[-1] if len(name) > 2 else name[0] + "*"


def mask_phone(phone: str) -> str:
    """Return an 11-digit phone number as 138****2842; shorter numbers lose all but the last two digits."""
    if len(phone) < 11:
        return "*" * max(len(phone) - 2, 0) + phone[-2:]
    return f"{phone[:3]}{'*' * (len(phone) - 7)}{phone[-4:]}"


def mask_account_no(account_no: str) -> str:
    """Return an account number (户号, 10 or 13 digits) as 420***5420: the first three and the last four digits."""
    hidden = len(account_no) - 7
    return f"{account_no[:3]}{'*' * hidden}{account_no[-4:]}" if hidden > 0 else "*" * len(account_no)


def mask_address(address: str) -> str:
    """Return an address whose building, unit and room numbers are hidden (江汉区解放大道**号**栋…)."""
    return _DOOR.sub("**", address)


def mask_certificate(number: str) -> str:
    """Return a certificate number with only its first and last characters shown."""
    return number[:1] + "*" * max(len(number) - 2, 1) + number[-1:]
