"""A canary: a customer writes name, phone, address and 户号 in every spelling; nobody at the desk reads them."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import unicodedata
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from bridge_kit import Customer as Talker
from bridge_kit import FakeRasa, customer_token
from sqlalchemy import select
from supervision_kit import BOOK, MONDAY, Office, Seat, office, routes_of, served, text_of
from websockets.asyncio.client import connect

from api.rasa import BotTurn
from core.account import Account, Customer, address_context, name_context, phone_context
from core.conversation import Draft
from core.handoff import life
from core.work_order import Filing, file_order

if TYPE_CHECKING:
    from core.fields import Keyring
    from tests.conftest import Seeded

CHINESE, SPOKEN = (
    str.maketrans("0123456789", "零一二三四五六七八九"),
    str.maketrans("0123456789", "零幺二三四五六七八九"),
)
FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
TO_DIGITS = str.maketrans("〇零一幺壹二两三四五六七八九", "00111223456789")
TALK = "/v1/desk/conversations/{conversation_id}"


@dataclass(frozen=True)
class Secrets:
    """What must not be read."""

    name: str
    phone: str
    address: str
    account_no: str

    def said(self) -> Iterator[str]:
        """Yield what a customer writes, in all spellings."""
        for number in (self.phone, self.account_no):
            grouped = [number[:3], number[3:7], number[7:]]
            for spelling in (
                number, " ".join(grouped), "-".join(grouped), " ".join(number), number.translate(FULL_WIDTH),
                number.translate(CHINESE), number.translate(SPOKEN), "—".join(grouped).translate(FULL_WIDTH),
            ):  # fmt: skip
                yield f"我的号码是{spelling}，麻烦查一下"
        yield f"{self.phone}"
        yield f"户号{self.account_no}电话{self.phone}"
        yield f"我叫{self.name}，住在{self.address}"
        yield f"户主{' '.join(self.name)}，地址：{self.address.translate(FULL_WIDTH)}"
        yield f"你们来{self.address}看看，找{self.name}"

    def leaked(self, text: str) -> set[str]:
        """Return which of them can be read from a text, however they are spelled."""
        plain = re.sub(r"[\s—–\-·,，\"]+", "", unicodedata.normalize("NFKC", text))
        digits = plain.translate(TO_DIGITS)
        found = {"name"} if self.name in plain else set()
        found |= {"phone"} if self.phone in digits else set()
        found |= {"account_no"} if self.account_no in digits else set()
        door = unicodedata.normalize("NFKC", self.address).replace(" ", "")
        return found | ({"address"} if door in plain or door.translate(TO_DIGITS) in digits else set())


@dataclass
class Walk:
    """A desk over the seeded region, a customer who told everything, and everybody who looks on."""

    desk: Office
    secrets: Secrets
    talker: Talker
    case: int
    holder: Seat
    order_no: str


@pytest.fixture
async def walk(sqlite_urls: tuple[str, str], seeded: Seeded, keyring: Keyring) -> AsyncIterator[Walk]:
    keys = {name: base64.b64encode(key).decode() for name, key in {**keyring.keys, "lookup": keyring.lookup}.items()}
    secrets, customer_no = _secrets(seeded, keyring)
    rasa = FakeRasa(answer=lambda text: BotTurn((Draft("bot", f"您说的是：{text}"),), {"intent": "query_bill"}))
    more = {"field_keys": f"test:{keys['test']}", "lookup_key": keys["lookup"], "billing_url": _url(seeded)}
    async with office(sqlite_urls, rasa=rasa, **more) as desk:
        token = customer_token(customer_no=customer_no, accounts=(secrets.account_no,), now=MONDAY)
        talker = await desk.bridge.customer(token)
        for said in secrets.said():
            await talker.say(said)
        case = desk.write(
            lambda session: (
                life.request(
                    session,
                    talker.conversation_id,
                    reason="asked",
                    book=BOOK,
                    now=desk.clock(),
                    intents=("report_outage",),
                ).id
            )
        )
        holder = await desk.seat(skills=("repair",))
        yield Walk(desk, secrets, talker, case, holder, _order(desk, talker, secrets))


def _url(seeded: Seeded) -> str:
    return seeded.database.url.render_as_string(hide_password=False)


def _secrets(seeded: Seeded, keyring: Keyring) -> tuple[Secrets, str]:
    with seeded.database.reading() as session:
        query = select(Account).join(Customer).where(Customer.kind == "person", Account.closed_on.is_(None))
        account = next(one for one in session.scalars(query.order_by(Account.id)) if one.customer.name_cipher)
        owner = account.customer
        return Secrets(
            keyring.decrypt(owner.name_cipher, name_context(owner.customer_no)),
            keyring.decrypt(owner.phone_cipher, phone_context(owner.customer_no)),
            keyring.decrypt(account.address_cipher, address_context(account.account_no)), account.account_no,
        ), owner.customer_no  # fmt: skip


def _order(desk: Office, talker: Talker, secrets: Secrets) -> str:
    told = talker.conversation_id
    filing = Filing(
        cause=f"{told}:99", kind="canary", category="故障报修", conversation_id=told, account_no=secrets.account_no,
        address=secrets.address, contact=secrets.phone, details={"联系人": secrets.name, "地址": secrets.address},
        description=f"{secrets.name}说家里没电，电话{secrets.phone}",
    )  # fmt: skip
    keyring = desk.bridge.parts.settings.keyring()
    with desk.bridge.parts.workorder.transaction() as session:
        return file_order(session, filing, keyring=keyring, now=desk.clock(), joins=False).order.order_no


async def _look_everywhere(walk: Walk, seat: Seat) -> dict[str, str]:
    """Return every answer of every route that only reads, by path."""
    names = {
        "conversation_id": walk.talker.conversation_id, "handoff_id": walk.case, "order_no": walk.order_no,
        "upload_id": "none", "agent_id": seat.id, "answer_id": 1, "paper_id": 1,
    }  # fmt: skip
    seen: dict[str, str] = {}
    for method, path in routes_of(walk.desk.bridge.app):
        if method != "GET" or not path.startswith("/v1/desk"):
            continue
        more = {f"{TALK}/drafts": "?seq=1", f"{TALK}/messages": "?after=0", "/v1/desk/canned": (
            f"?conversation={walk.talker.conversation_id}"
        )}.get(path, "")  # fmt: skip
        answer = await seat.http.get(path.format(**names) + more)
        assert answer.status_code < 500, (path, answer.text)
        seen[path] = answer.text
    return seen


async def _write_everywhere(walk: Walk, seat: Seat) -> dict[str, str]:
    """Return what the holder's own deeds are answered with."""
    talk, secrets = f"/conversations/{walk.talker.conversation_id}", walk.secrets
    told = f"客户{secrets.name}电话{secrets.phone}，住{secrets.address}，户号{secrets.account_no}"
    seen: dict[str, str] = {}
    for path, body in (
        (f"{talk}/messages", {"client_id": "c1", "text": "您好，我来帮您看看"}),
        (f"{talk}/notes", {"text": told}), (f"{talk}/help", {"text": told}),
        (f"{talk}/orders/{walk.order_no}/urge", {}), (f"{talk}/pause", {"reason": "waiting_customer"}),
        (f"{talk}/resume", {}), (f"{talk}/finish", {}), (f"{talk}/reopen", {}),
    ):  # fmt: skip
        answer = await seat.call("POST", path, **body)
        assert answer.status_code < 500, (path, answer.text)
        seen[path] = answer.text
    return seen


def _leaks(seen: dict[str, str], secrets: Secrets) -> dict[str, set[str]]:
    return {path: found for path, text in seen.items() if (found := secrets.leaked(text))}


async def test_the_canary_would_be_found_in_every_spelling(walk: Walk) -> None:
    for said in walk.secrets.said():
        assert walk.secrets.leaked(json.dumps({"text": said}, ensure_ascii=False)), said
    assert walk.secrets.leaked("您的户号420***5420，电话138****2842") == set()


@pytest.mark.parametrize("role", ["agent", "holder", "supervisor", "administrator"])
async def test_no_route_tells_who_the_customer_is(walk: Walk, role: str) -> None:
    if role == "holder":
        walk.desk.claim(walk.case, walk.holder)
    seat = walk.holder if role == "holder" else await walk.desk.seat(role, skills=("repair",))
    with structlog.testing.capture_logs() as lines:
        seen = await _look_everywhere(walk, seat)
        assert json.loads(seen[TALK])["messages"], "the conversation was read"
        if role == "holder":
            seen |= await _write_everywhere(walk, seat)
            seen |= await _look_everywhere(walk, seat)
    assert _leaks(seen | {"log": json.dumps(lines, ensure_ascii=False, default=str)}, walk.secrets) == {}


async def test_no_frame_of_the_stream_tells_it(walk: Walk) -> None:
    boss, talk = await walk.desk.seat("supervisor"), walk.talker.conversation_id
    async with served(walk.desk) as address:
        for seat in (walk.holder, boss):
            cookie = f"dianfu_desk={seat.http.cookies['dianfu_desk']}"
            async with connect(
                f"ws://{address}/v1/desk/stream?after=0", additional_headers={"Cookie": cookie}
            ) as socket:
                await socket.send(json.dumps({"kind": "view", "conversation_id": talk}))
                if seat is walk.holder:
                    walk.desk.claim(walk.case, walk.holder)
                for said in list(walk.secrets.said())[-5:]:
                    await walk.talker.say(said)
                note = f"{walk.secrets.name}：{walk.secrets.phone}"
                await walk.holder.call("POST", f"/conversations/{talk}/notes", text=note)
                frames = await _frames(socket)
            kinds = {one["event"]["kind"] for one in frames if one["kind"] == "event"}
            assert {"case", "message", "note"} <= kinds
            assert (
                _leaks({str(n): json.dumps(one, ensure_ascii=False) for n, one in enumerate(frames)}, walk.secrets)
                == {}
            )


async def _frames(socket: Any) -> list[dict[str, Any]]:
    """Return what comes until nothing has come for three seconds."""
    frames: list[dict[str, Any]] = []
    with suppress(TimeoutError):
        while True:
            frames.append(json.loads(await asyncio.wait_for(socket.recv(), 3)))
    return frames


async def test_the_export_and_the_quality_page_tell_it_neither(walk: Walk) -> None:
    desk = walk.desk
    desk.claim(walk.case, walk.holder)
    desk.reply(walk.talker, walk.holder, f"{walk.secrets.name}您好，{walk.secrets.phone}是您的电话吗？")
    written = life.WrapUp(
        category="outage", outcome="solved", note={"done": [f"给{walk.secrets.phone}回了电话"]}, then="close"
    )
    desk.write(
        lambda session: life.wrap_up(
            session, walk.talker.conversation_id, written, agent_id=walk.holder.id, book=BOOK, now=desk.clock()
        )
    )
    boss = await desk.seat("supervisor")
    sheet = (await boss.get("/options/quality"))["items"]
    scores = {one["key"]: 4 for one in sheet}
    comment = f"把{walk.secrets.name}的电话{walk.secrets.phone}念了出来"
    given = await boss.post(f"/quality/{walk.case}", scores=scores, comment=comment)
    seen = await _look_everywhere(walk, boss) | {"given": text_of(given)}
    seen["mine"] = (await walk.holder.call("GET", "/quality/mine")).text
    assert "服务单" in seen["/v1/desk/export/cases.csv"]
    assert str(walk.case) in seen["/v1/desk/quality/sample"]
    assert _leaks(seen, walk.secrets) == {}
