"""`dianfu model …`: the verdict on two evaluations, and the commands, with a small program in place of Rasa."""

from __future__ import annotations

import json
import shutil
import sys
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from core.db import Database
from core.learning.model_settings import compare_settings
from core.learning.tables import LearnedFaq, LearningItem, ModelVersion
from core.learning.verdict import Difference, NotComparable, judge, mcnemar
from core.migrations import upgrade
from ops.cli import app
from ops.training import BOT_PYTHON

ROOT = Path(__file__).parents[2]
RULES = compare_settings(ROOT / "data").rules
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
# Trains (the model's content are the words of the command), and evaluates: a model is as good as its folder's `good`.
PROGRAM = """#!{python}
import hashlib, json, sys
from pathlib import Path
words = sys.argv[1:]
if "train" in words:
    if Path("fails").exists(): sys.exit(3)
    out = Path(words[words.index("--out") + 1]); out.mkdir(parents=True)
    learned = sorted(str(p.read_text()) for p in Path("models").glob(".candidate.taught/*/*"))
    (out / "dianfu.tar.gz").write_text(" ".join(words) + "".join(learned))
else:
    if Path("no_figures").exists(): sys.exit(4)
    model = Path(words[words.index("--models") + 1]); out = Path(words[words.index("--json") + 1])
    with open("measured", "a") as file: file.write(model.name + "\\n")
    print("validation: 10 of 10 messages read", flush=True)
    right = 4 if Path("worse").exists() and "candidates" in str(model) else 10
    messages = [{{"key": str(n), "single": True, "right": n < right, "danger": n == 9, "danger_read": n < right,
                 "outside": False, "outside_read": False, "entities_right": True}} for n in range(10)]
    figures = {{"accuracy": right / 10, "danger_recall": float(right > 9), "entities_exact": 1.0, "ece": 0.01}}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({{"version": 1, "model": model.name, "figures": {{"validation": figures, "all": figures}},
        "messages": {{"validation": messages}}, "sha256": hashlib.sha256(model.read_bytes()).hexdigest()}}))
"""


def message(number: int, **more: Any) -> dict[str, Any]:
    return {"key": str(number), "single": True, "right": True, "danger": False, "danger_read": False,
            "outside": False, "outside_read": False, "entities_right": True} | more  # fmt: skip


def evaluation(messages: list[dict[str, Any]], **figures: float) -> dict[str, Any]:
    """A document of one set; what the figures say is what the messages say, unless told otherwise."""
    single = [one["right"] for one in messages if one["single"]]
    danger = [one["danger_read"] for one in messages if one["danger"]]
    counted = {"accuracy": sum(single) / len(single) if single else None, "entities_exact": 1.0,
               "danger_recall": sum(danger) / len(danger) if danger else None}  # fmt: skip
    found = counted | figures
    return {"figures": {"validation": found, "all": found}, "messages": {"validation": messages}}


def read(count: int, *wrong: int, **more: Any) -> list[dict[str, Any]]:
    return [message(number, right=number not in wrong, **more) for number in range(count)]


def found(before: dict[str, Any], after: dict[str, Any]) -> tuple[set[str], set[str]]:
    """The metrics that got worse, and better, in the one set (`all` has the same messages)."""
    verdict = judge(before, after, RULES)
    assert verdict.word == ("worse" if verdict.worse else "no_worse")
    worse, better = (
        {one.metric for one in side if one.set == "validation"} for side in (verdict.worse, verdict.better)
    )
    assert {one.metric for one in verdict.worse if one.set == "all"} == worse
    return worse, better


def test_the_same_answers_are_no_worse_and_no_better() -> None:
    document = evaluation(read(100, 3, 5), ece=0.02)
    assert found(document, deepcopy(document)) == (set(), set())


@pytest.mark.parametrize(
    ("count", "lost", "gained", "worse", "better"),
    [
        (73, 5, 0, False, False), (73, 6, 0, True, False), (700, 7, 0, False, False), (700, 8, 0, True, False),
        (700, 12, 5, False, False), (700, 13, 5, True, False), (3000, 14, 2, True, False), (3000, 12, 2, False, False),
        (700, 0, 8, False, True), (73, 0, 5, False, False), (3000, 2, 14, False, True),
    ],
)  # fmt: skip
def test_accuracy_may_lose_five_messages_or_a_point_unless_the_test_says_it_is_no_chance(
    count: int, lost: int, gained: int, worse: bool, better: bool
) -> None:
    before = evaluation(read(count, *range(gained)))
    after = evaluation(read(count, *range(gained, gained + lost)))
    assert found(before, after) == ({"accuracy"} if worse else set(), {"accuracy"} if better else set())


def test_mcnemar_is_the_exact_two_sided_binomial() -> None:
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(5, 5) == 1.0
    assert mcnemar(0, 5) == pytest.approx(2 / 32)
    assert mcnemar(6, 0) == pytest.approx(2 / 64)
    assert mcnemar(2, 12) == pytest.approx(2 * (1 + 14 + 91) / 2**14)


def test_a_single_message_of_danger_that_is_lost_is_too_much_though_others_are_gained() -> None:
    told = [message(n, danger=True, danger_read=n > 4) for n in range(100)]
    after = [message(n, danger=True, danger_read=n != 50) for n in range(100)]  # five gained, one lost
    assert found(evaluation(told), evaluation(after)) == ({"danger_recall"}, set())
    verdict = judge(evaluation(told), evaluation(after), RULES)
    assert verdict.worse[0] == Difference("validation", "danger_recall", 0.95, 0.99, "danger", lost=1, gained=5)
    gained = [message(n, danger=True, danger_read=True) for n in range(100)]
    assert found(evaluation(told), evaluation(gained)) == (set(), {"danger_recall"})


def test_out_of_scope_may_lose_two_messages_where_the_class_is_large_enough_to_judge() -> None:
    outside = [message(n, outside=True) for n in range(25)]
    assert found(evaluation(outside, out_of_scope_f1=0.9), evaluation(outside, out_of_scope_f1=0.82)) == (set(), set())
    assert found(evaluation(outside, out_of_scope_f1=0.9), evaluation(outside, out_of_scope_f1=0.81))[0] == {
        "out_of_scope_f1"
    }
    few = outside[:19]
    assert found(evaluation(few, out_of_scope_f1=0.9), evaluation(few, out_of_scope_f1=0.1)) == (set(), set())


def test_confidences_may_drift_by_a_point_in_sets_that_can_tell() -> None:
    many, few = read(200), read(199)
    assert found(evaluation(many, ece=0.02), evaluation(many, ece=0.03)) == (set(), set())
    assert found(evaluation(many, ece=0.02), evaluation(many, ece=0.031)) == ({"ece"}, set())
    assert found(evaluation(many, ece=0.02), evaluation(many, ece=0.005)) == (set(), {"ece"})
    assert found(evaluation(few, ece=0.02), evaluation(few, ece=0.1)) == (set(), set())


def test_double_messages_entities_knowledge_and_addresses_are_judged_too() -> None:
    def document(wrong: int) -> dict[str, Any]:
        double = [message(n, single=False, right=n >= wrong, entities_right=n >= wrong) for n in range(60)]
        asked = [{"key": str(n), "known": n < 30, "answered": True, "right": wrong <= n % 30} for n in range(60)]
        places = [{"key": str(n), "right": n >= wrong} for n in range(60)]
        figures = {"accuracy": None, "double_both": 1.0, "entities_exact": 1.0}
        return {"figures": {"validation_multi": figures, "knowledge": {"answered_right": 1.0, "answered_in_vain": 0.1},
                            "addresses": {"addresses_exact": 1.0}, "all": figures},
                "messages": {"validation_multi": double, "knowledge": asked, "addresses": places}}  # fmt: skip

    verdict = judge(document(0), document(6), RULES)
    assert {(one.set, one.metric, one.lost) for one in verdict.worse} == {
        ("validation_multi", "double_both", 6), ("validation_multi", "entities_exact", 6),
        ("all", "double_both", 6), ("all", "entities_exact", 6), ("addresses", "addresses_exact", 6),
        ("knowledge", "answered_right", 6), ("knowledge", "answered_in_vain", 6),
    }  # fmt: skip


def test_variants_are_judged_by_themselves_and_not_counted_twice() -> None:
    before, after = evaluation(read(100)), evaluation(read(100))
    for document, wrong in ((before, ()), (after, range(6))):
        document["messages"]["variants"] = read(100, *wrong)
        document["figures"]["variants"] = {"accuracy": 1 - len(wrong) / 100}
    assert [(one.set, one.metric) for one in judge(before, after, RULES).worse] == [("variants", "accuracy")]


@pytest.mark.parametrize("change", ["sets", "messages", "nothing"])
def test_evaluations_of_other_messages_are_not_compared(change: str) -> None:
    before, after = evaluation(read(10)), evaluation(read(10))
    if change == "sets":
        after["messages"]["more"] = []
    elif change == "messages":
        after["messages"]["validation"].reverse()
    else:
        after = {}
    with pytest.raises(NotComparable):
        judge(before, after, RULES)


def test_everything_that_is_judged_has_a_name() -> None:
    settings = compare_settings(ROOT / "data")
    files = {path.stem for path in (ROOT / "tests" / "nlu").glob("*.tsv")}
    assert set(settings.sets) == files | {"all"}
    assert set(settings.why) == {"mcnemar", "drop", "danger", "figure"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder with a running model, the program, and one validation set; data is our own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIANFU_ROOT", str(tmp_path))
    monkeypatch.setenv("DIANFU_DATA_DIR", str(ROOT / "data"))
    for name in ("bridge", "workorder", "billing"):
        monkeypatch.setenv(f"DIANFU_{name.upper()}_URL", f"sqlite:///{tmp_path / name}.db")
    program = tmp_path / BOT_PYTHON
    program.parent.mkdir(parents=True)
    program.write_text(PROGRAM.format(python=sys.executable))
    program.chmod(0o755)
    for folder in ("models", "bot", "tests/nlu"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / "bot" / "config.yml", tmp_path / "bot" / "config.yml")
    (tmp_path / "tests/nlu/validation.tsv").write_text("上月电费\tquery_bill\t[]\n" * 10, encoding="utf-8")
    (tmp_path / "models/dianfu.tar.gz").write_text("the first model")
    bridge = Database(f"sqlite:///{tmp_path / 'bridge'}.db")
    upgrade("bridge", bridge)
    _label(bridge)
    bridge.dispose()
    return tmp_path


def _label(bridge: Database) -> None:
    item = LearningItem(
        conversation_id="talk", seq=1, at=NOW, channel="web", text="么样我这灯泡子一哈亮一哈不亮", harm=1.0, parts={},
        reasons=["unanswered"], state="labelled", label="report_fault",
    )  # fmt: skip
    answer = LearnedFaq(
        key="learned_green_power", question="绿电要到哪里认购", answer="绿电在电力交易平台认购，个人暂时只能买绿证。",
        also=["个人想买风电找谁", "公司采购绿色电力的门路", "绿证和绿电买哪样划算"], region="hubei", source="公告",
        month="2026-10", status="verified", state="ready", author_id=1, edited_by=1, version=1, at=NOW,
    )  # fmt: skip
    with bridge.transaction() as session:
        session.add_all([item, answer])


def model(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["model", *words])
    return done.exit_code, done.output


def states(project: Path) -> list[str]:
    bridge = Database(f"sqlite:///{project / 'bridge'}.db")
    with bridge.reading() as session:
        found = [row.state for row in session.query(ModelVersion).order_by(ModelVersion.id)]
    bridge.dispose()
    return found


def test_a_candidate_is_trained_with_what_was_learned_compared_promoted_and_rolled_back(project: Path) -> None:
    code, said = model("train")
    assert code == 0, said
    assert "1 messages, 1 answers learned  no_worse" in said
    live = project / "models/dianfu.tar.gz"
    assert live.read_text() == "the first model"
    code, said = model("promote")
    assert (code, "runs; the bot takes it within seconds" in said) == (0, True), said
    trained = live.read_text()
    assert "--config models/.candidate.taught/config.yml" in trained
    assert "--data data/nlu data/rules data/stories models/.candidate.taught/nlu --out" in trained
    assert "么样我这灯泡子一哈亮一哈不亮" in trained
    taught = yaml.safe_load((project / "models/dianfu.learned/knowledge/learned.yaml").read_text(encoding="utf-8"))
    assert [one["id"] for one in taught["items"]] == ["learned_green_power"]
    code, said = model("rollback")
    assert (code, live.read_text()) == (0, "the first model"), said
    assert not (project / "models/dianfu.learned/knowledge/learned.yaml").exists()
    assert states(project) == ["running", "retired"]
    code, said = model("list")
    assert [line.split()[1] for line in said.splitlines()] == ["running", "retired"]


def test_the_configuration_of_a_candidate_names_what_was_learned(project: Path) -> None:
    program = project / BOT_PYTHON
    shown = '    learned = [Path(words[words.index("--config") + 1]).read_text()] or ('
    program.write_text(program.read_text().replace("    learned = sorted(", shown, 1))
    assert model("train", "--no-compare")[0] == 0
    (path,) = (project / "models/candidates").glob("*.tar.gz")
    config = yaml.safe_load(path.read_text().partition("--skip-validation")[2])
    learned = {one["name"]: one.get("learned") for one in config["pipeline"]}
    assert learned["bot.components.knowledge.KnowledgeRetriever"] == "models/.candidate.taught/knowledge"
    assert config["policies"] == yaml.safe_load((ROOT / "bot/config.yml").read_text(encoding="utf-8"))["policies"]
    assert not (project / "models/.candidate.taught").exists()


def test_what_got_worse_is_named_and_not_promoted(project: Path) -> None:
    (project / "worse").touch()
    code, said = model("train")
    assert code == 0, said
    assert "worse: validation  用电危险不漏  1.0000 -> 0.0000  (1 lost, 0 gained, danger)" in said
    code, said = model("promote")
    assert (code, "refused (got_worse)" in said) == (1, True), said
    assert (project / "models/dianfu.tar.gz").read_text() == "the first model"
    assert states(project) == ["running", "candidate"]


def test_the_running_model_is_measured_once(project: Path) -> None:
    model("train")
    model("train")
    measured = (project / "measured").read_text().splitlines()
    assert measured.count("dianfu.tar.gz") == 1
    (project / "tests/nlu/validation.tsv").write_text("换了\tquery_bill\t[]\n" * 10, encoding="utf-8")
    assert model("compare")[0] == 0
    assert (project / "measured").read_text().splitlines().count("dianfu.tar.gz") == 2


def test_without_validation_sets_nothing_is_compared_or_promoted(project: Path) -> None:
    shutil.rmtree(project / "tests")
    code, said = model("train")
    assert (code, "has no validation sets" in said) == (0, True), said
    assert "error: no_sets" in said
    code, said = model("compare")
    assert (code, "refused (no_sets)" in said) == (1, True), said
    code, said = model("promote")
    assert (code, "refused (not_compared)" in said) == (1, True), said


def test_a_training_that_fails_leaves_nothing_but_its_row(project: Path) -> None:
    (project / "fails").touch()
    code, said = model("train")
    assert (code, "training failed: rasa train: exit code 3" in said) == (5, True), said
    assert states(project) == ["running", "failed"]
    assert [path.name for path in (project / "models/candidates").iterdir()] == []


def test_a_candidate_that_could_not_be_measured_stays_and_can_be_compared_later(project: Path) -> None:
    (project / "no_figures").touch()
    code, said = model("train")
    assert (code, "error: compare_failed" in said) == (0, True), said
    assert model("promote")[0] == 1
    (project / "no_figures").unlink()
    code, said = model("compare")
    assert (code, said.splitlines()[-1].endswith(": no_worse")) == (0, True), said
    assert model("promote")[0] == 0


def test_a_second_training_is_refused_and_a_name_that_is_none_too(project: Path) -> None:
    from core.learning.model_files import ModelFiles

    with ModelFiles(project / "models").training():
        code, said = model("train")
    assert (code, "is being trained already" in said) == (1, True), said
    code, said = model("promote", "dianfu-20200101-000000")
    assert (code, "refused (no_such_model)" in said) == (1, True), said
    code, said = model("rollback")
    assert (code, "refused (nothing_before)" in said) == (1, True), said


def test_training_by_hand_keeps_what_the_running_model_was_taught(project: Path) -> None:
    model("train")
    model("promote")
    assert CliRunner().invoke(app, ["train"]).exit_code == 0
    words = (project / "models/dianfu.tar.gz").read_text()
    assert "--config models/.training.taught/config.yml" in words
    code, said = model("list")
    assert [line.split()[1] for line in said.splitlines()] == ["retired", "retired", "running"], said
    assert json.loads((project / "models/dianfu.training.json").read_text())["model"] == "dianfu.tar.gz"
