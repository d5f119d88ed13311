"""The access token: fetched once for all who wait for it, kept until five minutes before its end."""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import datetime, timedelta

from api.channels.wechat.errors import BUSY, WeChatRefused, WeChatUnreachable
from api.channels.wechat.line import Answer, Line, code_of, refusal
from core.clock import Clock

MARGIN = timedelta(minutes=5)  # in which Tencent hands out the next one, and both are good
FORCED_A_DAY, FORCED_APART = 20, timedelta(seconds=30)
_DAY = timedelta(days=1)
_INVALID = 40001


class TokenKeeper:
    """The token of one account (`stable_token`: other processes get the same one)."""

    def __init__(self, appid: str, secret: str, line: Line, clock: Clock) -> None:
        self._appid, self._secret, self._line, self._clock = appid, secret, line, clock
        self._token, self._until = "", datetime.min.replace(tzinfo=clock().tzinfo)
        self._fetching: asyncio.Task[str] | None = None
        self._forced: deque[datetime] = deque()

    async def get(self, stale: str | None = None) -> str:
        """Return the token, another one than `stale`.

        Raises:
            WeChatRefused: if Tencent gives none, or nothing but the stale one.
            WeChatUnreachable: if it does not answer.
        """
        if stale and stale == self._token:
            self._token = ""
        token = self._token if self._token and self._clock() < self._until else await self._shared(stale)
        if token == stale:  # it came from others who fetched and did not know that it is stale
            token = await self._shared(stale)
        if token == stale:
            raise WeChatRefused(_INVALID, "the token is refused and Tencent gives no other")
        return token

    async def _shared(self, stale: str | None) -> str:
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._fetch(stale))
            self._fetching.add_done_callback(_heard)
        return await asyncio.shield(self._fetching)  # one who gives up does not take it from the others

    async def _fetch(self, stale: str | None) -> str:
        answer = await self._ask(force=False)
        if stale and answer.get("access_token") == stale and self._may_force():
            self._forced.append(self._clock())
            answer = await self._ask(force=True)
        token, lasts = answer.get("access_token"), answer.get("expires_in")
        if not isinstance(token, str) or not token or not isinstance(lasts, int):
            raise WeChatUnreachable(False, "no token in the answer")
        if token != stale:
            life = timedelta(seconds=lasts)
            self._token, self._until = token, self._clock() + max(life - MARGIN, life / 2)
        return token

    async def _ask(self, *, force: bool) -> Answer:
        body = {
            "grant_type": "client_credential", "appid": self._appid, "secret": self._secret, "force_refresh": force,
        }  # fmt: skip
        answer: Answer = {"errcode": BUSY}
        for _ in range(2):
            try:
                answer = await self._line.ask("POST", "/cgi-bin/stable_token", body=body)
            except WeChatUnreachable as error:
                # Whatever became of this one: what was meant to be sent with the token was not.
                raise WeChatUnreachable(False, f"token: {error.reason}") from None
            if code_of(answer) != BUSY:
                break
        if code_of(answer):
            raise refusal(answer)
        return answer

    def _may_force(self) -> bool:
        now = self._clock()
        while self._forced and now - self._forced[0] >= _DAY:
            self._forced.popleft()
        return len(self._forced) < FORCED_A_DAY and not (self._forced and now - self._forced[-1] < FORCED_APART)


def _heard(task: asyncio.Task[str]) -> None:
    """Take note of the error, also when everybody who waited has gone."""
    if not task.cancelled():
        task.exception()
