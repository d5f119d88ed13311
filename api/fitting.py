"""Service fitted to whom a conversation belongs to, as the bridge asks for it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from core.conversation import Conversation
from core.fitting import NOBODY, Service
from core.handoff.book import Book


def fitted(book: Book, session: Session, conversation: Conversation) -> Service:
    """Return how the desk serves the customer of a conversation: by what is known of him, proved or not."""
    return book.fitting.service_of(
        session, customer_no=conversation.customer_no, account_nos=list(conversation.accounts)
    )  # fmt: skip


def shown_to(book: Book, session: Session, conversation: Conversation, *, now: datetime) -> Service:
    """Return how whoever writes is spoken to: only who has proved who he is meets what is fitted to him."""
    if conversation.assurance_at(now) < 1:
        return book.fitting.service_for(NOBODY)
    return fitted(book, session, conversation)
