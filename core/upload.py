"""Photos that customers send: read, turned upright, shrunk and written anew without what the camera added.

Only pixels survive: place, time and device (EXIF), and whatever else was hidden in the file, are gone. The picture is
encrypted on disk with the keys of the fields; the row says to which conversation it belongs.
"""

from __future__ import annotations

import base64
import io
import os
import secrets
import shutil
import warnings
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError
from sqlalchemy import String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import BridgeBase, Instant
from core.fields import Keyring

FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
MAX_BYTES, MAX_PIXELS, MAX_SIDE = 10 * 1024 * 1024, 40_000_000, 2000
MAX_UPLOADS = 20  # of one conversation
QUALITY = 85
ID_LENGTH = 32  # hexadecimal digits


class Upload(BridgeBase):
    """One photo of a conversation; its content is a file, see `path_of`."""

    __tablename__ = "uploads"
    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    conversation_id: Mapped[str] = mapped_column(String(36), index=True)
    width: Mapped[int]
    height: Mapped[int]
    size: Mapped[int]  # bytes of the JPEG
    created_at: Mapped[datetime] = mapped_column(Instant)


class UploadTooLarge(Exception):
    """More bytes or pixels than are taken."""


class NotAnImage(Exception):
    """Of a kind that is not taken, or not of the kind that it was said to be."""


class BrokenImage(Exception):
    """The file says that it is an image, but cannot be read to its end."""


class TooManyUploads(Exception):
    """The conversation has as many photos as it may have."""


class UploadNotFound(LookupError):
    """This conversation never sent such a photo, even if another one did."""


@dataclass(frozen=True)
class Picture:
    """A JPEG of our own making."""

    jpeg: bytes
    width: int
    height: int


def read_picture(content: bytes, media_type: str) -> Picture:
    """Return the photo as a JPEG of at most 2000 pixels a side, upright and without metadata.

    Raises:
        UploadTooLarge, NotAnImage, BrokenImage: as their names say.
    """
    if len(content) > MAX_BYTES:
        raise UploadTooLarge
    if media_type not in FORMATS:
        raise NotAnImage
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is lower and comes first
            opened = Image.open(io.BytesIO(content), formats=[FORMATS[media_type]])
            if opened.width * opened.height > MAX_PIXELS:
                raise UploadTooLarge
            return _written_anew(opened)
    except Image.DecompressionBombError:
        raise UploadTooLarge from None
    except UnidentifiedImageError:
        raise NotAnImage from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, OverflowError, MemoryError) as error:
        raise BrokenImage from error  # what Pillow throws at a damaged file is not one class


def check_room(session: Session, conversation_id: str) -> None:
    """Raise `TooManyUploads` if the conversation has `MAX_UPLOADS` photos already."""
    count = select(func.count()).where(Upload.conversation_id == conversation_id)
    if (session.scalar(count) or 0) >= MAX_UPLOADS:
        raise TooManyUploads


def store_upload(
    session: Session, picture: Picture, *, conversation_id: str, directory: Path, keyring: Keyring, now: datetime
) -> Upload:
    """Keep a photo of a conversation and return its row.

    The file is there before the row is committed; a file whose row was rolled back is only dead weight.

    Raises:
        TooManyUploads: if the conversation has `MAX_UPLOADS` already.
    """
    check_room(session, conversation_id)
    upload = Upload(
        id=secrets.token_hex(ID_LENGTH // 2), conversation_id=conversation_id, width=picture.width,
        height=picture.height, size=len(picture.jpeg), created_at=now,
    )  # fmt: skip
    sealed = keyring.encrypt(base64.b64encode(picture.jpeg).decode(), _context(upload.id))
    _write(path_of(upload, directory), sealed.encode())
    session.add(upload)
    session.flush()
    return upload


def find_upload(session: Session, upload_id: str, *, conversation_id: str) -> Upload:
    """Return a photo of this conversation.

    Raises:
        UploadNotFound: if it has none of this id.
    """
    upload = session.get(Upload, upload_id)
    if upload is None or upload.conversation_id != conversation_id:
        raise UploadNotFound(upload_id)
    return upload


def bring_along(session: Session, upload_id: str, *, own: str, home: str, directory: Path, now: datetime) -> None:
    """Let a photo that was sent up and not shown yet go along to where its conversation was joined; it counts from now.

    The file is copied, so that it is where the row says whether or not this is committed; the old one goes with the
    files of its conversation. What is not a photo of `own` stays where it is.

    Raises:
        TooManyUploads: if the conversation has `MAX_UPLOADS` already.
    """
    upload = session.get(Upload, upload_id, with_for_update=True)
    if upload is None or upload.conversation_id != own or not (old := path_of(upload, directory)).exists():
        return
    check_room(session, home)
    sealed = old.read_bytes()
    upload.conversation_id, upload.created_at = home, now
    _write(path_of(upload, directory), sealed)
    session.flush()


def read_upload(upload: Upload, *, directory: Path, keyring: Keyring) -> bytes:
    """Return the JPEG.

    Raises:
        UploadNotFound: if its file is gone.
        UnreadableField: if it was altered or its key is gone.
    """
    try:
        sealed = path_of(upload, directory).read_text(encoding="ascii")
    except FileNotFoundError:
        raise UploadNotFound(upload.id) from None
    return base64.b64decode(keyring.decrypt(sealed, _context(upload.id)))


def erase_uploads(session: Session, *, conversation_id: str, directory: Path) -> int:
    """Erase the photos of a conversation, files first; return how many there were."""
    shutil.rmtree(directory / conversation_id, ignore_errors=True)
    rows = session.scalars(select(Upload).where(Upload.conversation_id == conversation_id)).all()
    for row in rows:
        session.delete(row)
    return len(rows)


def renew_uploads(session: Session, *, directory: Path, keyring: Keyring) -> int:
    """Seal all photos anew that an older key had sealed; return how many. A file that is gone is passed over."""
    renewed = 0
    for upload in session.scalars(select(Upload)):
        path = path_of(upload, directory)
        if not path.exists():
            continue
        sealed = path.read_text(encoding="ascii")
        if not keyring.is_current(sealed):
            fresh = path.with_suffix(f".{secrets.token_hex(4)}")
            _write(fresh, keyring.renew(sealed, _context(upload.id)).encode())
            fresh.replace(path)
            renewed += 1
    return renewed


def path_of(upload: Upload, directory: Path) -> Path:
    """Return where the content of a photo is."""
    return directory / upload.conversation_id / f"{upload.id}.sealed"


def _written_anew(opened: Image.Image) -> Picture:
    opened.draft("RGB", (MAX_SIDE, MAX_SIDE))  # a large JPEG is read at a fraction of its size
    upright = ImageOps.exif_transpose(opened)
    upright.thumbnail((MAX_SIDE, MAX_SIDE))
    plain = Image.new("RGB", upright.size, "white")
    if upright.has_transparency_data:
        with_alpha = upright.convert("RGBA")
        plain.paste(with_alpha, mask=with_alpha.getchannel("A"))
    else:
        plain.paste(upright.convert("RGB"))
    out = io.BytesIO()
    plain.save(out, "JPEG", quality=QUALITY, optimize=True)
    return Picture(out.getvalue(), *plain.size)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def _context(upload_id: str) -> str:
    return f"uploads.content:{upload_id}"
