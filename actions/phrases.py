"""Sentences and parts of sentences that actions put together, from `data/phrases/<topic>.yaml`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Formatter
from typing import Any

import yaml

STYLES = ("plain", "business")  # besides the usual wording (core.fitting)


class PhraseError(Exception):
    """A file of phrases is wrong, or a phrase is asked for that nobody wrote."""


class Phrases:
    """All phrases by their path: the topic, then the keys in the file (`tariff.tier.now`).

    A key with a dot, `now.plain` beside `now`, is the same in another style: other words around the same values.
    """

    def __init__(self, phrases: Mapping[str, str], styled: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self._phrases, self._styled = dict(phrases), styled or {}

    @classmethod
    def load(cls, directory: Path) -> Phrases:
        """Read all files of a directory.

        Raises:
            PhraseError: if a leaf is no string, or one of a style has not the very values of the phrase itself.
        """
        found: dict[str, str] = {}
        for file in sorted(directory.glob("*.yaml")):
            tree = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
            found.update(_leaves(file.stem, tree))
        return cls(*_parted(found))

    def in_style(self, style: str) -> Phrases:
        """Return the phrases of a style; those that it does not change are as they were."""
        changed = self._styled.get(style)
        return Phrases({**self._phrases, **changed}, self._styled) if changed else self

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


def _parted(found: Mapping[str, str]) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Return the phrases, and those of each style by the path of what they stand for.

    Whatever the style, the figures told are the same: a variant has each value as often as the phrase itself.
    """
    plain, styled = dict(found), {style: dict[str, str]() for style in STYLES}
    for path, text in found.items():
        base, _, style = path.rpartition(".")
        if base not in found:
            continue
        if style not in STYLES or _values(text) != _values(found[base]):
            raise PhraseError(f"{path} is no other wording of {base}")
        styled[style][base] = plain.pop(path)
    return plain, styled


def _values(text: str) -> Counter[tuple[str | None, str | None]]:
    return Counter((name, form) for _, name, form, _ in Formatter().parse(text) if name is not None)


def _leaves(path: str, node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, Mapping):
        for key, child in node.items():
            yield from _leaves(f"{path}.{key}", child)
    elif isinstance(node, str):
        yield path, node
    else:
        raise PhraseError(f"{path} is no string")
