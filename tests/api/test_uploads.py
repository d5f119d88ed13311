"""Photos over HTTP: what is taken, what is refused and with which words, and who sees them."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from bridge_kit import Bridge, Customer, running, settings
from PIL import Image

from core import upload


@pytest.fixture
async def desk(urls: Any, tmp_path: Path) -> AsyncIterator[Bridge]:
    """A bridge that keeps photos in the test's own directory."""
    async with running(settings(*urls, upload_dir=tmp_path / "photos")) as bridge:
        yield bridge


def photo(kind: str = "JPEG", size: tuple[int, int] = (80, 60)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "orange").save(out, kind)
    return out.getvalue()


async def send(customer: Customer, content: Any, media_type: str = "image/jpeg", **headers: str) -> httpx.Response:
    named = {**customer.headers, "Content-Type": media_type, **headers}
    return await customer.http.post("/v1/uploads", content=content, headers=named)


async def taken(customer: Customer, content: bytes | None = None, media_type: str = "image/jpeg") -> str:
    answer = await send(customer, content or photo(), media_type)
    assert answer.status_code == 201, answer.text
    upload_id: str = answer.json()["upload_id"]
    return upload_id


async def test_a_photo_becomes_a_message_and_is_put_to_the_dialogue(desk: Bridge) -> None:
    customer = await desk.customer()
    upload_id = await taken(customer)
    answer = await customer.post(client_id="m1", upload_id=upload_id)
    assert answer.status_code == 200
    asked = desk.rasa.asked[-1]
    assert (asked["payload"], asked["text"]) == (True, f'/inform{{"upload": "{upload_id}"}}')
    own = (await customer.history())["messages"][0]
    assert (own["type"], own["card"], own["text"]) == ("image", {"upload_id": upload_id}, "[图片]")


async def test_the_same_message_again_gets_the_same_answer(desk: Bridge) -> None:
    customer = await desk.customer()
    upload_id = await taken(customer)
    answers = [(await customer.post(client_id="m1", upload_id=upload_id)).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(desk.rasa.asked) == 1


async def test_the_photo_comes_back_as_a_jpeg_that_nothing_caches(desk: Bridge) -> None:
    customer = await desk.customer()
    upload_id = await taken(customer, photo("PNG", (3000, 1500)), "image/png")
    answer = await customer.http.get(f"/v1/uploads/{upload_id}", headers=customer.headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert (answer.headers["cache-control"], answer.headers["x-content-type-options"]) == ("no-store", "nosniff")
    assert Image.open(io.BytesIO(answer.content)).size == (2000, 1000)


async def test_another_conversation_neither_sees_nor_sends_it(desk: Bridge) -> None:
    owner, stranger = await desk.customer(), await desk.customer()
    upload_id = await taken(owner)
    seen = []
    for one in (upload_id, "0" * 32):
        got = await stranger.http.get(f"/v1/uploads/{one}", headers=stranger.headers)
        sent = await stranger.post(client_id=f"m-{one[:4]}", upload_id=one)
        seen.append([(answer.status_code, answer.json()["detail"]) for answer in (got, sent)])
    assert seen[0] == seen[1] == [(404, "没有找到这张图片，请重新发送。")] * 2
    assert (await stranger.history())["messages"] == []
    assert (await desk.http.get(f"/v1/uploads/{upload_id}")).status_code == 401


@pytest.mark.parametrize("upload_id", ["x", "../../etc/passwd", "A" * 500, "%2e%2e%2fbridge.db"])
async def test_an_id_of_another_form_finds_nothing(desk: Bridge, upload_id: str) -> None:
    customer = await desk.customer()
    answer = await customer.http.get(f"/v1/uploads/{upload_id}", headers=customer.headers)
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("content", "media_type", "status", "word"),
    [
        (b"", "image/jpeg", 415, "只能发照片"),
        (b"hello", "image/jpeg", 415, "只能发照片"),
        (photo(), "text/html", 415, "只能发照片"),
        (photo(), "image/heic", 415, "只能发照片"),
        (photo("PNG"), "image/jpeg", 415, "只能发照片"),
        (photo(size=(400, 400))[:900], "image/jpeg", 422, "打不开"),
        (b"\xff\xd8\xff" + b"0" * upload.MAX_BYTES, "image/jpeg", 413, "10MB"),
    ],
)
async def test_what_is_refused_is_refused_in_plain_words(
    desk: Bridge, content: bytes, media_type: str, status: int, word: str
) -> None:
    answer = await send(await desk.customer(), content, media_type)
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert word in problem["detail"]
    assert problem["request_id"]


async def test_a_body_without_a_length_is_cut_off_at_ten_megabytes(desk: Bridge) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += 1_000_000
            yield b"\xff" * 1_000_000

    answer = await send(await desk.customer(), endless())
    assert (answer.status_code, answer.json()["code"]) == (413, "image_too_large")


async def test_text_is_still_limited_as_before(desk: Bridge) -> None:
    customer = await desk.customer()
    answer = await customer.http.post("/v1/messages", content=b"x" * 300_000, headers=customer.headers)
    assert answer.status_code == 413


async def test_without_a_session_nothing_is_taken(desk: Bridge, tmp_path: Path) -> None:
    answer = await desk.http.post("/v1/uploads", content=photo(), headers={"Content-Type": "image/jpeg"})
    assert answer.status_code == 401
    assert not (tmp_path / "photos").exists()


async def test_twenty_photos_are_enough_for_a_conversation(desk: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "MAX_UPLOADS", 3)
    customer = await desk.customer()
    answers = await asyncio.gather(*(send(customer, photo()) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [429] * 3
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert "最多20张" in refused.json()["detail"]
    assert (await send(await desk.customer(), photo())).status_code == 201


@pytest.mark.parametrize(
    "body",
    [{"text": "看", "upload_id": "0" * 32}, {"button_id": "b_1", "upload_id": "0" * 32}, {"upload_id": "../x"}, {}],
)
async def test_a_message_is_one_thing_only(desk: Bridge, body: dict[str, str]) -> None:
    answer = await (await desk.customer()).post(client_id="m1", **body)
    assert answer.status_code == 422


async def test_with_a_person_in_charge_a_photo_is_kept_and_rasa_is_not_asked(desk: Bridge) -> None:
    customer = await desk.customer()
    await customer.say("转人工")
    answer = await customer.post(client_id="m2", upload_id=await taken(customer))
    assert answer.json()["mode"] == "queued"
    assert desk.rasa.asked == []
    kinds = [message["type"] for message in (await customer.history())["messages"] if message["author"] == "customer"]
    assert kinds == ["text", "image"]


async def test_a_photo_that_the_dialogue_failed_on_can_be_tried_again(desk: Bridge) -> None:
    from api.rasa import RasaFailed

    def fail(_text: str) -> Any:
        raise RasaFailed("away")

    good, desk.rasa.answer = desk.rasa.answer, fail
    customer = await desk.customer()
    upload_id = await taken(customer)
    sorry = (await customer.post(client_id="m1", upload_id=upload_id)).json()["messages"][-1]
    desk.rasa.answer = good
    await customer.press(sorry["buttons"][0]["id"])
    assert json.loads(desk.rasa.asked[-1]["text"].removeprefix("/inform")) == {"upload": upload_id}


async def test_the_files_on_disk_are_no_pictures(desk: Bridge, tmp_path: Path) -> None:
    await taken(await desk.customer())
    (file,) = [path for path in (tmp_path / "photos").rglob("*") if path.is_file()]
    assert file.read_bytes().startswith(b"v1.test.")
