"""Sends on their way: turns, quiet hours, expiry, results, crashes, stops; and what comes into the conversation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from proactive_kit import NOTICES, NOW, VALUES, claim, fan_out, follower, outage, web
from sqlalchemy import select

from core.channel.tables import ChannelUser, Delivery
from core.conversation import Conversation, find_conversation, messages_after
from core.db import Database
from core.migrations import upgrade
from core.proactive import picking, sends
from core.proactive.broadcast import WrongState, again, announce, counts, find, resume, stop
from core.proactive.choices import choose
from core.proactive.said import bring_in
from core.proactive.sends import Outcome
from core.proactive.tables import Broadcast, Send

NIGHT = NOW.replace(hour=23)
MORNING = NOW.replace(hour=8) + timedelta(days=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def bridge(request: pytest.FixtureRequest, new_url: Callable[[str, Path], str], tmp_path: Path) -> Iterator[Database]:
    """A migrated, empty bridge database of each dialect."""
    database = Database(new_url(request.param, tmp_path))
    upgrade("bridge", database)
    yield database
    database.dispose()


def told(bridge: Database, count: int = 3, *, wording: str = "outage_begun", key: str = "k") -> int:
    """Announce an outage to `count` followers and fan it out."""
    with bridge.transaction() as session:
        users = [follower(session, f"{key}-{number}").id for number in range(count)]
        values = VALUES | {"restored_at": NOW.isoformat()}
        number = outage(session, {"users": users}, key=key, wording=wording, values=values).id
    fan_out(bridge, number)
    return number


def states(bridge: Database, number: int) -> dict[str, int]:
    with bridge.reading() as session:
        return counts(session, [number])[number]


def settle(bridge: Database, *outcomes: Outcome, now: datetime = NOW) -> None:
    with bridge.transaction() as session:
        sends.settle(session, outcomes, now=now)


def take(bridge: Database, limit: int = 100, *, now: datetime = NOW, turn: int = 0) -> list[sends.Item]:
    with bridge.transaction() as session:
        return claim(session, limit, now=now, turn=turn)


def state_of(bridge: Database, number: int) -> str:
    with bridge.reading() as session:
        return find(session, number).state


def test_each_send_is_taken_once_and_the_broadcast_is_done_when_all_are_settled(bridge: Database) -> None:
    number = told(bridge)
    items = take(bridge, 2) + take(bridge, 2) + take(bridge, 2)
    assert len({item.key for item in items}) == 3
    assert states(bridge, number) == {"sending": 3}
    assert state_of(bridge, number) == "running"
    settle(bridge, *(Outcome(item, "sent", remote_id=str(item.id)) for item in items))
    assert take(bridge) == []
    assert states(bridge, number) == {"sent": 3}
    assert state_of(bridge, number) == "done"


def test_a_small_broadcast_does_not_wait_behind_a_large_one(bridge: Database) -> None:
    large, small = told(bridge, 9, key="large"), told(bridge, 1, key="small")
    items = take(bridge, 4)
    assert Counter(item.broadcast_id for item in items) == {large: 3, small: 1}
    assert [item.broadcast_id for item in take(bridge, 4)] == [large] * 4


def test_nobody_is_woken_at_night_unless_the_words_may(bridge: Database) -> None:
    restored, begun = told(bridge, 1, wording="outage_restored", key="r"), told(bridge, 1, key="b")
    with bridge.transaction() as session:
        find(session, restored).expires_at = MORNING + timedelta(hours=1)
    assert [item.broadcast_id for item in take(bridge, now=NIGHT.replace(hour=22))] == []  # begun has expired by then
    assert states(bridge, begun) == {"skipped": 1}
    assert [item.broadcast_id for item in take(bridge, now=MORNING - timedelta(seconds=1))] == []
    assert [item.broadcast_id for item in take(bridge, now=MORNING)] == [restored]


def test_what_comes_too_late_is_skipped_and_done(bridge: Database) -> None:
    number = told(bridge)
    assert take(bridge, now=NOW + timedelta(hours=6)) == []
    assert states(bridge, number) == {"skipped": 3}
    assert state_of(bridge, number) == "done"


def test_a_failed_send_waits_longer_each_time_and_is_dead_after_eight_tries(bridge: Database) -> None:
    number = told(bridge, 1)
    with bridge.transaction() as session:
        find(session, number).expires_at = None
    now, waits = NOW, []
    for _ in range(8):
        [item] = take(bridge, now=now)
        settle(bridge, Outcome(item, "waiting", "wechat -1"), now=now)
        with bridge.reading() as session:
            waits.append((session.get_one(Send, item.id).next_at - now).total_seconds())
        now += timedelta(seconds=waits[-1])
    assert waits == [1, 4, 16, 64, 256, 600, 600, 0]
    assert states(bridge, number) == {"dead": 1}
    assert take(bridge, now=now) == []
    with bridge.transaction() as session:
        assert again(session, number, now=now) == 1
    assert len(take(bridge, now=now)) == 1


def test_a_hold_of_the_whole_channel_is_no_attempt(bridge: Database) -> None:
    number = told(bridge, 1)
    for _ in range(20):
        [item] = take(bridge)
        settle(bridge, Outcome(item, "waiting", "ConnectError", again_after=0, counts=False))
    assert states(bridge, number) == {"waiting": 1}


def test_after_a_crash_what_was_on_its_way_is_sent_again_under_the_same_key_unless_that_is_too_long_ago(
    bridge: Database,
) -> None:
    number = told(bridge, 2)
    [first] = take(bridge, 1)
    [second] = take(bridge, 1, now=NOW + timedelta(minutes=8))
    with bridge.transaction() as session:
        assert sends.recover(session, now=NOW + timedelta(minutes=10)) == {"sent": 1, "waiting": 1}
    with bridge.reading() as session:
        row = session.get_one(Send, first.id)
        assert (row.state, row.error, row.sent_at) == ("sent", "unknown", NOW)
    assert [item.key for item in take(bridge, now=NOW + timedelta(minutes=10))] == [second.key]
    assert states(bridge, number) == {"sent": 1, "sending": 1}


def test_what_somebody_has_in_hand_is_not_taken_up(bridge: Database) -> None:
    told(bridge, 2)
    first, _ = take(bridge)
    with bridge.transaction() as session:
        assert sends.recover(session, now=NOW, but=[first.id]) == {"waiting": 1}


def test_an_operator_stops_a_broadcast_and_lets_it_go_on(bridge: Database) -> None:
    number = told(bridge)
    [item] = take(bridge, 1)
    with bridge.transaction() as session:
        stop(session, number, by="zhang", now=NOW)
        assert sends.under_way(session, [number]) == set()
        sends.give_back(session, [item], now=NOW)
    assert take(bridge) == []
    with bridge.transaction() as session:
        resume(session, number, now=NOW)
    assert len(take(bridge)) == 3
    with bridge.transaction() as session, pytest.raises(WrongState):
        resume(session, number, now=NOW + timedelta(days=1))


def test_who_has_left_declined_or_passed_the_telephone_on_since_is_skipped(bridge: Database) -> None:
    with bridge.transaction() as session:
        users = [follower(session, str(number), customer_no=str(number)) for number in range(4)]
        number = outage(session, {"all_followers": True}).id
    fan_out(bridge, number)
    with bridge.transaction() as session:
        rows = [session.get_one(ChannelUser, user.id) for user in users]
        rows[0].followed = False
        rows[1].customer_no = "9999"
        choose(session, "customer:2", "outage", wanted=False, channel="wechat", now=NOW)
    assert [item.recipient for item in take(bridge)] == ["customer:3"]
    with bridge.reading() as session:
        errors = {row.recipient: row.error for row in session.scalars(select(Send)) if row.state == "skipped"}
    assert errors == {"customer:0": "not following", "customer:1": "somebody else", "customer:2": "declined"}


def test_a_user_who_turns_out_to_have_left_is_marked(bridge: Database) -> None:
    told(bridge, 1)
    [item] = take(bridge)
    settle(bridge, Outcome(item, "skipped", "wechat 43004", left=True))
    with bridge.reading() as session:
        assert [user.followed for user in session.scalars(select(ChannelUser))] == [False]


# -- into the conversation


def lines(session: object, conversation: Conversation) -> list[str]:
    return [row.text for row in messages_after(session, conversation.id, 0)]  # type: ignore[arg-type]


def test_what_was_sent_stands_in_the_conversation_once_with_its_time_and_is_not_pushed_again(bridge: Database) -> None:
    told(bridge, 1)
    settle(bridge, *(Outcome(item, "sent") for item in take(bridge)))
    later = NOW + timedelta(hours=2)
    with bridge.transaction() as session:
        user = session.scalars(select(ChannelUser)).one()
        conversation = find_conversation(session, user.conversation_id)
        last_at = conversation.last_at
        assert [bring_in(session, conversation, NOTICES, now=later) for _ in range(2)] == [1, 0]
        expected = "（今天10:00已发给您）江岸区听涛苑停电了，我们正在查原因、安排抢修。有进展马上告诉您。"
        assert lines(session, conversation) == [expected]
        assert conversation.last_at == last_at
        assert [row.state for row in session.scalars(select(Delivery))] == ["sent"]


def test_what_waits_in_the_conversation_alone_is_pushed_when_its_reader_writes(bridge: Database) -> None:
    told(bridge, 1)
    settle(bridge, *(Outcome(item, "sent", channel="chat") for item in take(bridge)))
    with bridge.transaction() as session:
        user = session.scalars(select(ChannelUser)).one()
        conversation = find_conversation(session, user.conversation_id)
        bring_in(session, conversation, NOTICES, now=NOW)
        assert lines(session, conversation) == ["江岸区听涛苑停电了，我们正在查原因、安排抢修。有进展马上告诉您。"]
        assert [row.state for row in session.scalars(select(Delivery))] == ["waiting"]


def test_a_customer_finds_it_on_the_web_and_nobody_else_does(bridge: Database) -> None:
    with bridge.transaction() as session:
        number = announce(
            session, NOTICES, kind="outage", key="k", wording="outage_begun", values=VALUES, now=NOW,
            audience={"customers": ["1001"]},
        ).id  # fmt: skip
    fan_out(bridge, number)
    with bridge.transaction() as session:
        [item] = claim(session, channel="sms")
        sends.settle(session, [Outcome(item, "sent")], now=NOW)
        mine, other, unknown = web(session, "1001"), web(session, "1002"), web(session, None)
        found = [bring_in(session, one, NOTICES, now=NOW) for one in (other, unknown, mine)]
        assert found == [0, 0, 1]


def test_what_was_sent_to_who_held_the_telephone_before_stays_away_from_a_fresh_conversation(bridge: Database) -> None:
    told(bridge, 1)
    settle(bridge, *(Outcome(item, "sent") for item in take(bridge)))
    with bridge.transaction() as session:
        user = session.scalars(select(ChannelUser)).one()
        fresh = web(session, None)
        fresh.channel_user_id, fresh.created_at = user.id, NOW + timedelta(minutes=1)
        user.conversation_id = fresh.id
        assert bring_in(session, fresh, NOTICES, now=NOW + timedelta(minutes=2)) == 0


def test_an_old_month_is_not_told_any_more(bridge: Database) -> None:
    told(bridge, 1)
    settle(bridge, *(Outcome(item, "sent") for item in take(bridge)))
    with bridge.transaction() as session:
        user = session.scalars(select(ChannelUser)).one()
        conversation = find_conversation(session, user.conversation_id)
        assert bring_in(session, conversation, NOTICES, now=NOW + timedelta(days=31)) == 0
        assert session.scalars(select(Broadcast)).one().key == "k"


def test_what_perhaps_arrived_is_tried_again_only_while_the_other_side_knows_it(bridge: Database) -> None:
    number = told(bridge, 2)
    [first, second] = take(bridge)
    unsure = {"again_after": 0, "counts": False, "unsure": True}
    settle(bridge, *(Outcome(item, "waiting", "ReadTimeout", **unsure) for item in (first, second)))
    later = NOW + timedelta(minutes=5)
    [tried, _] = take(bridge, now=later)
    assert (tried.key, tried.unsure_since) == (first.key, NOW)
    # It is the first try that counts, also when the next one surely failed.
    settle(bridge, Outcome(tried, "waiting", "ConnectError", again_after=0, counts=False), now=later)
    too_late = NOW + sends.KNOWN_AGAIN + timedelta(seconds=1)
    assert take(bridge, now=too_late) == []
    assert states(bridge, number) == {"sent": 1, "sending": 1}
    with bridge.transaction() as session:
        row = session.get_one(Send, tried.id)
        assert (row.state, row.error, row.sent_at) == ("sent", "unknown", NOW)
        assert sends.recover(session, now=too_late) == {"sent": 1}  # killed at its second try


def test_a_try_that_ends_unsure_after_too_long_a_time_counts_as_sent(bridge: Database) -> None:
    number = told(bridge, 1)
    [item] = take(bridge)
    settle(bridge, Outcome(item, "waiting", "ReadTimeout", again_after=0, counts=False, unsure=True))
    [item] = take(bridge, now=NOW + sends.KNOWN_AGAIN)
    late = NOW + sends.KNOWN_AGAIN + timedelta(seconds=5)
    settle(bridge, Outcome(item, "waiting", "ReadTimeout", again_after=0, counts=False, unsure=True), now=late)
    assert states(bridge, number) == {"sent": 1}
    with bridge.reading() as session:
        row = session.get_one(Send, item.id)
        assert (row.error, row.sent_at) == ("unknown", NOW)


def test_a_broadcast_whose_words_are_gone_waits_and_holds_up_nobody(bridge: Database) -> None:
    gone, number = told(bridge, 1, key="gone"), told(bridge, 2, key="good")
    with bridge.transaction() as session:
        find(session, gone).wording = "of_last_year"
    with bridge.reading() as session:
        picked = picking.pick(session, NOTICES, channel="wechat", limit=10, now=NOW)
    assert (picked.unsayable, {item.broadcast_id for item in picked.items}) == ({"of_last_year"}, {number})
    assert state_of(bridge, gone) == "running"
