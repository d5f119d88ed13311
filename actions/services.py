"""What every action is given when the server starts."""

from __future__ import annotations

from dataclasses import dataclass

from actions.labels import Labels
from core.clock import Clock
from core.db import Database
from core.fields import Keyring
from core.tariff import TariffBook


@dataclass(frozen=True)
class Services:
    """The billing database (read only), the keys, the tariffs, the words and the clock."""

    billing: Database
    keyring: Keyring
    book: TariffBook
    labels: Labels
    clock: Clock
    identity_key: str
