"""The page of campaigns: drafted by one, approved by another, started to who agreed, stopped; all audited."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from supervision_kit import Office, Seat, office, refused

from core.audit import AuditEntry
from core.portrait.tables import Portrait
from core.proactive.choices import choose
from core.proactive.tables import Broadcast
from core.segment.tables import PUBLISHED, SegmentRun

BODY = {"name": "夜间充电", "segments": ["growth"], "text": "充电桩改在夜里充，每度便宜一些。"}


@pytest.fixture
async def desk(sqlite_urls: tuple[str, str]) -> AsyncIterator[Office]:
    async with office(sqlite_urls) as one:
        yield one


async def call(seat: Seat, method: str, path: str = "", **body: Any) -> Any:
    content = {"json": body} if body else {}
    return await seat.http.request(
        method, f"/v1/insight/campaigns{path}", headers={"X-CSRF-Token": seat.csrf}, **content
    )


async def good(seat: Seat, method: str, path: str = "", **body: Any) -> Any:
    answer = await call(seat, method, path, **body)
    assert answer.is_success, answer.text
    return answer.json()


def groups(desk: Office, *, agreed: tuple[str, ...], portraits: dict[str, str]) -> None:
    def work(session: Session) -> None:
        now = desk.clock()
        run = SegmentRun(
            as_of=date(2026, 11, 1), state=PUBLISHED, seed=1, started_at=now - timedelta(days=2), heartbeat_at=now,
            finished_at=now, published_at=now, error=None,
        )  # fmt: skip
        session.add(run)
        session.flush()
        for place, (number, segment) in enumerate(portraits.items(), 1):
            session.add(
                Portrait(
                    run_id=run.id, account_id=place, account_no=f"{4_200_000_000_000 + place}", customer_no=number,
                    customer_kind="person", district="江岸区", area_class="city", user_class="residential",
                    history_months=24, segment=segment,
                )
            )  # fmt: skip
        for number in agreed:
            choose(session, f"customer:{number}", "offer", wanted=True, channel="chat", now=now)

    desk.write(work)


@pytest.fixture(autouse=True)
def _nobody_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.campaign_reach.held_out", lambda *_: False)


async def test_from_the_draft_to_the_stop_with_two_people(desk: Office) -> None:
    groups(desk, agreed=("A", "C"), portraits={"A": "growth", "B": "growth", "C": "basic"})
    one, other = await desk.seat("supervisor", name="甲班长"), await desk.seat("administrator", name="乙主任")
    made = await good(one, "POST", **BODY)
    assert (made["state"], made["state_name"], made["segment_names"], made["created_by"]) == (
        "draft", "草稿", ["潜力增长客户"], "甲班长",
    )  # fmt: skip
    path = f"/{made['id']}"
    assert not made["may_approve"]
    assert (await good(other, "GET"))[0]["may_approve"]
    assert refused(await call(one, "POST", f"{path}/approve")) == (403, "own_campaign")
    assert refused(await call(one, "POST", f"{path}/start")) == (409, "wrong_step")
    approved = await good(other, "POST", f"{path}/approve")
    assert (approved["state"], approved["approved_by"]) == ("approved", "乙主任")
    running = await good(one, "POST", f"{path}/start")
    assert (running["state"], running["audience"], running["consenting"]) == ("running", 2, 1)
    with desk.bridge.parts.bridge.reading() as session:
        sent = session.scalars(select(Broadcast)).one()
        assert (sent.kind, sent.audience) == ("offer", {"customers": ["A"]})
    assert (await good(one, "POST", f"{path}/stop"))["state_name"] == "已停止"
    assert (await good(one, "POST", f"{path}/start"))["state"] == "running"
    with desk.bridge.parts.bridge.reading() as session:
        entries = session.scalars(
            select(AuditEntry).where(AuditEntry.action.startswith("campaign")).order_by(AuditEntry.id)
        )
        noted = [(row.action, row.subject, row.agent_id) for row in entries]
    subject = f"campaign:{made['id']}"
    assert noted == [
        ("campaign_drafted", subject, one.id), ("campaign_approved", subject, other.id),
        ("campaign_started", subject, one.id), ("campaign_stopped", subject, one.id),
        ("campaign_started", subject, one.id),
    ]  # fmt: skip


async def test_the_preview_counts_by_group_who_agreed(desk: Office) -> None:
    groups(desk, agreed=("A", "C"), portraits={"A": "growth", "B": "growth", "C": "basic"})
    seat = await desk.seat("supervisor")
    rows = await good(seat, "GET", "/preview?segment=growth&segment=special_service")
    assert [(row["segment"], row["name"], row["audience"], row["consenting"], row["reached"]) for row in rows] == [
        ("special_service", "特殊服务客户", 0, 0, 0), ("growth", "潜力增长客户", 2, 1, 1),
    ]  # fmt: skip
    assert refused(await call(seat, "GET", "/preview?segment=everybody"))[0] == 422


async def test_without_groups_or_agreement_it_is_said_so(desk: Office) -> None:
    one, other = await desk.seat("supervisor"), await desk.seat("supervisor")
    assert refused(await call(one, "GET", "/preview?segment=growth")) == (409, "no_run")
    groups(desk, agreed=(), portraits={"A": "growth"})
    path = f"/{(await good(one, 'POST', **BODY))['id']}"
    await good(other, "POST", f"{path}/approve")
    assert refused(await call(one, "POST", f"{path}/start")) == (409, "nobody_agreed")
    assert refused(await call(one, "POST", "/77/start")) == (404, "no_such_campaign")


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"text": "您属于高风险客户"}, "bad_segment_words", ["高风险", "风险客户"]),
        ({"text": "限时优惠，马上办"}, "bad_pressure_words", ["限时", "马上办"]),
        ({"name": "  "}, "bad_name", []),
        ({"segments": []}, "bad_segments", []),
        ({"text": "省" * 400}, "bad_text", []),
    ],
)
async def test_what_may_not_be_said_is_refused_with_the_words(
    desk: Office, change: dict[str, Any], code: str, words: list[str]
) -> None:
    answer = await call(await desk.seat("supervisor"), "POST", **(BODY | change))
    assert refused(answer) == (422, code)
    assert answer.json()["words"] == words
    assert all(word in answer.json()["detail"] for word in words)


async def test_agents_and_strangers_have_no_business_here(desk: Office) -> None:
    agent, nobody = await desk.seat("agent"), await desk.nobody()
    assert refused(await call(agent, "GET"))[0] == 403
    assert refused(await call(agent, "POST", **BODY))[0] == 403
    assert refused(await call(nobody, "GET"))[0] == 401


async def test_a_draft_that_is_stopped_is_never_started(desk: Office) -> None:
    one, other = await desk.seat("supervisor"), await desk.seat("supervisor")
    path = f"/{(await good(one, 'POST', **BODY))['id']}"
    assert (await good(other, "POST", f"{path}/stop"))["state"] == "stopped"
    assert refused(await call(other, "POST", f"{path}/approve")) == (409, "wrong_step")
