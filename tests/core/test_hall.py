"""The hall: codes with which clerks open conversations, papers that bring one's matter into the chat, QR codes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from handoff_kit import BOOK, DeskRoom, new_room
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import conversation as log_of
from core.audit import AuditEntry, Auditor
from core.business import BusinessTable
from core.channel.tables import ChannelUser
from core.db import Database
from core.fields import Keyring, new_key
from core.hall import HallCode, HallPaper, issue
from core.hall_counter import Counter, Found, Held, LockedOut, Mine, NotACode, Wrong, open_by_code, opened_by
from core.hall_paper import (
    BadValidity,
    Begins,
    PaperNotFound,
    Refused,
    Scanned,
    Shows,
    make_poster,
    make_slip,
    open_order,
    scanned,
    withdraw,
)
from core.hall_words import HallWords
from core.handoff.tables import Handoff
from core.migrations import upgrade
from core.qr_code import TooLong, qr_code, svg
from core.work_order import Filing, OrderNotFound, WorkOrder, file_order, is_own, orders_of

DIALECTS = ("sqlite", "postgresql")
NewUrl = Callable[[str, Path], str]
DATA = Path(__file__).parents[2] / "data"
WORDS = HallWords.load(DATA / "hall.yaml")
KEYRING = Keyring.parse(f"test:{new_key()}", new_key())
COUNTER = Counter(BOOK, WORDS, KEYRING)
TABLE = BusinessTable.load(DATA / "business")


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


def code_of(room: DeskRoom, conversation_id: str) -> str:
    return room.write(lambda session: issue(session, conversation_id, keyring=KEYRING, now=room.now)).grouped


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
    codes = [code_of(room, talk) for _ in range(4)]
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


# -- papers


@pytest.fixture(params=DIALECTS)
def orders(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Database]:
    database = Database(new_url(request.param, tmp_path))
    upgrade("workorder", database)
    yield database
    database.dispose()


def follower(room: DeskRoom, customer_no: str | None = None) -> tuple[int, str]:
    """Return a user of WeChat and the conversation that is theirs."""
    talk = room.conversation(customer_no)

    def work(session: Session) -> int:
        user = ChannelUser(channel="wechat", user_id=f"o-{talk}", conversation_id=talk, created_at=room.now)
        session.add(user)
        session.flush()
        return user.id

    return room.write(work), talk


def scan(room: DeskRoom, paper: HallPaper, talk: str, user: int | None = None) -> Scanned | None:
    def work(session: Session) -> Scanned | None:
        conversation = log_of.find_conversation(session, talk, lock=True)
        known = session.get(ChannelUser, user) if user else None
        return scanned(session, conversation, known, paper.scene, now=room.now)

    return room.write(work)


def poster(room: DeskRoom, days: int | None = None) -> HallPaper:
    business = TABLE.get("transfer")
    return room.write(lambda session: make_poster(session, business, days=days, agent_id=1, now=room.now))


def slip(room: DeskRoom, *, days: int = 7, **order: str) -> HallPaper:
    row = WorkOrder(order_no="202611230001", title="居民过户", **order)
    return room.write(lambda session: make_slip(session, row, days=days, agent_id=1, now=room.now))


def test_a_poster_begins_its_business_for_everybody(room: DeskRoom) -> None:
    paper = poster(room)
    for _ in range(3):
        assert scan(room, paper, follower(room)[1]) == Begins(paper.id, paper.title, "transfer")
    assert len(paper.scene) <= 64
    assert paper.expires_at is None


def test_a_slip_is_for_the_first_one_who_scans_it(room: DeskRoom) -> None:
    paper, (user, talk), (second, other) = slip(room), follower(room), follower(room)
    shows = Shows(paper.id, "居民过户", "202611230001")
    assert scan(room, paper, talk, user) == shows
    assert scan(room, paper, other, second) == Refused(paper.id, "居民过户", "others")
    assert scan(room, paper, talk, user) == shows  # again, and in a conversation of a later day
    assert scan(room, paper, room.conversation(), user) == shows


def test_a_visitor_without_wechat_gets_a_slip_too_and_keeps_it(room: DeskRoom) -> None:
    paper, talk = slip(room), room.conversation()
    assert isinstance(scan(room, paper, talk), Shows)
    assert isinstance(scan(room, paper, talk), Shows)
    assert isinstance(scan(room, paper, room.conversation()), Refused)


def test_the_customer_of_an_order_opens_a_slip_that_another_one_has_scanned(room: DeskRoom) -> None:
    own = room.conversation()
    paper = slip(room, conversation_id=own, customer_no="C100")
    assert isinstance(scan(room, paper, follower(room)[1]), Shows)
    assert isinstance(scan(room, paper, own), Shows)
    assert isinstance(scan(room, paper, room.conversation("C100")), Shows)
    assert isinstance(scan(room, paper, room.conversation("C200")), Refused)


def test_an_old_or_withdrawn_paper_opens_nothing_and_an_unknown_code_is_none(room: DeskRoom) -> None:
    old, gone, talk = slip(room, days=1), poster(room), room.conversation()
    assert isinstance(scan(room, old, talk), Shows)
    room.passes(days=1)
    assert scan(room, old, talk) == Refused(old.id, "居民过户", "over")
    room.write(lambda session: withdraw(session, gone.id, now=room.now))
    assert isinstance(scan(room, gone, talk), Refused)
    assert scan(room, HallPaper(scene="qrscene"), talk) is None
    assert scan(room, HallPaper(scene="'; DROP"), talk) is None
    with pytest.raises(PaperNotFound):
        room.write(lambda session: withdraw(session, 10**6, now=room.now))


@pytest.mark.parametrize("days", [0, 31, -1])
def test_a_slip_holds_for_a_month_at_most(room: DeskRoom, days: int) -> None:
    with pytest.raises(BadValidity):
        slip(room, days=days)


def test_a_slip_lets_its_conversation_see_the_order_and_hear_of_it_once(orders: Database, room: DeskRoom) -> None:
    filing = Filing(cause="c:1", kind="transfer", category="业务申请→过户", conversation_id="own")
    with orders.transaction() as session:
        number = file_order(session, filing, keyring=KEYRING, now=room.now, joins=False).order.order_no
    for _ in range(2):
        with orders.transaction() as session:
            open_order(session, number, conversation_id="scanned", paper_id=3, now=room.now)
            open_order(session, number, conversation_id="own", paper_id=3, now=room.now)
    with orders.reading() as session:
        (seen,) = orders_of(session, conversation_id="scanned", order_no=number)
        assert [one.kind for one in seen.events] == ["filed", "joined"]
        assert is_own(session, seen, conversation_id="own", customer_no=None)
        assert not is_own(session, seen, conversation_id="scanned", customer_no=None)
        with pytest.raises(OrderNotFound):
            orders_of(session, conversation_id="another", order_no=number)
    with orders.transaction() as session, pytest.raises(OrderNotFound):
        open_order(session, "209912310001", conversation_id="scanned", paper_id=3, now=room.now)


# -- QR codes


@pytest.mark.parametrize(
    ("text", "size", "digest"),
    [
        ("h", 21, "9d1dde5ac05151b2"),
        ("http://weixin.qq.com/q/02abcDEF123_-xyzKLMN45", 33, "87f916146eff8def"),
        ("https://kefu.example.cn/wechat/h5?scene=h_0123456789abcdefghij", 33, "7a81fe439eec2070"),
        ("电" * 71, 57, "2a1c0823f180e4f2"),
    ],
)
def test_a_qr_code_is_as_another_program_draws_it(text: str, size: int, digest: str) -> None:
    """The same modules as the package qrcode 8.2 gives with the same mask, for all masks and versions 1 to 10."""
    grid = qr_code(text)
    bits = "".join("01"[dark] for row in grid for dark in row)
    assert (len(grid), hashlib.sha256(bits.encode()).hexdigest()[:16]) == (size, digest)


def test_a_qr_code_takes_213_bytes_and_no_more() -> None:
    assert len(qr_code("x" * 213)) == 57
    assert svg("x" * 213).startswith('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 65 65"')
    with pytest.raises(TooLong):
        qr_code("x" * 214)
