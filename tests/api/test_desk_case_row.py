"""A row of the desk's lists shows over which channel the customer writes: a drawing for each, and words for it."""

from __future__ import annotations

import re
from pathlib import Path

DESK = Path(__file__).parents[2] / "api" / "static" / "desk"


def read(name: str) -> str:
    return (DESK / name).read_text("utf-8")


def table(text: str, name: str) -> dict[str, str]:
    """Return an object of the script whose values are texts."""
    found = re.search(rf"const {name} = \{{(.*?)\}};", text, re.S)
    assert found is not None
    return dict(re.findall(r'(\w+): "([^"]*)"', found[1]))


def test_every_channel_has_a_drawing_of_the_consoles_own_and_words_beside_it() -> None:
    row = read("case_row.js")
    drawn, named = table(row, "VIA_GLYPHS"), table(read("customer.js"), "CHANNELS")
    assert drawn.keys() == named.keys()
    assert set(drawn.values()) <= table(read("glyphs.js"), "PATHS").keys()
    assert '<${Via} channel=${one.channel}/><span class="case-name">' in row
    assert '<span class="sr">来自${channelWord(channel)}</span>' in row
