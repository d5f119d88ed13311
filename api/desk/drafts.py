"""Drafts for an answer: what is known in general, and what the bot would have said. Nothing is sent or changed.

The bot is asked in a rehearsal: a dialogue of its own for each draft, whose actions change nothing. It gets four
seconds, and never more than two rehearsals at once, for customers who talk to the bot come first.
"""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import structlog
from fastapi import APIRouter, Query
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.deps import Parts, PartsDep
from api.desk.access import AgentDep
from api.desk.errors import DeskRoute
from api.desk.options import DeskOptions, options_of
from api.desk.redaction import redactor_for
from api.desk.scope import sight_of
from api.desk.views import Understood
from api.fitting import shown_to
from api.rasa import BotTurn, RasaFailed
from core.conversation import Conversation, Message
from core.identity import DRAFT, Identity, issue_identity
from core.knowledge import Knowledge
from core.knowledge_search import KnowledgeSearch
from core.redact import Redactor
from core.text import folded, typed

log = structlog.get_logger("api.desk")
router = APIRouter(prefix="/v1/desk/conversations", tags=["desk"], route_class=DeskRoute)
PATIENCE, AT_ONCE = 4.0, 2  # seconds for a rehearsal, and how many there are at the same time
MAX_TEXT, MOST_KNOWN = 1000, 3
# In a talk with an agent most messages are no questions after knowledge, so fewer and surer pieces are shown than a
# search would: 68 % of them are right in tests/nlu/knowledge_dev.tsv, for 60 % of the questions.
LEAST, SHORTEST = 0.14, 4
_rehearsing = asyncio.Semaphore(AT_ONCE)


class DraftView(BaseModel):
    """Something that could be said; `item` is the id of the piece of knowledge, `score` how well it fits."""

    source: Literal["bot", "knowledge"]
    text: str
    type: str = "text"
    card: dict[str, Any] | None = None
    item: str | None = None
    score: float | None = None


class Drafts(BaseModel):
    """The drafts for the customer's message `seq`; `reason` tells why the bot gave none."""

    seq: int | None
    drafts: list[DraftView]
    understood: Understood | None = None
    reason: str | None = None


@cache
def knowledge_of(data_dir: Path) -> KnowledgeSearch:
    """Return the search over the general knowledge, made once."""
    return KnowledgeSearch(Knowledge.load(data_dir / "knowledge"))


@router.get("/{conversation_id}/drafts")
async def drafts(
    conversation_id: str,
    parts: PartsDep,
    signed: AgentDep,
    seq: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Drafts:
    """Return drafts for a message of the customer, by default the last one."""

    def work(session: Session) -> tuple[Conversation, Message | None]:
        conversation = sight_of(session, signed, conversation_id).conversation
        query = select(Message).where(Message.conversation_id == conversation_id, Message.author == "customer")
        query = query.where(Message.seq == seq) if seq is not None else query.order_by(Message.seq.desc()).limit(1)
        return conversation, session.scalar(query)

    labels = options_of(parts.settings.data_dir)
    conversation, message = await parts.store.read(work)
    if message is None or message.type == "image" or not message.text.strip():
        return Drafts(seq=message.seq if message else None, drafts=[], reason=labels.drafts["no_question"])
    redactor = await redactor_for(parts, conversation)
    known = _known(parts, message.text)
    try:
        turn = await asyncio.wait_for(_rehearse(parts, conversation, message), PATIENCE)
    except (RasaFailed, TimeoutError) as error:
        log.info("rehearsal_failed", conversation=conversation.id, seq=message.seq, error=type(error).__name__)
        return Drafts(seq=message.seq, drafts=known, reason=labels.drafts["bot_away"])
    said, understood = _said(turn, redactor), _understood(turn, labels)
    reason = None if said else labels.drafts["bot_failed"]
    return Drafts(seq=message.seq, drafts=[*said, *known], understood=understood, reason=reason)


def _known(parts: Parts, text: str) -> list[DraftView]:
    """Return pieces of knowledge that may answer; whoever is beside himself or calls for a person asks for none.

    Nor does a word or two, or what is mostly a number (a telephone, an account).
    """
    letters, digits = (sum(map(kind, folded(text))) for kind in (str.isalpha, str.isdigit))
    if letters < max(SHORTEST, digits) or parts.book.rules.is_angry(text) or parts.wording.asks_for_person(text):
        return []
    found = knowledge_of(parts.settings.data_dir).find(text, limit=MOST_KNOWN, least=LEAST)
    return [DraftView(source="knowledge", text=one.item.answer, item=one.item.id, score=one.score) for one in found]


async def _rehearse(parts: Parts, conversation: Conversation, message: Message) -> BotTurn:
    """Ask the bot, in a dialogue that nobody goes on with; raises RasaFailed."""
    now = parts.clock()
    service = await parts.store.read(lambda session: shown_to(parts.book, session, conversation, now=now))
    identity = Identity(
        conversation_id=conversation.id, customer_no=conversation.customer_no, accounts=tuple(conversation.accounts),
        assurance=conversation.assurance_at(now), channel=conversation.channel, assured=conversation.assured_at(now),
        style=service.style, first=service.first,
    )  # fmt: skip
    pressed = message.payload if message.payload and message.payload.startswith("/") else None
    async with _rehearsing:
        return await parts.rasa.turn(
            sender=f"{DRAFT}{conversation.id}.{secrets.token_hex(6)}",
            text=pressed or typed(message.text)[:MAX_TEXT], payload=pressed is not None,
            metadata={
                "identity": issue_identity(parts.settings.identity_key.get_secret_value(), identity, now=now),
                "asked_at": message.at.astimezone(UTC).isoformat(), "channel": conversation.channel, "rehearsal": True,
            },
            within=PATIENCE,
        )  # fmt: skip


def _said(turn: BotTurn, redactor: Redactor) -> list[DraftView]:
    score = (turn.understood or {}).get("confidence")
    confidence = float(score) if isinstance(score, int | float) else None
    return [
        DraftView(
            source="bot", text=redactor.text(one.text), type=one.type, score=confidence,
            card=redactor.tree(one.card) if one.card else None,
        )
        for one in turn.drafts if one.text.strip()
    ]  # fmt: skip


def _understood(turn: BotTurn, labels: DeskOptions) -> Understood | None:
    intent, score = ((turn.understood or {}).get(name) for name in ("intent", "confidence"))
    if not isinstance(intent, str):
        return None
    confidence = float(score) if isinstance(score, int | float) else None
    return Understood(intent=intent, label=labels.intent(intent), confidence=confidence)
