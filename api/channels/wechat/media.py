"""Pictures, voices and films on their way to and from Tencent, which keeps them for three days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MediaKind = Literal["image", "voice", "video", "thumb"]
MAX_DOWNLOAD = 20 * 1024 * 1024
_MB = 1024 * 1024
# Source: developers.weixin.qq.com, 新增临时素材.
_LIMITS: dict[str, int] = {"image": 10 * _MB, "voice": 2 * _MB, "video": 10 * _MB, "thumb": 64 * 1024}
_ENDINGS: dict[str, dict[str, str]] = {
    "image": {"image/jpeg": "jpg", "image/png": "png", "image/gif": "gif", "image/bmp": "bmp"},
    "voice": {"audio/amr": "amr", "audio/mpeg": "mp3", "audio/mp3": "mp3"},
    "video": {"video/mp4": "mp4"},
    "thumb": {"image/jpeg": "jpg"},
}


class BadMedia(ValueError):
    """A file that Tencent does not take, or that we do not take from there."""


@dataclass(frozen=True, repr=False)
class Media:
    """A file and its media type, without parameters."""

    data: bytes
    media_type: str


def file_name(kind: MediaKind, name: str, data: bytes, media_type: str) -> str:
    """Return the name under which a file is sent.

    Raises:
        BadMedia: if it is empty, too large, or of a type that is not taken.
    """
    if not data:
        raise BadMedia("an empty file")
    if len(data) > _LIMITS[kind]:
        raise BadMedia(f"{kind}: more than {_LIMITS[kind]} bytes")
    ending = _ENDINGS[kind].get(media_type)
    if ending is None:
        raise BadMedia(f"{kind}: not of this type")
    # Tencent reads the kind from the ending, and knows no encoded names.
    stem = "".join(c for c in name.rpartition(".")[0] if c.isascii() and (c.isalnum() or c in "-_"))[:40]
    return f"{stem or 'file'}.{ending}"
