"""Trains the model by Rasa's own `train`, into a folder aside, so that a failure leaves the old model.

What reviewers taught (`core.learning.export`) is trained along: `make train` takes what the running model was taught,
a candidate what is labelled now.
"""

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
from dataclasses import dataclass
from pathlib import Path

import yaml

from core.learning.export import KNOWLEDGE, MESSAGES
from ops.environment import training_environment
from ops.spawn import Show, ended_by, spawn

MODELS = Path("models")
MODEL_NAME = "dianfu"
RECORD = MODELS / f"{MODEL_NAME}.training.json"
BOT_PYTHON = Path(".venv-bot/bin/python")
DATA = ("data/nlu", "data/rules", "data/stories")
CONFIG = "bot/config.yml"
LEARNED = f"{MODEL_NAME}.learned"  # below models/: what the running model was taught
RETRIEVER = "bot.components.knowledge.KnowledgeRetriever"
NOTICE_EVERY = 10.0
# A pair of wishes (a+b) is learned from its two intents: one message of each pair is enough, whatever Rasa says.
_NOISE = re.compile(r"Intent '\w+\+\w+' has only \d+ training example")


class TrainingFailed(Exception):
    """Rasa ended without a model; the one that was there before still is."""


def models(root: Path) -> list[Path]:
    """Return the trained models, the newest last."""
    return sorted((root / MODELS).glob("*.tar.gz"), key=lambda path: path.stat().st_mtime)


@dataclass(frozen=True)
class Taught:
    """What is trained along with data/: a configuration that names the learned items, and folders of messages."""

    config: str = CONFIG
    data: tuple[str, ...] = ()


@dataclass(frozen=True)
class Built:
    """A model that was trained aside, the record of its cost, and how long it took."""

    model: Path
    record: Path
    seconds: float


def command(out: Path, *, force: bool, python: Path = BOT_PYTHON, taught: Taught | None = None) -> tuple[str, ...]:
    """Return the command that trains into the folder `out`, relative to the project's folder."""
    along = taught or Taught()
    words = (
        str(python), "-m", "rasa", "train", "--config", along.config, "--domain", "bot/domain",
        "--data", *DATA, *along.data, "--out", str(out), "--fixed-model-name", MODEL_NAME,
        "--skip-validation",  # `make lint` validates, with warnings as errors
    )  # fmt: skip
    return (*words, "--force") if force else words


async def train(root: Path, show: Show, *, force: bool = False, environment: Mapping[str, str] | None = None) -> float:
    """Train and put the new model in place; return the seconds it took.

    Raises:
        TrainingFailed: if Rasa ends with an error or makes no model.
    """
    aside, learned = root / MODELS / ".training", root / MODELS / LEARNED
    built = await build(root, aside, show, force=force, environment=environment, learned=learned)
    built.model.replace(root / MODELS / built.model.name)
    built.record.replace(root / RECORD)
    shutil.rmtree(aside, ignore_errors=True)
    return built.seconds


async def build(
    root: Path, aside: Path, show: Show, *, force: bool = False, environment: Mapping[str, str] | None = None,
    learned: Path | None = None,
) -> Built:  # fmt: skip
    """Train into the folder `aside` (below `root`; it is emptied first), with what lies in `learned`, if there is any.

    Raises:
        TrainingFailed: if Rasa ends with an error or makes no model; the folder is gone then.
    """
    if not (root / BOT_PYTHON).exists():
        raise TrainingFailed(f"{BOT_PYTHON} is missing: run `make setup`")
    stage = aside.with_name(aside.name + ".taught")
    for folder in (aside, stage):
        shutil.rmtree(folder, ignore_errors=True)
    began = time.monotonic()
    variables = training_environment(environment if environment is not None else os.environ)
    words = command(aside.relative_to(root), force=force, taught=_staged(root, stage, learned))
    running = await spawn("train", words, variables, _quieter(show), cwd=root)
    clock = asyncio.create_task(_tell_time(show, began))
    try:
        code = await running.wait()
    finally:
        clock.cancel()
        await running.stop()
        shutil.rmtree(stage, ignore_errors=True)
    made = aside / f"{MODEL_NAME}.tar.gz"
    if code != 0 or not made.exists():
        shutil.rmtree(aside, ignore_errors=True)
        raise TrainingFailed(f"rasa train: {ended_by(code)}" if code else "rasa train made no model")
    seconds = time.monotonic() - began
    record = aside / RECORD.name
    record.write_text(json.dumps(_cost(made, seconds, forced=force)) + "\n", encoding="utf-8")
    return Built(made, record, seconds)


def _staged(root: Path, stage: Path, learned: Path | None) -> Taught:
    """Put what was learned where its path is always the same, so that Rasa's cache knows what did not change."""
    if learned is None or not (learned / KNOWLEDGE).is_file():
        return Taught()
    data: tuple[str, ...] = ()
    for name in (MESSAGES, KNOWLEDGE):
        if (learned / name).is_file():
            (stage / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(learned / name, stage / name)
    if (stage / MESSAGES).is_file() and (yaml.safe_load((stage / MESSAGES).read_text(encoding="utf-8")) or {}).get(
        "nlu"
    ):
        data = (str((stage / MESSAGES).parent.relative_to(root)),)
    config = yaml.safe_load((root / CONFIG).read_text(encoding="utf-8"))
    for component in config["pipeline"]:
        if component["name"] == RETRIEVER:
            component["learned"] = str((stage / KNOWLEDGE).parent.relative_to(root))
    (stage / "config.yml").write_text(yaml.safe_dump(config, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return Taught(str((stage / "config.yml").relative_to(root)), data)


def _has_messages(path: Path) -> bool:
    """Tell whether a file of Rasa's form holds a message: Rasa does not like empty ones."""
    return path.is_file() and bool((yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("nlu"))


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
