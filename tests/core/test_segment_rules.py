"""The business rules of segments and tags: for one account and for many they say the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from core.portrait.catalogue import Catalogue
from core.portrait.frame import Frame
from core.portrait.tables import FEATURES
from core.segment.classify import classify, in_words, leaves
from core.segment.method import Segmentation
from core.segment.names import cut, segments_of, tags_of
from core.segment.rules import CLASSES, BadSegmentData, load_rules
from core.segment.tables import BASIC, GROWTH, HIGH_RISK, HIGH_VALUE, SEGMENTS, SPECIAL

ROOT = Path(__file__).parents[2]
DATA = ROOT / "data" / "segments"
KNOWN = Segmentation.load(DATA)
RULES = KNOWN.rules
CUT = {"fee_year:top:0.2": 10_000.0}
WORDS = {
    "user_class": [*KNOWN.classes, None], "pay_channel": ["bank", "hall", "wechat", None],
    "area_class": ["city", "rural", "remote"], "customer_kind": ["person", "organisation"],
    "thin": [None, None, None, "new", "vacant", "gaps"],
}  # fmt: skip
TREE: dict[str, Any] = {
    "classes": {
        "residential": {
            "feature": "kwh_year", "at_most": 300.0, "unknown": "right",
            "left": {"cluster": 1, "accounts": 10, "share": 0.1, "purity": 1.0},
            "right": {"cluster": 0, "accounts": 70, "share": 0.7, "purity": 0.98},
        },
        "commercial": {
            "feature": "peak_share", "at_most": None, "unknown": "right",
            "left": {"cluster": 2, "accounts": 15, "share": 0.15, "purity": 1.0},
            "right": {"cluster": 3, "accounts": 5, "share": 0.05, "purity": 1.0},
        },
    },
    "else": "residential",
}  # fmt: skip


def segment_of(**values: Any) -> str:
    return RULES.segment_of(values, CUT)[0]


def random_accounts(count: int) -> Frame:
    """Accounts with values near the limits of the rules, many of them unknown."""
    rng = np.random.default_rng(5)
    limits = [0.0, 1.0, 0.2, 0.3, 0.5, 0.6, 0.8, 0.95, 3.0, 6.0, 30.0, 31.0, 240.0, 600.0, 9_999.0, 10_000.0, 20_000.0]
    values = rng.choice(np.array([*limits, np.nan], dtype=np.float32), size=(count, len(FEATURES)))
    for name in ("low_income", "special_need", "violations", "late_count", "overdue_yuan", "sudden_drop"):
        values[rng.random(count) < 0.8, FEATURES.index(name)] = 0.0  # else all are at risk
    extra = {name: [words[one] for one in rng.integers(len(words), size=count)] for name, words in WORDS.items()}
    return Frame(np.arange(count), values, FEATURES, extra)


def test_who_fits_several_segments_belongs_to_the_first() -> None:
    everything = {"low_income": 1.0, "late_count": 5.0, "fee_year": 50_000.0, "has_ev": 1.0}
    assert segment_of(**everything) == SPECIAL
    assert segment_of(**everything | {"low_income": 0.0}) == HIGH_RISK
    assert segment_of(**everything | {"low_income": 0.0, "late_count": 0.0}) == HIGH_VALUE
    assert segment_of(has_ev=1.0, fee_year=900.0) == GROWTH
    assert segment_of(fee_year=900.0) == BASIC


def test_what_is_not_known_never_speaks_against_somebody() -> None:
    assert segment_of() == BASIC
    assert segment_of(fee_year=20_000.0) == HIGH_VALUE  # nothing is known of how it is paid
    assert segment_of(overdue_days=40.0) == BASIC  # late, but nothing is owed


def test_a_home_that_uses_less_is_not_at_risk_for_it_and_a_factory_is() -> None:
    assert segment_of(sudden_drop=0.9, user_class="residential") == BASIC
    assert segment_of(sudden_drop=0.9, user_class="industrial") == HIGH_RISK


def test_settled_arrears_leave_what_has_nothing_to_do_with_money() -> None:
    owing = {"late_count": 6.0, "overdue_days": 90.0, "overdue_yuan": 800.0, "fee_year": 20_000.0, "on_time_rate": 1.0}
    assert RULES.segment_of(owing, CUT)[0] == HIGH_RISK
    assert RULES.segment_of(owing, CUT, settled=True)[0] == HIGH_VALUE
    assert RULES.segment_of(owing | {"violations": 1.0}, CUT, settled=True)[0] == HIGH_RISK


def test_one_account_and_many_are_judged_alike() -> None:
    frame = random_accounts(800)
    segments, tags = segments_of(frame, RULES, CUT), tags_of(frame, RULES, CUT)
    for place in range(len(frame)):
        values: dict[str, Any] = {
            name: None if np.isnan(value) else float(np.float64(str(value)))
            for name, value in zip(FEATURES, frame.values[place], strict=True)
        } | {name: frame.extra[name][place] for name in CLASSES}
        assert RULES.segment_of(values, CUT)[0] == segments[place]
        assert RULES.tags_of(values, CUT) == tags[place]
    assert set(segments.tolist()) == set(SEGMENTS)


def test_the_cut_of_the_highest_fifth_takes_in_whoever_stands_on_it() -> None:
    values = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9.1, 10, np.nan], dtype=np.float32)
    found = cut(values, 0.2)
    assert found is not None
    assert [bool(one >= found) for one in (7.0, 8.0, 9.1, 10.0)] == [False, False, True, True]
    assert cut(np.array([np.nan], dtype=np.float32), 0.2) is None


def test_if_more_are_alike_than_the_share_allows_only_those_above_them_are_the_highest() -> None:
    alike = np.full(30, 1200.0, dtype=np.float32)
    assert cut(alike, 0.2) is None  # nobody stands out
    alike[:3] = 5000.0
    found = cut(alike, 0.2)
    assert found is not None
    assert (alike >= found).sum() == 3


def test_a_hair_below_a_bound_is_below_it_for_one_account_and_for_many() -> None:
    """Single precision would round 0.2 less a hair up to 0.2: the board would then find no reason for the segment."""
    hair = float(np.nextafter(0.2, 0))
    values = np.full((2, len(FEATURES)), np.nan)
    for row, growth in enumerate((0.2, hair)):
        values[row, [FEATURES.index("kwh_growth"), FEATURES.index("kwh_year")]] = growth, 900.0
    frame = Frame(np.arange(2), values, FEATURES, {name: [None, None] for name in CLASSES})
    assert segments_of(frame, RULES, CUT).tolist() == [GROWTH, BASIC]
    assert [segment_of(kwh_growth=one, kwh_year=900.0) for one in (0.2, hair)] == [GROWTH, BASIC]


def test_every_tag_has_a_name_and_a_reason_and_conditions() -> None:
    assert all(tag.name and tag.why and tag.ways for tag in RULES.tags)
    assert len({tag.name for tag in (*RULES.tags, *RULES.of_events)}) == len(RULES.tags) + len(RULES.of_events)
    assert RULES.name_of("high_risk") == "高风险客户"
    assert RULES.name_of("of_long_ago") == "of_long_ago"


@pytest.mark.parametrize(
    ("part", "wrong"),
    [
        ("feature", {"feature": "profile", "min": 1}),
        ("bound", {"feature": "kwh_year"}),
        ("class", {"feature": "kwh_year", "in": ["a"]}),
    ],
)
def test_a_condition_that_makes_no_sense_is_refused_and_named(tmp_path: Path, part: str, wrong: Any) -> None:
    for name in ("segments.yaml", "tags.yaml"):
        tree = yaml.safe_load((DATA / name).read_text(encoding="utf-8"))
        if name == "tags.yaml":
            tree["tags"][0]["all"] = [wrong]
        (tmp_path / name).write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")
    with pytest.raises(BadSegmentData, match=r"tags\.0\.all"):
        load_rules(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSegmentData, match=r"segments\.yaml"):
        load_rules(tmp_path)


def test_the_tree_puts_an_account_into_a_cluster_and_says_the_way() -> None:
    assert classify(TREE, {"user_class": "residential", "kwh_year": 300.0}).cluster == 1
    assert classify(TREE, {"user_class": "residential", "kwh_year": 301.0}).cluster == 0
    assert classify(TREE, {"user_class": "residential", "kwh_year": None}).cluster == 0
    assert classify(TREE, {"user_class": "commercial", "peak_share": 0.3}).cluster == 2
    assert classify(TREE, {"user_class": "commercial"}).cluster == 3
    assert classify(TREE, {"user_class": "unheard_of", "kwh_year": 5.0}).cluster == 1
    assert sum(leaf.share for leaf in leaves(TREE)) == pytest.approx(1)


def test_the_tree_in_words_has_a_sentence_for_each_leaf_the_largest_first() -> None:
    labels = {one.key: (one.name, one.unit) for one in Catalogue.load().features}
    names = ["居民·一般", "居民·用电少", "商业·分时", "商业·一般"]
    lines = in_words(TREE, words=KNOWN.words, labels=labels, classes=KNOWN.classes, names=names)
    assert lines[0] == (
        "若用电类别是居民，且年用电量超过300千瓦时（或没有这项数据），归第1群“居民·一般”（占70.0%，纯度98.0%）"
    )
    assert "有尖峰电量占比数据" in lines[1]
    assert "没有尖峰电量占比数据" in lines[3]


def test_what_the_bridge_asks_brings_neither_numpy_nor_scikit_learn() -> None:
    """Start-up time and memory of the processes that answer customers."""
    code = (
        "import sys, core.segment.standing, core.segment.events, core.segment.watch, core.segment.classify;"
        "sys.exit(bool({'numpy', 'sklearn', 'scipy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=60).returncode == 0
