"""The hall: codes with which clerks open conversations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from handoff_kit import BOOK, DeskRoom, new_room
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import conversation as log_of
from core.audit import AuditEntry, Auditor
from core.fields import Keyring, new_key
from core.hall import HallCode, issue
from core.hall_counter import Counter, Found, Held, LockedOut, Mine, NotACode, Wrong, open_by_code, opened_by
from core.hall_words import HallWords
from core.handoff.tables import Handoff

DIALECTS = ("sqlite", "postgresql")
NewUrl = Callable[[str, Path], str]
DATA = Path(__file__).parents[2] / "data"
WORDS = HallWords.load(DATA / "hall.yaml")
KEYRING = Keyring.parse(f"test:{new_key()}", new_key())
COUNTER = Counter(BOOK, WORDS, KEYRING)


@pytest.fixture(scope="module", params=DIALECTS)
def _shared(
    request: pytest.FixtureRequest, new_url: NewUrl, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DeskRoom]:
    room = new_room(new_url(request.param, tmp_path_factory.mktemp("hall")))
    yield room
    room.database.dispose()


@pytest.fixture
def room(_shared: DeskRoom) -> DeskRoom:
    return DeskRoom(_shared.database)


def code_of(room: DeskRoom, conversation_id: str, *, same: bool = True) -> str:
    return room.write(
        lambda session: issue(session, conversation_id, keyring=KEYRING, now=room.now, same=same)
    ).grouped  # fmt: skip


def open_code(room: DeskRoom, agent: int, typed: str) -> Found:
    return room.write(
        lambda session: open_by_code(
            session, typed, agent_id=agent, counter=COUNTER, auditor=Auditor.of(KEYRING, agent), now=room.now
        )
    )


def actions(room: DeskRoom, agent: int) -> list[str]:
    query = select(AuditEntry.action).where(AuditEntry.agent_id == agent).order_by(AuditEntry.id)
    return room.read(lambda session: list(session.scalars(query)))


# -- codes


def test_a_code_is_kept_as_a_hash_and_read_in_two_groups(room: DeskRoom) -> None:
    talk = room.conversation()
    code = code_of(room, talk)
    digits = code.replace(" ", "")
    assert (len(code), code[4], digits.isdigit(), len(digits)) == (9, " ", True, 8)
    row = room.read(lambda session: session.scalars(select(HallCode).where(HallCode.conversation_id == talk)).one())
    assert digits not in row.code
    assert row.expires_at == room.now + timedelta(minutes=30)


def test_a_clerk_has_the_conversation_at_once_and_the_customer_reads_who_it_is(room: DeskRoom) -> None:
    clerk, talk = room.agent("周敏", skills=()), room.conversation()
    found = open_code(room, clerk, code_of(room, talk))
    assert isinstance(found, Mine)
    assert found.conversation_id == talk
    case = room.read(lambda session: session.get_one(log_of.Conversation, talk))
    assert case.mode == "human"
    held = room.holders()[found.handoff_id]
    line = room.read(lambda session: log_of.messages_after(session, talk, 0))[-1]
    assert held == clerk
    assert line.author == "system"
    assert line.text.startswith("营业厅工作人员 周敏")
    assert actions(room, clerk) == ["hall_opened"]


def test_the_case_says_that_the_customer_is_in_the_hall_and_what_happened(room: DeskRoom) -> None:
    clerk, talk = room.agent(), room.conversation()
    found = open_code(room, clerk, code_of(room, talk))
    assert isinstance(found, Mine)
    case = room.read(lambda session: session.get_one(Handoff, found.handoff_id))
    assert (case.reason, case.skill, room.kinds(case)[0]) == ("hall", "business", "requested")
    assert "claimed" in room.kinds(case)


def test_who_waits_for_a_person_is_served_by_the_clerk_at_once(room: DeskRoom) -> None:
    other, clerk = room.agent(), room.agent(skills=(), capacity=0)
    case = room.request()
    room.offer(case, other)
    found = open_code(room, clerk, code_of(room, case.conversation_id))
    assert found == Mine(case.conversation_id, case.id)
    assert (room.mode(case), room.case(case).agent_id, room.case(case).offered_to) == ("human", clerk, None)


def test_a_conversation_that_another_agent_has_stays_his_and_may_be_read(room: DeskRoom) -> None:
    holder, clerk, stranger = room.agent(), room.agent(), room.agent()
    case = room.taken(holder)
    code = code_of(room, case.conversation_id)
    assert open_code(room, clerk, code) == Held(case.conversation_id, holder)
    assert room.case(case).agent_id == holder
    assert room.read(lambda session: opened_by(session, room.case(case), clerk))
    assert not room.read(lambda session: opened_by(session, room.case(case), stranger))
    assert open_code(room, clerk, code) == Held(case.conversation_id, holder)  # he may look again
    assert open_code(room, stranger, code) == Wrong()


def test_what_is_used_old_unknown_or_over_looks_the_same(room: DeskRoom) -> None:
    clerk, other, talk = room.agent(), room.agent(), room.conversation()
    used, old = code_of(room, talk), code_of(room, room.conversation())
    assert isinstance(open_code(room, clerk, used), Mine)
    assert open_code(room, other, used) == Wrong()
    room.passes(minutes=30)
    assert open_code(room, other, old) == Wrong()
    assert open_code(room, other, used) == Wrong()
    over = room.conversation()
    code = code_of(room, over)

    def close(session: Session) -> None:
        log_of.change_mode(log_of.find_conversation(session, over, lock=True), "close", now=room.now)

    room.write(close)
    assert open_code(room, other, code) == Wrong()
    assert actions(room, other) == ["hall_code_wrong"] * 4


def test_only_the_three_latest_codes_of_a_conversation_open_it(room: DeskRoom) -> None:
    clerk, talk = room.agent(), room.conversation()
    codes = [code_of(room, talk, same=False) for _ in range(4)]
    assert open_code(room, clerk, codes[0]) == Wrong()
    assert isinstance(open_code(room, clerk, codes[1]), Mine)
    assert isinstance(open_code(room, clerk, codes[3]), Mine)


@pytest.mark.parametrize("typed", ["", "1234", "1234 567", "123456789", "八位数字"])
def test_what_has_not_eight_digits_costs_no_try(room: DeskRoom, typed: str) -> None:
    clerk = room.agent()
    assert open_code(room, clerk, typed) == NotACode()
    assert actions(room, clerk) == []


def test_a_code_may_be_typed_wide_or_with_dashes(room: DeskRoom) -> None:
    wide = str.maketrans("0123456789", "０１２３４５６７８９")
    for change in (lambda code: code.translate(wide), lambda code: code.replace(" ", "-")):
        assert isinstance(open_code(room, room.agent(), change(code_of(room, room.conversation()))), Mine)


def test_ten_wrong_tries_lock_the_clerk_for_ten_minutes_even_for_a_right_code(room: DeskRoom) -> None:
    clerk, other = room.agent(), room.agent()
    talk = room.conversation()
    code = code_of(room, talk)
    wrong = f"{(int(code.replace(' ', '')) + 1) % 10**8:08d}"
    for _ in range(10):
        assert open_code(room, clerk, wrong) == Wrong()
        room.passes(seconds=6)
    until = room.now - timedelta(seconds=6) + timedelta(minutes=10)
    assert open_code(room, clerk, code) == LockedOut(until)
    assert actions(room, clerk) == ["hall_code_wrong"] * 10  # what is not looked up is not counted
    assert isinstance(open_code(room, other, code), Mine)
    room.now = until
    assert open_code(room, clerk, wrong) == Wrong()


def test_wrong_tries_over_a_long_time_lock_nobody(room: DeskRoom) -> None:
    clerk = room.agent()
    for _ in range(12):
        assert open_code(room, clerk, "00000000") == Wrong()
        room.passes(minutes=2)


@pytest.mark.parametrize(
    "text",
    ["柜台码", "营业厅码", "我在营业厅", "我到营业厅了", "给我一个柜台码", "我要柜台码。",
     "我现在就在供电营业厅柜台", "出示柜台码", "柜台码是多少？", "来个营业厅的码", "我人已经到了你们营业厅"],
)  # fmt: skip
def test_a_customer_asks_for_a_code_in_his_own_words(text: str) -> None:
    assert WORDS.asks_for_code(text)


@pytest.mark.parametrize(
    "text",
    ["附近的营业厅在哪", "营业厅几点下班", "我在营业厅办了过户，现在到哪一步了", "验证码没收到", "柜台", "码",
     "怎么去营业厅", "我在营业厅吵了一架要投诉", "营业厅的号码是多少", "网点代码"],
)  # fmt: skip
def test_other_words_about_a_hall_are_left_to_the_dialogue(text: str) -> None:
    assert not WORDS.asks_for_code(text)


def test_who_asks_again_is_told_the_same_code_until_it_is_used_or_about_to_end(room: DeskRoom) -> None:
    clerk, talk = room.agent(), room.conversation()
    first = code_of(room, talk)
    room.passes(minutes=24)
    assert code_of(room, talk) == first
    assert code_of(room, room.conversation()) != first
    room.passes(minutes=2)
    second = code_of(room, talk)
    assert second != first  # four minutes are too few for the way to the counter
    assert isinstance(open_code(room, clerk, second), Mine)
    assert code_of(room, talk) not in (first, second)


def test_under_another_key_there_is_a_new_code(room: DeskRoom) -> None:
    talk = room.conversation()
    first = code_of(room, talk)
    other = Keyring.parse(f"test:{new_key()}", new_key())
    issued = room.write(lambda session: issue(session, talk, keyring=other, now=room.now))
    assert issued.grouped != first
