"""One-time codes on the demonstration page. Development only: production does not import this module."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy.orm import Session

from api.deps import ConversationDep, PartsDep
from core.clock import SHANGHAI
from core.code_sender import Sealed, shown_codes
from core.masking import mask_phone

router = APIRouter(include_in_schema=False)
SHOWN_AT_ONCE = 3


class CodeView(BaseModel):
    """A short message as it would have arrived on a telephone."""

    code: str
    phone: str
    sent_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, sealed: Sealed) -> CodeView:
        """Return what the page shows of a code."""
        return cls(
            code=sealed.digits, phone=mask_phone(sealed.phone or ""), sent_at=sealed.sent_at.astimezone(SHANGHAI),
            expires_at=sealed.expires_at.astimezone(SHANGHAI),
        )  # fmt: skip


@router.get("/demo/codes")
async def codes(conversation_id: ConversationDep, parts: PartsDep) -> list[CodeView]:
    """Return the codes of the caller's own conversation that can still be used, the newest first."""
    keyring = parts.settings.keyring()

    def work(session: Session) -> list[Sealed]:
        return shown_codes(session, conversation_id=conversation_id, keyring=keyring, now=parts.clock())

    return [CodeView.of(one) for one in (await parts.store.read(work))[:SHOWN_AT_ONCE]]
