"""Who lives in the region and which accounts they have: fixed for all time, seen from one day.

Nothing here depends on the day of seeding but which accounts can be seen then. An account knows when it
will close and when its meters will be exchanged; what lies ahead is kept back where rows are written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from random import Random

from pydantic import BaseModel

from core.seed.people import address_of, certificate_of, organisation_name, person_name, phone_of
from core.seed.region import PERSON, AccountKind, District, Kind, Region
from core.seed.spans import ONE_DAY, MeterSpec, account_spans, meters_of
from core.tariff import TariffBook

# The new numbering has 13 digits.
LONG_NUMBERS_FROM = date(2014, 1, 1)
# Capacities (kVA) below which meters have these ratios of their current and voltage transformers.
_MULTIPLIERS = ((100, 1), (400, 40), (2000, 400))
_LARGEST_MULTIPLIER = 7000
THREE_PHASES_FROM_KVA = 12
# Scatters consecutive numbers over all numbers of the same length, one to one.
_SCATTER = 48271
# Multiples of the golden ratio, without their whole parts, lie evenly between 0 and 1.
_GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class AccountSpec:
    """An account with all that decides on its readings, bills and payments; `mean_kwh` is of a month."""

    id: int
    account_no: str
    customer_id: int
    person: bool
    kind: AccountKind
    user_class: str
    district: District
    address: str
    opened_on: date
    closed_on: date | None
    prepaid: bool
    capacity_kva: int
    multiplier: int
    demand_billed: bool
    mean_kwh: float
    growth: float
    habit: str
    meters: tuple[MeterSpec, ...]

    @property
    def recorded_from(self) -> date:
        """The day of the first reading."""
        return self.meters[0].installed_on


@dataclass(frozen=True)
class CustomerSpec:
    """A customer with the personal data in clear."""

    id: int
    customer_no: str
    person: bool
    name: str
    phone: str
    certificate: str
    accounts: tuple[AccountSpec, ...]


def customers_of(region: Region, book: TariffBook, *, count: int, first: date, today: date) -> Iterator[CustomerSpec]:
    """Yield the first `count` customers with their accounts that were open between `first` and yesterday."""
    builder = _Builder(region, book, first, today)
    taken = dict.fromkeys((kind.kind for kind in region.kinds), 0)
    whole = sum(kind.share for kind in region.kinds)
    for n in range(1, count + 1):
        # The kind that is furthest behind its share comes next: any number of customers is a fair sample.
        kind = max(region.kinds, key=lambda kind: kind.share * n / whole - taken[kind.kind])
        yield builder.customer(kind, taken[kind.kind], n)
        taken[kind.kind] += 1


@dataclass(frozen=True)
class _Builder:
    region: Region
    book: TariffBook
    first: date
    today: date

    def customer(self, kind: Kind, number: int, n: int) -> CustomerSpec:
        """Return customer `n`, who is the `number`-th (from 0) of a kind."""
        rng = Random(f"{n}:customer")
        district = self._district(kind, number, rng)
        person = kind.names == PERSON
        people = self.region.people
        name = person_name(people, rng) if person else organisation_name(people, kind.names, district, rng)
        return CustomerSpec(
            id=n,
            customer_no=f"42{n * _SCATTER % 10**8:08}",
            person=person,
            name=name,
            phone=phone_of(n),
            certificate=certificate_of(kind.names, district, rng),
            accounts=tuple(self._accounts(kind, number, n, person, district)),
        )

    def _accounts(self, kind: Kind, number: int, n: int, person: bool, district: District) -> Iterator[AccountSpec]:
        for index, account in enumerate(kind.accounts):
            spans = account_spans(account, number, Random(f"{n}:{index}:opened"))
            there = self._elsewhere(account, index, n, district)
            for step, (opened, closed) in enumerate(spans):
                over = closed is not None and closed < self.first
                if opened < self.today - ONE_DAY and not over:
                    slot = index + step * len(kind.accounts)
                    yield self._account(account, number, n, slot, person, there, opened, closed)

    def _account(
        self, kind: AccountKind, number: int, n: int, slot: int, person: bool, district: District,
        opened: date, closed: date | None,
    ) -> AccountSpec:  # fmt: skip
        account_id = n * 10 + slot
        rng = Random(f"{account_id}:account")
        capacity = rng.choice(kind.capacity)
        low, high = self.region.profiles[kind.profile].kwh
        mean = low + (high - low) * rng.random()
        prepaid = even(number) < kind.prepaid
        return AccountSpec(
            id=account_id,
            account_no=account_no(account_id, district, opened),
            customer_id=n,
            person=person,
            kind=kind,
            user_class=self._user_class(kind.plan),
            district=district,
            address=address_of(district, home=person, rng=rng),
            opened_on=opened,
            closed_on=closed,
            prepaid=prepaid,
            capacity_kva=capacity,
            multiplier=_multiplier(capacity),
            demand_billed=even(number) < kind.demand_billed,
            mean_kwh=mean * capacity if self.region.profiles[kind.profile].per_kva else mean,
            growth=rng.uniform(0.06, 0.12) if rng.random() < 0.08 else rng.uniform(-0.01, 0.02),
            habit=self._habit(n, prepaid=prepaid),
            meters=tuple(meters_of(account_id, kind, number, opened, closed)),
        )

    def _district(self, kind: Kind, number: int, rng: Random) -> District:
        rural = even(number) < kind.rural
        return rng.choice([place for place in self.region.districts if (place.area != "city") == rural])

    def _elsewhere(self, account: AccountKind, index: int, n: int, home: District) -> District:
        """Return where a customer's account lies: the first and a charging pile at home, further ones elsewhere."""
        others = [place for place in self.region.districts if place.area == home.area and place != home]
        if index == 0 or self._user_class(account.plan) == "charging" or not others:
            return home
        return Random(f"{n}:{index}:district").choice(others)

    def _habit(self, n: int, *, prepaid: bool) -> str:
        if prepaid:
            return _habit_of(self.region.prepaid_habits, even(n) * 100, "ahead")
        return _habit_of(self.region.habits, n * 37 % 100, "early")

    def _user_class(self, code: str) -> str:
        return next(plan.user_class for plan in self.book.plans() if plan.code == code)


def _habit_of(habits: BaseModel, place: float, otherwise: str) -> str:
    """Return the habit in whose percentage a place from 0 to 100 falls."""
    for habit, percent in habits:
        if place < percent:
            return str(habit)
        place -= percent
    return otherwise


def _multiplier(capacity_kva: int) -> int:
    return next((ratio for below, ratio in _MULTIPLIERS if capacity_kva < below), _LARGEST_MULTIPLIER)


def even(number: int) -> float:
    """Return a figure from 0 to 1 such that those of consecutive numbers lie evenly."""
    return (number + 0.5) * _GOLDEN % 1


def account_no(account_id: int, district: District, opened: date) -> str:
    """Return a number of 13 digits, or of 10 for the older accounts, in no visible order."""
    scattered = account_id * _SCATTER % 10**7
    return f"420{scattered:07}" if opened < LONG_NUMBERS_FROM else f"{district.code}{scattered:07}"
