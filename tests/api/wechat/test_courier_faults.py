from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

from courier_kit import NOT_SENT, PERHAPS, Floor, Follower, Trouble, floor_of, refused
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

SURE = [refused(code) for code in (-1, 45015, 45047, 40001, 40164, 45002, 40033, 45009)] + [NOT_SENT]
KINDS = (("bot", {}), ("system", {"type": "notice"}), ("agent", {"agent_name": "小王", "agent_id": 1}))


@dataclass
class Tencent:
    """Counts as WeChat does, and on top of that refuses what it likes."""

    chance: random.Random
    left: dict[str, int] = field(default_factory=dict)
    overdrawn: list[str] = field(default_factory=list)

    def __call__(self, openid: str) -> Trouble:
        if openid not in self.left:
            return refused(43004)  # of an earlier example
        if self.chance.random() < 0.25:
            return self.chance.choice(SURE)
        if not self.left[openid]:
            self.overdrawn.append(openid)
            return refused(45047)
        self.left[openid] -= 1
        return PERHAPS if self.chance.random() < 0.1 else None


async def _play(floor: Floor, chance: random.Random) -> tuple[Tencent, list[Follower], dict[int, list[str]]]:
    tencent = Tencent(chance)
    floor.client.decide = tencent
    users = [floor.follower() for _ in range(3)]
    tencent.left = {user.openid: 0 for user in users}
    said: dict[int, list[str]] = {user.id: [] for user in users}
    for _ in range(25):
        user = chance.choice(users)
        action = chance.random()
        if action < 0.3:
            tencent.left[user.openid] = 5
            user.writes()
        elif action < 0.8:
            author, more = chance.choice(KINDS)
            text = f"〔{user.id}·{len(said[user.id])}〕"
            said[user.id].append(text)
            user.told(text, author, **dict(more))
        await floor.work()
        floor.later(seconds=chance.choice([0, 1, 5, 70, 400]))
    return tencent, users, said


async def _check(urls: tuple[str, str], chance: random.Random) -> None:
    async with floor_of(urls) as floor:
        tencent, users, said = await _play(floor, chance)
        assert tencent.overdrawn == []
        for user in users:
            shown = "".join(floor.client.texts(user.openid))
            rows = user.rows()
            assert [row.seq for row in rows] == sorted(row.seq for row in rows)
            places = [shown.find(text) for text in said[user.id]]
            assert [place for place in places if place >= 0] == sorted(place for place in places if place >= 0)
            for text, row, place in zip(said[user.id], rows, places, strict=True):
                assert shown.count(text) == (place >= 0), text
                assert (row.state == "sent") == (place >= 0), (row.state, row.error, text)
                assert row.state in ("sent", "waiting", "parked", "dead")
            left = user.left()
            assert left is None or left <= tencent.left[user.openid]


@examples(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**9))
def test_whatever_wechat_refuses_nothing_is_doubled_reordered_overdrawn_or_called_sent(
    shared_urls: tuple[str, str], seed: int
) -> None:
    asyncio.run(_check(shared_urls, random.Random(seed)))
