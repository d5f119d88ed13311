"""The hall at the desk: a code that the customer asked for opens the conversation; papers are made, shown, scanned."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from bridge_kit import Customer
from sqlalchemy import select
from supervision_kit import Office, office, refused, text_of

from core.audit import AuditEntry
from core.desk_note import DeskNote
from core.hall_words import HALL_CODE
from core.work_order import Filing, file_order

PAGE = "https://kefu.example.cn"
CODE = re.compile(r"(\d{4} \d{4})")


@pytest.fixture
async def desk(sqlite_urls: tuple[str, str]) -> AsyncIterator[Office]:
    async with office(sqlite_urls, public_url=PAGE) as one:
        yield one


async def code_of(customer: Customer, text: str = "柜台码") -> str:
    """Ask for a code as a customer does, and read it."""
    answer = await customer.say(text)
    (reply,) = answer["messages"]
    found = CODE.search(reply["text"])
    assert found is not None, reply
    return found[1]


def order(desk: Office, conversation_id: str) -> str:
    filing = Filing(
        cause=f"{conversation_id}:9", kind="transfer", category="业务申请→过户", conversation_id=conversation_id
    )
    with desk.bridge.parts.workorder.transaction() as session:
        keyring = desk.bridge.parts.settings.keyring()
        return file_order(session, filing, keyring=keyring, now=desk.clock(), joins=False).order.order_no


# -- codes


async def test_a_customer_at_the_counter_is_served_in_the_same_conversation(desk: Office) -> None:
    customer, clerk = await desk.bridge.customer(), await desk.seat(skills=("business",), name="周敏")
    await customer.say("我想办过户")
    code = await code_of(customer, "我在营业厅")
    assert len(desk.bridge.rasa.asked) == 1  # the dialogue model was not asked about the code
    opened = await clerk.post("/hall/open", code=code)
    assert opened == {"conversation_id": customer.conversation_id, "holder": None}
    shown = await clerk.get(f"/conversations/{customer.conversation_id}")
    assert shown["case"]["reason_text"] == "客户在营业厅"
    assert shown["can"]["write"]
    assert code not in text_of(shown)  # whoever reads along could use it
    heard = (await customer.history())["messages"][-1]
    assert heard["text"].startswith("营业厅工作人员 周敏")
    audit = desk.write(lambda session: [one.action for one in session.scalars(select(AuditEntry))])
    assert "hall_opened" in audit


async def test_the_button_of_a_menu_gives_a_code_in_every_mode(desk: Office) -> None:
    customer, _ = await desk.case()
    waiting = await code_of(customer)
    agent = await desk.seat()
    (offer,) = (await agent.get("/inbox"))["queue"]
    desk.claim(offer["handoff_id"], agent)
    assert await code_of(customer) == waiting  # it still holds
    assert desk.mode(customer) == "human"
    assert HALL_CODE.startswith("bridge:")  # what begins so never reaches the dialogue model


async def test_a_wrong_code_and_a_used_one_are_refused_in_the_same_words(desk: Office) -> None:
    customer, clerk, other = await desk.bridge.customer(), await desk.seat(), await desk.seat()
    code = await code_of(customer)
    await clerk.post("/hall/open", code=code)
    used = await other.call("POST", "/hall/open", code=code)
    unknown = await other.call("POST", "/hall/open", code="0000 0000")
    assert refused(used) == refused(unknown) == (422, "wrong_code")
    assert used.json()["detail"] == unknown.json()["detail"]
    assert refused(await other.call("POST", "/hall/open", code="123")) == (422, "not_a_code")


async def test_after_ten_wrong_codes_the_clerk_is_told_until_when_to_wait(desk: Office) -> None:
    customer, clerk = await desk.bridge.customer(), await desk.seat()
    code = await code_of(customer)
    for _ in range(10):
        await clerk.call("POST", "/hall/open", code="0000 0000")
    answer = await clerk.call("POST", "/hall/open", code=code)
    assert refused(answer) == (429, "hall_locked")
    assert answer.json()["until"] == "2026-11-23T10:10:00+08:00"


async def test_a_clerk_reads_along_and_asks_who_has_the_conversation(desk: Office) -> None:
    holder, clerk = await desk.seat(name="李强"), await desk.seat(skills=(), name="周敏")
    customer, case = await desk.case()
    desk.claim(case, holder)
    talk = f"/conversations/{customer.conversation_id}"
    assert refused(await clerk.call("GET", talk)) == (403, "forbidden")
    opened = await clerk.post("/hall/open", code=await code_of(customer))
    assert opened["holder"] == {"id": holder.id, "name": "李强"}
    shown = await clerk.get(talk)
    assert (shown["can"]["write"], shown["case"]["holder"]["name"]) == (False, "李强")
    said = await clerk.call("POST", f"{talk}/messages", client_id="x1", text="您好")
    assert refused(said) == (403, "not_holder")
    await clerk.post("/hall/ask", conversation_id=customer.conversation_id)
    (note,) = desk.write(lambda session: list(session.scalars(select(DeskNote))))
    assert (note.kind, note.to_agent) == ("whisper", holder.id)
    assert "周敏" in note.text
    looked = desk.write(
        lambda session: list(session.scalars(select(AuditEntry.action).where(AuditEntry.agent_id == clerk.id)))
    )
    assert "conversation_read" in looked


async def test_what_a_code_has_opened_is_shut_again_when_the_case_is_over(desk: Office) -> None:
    holder, clerk = await desk.seat(), await desk.seat(skills=())
    customer, case = await desk.case()
    desk.claim(case, holder)
    await clerk.post("/hall/open", code=await code_of(customer))
    await holder.post(f"/conversations/{customer.conversation_id}/wrap_up", outcome="solved", then="bot")
    assert refused(await clerk.call("GET", f"/conversations/{customer.conversation_id}"))[0] == 403
    assert refused(await clerk.call("POST", "/hall/ask", conversation_id=customer.conversation_id))[0] == 403


# -- papers


async def test_a_slip_is_made_for_an_order_and_printed_without_its_whole_number(desk: Office) -> None:
    clerk, customer = await desk.seat(), await desk.bridge.customer()
    number = order(desk, customer.conversation_id)
    paper = await clerk.post("/hall/papers", order_no=number, days=7)
    assert (paper["kind"], paper["order"]) == ("slip", "*" * (len(number) - 4) + number[-4:])
    assert paper["expires_at"] == "2026-11-30T10:00:00+08:00"
    assert re.fullmatch(rf"{PAGE}/wechat/h5\?scene=h_[\w-]+", paper["address"])
    assert number not in text_of(await clerk.get("/hall/papers"))
    picture = await clerk.call("GET", f"/hall/papers/{paper['id']}/code")
    assert picture.headers["content-type"] == "image/svg+xml"
    assert picture.text.startswith("<svg ")


async def test_a_number_of_no_order_counts_like_a_wrong_code(desk: Office) -> None:
    clerk = await desk.seat()
    for _ in range(10):
        assert refused(await clerk.call("POST", "/hall/papers", order_no="209901010001")) == (422, "no_such_order")
    assert refused(await clerk.call("POST", "/hall/papers", order_no="209901010001")) == (429, "hall_locked")
    assert refused(await clerk.call("POST", "/hall/open", code="0000 0000")) == (429, "hall_locked")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"business": "nothing"}, "no_form"), ({"business": "transfer", "days": 31}, "bad_validity"),
        ({"days": 5}, "unknown_choice"),
        ({"business": "transfer", "order_no": "1"}, "unknown_choice"),
    ],
)  # fmt: skip
async def test_a_paper_that_makes_no_sense_is_refused(desk: Office, body: dict[str, Any], code: str) -> None:
    answer = await (await desk.seat()).call("POST", "/hall/papers", **body)
    assert refused(answer) == (422, code)


async def test_a_visitor_scans_a_poster_and_the_business_begins_in_the_chat(desk: Office) -> None:
    clerk, customer = await desk.seat(), await desk.bridge.customer()
    paper = await clerk.post("/hall/papers", business="transfer")
    scene = paper["address"].rpartition("=")[2]
    for _ in range(2):  # the page is loaded again
        answer = await desk.bridge.http.post("/v1/papers", json={"scene": scene}, headers=customer.headers)
        assert answer.json() == {"known": True}
    assert [one["text"] for one in desk.bridge.rasa.asked] == ['/inform{"start": "transfer"}']
    said = [one["text"] for one in (await customer.history())["messages"] if one["author"] == "customer"]
    assert said == [f"扫码办理：{paper['title']}"]
    unknown = await desk.bridge.http.post("/v1/papers", json={"scene": "other"}, headers=customer.headers)
    assert unknown.json() == {"known": False}
    assert (await desk.bridge.http.post("/v1/papers", json={"scene": scene})).status_code == 401


async def test_a_withdrawn_paper_says_so_to_who_scans_it(desk: Office) -> None:
    clerk, customer = await desk.seat(), await desk.bridge.customer()
    paper = await clerk.post("/hall/papers", business="transfer")
    gone = (await clerk.call("DELETE", f"/hall/papers/{paper['id']}")).json()
    assert gone["over"]
    scene = paper["address"].rpartition("=")[2]
    await desk.bridge.http.post("/v1/papers", json={"scene": scene}, headers=customer.headers)
    assert "过期或作废" in (await customer.history())["messages"][-1]["text"]
    assert desk.bridge.rasa.asked == []
    assert refused(await clerk.call("DELETE", "/hall/papers/999")) == (404, "no_such_paper")


async def test_without_a_public_address_no_paper_is_made(sqlite_urls: tuple[str, str]) -> None:
    async with office(sqlite_urls) as desk:
        answer = await (await desk.seat()).call("POST", "/hall/papers", business="transfer")
        assert refused(answer) == (409, "no_address")
