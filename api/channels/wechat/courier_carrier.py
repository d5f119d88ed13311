"""Serves one user: what waits for them is sent, one sending after the other, until nothing is due.

Each is `sending` in a committed transaction before WeChat is called, and what came of it is written after. Of what a
process leaves that dies between the two nobody knows whether it arrived; it is not sent again.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import datetime

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from api.channels.wechat.channel import WeChat
from api.channels.wechat.courier_metrics import CourierMetrics
from api.channels.wechat.courier_outcome import RATE_PAUSE, Outcome, Sending, outcome_of, settle
from api.channels.wechat.courier_plan import Habits, Photo, Shipment, next_shipment
from api.channels.wechat.errors import Verdict, WeChatError, WeChatRefused, WeChatUnreachable
from api.channels.wechat.media import BadMedia
from api.channels.wechat.typing import Typing
from api.deps import Parts
from api.uploads import content_of
from core.channel import deliveries, windows
from core.channel.deliveries import DeliveryChanged, Waiting
from core.channel.tables import ChannelUser
from core.channel.windows import SERVICE
from core.upload import UploadNotFound

log = structlog.get_logger("api.wechat.courier")
ALARM_SECONDS = 60.0  # the same trouble is logged once in so many
ALARMS = (Verdict.CONFIG, Verdict.NOT_ALLOWED, Verdict.RATE, Verdict.TOKEN)
SETTLE_AGAIN_SECONDS = 1.0
PLENTY = 1000
GO_ON = (Outcome.SENT, Outcome.UNKNOWN, Outcome.AGAIN, Outcome.DEAD)


@dataclass(frozen=True)
class Due:
    """What can be sent to a user now, and how many messages may be."""

    openid: str
    items: list[Waiting]
    left: int


class Carrier:
    """Sends; what it learns about the account and its troubles holds for all users."""

    def __init__(self, parts: Parts, wechat: WeChat, metrics: CourierMetrics, typing: Typing) -> None:
        self._parts, self._wechat, self._metrics, self._typing = parts, wechat, metrics, typing
        self._store, self._clock = parts.store, parts.clock
        self._habits = Habits()
        self._paused_until: datetime | None = None
        self._failing = False
        self._alarmed: dict[str, float] = {}

    @property
    def paused(self) -> bool:
        """Tell whether WeChat has asked us to send less: then nobody is served for a while."""
        return self._paused_until is not None and self._clock() < self._paused_until

    async def serve(self, channel_user_id: int) -> None:
        """Send what is due to a user, until nothing is, or something has to wait."""
        while not self.paused and await self._step(channel_user_id):
            pass

    async def _step(self, channel_user_id: int) -> bool:
        """Send once; tell whether to go on."""
        if self._wechat.holds.held(channel_user_id):
            return False  # a request is open that takes along what waits
        due = await self._store.write(lambda session: self._due(session, channel_user_id))
        if due is None:
            return False
        shipment = self._plan(due)
        if shipment is None:
            await self._bury(due.items[0])
            return True
        sending = Sending(channel_user_id, shipment, (), self._clock())
        try:
            shipment = await self._packed(shipment)
        except (WeChatError, BadMedia, UploadNotFound) as error:
            return await self._settle(replace(sending, error=_before_sending(error)))
        if self._wechat.holds.held(channel_user_id):
            return False
        claimed = await self._claim(channel_user_id, shipment)
        if claimed is None or not claimed.taken:
            return claimed is not None
        return await self._settle(await self._send(due.openid, claimed))

    def _due(self, session: Session, channel_user_id: int) -> Due | None:
        user, now = session.get(ChannelUser, channel_user_id), self._clock()
        if user is None or not user.followed:
            deliveries.drop(session, channel_user_id, why="unfollowed")
            return None
        items = deliveries.due(session, channel_user_id, now=now)
        if not items:
            return None
        left = windows.remaining(session, channel_user_id, now)
        if left is None:
            return Due(user.user_id, items, 0)
        usable = PLENTY if left.left is None else left.left
        if deliveries.kind_of(items) not in windows.PRIVILEGED:
            usable -= left.reserved
        return Due(user.user_id, items, usable)

    def _plan(self, due: Due) -> Shipment | None:
        """Return what goes next; None if the first message cannot even be written, which must not stop the others."""
        try:
            return next_shipment(due.items, self._wechat.render, self._habits, left=due.left)
        except Exception as error:
            first = due.items[0].message
            log.error("message_not_writable", conversation=first.conversation_id, seq=first.seq, exc_info=error)
            return None

    async def _bury(self, one: Waiting) -> None:
        now = self._clock()
        await self._store.write(
            lambda session: deliveries.bury(session, [one.delivery.id], now=now, error="not writable")
        )
        self._metrics.sendings.labels(SERVICE, str(Outcome.DEAD)).inc()

    async def _packed(self, shipment: Shipment) -> Shipment:
        """Return a shipment that can be sent: a photo is uploaded before anything is taken from a window."""
        photo: Photo | None = shipment.photo
        if photo is None:
            return shipment
        content = await self._store.read(
            lambda session: content_of(session, self._parts, photo.conversation_id, photo.upload_id)
        )
        media_id = await self._wechat.client.upload("image", "photo.jpg", content, "image/jpeg")
        return replace(shipment, messages=({"msgtype": "image", "image": {"media_id": media_id}},))

    async def _claim(self, channel_user_id: int, shipment: Shipment) -> Sending | None:
        """Return the claimed sending; None: it was parked. One that took nothing has to be planned anew."""
        now = self._clock()
        claimed = Sending(channel_user_id, shipment, (), now)
        try:
            taken = await self._store.write(
                lambda session: deliveries.claim(
                    session, channel_user_id, shipment.chosen, kind=shipment.kind, now=now,
                    times=len(shipment.messages),
                )
            )  # fmt: skip
        except DeliveryChanged:
            return claimed
        if taken is None:
            self._metrics.sendings.labels(SERVICE, "no_window").inc()
            return None
        return replace(claimed, taken=taken)

    async def _send(self, openid: str, sending: Sending) -> Sending:
        self._typing.sent(openid)
        for count, message in enumerate(sending.shipment.messages):
            try:
                await self._wechat.client.send(openid, message)
            except WeChatError as error:
                return replace(sending, sent=count, error=error)
        return replace(sending, sent=len(sending.shipment.messages))

    async def _settle(self, sending: Sending) -> bool:
        outcome, now = outcome_of(sending, self._habits), self._clock()
        await self._write_down(sending, outcome, now)
        self._metrics.sendings.labels(SERVICE, str(outcome)).inc()
        if sending.verdict in ALARMS and outcome is Outcome.PUT_OFF:
            self._alarm(sending)
        if sending.verdict is Verdict.RATE:
            self._paused_until = now + RATE_PAUSE
        if outcome is Outcome.DEAD:
            log.error("delivery_dead", channel_user=sending.channel_user_id, error=str(sending.error))
        await self._note(outcome)
        return outcome in GO_ON

    async def _write_down(self, sending: Sending, outcome: Outcome, now: datetime) -> None:
        """Write down what is known, however long it takes: given up, a refusal would count as perhaps arrived."""
        while True:
            try:
                await self._store.write(lambda session: settle(session, sending, outcome, now=now))
                return
            except (OperationalError, InterfaceError) as error:
                log.error("database_unavailable", loop="courier", error=type(error).__name__)
                await asyncio.sleep(SETTLE_AGAIN_SECONDS)

    async def _note(self, outcome: Outcome) -> None:
        """Note whether WeChat can be reached; when it can be again, nobody waits out a long delay."""
        if outcome is Outcome.PUT_OFF:
            self._failing = True
        elif outcome is Outcome.SENT and self._failing:
            self._failing = False
            now = self._clock()
            await self._store.write(lambda session: deliveries.hurry(session, now=now))

    def _alarm(self, sending: Sending) -> None:
        cause = str(sending.verdict)
        self._metrics.alarms.labels(cause).inc()
        now = time.monotonic()
        if now - self._alarmed.get(cause, -ALARM_SECONDS) >= ALARM_SECONDS:
            self._alarmed[cause] = now
            log.error("wechat_refuses", cause=cause, error=str(sending.error))


def _before_sending(error: Exception) -> WeChatError:
    """Return the trouble with a photo as one of a message that was surely not sent."""
    if isinstance(error, WeChatUnreachable):
        return WeChatUnreachable(False, f"upload: {error.reason}")
    return error if isinstance(error, WeChatError) else WeChatRefused(0, type(error).__name__)
