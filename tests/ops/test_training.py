"""Training, with a small program in place of Rasa."""

import json
import os
import sys
from pathlib import Path

import pytest

from ops import training

# Stands where Rasa's Python stands; writes the model where `--out` and `--fixed-model-name` say.
RASA = """#!{python}
import os, sys
from pathlib import Path
words = sys.argv[1:]
print("Epochs 1/2\\rEpochs 2/2", flush=True)
print("variables", sorted(name for name in os.environ if name.startswith("DIANFU_")), flush=True)
out = Path(words[words.index("--out") + 1]); out.mkdir(parents=True)
if {succeeds}:
    (out / (words[words.index("--fixed-model-name") + 1] + ".tar.gz")).write_text(" ".join(words))
else:
    (out / "half.tar.gz").write_text("half a model")
    sys.exit({code})
"""


def put_rasa(root: Path, *, succeeds: bool, code: int = 1) -> None:
    program = root / training.BOT_PYTHON
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(RASA.format(python=sys.executable, succeeds=succeeds, code=code))
    program.chmod(0o755)
    (root / "models").mkdir(exist_ok=True)


async def test_the_model_is_put_in_place_and_rasas_lines_are_passed_on(tmp_path: Path) -> None:
    put_rasa(tmp_path, succeeds=True)
    lines: list[tuple[str, str]] = []
    seconds = await training.train(tmp_path, lambda name, line: lines.append((name, line)))
    assert seconds > 0
    assert [path.name for path in training.models(tmp_path)] == ["dianfu.tar.gz"]
    assert lines == [("train", "Epochs 2/2"), ("train", "variables []")]


async def test_training_is_asked_for_as_rasas_documentation_says(tmp_path: Path) -> None:
    put_rasa(tmp_path, succeeds=True)
    await training.train(tmp_path, lambda _name, _line: None, force=True)
    assert (tmp_path / "models/dianfu.tar.gz").read_text() == (
        "-m rasa train --config bot/config.yml --domain bot/domain --data data/nlu data/rules data/stories "
        "--out models/.training --fixed-model-name dianfu --skip-validation --force"
    )


async def test_the_cost_of_a_training_is_recorded_beside_its_model(tmp_path: Path) -> None:
    put_rasa(tmp_path, succeeds=True)
    program = tmp_path / training.BOT_PYTHON
    program.write_text(program.read_text().replace("import os, sys", "import os, sys; much = b'x' * (200 << 20)", 1))
    seconds = await training.train(tmp_path, lambda _name, _line: None, force=True)
    record = json.loads((tmp_path / "models/dianfu.training.json").read_text())
    peak = record.pop("peak_mib")
    size = (tmp_path / "models/dianfu.tar.gz").stat().st_size
    assert record == {"model": "dianfu.tar.gz", "bytes": size, "forced": True, "seconds": round(seconds, 1)}
    assert 200 < peak < 2000


@pytest.mark.parametrize(("code", "words"), [(1, "exit code 1"), (0, "made no model")])
async def test_a_failed_training_leaves_the_last_good_model(tmp_path: Path, code: int, words: str) -> None:
    put_rasa(tmp_path, succeeds=False, code=code)
    (tmp_path / "models/dianfu.tar.gz").write_text("good")
    (tmp_path / "models/dianfu.training.json").write_text("{}")
    with pytest.raises(training.TrainingFailed, match=words):
        await training.train(tmp_path, lambda _name, _line: None)
    assert (tmp_path / "models/dianfu.tar.gz").read_text() == "good"
    assert (tmp_path / "models/dianfu.training.json").read_text() == "{}"
    assert not (tmp_path / "models/.training").exists()


async def test_training_without_the_environment_of_rasa_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(training.TrainingFailed, match="make setup"):
        await training.train(tmp_path, lambda _name, _line: None)


async def test_a_long_training_says_how_long_it_has_been_at_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_rasa(tmp_path, succeeds=True)
    program = tmp_path / training.BOT_PYTHON
    program.write_text(program.read_text().replace("import os, sys", "import os, sys, time; time.sleep(0.5)", 1))
    monkeypatch.setattr(training, "NOTICE_EVERY", 0.1)
    lines: list[str] = []
    await training.train(tmp_path, lambda _name, line: lines.append(line))
    assert "... training for 0 s" in lines


def test_the_newest_model_is_the_last(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    for age, name in enumerate(("new", "old")):
        path = tmp_path / f"models/{name}.tar.gz"
        path.touch()
        os.utime(path, (1000 - age, 1000 - age))
    assert [path.name for path in training.models(tmp_path)] == ["old.tar.gz", "new.tar.gz"]
