"""What an agent says, as a message of the log: a text, a photo, a card, or a button that begins a form."""

from __future__ import annotations

import asyncio
import json
from functools import cache
from http import HTTPStatus
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from api.deps import Parts
from api.desk.access import Signed
from api.desk.cards import CardNotPossible, CardRequest, build_card
from api.desk.errors import DeskProblem
from api.desk.options import options_of
from api.desk.scope import sight_of
from api.schemas import MAX_TEXT, ClientId, UploadId
from core.business import BusinessTable
from core.conversation import Draft
from core.text import clean


class SayRequest(BaseModel):
    """What an agent says: one of text, photo, card and form; `client_id` makes sending it again harmless."""

    model_config = ConfigDict(extra="forbid")

    client_id: ClientId
    text: str | None = None
    upload_id: UploadId | None = None
    card: CardRequest | None = None
    form: str | None = None


@cache
def businesses_of(data_dir: Path) -> BusinessTable:
    """Return the table of businesses, read once."""
    return BusinessTable.load(data_dir / "business")


async def draft_of(conversation_id: str, body: SayRequest, parts: Parts, signed: Signed) -> Draft:
    """Return the message that is meant.

    Raises:
        DeskProblem: if it is not one thing alone, empty, too long, or not to be had.
    """
    if sum(part is not None for part in (body.text, body.upload_id, body.card, body.form)) != 1:
        raise DeskProblem(HTTPStatus.UNPROCESSABLE_ENTITY, "one_content")
    if body.upload_id is not None:
        photo = options_of(parts.settings.data_dir).photo
        return Draft("agent", photo, "image", {"upload_id": body.upload_id})
    if body.card is not None:
        return await _card(conversation_id, body.card, parts, signed)
    if body.form is not None:
        return _form(body.form, parts)
    if len(body.text or "") > MAX_TEXT:
        raise DeskProblem(HTTPStatus.UNPROCESSABLE_ENTITY, "too_long")
    text = clean(body.text or "")
    if not text:
        raise DeskProblem(HTTPStatus.UNPROCESSABLE_ENTITY, "empty")
    return Draft("agent", text)


async def _card(conversation_id: str, wanted: CardRequest, parts: Parts, signed: Signed) -> Draft:
    sight = await parts.store.read(lambda session: sight_of(session, signed, conversation_id, hold=True))
    try:
        return await asyncio.to_thread(build_card, parts, sight.conversation, wanted)
    except CardNotPossible as error:
        raise DeskProblem(HTTPStatus.CONFLICT, "no_card", what=str(error)) from error


def _form(key: str, parts: Parts) -> Draft:
    """Return a message whose button begins a form of the bot's."""
    table, words = businesses_of(parts.settings.data_dir), options_of(parts.settings.data_dir).form
    if key not in table or table.get(key).unavailable:
        raise DeskProblem(HTTPStatus.UNPROCESSABLE_ENTITY, "no_form")
    title = table.get(key).title
    payload = "/inform" + json.dumps({"start": key}, ensure_ascii=False)
    return Draft("agent", words.text.format(title=title), buttons=((words.button.format(title=title), payload),))
