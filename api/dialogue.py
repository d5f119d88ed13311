"""A message's way: log it, look for danger, let the right one answer, log the answer (DESIGN section 3).

Two short transactions, never one across the call to Rasa: the message is in the log before anybody is asked, and
the answer is in the log before it is sent. What the bridge answers itself is done with the first one. A turn that was
cut off between the two stays `open` and is taken up again by `Turns.sweep`.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError, StatementError
from sqlalchemy.orm import Session

from api.bus import MemoryBus
from api.desk_news import Change, DeskNews
from api.dialogue_in import Receiving
from api.dialogue_out import Finishing
from api.escalation import Escalation
from api.identity import Asker, asker_of, metadata_of
from api.inbound import Inbound
from api.metrics import Metrics
from api.rasa import BotTurn, Rasa, RasaFailed
from api.reception import SAY, Reception
from api.store import Store
from api.turns import Outcome, Question, Turns, TurnWaits, recorded
from core import conversation as log_of
from core.clock import Clock
from core.conversation import Conversation
from core.handoff.book import Book
from core.proactive.kinds import Notices
from core.safety import Danger
from core.text import typed

log = structlog.get_logger("api.dialogue")

MAX_TO_RASA = 1000  # characters: nobody states a wish in more, and the model's cost grows with the length
RASA_SHARE = 0.85  # of the deadline; the rest is for logging an apology in time
CONFIRMATION_PATIENCE = timedelta(minutes=5)  # so long what was confirmed is tried again
DANGER_PATIENCE = 2.0  # seconds that a warning waits for the log


class Dialogue:
    """Takes customers' messages of all channels and has them answered."""

    def __init__(
        self, *, store: Store, rasa: Rasa, reception: Reception, escalation: Escalation, news: DeskNews, bus: MemoryBus,
        metrics: Metrics, clock: Clock, identity_key: str, deadline: float, book: Book, notices: Notices | None = None,
    ) -> None:  # fmt: skip
        self._store, self._rasa, self._reception, self._book, self._news = store, rasa, reception, book, news
        self._bus, self._metrics, self._clock = bus, metrics, clock
        self._identity_key, self._deadline = identity_key, deadline
        self._receiving = Receiving(reception, book, notices, clock)
        self._finishing = Finishing(reception, escalation, notices, identity_key, clock)
        self.turns = Turns(store, self._turn)

    async def customer_says(self, conversation_id: str, inbound: Inbound) -> Outcome:
        """Record what the customer said and return the answer, or what there is of it when the deadline is over.

        Raises:
            ConversationNotFound, ConversationClosed, ButtonNotFound, UploadNotFound: as `core` says.
            SQLAlchemyError, TimeoutError: if the log cannot be written; a danger is answered all the same.
        """
        until = asyncio.get_running_loop().time() + self._deadline
        question, outcome = await self.take(conversation_id, inbound, within=self._deadline)
        if outcome is not None:
            return outcome
        assert question is not None  # without the one there is the other
        return await self._wait(question, until)

    async def take(
        self, conversation_id: str, inbound: Inbound, *, within: float
    ) -> tuple[Question | None, Outcome | None]:
        """Record what the customer said; return the question, and the answer if there is one already.

        There is no question if the log cannot be written and the answer is the warning about a danger. The turn is
        not started.

        Raises:
            ConversationNotFound, ConversationClosed, ButtonNotFound, UploadNotFound: as `core` says.
            SQLAlchemyError, TimeoutError: if the log cannot be written `within` so many seconds.
        """
        danger = None if inbound.button_id else self._reception.danger_in(inbound.text)
        receiving = asyncio.ensure_future(
            self._store.write(lambda session: self._receiving.receive(session, conversation_id, inbound, danger))
        )
        try:
            async with asyncio.timeout(min(within, DANGER_PATIENCE) if danger else within):
                question, outcome, change = await asyncio.shield(receiving)
        except (SQLAlchemyError, TimeoutError) as error:
            receiving.add_done_callback(lambda late: late.cancelled() or late.exception())
            if danger is None:
                raise
            return None, self._warned(danger, error)
        self._bus.publish(conversation_id)
        self._news.tell(change)
        return question, outcome

    def takes(self, session: Session, conversation: Conversation, text: str, payload: str | None) -> bool:
        """Tell whether a conversation takes this, or is over; what is urgent is always taken."""
        if conversation.mode != "closed" or (payload is None and self._reception.danger_in(text)):
            return True
        return self._reception.takes_after_end(session, conversation, payload, now=self._clock())

    def is_urgent(self, inbound: Inbound) -> bool:
        """Tell whether a message speaks of a danger: its warning may come before it is logged, so it must be logged."""
        return not inbound.button_id and self._reception.danger_in(inbound.text) is not None

    def warn(self, text: str, error: Exception) -> Outcome | None:
        """Return the warning about the danger that a text speaks of, although nothing could be written."""
        danger = self._reception.danger_in(text)
        return self._warned(danger, error) if danger else None

    def _warned(self, danger: Danger, error: Exception) -> Outcome:
        log.error("danger_without_log", kind=danger.kind, error=type(error).__name__)
        return Outcome((self._reception.warning(danger, now=self._clock()),), "bot", None)

    async def _wait(self, question: Question, until: float) -> Outcome:
        future = self.turns.start(question)
        await asyncio.wait({future}, timeout=max(0.0, until - asyncio.get_running_loop().time()))
        with contextlib.suppress(TurnWaits):
            if future.done() and (outcome := future.result()):
                return outcome
        return await self._store.read(lambda session: recorded(session, question))

    # -- the turn

    async def _turn(self, question: Question) -> Outcome:
        """Ask Rasa and log the answer; whatever goes wrong on the way becomes an apology, so that no turn repeats."""
        with self._metrics.turn_seconds.time():
            answer = await self._ask(question)
            try:
                outcome, change = await self._finish(question, answer)
            except (OperationalError, InterfaceError):
                raise  # the database is away: the turn stays open and is taken up again
            except (StatementError, ValueError) as error:
                log.error("answer_not_storable", conversation=question.key[0], error=type(error).__name__)
                sorry = BotTurn((self._reception.apology(question.message),))
                outcome, change = await self._finish(question, sorry)
        self._bus.publish(question.conversation.id)
        self._news.tell(change)
        return outcome

    async def _finish(self, question: Question, answer: BotTurn) -> tuple[Outcome, Change | None]:
        return await self._store.write(lambda session: self._finishing.finish(session, question, answer))

    async def _ask(self, question: Question) -> BotTurn:
        conversation, message = question.conversation, question.message
        if conversation.mode != "bot" and not question.is_of_a_form:
            return BotTurn(())  # a person took over before this turn could begin
        self._bus.publish(conversation.id, {"kind": "typing", "author": "bot", "on": True})
        try:
            with self._metrics.rasa_seconds.time():
                turn = await self._put_to_rasa(question)
            self._metrics.turns.labels("answered").inc()
            return turn
        except RasaFailed as error:
            log.warning("rasa_failed", conversation=conversation.id, seq=message.seq, error=str(error))
            if self._clock() - message.at < CONFIRMATION_PATIENCE:
                await self._hold_if_confirmed(question)
        except Exception as error:
            log.error("turn_broken", conversation=conversation.id, seq=message.seq, exc_info=error)
        finally:
            self._bus.publish(conversation.id, {"kind": "typing", "author": "bot", "on": False})
        self._metrics.turns.labels("failed").inc()
        return BotTurn((self._reception.apology(message),))

    async def _hold_if_confirmed(self, question: Question) -> None:
        """Say that what was confirmed is still on its way, once, and leave the turn open.

        Raises:
            TurnWaits: if the message answers a request for confirmation.
        """

        def work(session: Session) -> bool:
            if not log_of.confirms(session, question.message):
                return False
            if not log_of.replies_to(session, question.message):
                conversation = log_of.find_conversation(session, question.conversation.id, lock=True)
                log_of.record_reply(
                    session, conversation, self._reception.still_working(), now=self._clock(),
                    in_reply_to=question.message.seq,
                )  # fmt: skip
            return True

        if await self._store.write(work):
            self._bus.publish(question.conversation.id)
            raise TurnWaits

    async def _put_to_rasa(self, question: Question) -> BotTurn:
        """Ask Rasa, with what is known of who asks."""
        conversation, message, now = question.conversation, question.message, self._clock()

        def look(session: Session) -> Asker:
            return asker_of(session, conversation, message, book=self._book, now=now)

        asker = question.asker if question.asker is not None else await self._store.read(look)
        text, is_payload = message.text, False
        if message.payload and message.payload.startswith(SAY):
            text = message.payload.removeprefix(SAY)
        elif message.payload:
            text, is_payload = message.payload, True
        metadata = metadata_of(conversation, message, asker, key=self._identity_key, book=self._book, now=self._clock())
        return await self._rasa.turn(
            sender=conversation.sender, text=text if is_payload else typed(text)[:MAX_TO_RASA], payload=is_payload,
            metadata=metadata, within=self._deadline * RASA_SHARE,
        )  # fmt: skip
