"""Pushes as Tencent's server does: signed, three modes, two forms, five seconds a try, three tries, then the notice."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import time
from collections import deque

import httpx

from tests.fake_wechat.answers import Reply, judge
from tests.fake_wechat.crypto import Crypto, signature
from tests.fake_wechat.form import BadAnswer, Fields, to_json, to_xml
from tests.fake_wechat.pushes import Fate, Plan, Push, Try
from tests.fake_wechat.state import KEPT, NOTICE, User, World

GRANTS = {"subscribe": "follow", "SCAN": "scan", "CLICK": "tap", "scancode_waitmsg": "tap", "scancode_push": "tap"}
# Nothing of an answer to these is shown.
QUIET = {
    "unsubscribe", "VIEW", "LOCATION", "TEMPLATESENDJOBFINISH", "view_miniprogram", "subscribe_msg_popup_event",
    "subscribe_msg_change_event", "subscribe_msg_sent_event",
}  # fmt: skip


class Pusher:
    """Sends pushes, each in a task of its own."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._msg_id = int(time.time() * 1000) * 10_000
        self._tasks: set[asyncio.Task[None]] = set()
        self._events = 0
        self._next: dict[str, asyncio.Event] = {}  # openid -> set when the next push has gone out
        self._http: httpx.AsyncClient | None = None
        self.pushes: deque[Push] = deque(maxlen=KEPT)
        self.set_plan(Plan())

    def set_plan(self, plan: Plan) -> None:
        self.plan, self._random = plan, random.Random(plan.seed)

    @property
    def under_way(self) -> int:
        return len(self._tasks)

    def forget(self) -> None:
        """End all that is under way."""
        for task in self._tasks:
            task.cancel()

    def message(self, openid: str, kind: str, fields: Fields, *, cause: str = "message") -> Push:
        """Push an ordinary message; it grants five messages of customer service, or three when it was a tap."""
        world = self._world
        self._msg_id += random.randrange(1, 1000)
        world.quotas.grant(openid, cause, world.now())
        world.users[openid].last_contact = world.now()
        base = {"ToUserName": world.settings.account, "FromUserName": openid, "CreateTime": int(world.now()),
                "MsgType": kind}  # fmt: skip
        return self._start(openid, str(self._msg_id), {**base, **fields, "MsgId": self._msg_id})

    def event(self, openid: str, fields: Fields) -> Push:
        """Push an event; `fields` has its `Event`."""
        world, name = self._world, fields["Event"]
        if name in GRANTS:
            world.quotas.grant(openid, GRANTS[name], world.now())
            world.users[openid].last_contact = world.now()
        self._events += 1
        base = {"ToUserName": world.settings.account, "FromUserName": openid, "CreateTime": int(world.now()),
                "MsgType": "event"}  # fmt: skip
        return self._start(openid, f"event-{self._events}", {**base, **fields})

    def again(self, push: Push) -> Push:
        """Push one that is over once more, as a server that lost count does."""
        return self._start(push.openid, f"{push.id}-again", push.fields)

    async def wait_idle(self, timeout: float) -> bool:
        """Tell whether nothing is under way within that time."""
        end = time.monotonic() + timeout
        while self._tasks and time.monotonic() < end:
            await asyncio.wait(set(self._tasks), timeout=max(0.0, end - time.monotonic()))
        return not self._tasks

    def signed(self, fields: Fields) -> tuple[dict[str, str], bytes]:
        """Return the query and the body of one try."""
        settings = self._world.settings
        mode, written = settings.manner(fields["FromUserName"])
        form = to_json if written == "json" else to_xml
        at = int(self._world.now() if settings.sign_with_offset else time.time())
        stamp, nonce = str(at), str(secrets.randbelow(10**10))
        query = {"signature": signature(settings.token, stamp, nonce), "timestamp": stamp, "nonce": nonce,
                 "openid": fields["FromUserName"]}  # fmt: skip
        plain = form(fields)
        if mode == "plain":
            return query, plain.encode()
        sealed = Crypto(settings.aes_key, settings.appid).encrypt(plain)
        query |= {"encrypt_type": "aes", "msg_signature": signature(settings.token, stamp, nonce, sealed)}
        outer = dict(fields) if mode == "compatible" else {"ToUserName": settings.account}
        return query, form({**outer, "Encrypt": sealed}).encode()

    async def check_url(self) -> tuple[bool, int, str]:
        """Send the GET with which the operator's address is verified; tell whether the answer was right."""
        settings, echo = self._world.settings, str(secrets.randbelow(10**19))
        stamp, nonce = str(int(time.time())), str(secrets.randbelow(10**10))
        query = {"signature": signature(settings.token, stamp, nonce), "timestamp": stamp, "nonce": nonce,
                 "echostr": echo}  # fmt: skip
        try:
            answer = await self._client().get(settings.push_url, params=query, timeout=settings.timeout)
        except httpx.HTTPError as error:
            return False, 0, repr(error)
        return answer.status_code == httpx.codes.OK and answer.text == echo, answer.status_code, answer.text[:200]

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:  # a connection for each try, and as many as it takes
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
            self._http = httpx.AsyncClient(trust_env=False, verify=False, limits=limits, timeout=None)
        return self._http

    def _start(self, openid: str, push_id: str, fields: Fields) -> Push:
        push = Push(push_id, openid, fields, self._fate())
        self.pushes.append(push)
        if not self._world.settings.push_url:
            push.outcome = "dropped"
            push.done.set()
            return push
        went = asyncio.Event()
        before, self._next[openid] = self._next.get(openid), went
        task = asyncio.create_task(self._run(push, went, before))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return push

    def _fate(self) -> Fate:
        plan, draw = self.plan, self._random
        delay = draw.uniform(*plan.delay)
        duplicate = draw.choice(("during", "after")) if draw.random() < plan.duplicate else ""
        swap = draw.random() < plan.swap
        cuts = [draw.uniform(0, plan.hang_up_within) if draw.random() < plan.hang_up else None for _ in range(3)]
        return Fate(delay, duplicate, swap, cuts)

    async def _run(self, push: Push, went: asyncio.Event, before: asyncio.Event | None) -> None:
        try:
            await asyncio.sleep(push.fate.delay)
            if push.fate.swap:
                await self._let_next_pass(push.openid, went)
            if before is not None:
                before.set()
            second = None
            if push.fate.duplicate == "during":
                second = asyncio.create_task(self._again(push))
            await self._tries(push)
            if push.fate.duplicate == "after":
                second = asyncio.create_task(self._again(push))
            if second is not None:
                await second
        finally:
            went.set()
            push.done.set()
            self._world.stir()

    async def _let_next_pass(self, openid: str, mine: asyncio.Event) -> None:
        """Wait for the user's next push; it sets our event when it goes out."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(mine.wait(), 1.0)

    async def _again(self, push: Push) -> None:
        await asyncio.sleep(0.05)
        await self._attempt(push, None, duplicate=True)

    async def _tries(self, push: Push) -> None:
        settings = self._world.settings
        for number in range(settings.tries):
            began = time.monotonic()
            if await self._attempt(push, push.fate.hang_up[number] if number < 3 else None):
                return
            if number + 1 < settings.tries:
                await asyncio.sleep(max(0.0, began + settings.pace - time.monotonic()))
        self._fail(push, f"{settings.tries} tries: {', '.join(one.result for one in push.tries)}")

    async def _attempt(self, push: Push, cut: float | None, *, duplicate: bool = False) -> bool:
        """Try once; tell whether the push is over with that."""
        began, limit = time.monotonic(), self._world.settings.timeout
        body: bytes | None = None
        try:
            async with asyncio.timeout(limit if cut is None else min(cut, limit)):
                result, body = await self._post(push)
        except TimeoutError:
            result = "timeout" if cut is None else "cut"
        except httpx.ConnectError:
            result = "refused"
        except (httpx.HTTPError, AttributeError):  # anyio asks a connection that is gone already for its peer's name
            result = "reset"
        self._world.counters["push.tries"] += 1
        push.tries.append(
            Try(self._world.now() - (time.monotonic() - began), time.monotonic() - began, result, duplicate)
        )
        if body is None:
            return False
        self._take(push, body, push.tries[-1])
        return True

    async def _post(self, push: Push) -> tuple[str, bytes | None]:
        query, body = self.signed(push.fields)
        kind = "application/json" if self._world.settings.manner(push.openid)[1] == "json" else "text/xml"
        answer = await self._client().post(
            self._world.settings.push_url, params=query, content=body,
            headers={"content-type": kind, "user-agent": "Mozilla/4.0", "connection": "close"},
        )  # fmt: skip
        if answer.status_code != httpx.codes.OK:
            return f"status {answer.status_code}", None
        return "success", answer.content

    def _take(self, push: Push, body: bytes, one: Try) -> None:
        world = self._world
        try:
            reply = judge(world, push.openid, body)
        except BadAnswer as error:
            one.result = "garbage"
            self._fail(push, str(error))
            return
        if reply is None:
            push.outcome = push.outcome or "success"
            return
        one.result = "reply"
        self._show(push, reply, world.users[push.openid])

    def _show(self, push: Push, reply: Reply, user: User) -> None:
        world = self._world
        if push.outcome == "passive":  # Tencent shows one answer to one message
            world.counters["passive.doubled"] += 1
            return
        if push.fields.get("Event") in QUIET or not user.following:
            push.outcome = push.outcome or "success"
            world.refuse("passive", None, "nothing is shown to this event, or to somebody who has left", push.openid)
            return
        push.outcome = "passive"
        world.counters["passive.sealed" if reply.sealed else "passive.plain"] += 1
        push.shown = world.show(push.openid, "passive", reply.type, reply.content, push.id).n

    def _fail(self, push: Push, why: str) -> None:
        world = self._world
        if push.outcome:
            return
        push.why = why
        world.refuse("passive", None, why, push.openid, push.id)
        if push.fields.get("Event") in QUIET:
            push.outcome = "dropped"
            return
        push.outcome = "notice"
        push.shown = world.show(push.openid, "notice", "text", {"content": NOTICE}, push.id).n
