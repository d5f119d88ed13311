"""Papers of the hall that bring one's matter into the chat, and their QR codes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from handoff_kit import DeskRoom, new_room
from sqlalchemy.orm import Session

from core import conversation as log_of
from core.business import BusinessTable
from core.channel.tables import ChannelUser
from core.db import Database
from core.fields import Keyring, new_key
from core.hall import HallPaper
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
from core.migrations import upgrade
from core.qr_code import TooLong, qr_code, svg
from core.work_order import Filing, OrderNotFound, WorkOrder, file_order, is_own, orders_of

DIALECTS = ("sqlite", "postgresql")
NewUrl = Callable[[str, Path], str]
DATA = Path(__file__).parents[2] / "data"
KEYRING = Keyring.parse(f"test:{new_key()}", new_key())
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
