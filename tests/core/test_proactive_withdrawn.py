"""What waits for a user about an account that they let go is not sent; everything else is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from proactive_kit import NOTICES, NOW, A, B, fan_out, follower, outage
from sqlalchemy import select

from core.binding import Binding, apply_grant
from core.channel.tables import ChannelUser
from core.channel.tenancy import void
from core.conversation import find_conversation
from core.db import Database
from core.identity import Grant
from core.migrations import upgrade
from core.proactive import fanout
from core.proactive.broadcast import announce
from core.proactive.tables import Broadcast, Send

BILL = {"month": "2026年10月", "energy": "200", "amount": "124.00", "due_at": NOW.isoformat()}


@pytest.fixture(params=["sqlite", "postgresql"])
def bridge(request: pytest.FixtureRequest, new_url: Callable[[str, Path], str], tmp_path: Path) -> Iterator[Database]:
    database = Database(new_url(request.param, tmp_path))
    upgrade("bridge", database)
    yield database
    database.dispose()


def _waiting(bridge: Database) -> None:
    """Have a user with two accounts told of several things."""
    with bridge.transaction() as session:
        user = follower(session, "a", accounts=(A, B))
        of_a = outage(session, {"accounts": [A]}, "of-a").id
        of_both = outage(session, {"accounts": [A, B]}, "of-both").id
        of_all = outage(session, {"all_followers": True}, "of-all").id
        asked = outage(session, {"accounts": [A], "users": [user.id]}, "asked").id
        listed = outage(session, {"listed": True}, "listed").id
        fanout.add(session, NOTICES, listed, [(f"user:{user.id}", {})], now=NOW)
        for number in (A, B):
            bill = announce(
                session, NOTICES, kind="bill_ready", key=f"bill:{number}", wording="bill_ready", values={}, now=NOW,
                audience={"listed": True},
            )  # fmt: skip
            values = BILL | {"account_tail": number[-4:]}
            fanout.add(session, NOTICES, bill.id, [(f"user:{user.id}", values)], now=NOW)
    for number in (of_a, of_both, of_all, asked):
        fan_out(bridge, number)


def _let_go(bridge: Database, number: str) -> None:
    with bridge.transaction() as session:
        user = session.scalars(select(ChannelUser)).one()
        conversation = find_conversation(session, user.conversation_id, lock=True)
        apply_grant(session, conversation, Grant(conversation.id, "t", remove=(number,)), now=NOW, user=user)


def _skipped(bridge: Database) -> set[str]:
    with bridge.reading() as session:
        rows = session.execute(select(Broadcast.key, Send).join(Send, Send.broadcast_id == Broadcast.id)).all()
    assert len(rows) == 7
    assert {send.error for _, send in rows if send.state == "skipped"} <= {"let go"}
    return {key for key, send in rows if send.state == "skipped"}


def test_what_concerns_the_account_alone_is_not_sent_when_it_was_let_go(bridge: Database) -> None:
    _waiting(bridge)
    _let_go(bridge, A)
    assert _skipped(bridge) == {"of-a", f"bill:{A}"}
    _let_go(bridge, B)
    assert _skipped(bridge) == {"of-a", f"bill:{A}", "of-both", f"bill:{B}", "listed"}


def test_what_concerns_an_account_that_has_another_customer_now_is_not_sent(bridge: Database) -> None:
    _waiting(bridge)
    with bridge.transaction() as session:
        row = session.scalars(select(Binding).where(Binding.account_no == A)).one()
        row.owner_no = "C1"
        session.flush()
        void(session, row.id, "C2", text="{account}", open_for=timedelta(hours=1), now=NOW)
    assert _skipped(bridge) == {"of-a", f"bill:{A}"}
