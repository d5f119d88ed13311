"""The sentences of the weekly report: made from the figures of the boards by the words of data/insight/report.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

Board = Mapping[str, Any]  # as `board_json` makes it


class ChangeWords(BaseModel):
    """How a figure stands against the week before."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    moved: str
    same: str
    none: str


class ReportWords(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    lead: str
    definitions: str
    part: str
    made: str
    week: str
    change: ChangeWords
    better: str
    worse: str
    name: str
    joint: str
    most_names: int  # more would not be read
    more: str
    steady: str
    nothing: str
    sentences: dict[str, tuple[str, ...]]
    tables: dict[str, str]
    headline: tuple[str, ...]


@dataclass(frozen=True)
class Said:
    """A figure in a sentence: itself as it is read, and its change."""

    text: str
    change: str

    def __format__(self, _spec: str) -> str:
        """Return the figure as it is read."""
        return self.text


@cache
def report_words(data_dir: Path) -> ReportWords:
    """Read the words.

    Raises:
        pydantic.ValidationError: if some are missing or unknown.
    """
    return ReportWords.model_validate(yaml.safe_load((data_dir / "insight" / "report.yaml").read_text("utf-8")))


def sentences_of(board: Board, words: ReportWords) -> list[str]:
    """Return what is to be said of one board: its note, its sentences, its worst line, what got better and worse."""
    figures = list(figures_of(board))
    told = {one["key"]: _said(one, words) for one in figures if one["value"] is not None}
    if not told:
        return [words.nothing]
    noted = [board["note"]] if board.get("note") else []
    own = [text.format(**told) for text in words.sentences.get(board["board"], ()) if names_in(text) <= set(told)]
    return [*noted, *own, *_lines(board, words), *_moved(figures, words)]


def figures_of(board: Board) -> Iterator[Mapping[str, Any]]:
    """Return all figures of a board."""
    return (one for group in board["groups"] for one in group["figures"])


def names_in(text: str) -> set[str]:
    """Return the keys of the figures that a sentence names."""
    return {name.split(".")[0] for _, name, _, _ in Formatter().parse(text) if name}


def _said(figure: Mapping[str, Any], words: ReportWords) -> Said:
    return Said(figure["text"], _change(figure, words))


def _change(figure: Mapping[str, Any], words: ReportWords) -> str:
    if figure["previous"] is None:
        return words.change.none
    if figure["previous"] == figure["value"]:
        return words.change.same
    if not figure["change_text"].startswith(("+", "-")):
        return str(figure["change_text"])  # words: the one before is nought, or the week is not over
    return words.change.moved.format(change=figure["change_text"])


def _lines(board: Board, words: ReportWords) -> Iterator[str]:
    """Return a sentence for the first line of each table that has one."""
    for group in board["groups"]:
        for chart in group["charts"]:
            text, lines = words.tables.get(chart["key"]), chart.get("lines")
            if text and lines:
                yield text.format(**lines[0])


def _moved(figures: list[Mapping[str, Any]], words: ReportWords) -> list[str]:
    def named(verdict: str) -> str:
        found = [one for one in figures if one["verdict"] == verdict]
        found.sort(key=lambda one: one["key"] not in words.headline)  # what matters most is said, whatever else is cut
        first = found[: words.most_names]
        texts = (words.name.format(name=one["name"], text=one["text"], change=_change(one, words)) for one in first)
        return words.joint.join(texts) + (words.more.format(count=len(found)) if len(found) > len(first) else "")

    better, worse = named("good"), named("bad")
    said = [words.better.format(names=better)] if better else []
    said += [words.worse.format(names=worse)] if worse else []
    if not said and any(one["previous"] is not None for one in figures):
        return [words.steady]
    return said
