"""The card beside a conversation: what it tells, that nothing on it is in clear, and what it takes to see one value."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

import core.reveal
from core import conversation as log_of
from core import work_order
from core.account import Account, Customer, address_context, name_context, phone_context
from core.business import BusinessTable
from core.clock import SHANGHAI
from core.conversation import Conversation, Draft
from core.customer_card import (
    UNAVAILABLE,
    BadFields,
    NoSuchAccount,
    OrderRequest,
    Rules,
    Sources,
    UnknownBusiness,
    account_ref,
    customer_card,
    file_for_customer,
    order_detail,
)
from core.db import Database
from core.handoff.tables import Handoff
from core.migrations import upgrade
from core.promise import COMPLETE, Commitments, Subject, move
from core.redact import Redactor, known_of_customer, known_of_orders
from core.reveal import NothingToShow, ReasonTooShort, UnknownField, check_reason, in_force, parse_field, value_of
from core.work_order import Filing, file_order, progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.fields import Keyring
    from tests.conftest import NewUrl, Seeded

DATA = Path(__file__).parents[2] / "data"
RULES = Rules(
    BusinessTable.load(DATA / "business"), Commitments.load(DATA / "promises.yaml"),
    {"yes": "是", "no": "否", "photo": "已收到照片"},
)  # fmt: skip
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=SHANGHAI)
AWAY = "postgresql+psycopg://nobody:nothing@127.0.0.1:1/none"


@pytest.fixture
def sources(seeded: Seeded, keyring: Keyring, new_url: NewUrl, tmp_path: Path) -> Iterator[Sources]:
    """The seeded billing database with empty ones for orders and conversations, all of one dialect."""
    dialect = seeded.database.engine.dialect.name
    made = {name: Database(new_url(dialect, tmp_path)) for name in ("workorder", "bridge")}
    for name, database in made.items():
        upgrade(name, database)
    yield Sources(seeded.database, made["workorder"], made["bridge"], keyring)
    for database in made.values():
        database.dispose()


def account_of(sources: Sources, *, person: bool = True, owing: bool = False) -> Account:
    with sources.billing.reading() as session:
        query = select(Account).join(Customer).where(Account.closed_on.is_(None)).order_by(Account.id)
        rows = session.scalars(query.where((Customer.kind == "person") == person)).all()
        for row in rows:
            card = customer_card(sources, talk(sources, row), now=NOW)
            if card["accounts"][0]["overdue"] is owing and card["accounts"][0]["bills"]:
                assert row.customer
                return row
    raise AssertionError("the region has no such account")


def talk(sources: Sources, account: Account | None) -> Conversation:
    with sources.bridge.transaction() as session:
        return log_of.open_conversation(
            session, channel="web", customer_no=account.customer.customer_no if account else None,
            accounts=[account.account_no] if account else [], assurance=1 if account else 0, now=NOW,
        )  # fmt: skip


def clear(sources: Sources, account: Account) -> dict[str, str]:
    customer, keyring = account.customer, sources.keyring
    return {
        "name": keyring.decrypt(customer.name_cipher, name_context(customer.customer_no)),
        "phone": keyring.decrypt(customer.phone_cipher, phone_context(customer.customer_no)),
        "address": keyring.decrypt(account.address_cipher, address_context(account.account_no)),
        "account_no": account.account_no,
    }


def filed(sources: Sources, conversation: Conversation, **more: Any) -> str:
    given = {"cause": f"t{more}"[:80], "kind": "fault_meter", "category": "故障报修→计量故障→电能表"} | more
    with sources.workorder.transaction() as session:
        filing = Filing(conversation_id=conversation.id, customer_no=conversation.customer_no, **given)
        return file_order(session, filing, keyring=sources.keyring, now=NOW).order.order_no


def test_the_card_has_accounts_with_bills_payments_and_use(sources: Sources) -> None:
    account = account_of(sources)
    card = customer_card(sources, talk(sources, account), now=NOW)
    (one,) = card["accounts"]
    assert len(one["bills"]) == 12
    assert one["bills"][0]["month"] > one["bills"][-1]["month"]
    assert all(Decimal(bill["amount"]) >= 0 and Decimal(bill["kwh"]) >= 0 for bill in one["bills"])
    assert {payment["status"] for payment in one["payments"]} <= {"succeeded", "failed", "refunded"}
    assert len(one["payments"]) > 5
    assert len(one["usage"]["months"]) == 12
    assert one["usage"]["present"]["partial"] is True
    assert one["usage"]["last_year"]["month"] == date(2025, 11, 1).isoformat()
    assert Decimal(one["owed"]) == max(Decimal(0), -Decimal(one["balance"]))
    assert (card["portrait"], card["channel"]) == (None, {"name": "web", "wechat_quota": None})
    assert card["customer"]["identified"] is True


def test_somebody_who_is_behind_with_a_bill_has_the_flag_of_arrears(sources: Sources) -> None:
    account = account_of(sources, owing=True)
    card = customer_card(sources, talk(sources, account), now=NOW)
    assert card["flags"] == ["arrears"]
    assert card["accounts"][0]["unpaid"][0]["overdue_days"] > 0
    late = [Decimal(one["unpaid"]) for one in card["accounts"][0]["unpaid"] if one["overdue_days"] > 0]
    assert Decimal(card["accounts"][0]["arrears"]) == sum(late)
    assert "overdue" in {bill["status"] for bill in card["accounts"][0]["bills"]}


def test_a_bill_that_is_not_due_yet_is_owed_but_no_arrears(sources: Sources) -> None:
    account = account_of(sources, owing=True)
    late = customer_card(sources, talk(sources, account), now=NOW)["accounts"][0]["unpaid"]
    due = datetime.fromisoformat(f"{late[0]['due_on']}T12:00:00+08:00")
    card = customer_card(sources, talk(sources, account), now=due)
    (one,) = card["accounts"]
    assert (one["arrears"], one["overdue"], card["flags"]) == ("0.00", False, [])
    assert Decimal(one["owed"]) > 0
    assert one["unpaid"][0]["due_on"] == late[0]["due_on"]


def test_nothing_on_the_card_is_in_clear(sources: Sources) -> None:
    for person in (True, False):
        account = account_of(sources, person=person)
        conversation, own = talk(sources, account), clear(sources, account)
        filed(sources, conversation, account_no=own["account_no"], address=own["address"], contact=own["phone"])
        shown = json.dumps(customer_card(sources, conversation, now=NOW), ensure_ascii=False)
        assert not [value for value in own.values() if value in shown]


def test_a_stranger_has_a_card_that_says_so(sources: Sources) -> None:
    card = customer_card(sources, talk(sources, None), now=NOW)
    assert card["customer"] == {"identified": False, "assurance": 0, "name": None, "phone": None, "kind": None}
    assert (card["accounts"], card["orders"], card["promises"], card["flags"]) == ([], [], [], [])
    assert card["contacts"] == {"within_72h": 0, "cases": []}


def test_orders_come_with_their_promise_and_the_promises_told_stand_apart(sources: Sources) -> None:
    account = account_of(sources)
    conversation = talk(sources, account)
    due = NOW + timedelta(days=3)
    number = filed(sources, conversation, account_no=account.account_no, promises=[(COMPLETE, due)])
    with sources.workorder.transaction() as session:
        order = work_order.order_by_no(session, number)
        move(session, Subject("order", order.id), COMPLETE, due + timedelta(days=1), now=NOW)
    card = customer_card(sources, conversation, now=NOW + timedelta(days=5))
    (line,) = card["orders"]
    assert (line["order_no"], line["state_key"], line["open"]) == (number, "work_order.state.accepted", True)
    assert line["promise"] == {
        "kind": COMPLETE, "due_at": "2026-11-26T10:00:00+08:00", "overdue": True, "moved": True,
    }  # fmt: skip
    (told,) = card["promises"]
    assert (told["order_no"], told["due_at"], told["kept_at"]) == (number, "2026-11-26T10:00:00+08:00", None)
    with sources.workorder.transaction() as session:
        progress(session, work_order.order_by_no(session, number), "closed", now=NOW)
    after = customer_card(sources, conversation, now=NOW + timedelta(days=5))
    assert (after["orders"][0]["promise"], after["promises"][0]["overdue"]) == (None, False)


@pytest.mark.parametrize(
    ("kinds", "flags"),
    [
        (["special_life_support"], ["life_support", "special_service"]),
        (["special_disabled"], ["special_service"]),
        (["complaint"], ["complaint"]),
        (["fault_meter"], []),
    ],
)
def test_flags_come_from_registrations_and_open_matters(sources: Sources, kinds: list[str], flags: list[str]) -> None:
    account = account_of(sources)
    conversation = talk(sources, account)
    for kind in kinds:
        filed(sources, conversation, kind=kind, account_no=account.account_no)
    later = talk(sources, account)  # another conversation of the same customer
    assert customer_card(sources, later, now=NOW)["flags"] == flags


def test_a_danger_is_flagged_until_it_is_over_and_a_withdrawn_registration_is_not(sources: Sources) -> None:
    account = account_of(sources)
    conversation = talk(sources, account)
    special = filed(sources, conversation, kind="special_elder")
    danger = filed(sources, conversation, kind="wire_down", family="danger", priority="urgent")
    assert customer_card(sources, conversation, now=NOW)["flags"] == ["danger", "special_service"]
    with sources.workorder.transaction() as session:
        work_order.cancel(session, work_order.order_by_no(session, special), now=NOW)
        progress(session, work_order.order_by_no(session, danger), "closed", now=NOW)
    assert customer_card(sources, conversation, now=NOW)["flags"] == []


def test_contacts_count_those_of_72_hours_over_all_conversations_of_the_customer(sources: Sources) -> None:
    account = account_of(sources)
    first, second, stranger = talk(sources, account), talk(sources, account), talk(sources, None)
    ages = [(first, 80), (first, 71), (second, 1), (stranger, 2)]
    with sources.bridge.transaction() as session:
        for conversation, hours in ages:
            at = NOW - timedelta(hours=hours)
            session.add(Handoff(
                conversation_id=conversation.id, reason="asked", skill="billing", requested_at=at, rank_at=at,
            ))  # fmt: skip
    contacts = customer_card(sources, second, now=NOW)["contacts"]
    assert contacts["within_72h"] == 2
    assert [one["conversation_id"] for one in contacts["cases"]] == [second.id, first.id, first.id]
    assert customer_card(sources, stranger, now=NOW)["contacts"]["within_72h"] == 1


@pytest.mark.parametrize("away", ["billing", "workorder"])
def test_a_part_whose_database_is_away_says_so_and_the_rest_is_there(sources: Sources, away: str) -> None:
    account = account_of(sources)
    conversation = talk(sources, account)
    filed(sources, conversation, account_no=account.account_no)
    card = customer_card(replace(sources, **{away: Database(AWAY)}), conversation, now=NOW)
    gone = {"billing": {"customer", "accounts"}, "workorder": {"orders", "promises", "flags"}}[away]
    assert {name for name, part in card.items() if part == UNAVAILABLE} == gone
    assert card["contacts"]["cases"] == []


def test_the_known_values_of_a_customer_are_those_of_file_and_orders(sources: Sources) -> None:
    account = account_of(sources)
    conversation, own = talk(sources, account), clear(sources, account)
    number = filed(
        sources, conversation, contact="13797004455", address="洪山区珞喻路12号卓刀里2栋",
        details={"新户主": "阮清和", "容量": "20kW"},
    )  # fmt: skip
    with sources.billing.reading() as session:
        known = known_of_customer(
            session, customer_no=conversation.customer_no, accounts=conversation.accounts, keyring=sources.keyring
        )  # fmt: skip
    with sources.workorder.reading() as session:
        orders = known_of_orders([work_order.order_by_no(session, number)], keyring=sources.keyring)
    assert own["name"] in known.names
    assert own["phone"] in known.phones
    assert (own["address"] in known.addresses, own["account_no"] in known.account_nos) == (True, True)
    assert (orders.names, orders.phones, orders.addresses) == (
        ("阮清和",), ("13797004455",), ("洪山区珞喻路12号卓刀里2栋",),
    )  # fmt: skip


# -- orders


def test_an_order_is_filed_once_with_what_is_on_file_and_a_promise(sources: Sources) -> None:
    account = account_of(sources)
    conversation, own = talk(sources, account), clear(sources, account)
    request = OrderRequest(
        "fault_trip", "c-1", {"what": "昨晚开始一开空调就跳，拔了也跳"},
        account_ref(account.account_no, keyring=sources.keyring),
    )  # fmt: skip
    first = file_for_customer(sources, conversation, request, rules=RULES, now=NOW)
    again = file_for_customer(sources, conversation, request, rules=RULES, now=NOW + timedelta(minutes=1))
    assert (first.new, again.new, again.order.order_no) == (True, False, first.order.order_no)
    assert first.order.cause == f"desk:{conversation.id}:c-1"
    with sources.workorder.reading() as session:
        order = work_order.order_by_no(session, first.order.order_no)
        text = work_order.reveal(order, keyring=sources.keyring)
        redactor = Redactor(known_of_orders([order], keyring=sources.keyring))
        detail = order_detail(session, order, keyring=sources.keyring, redactor=redactor, now=NOW)
    assert (text.contact, text.address) == (own["phone"], own["address"])
    assert text.description == "昨晚开始一开空调就跳，拔了也跳"
    minutes = RULES.commitments.arrival_minutes[order.area_class or ""]
    assert detail["promise"]["due_at"] == (NOW + timedelta(minutes=minutes)).isoformat()
    assert detail["next"] == ["dispatched", "closed", "cancelled"]
    assert [event["kind"] for event in detail["history"]] == ["filed"]
    assert not [value for value in own.values() if value in json.dumps(detail, ensure_ascii=False)]


def test_all_wrong_answers_are_named_at_once(sources: Sources) -> None:
    conversation = talk(sources, None)
    request = OrderRequest("repair", "c-2", {"scope": "moon", "phone": "123", "colour": "red"})
    with pytest.raises(BadFields) as caught:
        file_for_customer(sources, conversation, request, rules=RULES, now=NOW)
    assert caught.value.reasons == {
        "scope": "no_match", "phone": "no_match", "address": "missing", "colour": "unknown",
    }  # fmt: skip


def test_a_choice_decides_which_fields_matter_and_what_the_order_is_called(sources: Sources) -> None:
    conversation = talk(sources, None)
    answers = {"scope": "building", "address": "汉阳区琴台路知音苑6栋", "phone": "13797004455"}
    filed_ = file_for_customer(sources, conversation, OrderRequest("repair", "c", answers), rules=RULES, now=NOW)
    assert filed_.order.category == "故障报修→低压停电→整栋楼"
    with sources.workorder.reading() as session:
        text = work_order.reveal(
            work_order.order_by_no(session, filed_.order.order_no), keyring=sources.keyring
        )  # fmt: skip
    assert text.details["停电范围"] == "整栋楼"


def test_a_business_that_needs_an_account_takes_none_of_a_stranger(sources: Sources) -> None:
    needs = next(one.key for one in RULES.businesses if one.account == "required" and not one.unavailable)
    account = account_of(sources)
    ref = account_ref(account.account_no, keyring=sources.keyring)
    for conversation, given in ((talk(sources, None), ref), (talk(sources, account), None)):
        with pytest.raises(NoSuchAccount):
            file_for_customer(sources, conversation, OrderRequest(needs, "c", {}, given), rules=RULES, now=NOW)
    for key in ("no_such_business", *(one.key for one in RULES.businesses if one.unavailable)):
        with pytest.raises(UnknownBusiness):
            file_for_customer(sources, talk(sources, account), OrderRequest(key, "c"), rules=RULES, now=NOW)


# -- showing a value


def test_each_field_shows_its_own_value_and_nobody_elses(sources: Sources) -> None:
    account = account_of(sources)
    conversation, own = talk(sources, account), clear(sources, account)
    ref = account_ref(account.account_no, keyring=sources.keyring)
    number = filed(sources, conversation, contact="13797004455", description="表在一楼", details={"容量": "20kW"})
    with sources.bridge.transaction() as session:
        row = log_of.find_conversation(session, conversation.id)
        log_of.record_reply(session, row, Draft("bot", "您的电话是13797004455吗"), now=NOW)
    expected = {
        "name": own["name"], "phone": own["phone"], f"name:{ref}": own["name"], f"phone:{ref}": own["phone"],
        f"address:{ref}": own["address"], f"account_no:{ref}": own["account_no"],
        "message:1": "您的电话是13797004455吗", f"order:{number}:contact": "13797004455",
        f"order:{number}:description": "表在一楼", f"order:{number}:details": "容量: 20kW",
    }  # fmt: skip
    assert {field: value_of(sources, conversation, parse_field(field)) for field in expected} == expected
    stranger = talk(sources, None)
    for field in (*expected, "message:99", f"order:{number}:address"):
        with pytest.raises(NothingToShow):
            value_of(sources, stranger, parse_field(field))
    with pytest.raises(NothingToShow):
        value_of(sources, conversation, parse_field("name:" + "a" * 12))


@pytest.mark.parametrize(
    "field",
    [
        "", "password", "name:", "name:123456789012", "message:-1", "message:x", "order:1:contact",
        "order:20261122000001:cause",
    ],
)  # fmt: skip
def test_a_field_that_is_none_is_refused(field: str) -> None:
    with pytest.raises(UnknownField):
        parse_field(field)


@pytest.mark.parametrize("reason", ["", "   看  ", "核对", "aaaaaa", "1111", "。。。。", "啊" * 201])
def test_a_reason_has_to_say_something(reason: str) -> None:
    with pytest.raises(ReasonTooShort):
        check_reason(reason)


def test_a_shown_value_is_written_down_and_expires_after_five_minutes(sources: Sources) -> None:
    with sources.bridge.transaction() as session:
        row = core.reveal.record(
            session, agent_id=7, conversation_id="c1", field="phone", reason="  核对来电号码 ", now=NOW
        )  # fmt: skip
        assert (row.reason, row.expires_at) == ("核对来电号码", NOW + timedelta(minutes=5))
    with sources.bridge.reading() as session:
        for agent, conversation, after, count in [
            (7, "c1", 299, 1), (7, "c1", 300, 0), (8, "c1", 1, 0), (7, "c2", 1, 0),
        ]:  # fmt: skip
            found = in_force(
                session, agent_id=agent, conversation_id=conversation, now=NOW + timedelta(seconds=after)
            )  # fmt: skip
            assert len(found) == count
