"""The files of the conversations (conversations/README.md describes their keys), checked when they are read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent / "conversations"
STEP_KEYS = {
    "as", "say", "press", "photo", "again", "signal", "dianfu", "hears", "quiet", "words", "any", "not", "once",
    "buttons", "card", "mode", "understood", "code",
    "later",
}  # fmt: skip
KEYS = {"about", "known", "customer", "assurance", "turns", "orders", "rows"}
ORDER_KEYS = {
    "kind", "count", "state", "category", "priority", "account", "address", "contact", "details", "events", "promise",
    "urges",
}  # fmt: skip


@dataclass(frozen=True)
class Scenario:
    """One conversation as it stands in its file."""

    path: Path
    customer: str
    assurance: int
    turns: list[dict[str, Any]]
    orders: list[dict[str, Any]]
    rows: list[dict[str, Any]]
    known: str | None = None  # the defect for which it fails at present

    @property
    def name(self) -> str:
        return f"{self.path.parent.name}/{self.path.stem}"

    @property
    def disturbs(self) -> bool:
        """Whether others cannot talk meanwhile: processes stop, outages are moved, neighbours report."""
        return any({"signal", "dianfu", "as"} & set(turn) for turn in self.turns)


def load(path: Path) -> Scenario:
    """Read a file; an unknown key is an error, or a check could silently not be made."""
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(raw) <= KEYS, f"{path}: unknown keys {set(raw) - KEYS}"
    for turn in raw["turns"]:
        assert set(turn) <= STEP_KEYS, f"{path}: unknown keys {set(turn) - STEP_KEYS}"
    for order in raw.get("orders", []):
        assert set(order) <= ORDER_KEYS, f"{path}: unknown keys {set(order) - ORDER_KEYS}"
    assert (
        raw.get("orders") is not None
        or raw.get("rows")
        or any(set(turn) & STEP_KEYS - {"say"} for turn in raw["turns"])
    )
    return Scenario(
        path, raw["customer"], raw.get("assurance", 1), raw["turns"], raw.get("orders", []), raw.get("rows", []),
        raw.get("known"),
    )  # fmt: skip


def scenarios() -> list[Scenario]:
    return [load(path) for path in sorted(HERE.glob("*/*.yaml"))]
