"""The customer at the desk over HTTP: masked for everybody, one field shown for a reason."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from customer_desk_kit import ORIGIN, REASON, Office, customer_office, customer_urls, in_clear, refused
from sqlalchemy import select

from api.desk.redaction import redactor_for
from core import audit
from core.db import Database
from core.reveal import Reveal

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
