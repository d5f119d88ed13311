"""The page is told to read again when something that it shows has changed, and stays quiet otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from core.insight.kpi import Sources
from core.insight.pulse import version
from core.learning.tables import LearnedFaq, LearningGroup, ModelVersion
from core.notice import Notice
from core.outage import Outage
from core.promise import Promise
from core.recommend.tables import CallBack, Campaign, Recommendation
from core.segment.tables import SegmentRun
from tests.core.insight_kit import NOW, databases
from tests.dialects import DIALECTS, NewUrl

BEFORE = NOW - timedelta(days=1)


@pytest.fixture(params=DIALECTS)
def sources(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Sources]:
    made = databases(new_url, request.param, tmp_path)
    with made.bridge.transaction() as session:
        session.add_all((
            CallBack(id=1, handoff_id=1, conversation_id="t", due_at=NOW, state="open"),
            SegmentRun(id=1, as_of=NOW.date(), state="running", seed=1, started_at=BEFORE, heartbeat_at=BEFORE),
            LearningGroup(id=1, name="n", size=2, harm=1, example="e", made_at=BEFORE),
            LearnedFaq(id=1, key="learned_a", question="q", also=[], answer="a", region="hubei", source="s",
                       month="2026-11", status="verified", state="draft", author_id=1, edited_by=1, at=BEFORE),
            ModelVersion(id=1, name="m", file="f", sha256="0", state="training", started_at=BEFORE),
            Campaign(id=1, key="c", name="c", segments=[], text="x", state="draft", created_at=BEFORE),
        ))  # fmt: skip
    with made.workorder.transaction() as session:
        session.add_all((
            Promise(id=1, subject_kind="order", subject_id=1, kind="arrival", conversation_id="t", due_at=NOW,
                    told_at=BEFORE),
            Outage(id=1, outage_no="TD1", kind="fault", state="active", area="x", district="y", area_class="urban",
                   started_at=BEFORE),
            Notice(id=1, key="outage:1:restored:t", conversation_id="t", wording="outage_restored", values={},
                   created_at=BEFORE),
        ))  # fmt: skip
    yield made
    for database in (made.bridge, made.workorder, made.billing):
        database.dispose()


def _set(table: type, name: str, value: Any) -> Callable[[Session], None]:
    return lambda session: setattr(session.get_one(table, 1), name, value)


def _recommend(session: Session) -> None:
    session.add(Recommendation(customer_no="1", account_no="1", month=NOW.date().replace(day=1), kind="tariff",
                               yuan=1, state="shown", conversation_id="t", shown_at=NOW))  # fmt: skip


@pytest.mark.parametrize(("name", "change"), [
    ("bridge", _set(CallBack, "state", "done")), ("bridge", _set(SegmentRun, "state", "failed")),
    ("bridge", _set(LearningGroup, "size", 1)), ("bridge", _set(LearnedFaq, "version", 2)),
    ("bridge", _set(ModelVersion, "state", "candidate")), ("bridge", _set(ModelVersion, "compared", {"a": 1})),
    ("bridge", _set(Campaign, "state", "running")), ("bridge", _recommend),
    ("workorder", _set(Promise, "kept_at", NOW)), ("workorder", _set(Outage, "state", "restored")),
    ("workorder", _set(Outage, "expected_at", NOW)), ("workorder", _set(Notice, "delivered_at", NOW)),
])  # fmt: skip
def test_what_changes_without_a_new_message_is_seen_at_once(
    sources: Sources, name: str, change: Callable[[Session], None]
) -> None:
    before = version(sources, now=NOW)
    assert before == version(sources, now=NOW)
    with getattr(sources, name).transaction() as session:
        change(session)
    assert before != version(sources, now=NOW)
