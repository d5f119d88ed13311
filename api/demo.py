"""The demonstration page and its choice of customers. Development only: production does not import this module."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from api.deps import Parts, PartsDep
from core.account import Customer, name_context
from core.agent import list_agents
from core.demo import DemoCustomer, demo_customers
from core.identity import issue_customer
from core.masking import mask_account_no, mask_name
from core.seed.agents import DEMO_PASSWORD, demo_logins

PAGE = Path(__file__).parent / "static" / "demo"
LIFETIME = timedelta(minutes=60)
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; style-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

router = APIRouter(include_in_schema=False)
files = StaticFiles(directory=PAGE)


class CustomerView(BaseModel):
    """A customer to try, with name and account numbers masked."""

    id: str
    name: str
    label: str
    accounts: list[str]
    story: str


class AgentView(BaseModel):
    """Somebody of the desk to try, with the password that all of the demonstration share."""

    login: str
    name: str
    role: str
    skills: list[str]
    password: str


class Login(BaseModel):
    """The choice of a customer."""

    model_config = ConfigDict(extra="forbid")

    id: str


@router.get("/")
async def page() -> FileResponse:
    """Return the demonstration page."""
    return FileResponse(PAGE / "index.html", headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})


@router.get("/demo/customers")
async def customers(parts: PartsDep) -> list[CustomerView]:
    """Return the customers that a visitor may be."""
    return await asyncio.to_thread(_views, parts)


@router.get("/demo/agents")
async def agents(parts: PartsDep) -> list[AgentView]:
    """Return the people of the desk that a visitor may be: those of the demonstration, not others who were added."""
    logins = demo_logins(parts.settings.data_dir / "desk")
    found = await parts.store.read(list_agents)
    return [
        AgentView(login=one.login, name=one.name, role=one.role, skills=one.skills, password=DEMO_PASSWORD)
        for one in found if one.login in logins and one.active
    ]  # fmt: skip


@router.post("/demo/login")
async def login(body: Login, parts: PartsDep) -> dict[str, str]:
    """Return a customer token, as the company's app would issue it after its own login."""
    chosen = next((one for one in await asyncio.to_thread(_customers, parts) if one.id == body.id), None)
    if chosen is None:
        raise HTTPException(404)
    token = issue_customer(
        parts.settings.customer_token_key.get_secret_value(), customer_no=chosen.customer_no,
        accounts=chosen.account_nos, assurance=1, now=parts.clock(), lifetime=LIFETIME,
    )  # fmt: skip
    return {"token": token}


def _customers(parts: Parts) -> list[DemoCustomer]:
    with parts.billing.reading() as session:
        return demo_customers(session, directory=parts.settings.data_dir / "demo")


def _views(parts: Parts) -> list[CustomerView]:
    chosen, keyring = _customers(parts), parts.settings.keyring()
    with parts.billing.reading() as session:
        query = select(Customer.customer_no, Customer.name_cipher).where(
            Customer.customer_no.in_([one.customer_no for one in chosen])
        )
        ciphers = {row.customer_no: row.name_cipher for row in session.execute(query)}
    return [
        CustomerView(
            id=one.id, label=one.label, story=one.story, accounts=[mask_account_no(no) for no in one.account_nos],
            name=mask_name(keyring.decrypt(ciphers[one.customer_no], name_context(one.customer_no))),
        )
        for one in chosen
    ]  # fmt: skip
