"""The customer at the desk over HTTP: masked for everybody, one field shown for a reason, orders filed and moved on."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from bridge_kit import Bridge, running, settings
from sqlalchemy import select

from api.deliveries import deliver_notices
from api.desk import customer, orders
from api.desk.redaction import redactor_for
from core import agent as people
from core import audit
from core import conversation as log_of
from core.account import Account, Customer, address_context, name_context, phone_context
from core.agent import NewAgent, PasswordHash, hash_password
from core.audit import Auditor
from core.conversation import Conversation
from core.db import Database
from core.desk_session import open_session
from core.handoff.tables import Handoff
from core.migrations import upgrade
from core.reveal import Reveal
from core.work_order import order_by_no, urge

if TYPE_CHECKING:
    from core.fields import Keyring
    from tests.conftest import NewUrl, Seeded

ORIGIN = "http://bridge.test"
REASON = "核对客户身份"
numbers = itertools.count(1)


@dataclass
class Seat:
    """Somebody of the desk before a console."""

    http: httpx.AsyncClient
    id: int
    csrf: str

    async def call(self, method: str, path: str, **body: Any) -> httpx.Response:
        content = {"json": body} if body or method != "GET" else {}
        return await self.http.request(method, f"/v1/desk{path}", headers={"X-CSRF-Token": self.csrf}, **content)

    async def get(self, path: str) -> Any:
        return good(await self.call("GET", path))

    async def post(self, path: str, **body: Any) -> Any:
        return good(await self.call("POST", path, **body))


@dataclass
class Office:
    """A bridge over the seeded region, an identified customer, and who sits at the desk."""

    bridge: Bridge
    hashed: PasswordHash
    own: dict[str, str]
    customer_no: str
    closing: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def seat(self, role: str = "agent", skills: tuple[str, ...] = ("billing",)) -> Seat:
        number, now = next(numbers), self.bridge.clock()
        auditor = Auditor.of(self.bridge.parts.settings.keyring())
        with self.bridge.parts.bridge.transaction() as session:
            new = NewAgent(f"seat{number}", "何敏", f"{number}", role, skills)
            agent = people.add_agent(session, new, self.hashed, auditor=auditor, now=now)
            cookie, row = open_session(session, agent.id, now=now)
            number, csrf = agent.id, row.csrf
        transport = httpx.ASGITransport(self.bridge.app, raise_app_exceptions=False)
        client = httpx.AsyncClient(
            transport=transport, base_url=ORIGIN, headers={"Origin": ORIGIN}, cookies={"dianfu_desk": cookie}
        )
        return Seat(await self.closing.enter_async_context(client), number, csrf)

    def talk(self, holder: Seat | None = None, *, known: bool = True, skill: str = "billing") -> Conversation:
        """Return a conversation that waits in a queue, or that somebody has in hand."""
        now = self.bridge.clock()
        with self.bridge.parts.bridge.transaction() as session:
            made = log_of.open_conversation(
                session, channel="web", customer_no=self.customer_no if known else None,
                accounts=[self.own["account_no"]] if known else [], assurance=int(known), now=now,
            )  # fmt: skip
            made.mode = "human" if holder else "queued"
            session.add(Handoff(
                conversation_id=made.id, reason="asked", skill=skill, requested_at=now, rank_at=now,
                agent_id=holder.id if holder else None,
            ))  # fmt: skip
        return made

    def says(self, conversation: Conversation, text: str) -> int:
        with self.bridge.parts.bridge.transaction() as session:
            row = log_of.find_conversation(session, conversation.id, lock=True)
            return log_of.record_customer(
                session, row, external_id=f"{conversation.id}:{next(numbers)}", text=text, payload=None,
                now=self.bridge.clock(),
            )[0].seq  # fmt: skip

    def audited(self, agent: Seat) -> list[tuple[str, dict[str, Any]]]:
        with self.bridge.parts.bridge.reading() as session:
            rows = audit.entries(session, agent_id=agent.id, limit=500)
            return [(row.action, row.detail) for row in rows]


def good(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json()


def refused(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert answer.json()["detail"]
    return answer.status_code, answer.json()["code"]


@pytest.fixture(scope="module")
def hashed() -> PasswordHash:
    return hash_password("江城的灯亮了2026", login="seat")


@pytest.fixture(scope="module")
def urls(seeded: Seeded, new_url: NewUrl, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Bridge and work-order database beside the seeded region, in its dialect, for all tests of this module."""
    dialect, directory = seeded.database.engine.dialect.name, tmp_path_factory.mktemp("desk")
    made = {name: new_url(dialect, directory) for name in ("bridge", "workorder")}
    for name, url in made.items():
        database = Database(url)
        upgrade(name, database)
        database.dispose()
    return {**made, "billing": seeded.database.url.render_as_string(hide_password=False)}


@pytest.fixture
async def office(
    urls: dict[str, str], seeded: Seeded, keyring: Keyring, hashed: PasswordHash, tmp_path: Path
) -> AsyncIterator[Office]:
    keys = {name: base64.b64encode(key).decode() for name, key in {**keyring.keys, "lookup": keyring.lookup}.items()}
    chosen = settings(
        urls["bridge"], urls["workorder"], billing_url=urls["billing"], field_keys=f"test:{keys['test']}",
        lookup_key=keys["lookup"], upload_dir=tmp_path,
    )  # fmt: skip
    with seeded.database.reading() as session:
        query = select(Account).join(Customer).where(Customer.kind == "person", Account.closed_on.is_(None))
        account = session.scalars(query.order_by(Account.id).offset(next(numbers) % 30)).first()
        assert account is not None
        number = account.customer.customer_no
        own = {
            "name": keyring.decrypt(account.customer.name_cipher, name_context(number)),
            "phone": keyring.decrypt(account.customer.phone_cipher, phone_context(number)),
            "address": keyring.decrypt(account.address_cipher, address_context(account.account_no)),
            "account_no": account.account_no,
        }
    async with running(chosen) as bridge, AsyncExitStack() as closing:
        here = {getattr(route, "path", "") for route in bridge.app.routes}
        for router in (customer.router, orders.router):
            if not {getattr(route, "path", "") for route in router.routes} <= here:
                bridge.app.include_router(router)
        yield Office(bridge, hashed, own, number, closing)


def in_clear(office: Office, shown: Any) -> list[str]:
    text = json.dumps(shown, ensure_ascii=False)
    return [name for name, value in office.own.items() if value in text]


async def test_the_card_shows_the_customer_masked_with_the_names_of_its_keys(office: Office) -> None:
    seat = await office.seat()
    card = await seat.get(f"/conversations/{office.talk(seat).id}/customer")
    assert in_clear(office, card) == []
    assert card["customer"]["phone"].endswith(office.own["phone"][-4:])
    (account,) = card["accounts"]
    assert account["account_no"].endswith(office.own["account_no"][-4:])
    assert card["labels"]["bill_status"].keys() >= {bill["status"] for bill in account["bills"]}
    assert card["labels"]["user_classes"][account["user_class"]]


async def test_each_masked_field_is_shown_for_a_reason_for_five_minutes_and_audited(office: Office) -> None:
    seat = await office.seat()
    talk = office.talk(seat)
    (account,) = (await seat.get(f"/conversations/{talk.id}/customer"))["accounts"]
    wanted = {
        "name": "name", "phone": "phone", f"address:{account['ref']}": "address",
        f"account_no:{account['ref']}": "account_no",
    }  # fmt: skip
    for name, part in wanted.items():
        answer = await seat.post(f"/conversations/{talk.id}/reveal", field=name, reason=REASON)
        assert answer["value"] == office.own[part]
        assert answer["expires_at"].endswith("+08:00")
    assert [one for one in office.audited(seat) if one[0] == "reveal"] == [
        ("reveal", {"field": name, "reason": REASON}) for name in wanted
    ]
    with office.bridge.parts.bridge.reading() as session:
        rows = session.scalars(select(Reveal).where(Reveal.agent_id == seat.id)).all()
        assert {row.expires_at - row.at for row in rows} == {timedelta(minutes=5)}
        assert audit.verify(session, audit.key_of(office.bridge.parts.settings.keyring())).ok
    assert in_clear(office, [one[1] for one in office.audited(seat)]) == []


async def test_a_message_is_shown_in_clear_for_a_reason_and_the_reason_itself_is_masked(office: Office) -> None:
    seat = await office.seat()
    talk = office.talk(seat)
    text = f"我叫{office.own['name']}，电话{office.own['phone']}"
    seq = office.says(talk, text)
    reason = f"回拨{office.own['phone']}前核对"
    answer = await seat.post(f"/conversations/{talk.id}/reveal", field=f"message:{seq}", reason=reason)
    assert answer["value"] == text
    assert in_clear(office, office.audited(seat)) == []
    with office.bridge.parts.bridge.reading() as session:
        row = session.scalars(select(Reveal).where(Reveal.agent_id == seat.id)).one()
    assert office.own["phone"] not in row.reason


async def test_nothing_is_shown_without_a_reason_or_where_there_is_nothing(office: Office) -> None:
    seat = await office.seat()
    path = f"/conversations/{office.talk(seat).id}/reveal"
    wrong = [
        ("phone", "看看", 422, "reason_too_short"), ("password", REASON, 422, "unknown_field"),
        ("message:77", REASON, 404, "nothing_to_show"), ("name:abcdefghijkl", REASON, 404, "nothing_to_show"),
    ]  # fmt: skip
    for name, reason, status, code in wrong:
        assert refused(await seat.call("POST", path, field=name, reason=reason)) == (status, code)
    assert [one for one in office.audited(seat) if one[0] == "reveal"] == []


async def test_who_does_not_hold_the_conversation_sees_no_value_in_clear(office: Office) -> None:
    holder, colleague, supervisor = await office.seat(), await office.seat(), await office.seat("supervisor")
    held, queued = office.talk(holder), office.talk()
    body = {"field": "phone", "reason": REASON}
    assert refused(await colleague.call("POST", f"/conversations/{held.id}/reveal", **body)) == (403, "forbidden")
    assert refused(await colleague.call("GET", f"/conversations/{held.id}/customer")) == (403, "forbidden")
    assert (await colleague.get(f"/conversations/{queued.id}/customer"))["customer"]["identified"] is True
    assert refused(await colleague.call("POST", f"/conversations/{queued.id}/reveal", **body)) == (403, "not_holder")
    assert (await supervisor.post(f"/conversations/{held.id}/reveal", **body))["value"] == office.own["phone"]
    stranger = httpx.AsyncClient(transport=httpx.ASGITransport(office.bridge.app), base_url=ORIGIN)
    async with stranger:
        assert (await stranger.get(f"/v1/desk/conversations/{held.id}/customer")).status_code == 401
        assert (await stranger.post(f"/v1/desk/conversations/{held.id}/reveal", json=body)).status_code == 401
    holder.csrf = "forged"
    assert refused(await holder.call("POST", f"/conversations/{held.id}/reveal", **body)) == (403, "csrf_failed")


async def test_an_order_is_filed_once_followed_and_moved_on(office: Office) -> None:
    seat = await office.seat()
    talk = office.talk(seat)
    (account,) = (await seat.get(f"/conversations/{talk.id}/customer"))["accounts"]
    body = {
        "client_id": "c-1", "business": "fault_trip", "account_ref": account["ref"],
        "values": {"what": f"总闸反复跳，找{office.own['name']}，打13797004455"},
    }  # fmt: skip
    path = f"/conversations/{talk.id}/orders"
    first, again = await seat.post(path, **body), await seat.post(path, **body)
    assert (first["new"], again["new"], again["order"]) == (True, False, first["order"])
    number = first["order"]["order_no"]
    detail = await seat.get(f"{path}/{number}")
    assert (detail["state_text"], detail["next"]) == ("已受理，待派单", ["dispatched", "closed", "cancelled"])
    assert in_clear(office, detail) == []
    assert "13797004455" not in json.dumps(detail)
    assert "总闸反复跳" in detail["description"]
    moved = await seat.post(f"{path}/{number}/progress", state="dispatched", note="师傅电话13797004455")
    assert (moved["state"], moved["history"][-1]["reason"]) == ("dispatched", "师傅电话137****4455")
    assert (await seat.post(f"{path}/{number}/progress", state="dispatched"))["state"] == "dispatched"
    urged = await seat.post(f"{path}/{number}/urge")
    assert (urged["counted"], urged["raised"], urged["order"]["priority"]) == (True, True, "urgent")
    assert (await seat.post(f"{path}/{number}/urge"))["counted"] is False
    assert [one[0] for one in office.audited(seat)] == ["file_order", "progress_order", "urge_order"]
    value = await seat.post(f"/conversations/{talk.id}/reveal", field=f"order:{number}:contact", reason=REASON)
    assert value["value"] == office.own["phone"]
    assert [one["order_no"] for one in (await seat.get(f"/conversations/{talk.id}/customer"))["orders"]] == [number]


async def test_the_history_of_an_order_names_the_agent_who_filed_urged_and_moved_it(office: Office) -> None:
    seat = await office.seat()
    talk = office.talk(seat)
    values = {"what": "半边没电", "address": "汉阳区琴台路知音苑6栋", "phone": "13797004455"}
    path = f"/conversations/{talk.id}/orders"
    number = (await seat.post(path, client_id="h-1", business="fault_phase", values=values))["order"]["order_no"]
    await seat.post(f"{path}/{number}/urge")
    shown = await seat.post(f"{path}/{number}/progress", state="dispatched")
    done = [(one["kind"], one["by"], one["agent"]) for one in shown["history"]]
    assert done == [
        ("filed", "staff", "何敏"), ("urged", "staff", "何敏"), ("raised", "system", None), ("state", "staff", "何敏"),
    ]  # fmt: skip
    with office.bridge.parts.workorder.transaction() as session:
        urge(session, order_by_no(session, number), now=office.bridge.clock() + timedelta(hours=1))
    last = (await seat.get(f"{path}/{number}"))["history"][-1]
    assert (last["kind"], last["by"], last["agent"]) == ("urged", "customer", None)


async def test_the_customer_reads_once_what_an_agent_filed_and_what_was_promised(office: Office) -> None:
    seat = await office.seat()
    talk = office.talk(seat)
    path, place = f"/conversations/{talk.id}/orders", {"address": "汉阳区琴台路知音苑6栋", "phone": "13797004455"}
    trouble = {"client_id": "n-1", "business": "fault_phase", "values": {"what": "半边没电", **place}}
    unkind = {"client_id": "n-2", "business": "complaint", "values": {"kind": "conduct", "detail": "窗口挂我电话"}}
    repair = (await seat.post(path, **trouble))["order"]["order_no"]
    complaint = (await seat.post(path, **unkind))["order"]
    await seat.post(path, **trouble)
    due = office.bridge.parts.wording.instant(
        datetime.fromisoformat(complaint["promise"]["due_at"]), now=office.bridge.clock()
    )
    for _ in range(2):
        deliver_notices(office.bridge.parts)
    said = [row.text for row in office.bridge.rows(talk.id) if row.author == "system"]
    assert [one.partition("。有进展")[0] for one in said] == [
        f"坐席已为您登记缺相、半边没电，工单号{repair}。城区一般45分钟、农村90分钟、偏远地区2小时内到达现场",
        f"坐席已为您登记投诉，工单号{complaint['order_no']}。24小时内联系您，5个工作日内答复，也就是{due}前",
    ]


async def test_an_order_that_needs_an_account_says_so_and_takes_what_is_on_file(office: Office) -> None:
    seat = await office.seat()
    talk = office.talk(seat)
    rows = {row["key"]: row for row in await seat.get("/businesses")}
    assert (rows["meter_check"]["account_needed"], rows["repair"]["account_needed"]) == (True, False)
    prefill = {one["name"]: one["prefill"] for one in rows["fault_trip"]["fields"]}
    assert (prefill["what"], prefill["address"], prefill["phone"]) == (None, "按登记的", "按登记的")
    path = f"/conversations/{talk.id}/orders"
    assert refused(await seat.call("POST", path, client_id="a-1", business="meter_check")) == (422, "no_such_account")
    (account,) = (await seat.get(f"/conversations/{talk.id}/customer"))["accounts"]
    values = {"what": "总闸跳", "address": "按登记的", "phone": " 按登记的 "}
    body = {"client_id": "a-2", "business": "fault_trip", "values": values}
    answer = await seat.call("POST", path, **body)
    assert (refused(answer), answer.json()["fields"].keys()) == ((422, "bad_fields"), {"address", "phone"})
    number = (await seat.post(path, account_ref=account["ref"], **body))["order"]["order_no"]
    for part, own in (("contact", "phone"), ("address", "address")):
        shown = await seat.post(f"/conversations/{talk.id}/reveal", field=f"order:{number}:{part}", reason=REASON)
        assert shown["value"] == office.own[own]


async def test_reading_along_is_audited_once_in_a_session_and_by_who_does_not_hold_it_alone(office: Office) -> None:
    holder, chief = await office.seat(), await office.seat("supervisor")
    talk, other = office.talk(holder), office.talk(holder)
    for path in (f"/{talk.id}", f"/{talk.id}/messages?after=0", f"/{talk.id}", f"/{other.id}/messages?after=0"):
        await chief.get(f"/conversations{path}")
        await holder.get(f"/conversations{path}")
    with office.bridge.parts.bridge.reading() as session:
        rows = [(row.action, row.subject) for row in audit.entries(session, agent_id=chief.id, limit=10)]
    assert sorted(rows) == sorted([("conversation_read", talk.id), ("conversation_read", other.id)])
    assert office.audited(holder) == []


async def test_what_cannot_be_filed_or_moved_says_why(office: Office) -> None:
    seat = await office.seat()
    talk, other = office.talk(seat), office.talk(seat, known=False)
    path = f"/conversations/{talk.id}/orders"
    answer = await seat.call("POST", path, client_id="x", business="repair", values={"scope": "moon"})
    assert refused(answer) == (422, "bad_fields")
    assert answer.json()["fields"].keys() == {"scope", "address", "phone"}
    assert refused(await seat.call("POST", path, client_id="x", business="nothing")) == (404, "unknown_business")
    photo = {"what": "屏不亮了", "photo": "0" * 32, "address": "汉阳区琴台路知音苑6栋", "phone": "13797004455"}
    answer = await seat.call("POST", path, client_id="x", business="fault_meter", values=photo)
    assert (refused(answer), answer.json()["fields"]) == ((422, "bad_fields"), {"photo": "没有找到这张照片"})
    assert refused(await seat.call("GET", f"{path}/20260101000001")) == (404, "order_not_found")
    values = {"what": "半边没电", "address": "汉阳区琴台路知音苑6栋", "phone": "13797004455"}
    number = (await seat.post(path, client_id="y", business="fault_phase", values=values))["order"]["order_no"]
    for call in ("progress", "urge"):
        stranger = await seat.call("POST", f"/conversations/{other.id}/orders/{number}/{call}", state="closed")
        assert refused(stranger) == (404, "order_not_found")
    assert refused(await seat.call("POST", f"{path}/{number}/progress", state="arrived")) == (409, "order_wrong_state")
    await seat.post(f"{path}/{number}/progress", state="cancelled")
    assert refused(await seat.call("POST", f"{path}/{number}/urge")) == (409, "order_over")
    reading = office.talk()
    for call in ("", f"/{number}/progress", f"/{number}/urge"):
        body = {"client_id": "z", "business": "repair"} if not call else {"state": "closed"}
        assert refused(
            await seat.call("POST", f"/conversations/{reading.id}/orders{call}", **body)
        ) == (403, "not_holder")  # fmt: skip


async def test_a_danger_is_not_withdrawn_at_the_desk(office: Office) -> None:
    from core.work_order import open_urgent

    seat = await office.seat()
    talk = office.talk(seat)
    with office.bridge.parts.workorder.transaction() as session:
        number = open_urgent(
            session, cause=f"{talk.id}:1", category="故障报修→紧急→断线", kind="wire_down", account_no=None,
            description="电线掉地上了", keyring=office.bridge.parts.settings.keyring(), now=office.bridge.clock(),
            conversation_id=talk.id,
        ).order_no  # fmt: skip
    path = f"/conversations/{talk.id}/orders/{number}"
    assert "cancelled" not in (await seat.get(path))["next"]
    assert refused(await seat.call("POST", f"{path}/progress", state="cancelled")) == (409, "order_wrong_state")
    with office.bridge.parts.workorder.reading() as session:
        assert order_by_no(session, number).state == "accepted"


async def test_the_businesses_are_those_that_can_be_filed_with_their_fields(office: Office) -> None:
    seat = await office.seat()
    rows = {row["key"]: row for row in await seat.get("/businesses")}
    table = orders.rules_of(office.bridge.parts).businesses
    assert rows.keys() == {one.key for one in table if not one.unavailable}
    scope = next(one for one in rows["repair"]["fields"] if one["name"] == "scope")
    assert [option["value"] for option in scope["options"]] == ["household", "building", "area"]


async def test_the_redactor_knows_the_customer_and_is_kept_until_the_accounts_change(office: Office) -> None:
    talk, stranger = office.talk(), office.talk(known=False)
    parts = office.bridge.parts
    redactor = await redactor_for(parts, talk)
    said = "，".join(office.own.values())
    assert in_clear(office, redactor.text(said)) == []
    assert await redactor_for(parts, talk) is redactor
    talk.accounts = []
    assert await redactor_for(parts, talk) is not redactor
    assert office.own["phone"] not in (await redactor_for(parts, stranger)).text(said)
    office.bridge.clock.ahead += timedelta(minutes=6)
    talk.accounts = [office.own["account_no"]]
    assert await redactor_for(parts, talk) is not redactor


async def test_with_the_billing_system_away_the_rest_is_shown_and_forms_of_data_stay_hidden(office: Office) -> None:
    seat = await office.seat()
    talk = office.talk(seat)
    number = office.says(talk, "随便说点什么")
    object.__setattr__(office.bridge.parts, "billing", Database("postgresql+psycopg://no:no@127.0.0.1:1/none"))
    card = await seat.get(f"/conversations/{talk.id}/customer")
    assert card["accounts"] == {"unavailable": True}
    assert card["orders"] == []
    redactor = await redactor_for(office.bridge.parts, talk)
    assert office.own["account_no"] not in redactor.text(f"户号{office.own['account_no']}")
    assert office.own["phone"] not in redactor.text(office.own["phone"])
    shown = await seat.post(f"/conversations/{talk.id}/reveal", field=f"message:{number}", reason=REASON)
    assert shown["value"] == "随便说点什么"
    answer = await seat.call("POST", f"/conversations/{talk.id}/reveal", field="phone", reason=REASON)
    assert answer.status_code == 503
