"""Photos: what is taken, that nothing but pixels survives, and that they are kept apart and unreadable on disk."""

from __future__ import annotations

import io
import stat
import struct
import zlib
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from PIL import ExifTags, Image

from core import upload
from core.clock import SHANGHAI
from core.db import Database
from core.fields import Keyring, UnreadableField, new_key
from core.migrations import upgrade
from core.upload import (
    MAX_BYTES,
    MAX_UPLOADS,
    BrokenImage,
    NotAnImage,
    Picture,
    TooManyUploads,
    UploadNotFound,
    UploadTooLarge,
    erase_uploads,
    find_upload,
    path_of,
    read_picture,
    read_upload,
    renew_uploads,
    store_upload,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import NewUrl

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=SHANGHAI)


@pytest.fixture(params=["sqlite", "postgresql"])
def bridge(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Database]:
    """An empty, migrated bridge database."""
    database = Database(new_url(request.param, tmp_path))
    upgrade("bridge", database)
    yield database
    database.dispose()


def photo(kind: str = "JPEG", size: tuple[int, int] = (60, 40), mode: str = "RGB", **more: Any) -> bytes:
    image = Image.new(mode, size, (200, 30, 30, 255)[: len(mode)] if mode.startswith("RGB") else 90)
    out = io.BytesIO()
    image.save(out, kind, **more)
    return out.getvalue()


def opened(picture: Picture) -> Image.Image:
    image = Image.open(io.BytesIO(picture.jpeg))
    image.load()
    return image


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_each_kind_of_photo_becomes_a_jpeg(kind: str) -> None:
    picture = read_picture(photo(kind), f"image/{kind.lower()}")
    image = opened(picture)
    assert (image.format, image.size, image.mode) == ("JPEG", (60, 40), "RGB")
    assert (picture.width, picture.height) == (60, 40)
    red, green, blue = image.getpixel((30, 20))  # type: ignore[misc]  # an RGB pixel is three numbers
    assert red > 180
    assert green < 60
    assert blue < 60


def test_place_and_device_are_gone_and_the_photo_stands_upright() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Model] = "Hua Mi 9 of Mrs Li"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (30.0, 35.0, 1.0)
    content = photo(size=(60, 40), exif=exif, comment=b"a secret")
    assert b"Hua Mi 9" in content
    assert b"a secret" in content
    picture = read_picture(content, "image/jpeg")
    assert (picture.width, picture.height) == (40, 60)
    assert not opened(picture).getexif()
    assert b"Hua Mi 9" not in picture.jpeg
    assert b"a secret" not in picture.jpeg
    assert b"Exif" not in picture.jpeg


def test_what_hangs_behind_the_image_is_gone() -> None:
    picture = read_picture(photo("PNG") + b"<script>alert(1)</script>", "image/png")
    assert b"script" not in picture.jpeg


@pytest.mark.parametrize("size", [(4000, 1000), (1000, 4000), (2001, 2001)])
def test_a_large_photo_is_shrunk_to_2000_pixels(size: tuple[int, int]) -> None:
    picture = read_picture(photo(size=size), "image/jpeg")
    assert max(picture.width, picture.height) == 2000
    assert abs(picture.width / picture.height - size[0] / size[1]) < 0.01


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "1", "I;16"])
def test_every_kind_of_colour_can_be_read(mode: str) -> None:
    image = Image.new("L", (20, 20), 120).convert(mode) if mode != "I;16" else Image.new("I;16", (20, 20), 30000)
    out = io.BytesIO()
    image.save(out, "PNG")
    assert read_picture(out.getvalue(), "image/png").width == 20


def test_what_shines_through_becomes_white() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(out, "PNG")
    assert min(opened(read_picture(out.getvalue(), "image/png")).getpixel((5, 5))) > 250  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"", "image/jpeg"), (b"%PDF-1.7 ...", "image/jpeg"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/png"),
        (photo("PNG"), "image/jpeg"), (photo("GIF", mode="P"), "image/gif"), (photo(), "image/heic"),
        (photo(), "text/html"), (photo(), ""), (photo("TIFF"), "image/tiff"),
    ],
)  # fmt: skip
def test_what_is_no_photo_of_a_known_kind_is_refused(content: bytes, media_type: str) -> None:
    with pytest.raises(NotAnImage):
        read_picture(content, media_type)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_photo_that_was_cut_off_is_broken(kind: str) -> None:
    whole = photo(kind, size=(300, 300))
    with pytest.raises((BrokenImage, NotAnImage)):
        read_picture(whole[: len(whole) // 2], f"image/{kind.lower()}")


def test_too_many_bytes_or_pixels_are_refused() -> None:
    with pytest.raises(UploadTooLarge):
        read_picture(b"\xff" * (MAX_BYTES + 1), "image/jpeg")
    for side in (6400, 60000):
        with pytest.raises(UploadTooLarge):
            read_picture(bomb(side), "image/png")


def bomb(side: int) -> bytes:
    """Return a small PNG that says of itself that it is enormous."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 5000)) + chunk(b"IEND", b"")
    )


def test_a_photo_comes_back_to_its_conversation_alone(bridge: Database, keyring: Keyring, tmp_path: Path) -> None:
    picture = read_picture(photo(), "image/jpeg")
    with bridge.transaction() as session:
        kept = store_upload(
            session, picture, conversation_id="c1", directory=tmp_path, keyring=keyring, now=NOW
        )  # fmt: skip
    with bridge.reading() as session:
        found = find_upload(session, kept.id, conversation_id="c1")
        assert read_upload(found, directory=tmp_path, keyring=keyring) == picture.jpeg
        for upload_id, conversation_id in ((kept.id, "c2"), ("0" * 32, "c1")):
            with pytest.raises(UploadNotFound):
                find_upload(session, upload_id, conversation_id=conversation_id)


def test_the_file_is_sealed_and_for_its_owner_alone(bridge: Database, keyring: Keyring, tmp_path: Path) -> None:
    picture = read_picture(photo(), "image/jpeg")
    with bridge.transaction() as session:
        one, two = (
            store_upload(
                session, picture, conversation_id="c1", directory=tmp_path / "photos", keyring=keyring, now=NOW
            )
            for _ in range(2)
        )
    path = path_of(one, tmp_path / "photos")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert b"JFIF" not in path.read_bytes()
    path.write_bytes(path_of(two, tmp_path / "photos").read_bytes())
    with pytest.raises(UnreadableField):
        read_upload(one, directory=tmp_path / "photos", keyring=keyring)


def test_a_conversation_has_room_for_twenty_photos(
    bridge: Database, keyring: Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_UPLOADS == 20
    monkeypatch.setattr(upload, "MAX_UPLOADS", 2)
    picture = read_picture(photo(), "image/jpeg")

    def keep(conversation_id: str) -> None:
        with bridge.transaction() as session:
            store_upload(
                session, picture, conversation_id=conversation_id, directory=tmp_path, keyring=keyring, now=NOW
            )  # fmt: skip

    for conversation_id in ("c1", "c1", "c2"):
        keep(conversation_id)
    with pytest.raises(TooManyUploads):
        keep("c1")


def test_the_photos_of_a_conversation_can_be_erased(bridge: Database, keyring: Keyring, tmp_path: Path) -> None:
    picture = read_picture(photo(), "image/jpeg")
    with bridge.transaction() as session:
        one, other = (
            store_upload(session, picture, conversation_id=name, directory=tmp_path, keyring=keyring, now=NOW)
            for name in ("c1", "c2")
        )
        assert erase_uploads(session, conversation_id="c1", directory=tmp_path) == 1
    assert not path_of(one, tmp_path).exists()
    assert path_of(other, tmp_path).exists()
    with bridge.reading() as session, pytest.raises(UploadNotFound):
        find_upload(session, one.id, conversation_id="c1")


def test_photos_are_sealed_anew_under_a_new_key(bridge: Database, keyring: Keyring, tmp_path: Path) -> None:
    picture = read_picture(photo(), "image/jpeg")
    with bridge.transaction() as session:
        kept = store_upload(session, picture, conversation_id="c1", directory=tmp_path, keyring=keyring, now=NOW)
    newer = Keyring.parse(f"newer:{new_key()}", new_key())
    both = replace(newer, keys={**newer.keys, **keyring.keys})
    with bridge.reading() as session:
        assert [renew_uploads(session, directory=tmp_path, keyring=both) for _ in range(2)] == [1, 0]
    assert read_upload(kept, directory=tmp_path, keyring=newer) == picture.jpeg
    assert [path.name for path in path_of(kept, tmp_path).parent.iterdir()] == [f"{kept.id}.sealed"]
