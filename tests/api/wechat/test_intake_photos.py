"""Photos that a WeChat user sends: fetched in time, kept, asked for again."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest
from channel_kit import Phone, account
from fake_api import FakeApi
from PIL import Image
from starlette.responses import Response

from api.channels.wechat import photos, sweep
from api.channels.wechat.photos import PAUSES
from core.upload import Upload, read_upload

MEDIA = "/cgi-bin/media/get"


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), "green").save(out, "JPEG")
    return out.getvalue()


def jpeg(content: bytes | None = None, media_type: str = "image/jpeg") -> Response:
    return Response(content or picture(), media_type=media_type)


async def test_a_photo_is_fetched_kept_and_shown_to_the_dialogue(start_account: Any, tmp_path: Any) -> None:
    api = FakeApi()
    api.next(MEDIA, jpeg())
    async with start_account(api=api, upload_dir=tmp_path) as bridge:
        phone = Phone(bridge)
        await phone.push(phone.fields("image", PicUrl="http://x.cn", MediaId="MEDIA9"))
        shown = phone.log[0]
        assert (shown.type, shown.text) == ("image", "[图片]")
        assert bridge.rasa.asked[0]["text"] == f'/inform{{"upload": "{shown.card["upload_id"]}"}}'
        assert api.calls(MEDIA)[0].params["media_id"] == "MEDIA9"
        with bridge.parts.bridge.reading() as session:
            upload = session.get(Upload, shown.card["upload_id"])
            settings = bridge.parts.settings
            assert read_upload(upload, directory=tmp_path, keyring=settings.keyring()).startswith(b"\xff\xd8")
        assert phone.pushes[0].todo is None


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        ({"errcode": 40007, "errmsg": "invalid media_id"}, "photo_lost"),
        (Response(b"GIF89a" + b"0" * 50, media_type="image/gif"), "photo_type"),
        (Response(b"\xff\xd8\xff\xe0broken", media_type="image/jpeg"), "photo_type"),
    ],
)
async def test_a_photo_that_cannot_be_had_is_asked_for_again(
    sqlite_urls: Any, tmp_path: Any, answer: Any, word: str
) -> None:
    api = FakeApi()
    api.next(MEDIA, answer)
    async with account(sqlite_urls, api=api, upload_dir=tmp_path) as bridge:
        phone = Phone(bridge)
        heard = await phone.push(phone.fields("image", MediaId="MEDIA9"))
        assert heard.text == getattr(bridge.parts.wechat.words, word)
        assert phone.said[0] == ("customer", "[图片]")
        assert phone.pushes[0].todo is None


async def test_a_photo_that_comes_late_does_not_delay_the_answer_beyond_its_time(
    start_account: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from api.channels.wechat import passive as answers

    monkeypatch.setattr(answers, "ANSWER_WITHIN", 0.5)
    api, gate = FakeApi(), asyncio.Event()
    async with start_account(api=api, upload_dir=tmp_path) as bridge:
        real = bridge.parts.wechat.client.download

        async def download(media_id: str) -> Any:
            await gate.wait()
            return await real(media_id)

        bridge.parts.wechat.client.download = download
        api.next(MEDIA, jpeg())
        phone = Phone(bridge)
        heard = await phone.push(phone.fields("image", MediaId="MEDIA9"))
        assert heard.body == b"success"
        assert phone.log == []
        gate.set()
        async with asyncio.timeout(5):
            while len(phone.log) < 2:
                await asyncio.sleep(0.05)
        assert phone.states == [("waiting", None)]


async def test_a_photo_whose_fetching_was_cut_off_is_taken_up_after_the_start(urls: Any, tmp_path: Any) -> None:
    async with account(urls, upload_dir=tmp_path) as bridge:
        phone = Phone(bridge)

        async def killed(*_: Any) -> None:
            raise asyncio.CancelledError

        bridge.parts.wechat.client.download = killed
        await phone.push(phone.fields("image", MediaId="MEDIA9"))
        assert phone.pushes[0].todo == {"media_id": "MEDIA9"}
    api = FakeApi()
    api.next(MEDIA, jpeg())
    async with account(urls, api=api, upload_dir=tmp_path) as other:
        again = Phone(other, openid=phone.openid)
        assert await sweep.resume(other.parts, other.parts.wechat) == 1
        await other.parts.wechat.flights.land(5)
        assert [one.type for one in again.log] == ["image", "text"]
        assert again.pushes[0].todo is None
        assert await sweep.resume(other.parts, other.parts.wechat) == 0


async def test_tencent_away_is_asked_again_for_a_photo(
    sqlite_urls: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photos, "PAUSES", (0.0,) * len(PAUSES))
    api = FakeApi()
    api.next(MEDIA, Response(status_code=502), Response(status_code=502), jpeg())
    async with account(sqlite_urls, api=api, upload_dir=tmp_path) as bridge:
        phone = Phone(bridge)
        await phone.push(phone.fields("image", MediaId="MEDIA9"))
        assert phone.log[0].type == "image"
