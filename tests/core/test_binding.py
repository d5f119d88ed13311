"""Bindings: what a grant changes, for how long a code assures, and what a later session starts with."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from core.binding import Binding, accounts_of, apply_grant
from core.clock import SHANGHAI
from core.conversation import ASSURED, Conversation, find_conversation, open_conversation
from core.db import Database
from core.identity import BadToken, Grant, Identity, issue_grant, issue_identity, read_grant, read_identity, turn_of
from core.migrations import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.orm import Session

    from tests.conftest import NewUrl

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=SHANGHAI)
KEY = "an identity key for tests of the bindings"
MINE, OTHER = "4201234567890", "4209876543210"


@pytest.fixture(params=["sqlite", "postgresql"])
def bridge(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Database]:
    """An empty, migrated bridge database."""
    database = Database(new_url(request.param, tmp_path))
    upgrade("bridge", database)
    yield database
    database.dispose()


def opened(session: Session, customer_no: str | None = None, *accounts: str, assurance: int = 0) -> Conversation:
    return open_conversation(
        session, channel="web", customer_no=customer_no, accounts=accounts_of(session, customer_no, accounts),
        assurance=assurance, now=NOW,
    )  # fmt: skip


def apply(session: Session, conversation: Conversation, *, now: datetime = NOW, **what: tuple[str, ...]) -> None:
    apply_grant(session, conversation, Grant(conversation.id, "t", **what), now=now)
    session.flush()


def test_somebody_unknown_binds_an_account_and_is_assured_for_ten_minutes(bridge: Database) -> None:
    with bridge.transaction() as session:
        conversation = opened(session)
        apply(session, conversation, add=(MINE,), assured=(MINE,))
        conversation_id = conversation.id
    with bridge.reading() as session:
        found = find_conversation(session, conversation_id)
        assert found.accounts == [MINE]
        assert found.assurance_at(NOW) == 2
        assert found.assurance_at(NOW + ASSURED - timedelta(seconds=1)) == 2
        assert found.assurance_at(NOW + ASSURED) == 1
        assert found.assured_at(NOW + ASSURED) == ()


def test_the_same_grant_again_changes_nothing(bridge: Database) -> None:
    with bridge.transaction() as session:
        conversation = opened(session)
        for _ in range(2):
            apply(session, conversation, add=(MINE,), assured=(MINE,))
        assert conversation.accounts == [MINE]
        assert len(session.scalars(select(Binding)).all()) == 1


def test_a_code_to_one_telephone_does_not_assure_the_account_of_another(bridge: Database) -> None:
    with bridge.transaction() as session:
        conversation = opened(session, "C1", MINE, assurance=1)
        apply(session, conversation, add=(OTHER,), assured=(OTHER,))
        identity = Identity(
            conversation.id, "C1", tuple(conversation.accounts), conversation.assurance_at(NOW), "web",
            conversation.assured_at(NOW),
        )  # fmt: skip
        assert identity.assurance == 1
        assert (identity.assurance_for(OTHER), identity.assurance_for(MINE)) == (2, 1)
        assert identity.assurance_for("4200000000000") == 0


def test_an_assured_login_of_the_app_is_fresh_for_ten_minutes(bridge: Database) -> None:
    with bridge.transaction() as session:
        conversation = opened(session, "C1", MINE, assurance=2)
        assert (conversation.assurance_at(NOW), conversation.assured_at(NOW)) == (2, (MINE,))
        assert conversation.assurance_at(NOW + ASSURED) == 1


def test_what_a_customer_bound_is_there_in_the_next_session(bridge: Database) -> None:
    with bridge.transaction() as session:
        apply(session, opened(session, "C1", MINE, assurance=1), add=(OTHER,))
        assert accounts_of(session, "C1", [MINE]) == [MINE, OTHER]
        assert accounts_of(session, "C2", [MINE]) == [MINE]
        assert accounts_of(session, None, []) == []


@pytest.mark.parametrize("bound_here", [False, True])
def test_an_account_that_was_let_go_stays_away_until_it_is_bound_again(bridge: Database, bound_here: bool) -> None:
    claimed = [] if bound_here else [MINE]
    with bridge.transaction() as session:
        conversation = opened(session, "C1", *claimed, assurance=1)
        if bound_here:
            apply(session, conversation, add=(MINE,))
        apply(session, conversation, remove=(MINE,))
        assert conversation.accounts == []
        assert accounts_of(session, "C1", [MINE]) == []
        apply(session, conversation, add=(MINE,), assured=(MINE,))
        assert accounts_of(session, "C1", claimed) == [MINE]


def test_an_unknown_who_lets_the_last_account_go_is_unknown_again(bridge: Database) -> None:
    with bridge.transaction() as session:
        conversation = opened(session)
        apply(session, conversation, add=(MINE,), assured=(MINE,))
        apply(session, conversation, remove=(MINE,))
        assert (conversation.accounts, conversation.assurance_at(NOW)) == ([], 0)


def test_what_somebody_unknown_bound_stays_in_that_conversation(bridge: Database) -> None:
    with bridge.transaction() as session:
        apply(session, opened(session), add=(MINE,), assured=(MINE,))
        other = opened(session)
        assert (other.accounts, other.assurance_at(NOW)) == ([], 0)


def test_a_grant_assures_no_account_that_is_not_bound(bridge: Database) -> None:
    with bridge.transaction() as session:
        conversation = opened(session, "C1", MINE, assurance=1)
        apply(session, conversation, assured=(MINE, OTHER))
        assert (conversation.accounts, conversation.assured) == ([MINE], [MINE])


def grant_token(*, key: str = KEY, conversation: str = "c1", turn: str = "t1", now: datetime = NOW) -> str:
    return issue_grant(key, Grant(conversation, turn, add=(MINE,), assured=(MINE,)), now=now)


def test_a_grant_is_read_in_its_own_turn() -> None:
    grant = read_grant(KEY, grant_token(), now=NOW, conversation_id="c1", turn="t1")
    assert grant == Grant("c1", "t1", (MINE,), (), (MINE,))


@pytest.mark.parametrize(
    "token",
    [
        grant_token(key="another key that is long enough for us"),
        grant_token(conversation="c2"),
        grant_token(turn="t0"),
        grant_token(now=NOW - timedelta(minutes=2)),
        issue_identity(KEY, Identity("c1", None, (MINE,), 2, "web"), now=NOW),
        "a.b.c",
        "",
    ],
    ids=["forged", "other conversation", "other turn", "expired", "an identity", "garbage", "empty"],
)
def test_no_other_token_is_a_grant(token: str) -> None:
    with pytest.raises(BadToken):
        read_grant(KEY, token, now=NOW, conversation_id="c1", turn="t1")


def test_a_grant_is_no_identity() -> None:
    with pytest.raises(BadToken):
        read_identity(KEY, grant_token(), now=NOW, sender="c1.1")


def test_a_turn_has_one_name_in_every_zone() -> None:
    from datetime import UTC

    assert turn_of("c1", NOW) == turn_of("c1", NOW.astimezone(UTC))
    assert turn_of("c1", NOW) != turn_of("c1", NOW + timedelta(microseconds=1))
