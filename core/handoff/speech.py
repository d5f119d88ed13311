"""What customers read about the queue, in honest words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from core.conversation import Draft
from core.handoff.book import Book
from core.handoff.queue import QueueView, minutes_of
from core.handoff.words import KEEP_WAITING, LEAVE_MESSAGE, LEAVE_QUEUE
from core.working_time import Due

_HOUR = timedelta(hours=1)


def queued(
    view: QueueView, *, reason: str, summary: Mapping[str, Any], book: Book, now: datetime, apart: bool = False
) -> Draft:
    """Return the one message of who comes into the queue: why, place and wait, what was understood, what may be done.

    `apart`: the reason has been given in words of its own.
    """
    words = book.words.queue
    openings = {"anger": words.anger, "failures": words.failures, "system_failed": words.system_failed}
    lines = [words.queued if apart else openings.get(reason, words.queued), standing(view, book=book, now=now)]
    lines += [words.hotline, *summary_lines(summary, book=book)]
    return Draft("system", "\n".join(lines), "notice", buttons=buttons(book))


def standing(view: QueueView, *, book: Book, now: datetime) -> str:
    """Return place and expected wait in words; with nobody on duty, until when somebody answers."""
    words = book.words.queue
    if not view.on_duty:
        text = words.nobody if view.open else words.closed
        return text.format(by=by(view.answer_by, book=book, now=now)) + words_uncertain(view.answer_by, book)
    ahead = words.first if view.place == 1 else words.place.format(ahead=view.place - 1)
    return ahead + waiting_words(view.wait, book=book)


def waiting_words(wait: timedelta | None, *, book: Book) -> str:
    """Return an expected wait in words."""
    words = book.words.queue
    if wait is None:
        return words.unknown
    if not wait:
        return words.soon
    if wait >= _HOUR:
        return words.long.format(hours=wait // _HOUR)
    return words.minutes.format(minutes=minutes_of(wait))


def still_waiting(view: QueueView, *, book: Book, now: datetime) -> Draft:
    """Return what is said to who has waited for long, with the choices there are."""
    words = book.words.queue
    text = (words.still if view.on_duty else words.still_nobody) + standing(view, book=book, now=now) + words.hotline
    return Draft("system", text, "notice", buttons=((words.keep_waiting, KEEP_WAITING), *buttons(book)))


def by(due: Due, *, book: Book, now: datetime) -> str:
    """Return until when somebody answers, in words."""
    return book.times.say(due.at, now=now)


def words_uncertain(due: Due, book: Book) -> str:
    """Return what has to be added where the holidays are not known yet."""
    return "" if due.certain else book.words.queue.uncertain


def buttons(book: Book) -> tuple[tuple[str, str], ...]:
    """Return the ways out of the queue."""
    words = book.words.queue
    return (words.leave_message, LEAVE_MESSAGE), (words.leave, LEAVE_QUEUE)


def summary_lines(summary: Mapping[str, Any], *, book: Book) -> list[str]:
    """Return what was understood, looked up and is missing, line by line; nothing of nothing."""
    words = book.words.summary
    wish = [summary["wish"]] if summary.get("wish") else []
    parts = (
        (words.wish, wish), (words.understood, summary.get("understood") or []),
        (words.checked, summary.get("checked") or []), (words.missing, summary.get("missing") or []),
    )  # fmt: skip
    lines = [form.format(items=words.separator.join(items)) for form, items in parts if items]
    return [*lines, words.correct] if lines else []
