"""The weekly report and the effect of recommendations over HTTP: who may read them, what stands in them."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select
from supervision_kit import Office, office

from api.insight.effect import effect_lines, effect_words
from api.insight.page import CONTENT_SECURITY_POLICY
from api.insight.report import report_html
from core.audit import AuditEntry
from core.recommend.effect import METRICS, Difference
from core.recommend.tables import RECOMMENDATIONS, Recommendation

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture
async def desk(urls: tuple[str, str]) -> AsyncIterator[Office]:
    async with office(urls) as one:
        yield one


async def test_a_supervisor_opens_the_report_and_it_is_written_down(desk: Office) -> None:
    boss = await desk.seat("supervisor", skills=())
    answer = await boss.http.get("/v1/insight/report?week=2026-W47")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert answer.headers["cache-control"] == "no-store"
    for source in re.findall(r'(?:src|href)="(/[^"]+)"', answer.text):
        assert (await boss.http.get(source)).status_code == 200
    with desk.bridge.parts.bridge.reading() as session:
        last = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert last is not None
    assert (last.action, last.subject) == ("insight_report", "2026-W47")


async def test_agents_and_strangers_get_neither(desk: Office) -> None:
    for path in ("report", "effect"):
        assert (await (await desk.seat()).http.get(f"/v1/insight/{path}")).status_code == 403
        assert (await (await desk.nobody()).http.get(f"/v1/insight/{path}")).status_code == 401


async def test_what_is_no_week_is_refused_in_words(desk: Office) -> None:
    boss = await desk.seat("supervisor", skills=())
    answer = await boss.http.get("/v1/insight/report?week=2026-W60")
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_span")


def test_data_cannot_break_out_of_the_page() -> None:
    evil = "</script><script>alert(1)</script><!--"
    page = report_html({"title": evil, "week": "w", "boards": [evil]}, read=lambda _name: "")
    assert page.count("<script") == page.count("</script>") == 3
    [found] = re.findall(r'id="report-data">(.*?)</script>', page, re.DOTALL)
    assert json.loads(found)["boards"] == [evil]


def test_every_kind_and_every_metric_has_its_words() -> None:
    words = effect_words(DATA)
    assert set(words.kinds) == set(RECOMMENDATIONS)
    assert set(words.metrics) == set(METRICS)


async def test_the_effect_counts_who_was_told_also_while_the_bills_are_away(desk: Office) -> None:
    now = desk.clock()
    with desk.bridge.parts.bridge.transaction() as session:
        for number, state in enumerate(("shown", "accepted", "refused", "refused", "held_out")):
            session.add(
                Recommendation(
                    customer_no=f"C{number}", account_no=f"A{number}", month=date(2026, 10, 1), kind="charging_time",
                    yuan=Decimal("31.20"), state=state, conversation_id=f"c{number}", shown_at=now,
                )
            )  # fmt: skip
    boss = await desk.seat("supervisor", skills=())
    [line] = (await boss.http.get("/v1/insight/effect")).json()["lines"]
    counts = [line[name] for name in ("name", "shown", "accepted", "refused", "held_out")]
    assert counts == ["充电时段", 4, 1, 2, 1]
    assert line["text"] == effect_words(desk.bridge.parts.settings.data_dir).away  # this bridge has no bills


def test_too_few_customers_are_told_to_be_too_few() -> None:
    few = Difference("charging_time", "kwh", 4, 1, -0.1, 0.0)
    told = Difference("charging_time", "valley_share", 40, 30, 0.07, 0.01, 0.06, 0.02, 0.1)
    [line] = effect_lines(effect_words(DATA), {"charging_time": {"shown": 44, "held_out": 31}}, [few, told])
    assert line.text == "月用电量人数还不够（推荐 4、对照 1）；谷段占比+6.0%（+2.0% 至 +10.0%）"
