"""The portrait of one customer over HTTP: what it shows, masked; why; what happened since; who looked."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import AsyncIterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import insert, select
from sqlalchemy.orm import Session
from supervision_kit import FIELD_KEYS, LOOKUP_KEY, MONDAY, Office, Seat, office, refused

from core.account import Account, Customer, address_context, name_context
from core.audit import AuditEntry
from core.conversation import Conversation, Message
from core.db import Database
from core.fields import Keyring
from core.migrations import upgrade
from core.portrait.tables import FEATURES, Portrait
from core.proactive.tables import Send
from core.recommend.tables import Campaign, Recommendation
from core.segment.events import note
from core.segment.tables import PUBLISHED, SegmentRun
from core.work_order import WorkOrder
from tests.dialects import NewUrl

ONE, NAME, STREET = "4200000000001", "欧阳建国", "湖北省武汉市江岸区解放大道88号听涛苑3栋2单元501室"
LEAF = {"cluster": 0, "accounts": 30, "share": 0.6, "purity": 0.95}
TREE = {"classes": {"residential": LEAF, "industrial": LEAF}, "else": "residential"}
ACCOUNTS = 30


@pytest.fixture
async def desk(urls: tuple[str, str], new_url: NewUrl, tmp_path: Path) -> AsyncIterator[Office]:
    billing = f"sqlite:///{tmp_path / 'billing.db'}"
    made = Database(billing)
    upgrade("billing", made)
    async with office(urls, billing_url=billing) as one:
        keyring = one.bridge.parts.settings.keyring()
        _customer(made, keyring)
        made.dispose()
        yield one


def _customer(billing: Database, keyring: Keyring) -> None:
    with billing.transaction() as session:
        owner = Customer(
            customer_no="C1", kind="person", name_cipher=keyring.encrypt(NAME, name_context("C1")), phone_cipher="x",
            phone_hash="x",
        )  # fmt: skip
        session.add(owner)
        session.flush()
        session.add(Account(
            id=1, account_no=ONE, customer_id=owner.id, district="江岸区", area_class="city", region="hubei",
            address_cipher=keyring.encrypt(STREET, address_context(ONE)), user_class="residential", plan_code="x",
            profile="", opened_on=date(2020, 1, 1),
        ))  # fmt: skip


def values(account: int) -> dict[str, Any]:
    """Return made-up features: every one is the number of the account, or not known of every fifth."""
    return {name: None if (account + place) % 5 == 0 else float(account) for place, name in enumerate(FEATURES)}


def world(desk: Office) -> None:
    """Publish a run of thirty accounts; the first one grows, and lets much happen."""

    def work(session: Session) -> None:
        at = MONDAY - timedelta(days=2)
        run = SegmentRun(
            as_of=date(2026, 11, 1), state=PUBLISHED, seed=1, started_at=at, heartbeat_at=at, finished_at=at,
            published_at=at, model={"tree": TREE, "names": ["居民·夏季高峰"], "thresholds": {}},
            summary={"segments": {"growth": {"accounts": 3}}},
        )  # fmt: skip
        session.add(run)
        session.flush()
        base = {
            "run_id": run.id, "customer_kind": "person", "district": "江岸区", "area_class": "city", "cluster": 0,
            "history_months": 24, "pay_channel": "wechat", "tags": ["pv"], "thin": None,
        }  # fmt: skip
        nothing = ("late_count", "has_ev", "overdue_days", "violations", "special_need", "low_income")
        own = {"kwh_year": 2400.0, "kwh_growth": 0.25, "has_pv": 1.0, "volatility": 2.0, **dict.fromkeys(nothing, 0.0)}
        for account in range(1, ACCOUNTS + 1):
            row = {
                **base, **values(account), "account_id": account, "account_no": f"{4_200_000_000_000 + account}",
                "customer_no": f"C{account}", "user_class": "residential" if account % 4 else "industrial",
                "segment": "growth" if account in (1, 11, 21) else "basic", **(own if account == 1 else {}),
            }  # fmt: skip
            session.execute(insert(Portrait), [row])
        talk = {"channel": "wechat", "customer_no": "C1", "mode_since": at, "created_at": at, "last_at": at}
        session.add(Conversation(id="talk-1", **talk))
        session.flush()
        session.add(Message(
            conversation_id="talk-1", seq=1, at=at, author="customer", type="text", text=f"我是{NAME}", turn="done",
            channel="wechat", understood={"intent": "query_bill", "confidence": 0.9},
        ))  # fmt: skip
        session.add(Recommendation(
            customer_no="C1", account_no=ONE, month=date(2026, 11, 1), kind="charging_time", yuan=Decimal("31.20"),
            state="accepted", conversation_id="talk-1", shown_at=at,
        ))  # fmt: skip
        session.add(Campaign(
            key="k", name="错峰充电", segments=["growth"], text="x", state="running", broadcast_id=7, created_at=at
        ))  # fmt: skip
        session.add(Send(
            broadcast_id=7, recipient="customer:C1", channel="chat", values={}, state="sent", next_at=at, told_at=at
        ))  # fmt: skip

    desk.write(work)
    with desk.bridge.parts.workorder.transaction() as session:
        at = MONDAY - timedelta(days=5)
        session.add(WorkOrder(
            order_no="G1", cause="c", category="x", title="充电桩报装", kind="charging_pile", family="f",
            priority="normal", state="taken", account_no=ONE, customer_no="C1", conversation_id="talk-1",
            description_cipher="", details_cipher="", opened_at=at, updated_at=at,
        ))  # fmt: skip


async def get(seat: Seat, path: str) -> httpx.Response:
    return await seat.http.get(f"/v1/insight/portraits{path}")


async def good(seat: Seat, path: str) -> Any:
    found = await get(seat, path)
    assert found.status_code == 200, found.text
    return found.json()


async def boss_of(desk: Office) -> Seat:
    return await desk.seat("supervisor", skills=())


def looks(desk: Office) -> list[AuditEntry]:
    with desk.bridge.parts.bridge.reading() as session:
        query = select(AuditEntry).where(AuditEntry.action == "portrait_seen").order_by(AuditEntry.id)
        return list(session.scalars(query))


async def test_only_supervisors_and_above_see_portraits(desk: Office) -> None:
    world(desk)
    for path in (f"/{ONE}", f"?q={ONE}", "?segment=growth", "?customer_no=C1"):
        assert refused(await get(await desk.nobody(), path)) == (401, "not_signed_in")
        assert refused(await get(await desk.seat(), path)) == (403, "forbidden")
    assert looks(desk) == []


async def test_a_portrait_has_all_features_with_formula_and_place_among_its_class(desk: Office) -> None:
    world(desk)
    found = await good(await boss_of(desk), f"/{ONE}")
    shown = {one["key"]: one for dimension in found["dimensions"] for one in dimension["features"]}
    assert tuple(shown) == FEATURES
    assert [one["name"] for one in found["dimensions"]] == ["用电特征", "消费行为", "需求类型", "信用等级"]
    with desk.bridge.parts.bridge.reading() as session:
        query = select(Portrait).where(Portrait.user_class == "residential")
        peers = session.scalars(query).all()
        mine = next(one for one in peers if one.account_no == ONE)
    for name, one in shown.items():
        known = sorted(value for peer in peers if (value := getattr(peer, name)) is not None)
        value = getattr(mine, name)
        assert one["value"] == value
        assert one["percentile"] == (None if value is None else round(bisect_left(known, value) / len(known), 4))
        assert one["formula"]
        assert (one["text"] == "不知道") == (value is None)
    assert (shown["kwh_year"]["text"], shown["kwh_growth"]["text"], shown["has_pv"]["text"]) == (
        "2,400 千瓦时", "25.0%", "是"
    )  # fmt: skip
    assert found["compared"] == f"与{len(peers)}户同类比较"


async def test_names_numbers_and_addresses_are_masked(desk: Office) -> None:
    world(desk)
    answer = await get(await boss_of(desk), f"/{ONE}")
    found = answer.json()
    for secret in (ONE, NAME, "88号", "501", "C1"):
        assert secret not in answer.text, secret
    assert found["shown"]["customer"] == "欧**国"
    assert found["shown"]["account_no"] == "420******0001"
    assert found["shown"]["address"].startswith("湖北省武汉市江岸区解放大道**")


async def test_the_standing_is_explained_by_the_rules_it_fulfils(desk: Office) -> None:
    world(desk)
    found = await good(await boss_of(desk), f"/{ONE}")
    standing = found["standing"]
    assert (standing["segment"], standing["name"], standing["since"]) == ("growth", "潜力增长客户", "2026-11-01")
    assert standing["reasons"][0].startswith("全年用电比上年增长20%以上")
    assert "用电增长率25.0%" in standing["reasons"][0]
    assert any(one.startswith("有光伏（") for one in standing["reasons"])
    assert "居民·夏季高峰" in standing["reasons"][-1]
    assert found["tags"] == [{"key": "pv", "name": "光伏用户"}]


async def test_what_happened_since_the_run_changes_it_at_once(desk: Office) -> None:
    world(desk)
    at = MONDAY - timedelta(days=1)
    desk.write(
        lambda session: note(
            session, account_no=ONE, customer_no="C1", kind="special_need", cause="order:1", at=at, data={}
        )
    )
    found = await good(await boss_of(desk), f"/{ONE}")
    assert (found["standing"]["segment"], found["standing"]["since"]) == ("special_service", "2026-11-22")
    assert "画像之后：特殊服务登记，现归“特殊服务客户”" in found["standing"]["reasons"]
    assert [(one["name"], one["kind"]) for one in found["events"]] == [("特殊服务登记", "special_need")]
    assert "needs_care" in [one["key"] for one in found["tags"]]


async def test_orders_talks_recommendations_and_campaigns_stand_beside(desk: Office) -> None:
    world(desk)
    found = await good(await boss_of(desk), f"/{ONE}")
    assert [(one["no"], one["name"], one["state"]) for one in found["orders"]] == [("G1", "充电桩报装", "已接单")]
    assert [(one["topic"], one["channel"], one["link"]) for one in found["contacts"]] == [
        ("查电费账单", "微信公众号", "/desk#/conversations/talk-1")
    ]
    assert [(one["month"], one["name"], one["text"], one["state"]) for one in found["recommendations"]] == [
        ("2026-11", "充电时段", "约 31.20 元", "已采纳")
    ]
    assert [one["name"] for one in found["campaigns"]] == ["错峰充电"]
    assert found["counts"] == {"orders": 1, "contacts": 1, "cases": 0, "campaigns": 1}


async def test_unknown_accounts_are_not_found_and_nothing_is_noted(desk: Office) -> None:
    boss = await boss_of(desk)
    assert refused(await get(boss, f"/{ONE}")) == (404, "no_portrait")  # no run yet
    world(desk)
    for wanted in ("4200000009999", "id-999", "id-x", "id-99999999999999999999", "x"):
        assert refused(await get(boss, f"/{wanted}")) == (404, "no_portrait"), wanted
    assert refused(await get(boss, "?customer_no=C99")) == (404, "no_portrait")
    assert refused(await get(boss, "?q=4200000009999")) == (404, "no_portrait")
    assert looks(desk) == []


async def test_each_look_is_written_down_without_the_number(desk: Office) -> None:
    world(desk)
    boss = await boss_of(desk)
    for path in (f"/{ONE}", "/id-1", "?customer_no=C1"):
        assert (await good(boss, path))["ref"] == "id-1"
    found = looks(desk)
    assert [(one.agent_id, one.subject, one.detail) for one in found] == [(boss.id, "account:1", {"run": 1})] * 3


async def test_an_account_is_found_by_its_whole_number_and_a_segment_listed_page_by_page(desk: Office) -> None:
    world(desk)
    boss = await boss_of(desk)
    (row,) = (await good(boss, f"?q={ONE}"))["rows"]
    assert (row["ref"], row["account_no"], row["segment"]) == ("id-1", "420******0001", "潜力增长客户")
    assert row["link"] == "/insight#/customers/accounts/id-1"
    seen, after = [], 0
    while True:
        page = await good(boss, f"?segment=growth&limit=2&after={after}")
        assert page["total"] == 3
        assert {one["key"] for one in page["columns"]} <= set(page["rows"][0])
        seen += [one["ref"] for one in page["rows"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert seen == ["id-1", "id-11", "id-21"]
    for path in ("", "?q=张三", f"?q={ONE}&segment=growth"):
        assert refused(await get(boss, path)) == (422, "bad_search"), path
    assert (await get(boss, "?segment=rich")).status_code == 422
    assert looks(desk) == []


async def test_without_billing_name_and_address_are_missing_and_the_rest_is_there(urls: tuple[str, str]) -> None:
    async with office(urls, field_keys=FIELD_KEYS, lookup_key=LOOKUP_KEY) as desk:
        world(desk)
        found = await good(await boss_of(desk), f"/{ONE}")
        assert (found["shown"]["customer"], found["shown"]["address"]) == (None, None)
        assert found["standing"]["segment"] == "growth"


async def test_the_boards_are_shown_over_http(desk: Office) -> None:
    world(desk)
    boss = await boss_of(desk)
    for name in ("customers", "network", "model"):
        answer = await boss.http.get(f"/v1/insight/boards/{name}?from=2026-11-17&to=2026-11-23")
        assert answer.status_code == 200, answer.text
        assert answer.json()["board"] == name
    page = (await boss.http.get("/v1/insight/rows/segment_accounts?from=2026-11-17&to=2026-11-23&pick=growth")).json()
    assert [row["link"] for row in page["rows"]][0].startswith("/insight#/customers/accounts/id-")
    assert page["total"] == 3
