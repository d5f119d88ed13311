"""Trains a candidate with what reviewers labelled, and compares it with the running model on all validation sets."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from core.clock import Clock
from core.learning import model_change, models
from core.learning.export import Guard, write
from core.learning.held_out import SETS
from core.learning.model_files import Bundle
from core.learning.model_needs import check_sets
from core.learning.model_progress import COMPARE, EXPORT, TRAIN, Teller
from core.learning.models import Garage, ModelError
from core.learning.tables import ModelVersion
from core.learning.verdict import Verdict, judge
from ops import training
from ops.environment import training_environment
from ops.spawn import Show, ended_by, spawn

EVALUATIONS = Path("var") / "evaluations"
KEPT = 12  # documents of evaluations, 0.4 MB each
# What an evaluation depends on beside the model: the sets, and the code and words with which the bot reads.
_READING = ("tests/nlu/*.tsv", "bot/components/*.py", "bot/evaluation/*.py", "bot/language/*.py", "bot/lexicon/*",
            "bot/jieba/*")  # fmt: skip
_READ = re.compile(r"^(\w+): (\d+) of \d+ messages read")


class CompareFailed(Exception):
    """The evaluation of a model ended without figures."""


@dataclass(frozen=True)
class Workshop:
    """Where candidates are made: the project's folder, the models, what is exported, and whom to tell."""

    root: Path
    garage: Garage
    guard: Guard
    show: Show
    clock: Clock


def train(shop: Workshop, model_id: int, *, force: bool, then_compare: bool) -> ModelVersion:
    """Train the candidate of a row that was begun, compare it, and note how it came out.

    Raises:
        training.TrainingFailed: if there is no model; the row says so.
    """
    with shop.garage.bridge.reading() as session:
        row = models.find(session, model_id)
    teller, bundle = Teller(shop.garage, row.id, shop.clock), shop.garage.files.candidate(row.name)
    try:
        teller.tell(EXPORT, 0)
        learned = _export(shop, bundle, shop.clock())
        _build(shop, bundle, teller, force=force)
        figures, compared, error = _compared(shop, bundle, teller) if then_compare else ({}, {}, None)
        with shop.garage.bridge.transaction() as session:
            row = models.find(session, model_id)
            models.end_training(row, shop.garage, learned=learned, now=shop.clock())
            row.figures, row.compared, row.error = figures, compared, error
    except BaseException as problem:
        _failed(shop, model_id, bundle, problem)
        raise
    finally:
        teller.end()
    model_change.prune(shop.garage)
    return row


def compare(shop: Workshop, model_id: int) -> ModelVersion:
    """Compare a trained model with the one that runs, and note how it came out.

    Raises:
        NoSets, FileGone, WrongState: if it cannot be compared.
        CompareFailed: if the evaluation fails.
    """
    check_sets(shop.root)
    with shop.garage.bridge.reading() as session:
        row = models.find(session, model_id)
        bundle = shop.garage.files.known(row.name)
    if row.state not in (models.CANDIDATE, models.RETIRED):
        raise models.WrongState(f"{row.name} is {row.state}")
    if bundle is None or bundle.sha256() != row.sha256:
        raise models.FileGone(row.name)
    teller = Teller(shop.garage, row.id, shop.clock)
    try:
        figures, compared = _measure(shop, bundle, teller)
    finally:
        teller.end()
    with shop.garage.bridge.transaction() as session:
        row = models.find(session, model_id)
        row.figures, row.compared, row.error = figures, compared, None
    return row


def _export(shop: Workshop, bundle: Bundle, now: datetime) -> dict[str, Any]:
    return asdict(write(shop.garage.bridge, bundle.learned, now=now, guard=shop.guard))


def _build(shop: Workshop, bundle: Bundle, teller: Teller, *, force: bool) -> None:
    aside = shop.root / training.MODELS / ".candidate"
    usual, began = shop.garage.settings.training.seconds, time.monotonic()

    async def ticking() -> None:
        while True:
            teller.tell(TRAIN, min(0.97, (time.monotonic() - began) / usual))
            await asyncio.sleep(2)

    async def work() -> training.Built:
        ticker = asyncio.create_task(ticking())
        try:
            return await training.build(shop.root, aside, shop.show, force=force, learned=bundle.learned)
        finally:
            ticker.cancel()

    built = asyncio.run(work())
    built.record.replace(bundle.record)
    built.model.replace(bundle.archive)
    shutil.rmtree(aside, ignore_errors=True)


def _compared(shop: Workshop, bundle: Bundle, teller: Teller) -> tuple[dict[str, Any], dict[str, Any], str | None]:
    """Return figures and comparison; a candidate that could not be compared stays one, and says so."""
    try:
        check_sets(shop.root)
        return *_measure(shop, bundle, teller), None
    except (CompareFailed, ModelError, ValueError, OSError) as problem:
        shop.show("model", f"not compared: {problem}")
        return {}, {}, getattr(problem, "code", "compare_failed")


def _measure(shop: Workshop, bundle: Bundle, teller: Teller) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the figures of a model and how it compares with the one that runs, whose figures are kept, too."""
    model_change.reconcile(shop.garage, shop.clock())
    with shop.garage.bridge.reading() as session:
        running = models.running(session)
    if running is None:
        raise CompareFailed("no model runs that it could be compared with")
    messages = sum(_lines(path) for path in (shop.root / SETS).glob("*.tsv"))
    live = evaluate(shop, shop.garage.files.live, lambda done: teller.tell(COMPARE, done / messages / 2))
    mine = evaluate(shop, bundle, lambda done: teller.tell(COMPARE, 0.5 + done / messages / 2))
    if live["sha256"] != running.sha256:
        raise CompareFailed("the running model was replaced meanwhile")
    verdict = judge(live, mine, shop.garage.settings.rules)
    with shop.garage.bridge.transaction() as session:
        models.find(session, running.id).figures = live["figures"]
    return mine["figures"], _as_compared(verdict, running, shop.clock())


def _as_compared(verdict: Verdict, running: ModelVersion, now: datetime) -> dict[str, Any]:
    return {"with": running.name, "with_sha256": running.sha256, "at": now.isoformat(), **verdict.document()}


def evaluate(shop: Workshop, bundle: Bundle, done: Callable[[int], None] = lambda _count: None) -> dict[str, Any]:
    """Return the document of `bot.evaluation --json` for a model; what was measured once is not measured again.

    Raises:
        CompareFailed: if there is none.
    """
    folder = shop.root / EVALUATIONS
    path = folder / f"{bundle.sha256()[:24]}-{_reading(shop.root)[:12]}.json"
    if not path.is_file():
        asyncio.run(_evaluate(shop, bundle, path, done))
        for old in sorted(folder.glob("*.json"), key=lambda one: one.stat().st_mtime)[:-KEPT]:
            old.unlink(missing_ok=True)
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CompareFailed(f"no document of the evaluation: {error}") from error
    return found


async def _evaluate(shop: Workshop, bundle: Bundle, path: Path, done: Callable[[int], None]) -> None:
    command = (
        str(training.BOT_PYTHON), "-m", "bot.evaluation", "--json", str(path.resolve()), "--sets", str(SETS),
        "--models", str(bundle.archive.resolve()),
    )  # fmt: skip
    so_far: dict[str, int] = {}

    def heard(name: str, line: str) -> None:
        found = _READ.match(line)
        if found is None:
            shop.show(name, line)
            return
        so_far[found[1]] = int(found[2])
        done(sum(so_far.values()))

    try:
        running = await spawn("evaluate", command, training_environment(os.environ), heard, cwd=shop.root)
        try:
            code = await running.wait()
        finally:
            await running.stop()
    except OSError as error:
        raise CompareFailed(str(error)) from error
    if code:
        raise CompareFailed(f"the evaluation: {ended_by(code)}")


def _failed(shop: Workshop, model_id: int, bundle: Bundle, problem: BaseException) -> None:
    code = "training_failed" if isinstance(problem, training.TrainingFailed) else getattr(problem, "code", "ended")
    if not isinstance(problem, training.TrainingFailed | ModelError | KeyboardInterrupt | SystemExit):
        code = "export_failed" if not bundle.exists else "compare_failed"
    with shop.garage.bridge.transaction() as session:
        models.fail(models.find(session, model_id), code)
    bundle.remove()


def _reading(root: Path) -> str:
    digest = hashlib.sha256()
    for pattern in _READING:
        for path in sorted(root.glob(pattern)):
            if path.is_file():
                digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")
