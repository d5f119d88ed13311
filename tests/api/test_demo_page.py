from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from bridge_kit import CUSTOMER_KEY, ROOT, Bridge, running, settings
from sqlalchemy.orm import Session

from core.agent import NewAgent, add_agent
from core.agent.password import hash_password
from core.audit import Auditor
from core.identity import BadToken, read_customer
from core.seed.agents import demo_agents


@pytest.fixture
async def demo(sqlite_urls: Any, seeded: Any, keyring: Any) -> AsyncIterator[Bridge]:
    """A bridge in development over the seeded region."""
    keys = ",".join(f"{name}:{_base64(key)}" for name, key in keyring.keys.items())
    billing_url = seeded.database.url.render_as_string(hide_password=False)
    more = {"billing_url": billing_url, "field_keys": keys, "lookup_key": _base64(keyring.lookup)}
    async with running(settings(*sqlite_urls, **more)) as bridge:
        yield bridge


def _base64(key: bytes) -> str:
    import base64

    return base64.b64encode(key).decode()


async def test_the_page_has_a_strict_policy(demo: Bridge) -> None:
    page = await demo.http.get("/")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; style-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    for name, kind in (("demo.js", "text/javascript"), ("demo.css", "text/css")):
        part = await demo.http.get(f"/demo/static/{name}")
        assert (part.status_code, part.headers["content-type"].split(";")[0]) == (200, kind)
    assert (await demo.http.get("/demo/static/../../demo.py")).status_code == 404


async def test_the_customers_are_masked_and_have_a_story(demo: Bridge) -> None:
    shown = (await demo.http.get("/demo/customers")).json()
    assert len(shown) >= 3
    for one in shown:
        assert set(one) == {"id", "name", "label", "accounts", "story"}
        assert "*" in one["name"]
        assert all("*" in account for account in one["accounts"])


async def test_a_login_opens_the_session_of_that_customer(demo: Bridge) -> None:
    chosen = (await demo.http.get("/demo/customers")).json()[0]
    token = (await demo.http.post("/demo/login", json={"id": chosen["id"]})).json()["token"]
    claim = read_customer(CUSTOMER_KEY, token, now=demo.clock())
    assert (claim.assurance, len(claim.accounts)) == (1, len(chosen["accounts"]))
    with pytest.raises(BadToken):
        read_customer(CUSTOMER_KEY, token, now=demo.clock() + timedelta(minutes=61))
    customer = await demo.customer(token)
    assert (await customer.say("我上个月电费多少"))["mode"] == "bot"


@pytest.mark.parametrize("body", [{"id": "nobody"}, {}, {"id": 1}, {"id": "x", "assurance": 2}])
async def test_an_unknown_customer_cannot_log_in(demo: Bridge, body: Any) -> None:
    answer = await demo.http.post("/demo/login", json=body)
    assert answer.status_code in (404, 422)
    assert "token" not in answer.json()


async def test_only_the_demonstrations_own_agents_are_offered_with_their_password(demo: Bridge) -> None:
    def people(session: Session) -> None:
        demo_agents(session, demo.clock(), auditor=auditor, directory=ROOT / "data" / "desk")
        own = hash_password("江城的灯亮了2026", login="wangfang")
        new = NewAgent("wangfang", "王芳", "3001", skills=("billing",))
        add_agent(session, new, own, auditor=auditor, now=demo.clock())

    auditor = Auditor.of(demo.parts.settings.keyring())
    await demo.parts.store.write(people)
    shown = (await demo.http.get("/demo/agents")).json()
    assert {one["login"] for one in shown} == {"chenlu", "zhoujian", "hemin", "tanyun", "liwei"}
    [one] = [one for one in shown if one["login"] == "chenlu"]
    entry = {"login": one["login"], "password": one["password"]}
    answer = await demo.http.post("/v1/desk/login", json=entry, headers={"Origin": "http://bridge.test"})
    assert answer.status_code == 200, answer.text
