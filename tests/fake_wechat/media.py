"""Temporary media: kept three days."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from tests.fake_wechat.call import Binary, Call, Refused
from tests.fake_wechat.state import World

DAYS3 = 3 * 86400.0
MB = 1 << 20
LIMITS = {"image": 10 * MB, "voice": 2 * MB, "video": 10 * MB, "thumb": 64 << 10}
TOO_LARGE = {"image": 40009, "voice": 40010, "video": 40011, "thumb": 40012}
_IMAGES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM")
NAMES = {"image/jpeg": "jpg", "image/png": "png", "image/gif": "gif", "image/bmp": "bmp", "audio/amr": "amr",
         "audio/mpeg": "mp3", "video/mp4": "mp4"}  # fmt: skip


def silence(seconds: int) -> bytes:
    """Return an AMR file at 8 kHz: its head, and fifty frames without sound a second."""
    return b"#!AMR\n" + b"\x7c" * 50 * seconds


@dataclass(slots=True)
class Stored:
    kind: str
    data: bytes
    media_type: str
    until: float


class Media:
    """All files by id."""

    def __init__(self) -> None:
        self._files: dict[str, Stored] = {}

    def put(self, kind: str, data: bytes, media_type: str, now: float) -> str:
        media_id = secrets.token_urlsafe(48)
        self._files[media_id] = Stored(kind, data, media_type, now + DAYS3)
        return media_id

    def get(self, media_id: object, now: float) -> Stored | None:
        stored = self._files.get(media_id) if isinstance(media_id, str) else None
        return stored if stored and stored.until > now else None

    def forget(self, media_id: str) -> bool:
        return self._files.pop(media_id, None) is not None

    def need(self, media_id: object, now: float) -> Stored:
        """Return the file.

        Raises:
            Refused: 40007.
        """
        if (stored := self.get(media_id, now)) is None:
            raise Refused(40007, "invalid media_id")
        return stored


def sniff(data: bytes) -> str | None:
    """Return an image's media type by its first bytes."""
    kinds = dict(zip(_IMAGES, ("image/jpeg", "image/png", "image/gif", "image/bmp"), strict=True))
    return next((kind for head, kind in kinds.items() if data.startswith(head)), None)


def upload(world: World, call: Call) -> dict[str, Any]:
    kind = call.query.get("type", "")
    if kind not in LIMITS:
        raise Refused(40004, "invalid media type")
    data, media_type = _file(call)
    if not data:
        raise Refused(44001, "empty media data")
    if len(data) > LIMITS[kind]:
        raise Refused(TOO_LARGE[kind], f"invalid {kind} size")
    if kind in {"image", "thumb"}:
        found = sniff(data)
        if found is None:
            raise Refused(40005, "invalid file type")
        media_type = found
    media_id = world.media.put(kind, data, media_type, world.now())
    return {"type": kind, "media_id": media_id, "created_at": int(world.now()), "item": []}


def download(world: World, call: Call) -> Binary:
    stored = world.media.need(call.query.get("media_id"), world.now())
    return Binary(
        stored.data, stored.media_type, f"{call.query['media_id'][:12]}.{NAMES.get(stored.media_type, 'bin')}"
    )


def _file(call: Call) -> tuple[bytes, str]:
    """Return the first part named `media` of a form with files."""
    head, _, boundary = call.headers.get("content-type", "").partition("boundary=")
    if not head.startswith("multipart/form-data") or not boundary:
        raise Refused(41005, "media data missing")
    mark = b"--" + boundary.strip('"').encode()
    for part in call.body.split(mark)[1:-1]:
        described, found, data = part.partition(b"\r\n\r\n")
        lines = [line.strip() for line in described.decode("utf-8", "replace").splitlines() if line.strip()]
        named = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        disposition = named.get("content-disposition", "")
        if found and 'name="media"' in disposition and "filename" in disposition:
            return data.removesuffix(b"\r\n"), named.get("content-type", "application/octet-stream")
    raise Refused(41005, "media data missing")
