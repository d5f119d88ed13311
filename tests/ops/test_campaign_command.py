"""`dianfu campaign …` on databases of its own, in this process."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core import campaign as campaigns
from core.clock import SHANGHAI
from core.db import Database
from core.fields import new_key
from core.migrations import upgrade
from core.portrait.tables import Portrait
from core.recommend.rules import recommend_rules
from core.recommend.tables import Recommendation
from core.segment.tables import PUBLISHED, SegmentRun
from ops.campaign import campaign_app

NOW = datetime(2026, 3, 2, 10, tzinfo=SHANGHAI)


@pytest.fixture(autouse=True)
def bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setenv("DIANFU_FIELD_KEYS", f"k1:{new_key()}")
    monkeypatch.setenv("DIANFU_LOOKUP_KEY", new_key())
    for name in ("bridge", "billing"):
        url = f"sqlite:///{tmp_path / name}.db"
        monkeypatch.setenv(f"DIANFU_{name.upper()}_URL", url)
        upgrade(name, Database(url))
    return Database(f"sqlite:///{tmp_path / 'bridge'}.db")


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(campaign_app, list(words))
    return done.exit_code, done.output


def test_campaigns_are_listed_and_stopped(bridge: Database) -> None:
    with bridge.transaction() as session:
        row = campaigns.draft(
            session, recommend_rules(), name="夜间充电", segments=["growth"], text="夜里充便宜。", by=1, now=NOW
        )
        number = str(row.id)
    code, output = run("list")
    assert code == 0
    assert "draft" in output
    assert "夜间充电  growth" in output
    assert run("stop", number) == (0, f"{number}  stopped\n")
    code, output = run("stop", "99")
    assert code != 0
    assert "there is no campaign 99" in output


def test_the_preview_needs_a_published_run_and_a_group_that_there_is(bridge: Database) -> None:
    code, output = run("preview", "growth")
    assert code != 0
    assert "dianfu segment run" in output
    code, output = run("preview", "everybody")
    assert code != 0
    assert "there is no group everybody" in output
    with bridge.transaction() as session:
        made = SegmentRun(
            as_of=date(2026, 3, 1), state=PUBLISHED, seed=1, started_at=NOW, heartbeat_at=NOW, finished_at=NOW,
            published_at=NOW, error=None,
        )  # fmt: skip
        session.add(made)
        session.flush()
        session.add(
            Portrait(
                run_id=made.id, account_id=1, account_no="4200000000001", customer_no="A", customer_kind="person",
                district="江岸区", area_class="city", user_class="residential", history_months=24, segment="growth",
            )
        )  # fmt: skip
    code, output = run("preview", "growth")
    assert code == 0
    assert "customers 1  agreed 0  held out 0  refused 0  told 0" in output


def test_the_effect_says_where_there_is_too_little_to_tell(bridge: Database) -> None:
    assert run("effect") == (0, "nothing was recommended yet\n")
    with bridge.transaction() as session:
        session.add(
            Recommendation(
                customer_no="A", account_no="4200000000001", month=date(2026, 1, 1), kind="tier_warning",
                yuan=Decimal(9), basis={}, state="shown", segment=None, conversation_id="c", shown_at=NOW,
                decided_at=None,
            )
        )  # fmt: skip
    code, output = run("effect", "--kind", "tier_warning")
    assert code == 0
    assert output.count("too few to tell") == 3
    code, output = run("effect", "--kind", "loans")
    assert code != 0
    assert "there is no recommendation loans" in output
