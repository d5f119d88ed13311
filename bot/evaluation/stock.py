"""The stock pipeline of Rasa's documentation for Chinese, trained on our messages to be measured against."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .facts import MIB, ModelFacts

EPOCHS = 100
_NAME = "stock"
_NOTICE_EVERY = 30.0
_LAST_WORDS = 2000


class StockFailed(RuntimeError):
    """Rasa did not make a model of the stock pipeline."""


def stock_config(epochs: int) -> dict[str, Any]:
    """Return the configuration: words and character n-grams counted, DIET on top; nothing is rejected."""
    return {
        "recipe": "default.v1",
        "language": "zh",
        "pipeline": [
            {"name": "JiebaTokenizer"},
            {"name": "LexicalSyntacticFeaturizer"},
            {"name": "CountVectorsFeaturizer"},
            {"name": "CountVectorsFeaturizer", "analyzer": "char_wb", "min_ngram": 1, "max_ngram": 4},
            {"name": "DIETClassifier", "epochs": epochs, "constrain_similarities": True},
        ],
    }


def train_stock(data: Path, folder: Path, epochs: int, show: Callable[[str], None]) -> tuple[Path, ModelFacts]:
    """Train in an existing folder, with a cache of its own so that nothing is reused; return model and facts.

    Raises:
        StockFailed: if Rasa ends with an error or makes no model; its last words are in the message.
    """
    config, log = folder / "config.yml", folder / "training.log"
    config.write_text(json.dumps(stock_config(epochs)), encoding="utf-8")  # JSON is YAML
    began = time.monotonic()
    with log.open("wb") as output:
        training = subprocess.Popen(
            _command(config, data, folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "RASA_CACHE_DIRECTORY": str(folder / "cache")},
        )
        try:
            code = _wait(training, log, began, show)
        finally:
            training.kill()
            training.wait()
    made = folder / f"{_NAME}.tar.gz"
    if code or not made.exists():
        raise StockFailed(f"rasa train ended with exit code {code}:\n{_tail(log, _LAST_WORDS)}")
    seconds = time.monotonic() - began
    return made, ModelFacts(made.name, made.stat().st_size, seconds, _peak_mib(), training_forced=True)


def _command(config: Path, data: Path, folder: Path) -> list[str]:
    return [
        sys.executable, "-m", "rasa", "train", "nlu", "--config", str(config), "--nlu", str(data),
        "--out", str(folder), "--fixed-model-name", _NAME,
    ]  # fmt: skip


def _wait(training: subprocess.Popen[bytes], log: Path, began: float, show: Callable[[str], None]) -> int:
    while True:
        try:
            return training.wait(_NOTICE_EVERY)
        except subprocess.TimeoutExpired:
            show(f"stock: training for {time.monotonic() - began:.0f} s; {_last_state(log)}")


def _last_state(log: Path) -> str:
    # A progress bar draws over its line with carriage returns: the last state is what counts.
    return _tail(log, 500).replace("\r", "\n").rstrip().rpartition("\n")[2].strip()


def _tail(log: Path, size: int) -> str:
    return log.read_bytes()[-size:].decode("utf-8", errors="replace")


def _peak_mib() -> float:
    # The greatest of all processes that this one waited for; bytes on macOS, KiB elsewhere.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit / MIB
