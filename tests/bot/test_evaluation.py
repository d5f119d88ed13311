"""The evaluation's figures, on a handful of messages whose figures can be worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from evaluation_kit import case

from bot.evaluation.calibration import bins, calibration_error, outcomes
from bot.evaluation.cases import BadLine, Line, NoSets, read_lines, read_sets
from bot.evaluation.facts import ModelFacts, facts_of
from bot.evaluation.figures import (
    Score,
    confusions,
    entity_scores,
    figures_of,
    groups,
    intent_scores,
    percentile,
    ratio,
)
from bot.evaluation.matrix import TWO, matrix_counts, most_confused


def test_a_file_is_read_line_by_line_with_its_double_messages(tmp_path: Path) -> None:
    path = tmp_path / "some.tsv"
    path.write_text('"上月\tquery\t[]\n\n交了没\ta+b\t[{"entity": "amount", "value": "3.00"}]\n', encoding="utf-8")
    assert read_lines(path) == [
        Line('"上月', "query", []),
        Line("交了没", "a+b", [{"entity": "amount", "value": "3.00"}]),
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("嗯\tgreet", "2 columns"),
        ("嗯\tgreet\t[]\t1", "4 columns"),
        ("嗯\t\t[]", "no intent"),
        ("嗯\t greet\t[]", "no intent"),
        ("嗯\tgreet+\t[]", "half of a double one"),
        ("嗯\tgreet\t[", "not a JSON list"),
        ('嗯\tgreet\t[{"entity": "period"}]', "not a JSON list"),
        ("嗯\tgreet\t3", "not a JSON list"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "some.tsv"
    path.write_text(f"好\taffirm\t[]\n{line}\n", encoding="utf-8")
    with pytest.raises(BadLine, match=f"some.tsv line 2: .*{words}"):
        read_lines(path)


def test_every_file_of_three_columns_is_a_set_and_an_empty_one_too(tmp_path: Path) -> None:
    (tmp_path / "b.tsv").write_text("嗯\taffirm\t[]\n", encoding="utf-8")
    (tmp_path / "a.tsv").write_text("", encoding="utf-8")
    (tmp_path / "addresses.tsv").write_text('汉阳那套\t["汉阳"]\n', encoding="utf-8")
    assert read_sets(tmp_path) == {"a": [], "b": [Line("嗯", "affirm", [])]}


def test_a_folder_without_sets_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoSets, match="no .tsv file"):
        read_sets(tmp_path)


def test_accuracy_counts_a_rejected_message_as_wrong_and_leaves_double_ones_out() -> None:
    rejected = case("thank", "nlu_fallback", 0.8, ranking=[("greet", 0.2), ("thank", 0.1)])
    rejected_in_vain = case("thank", "nlu_fallback", 0.8, ranking=[("thank", 0.2), ("greet", 0.1)])
    figures = figures_of([case("greet", "greet"), rejected, rejected_in_vain, case("a+b", "a")])
    assert (figures["messages"], figures["accuracy"], figures["errors"]) == (4, 1 / 3, 3)
    assert (figures["single_error_share"], figures["error_share"]) == (2 / 3, 3 / 4)
    assert (figures["rejected"], figures["rejected_rightly"]) == (2, 1)


def test_macro_f1_is_the_mean_over_the_intents_that_messages_hold() -> None:
    figures = figures_of([case("a", "a"), case("a", "b"), case("b", "b"), case("b", "c")])
    # a: precision 1, recall 1/2, F1 2/3; b: 1 of 2 both ways, F1 1/2; c was only read.
    assert figures["macro_f1"] == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_danger_and_out_of_scope_are_counted_wherever_they_are_named() -> None:
    figures = figures_of(
        [
            case("report_danger", "report_danger"),
            case("report_danger", "report_outage"),
            case("report_outage", "report_danger"),
            case("greet", "report_danger+greet"),
            case("out_of_scope+pay_bill", "out_of_scope+pay_bill"),
            case("out_of_scope", "chitchat"),
        ]
    )
    assert (figures["danger_recall"], figures["danger_precision"]) == (1 / 2, 1 / 3)
    assert (figures["out_of_scope_recall"], figures["out_of_scope_precision"]) == (1 / 2, 1.0)
    assert figures["out_of_scope_f1"] == pytest.approx(2 / 3)


def test_a_double_message_is_right_in_either_order_and_in_order_only_in_one() -> None:
    double = [case("a+b", "a+b"), case("a+b", "b+a"), case("a+b", "a"), case("a+b", "a+c")]
    figures = figures_of([*double, case("a", "a+b"), case("a", "a")])
    assert (figures["double_messages"], figures["double_both"], figures["double_in_order"]) == (4, 2 / 4, 1 / 4)
    assert figures["single_as_double"] == 1
    assert figures["accuracy"] == 1 / 2


def test_entities_are_exact_when_each_is_there_as_often_as_it_should_be() -> None:
    ten, may = ("amount", "10.00"), ("period", "2026-05/2026-05")
    cases = [
        case("a", "a", entities=[ten, may], read=[may, ten]),
        case("a", "a", entities=[ten, ten], read=[ten]),
        case("a", "a", entities=[may], read=[("period", "2025-05/2025-05")]),
        case("a", "a", read=[ten]),
        case("a", "a"),
    ]
    figures = figures_of(cases)
    assert (figures["entity_messages"], figures["entities_exact"]) == (3, 1 / 3)
    assert (figures["plain_messages"], figures["entity_false_alarms"]) == (2, 1)
    assert entity_scores(cases) == [Score("amount", 3, 3, 2), Score("period", 2, 2, 1)]


def test_a_set_that_labels_no_entities_is_not_judged_by_them() -> None:
    labelled = case("a", "a", entities=[("phone", "1")], read=[("phone", "1")])
    figures = figures_of([labelled, case("a", "a", read=[("amount", "1.00")], name="variants")])
    assert (figures["plain_messages"], figures["entity_false_alarms"]) == (0, 0)


def test_variants_do_not_count_among_all() -> None:
    found = groups([case("a", "a"), case("a", "b", name="variants")], ["validation", "variants"])
    assert {name: len(cases) for name, cases in found.items()} == {"validation": 1, "variants": 1, "all": 1}


def test_calibration_error_is_the_weighed_distance_of_the_bins() -> None:
    results = [(0.95, True), (0.97, False), (0.5, True), (0.52, True)]
    # Bin 14 (0.933, 1]: confidence 0.96, right 1/2; bin 7 (0.467, 0.533]: confidence 0.51, right 1.
    assert calibration_error(results) == pytest.approx((2 * 0.46 + 2 * 0.49) / 4)
    assert [(each.count, each.accuracy) for each in bins(results)] == [(2, 1.0), (2, 0.5)]


def test_a_confidence_on_the_edge_belongs_to_the_lower_bin() -> None:
    found = bins([(0.0, False), (0.2, True), (1.0, True)], number=15)
    assert [round(each.high, 3) for each in found] == [0.067, 0.2, 1.0]


def test_calibration_takes_the_guess_before_rejection() -> None:
    rejected = case("thank", "nlu_fallback", 0.75, ranking=[("thank", 0.25), ("greet", 0.1)])
    assert outcomes([rejected, case("a+b", "b+a", 0.6)]) == [(0.25, True), (0.6, True)]
    assert rejected.second == ("thank", 0.25)


def test_the_second_intent_is_none_of_those_named() -> None:
    double = case("a+b", "a+b", 0.6, ranking=[("a+b", 0.6), ("a", 0.3), ("c", 0.1)])
    assert double.second == ("c", 0.1)
    assert case("a", "a").second == ("", 0.0)


def test_confusions_hold_right_readings_and_double_ones_in_the_order_of_the_label() -> None:
    cases = [case("a", "b"), case("a", "b"), case("a", "a"), case("a+b", "b+a"), case("a", "a+b")]
    assert confusions(cases) == {("a", "b"): 2, ("a", "a"): 1, ("a+b", "a+b"): 1, ("a", "a+b"): 1}
    counts = matrix_counts(cases)
    assert counts == {("a", "b"): 2, ("a", "a"): 1, ("a", TWO): 1}
    assert most_confused(counts) == [["a", "b", 2, "50%"], ["a", TWO, 1, "25%"]]


def test_nothing_gives_no_figures() -> None:
    figures = figures_of([])
    assert {key for key, value in figures.items() if value is not None} == {
        "messages", "errors", "rejected", "rejected_rightly", "double_messages", "single_as_double",
        "entity_messages", "plain_messages", "entity_false_alarms",
    }  # fmt: skip
    assert intent_scores([]) == []
    assert Score("a", 0, 0, 0).recall is None


def test_percentiles_and_ratios_of_little() -> None:
    assert [percentile([3.0, 1.0, 2.0], part) for part in (0.5, 0.95)] == [2.0, 3.0]
    assert percentile([1.0, 2.0], 0.5) == 1.0
    assert (ratio(0.1, 0.2), ratio(0.1, 0.0), ratio(None, 0.2)) == (0.5, None, None)


def test_the_cost_of_training_belongs_to_its_model_alone(tmp_path: Path) -> None:
    model, record = tmp_path / "dianfu.tar.gz", tmp_path / "dianfu.training.json"
    model.write_bytes(b"1234")
    assert facts_of(model) == ModelFacts("dianfu.tar.gz", 4)
    cost = {"model": "dianfu.tar.gz", "bytes": 4, "seconds": 51.2, "peak_mib": 1600.5, "forced": True}
    record.write_text(json.dumps(cost), encoding="utf-8")
    assert facts_of(model) == ModelFacts("dianfu.tar.gz", 4, 51.2, 1600.5, True)
    model.write_bytes(b"12345")
    assert facts_of(model) == ModelFacts("dianfu.tar.gz", 5)
    record.write_text("{", encoding="utf-8")
    assert facts_of(model) == ModelFacts("dianfu.tar.gz", 5)
