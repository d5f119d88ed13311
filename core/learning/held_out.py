"""The messages of the validation sets, which no training may see: told by hashes, also where the sets are not there.

`data/learning/held_out.txt` holds for each message the hashes of its characters and pairs of neighbours (24 bits each);
the messages themselves cannot be read from it. `dianfu learn held-out` writes it anew, a test tells when it is stale.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from core.text import folded

FILE = Path("learning") / "held_out.txt"
SETS = Path("tests") / "nlu"  # where the validation sets lie if they are installed
_DRAWN = frozenset({"addresses"})  # taken from the training messages themselves: tests of the address reader
_SIGNS = re.compile(r"[\W_]+")
_WIDTH = 3  # bytes of a hash: of 10^5 terms one pair in a hundred thousand shares one
Terms = frozenset[int]


class BadHeldOutFile(ValueError):
    """The file of hashes is missing or was cut."""


def bare(text: str) -> str:
    """Return a text as messages are compared: one width, lower case, nothing but letters and digits."""
    return _SIGNS.sub("", folded(text))


def terms_of(text: str) -> Terms:
    """Return the hashes of the characters of a text and of pairs of neighbours."""
    plain = bare(text)
    return frozenset(_hash(plain[at : at + size]) for size in (1, 2) for at in range(len(plain) - size + 1))


class HeldOut:
    """The messages of the validation sets as sets of hashes, found by the hashes that they share with a text."""

    def __init__(self, messages: Iterable[Terms]) -> None:
        self.messages = sorted({terms for terms in messages if terms}, key=lambda terms: sorted(terms))
        self._by_term: dict[int, list[int]] = defaultdict(list)
        for place, terms in enumerate(self.messages):
            for term in terms:
                self._by_term[term].append(place)

    @classmethod
    def load(cls, data_dir: Path, sets: Path | None = None) -> HeldOut:
        """Read the file of hashes, and the validation sets themselves (`sets`) where they are installed.

        Raises:
            BadHeldOutFile: if the file is missing or cannot be read: without it nothing may be exported.
        """
        try:
            lines = (data_dir / FILE).read_text(encoding="ascii").split()
            known = [_unpacked(line) for line in lines]
        except (OSError, ValueError) as error:
            raise BadHeldOutFile(f"{FILE.name}: {error}") from error
        return cls([*known, *(terms_of(text) for text in messages_in(sets))] if sets else known)

    def holds(self, text: str, like: float) -> bool:
        """Tell whether a text is one of the messages, or at least so like one (Dice over its terms, 0 to 1)."""
        mine = terms_of(text)
        shared = Counter(place for term in mine for place in self._by_term.get(term, ()))
        return any(2 * count >= like * (len(mine) + len(self.messages[place])) for place, count in shared.items())

    def packed(self) -> str:
        """Return the content of the file."""
        return "".join(f"{_packed(terms)}\n" for terms in self.messages)


def messages_in(folder: Path) -> list[str]:
    """Return the messages of all sets of a folder (first column of each .tsv), nothing if there is no such folder."""
    found = []
    for path in sorted(folder.glob("*.tsv")):
        lines = [] if path.stem in _DRAWN else path.read_text(encoding="utf-8").splitlines()
        found += [line.split("\t")[0] for line in lines if line.strip() and not line.startswith("#")]
    return found


@cache
def _hash(term: str) -> int:
    return int.from_bytes(hashlib.blake2b(term.encode(), digest_size=_WIDTH).digest(), "big")


def _packed(terms: Terms) -> str:
    raw = b"".join(term.to_bytes(_WIDTH, "big") for term in sorted(terms))
    return base64.urlsafe_b64encode(raw).decode()


def _unpacked(line: str) -> Terms:
    raw = base64.b64decode(line, altchars=b"-_", validate=True)
    if len(raw) % _WIDTH:
        raise ValueError("a line was cut")
    return frozenset(int.from_bytes(raw[at : at + _WIDTH], "big") for at in range(0, len(raw), _WIDTH))
