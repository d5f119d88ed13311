"""Calls users back by a template message when an answer waits for which no window is open."""

from __future__ import annotations

import re
from dataclasses import dataclass

import structlog
from sqlalchemy.orm import Session

from api.channels.wechat.channel import WeChat
from api.channels.wechat.courier_metrics import CourierMetrics
from api.channels.wechat.errors import Verdict, WeChatRefused, WeChatUnreachable
from api.channels.wechat.templates import BadValue, Data, NoTemplate
from api.store import Store
from core.channel import callback, deliveries
from core.channel.callback import TEMPLATE, Call
from core.clock import Clock

log = structlog.get_logger("api.wechat.callback")
AGENT_REPLIED, ORDER_PROGRESS, OUTAGE = KINDS = "agent_replied", "order_progress", "outage"
_ORDER_NO = re.compile(r"(?<![0-9])20[0-9]{12}(?![0-9])", re.ASCII)
_FIRST_LINE = 20  # characters of what happened; the rest stands in the next field
_PUT_OFF = (Verdict.RETRY, Verdict.TOKEN, Verdict.RATE, Verdict.CONFIG)


@dataclass(frozen=True)
class Callback:
    """The calls of one account."""

    store: Store
    wechat: WeChat
    metrics: CourierMetrics
    clock: Clock
    public_url: str

    async def call(self) -> int:
        """Call back whoever is due and return how many were."""
        if not any(self.wechat.templates.has(kind) for kind in KINDS):
            return 0
        # Written, not read: whom it finds to have been called already it marks.
        due = await self.store.write(lambda session: callback.calls_due(session, now=self.clock()))
        return sum([await self._call(one) for one in due])

    async def _call(self, one: Call) -> bool:
        """Call one user.

        A process that dies before it has noted that calls again with the same key, which WeChat shows once.
        """
        templates, error = self.wechat.templates, None
        kind = self._kind(one)
        try:
            template_id, data = self._filled(kind, one)
            url = templates.url(kind, self.public_url)
            await self.wechat.client.template(one.openid, template_id, data, url=url, key=f"d{one.delivery.id}")
        except (NoTemplate, BadValue):
            error = "no_template"
        except WeChatUnreachable:
            return await self._put_off(one)
        except WeChatRefused as refusal:
            if refusal.verdict in _PUT_OFF:
                return await self._put_off(one)
            log.error("callback_refused", kind=kind, error=str(refusal))
            error = str(refusal)
            if refusal.verdict is Verdict.UNREACHABLE_USER:
                await self.store.write(lambda session: deliveries.lost(session, one.delivery.channel_user_id, ()))
        self.metrics.sendings.labels(TEMPLATE, "refused" if error else "sent").inc()
        await self.store.write(lambda session: _note(session, one, error))
        return error is None

    def _kind(self, one: Call) -> str:
        if one.delivery.kind == callback.OUTAGE and self.wechat.templates.has(OUTAGE):
            return OUTAGE
        return ORDER_PROGRESS if one.delivery.kind == "notice" else AGENT_REPLIED

    def _filled(self, kind: str, one: Call) -> tuple[str, Data]:
        message = one.message
        if kind == OUTAGE:
            return self.wechat.templates.fill(kind, {"area": message.text})  # as much of it as there is room for
        if kind == AGENT_REPLIED:
            return self.wechat.templates.fill(kind, {"agent": message.agent_name or ""})
        number = _ORDER_NO.search(message.text)
        if number is None:
            raise BadValue("a notice about no order")  # nobody is called back for it
        text = " ".join(message.text.split())
        values = {"order_no": number[0], "title": text, "state": text[_FIRST_LINE - 1 :] or text}
        return self.wechat.templates.fill(kind, values)

    async def _put_off(self, one: Call) -> bool:
        def work(session: Session) -> None:
            callback.put_off(session, one.delivery.channel_user_id, now=self.clock())

        self.metrics.sendings.labels(TEMPLATE, "put_off").inc()
        await self.store.write(work)
        return False


def _note(session: Session, one: Call, error: str | None) -> None:
    if error is None:
        callback.mark(session, one.delivery.channel_user_id)
    else:
        callback.mark_uncallable(session, one.delivery.id, error=error)
