"""What the evaluation writes, and what its commands say when they cannot."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from evaluation_kit import case

from bot.evaluation import __main__ as entry
from bot.evaluation import command
from bot.evaluation.cases import Case
from bot.evaluation.facts import ModelFacts
from bot.evaluation.matrix import matrix, matrix_counts
from bot.evaluation.reader import NoModel, newest_model
from bot.evaluation.report import report
from bot.evaluation.results import Run, aligned, comparison_rows, cost_lines, figure_rows, write_csv
from bot.evaluation.stock import StockFailed, stock_config, train_stock

SCRIPT = "<script>alert('电')</script> & \"so\""


def run(*cases: Case, pipeline: str = "ours") -> Run:
    return Run(
        pipeline, ("validation", "variants"), list(cases), ModelFacts("dianfu.tar.gz", 5 << 20, 51.2, 1600.0, True)
    )


@pytest.fixture
def measured() -> Run:
    return run(
        case("query_bill", "query_bill", 0.91, entities=[("period", "2026-10/2026-10")]),
        case("query_bill", "pay_bill", 0.5, text=SCRIPT, ranking=[("pay_bill", 0.5), ("query_bill", 0.3)]),
        case("query_bill+pay_bill", "pay_bill+query_bill", 0.7, text="多少，我交了"),
        case("query_bill", "nlu_fallback", 0.8, text="点费", ranking=[("pay_bill", 0.2)], name="variants"),
    )


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_a_message_with_markup_stays_text(measured: Run) -> None:
    page = report([measured])
    assert "<script" not in page
    assert "&lt;script&gt;alert(&#x27;电&#x27;)&lt;/script&gt; &amp; &quot;so&quot;" in page


def test_the_report_needs_nothing_from_outside(measured: Run) -> None:
    page = report([measured, measured])
    assert page.startswith("<!doctype html>")
    assert [word for word in ("http", "src=", "url(", "@import", "<link") if word in page] == []
    assert page.count("<svg") == page.count("</svg>") == 2
    assert page.count("<table") == page.count("</table>")


def test_the_report_tells_the_errors_the_surest_first(measured: Run) -> None:
    page = report([measured]).partition("<h2>Errors (2)")[2].partition("<h2>")[0]
    assert page.index("alert") < page.index("点费")
    assert "0.500" in page


@pytest.mark.parametrize("sets", [(), ("validation", "variants")])
def test_a_report_is_written_of_nothing(tmp_path: Path, sets: tuple[str, ...]) -> None:
    nothing = Run("ours", sets, [], ModelFacts("dianfu.tar.gz", 0))
    assert "Errors (0)" in report([nothing, nothing])
    write_csv([nothing], tmp_path)
    assert [row["messages"] for row in read_csv(tmp_path / "summary.csv")] == ["0"] * (len(sets) + 1)
    assert read_csv(tmp_path / "messages.csv") == read_csv(tmp_path / "confusions.csv") == []


def test_the_matrix_of_errors_leaves_faultless_intents_out() -> None:
    counts = matrix_counts([case("a", "a"), case("b", "b"), case("b", "c"), case("b", "nlu_fallback")])
    short, whole = matrix(counts, only_errors=True), matrix(counts, only_errors=False)
    assert "<th>a</th>" not in short
    assert "<th></th><th>b</th><th>c</th><th>nlu_fallback</th>" in short
    assert 'title="b read as c: 1 of 3">1</td>' in short
    assert whole.count("<tr><th>") == 3


def test_files_hold_every_message_figure_and_confusion(tmp_path: Path, measured: Run) -> None:
    write_csv([measured], tmp_path)
    messages = read_csv(tmp_path / "messages.csv")
    assert [row["right"] for row in messages] == ["1", "0", "1", "0"]
    assert messages[1] == {
        "pipeline": "ours", "set": "validation", "text": SCRIPT, "intent": "query_bill", "read": "pay_bill",
        "confidence": "0.5", "second": "query_bill", "second_confidence": "0.3", "right": "0", "entities": "[]",
        "entities_read": "[]", "milliseconds": "10.0",
    }  # fmt: skip
    assert messages[0]["entities"] == '[["period", "2026-10/2026-10"]]'
    summary = {row["set"]: row for row in read_csv(tmp_path / "summary.csv")}
    assert list(summary) == ["validation", "variants", "all"]
    assert (summary["all"]["messages"], summary["all"]["accuracy"]) == ("3", "0.5")
    assert (summary["all"]["model_bytes"], summary["all"]["training_seconds"]) == (str(5 << 20), "51.2")
    assert {"pipeline": "ours", "set": "variants", "intent": "query_bill", "read": "nlu_fallback", "messages": "1"} in (
        read_csv(tmp_path / "confusions.csv")
    )


def test_the_printed_table_has_a_column_for_each_set_and_all(measured: Run) -> None:
    lines = aligned(figure_rows(measured)).splitlines()
    assert lines[0].split() == ["validation", "variants", "all"]
    assert lines[2] == "accuracy, messages of one intent               50.0%      0.0%   50.0%"
    assert cost_lines(measured.facts)[1:] == [("size", "5.0 MiB"), ("training", "51 s, at most 1600 MiB")]


def test_both_pipelines_are_compared_by_their_errors(measured: Run) -> None:
    stock = run(*(case("a", "b") for _ in range(3)), case("a", "a", name="variants"), pipeline="stock")
    assert comparison_rows(measured, stock) == [
        ["", "validation", "variants", "all"],
        ["error rate of ours, messages of one intent", "50.0%", "100.0%", "50.0%"],
        ["error rate of stock, messages of one intent", "100.0%", "0.0%", "100.0%"],
        ["  ours / stock", "0.50", "–", "0.50"],
        ["error rate of ours, all messages", "33.3%", "100.0%", "33.3%"],
        ["error rate of stock, all messages", "100.0%", "0.0%", "100.0%"],
        ["  ours / stock", "0.33", "–", "0.33"],
    ]


def test_the_stock_pipeline_is_that_of_rasas_documentation() -> None:
    assert [part["name"] for part in stock_config(100)["pipeline"]] == [
        "JiebaTokenizer", "LexicalSyntacticFeaturizer", "CountVectorsFeaturizer", "CountVectorsFeaturizer",
        "DIETClassifier",
    ]  # fmt: skip
    assert stock_config(7)["pipeline"][-1]["epochs"] == 7


def test_a_stock_training_that_fails_says_what_rasa_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho no data in $8 >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(program))
    with pytest.raises(StockFailed, match="exit code 3:\nno data in somewhere"):
        train_stock(Path("somewhere"), tmp_path, 1, print)


def test_no_model_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(NoModel, match="run make train"):
        newest_model(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "no .tsv file"), ("嗯\taffirm\t[]\n嗯\n", "some.tsv line 2"), ("嗯\taffirm\t[]\n", "run make train")],
)
def test_the_command_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, words: str
) -> None:
    if content:
        (tmp_path / "some.tsv").write_text(content, encoding="utf-8")
    folder = str(tmp_path)
    assert command.main(["--sets", folder, "--models", folder, "--results", str(tmp_path / "results")]) == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def test_both_commands_are_found_by_their_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(entry, "_hush", lambda: None)
    assert entry.run(["massive"]) == 1
    assert entry.run(["--sets", str(tmp_path)]) == 1
    assert [line.partition(":")[0] for line in capsys.readouterr().err.splitlines()] == ["eval-massive", "eval"]


def test_the_command_takes_no_epochs_below_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["--stock", "--epochs", "0"])
    assert "not a whole number above zero" in capsys.readouterr().err
