"""What every action is given when the server starts."""

from __future__ import annotations

from dataclasses import dataclass, replace

from actions.labels import Labels
from actions.phrases import Phrases
from core.business import BusinessTable
from core.clock import Clock
from core.db import Database
from core.facts import Facts
from core.fields import Keyring
from core.one_time_code import CodeSender
from core.proactive.kinds import Notices
from core.promise import Commitments
from core.rehearsal import RehearsedDatabase, SilentSender
from core.tariff import TariffBook


@dataclass(frozen=True)
class Services:
    """The databases, keys, tariffs, words and clock.

    Billing is read only; of the bridge's there are the one-time codes, and what customers chose to hear of.
    """

    billing: Database
    workorder: Database
    bridge: Database
    keyring: Keyring
    book: TariffBook
    labels: Labels
    phrases: Phrases
    businesses: BusinessTable
    commitments: Commitments
    facts: Facts
    notices: Notices
    clock: Clock
    identity_key: str
    codes: CodeSender | None = None  # None: this installation cannot send one-time codes

    def in_style(self, style: str) -> Services:
        """Return the same with the wording of a style; the very same where the style changes nothing."""
        phrases = self.phrases.in_style(style)
        return self if phrases is self.phrases else replace(self, phrases=phrases)

    def rehearsing(self) -> Services:
        """Return the same with databases that keep nothing, and without a way to send anything."""
        return replace(
            self, billing=RehearsedDatabase(self.billing), workorder=RehearsedDatabase(self.workorder),
            bridge=RehearsedDatabase(self.bridge), codes=SilentSender() if self.codes else None,
        )  # fmt: skip
