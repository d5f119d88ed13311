"""Photos: `POST /v1/uploads` takes one in, `GET /v1/uploads/{id}` gives it back to who may read what it belongs to.

That is the conversation in which the holder of the token sits now, from where on they may read it; what was shown over
the site and the app before that was joined is for logins and who showed it, never for WeChat.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from api.channels.seats import SeatDep, earlier_for, look, placed
from api.deps import Parts, PartsDep
from api.schemas import UploadAnswer
from core import upload as photos
from core.conversation import find_conversation
from core.identity import Seat
from core.upload import MAX_BYTES, Picture, UploadNotFound, UploadTooLarge

router = APIRouter(prefix="/v1/uploads", tags=["web"])

# A large photo takes a second of a core and some hundred megabytes while it is read.
readers = ThreadPoolExecutor(2, "photos")
_BODY = {"content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in photos.FORMATS}}


@router.post("", status_code=HTTPStatus.CREATED, openapi_extra={"requestBody": {"required": True, **_BODY}})
async def take_in(request: Request, seat: SeatDep, parts: PartsDep) -> UploadAnswer:
    """Take a photo (JPEG, PNG or WebP as the raw body, at most 10 MB and 40 megapixels)."""
    conversation_id = (await placed(parts, seat)).id
    await parts.store.read(lambda session: _room(session, conversation_id))
    content = await read_body(request)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    reading = asyncio.get_running_loop().run_in_executor(readers, photos.read_picture, content, media_type)
    picture = await reading
    upload = await parts.store.write(lambda session: keep(session, parts, conversation_id, picture))
    return UploadAnswer(upload_id=upload.id, width=upload.width, height=upload.height)


@router.get("/{upload_id}", response_class=Response, responses={200: {"content": {"image/jpeg": {}}}})
async def give_back(upload_id: str, seat: SeatDep, parts: PartsDep) -> Response:
    """Return the photo as a JPEG."""

    def work(session: Session) -> bytes:
        return content_of(session, parts, _talk_of(session, seat, upload_id), upload_id)

    content = await parts.store.read(work)
    return Response(content, media_type="image/jpeg", headers={"Content-Disposition": "inline"})


async def read_body(request: Request) -> bytes:
    """Return the body of a request; raises UploadTooLarge as soon as it is."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > MAX_BYTES:
        raise UploadTooLarge
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > MAX_BYTES:
            raise UploadTooLarge
    return bytes(content)


def _room(session: Session, conversation_id: str) -> None:
    """Refuse before the photo is read what would be refused afterwards."""
    find_conversation(session, conversation_id)
    photos.check_room(session, conversation_id)


def _talk_of(session: Session, seat: Seat, upload_id: str) -> str:
    """Return in which conversation a photo was shown that the holder of a seat may see; raises UploadNotFound."""
    place = look(session, seat)
    shown = session.get(photos.Upload, upload_id[: photos.ID_LENGTH])
    if shown is None:
        raise UploadNotFound(upload_id[:40])
    began = find_conversation(session, seat.conversation_id, exact=True)
    if shown.conversation_id == place.id:
        since = began.joined_at if seat.claim is None and seat.user_id is None else None
        if since is None or shown.created_at >= since:
            return place.id
    elif seat.user_id is None and any(one.id == shown.conversation_id for one in earlier_for(session, seat, place)):
        return shown.conversation_id
    raise UploadNotFound(upload_id[:40])


def keep(session: Session, parts: Parts, conversation_id: str, picture: Picture) -> photos.Upload:
    """Keep a photo of a conversation; raises TooManyUploads."""
    # One at a time, or the limit could be passed; it may have been joined to another one while the photo was read.
    conversation = find_conversation(session, conversation_id, lock=True)
    return photos.store_upload(
        session, picture, conversation_id=conversation.id, directory=parts.settings.upload_dir,
        keyring=parts.settings.keyring(), now=parts.clock(),
    )  # fmt: skip


def content_of(session: Session, parts: Parts, conversation_id: str, upload_id: str) -> bytes:
    """Return the JPEG of a photo of this conversation; raises UploadNotFound."""
    if len(upload_id) > photos.ID_LENGTH:
        raise UploadNotFound(upload_id[:40])
    found = photos.find_upload(session, upload_id, conversation_id=conversation_id)
    return photos.read_upload(found, directory=parts.settings.upload_dir, keyring=parts.settings.keyring())
