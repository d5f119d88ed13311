"""What the tests of campaigns share: a published run with its portraits, and customers who agreed to hear offers."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from core.clock import SHANGHAI
from core.portrait.tables import Portrait
from core.proactive.choices import choose
from core.recommend.rules import recommend_rules
from core.segment.tables import PUBLISHED, SegmentRun

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=SHANGHAI)
RULES = recommend_rules()
NOBODY = RULES.model_copy(update={"held_out_percent": 0.0})


def run(session: Session, portraits: dict[str, list[str | None]], state: str = PUBLISHED) -> int:
    """Put a run with so many accounts of each customer, by segment."""
    made = SegmentRun(
        as_of=date(2026, 11, 1), state=state, seed=1, started_at=NOW - timedelta(days=3), heartbeat_at=NOW,
        finished_at=NOW, published_at=NOW - timedelta(days=2), error=None,
    )  # fmt: skip
    session.add(made)
    session.flush()
    place = 0
    for number, segments in portraits.items():
        for segment in segments:
            place += 1
            session.add(
                Portrait(
                    run_id=made.id, account_id=place, account_no=f"{4_200_000_000_000 + place}", customer_no=number,
                    customer_kind="person", district="江岸区", area_class="city", user_class="residential",
                    history_months=24, segment=segment,
                )
            )  # fmt: skip
    session.flush()
    return made.id


def agree(session: Session, *numbers: str, wanted: bool = True) -> None:
    for number in numbers:
        choose(session, f"customer:{number}", "offer", wanted=wanted, channel="chat", now=NOW)
