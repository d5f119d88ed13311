from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from courier_kit import NOT_SENT, Floor, Follower, floor_of, refused
from PIL import Image

from api import uploads
from core.upload import read_picture


@pytest.fixture
async def floor(shared_urls: tuple[str, str], tmp_path: Path) -> AsyncIterator[Floor]:
    async with floor_of(shared_urls, upload_dir=tmp_path) as one:
        yield one


def _sends_photo(floor: Floor, someone: Follower) -> None:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), "green").save(file, "PNG")
    picture = read_picture(file.getvalue(), "image/png")
    upload = floor.write(lambda session: uploads.keep(session, floor.parts, someone.conversation_id, picture))
    someone.told(
        "［图片］", "agent", type="image", card={"upload_id": upload.id}, agent_name="小王", agent_id=1
    )  # fmt: skip


async def test_an_agents_photo_is_uploaded_and_sent(floor: Floor) -> None:
    someone = floor.follower()
    someone.writes()
    _sends_photo(floor, someone)
    await floor.work()
    assert floor.client.uploads[0][:2] == b"\xff\xd8"
    assert floor.client.shown == [(someone.openid, {"msgtype": "image", "image": {"media_id": "media1"}})]
    assert (someone.states(), someone.left()) == (["sent"], 4)


async def test_a_photo_that_wechat_has_lost_is_uploaded_once_more_and_not_for_ever(floor: Floor) -> None:
    someone = floor.follower()
    someone.writes()
    _sends_photo(floor, someone)
    _sends_photo(floor, someone)
    floor.client.plan = [refused(40007), None, refused(40007), refused(40007)]
    await floor.work()
    assert (len(floor.client.uploads), someone.states(), someone.left()) == (4, ["sent", "dead"], 4)


@pytest.mark.parametrize("trouble", [NOT_SENT, refused(-1)])
async def test_a_photo_that_cannot_be_uploaded_now_waits_and_takes_nothing(floor: Floor, trouble: object) -> None:
    someone = floor.follower()
    someone.writes()
    _sends_photo(floor, someone)
    floor.client.upload_plan = [trouble]  # type: ignore[list-item]
    await floor.work()
    assert (someone.states(), someone.left(), floor.client.calls) == (["waiting"], 5, 0)
    floor.later(seconds=2)
    await floor.work()
    assert someone.states() == ["sent"]


async def test_a_photo_whose_upload_may_have_arrived_was_not_sent(floor: Floor) -> None:
    from courier_kit import PERHAPS

    someone = floor.follower()
    someone.writes()
    _sends_photo(floor, someone)
    floor.client.upload_plan = [PERHAPS]
    await floor.work()
    assert someone.states() == ["waiting"]


async def test_without_a_window_no_photo_is_uploaded(floor: Floor) -> None:
    someone = floor.follower()
    _sends_photo(floor, someone)
    await floor.work()
    assert (floor.client.uploads, someone.states()) == ([], ["parked"])


async def test_a_photo_that_can_never_be_uploaded_becomes_a_link_and_the_next_goes_on(floor: Floor) -> None:
    someone = floor.follower()
    someone.writes()
    _sends_photo(floor, someone)
    someone.told("照片看到了吗", "agent", agent_name="小王", agent_id=1)
    floor.client.upload_plan = [refused(-1)] * 100
    for _ in range(4):
        await floor.work()
        assert someone.states() == ["waiting"] * 2
        floor.later(seconds=10)
    await floor.work()
    assert someone.states() == ["sent"] * 2
    assert "/wechat/h5#seq=1" in floor.client.texts()[0]
    assert floor.client.texts()[1].endswith("照片看到了吗")
