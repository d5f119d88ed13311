"""Trains the model by Rasa's own `train`, into a folder aside, so that a failure leaves the old model."""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from ops.environment import training_environment
from ops.spawn import Show, ended_by, spawn

MODELS = Path("models")
MODEL_NAME = "dianfu"
RECORD = MODELS / f"{MODEL_NAME}.training.json"
BOT_PYTHON = Path(".venv-bot/bin/python")
DATA = ("data/nlu", "data/rules", "data/stories")
NOTICE_EVERY = 10.0
# A pair of wishes (a+b) is learned from its two intents: one message of each pair is enough, whatever Rasa says.
_NOISE = re.compile(r"Intent '\w+\+\w+' has only \d+ training example")


class TrainingFailed(Exception):
    """Rasa ended without a model; the one that was there before still is."""


def models(root: Path) -> list[Path]:
    """Return the trained models, the newest last."""
    return sorted((root / MODELS).glob("*.tar.gz"), key=lambda path: path.stat().st_mtime)


def command(out: Path, *, force: bool, python: Path = BOT_PYTHON) -> tuple[str, ...]:
    """Return the command that trains into the folder `out`, relative to the project's folder."""
    words = (
        str(python), "-m", "rasa", "train", "--config", "bot/config.yml", "--domain", "bot/domain",
        "--data", *DATA, "--out", str(out), "--fixed-model-name", MODEL_NAME,
        "--skip-validation",  # `make lint` validates, with warnings as errors
    )  # fmt: skip
    return (*words, "--force") if force else words


async def train(root: Path, show: Show, *, force: bool = False, environment: Mapping[str, str] | None = None) -> float:
    """Train and put the new model in place; return the seconds it took.

    Raises:
        TrainingFailed: if Rasa ends with an error or makes no model.
    """
    if not (root / BOT_PYTHON).exists():
        raise TrainingFailed(f"{BOT_PYTHON} is missing: run `make setup`")
    aside = root / MODELS / ".training"
    shutil.rmtree(aside, ignore_errors=True)
    began = time.monotonic()
    variables = training_environment(environment if environment is not None else os.environ)
    running = await spawn("train", command(aside.relative_to(root), force=force), variables, _quieter(show), cwd=root)
    clock = asyncio.create_task(_tell_time(show, began))
    try:
        code = await running.wait()
    finally:
        clock.cancel()
        await running.stop()
    made = aside / f"{MODEL_NAME}.tar.gz"
    if code != 0 or not made.exists():
        shutil.rmtree(aside, ignore_errors=True)
        raise TrainingFailed(f"rasa train: {ended_by(code)}" if code else "rasa train made no model")
    seconds = time.monotonic() - began
    record = aside / RECORD.name
    record.write_text(json.dumps(_cost(made, seconds, forced=force)) + "\n", encoding="utf-8")
    made.replace(root / MODELS / made.name)
    record.replace(root / RECORD)
    shutil.rmtree(aside, ignore_errors=True)
    return seconds


def _cost(model: Path, seconds: float, *, forced: bool) -> dict[str, str | int | float | bool]:
    """Return what `make eval` reports of a training; name and bytes tell which model it is about."""
    # The greatest memory of any process that this one has waited for; bytes on macOS, KiB elsewhere.
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit / (1024 * 1024)
    return {
        "model": model.name, "bytes": model.stat().st_size, "forced": forced,
        "seconds": round(seconds, 1), "peak_mib": round(peak, 1),
    }  # fmt: skip


def _quieter(show: Show) -> Show:
    def show_some(name: str, line: str) -> None:
        if not _NOISE.search(line):
            show(name, line)

    return show_some


async def _tell_time(show: Show, began: float) -> None:
    while True:
        await asyncio.sleep(NOTICE_EVERY)
        show("train", f"... training for {time.monotonic() - began:.0f} s")
