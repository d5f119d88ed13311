"""What the board of the network counts: outages with whom they reach, reports, who wants to be told, arrivals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from core.outage import PLANNED

ANNOUNCED = timedelta(days=7)  # 供电服务十项承诺: planned works are announced so long ahead
AGAIN = timedelta(days=30)
UNPLANNED = ("fault", "limit")
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class OutageItem:
    """One outage; `again`: another unplanned one took down some of the same places within the days before."""

    number: int
    outage_no: str
    kind: str
    state: str
    cause: str | None
    area: str
    district: str
    area_class: str
    at: datetime  # when it began, or is to begin
    expected_at: datetime | None
    said_at: datetime | None  # how old the expected time is
    restored_at: datetime | None
    transformers: frozenset[str]
    accounts: int
    again: bool
    now: datetime

    @property
    def key(self) -> str:
        """Its number."""
        return self.outage_no

    @property
    def begun(self) -> bool:
        """Whether it is known to have begun: neither reports alone, nor plans of later, nor withdrawn."""
        return self.state not in ("cancelled", "suspected") and self.at <= self.now

    @property
    def kept(self) -> bool | None:
        """Whether power was back by the time that was said last, None while it may be, or none was said."""
        if self.expected_at is None or not self.begun:
            return None
        if self.restored_at is not None:
            return self.restored_at <= self.expected_at
        return False if self.expected_at < self.now and self.state != PLANNED else None

    @property
    def late_minutes(self) -> float | None:
        """How many minutes after the time said last power was back; before it: less than 0."""
        if self.expected_at is None or self.restored_at is None:
            return None
        return (self.restored_at - self.expected_at) / _MINUTE

    @property
    def lasted(self) -> float | None:
        """How many seconds it lasted."""
        return (self.restored_at - self.at).total_seconds() if self.restored_at is not None else None

    @property
    def announced(self) -> bool | None:
        """Whether planned works were announced seven days ahead; None where nobody knows when they were."""
        if self.kind != PLANNED or self.state == "cancelled" or self.said_at is None or self.said_at >= self.at:
            return None
        return self.at - self.said_at >= ANNOUNCED

    def under_way(self, moment: datetime) -> bool:
        """Tell whether it was known to be under way at a moment."""
        if self.state in ("cancelled", "suspected") or self.at > moment:
            return False
        if self.restored_at is not None:
            return self.restored_at > moment
        if self.state == PLANNED:
            return self.expected_at is None or self.expected_at > moment
        return self.state != "restored"


@dataclass(frozen=True)
class Dark:
    """A transformer without power, with the outage that took it down first."""

    at: datetime
    code: str
    name: str
    district: str
    outage_no: str
    accounts: int

    @property
    def key(self) -> str:
        """Its code."""
        return self.code


@dataclass(frozen=True)
class Report:
    """A customer's word that there is no power."""

    at: datetime
    number: int
    conversation_id: str
    area: str | None
    district: str | None
    outage_no: str | None
    order_no: str | None

    @property
    def key(self) -> str:
        """Its number, so that numbers sort as they grow."""
        return f"{self.number:012d}"


@dataclass(frozen=True)
class Subscriber:
    """A conversation that wants to hear how an outage goes on; `told`: how much it has heard, `over`: it is over."""

    at: datetime
    number: int
    conversation_id: str
    outage_no: str
    over: bool
    told: int

    @property
    def key(self) -> str:
        """Its number."""
        return f"{self.number:012d}"

    @property
    def heard(self) -> bool | None:
        """Whether it has heard anything, None while there may be nothing to be heard."""
        return True if self.told else False if self.over else None
