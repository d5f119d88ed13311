"""Sentences and parts of sentences that actions put together, from `data/phrases/<topic>.yaml`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml


class PhraseError(Exception):
    """A file of phrases is wrong, or a phrase is asked for that nobody wrote."""


class Phrases:
    """All phrases by their path: the topic, then the keys in the file (`tariff.tier.now`)."""

    def __init__(self, phrases: Mapping[str, str]) -> None:
        self._phrases = dict(phrases)

    @classmethod
    def load(cls, directory: Path) -> Phrases:
        """Read all files of a directory.

        Raises:
            PhraseError: if a leaf is no string.
        """
        found: dict[str, str] = {}
        for file in sorted(directory.glob("*.yaml")):
            tree = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
            found.update(_leaves(file.stem, tree))
        return cls(found)

    def say(self, key: str, /, **values: object) -> str:
        """Return a phrase with its values.

        Raises:
            PhraseError: if there is no such phrase or a value is missing.
        """
        try:
            return self._phrases[key].format(**values)
        except (KeyError, IndexError) as error:
            raise PhraseError(f"{key}: {error}") from error

    def raw(self, key: str) -> str:
        """Return a phrase as it stands, such as a regular expression; PhraseError if there is none."""
        if key not in self._phrases:
            raise PhraseError(key)
        return self._phrases[key]

    def __contains__(self, key: object) -> bool:
        return key in self._phrases

    def under(self, prefix: str) -> dict[str, str]:
        """Return the phrases below a path, by the rest of their keys."""
        return {
            key[len(prefix) + 1 :]: text for key, text in self._phrases.items() if key.startswith(f"{prefix}.")
        }  # fmt: skip


def _leaves(path: str, node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, Mapping):
        for key, child in node.items():
            yield from _leaves(f"{path}.{key}", child)
    elif isinstance(node, str):
        yield path, node
    else:
        raise PhraseError(f"{path} is no string")
