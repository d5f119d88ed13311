"""Steps of its own that a business may put before its form or between its questions (outage first, order second)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from sqlalchemy.orm import Session

from actions.base import Reply
from actions.question import Question
from core.form import FormState

if TYPE_CHECKING:
    from actions.form import ActionForm
    from core.work_order import Filing, WorkOrder


class Hook(Protocol):
    """What a business does besides asking the fields of its row."""

    def steer(self, form: ActionForm, session: Session, question: Question, state: FormState) -> Reply | FormState:
        """Look at the state before the next question: return it (changed), or a reply that ends the form.

        A reply whose slots hold `form` keeps the form open in that state.
        """

    def filing(
        self, form: ActionForm, session: Session, question: Question, state: FormState, filing: Filing
    ) -> Filing:
        """Return the order to be filed with what the business knows besides."""

    def filed(self, workorder: Session, question: Question, state: FormState, order: WorkOrder) -> None:
        """Write what belongs to the order, in its transaction."""


HOOKS: dict[str, Hook] = {}
# What answers a message that would begin a business's form, if no form is needed for it; None: it is.
ENTRIES: dict[str, Callable[[ActionForm, Session, Question], Reply | None]] = {}


def hook_of(business: str) -> Hook | None:
    """Return the steps of a business, None for most."""
    return HOOKS.get(business)
