"""One-time codes: who gets them, when they work, and that nothing tells a stranger whether an account exists."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, func, select

from core.clock import SHANGHAI
from core.code_sender import SHOWN, SMS, DevelopmentSender, OutboxSender, code_sender, shown_codes, unseal
from core.db import Database
from core.migrations import upgrade
from core.one_time_code import (
    Expired,
    NotACode,
    OneTimeCode,
    Request,
    Right,
    TooMany,
    TooManySends,
    Wrong,
    check,
    code_in,
    issue,
    numbers_in,
)  # fmt: skip
from core.outbox import OutboxItem, due

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from core.fields import Keyring
    from core.one_time_code import Checked
    from tests.conftest import NewUrl

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=SHANGHAI)
ACCOUNT, PHONE = "4201234567890", "13800002842"
REQUEST = Request("bind", ACCOUNT, PHONE, "c1", "c1", "t1")


@pytest.fixture(params=["sqlite", "postgresql"])
def bridge(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Database]:
    """An empty, migrated bridge database."""
    database = Database(new_url(request.param, tmp_path))
    upgrade("bridge", database)
    yield database
    database.dispose()


def send(bridge: Database, keyring: Keyring, request: Request = REQUEST, *, now: datetime = NOW) -> None:
    with bridge.transaction() as session:
        issue(session, request, sender=OutboxSender(keyring), keyring=keyring, now=now)


def sent(bridge: Database, keyring: Keyring) -> list[tuple[str | None, str]]:
    """Return (telephone, digits) of all parcels that were handed to the gateway."""
    with bridge.reading() as session:
        items = session.scalars(select(OutboxItem).where(OutboxItem.kind == SMS).order_by(OutboxItem.id)).all()
    opened = [unseal(item.key, item.payload, keyring) for item in items]
    return [(one.phone, one.digits) for one in opened]


def attempt(
    bridge: Database, keyring: Keyring, text: str, *, turn: str = "t2", now: datetime = NOW, request: Request = REQUEST
) -> Checked:
    with bridge.transaction() as session:
        return check(
            session, conversation_id=request.conversation_id, purpose=request.purpose, subject=request.subject,
            text=text, turn=turn, keyring=keyring, now=now,
        )  # fmt: skip


def other(digits: str) -> str:
    """Return six digits that are not these."""
    return f"{(int(digits) + 1) % 1_000_000:06d}"


def test_the_code_that_was_sent_is_right_once(bridge: Database, keyring: Keyring) -> None:
    send(bridge, keyring)
    ((phone, digits),) = sent(bridge, keyring)
    assert phone == PHONE
    assert attempt(bridge, keyring, f"验证码是{digits}") == Right()
    assert attempt(bridge, keyring, digits, turn="t3") == Expired()


def test_a_turn_that_is_run_again_gets_the_same_result(bridge: Database, keyring: Keyring) -> None:
    send(bridge, keyring)
    send(bridge, keyring)
    ((_, digits),) = sent(bridge, keyring)
    assert [attempt(bridge, keyring, other(digits), turn="t2") for _ in range(5)] == [Wrong(2)] * 5
    assert [attempt(bridge, keyring, digits, turn="t3") for _ in range(2)] == [Right(), Right()]


def test_the_third_wrong_try_ends_a_code(bridge: Database, keyring: Keyring) -> None:
    send(bridge, keyring)
    ((_, digits),) = sent(bridge, keyring)
    results = [attempt(bridge, keyring, other(digits), turn=f"t{n}") for n in range(2, 5)]
    assert results == [Wrong(2), Wrong(1), TooMany()]
    assert attempt(bridge, keyring, digits, turn="t9") == TooMany()


def test_a_code_ends_after_ten_minutes(bridge: Database, keyring: Keyring) -> None:
    send(bridge, keyring)
    ((_, digits),) = sent(bridge, keyring)
    assert attempt(bridge, keyring, digits, now=NOW + timedelta(minutes=10)) == Expired()
    assert attempt(bridge, keyring, digits, now=NOW + timedelta(minutes=9, seconds=59)) == Right()


def test_a_new_code_makes_the_one_before_it_worthless(bridge: Database, keyring: Keyring) -> None:
    send(bridge, keyring)
    send(bridge, keyring, replace(REQUEST, turn="t2"))
    (_, first), (_, second) = sent(bridge, keyring)
    if first != second:
        assert attempt(bridge, keyring, first, turn="t3") == Wrong(2)
    assert attempt(bridge, keyring, second, turn="t4") == Right()


@pytest.mark.parametrize("change", [{"conversation_id": "c2"}, {"purpose": "confirm"}, {"subject": "4200000000000"}])
def test_a_code_serves_its_own_conversation_purpose_and_subject_alone(
    bridge: Database, keyring: Keyring, change: dict[str, str]
) -> None:
    send(bridge, keyring)
    ((_, digits),) = sent(bridge, keyring)
    assert attempt(bridge, keyring, digits, request=replace(REQUEST, **change)) == Expired()
    assert attempt(bridge, keyring, digits) == Right()


def test_words_without_six_digits_cost_no_try(bridge: Database, keyring: Keyring) -> None:
    send(bridge, keyring)
    ((_, digits),) = sent(bridge, keyring)
    said = ["没收到啊", "12345", "1234567", "再等一下"]
    assert [attempt(bridge, keyring, text, turn=text) for text in said] == [NotACode()] * len(said)
    assert attempt(bridge, keyring, digits, turn="t9") == Right()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("123456", "123456"), ("验证码 123 456。", "123456"), ("１２３４５６", "123456"), ("12-34-56", "123456"),
        ("一二三四五六", "123456"), ("幺二三四五零", "123450"), ("【电小服】345678，10分钟内有效", "345678"),
        ("12345", None), ("1234567", None), ("收不到", None), ("", None),
    ],
)  # fmt: skip
def test_six_digits_are_read_as_people_type_them(text: str, code: str | None) -> None:
    assert code_in(text) == code


def test_an_account_number_in_groups_is_read_as_one() -> None:
    assert numbers_in("户号4201 2345 67890，谢谢") == ["4201234567890"]


def test_a_subject_gets_three_codes_a_day_whoever_asks(bridge: Database, keyring: Keyring) -> None:
    for n in range(3):
        send(bridge, keyring, replace(REQUEST, conversation_id=f"c{n}", asker=f"c{n}"))
    with pytest.raises(TooManySends):
        send(bridge, keyring, replace(REQUEST, conversation_id="c9", asker="c9"), now=NOW + timedelta(hours=23))
    send(bridge, keyring, replace(REQUEST, conversation_id="c9", asker="c9"), now=NOW + timedelta(hours=24))
    assert len(sent(bridge, keyring)) == 4


def test_an_asker_gets_three_codes_a_day_for_whatever_accounts(bridge: Database, keyring: Keyring) -> None:
    for n in range(3):
        send(bridge, keyring, replace(REQUEST, subject=f"420000000000{n}", phone=None))
    with pytest.raises(TooManySends):
        send(bridge, keyring, replace(REQUEST, turn="t2"))


def test_a_used_code_counts_no_more(bridge: Database, keyring: Keyring) -> None:
    for n in range(5):
        send(bridge, keyring, replace(REQUEST, turn=f"s{n}"))
        assert attempt(bridge, keyring, sent(bridge, keyring)[-1][1], turn=f"t{n}") == Right()


def test_strangers_who_try_to_bind_an_account_do_not_keep_its_owner_from_confirming(
    bridge: Database, keyring: Keyring
) -> None:
    for n in range(3):
        send(bridge, keyring, replace(REQUEST, conversation_id=f"c{n}", asker=f"c{n}"))
    send(bridge, keyring, replace(REQUEST, purpose="confirm", conversation_id="own", asker="C1"))
    assert sent(bridge, keyring)[-1][0] == PHONE


def test_one_telephone_gets_three_codes_a_day_for_all_its_accounts_and_the_fourth_is_not_sent_without_a_word(
    bridge: Database, keyring: Keyring
) -> None:
    for n in range(4):
        send(bridge, keyring, replace(REQUEST, subject=f"420000000000{n}", conversation_id=f"c{n}", asker=f"c{n}"))
    assert [phone for phone, _ in sent(bridge, keyring)] == [PHONE] * 3 + [None]


def test_an_account_that_does_not_exist_looks_the_same_from_outside(bridge: Database, keyring: Keyring) -> None:
    counts: list[list[str]] = []
    for n, phone in enumerate((PHONE, None)):
        seen: list[str] = []

        def note(*arguments: object, seen: list[str] = seen) -> None:
            seen.append(str(arguments[2]))

        event.listen(bridge.engine, "before_cursor_execute", note)
        one = replace(REQUEST, subject=f"420000000000{n}", phone=phone, conversation_id=f"c{n}", asker=f"c{n}")
        send(bridge, keyring, one)
        results = [attempt(bridge, keyring, "000000", turn=f"t{k}", request=one) for k in range(4)]
        event.remove(bridge.engine, "before_cursor_execute", note)
        assert results in ([Wrong(2), Wrong(1), TooMany(), TooMany()], [Right(), Expired(), Expired(), Expired()])
        counts.append(seen)
    if Right() not in results:
        assert counts[0] == counts[1]


def test_no_digits_open_a_code_that_was_never_sent(bridge: Database, keyring: Keyring) -> None:
    send(bridge, keyring, replace(REQUEST, phone=None))
    ((phone, digits),) = sent(bridge, keyring)
    assert phone is None
    assert attempt(bridge, keyring, digits) == Wrong(2)


def test_neither_code_nor_telephone_nor_account_is_kept_in_clear(bridge: Database, keyring: Keyring) -> None:
    send(bridge, keyring)
    ((_, digits),) = sent(bridge, keyring)
    with bridge.reading() as session:
        rows = [vars(row) for row in session.scalars(select(OneTimeCode))]
        items = [item.payload for item in session.scalars(select(OutboxItem))]
    kept = str(rows) + str(items)
    assert not any(secret in kept for secret in (PHONE, ACCOUNT))
    assert digits not in str([row["code"] for row in rows])
    assert digits not in str(items[0]["sealed"])


def test_parallel_requests_do_not_pass_the_limit(bridge: Database, keyring: Keyring) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def request(n: int) -> bool:
        try:
            send(bridge, keyring, replace(REQUEST, conversation_id=f"c{n}", asker=f"c{n}"))
        except TooManySends:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(request, range(8))) == 3


def test_parallel_tries_are_all_counted(bridge: Database, keyring: Keyring) -> None:
    from concurrent.futures import ThreadPoolExecutor

    send(bridge, keyring, replace(REQUEST, phone=None))
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: attempt(bridge, keyring, "000000", turn=f"t{n}"), range(8)))
    assert sorted(map(repr, results)) == sorted(map(repr, [Wrong(2), Wrong(1), *[TooMany()] * 6]))


def test_development_shows_the_codes_of_one_conversation_and_delivers_nothing(
    bridge: Database, keyring: Keyring
) -> None:
    sender = DevelopmentSender(keyring)
    with bridge.transaction() as session:
        issue(session, REQUEST, sender=sender, keyring=keyring, now=NOW)
        issue(session, replace(REQUEST, subject="1", phone=None), sender=sender, keyring=keyring, now=NOW)
    with bridge.reading() as session:
        shown = shown_codes(session, conversation_id="c1", keyring=keyring, now=NOW)
        assert [one.phone for one in shown] == [PHONE]
        assert shown_codes(session, conversation_id="c2", keyring=keyring, now=NOW) == []
        assert shown_codes(session, conversation_id="c1", keyring=keyring, now=NOW + timedelta(minutes=10)) == []
        assert due(session, now=NOW) == []
        assert session.scalar(select(func.count()).where(OutboxItem.kind == SHOWN)) == 2
    assert attempt(bridge, keyring, shown[0].digits) == Right()


def test_production_without_a_gateway_has_no_way_to_send(keyring: Keyring) -> None:
    assert code_sender(keyring, development=False, sms_url="") is None
    assert isinstance(code_sender(keyring, development=False, sms_url="https://sms.example/send"), OutboxSender)
    assert isinstance(code_sender(keyring, development=True, sms_url=""), DevelopmentSender)
