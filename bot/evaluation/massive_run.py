"""The command of `make eval-massive`: our pipeline's intent part, trained and scored on MASSIVE zh-CN."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from sklearn.metrics import f1_score

from bot.components.encoders import Encoder, VectorCache, available
from bot.components.intent_model import IntentModel
from bot.components.linear_head import TooFewMessages
from bot.components.linear_intents import LinearIntentClassifier
from bot.language.normalise import reading_of

from .massive import MassiveError, Messages, load_massive

CONFIG = Path(__file__).resolve().parents[1] / "config.yml"
_CHUNK = 1000


@dataclass(frozen=True)
class MassiveResult:
    """Accuracy and macro F1 (over the intents of the test messages), numbers of messages, seconds, encoders."""

    accuracy: float
    macro_f1: float
    trained: int
    tested: int
    encoding_seconds: float
    fitting_seconds: float
    encoders: tuple[str, ...]


def settings(component: type, config: Path = CONFIG) -> dict[str, Any]:
    """Return the settings that a component of ours has in the configuration, its defaults filled in."""
    pipeline = yaml.safe_load(config.read_text(encoding="utf-8"))["pipeline"]
    named = f"{component.__module__}.{component.__name__}"
    written = next((each for each in pipeline if each["name"] == named), None)
    if written is None:
        raise MassiveError(f"{config.name} has no {named}")
    return {**component.get_default_config(), **written}


def score(train: Messages, test: Messages, encoders: Sequence[Encoder], show: Callable[[str], None]) -> MassiveResult:
    """Train on the one, read the other; nothing is rejected. Raises TooFewMessages."""
    head = settings(LinearIntentClassifier)
    cache = VectorCache(Path(head["cache"]) / "massive.sqlite")
    began = time.perf_counter()
    learn, ask = ([reading_of(text) for text in each.texts] for each in (train, test))
    vectors = [
        {name: part for each in encoders for name, part in each.split(_vectors(each, cache, readings, show)).items()}
        for readings in (learn, ask)
    ]
    encoded = time.perf_counter()
    show(f"fitting {len(learn)} messages of {len(set(train.intents))} intents")
    model = IntentModel.fit(learn, vectors[0], train.intents, head["c"], head["folds"])
    fitted = time.perf_counter()
    labels = sorted(set(test.intents))
    read = [model.head.intents[int(wishes.confidences.argmax())] for wishes in model.read(ask, vectors[1])]
    return MassiveResult(
        accuracy=float(np.mean(np.array(read) == np.array(test.intents))),
        macro_f1=float(f1_score(test.intents, read, labels=labels, average="macro", zero_division=0)),
        trained=len(learn),
        tested=len(ask),
        encoding_seconds=encoded - began,
        fitting_seconds=fitted - encoded,
        encoders=tuple(each.name for each in encoders),
    )


def main(arguments: Sequence[str]) -> int:
    """Train, read, print; return 1 and say why if that is not possible."""
    parser = argparse.ArgumentParser(prog="make eval-massive", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="TSV files with train and test in their names, or JSONL")
    try:
        train, test = load_massive(parser.parse_args(arguments).files)
        result = score(train, test, available(settings(LinearIntentClassifier)["encoders"]), _show)
    except (MassiveError, TooFewMessages) as failure:
        sys.stderr.write(f"eval-massive: {failure}\n")
        return 1
    sys.stdout.write(_said(result))
    return 0


def _said(result: MassiveResult) -> str:
    return (
        f"MASSIVE zh-CN, {result.trained} training and {result.tested} test messages, "
        f"encoders: {', '.join(result.encoders) or 'none'}\n"
        f"accuracy    {result.accuracy:.4f}\nmacro F1    {result.macro_f1:.4f}\n"
        f"seconds     {result.fitting_seconds:.1f} to fit, {result.encoding_seconds:.1f} to read and encode before "
        "(less when the vectors are cached)\n"
    )


def _vectors(encoder: Encoder, cache: VectorCache, readings: list[str], show: Callable[[str], None]) -> np.ndarray:
    parts = []
    for start in range(0, len(readings), _CHUNK):
        parts.append(cache.vectors(encoder, readings[start : start + _CHUNK]))
        show(f"{encoder.name}: {start + len(parts[-1])} of {len(readings)} messages encoded")
    return np.vstack(parts)


def _show(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
