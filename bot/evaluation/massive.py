"""Reads MASSIVE zh-CN (FitzGerald et al. 2022): TSV files, one a partition, or the published JSONL."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LOCALE = "zh-CN"
TRAIN, DEV, TEST = "train", "dev", "test"
_FIELDS = ("partition", "utt", "intent", "locale")
_HEADS = {("text", "intent"), ("utt", "intent")}


class MassiveError(ValueError):
    """A file is missing, is of another form, or a partition that is needed is not there."""


@dataclass
class Messages:
    """Texts and their intents, side by side."""

    texts: list[str] = field(default_factory=list)
    intents: list[str] = field(default_factory=list)

    def add(self, text: str, intent: str) -> None:
        """Add one message."""
        self.texts.append(text)
        self.intents.append(intent)


Parts = dict[str, Messages]


def load_massive(files: Sequence[Path]) -> tuple[Messages, Messages]:
    """Return the training and the test messages of the files together; those of `dev` are not used.

    Raises:
        MassiveError: says which file, line or partition is wrong.
    """
    if not files:
        raise MassiveError('no files: name a training and a test file, FILES="train.tsv test.tsv", or one JSONL')
    parts: Parts = {name: Messages() for name in (TRAIN, DEV, TEST)}
    for path in files:
        _read(path, parts)
    for name in (TRAIN, TEST):
        if not parts[name].texts:
            raise MassiveError(f"no {name} partition for {LOCALE} in {', '.join(str(path) for path in files)}")
    return parts[TRAIN], parts[TEST]


def _read(path: Path, parts: Parts) -> None:
    readers = {".tsv": _read_tsv, ".jsonl": _read_jsonl, ".json": _read_jsonl}
    if path.suffix not in readers:
        raise MassiveError(f"{path}: known are {', '.join(readers)}")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            readers[path.suffix](path, file, parts)
    except FileNotFoundError as failure:
        raise MassiveError(f"{path}: there is no such file") from failure
    except (OSError, UnicodeDecodeError) as failure:
        raise MassiveError(f"{path}: cannot be read: {failure}") from failure


def _read_tsv(path: Path, file: Iterable[str], parts: Parts) -> None:
    part = parts[_partition_of(path)]
    for number, row in enumerate(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE), 1):
        if number == 1 and tuple(row) in _HEADS or not row:
            continue
        if len(row) != 2 or not all(row):
            raise MassiveError(f"{path} line {number}: {len(row)} columns where text and intent are expected")
        part.add(*row)


def _partition_of(path: Path) -> str:
    found = [name for name in (TRAIN, DEV, TEST) if name in path.stem.lower()]
    if len(found) != 1:
        raise MassiveError(f"{path}: the name of a TSV file must hold one of {TRAIN}, {DEV}, {TEST}")
    return found[0]


def _read_jsonl(path: Path, file: Iterable[str], parts: Parts) -> None:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        row = _row(line, f"{path} line {number}")
        if row["locale"] == LOCALE:
            parts[row["partition"]].add(row["utt"], str(row["intent"]))


def _row(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as failure:
        raise MassiveError(f"{where}: no JSON") from failure
    if not isinstance(row, dict):
        raise MassiveError(f"{where}: no JSON object")
    missing = [name for name in _FIELDS if name not in row]
    if missing:
        raise MassiveError(f"{where}: without {', '.join(missing)}; it has {', '.join(row) or 'nothing'}")
    if row["partition"] not in (TRAIN, DEV, TEST):
        raise MassiveError(f"{where}: unknown partition {row['partition']!r}")
    if not isinstance(row["utt"], str) or isinstance(row["intent"], bool) or not isinstance(row["intent"], (str, int)):
        raise MassiveError(f"{where}: `utt` must be text, `intent` text or a whole number")
    return row
