from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.identity import (
    BadToken,
    CustomerClaim,
    Identity,
    issue_customer,
    issue_identity,
    issue_session,
    read_customer,
    read_identity,
    read_session,
)

KEY = "k" * 40
NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
WHO = Identity("c-1", "C0000001", ("4201234567890",), 1, "web")


def _customer(**more: Any) -> str:
    given: dict[str, Any] = {"customer_no": "C0000001", "accounts": ("4201234567890",), "assurance": 1, "now": NOW}
    return issue_customer(KEY, **(given | {"lifetime": HOUR} | more))


def test_a_token_proves_what_it_was_issued_for() -> None:
    assert read_customer(KEY, _customer(), now=NOW) == CustomerClaim("C0000001", ("4201234567890",), 1)
    assert read_session(KEY, issue_session(KEY, conversation_id="c-1", now=NOW, lifetime=HOUR), now=NOW) == "c-1"
    assert read_identity(KEY, issue_identity(KEY, WHO, now=NOW), now=NOW, sender="c-1.7") == WHO


def test_nobody_known_is_an_identity_too() -> None:
    nobody = Identity("c-1", None, (), 0, "web")
    assert read_identity(KEY, issue_identity(KEY, nobody, now=NOW), now=NOW, sender="c-1.1") == nobody


READERS: dict[str, Callable[[str, datetime], object]] = {
    "customer": lambda token, now: read_customer(KEY, token, now=now),
    "session": lambda token, now: read_session(KEY, token, now=now),
    "identity": lambda token, now: read_identity(KEY, token, now=now, sender="c-1.1"),
}
TOKENS = {
    "customer": _customer(customer_no="c-1"),
    "session": issue_session(KEY, conversation_id="c-1", now=NOW, lifetime=HOUR),
    "identity": issue_identity(KEY, WHO, now=NOW),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("token", TOKENS)
def test_a_token_is_good_for_its_own_purpose_alone(reader: str, token: str) -> None:
    if reader == token:
        READERS[reader](TOKENS[token], NOW)
        return
    with pytest.raises(BadToken):
        READERS[reader](TOKENS[token], NOW)


@pytest.mark.parametrize(("name", "seconds"), [("customer", 3600), ("session", 3600), ("identity", 60)])
def test_a_token_ends_to_the_second(name: str, seconds: int) -> None:
    READERS[name](TOKENS[name], NOW + timedelta(seconds=seconds - 1))
    with pytest.raises(BadToken):
        READERS[name](TOKENS[name], NOW + timedelta(seconds=seconds))


def test_an_identity_is_good_for_its_conversation_alone() -> None:
    for sender in ("c-2.1", "c-1x.1", "", ".c-1", "c-10.1"):
        with pytest.raises(BadToken):
            read_identity(KEY, TOKENS["identity"], now=NOW, sender=sender)


@given(st.integers(min_value=0, max_value=10_000), st.sampled_from("AaZz09-_."))
def test_no_single_changed_character_is_accepted_as_something_else(place: int, char: str) -> None:
    token = TOKENS["customer"]
    place %= len(token)
    altered = token[:place] + char + token[place + 1 :]
    try:
        assert read_customer(KEY, altered, now=NOW) == read_customer(KEY, token, now=NOW)
    except BadToken:
        assert altered != token


@pytest.mark.parametrize("sub", ["", " ", "C" * 13, "张三", "C\x001", "C1\n"])
def test_a_subject_that_is_no_customer_number_proves_nothing(sub: str) -> None:
    with pytest.raises(BadToken):
        read_customer(KEY, _customer(customer_no=sub), now=NOW)


@pytest.mark.parametrize(
    "claims", [{"exp": "soon"}, {"exp": True}, {"assurance": "2"}, {"assurance": 9}, {"accounts": [1]}]
)
def test_claims_of_the_wrong_type_prove_nothing(claims: dict[str, Any]) -> None:
    good = {"sub": "C1", "aud": "dianfu-customer", "iat": NOW, "exp": NOW + HOUR, "accounts": [], "assurance": 1}
    assert read_customer(KEY, jwt.encode(good, KEY), now=NOW)
    with pytest.raises(BadToken):
        read_customer(KEY, jwt.encode(good | claims, KEY), now=NOW)
