"""What stirs messages that we send first: bills, balances, outages, read from where they happen in small steps.

Each step is one short transaction of the bridge that holds both what came of it and how far the source was read. A
database that is away delays, and loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from core.db import Database
from core.proactive.kinds import Notices
from core.proactive.rules import SourceRules
from core.proactive.source_balances import Balances
from core.proactive.source_bills import Bills
from core.proactive.source_outages import Outages

Step = Callable[[datetime], bool]


def sources(
    *, billing: Database, workorder: Database, bridge: Database, notices: Notices, rules: SourceRules,
    causes: Mapping[str, str],
) -> dict[str, Step]:  # fmt: skip
    """Return the sources by name, the most urgent first; a step says whether there may be more at once.

    `causes`: the words for the causes of outages, by their codes.
    """
    return {
        "outages": Outages(billing, workorder, bridge, notices, rules, causes).step,
        "bills": Bills(billing, bridge, notices, rules).step,
        "balances": Balances(billing, bridge, notices, rules).step,
    }
