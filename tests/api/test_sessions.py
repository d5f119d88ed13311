from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
from bridge_kit import CUSTOMER_KEY, SESSION_KEY, Bridge, customer_token

from core.clock import system_clock
from core.conversation import Conversation
from core.identity import issue_session, read_identity


def _claims(**more: Any) -> dict[str, Any]:
    now = system_clock()
    given = {"sub": "C0000001", "aud": "dianfu-customer", "iat": now, "exp": now + timedelta(minutes=5),
             "accounts": ["4201234567890"], "assurance": 1}  # fmt: skip
    return {name: value for name, value in (given | more).items() if value is not None}


def _unsigned(claims: dict[str, Any]) -> str:
    plain = claims | {"iat": int(claims["iat"].timestamp()), "exp": int(claims["exp"].timestamp())}
    parts = ({"alg": "none", "typ": "JWT"}, plain)
    return ".".join(base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in parts) + "."


def _altered(token: str) -> str:
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["accounts"] = ["4209999999999"]
    return ".".join((head, base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("="), signature))


BAD = {
    "expired": lambda: customer_token(now=system_clock() - timedelta(hours=1)),
    "altered": lambda: _altered(customer_token()),
    "wrong audience": lambda: jwt.encode(_claims(aud="dianfu-session"), CUSTOMER_KEY, "HS256"),
    "no audience": lambda: jwt.encode(_claims(aud=None), CUSTOMER_KEY, "HS256"),
    "wrong key": lambda: jwt.encode(_claims(), "x" * 40, "HS256"),
    "session key": lambda: jwt.encode(_claims(), SESSION_KEY, "HS256"),
    "alg none": lambda: _unsigned(_claims()),
    "other algorithm": lambda: jwt.encode(_claims(), CUSTOMER_KEY * 2, "HS512"),
    "never expires": lambda: jwt.encode(_claims(exp=None), CUSTOMER_KEY, "HS256"),
    "no subject": lambda: jwt.encode(_claims(sub=None), CUSTOMER_KEY, "HS256"),
    "empty subject": lambda: jwt.encode(_claims(sub=""), CUSTOMER_KEY, "HS256"),
    "endless subject": lambda: jwt.encode(_claims(sub="C" * 400), CUSTOMER_KEY, "HS256"),
    "accounts no list": lambda: jwt.encode(_claims(accounts="4201234567890"), CUSTOMER_KEY, "HS256"),
    "accounts no numbers": lambda: jwt.encode(_claims(accounts=["'; drop"]), CUSTOMER_KEY, "HS256"),
    "assurance 3": lambda: jwt.encode(_claims(assurance=3), CUSTOMER_KEY, "HS256"),
    "rubbish": lambda: "rubbish",
    "three dots": lambda: "...",
}


async def test_without_a_token_the_conversation_is_anonymous(bridge: Bridge) -> None:
    customer = await bridge.customer()
    with bridge.parts.bridge.reading() as session:
        found = session.get_one(Conversation, customer.conversation_id)
    assert (found.customer_no, found.accounts, found.assurance, found.mode) == (None, [], 0, "bot")


async def test_with_a_customer_token_the_conversation_is_that_customers(bridge: Bridge) -> None:
    customer = await bridge.customer(customer_token(accounts=("4201234567890", "4200000001")))
    with bridge.parts.bridge.reading() as session:
        found = session.get_one(Conversation, customer.conversation_id)
    assert (found.customer_no, found.accounts, found.assurance) == ("C0000001", ["4201234567890", "4200000001"], 1)


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_customer_token_opens_nothing(bridge: Bridge, name: str) -> None:
    answer = await bridge.http.post(
        "/v1/sessions", json={"channel": "web"}, headers={"Authorization": f"Bearer {BAD[name]()}"}
    )
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "Bearer  ", "bearer\t", "Token abc", "x"])
async def test_a_header_of_another_form_is_refused_and_not_taken_for_none(bridge: Bridge, header: str) -> None:
    answer = await bridge.http.post("/v1/sessions", json={}, headers={"Authorization": header})
    assert answer.status_code == 401


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_nothing_is_said_or_shown_without_a_session_token(bridge: Bridge, method: str) -> None:
    body = {"client_id": "a", "text": "我上个月电费多少"} if method == "POST" else None
    answer = await bridge.http.request(method, "/v1/messages", json=body)
    assert answer.status_code == 401
    assert bridge.rasa.asked == []


async def test_a_customer_token_is_no_session_token(bridge: Bridge) -> None:
    answer = await bridge.http.get("/v1/messages", headers={"Authorization": f"Bearer {customer_token()}"})
    assert answer.status_code == 401


async def test_a_session_token_expires(bridge: Bridge) -> None:
    customer = await bridge.customer()
    bridge.clock.ahead = timedelta(hours=23, minutes=59)
    assert (await customer.history())["last_seq"] == 0
    bridge.clock.ahead = timedelta(hours=24, seconds=1)
    assert (await customer.post(client_id="a", text="在吗")).status_code == 401
    assert bridge.rasa.asked == []


async def test_a_session_of_an_unknown_conversation_looks_like_a_bad_token(bridge: Bridge) -> None:
    token = issue_session(SESSION_KEY, conversation_id="nobody", now=system_clock(), lifetime=timedelta(hours=1))
    answer = await bridge.http.get("/v1/messages", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


async def test_what_rasa_is_told_about_the_customer_is_what_the_token_proved(bridge: Bridge) -> None:
    customer = await bridge.customer(customer_token())
    await customer.say("我上个月电费多少")
    asked = bridge.rasa.asked[0]
    identity = read_identity(
        bridge.parts.settings.identity_key.get_secret_value(), asked["metadata"]["identity"],
        now=system_clock(), sender=asked["sender"],
    )  # fmt: skip
    assert (identity.customer_no, identity.accounts, identity.assurance) == ("C0000001", ("4201234567890",), 1)
    assert identity.conversation_id == customer.conversation_id


async def test_another_customers_session_sees_nothing_of_mine(bridge: Bridge) -> None:
    mine, other = await bridge.customer(customer_token()), await bridge.customer(customer_token(customer_no="C2"))
    await mine.say("我上个月电费多少")
    assert (await other.history())["messages"] == []
    asked = bridge.rasa.asked[0]["sender"]
    await other.say("我上个月电费多少")
    assert bridge.rasa.asked[1]["sender"] != asked


async def test_unknown_fields_of_a_session_are_refused(bridge: Bridge) -> None:
    answer = await bridge.http.post("/v1/sessions", json={"channel": "web", "customer_no": "C1"})
    assert answer.status_code == 422
    assert (await bridge.http.post("/v1/sessions", json={"channel": "fax"})).status_code == 422
