"""The ways on which a send reaches somebody, and what each answer of the other side means for it and for all others."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal, Protocol

import httpx
import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from api.channels.wechat.client import WeChatClient
from api.channels.wechat.errors import NOT_AGREED, Verdict, WeChatRefused, WeChatUnreachable
from api.channels.wechat.line import NOT_SENT
from api.channels.wechat.templates import BadValue, Data, NoTemplate, Templates
from api.sender.settings import SenderSettings
from core.account import Customer, phone_context
from core.clock import Clock
from core.db import Database
from core.fields import Keyring, UnreadableField
from core.proactive.kinds import CHAT, SMS, MissingValue, Notices, UnknownWording
from core.proactive.sends import UNKNOWN, Item, Outcome
from core.proactive.tables import DEAD, SENT, SKIPPED, WAITING

log = structlog.get_logger("api.sender")
TIMEOUT = httpx.Timeout(5, connect=2)

# Why all others have to wait: the other side is away, asks for a slower pace, or will have none of us.
Hold = Literal["away", "rate", "config"]


@dataclass(frozen=True)
class Result:
    """What came of a send; `hold`: all others on this way wait; `stop`: the broadcast cannot go well."""

    outcome: Outcome
    hold: Hold | None = None
    stop: str | None = None


class Way(Protocol):
    """One way."""

    async def send(self, item: Item) -> Result:
        """Send, and say what came of it; raises nothing that can be foreseen."""
        ...


class TemplateWay:
    """Template and subscription messages of WeChat; the same template message again is shown once."""

    def __init__(self, client: WeChatClient | None, templates: Templates, public_url: str) -> None:
        self._client, self._templates, self._public_url = client, templates, public_url
        self._filled: tuple[tuple[str, str, dict[str, str]], tuple[str, Data]] | None = (
            None  # the last one: many are the same
        )

    async def send(self, item: Item) -> Result:
        """See `Way.send`; without a template of the kind it waits in the conversation."""
        if self._client is None or item.openid is None:
            return in_conversation(item)
        try:
            template_id, data = self._fill(item)
        except NoTemplate:
            return in_conversation(item)
        except BadValue as error:
            return Result(Outcome(item, DEAD, f"bad value: {error}"))
        url = self._templates.url(item.kind, self._public_url)
        try:
            if item.template_id is not None:
                message_id = await self._client.subscription(item.openid, item.template_id, data, page=url)
            else:
                message_id = await self._client.template(item.openid, template_id, data, url=url, key=item.key)
        except WeChatRefused as error:
            return refused(item, error)
        except WeChatUnreachable as error:
            if item.template_id is not None and error.sent:  # it has no key by which WeChat knew a second one again
                return Result(Outcome(item, SENT, UNKNOWN), "away")
            return _away(item, error.reason or "unreachable", unsure=error.sent)
        return Result(Outcome(item, SENT, remote_id=message_id))

    def _fill(self, item: Item) -> tuple[str, Data]:
        wanted = (item.kind, item.wording, item.values)
        if self._filled is None or self._filled[0] != wanted:
            self._filled = wanted, self._templates.fill(item.kind, item.values, wording=item.wording)
        return self._filled[1]


def _away(item: Item, reason: str, *, unsure: bool) -> Result:
    return Result(Outcome(item, WAITING, reason, again_after=0, counts=False, unsure=unsure), "away")


def in_conversation(item: Item) -> Result:
    """Return that it is said in the conversation alone, when its reader comes back."""
    return Result(Outcome(item, SENT, channel=CHAT))


def refused(item: Item, error: WeChatRefused) -> Result:
    """Return what a refusal of WeChat means."""
    code = f"wechat {error.code}"
    match error.verdict:
        case Verdict.UNREACHABLE_USER:
            return Result(Outcome(item, SKIPPED, code, left=error.code in (40003, 43004)))
        case Verdict.TEMPLATE_BUG | Verdict.CHARSET:
            log.critical("template_bug", broadcast=item.broadcast_id, code=error.code, what=error.message)
            return Result(Outcome(item, WAITING, code, again_after=0, counts=False), stop=f"template {error.code}")
        case Verdict.RATE:
            return Result(Outcome(item, WAITING, code, again_after=0, counts=False), "rate")
        case Verdict.CONFIG | Verdict.NOT_ALLOWED | Verdict.TOKEN:
            log.critical("wechat_config", code=error.code, what=error.message)
            return Result(Outcome(item, WAITING, code, again_after=0, counts=False), "config")
        case Verdict.RETRY:
            return Result(Outcome(item, WAITING, code))
        case _ if error.code == NOT_AGREED and item.template_id is not None:
            again = Outcome(
                item, WAITING, code, again_after=0, counts=False, channel=item.fallback, ended=True
            )  # fmt: skip
            return Result(again)
        case _ if error.code == NOT_AGREED:
            return Result(Outcome(item, SKIPPED, code))
    return Result(Outcome(item, DEAD, code))


class SmsWay:
    """Short messages to the telephone that billing knows, through the gateway of one-time codes (docs/api.md)."""

    def __init__(
        self, settings: SenderSettings, billing: Database, keyring: Keyring, notices: Notices, clock: Clock
    ) -> None:
        self._url, self._billing, self._keyring = settings.sms_url, billing, keyring
        self._notices, self._clock = notices, clock
        token = settings.sms_token.get_secret_value()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.AsyncClient(timeout=TIMEOUT, trust_env=False, headers=headers)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(self, item: Item) -> Result:
        """See `Way.send`; without a gateway it waits in the conversation."""
        if not self._url:
            return in_conversation(item)
        try:
            text = self._notices.text(item.wording, item.values, SMS, now=self._clock())
            shown = self._notices.shown(item.values, now=self._clock())
            phone = await asyncio.to_thread(self._phone, item.customer_no)
        except (MissingValue, UnknownWording) as error:
            return Result(Outcome(item, DEAD, type(error).__name__))
        except (SQLAlchemyError, UnreadableField) as error:
            return Result(Outcome(item, WAITING, type(error).__name__))
        if phone is None:
            return Result(Outcome(item, SKIPPED, "no telephone"))
        return await self._post(item, phone, text, shown)

    async def _post(self, item: Item, phone: str, text: str, shown: Mapping[str, str]) -> Result:
        body = {"phone": phone, "template": item.wording, "values": dict(shown), "text": text}
        try:
            answer = await self._http.post(self._url, json=body, headers={"Idempotency-Key": f"notice:{item.key}"})
        except httpx.HTTPError as error:  # whose text may name what was sent
            return _away(item, type(error).__name__, unsure=not isinstance(error, NOT_SENT))
        if answer.is_success:
            return Result(Outcome(item, SENT))
        code = f"sms {answer.status_code}"
        if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            return Result(Outcome(item, WAITING, code, again_after=0, counts=False), "rate")
        if answer.is_client_error and answer.status_code != HTTPStatus.REQUEST_TIMEOUT:
            return Result(Outcome(item, DEAD, code))
        return Result(Outcome(item, WAITING, code))

    def _phone(self, customer_no: str | None) -> str | None:
        if customer_no is None:
            return None
        with self._billing.reading() as session:
            cipher = session.scalar(select(Customer.phone_cipher).where(Customer.customer_no == customer_no))
        return self._keyring.decrypt(cipher, phone_context(customer_no)) if cipher else None
