"""Service fitted to the segment: what each is given, of whom too little is known, and what the file may not say."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import yaml

from core.fitting import NOBODY, BadFitting, Fitting, fitting
from core.handoff.book import Book
from core.segment.standing import AccountStanding, Standing
from core.segment.tables import SEGMENTS

DATA = Path(__file__).parents[2] / "data"


def standing(segment: str | None, *tags: str, thin: str | None = None) -> Standing:
    one = AccountStanding("4201234567890", segment, tags, thin)
    return Standing(segment, tags, thin is not None, 1, (one,))


def test_special_service_is_plain_large_first_a_person_and_called_back() -> None:
    service = fitting().service_for(standing("special_service"))
    assert (service.style, service.large_type, service.flags) == ("plain", True, ("special_service",))
    assert (service.first[0], service.call_back) == ("person", timedelta(hours=24))


def test_high_value_is_businesslike_and_has_a_manager() -> None:
    service = fitting().service_for(standing("high_value"))
    assert (service.style, service.large_type, service.flags) == ("business", False, ("high_value",))
    assert service.manager
    assert service.first[:2] == ("bill", "power_factor")


def test_high_risk_stands_in_the_queue_and_speaks_as_basic_does() -> None:
    risky, basic = (fitting().service_for(standing(one)) for one in ("high_risk", "basic"))
    assert (
        (risky.flags, risky.style, risky.large_type) == (basic.flags, basic.style, basic.large_type) == ((), "", False)
    )


@pytest.mark.parametrize("segment", ["high_risk", "high_value", "growth"])
def test_of_whom_too_little_is_known_the_service_is_the_basic_one(segment: str) -> None:
    assert fitting().service_for(standing(segment, thin="new")).segment == "basic"


def test_a_registered_need_counts_however_new_the_customer_is() -> None:
    assert fitting().service_for(standing("special_service", thin="new")).large_type


def test_whom_nobody_knows_is_served_as_basic() -> None:
    assert fitting().service_for(NOBODY) == fitting().service_for(standing("basic"))


def test_what_a_tag_adds_comes_before_what_the_segment_offers() -> None:
    service = fitting().service_for(standing("growth", "applied", "ev"))
    assert service.first == ("progress", "charging_pile", "capacity", "solar")
    assert len(service.talk) == 2


def test_flags_are_those_of_the_desk_and_each_segment_has_its_reason_and_source() -> None:
    rules = Book.load(DATA).rules
    assert {one.flag for one in fitting().file.segments.values() if one.flag} <= set(rules.flags)
    assert all(one.reason and one.source for one in fitting().file.segments.values())


def test_nothing_that_a_customer_reads_names_a_segment() -> None:
    names = [*SEGMENTS, *(one.name[:-2] for one in fitting().rules.segments)]
    titles = " ".join(one.title for one in fitting().offers.values())
    assert not [name for name in names if name in titles]


def changed(tmp_path: Path, change: Any) -> Path:
    directory = copytree(DATA / "segments", tmp_path / "segments")
    tree = yaml.safe_load((directory / "service.yaml").read_text(encoding="utf-8"))
    change(tree)
    (directory / "service.yaml").write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")
    return directory


BAD = {
    "high risk waits behind": lambda tree: tree["segments"]["high_risk"].update(flag="high_value"),
    "an offer that is none": lambda tree: tree["segments"]["growth"].update(first=["gold"]),
    "a feature that is none": lambda tree: tree["segments"]["basic"].update(figures=["charm"]),
    "a style that is none": lambda tree: tree["segments"]["basic"].update(style="rude"),
    "a segment too few": lambda tree: tree["segments"].pop("growth"),
    "a tag that is none": lambda tree: tree["tags"].update(rich={"talk": "x", "reason": "y"}),
    "no reason": lambda tree: tree["segments"]["basic"].update(reason=""),
    "a payload into the machine": lambda tree: tree["offers"]["bill"].update(payload="bridge:handoff"),
}


@pytest.mark.parametrize("change", BAD.values(), ids=BAD)
def test_a_file_that_says_what_may_not_be_is_refused(change: Any, tmp_path: Path) -> None:
    with pytest.raises(BadFitting):
        Fitting.load(changed(tmp_path, change))


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(BadFitting, match="service.yaml"):
        Fitting.load(tmp_path)
