"""Photos that customers send: fetched from Tencent, which keeps them for three days, and kept as the web's are."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.orm import Session

from api import uploads
from api.channels.wechat.channel import WeChat
from api.channels.wechat.errors import Verdict, WeChatError, WeChatRefused
from api.channels.wechat.intake import draft_of
from api.channels.wechat.media import BadMedia
from api.inbound import Inbound
from core.channel.tables import WECHAT, Push
from core.upload import BrokenImage, NotAnImage, Picture, TooManyUploads, UploadTooLarge, read_picture

if TYPE_CHECKING:
    from api.deps import Parts

log = structlog.get_logger("api.wechat.photos")
PAUSES = (0.0, 1.0, 3.0, 10.0, 30.0, 60.0)  # seconds before each try
_HOPELESS = frozenset({Verdict.MEDIA_GONE, Verdict.REFUSED, Verdict.NOT_ALLOWED})


class PhotoLost(Exception):
    """It cannot be had any more."""


async def with_photo(parts: Parts, wechat: WeChat, conversation_id: str, media_id: str, inbound: Inbound) -> Inbound:
    """Return the message with its photo kept, or with the word that it has to be sent again.

    Raises:
        SQLAlchemyError: if the database is away.
    """
    words = wechat.words
    kept = await parts.store.read(lambda session: _kept(session, inbound.external_id))
    if kept:
        return replace(inbound, upload_id=kept)
    try:
        picture = await _picture(wechat, media_id)
        upload_id = await parts.store.write(
            lambda session: _keep(session, parts, conversation_id, inbound.external_id, picture)
        )
    except (PhotoLost, BadMedia):
        return replace(inbound, answer=draft_of(words.photo_lost))
    except (NotAnImage, BrokenImage):
        return replace(inbound, answer=draft_of(words.photo_type))
    except UploadTooLarge:
        return replace(inbound, answer=draft_of(words.photo_too_large))
    except TooManyUploads:
        return replace(inbound, answer=draft_of(words.photo_too_many))
    return replace(inbound, upload_id=upload_id)


async def _picture(wechat: WeChat, media_id: str) -> Picture:
    """Fetch and read a photo.

    Raises:
        PhotoLost, NotAnImage, BrokenImage, UploadTooLarge: as their names say.
    """
    for pause in PAUSES:
        await asyncio.sleep(pause)
        try:
            media = await wechat.client.download(media_id)
        except WeChatError as error:
            log.warning("photo_not_fetched", error=type(error).__name__)
            if isinstance(error, WeChatRefused) and error.verdict in _HOPELESS:
                raise PhotoLost from error
            continue
        reading = asyncio.get_running_loop().run_in_executor(
            uploads.readers, read_picture, media.data, media.media_type
        )
        return await reading
    raise PhotoLost


def _kept(session: Session, external_id: str) -> str | None:
    push = session.get(Push, (WECHAT, external_id))
    return (push.todo or {}).get("upload_id") if push else None


def _keep(session: Session, parts: Parts, conversation_id: str, external_id: str, picture: Picture) -> str:
    """Keep a photo and note it in the same transaction, so that it is not fetched again after a crash."""
    upload = uploads.keep(session, parts, conversation_id, picture)
    push = session.get(Push, (WECHAT, external_id))
    if push is not None:
        push.todo = {**(push.todo or {}), "upload_id": upload.id}
    return upload.id
