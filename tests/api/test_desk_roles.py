"""Who may do what: every route of the desk against every role, without its CSRF token, and with a first password."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from bridge_kit import ROOT, Customer
from sqlalchemy import select
from sqlalchemy.orm import Session
from supervision_kit import Office, Seat, office, routes_of, served
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from api.desk.hours import hours_of_file
from api.desk.saying import businesses_of
from core.agent import Agent
from core.canned import CannedAnswer
from core.db import Database
from core.hall_paper import make_poster
from core.handoff.tables import Handoff
from core.migrations import upgrade
from core.work_order import Filing, file_order

ROLES = ("nobody", "agent", "holder", "supervisor", "administrator")
Body = dict[str, Any] | Callable[["Scene"], dict[str, Any]] | None


@dataclass
class Scene:
    """A case that `holder` has, a closed one of his, and one of each other thing that a path can name."""

    desk: Office
    holder: Seat
    customer: Customer
    case: int
    closed: int
    victim: Seat
    answer: int
    order_no: str
    paper: int

    @property
    def of_customer(self) -> dict[str, Any]:
        return {"conversation_id": self.customer.conversation_id}

    @property
    def hours(self) -> dict[str, Any]:
        return hours_of_file(ROOT / "data" / "desk" / "hours.yaml")

    @property
    def names(self) -> dict[str, Any]:
        return {
            "conversation_id": self.customer.conversation_id, "handoff_id": self.case, "closed_id": self.closed,
            "agent_id": self.victim.id, "answer_id": self.answer, "order_no": self.order_no, "upload_id": "none",
            "paper_id": self.paper, "broadcast_id": 7, "source": "send", "number": 7, "call_back_id": 9999,
        }  # fmt: skip


SCORES = dict.fromkeys(
    ("greeting", "context", "understanding", "accuracy", "solving", "manner", "privacy", "record"), 4
)  # fmt: skip
PROOF = {"password": "不是这个密码呀1"}
TALK = "/v1/desk/conversations/{conversation_id}"
ANSWER = {"shortcut": "matrix", "title": "矩阵", "text": "请稍等，我看一下。"}
NEW_AGENT = {"login": "matrix.agent", "name": "王敏", "staff_no": "M1"}

# (method, path) -> (what nobody, another agent, the holder, a supervisor and an administrator get, what is sent).
# `ok`: served; `401`, `403`: shut out; `not`: let in, but what was asked for is not there or not possible now.
EVERYBODY = "401 ok ok ok ok"
SIGHT = "401 403 ok ok ok"  # who sees the conversation
HOLDER = "401 403 ok 403 403"  # who has it, and no one above him either
ABOVE = "401 403 403 ok ok"
CHIEF = "401 403 403 403 ok"
ASKED = "401 not not not not"  # with a wrong password of one's own
WRAP_UP = {"outcome": "solved", "note": {"done": [], "open": [], "promised": []}, "then": "bot"}
NOT_HERE = "401 403 not not not"
MISSING = "401 403 403 not not"
NOT_THERE = "401 403 403 403 403"  # what is not there looks like another's
EXPECTED: dict[tuple[str, str], tuple[str, Body]] = {
    ("GET", "/v1/desk/agents"): (ABOVE, None),
    ("POST", "/v1/desk/agents"): (ABOVE, NEW_AGENT),
    ("PUT", "/v1/desk/agents/{agent_id}"): (ABOVE, {"name": "王小敏"}),
    ("POST", "/v1/desk/agents/{agent_id}/password"): (CHIEF, None),
    ("POST", "/v1/desk/agents/{agent_id}/unlock"): (ABOVE, None),
    ("GET", "/v1/desk/audit"): (CHIEF, None),
    ("GET", "/v1/desk/businesses"): (EVERYBODY, None),
    ("GET", "/v1/desk/call-backs"): (EVERYBODY, None),
    ("GET", "/v1/desk/call-backs/count"): (EVERYBODY, None),
    ("POST", "/v1/desk/call-backs/{call_back_id}/done"): (NOT_THERE, {"note": "已经回过电话"}),
    ("POST", "/v1/desk/call-backs/{call_back_id}/drop"): (NOT_THERE, {"note": "客户不用回电"}),
    ("POST", "/v1/desk/call-backs/{call_back_id}/phone"): (NOT_THERE, {"reason": "给客户回电话"}),
    ("POST", "/v1/desk/call-backs/{call_back_id}/release"): (NOT_THERE, None),
    ("POST", "/v1/desk/call-backs/{call_back_id}/take"): (NOT_THERE, None),
    ("GET", "/v1/desk/canned"): (EVERYBODY, None),
    ("GET", "/v1/desk/canned/all"): (ABOVE, None),
    ("POST", "/v1/desk/canned/all"): (ABOVE, ANSWER),
    ("DELETE", "/v1/desk/canned/{answer_id}"): (ABOVE, None),
    ("PUT", "/v1/desk/canned/{answer_id}"): (ABOVE, ANSWER),
    ("POST", "/v1/desk/cases/{handoff_id}/accept"): ("401 403 ok not not", None),
    ("POST", "/v1/desk/cases/{handoff_id}/claim"): ("401 403 ok not not", None),
    ("POST", "/v1/desk/cases/{handoff_id}/decline"): (SIGHT, None),
    ("GET", TALK): (SIGHT, None),
    ("GET", f"{TALK}/customer"): (SIGHT, None),
    ("GET", f"{TALK}/drafts"): (SIGHT, None),
    ("POST", f"{TALK}/finish"): (HOLDER, None),
    ("POST", f"{TALK}/help"): (HOLDER, {"text": "请帮我看看"}),
    ("GET", f"{TALK}/messages"): (SIGHT, None),
    ("POST", f"{TALK}/messages"): (HOLDER, {"client_id": "m1", "text": "您好"}),
    ("PUT", f"{TALK}/manager"): (MISSING, {"agent_id": None}),  # nobody is known to be the customer
    ("POST", f"{TALK}/notes"): (SIGHT, {"text": "客户下午在家"}),
    ("POST", f"{TALK}/orders"): (NOT_HERE, {"client_id": "o1", "business": "nothing"}),
    ("GET", f"{TALK}/orders/{{order_no}}"): (SIGHT, None),
    ("POST", f"{TALK}/orders/{{order_no}}/progress"): (SIGHT, {"state": "dispatched"}),
    ("POST", f"{TALK}/orders/{{order_no}}/urge"): (SIGHT, None),
    ("POST", f"{TALK}/pause"): (HOLDER, {"reason": "waiting_customer"}),
    ("POST", f"{TALK}/reassign"): (ABOVE, lambda scene: {"agent_id": scene.victim.id, "note": "请接一下"}),
    ("POST", f"{TALK}/reopen"): ("401 403 not 403 403", None),
    ("POST", f"{TALK}/resume"): (HOLDER, None),
    ("POST", f"{TALK}/reveal"): (NOT_HERE, {"field": "phone", "reason": "核对客户身份"}),
    ("POST", f"{TALK}/seen"): (SIGHT, {"seq": 1}),
    ("POST", f"{TALK}/take_over"): (ABOVE, None),
    ("POST", f"{TALK}/transfer"): (HOLDER, {"skill": "billing", "note": "请看账单"}),
    ("POST", f"{TALK}/typing"): (SIGHT, {"on": True}),
    ("POST", f"{TALK}/uploads"): ("401 403 not 403 403", None),
    ("GET", f"{TALK}/uploads/{{upload_id}}"): (NOT_HERE, None),
    ("POST", f"{TALK}/whisper"): (ABOVE, {"text": "先安抚"}),
    ("POST", f"{TALK}/wrap_up"): (HOLDER, WRAP_UP),
    ("GET", "/v1/desk/export/cases.csv"): (ABOVE, None),
    ("GET", "/v1/desk/figures"): (ABOVE, None),
    ("GET", "/v1/desk/figures/{handoff_id}"): (ABOVE, None),
    ("POST", "/v1/desk/hall/ask"): ("401 403 403 403 403", lambda scene: scene.of_customer),  # without a code
    ("POST", "/v1/desk/hall/open"): ("401 not not not not", {"code": "0000 0000"}),
    ("GET", "/v1/desk/hall/papers"): (EVERYBODY, None),
    ("POST", "/v1/desk/hall/papers"): ("401 not not not not", {"business": "nothing"}),
    ("DELETE", "/v1/desk/hall/papers/{paper_id}"): (EVERYBODY, None),
    ("GET", "/v1/desk/hall/papers/{paper_id}/code"): ("401 not not not not", None),  # there is no public address
    ("GET", "/v1/desk/hours"): (ABOVE, None),
    ("PUT", "/v1/desk/hours"): (ABOVE, lambda scene: {"hours": scene.hours}),
    ("GET", "/v1/desk/inbox"): (EVERYBODY, None),
    ("POST", "/v1/desk/login"): ("401 401 401 401 401", {"login": "nobody", "password": "不是这个密码呀1"}),
    ("POST", "/v1/desk/logout"): (EVERYBODY, None),
    ("GET", "/v1/desk/me"): (EVERYBODY, None),
    ("POST", "/v1/desk/me/password"): (ASKED, {"current": "不是这个密码呀1", "new": "另一个好密码2026"}),
    ("POST", "/v1/desk/me/status"): (EVERYBODY, {"status": "away"}),
    ("DELETE", "/v1/desk/me/totp"): (ASKED, PROOF),
    ("POST", "/v1/desk/me/totp"): (ASKED, PROOF),
    ("GET", "/v1/desk/options"): (EVERYBODY, None),
    ("GET", "/v1/desk/options/quality"): (EVERYBODY, None),
    ("GET", "/v1/desk/outgoing"): (ABOVE, None),
    ("POST", "/v1/desk/outgoing/broadcasts/{broadcast_id}/resume"): (MISSING, None),
    ("POST", "/v1/desk/outgoing/broadcasts/{broadcast_id}/stop"): (MISSING, None),
    ("POST", "/v1/desk/outgoing/dead/again"): (ABOVE, None),
    ("POST", "/v1/desk/outgoing/dead/{source}/{number}/again"): (MISSING, None),
    ("POST", "/v1/desk/outgoing/dead/{source}/{number}/give_up"): (MISSING, {"why": "客户已经知道了"}),
    ("GET", "/v1/desk/quality/mine"): (EVERYBODY, None),
    ("GET", "/v1/desk/quality/sample"): (ABOVE, None),
    ("GET", "/v1/desk/quality/{handoff_id}"): (ABOVE, None),
    ("POST", "/v1/desk/quality/{handoff_id}"): (ABOVE, {"scores": SCORES}),
    ("WS", "/v1/desk/stream"): (EVERYBODY, None),
    ("GET", "/v1/desk/wall"): (ABOVE, None),
}  # fmt: skip
ANY_ANSWER = select(CannedAnswer.id).limit(1)
ANY_CLOSED = select(Handoff.id).where(Handoff.ended_at.is_not(None)).limit(1)
OWN = ("/v1/desk/login", "/v1/desk/logout", "/v1/desk/me", "/v1/desk/me/password", "/v1/desk/me/totp")


async def _fresh(desk: Office) -> Scene:
    holder, victim = await desk.seat(skills=("repair",)), await desk.seat(skills=())
    customer, case = await desk.case()
    desk.claim(case, holder)
    desk.reply(customer, holder, "您好，我来看一下")
    answer, closed = desk.write(lambda session: (session.scalar(ANY_ANSWER), session.scalar(ANY_CLOSED)))
    paper = desk.write(lambda session: _paper(session, desk))
    return Scene(desk, holder, customer, case, closed, victim, answer, _order(desk, customer), paper)


def _paper(session: Session, desk: Office) -> int:
    business = businesses_of(ROOT / "data").get("transfer")
    return make_poster(session, business, days=None, agent_id=None, now=desk.clock()).id


def _order(desk: Office, customer: Customer) -> str:
    filing = Filing(
        cause=f"{customer.conversation_id}:9",
        kind="matrix",
        category="故障报修",
        conversation_id=customer.conversation_id,
    )
    keyring = desk.bridge.parts.settings.keyring()
    with desk.bridge.parts.workorder.transaction() as session:
        return file_order(session, filing, keyring=keyring, now=desk.clock(), joins=False).order.order_no


async def _seat(scene: Scene, role: str) -> Seat:
    if role == "holder":
        return scene.holder
    if role == "nobody":
        return await scene.desk.nobody()
    return await scene.desk.seat(role, skills=())


async def _call(seat: Seat, scene: Scene, method: str, path: str, body: Body, **headers: str) -> httpx.Response:
    path = path.replace("quality/{handoff_id}", "quality/{closed_id}").format(**scene.names)
    if path.endswith("/drafts"):
        path += "?seq=1"
    sent = body(scene) if callable(body) else body
    content = {} if sent is None else {"json": sent}
    return await seat.http.request(method, path, headers={"X-CSRF-Token": seat.csrf} | headers, **content)


def _class_of(answer: httpx.Response) -> str:
    if answer.is_success:
        return "ok"
    assert answer.status_code < 500, answer.text
    return str(answer.status_code) if answer.status_code in (401, 403) else "not"


def _varied(body: Body, method: str, role: str) -> Body:
    """Return a body whose unique names are those of one call."""
    if body is ANSWER:
        return ANSWER | {"shortcut": f"{method}_{role}".lower()[:20]}
    return NEW_AGENT | {"login": f"m.{role}", "staff_no": f"M-{role}"} if body is NEW_AGENT else body


@pytest.fixture
async def desk(sqlite_urls: tuple[str, str], new_url: Any, tmp_path: Path) -> AsyncIterator[Office]:
    billing = Database(new_url("sqlite", tmp_path))
    upgrade("billing", billing)
    async with office(sqlite_urls, billing_url=str(billing.url)) as one:
        await (await one.seat("supervisor")).get("/canned/all")
        await one.closed(await one.seat(), minutes=3)
        yield one
    billing.dispose()


async def test_every_route_of_the_desk_stands_in_the_table(desk: Office) -> None:
    there = {route for route in routes_of(desk.bridge.app) if route[1].startswith("/v1/desk")}
    assert there == set(EXPECTED)


@pytest.mark.parametrize("role", ROLES)
async def test_each_role_gets_what_the_table_says(desk: Office, role: str) -> None:
    got, expected = {}, {}
    scene, used = None, False
    for (method, path), (row, body) in EXPECTED.items():
        if method == "WS":
            continue
        if scene is None or used:  # what was only read may be read again
            scene = await _fresh(desk)
        used = method != "GET"
        answer = await _call(await _seat(scene, role), scene, method, path, _varied(body, method, role))
        got[method, path] = _class_of(answer)
        expected[method, path] = row.split()[ROLES.index(role)]
    assert got == expected


async def test_nothing_is_changed_without_the_token_of_the_session_or_from_another_site(desk: Office) -> None:
    scene, chief = await _fresh(desk), await desk.seat("administrator")
    for (method, path), (_, body) in EXPECTED.items():
        if method in ("GET", "WS") or path == "/v1/desk/login":
            continue
        for headers in ({"X-CSRF-Token": ""}, {"X-CSRF-Token": "guess"}, {"Origin": "https://evil.example"}):
            answer = await _call(chief, scene, method, path, body, **headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed"), (method, path, headers)
    assert (await chief.get("/me"))["agent"]["status"] == "online"  # nor was he signed out


async def test_who_has_to_change_his_password_first_gets_nothing_else(desk: Office) -> None:
    scene, chief = await _fresh(desk), await desk.seat("administrator")
    with desk.bridge.parts.bridge.transaction() as session:
        session.get_one(Agent, chief.id).must_change = True
    for (method, path), (_, body) in EXPECTED.items():
        if method == "WS" or path in OWN:
            continue
        answer = await _call(chief, scene, method, path, body)
        assert (answer.status_code, answer.json()["code"]) == (403, "must_change_password"), (method, path)


async def test_what_is_not_there_and_what_is_not_ones_own_look_the_same(desk: Office) -> None:
    scene, other = await _fresh(desk), await desk.seat(skills=())
    for (method, path), (row, body) in EXPECTED.items():
        if row.split()[1] != "403" or "{conversation_id}" not in path:
            continue
        theirs = (await _call(other, scene, method, path, body)).json()
        named = path.replace("{conversation_id}", "00000000-0000-0000-0000-000000000000")
        nobodys = (await _call(other, scene, method, named, body)).json()
        assert theirs | {"request_id": ""} == nobodys | {"request_id": ""}, path


async def test_the_stream_lets_nobody_in_who_is_not_signed_in(desk: Office) -> None:
    cookie = f"dianfu_desk={(await desk.seat()).http.cookies['dianfu_desk']}"
    async with served(desk) as address:
        for given, origin, code in (
            ("", None, 4401), ("dianfu_desk=guessed", None, 4401), (cookie, "https://evil.example", 4403),
            (cookie, f"http://{address}", None),
        ):  # fmt: skip
            headers = {"Cookie": given} if given else {}
            async with connect(f"ws://{address}/v1/desk/stream", additional_headers=headers, origin=origin) as socket:
                if code is None:
                    await socket.send(json.dumps({"kind": "ping"}))
                    assert json.loads(await socket.recv())["kind"] == "pong"
                    continue
                heard = await _until_closed(socket)
                assert (socket.close_code, set(heard) <= {"signed_out"}) == (code, True)


async def _until_closed(socket: ClientConnection) -> list[str]:
    """Return the kinds of all frames until the other side hangs up."""
    heard: list[str] = []
    with suppress(ConnectionClosed):
        while True:
            heard.append(json.loads(await socket.recv())["kind"])
    return heard
