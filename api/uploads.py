"""Photos: `POST /v1/uploads` takes one in, `GET /v1/uploads/{id}` gives it back to the same conversation alone."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from api.deps import ConversationDep, Parts, PartsDep
from api.schemas import UploadAnswer
from core import upload as photos
from core.conversation import find_conversation
from core.upload import MAX_BYTES, Picture, UploadNotFound, UploadTooLarge

router = APIRouter(prefix="/v1/uploads", tags=["web"])

# A large photo takes a second of a core and some hundred megabytes while it is read.
readers = ThreadPoolExecutor(2, "photos")
_BODY = {"content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in photos.FORMATS}}


@router.post("", status_code=HTTPStatus.CREATED, openapi_extra={"requestBody": {"required": True, **_BODY}})
async def take_in(request: Request, conversation_id: ConversationDep, parts: PartsDep) -> UploadAnswer:
    """Take a photo (JPEG, PNG or WebP as the raw body, at most 10 MB and 40 megapixels)."""
    await parts.store.read(lambda session: _room(session, conversation_id))
    content = await read_body(request)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    reading = asyncio.get_running_loop().run_in_executor(readers, photos.read_picture, content, media_type)
    picture = await reading
    upload = await parts.store.write(lambda session: keep(session, parts, conversation_id, picture))
    return UploadAnswer(upload_id=upload.id, width=upload.width, height=upload.height)


@router.get("/{upload_id}", response_class=Response, responses={200: {"content": {"image/jpeg": {}}}})
async def give_back(upload_id: str, conversation_id: ConversationDep, parts: PartsDep) -> Response:
    """Return the photo as a JPEG."""
    content = await parts.store.read(lambda session: content_of(session, parts, conversation_id, upload_id))
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


def keep(session: Session, parts: Parts, conversation_id: str, picture: Picture) -> photos.Upload:
    """Keep a photo of a conversation; raises TooManyUploads."""
    find_conversation(session, conversation_id, lock=True)  # one at a time, or the limit could be passed
    return photos.store_upload(
        session, picture, conversation_id=conversation_id, directory=parts.settings.upload_dir,
        keyring=parts.settings.keyring(), now=parts.clock(),
    )  # fmt: skip


def content_of(session: Session, parts: Parts, conversation_id: str, upload_id: str) -> bytes:
    """Return the JPEG of a photo of this conversation; raises UploadNotFound."""
    if len(upload_id) > photos.ID_LENGTH:
        raise UploadNotFound(upload_id[:40])
    found = photos.find_upload(session, upload_id, conversation_id=conversation_id)
    return photos.read_upload(found, directory=parts.settings.upload_dir, keyring=parts.settings.keyring())
