"""The evaluation as a document for programs: every set is in it, and each message says what became of it."""

import hashlib
import json
from pathlib import Path
from typing import Any, Mapping

import pytest
from evaluation_kit import case

from bot.evaluation import command
from bot.evaluation.plain import document, read_places, read_questions

ROOT = Path(__file__).resolve().parents[2]
SETS = ROOT / "tests" / "nlu"


def answers(text: str) -> Mapping[str, Any]:
    hits = [{"id": "meter_blink", "score": 0.9}] if "灯" in text else []
    return {"knowledge": hits, "entities": [{"entity": "address", "value": "汉阳"}, {"entity": "period", "value": "x"}]}


def test_a_document_tells_what_became_of_each_message(tmp_path: Path) -> None:
    model = tmp_path / "some.tar.gz"
    model.write_bytes(b"model")
    rows = "表上灯一闪一闪\tmeter_blink,meter_other\n灯泡哪里买\t-\n表坏了\tmeter_other\n下雨吗\t-\n"
    (tmp_path / "knowledge.tsv").write_text(rows, encoding="utf-8")
    (tmp_path / "addresses.tsv").write_text('汉阳那套\t["汉阳"]\n武昌\t["武昌"]\n', encoding="utf-8")
    cases = [case("report_danger", "report_danger"), case("report_danger", "greet"), case("a+b", "b+a")]
    found = document(model, tmp_path, cases, ["validation"], answers)
    assert found["sha256"] == hashlib.sha256(b"model").hexdigest()
    assert set(found["figures"]) == {"validation", "all", "knowledge", "addresses"}
    keys = ("single", "right", "danger", "danger_read")
    assert [tuple(one[key] for key in keys) for one in found["messages"]["validation"]] == [
        (True, True, True, True), (True, False, True, False), (False, True, False, False),
    ]  # fmt: skip
    assert found["figures"]["validation"]["danger_recall"] == 0.5
    assert "median_ms" not in found["figures"]["validation"]
    assert [(one["known"], one["right"]) for one in found["messages"]["knowledge"]] == [
        (True, True), (False, False), (True, False), (False, True),
    ]  # fmt: skip
    assert found["figures"]["knowledge"] == {
        "messages": 4, "answered_right": 0.5, "answered_wrong": 0.0, "answered_in_vain": 0.5,
    }  # fmt: skip
    assert found["figures"]["addresses"] == {"messages": 2, "addresses_exact": 0.5}
    assert "表坏了" not in json.dumps(found, ensure_ascii=False)


def test_all_files_of_two_columns_are_read() -> None:
    questions, places = read_questions(SETS), read_places(SETS)
    assert {name: len(rows) for name, rows in questions.items()} == {"knowledge": 215, "knowledge_dev": 105}
    assert {name: len(rows) for name, rows in places.items()} == {"addresses": 555}
    assert questions["knowledge_dev"][1].ids == {"safety_leak_protector_use", "safety_leak_protector_test"}


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first messages of every set."""
    folder = tmp_path_factory.mktemp("sets")
    for path in SETS.glob("*.tsv"):
        lines = path.read_text(encoding="utf-8").splitlines()[:4]
        (folder / path.name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return folder


def test_the_evaluation_of_the_real_model_has_every_set(few: Path, tmp_path: Path) -> None:
    model, out = ROOT / "models" / "dianfu.tar.gz", tmp_path / "deep" / "figures.json"
    assert command.main(["--json", str(out), "--models", str(model), "--sets", str(few)]) == 0
    found = json.loads(out.read_text(encoding="utf-8"))
    assert found["model"] == "dianfu.tar.gz"
    assert found["sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    names = {path.stem for path in SETS.glob("*.tsv")}
    assert set(found["messages"]) == names
    assert set(found["figures"]) == names | {"all"}
    assert {len(rows) for rows in found["messages"].values()} == {4}
    assert found["figures"]["knowledge"]["answered_right"] > 0.5
    assert found["figures"]["addresses"]["addresses_exact"] > 0.5
    assert found["figures"]["validation"]["accuracy"] > 0.5
