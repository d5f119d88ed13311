"""Calls users back by a template message when an answer waits for which no window is open."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial

import structlog
from sqlalchemy.orm import Session

from api.channels.wechat.channel import WeChat
from api.channels.wechat.courier_metrics import CourierMetrics
from api.channels.wechat.errors import NOT_AGREED, Verdict, WeChatRefused, WeChatUnreachable
from api.channels.wechat.templates import BadValue, Data, NoTemplate
from api.store import Store
from core.channel import callback, deliveries, subscriptions
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
        error, kind = None, self._kind(one)
        single = self.wechat.templates.singles.get(kind)
        try:
            await self._send(kind, one, single)
        except (NoTemplate, BadValue):
            error = "no_template"
        except WeChatUnreachable as away:
            if single is None or not away.sent:
                return await self._put_off(one, single)
            log.warning("callback_unknown", kind=kind)  # counted as made: WeChat would show a second one
        except WeChatRefused as refusal:
            if refusal.verdict in _PUT_OFF:
                return await self._put_off(one, single)
            log.error("callback_refused", kind=kind, error=str(refusal))
            error = str(refusal)
            if single is not None:
                await self.store.write(partial(self._refused, one, single, refusal.code))
            if refusal.verdict is Verdict.UNREACHABLE_USER:
                await self.store.write(lambda session: deliveries.lost(session, one.delivery.channel_user_id, ()))
        self.metrics.sendings.labels(TEMPLATE, "refused" if error else "sent").inc()
        await self.store.write(lambda session: _note(session, one, error))
        return error is None

    async def _send(self, kind: str, one: Call, single: str | None) -> None:
        template_id, data = self._filled(kind, one)
        url = self.wechat.templates.url(kind, self.public_url)
        if single is None:
            await self.wechat.client.template(one.openid, template_id, data, url=url, key=f"d{one.delivery.id}")
            return
        # Noted before: it has no key, so that nobody may make it a second time.
        if not await self.store.write(partial(self._take, one, single)):
            raise NoTemplate("nothing was agreed to")
        await self.wechat.client.subscription(one.openid, template_id, data, page=url)

    def _take(self, one: Call, single: str, session: Session) -> bool:
        user_id = one.delivery.channel_user_id
        if not subscriptions.take(session, [(user_id, single)], now=self.clock()):
            return False
        callback.mark(session, user_id)
        return True

    def _refused(self, one: Call, single: str, code: int, session: Session) -> None:
        key = (one.delivery.channel_user_id, single)
        callback.unmark(session, key[0])
        if code == NOT_AGREED:
            subscriptions.ended(session, [key], now=self.clock())
        else:
            subscriptions.give_back(session, {key: 1}, now=self.clock())

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

    async def _put_off(self, one: Call, single: str | None = None) -> bool:
        def work(session: Session) -> None:
            if single is not None:
                self._refused(one, single, 0, session)
            callback.put_off(session, one.delivery.channel_user_id, now=self.clock())

        self.metrics.sendings.labels(TEMPLATE, "put_off").inc()
        await self.store.write(work)
        return False


def _note(session: Session, one: Call, error: str | None) -> None:
    if error is None:
        callback.mark(session, one.delivery.channel_user_id)
    else:
        callback.mark_uncallable(session, one.delivery.id, error=error)
