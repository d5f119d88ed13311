"""Photos of a conversation at the desk: the agent's own go in, and everybody's come out, for who may see it."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from api import uploads
from api.deps import PartsDep
from api.desk.access import AgentDep
from api.desk.errors import DeskRoute
from api.desk.scope import sight_of
from api.schemas import UploadAnswer
from core import upload as photos

router = APIRouter(prefix="/v1/desk/conversations", tags=["desk"], route_class=DeskRoute)


@router.post("/{conversation_id}/uploads", status_code=HTTPStatus.CREATED)
async def take_in(conversation_id: str, request: Request, parts: PartsDep, signed: AgentDep) -> UploadAnswer:
    """Take a photo (JPEG, PNG or WebP as the raw body) for a conversation that the agent has in hand."""

    def room(session: Session) -> None:
        sight_of(session, signed, conversation_id, hold=True)
        photos.check_room(session, conversation_id)

    await parts.store.read(room)
    content = await uploads.read_body(request)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    reading = asyncio.get_running_loop().run_in_executor(uploads.readers, photos.read_picture, content, media_type)
    picture = await reading
    upload = await parts.store.write(lambda session: uploads.keep(session, parts, conversation_id, picture))
    return UploadAnswer(upload_id=upload.id, width=upload.width, height=upload.height)


@router.get(
    "/{conversation_id}/uploads/{upload_id}", response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}},
)  # fmt: skip
async def give_out(conversation_id: str, upload_id: str, parts: PartsDep, signed: AgentDep) -> Response:
    """Return a photo of a conversation as a JPEG."""

    def work(session: Session) -> bytes:
        sight_of(session, signed, conversation_id)
        return uploads.content_of(session, parts, conversation_id, upload_id)

    content = await parts.store.read(work)
    return Response(content, media_type="image/jpeg", headers={"Content-Disposition": "inline"})
