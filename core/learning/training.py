"""The messages that the model is trained with (`data/nlu`), as plain text, for what must be like or unlike them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

# [三天](period), [汉阳]{"entity": "place"}
_ENTITY = re.compile(r"\[([^\]\[]+)\](?:\([^)]*\)|\{[^}]*\})")


class BadTrainingFile(ValueError):
    """A file of training messages is not of Rasa's form."""


def training_messages(directory: Path) -> Iterator[tuple[str, str]]:
    """Yield (intent, message) of all files of a directory, entities without their marks.

    Raises:
        BadTrainingFile: naming the file that cannot be read.
    """
    for path in sorted(directory.glob("*.yml")):
        try:
            tree = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
            blocks = [block for block in tree["nlu"] if "intent" in block]
        except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
            raise BadTrainingFile(f"{path.name}: {error}") from error
        for block in blocks:
            for line in str(block.get("examples") or "").splitlines():
                if text := _ENTITY.sub(r"\1", line.strip().removeprefix("-").strip()):
                    yield str(block["intent"]), text
