"""Numbers as they are read: with their unit, against the days before, and whether that is good."""

from __future__ import annotations

from typing import Any

from core.insight.words import Figure, Texts, Words

SECONDS = "seconds"


def text_of(value: float | None, unit: str, words: Words, *, instead: str | None = None) -> str:
    """Return a number with its unit; without one, that there is none (`instead`: why)."""
    if value is None:
        return instead or words.texts.none
    return _number(value, unit, words.units[unit].text, words)


def change_text(value: float | None, previous: float | None, unit: str, words: Words) -> str:
    """Return how a number differs from the one before: in parts of it, or (shares, scores) by how much."""
    kind, texts = words.units[unit], words.texts
    if value is None:
        return texts.none
    if previous is None:
        return texts.no_before
    if value == previous:
        return texts.same
    if kind.change == "absolute":
        return kind.change_text.format(value=(value - previous) * kind.times)
    return kind.change_text.format(value=(value - previous) / previous) if previous else texts.new


def open_change(change: str, counts: bool, words: Words) -> str:
    """Return what is said of a change while the days are not over: of counts only that, of the rest the change too."""
    return words.texts.unfinished if counts else words.texts.so_far.format(change=change)


def verdict(value: float | None, previous: float | None, good: str) -> str:
    """Return whether the change is good or bad, `none` where it is neither or cannot be told."""
    if good == "none" or value is None or previous is None or value == previous:
        return "none"
    return "good" if (value > previous) == (good == "up") else "bad"


def figure_json(
    key: str, value: float | None, previous: float | None, figure: Figure, words: Words, *, rows: str | None,
    instead: str | None = None, unfinished: bool = False, counts: bool = False, young: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Return one figure as the page reads it; `aim_text` says what should be reached and who says so.

    `unfinished`: the days are not over; then what `counts` is less than it will be, and neither good nor bad yet.
    `young`: the days before were not all written down, so that nothing is good or bad by them.
    """
    aim, change = figure.aim, change_text(value, previous, figure.unit, words)
    if young and value is not None:
        change = words.texts.young
    if unfinished and value is not None and previous is not None:
        change = open_change(change, counts, words)
    return {
        "key": key, "name": figure.name, "value": value,
        "text": text_of(value, figure.unit, words, instead=instead or figure.empty),
        "unit": figure.unit, "definition": figure.definition, "previous": previous,
        "change_text": change, "good": figure.good,
        "verdict": "none" if young or (unfinished and counts) else verdict(value, previous, figure.good), "rows": rows,
        "aim_text": aim and words.texts.aim.format(value=text_of(aim.value, figure.unit, words), source=aim.source),
    }  # fmt: skip


def _number(value: float, unit: str, pattern: str, words: Words) -> str:
    if unit == SECONDS:
        return _duration(value, words.texts)
    return pattern.format(value=value * words.units[unit].times)


def _duration(seconds: float, texts: Texts) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return texts.long_duration.format(hours=hours, minutes=minutes)
    return (texts.duration if minutes else texts.short_duration).format(minutes=minutes, seconds=rest)
