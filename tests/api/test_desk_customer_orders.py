"""The orders of a customer at the desk over HTTP: filed once, followed, moved on, and refused with a reason."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from customer_desk_kit import REASON, Office, customer_office, customer_urls, in_clear, refused

from api.deliveries import deliver_notices
from api.desk import orders
from core.work_order import order_by_no, urge

if TYPE_CHECKING:
    from core.fields import Keyring
    from tests.conftest import NewUrl, Seeded


@pytest.fixture(scope="module")
def urls(seeded: Seeded, new_url: NewUrl, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return customer_urls(seeded, new_url, tmp_path_factory)


@pytest.fixture
async def office(urls: dict[str, str], seeded: Seeded, keyring: Keyring, tmp_path: Path) -> AsyncIterator[Office]:
    async with customer_office(urls, seeded, keyring, tmp_path) as one:
        yield one


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
