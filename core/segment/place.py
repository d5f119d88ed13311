"""Writes cluster, segment and tags of all portraits of a run, chunk after chunk, and sums up what came of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import bindparam, text, update
from sqlalchemy.orm import Session

from core.db import Database
from core.portrait.frame import Frame, chunks
from core.portrait.tables import FEATURES, Portrait
from core.segment.clean import GAPS, usable_of
from core.segment.layers import Layers
from core.segment.method import Segmentation
from core.segment.names import segments_of, tags_of
from core.segment.rules import CLASSES
from core.segment.scale import picked

_SUMMED = ("fee_year", "kwh_year")
Row = tuple[int, int | None, str, str | None, list[str]]


class Tally:
    """What came of all accounts: by segment, and by cluster."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self.segments: dict[str, dict[str, float]] = {}
        self.clusters: dict[int, Counter[str]] = {}
        self._sums: dict[int, NDArray[np.float64]] = {}
        self._known: dict[int, NDArray[np.int64]] = {}

    def add(self, frame: Frame, clusters: Sequence[int | None], segments: Sequence[str]) -> None:
        """Count a chunk."""
        money = {name: np.nan_to_num(frame.column(name).astype(float)) for name in _SUMMED}
        growth = frame.column("kwh_growth").astype(float)
        whole = ~np.isnan(growth) & (growth > -1)
        before = np.where(whole, money["kwh_year"] / np.where(whole, 1 + growth, 1.0), 0.0)
        keys = np.asarray(segments, dtype=object)
        thin = np.array([one is None for one in clusters], dtype=bool)
        for key in set(segments):
            mine = keys == key
            self._count(key, accounts=mine.sum(), thin=(mine & thin).sum(), kwh_before=before[mine].sum())
            self._count(key, kwh_now=money["kwh_year"][mine & whole].sum())
            self._count(key, **{name: money[name][mine].sum() for name in _SUMMED})
        self._add_clusters(frame, np.array([-1 if one is None else one for one in clusters]), keys)

    def _count(self, key: str, **amounts: float) -> None:
        found = self.segments.setdefault(key, {})
        for name, amount in amounts.items():
            found[name] = found.get(name, 0.0) + float(amount)

    def _add_clusters(self, frame: Frame, clusters: NDArray[np.int64], keys: NDArray[np.object_]) -> None:
        values = picked(frame.values, frame.names, self._names).astype(float)
        for number in np.unique(clusters[clusters >= 0]):
            mine = clusters == number
            self.clusters.setdefault(int(number), Counter()).update(keys[mine].tolist())
            zero = np.zeros(len(self._names))
            self._sums[int(number)] = self._sums.get(int(number), zero) + np.nansum(values[mine], axis=0)
            counts = (~np.isnan(values[mine])).sum(axis=0)
            self._known[int(number)] = self._known.get(int(number), np.zeros(len(self._names), np.int64)) + counts

    def means(self, number: int) -> dict[str, float | None]:
        """Return the mean of each feature in a cluster, None where nothing is known."""
        if number not in self._sums:
            return {}
        sums, known = self._sums[number], self._known[number]
        return {
            name: round(float(sums[place] / known[place]), 4) if known[place] else None
            for place, name in enumerate(self._names)
        }

    def summary(self) -> dict[str, Any]:
        """Return size, share, revenue and growth of each segment."""
        total = sum(one["accounts"] for one in self.segments.values())
        found = {}
        for key, one in sorted(self.segments.items()):
            growth = one["kwh_now"] / one["kwh_before"] - 1 if one["kwh_before"] else None
            found[key] = {
                "accounts": int(one["accounts"]), "share": round(one["accounts"] / total, 4), "thin": int(one["thin"]),
                "fee_year": round(one["fee_year"], 2), "kwh_year": round(one["kwh_year"], 2),
                "kwh_growth": None if growth is None else round(growth, 4),
            }  # fmt: skip
        return {"accounts": int(total), "segments": found}


def place_all(
    bridge: Database, run_id: int, layers: Layers, known: Segmentation, thresholds: Mapping[str, float],
    *, each: Callable[[int], None],
) -> Tally:  # fmt: skip
    """Place every account of a run and write it down; `each` hears how many are done after every chunk."""
    tally, done = Tally(known.method.names), 0
    for frame in chunks(bridge, run_id, FEATURES, known.method.chunk, extra=CLASSES, exact=True):
        rows = _placed(frame, layers, known, thresholds)
        with bridge.transaction() as session:
            _write(session, run_id, rows)
        tally.add(frame, [row[1] for row in rows], [row[2] for row in rows])
        done += len(rows)
        each(done)
    return tally


def _placed(frame: Frame, layers: Layers, known: Segmentation, thresholds: Mapping[str, float]) -> list[Row]:
    names = known.method.names
    good = usable_of(frame, names)
    thin = [None if ok else why or GAPS for ok, why in zip(good, frame.extra["thin"], strict=True)]
    classes = np.array(frame.extra["user_class"], dtype=object)
    labels = layers.assign(picked(frame.values, frame.names, names).astype(np.float32), classes)  # as they were made
    frame.extra["thin"][:] = thin
    segments, tags = segments_of(frame, known.rules, thresholds), tags_of(frame, known.rules, thresholds)
    return [
        (int(account), int(label) if ok else None, str(segment), why, tag)
        for account, label, ok, segment, why, tag in zip(
            frame.account_ids, labels, good, segments, thin, tags, strict=True
        )
    ]  # fmt: skip


def _write(session: Session, run_id: int, rows: Sequence[Row]) -> None:
    connection = session.connection()
    if connection.dialect.name != "postgresql":
        table = Portrait.__table__
        statement = (
            update(Portrait)
            .where(table.c.run_id == run_id, table.c.account_id == bindparam("of"))
            .values({name: bindparam(f"new_{name}") for name in ("cluster", "segment", "thin", "tags")})
        )
        keys = ("of", "new_cluster", "new_segment", "new_thin", "new_tags")
        connection.execute(statement, [dict(zip(keys, row, strict=True)) for row in rows])
        return
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text(
        "CREATE TEMP TABLE placed (account_id integer, cluster integer, segment text, thin text, tags json) "
        "ON COMMIT DROP"
    ))  # fmt: skip
    driver: Any = connection.connection.dbapi_connection
    with driver.cursor() as cursor, cursor.copy("COPY placed FROM STDIN") as copy:
        for account, cluster, segment, thin, tags in rows:
            copy.write_row((account, cluster, segment, thin, json.dumps(tags)))
    connection.execute(text(
        "UPDATE portraits SET cluster = placed.cluster, segment = placed.segment, thin = placed.thin, "
        "tags = placed.tags FROM placed WHERE portraits.run_id = :run AND portraits.account_id = placed.account_id"
    ), {"run": run_id})  # fmt: skip
