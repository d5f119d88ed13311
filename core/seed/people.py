"""Names, telephone and certificate numbers and addresses: invented, and recognisable as invented."""

from __future__ import annotations

from datetime import date
from random import Random

from core.seed.region import PERSON, District, People

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
_CREDIT = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_FIRST_PHONE = 19900000000


def phone_of(n: int) -> str:
    """Return the telephone number of customer `n`, out of a block that nobody is given."""
    return str(_FIRST_PHONE + n)


def person_name(people: People, rng: Random) -> str:
    """Return a surname with a given name."""
    return rng.choice(people.surnames) + rng.choice(people.given_names)


def organisation_name(people: People, names: str, district: District, rng: Random) -> str:
    """Return a name such as 汉阳区星火小学."""
    lists = people.organisations[names]
    return district.name + rng.choice(lists.words) + rng.choice(lists.kinds)


def certificate_of(names: str, district: District, rng: Random) -> str:
    """Return an identity number, or an organisation's credit code, with a wrong check digit on purpose."""
    if names == PERSON:
        born = date(rng.randint(1945, 2002), rng.randint(1, 12), rng.randint(1, 28))
        body = f"{district.code}{born:%Y%m%d}{rng.randint(1, 999):03}"
        return body + _other(identity_check(body), _CHECKS, rng)
    body = f"91{district.code}MA" + "".join(rng.choice(_CREDIT) for _ in range(7))
    return body + _other(credit_check(body), _CREDIT, rng)


def identity_check(body: str) -> str:
    """Return the check digit of the first 17 digits of an identity number (GB 11643)."""
    return _CHECKS[sum(int(digit) * weight for digit, weight in zip(body, _WEIGHTS, strict=True)) % 11]


def credit_check(body: str) -> str:
    """Return the check character of the first 17 characters of a credit code (GB 32100)."""
    total = sum(_CREDIT.index(sign) * pow(3, place, 31) for place, sign in enumerate(body))
    return _CREDIT[-total % 31]


def address_of(district: District, *, home: bool, rng: Random) -> str:
    """Return an address in a district: a flat in a compound, a number in a road, or a house in a village."""
    road, place = rng.choice(district.roads), rng.choice(district.places)
    number, room = rng.randint(1, 299), rng.randint(1, 6)
    if district.area != "city":
        return f"湖北省{district.name}{road}{place}{room}组{number}号"
    if not home:
        return f"{district.city}{district.name}{road}{number}号"
    building, unit, floor = rng.randint(1, 18), rng.randint(1, 3), rng.randint(1, 22)
    return f"{district.city}{district.name}{road}{number}号{place}{building}栋{unit}单元{floor}{room:02}室"


def _other(right: str, signs: str, rng: Random) -> str:
    return rng.choice([sign for sign in signs if sign != right])
