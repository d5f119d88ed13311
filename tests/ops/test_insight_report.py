"""`dianfu insight report`: the weekly report from the databases alone, as one HTML file and as PDF by Chromium."""

from __future__ import annotations

import json
import re
import shutil
import stat
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.insight.report_words import figures_of, names_in, report_words, sentences_of
from core.clock import SHANGHAI
from core.db import Database
from core.insight.boards import BOARDS
from core.insight.spans import BadSpan
from core.migrations import METADATA, upgrade
from ops import insight
from ops.insight import CHROMIUMS, PrintingFailed, insight_app, print_pdf

DATA = Path(__file__).parents[2] / "data"
FIXTURES = Path(__file__).parents[1] / "data" / "insight"
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=SHANGHAI)


@pytest.fixture(autouse=True)
def databases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in METADATA:
        url = f"sqlite:///{tmp_path / name}.db"
        monkeypatch.setenv(f"DIANFU_{name.upper()}_URL", url)
        upgrade(name, Database(url))
    monkeypatch.setenv("DIANFU_DATA_DIR", str(DATA))
    monkeypatch.setattr(insight, "system_clock", lambda: NOON)


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(insight_app, ["report", *words])
    return done.exit_code, done.output


def data_in(page: str) -> Any:
    [found] = re.findall(r'<script type="application/json" id="report-data">(.*?)</script>', page, re.DOTALL)
    return json.loads(found)


def test_the_html_needs_nothing_else_and_says_which_week_it_is(tmp_path: Path) -> None:
    out = tmp_path / "week.html"
    assert run("--html", "--week", "2026-W47", "--out", str(out))[0] == 0
    page = out.read_text("utf-8")
    assert re.findall(r'(?:src|href)="(?!data:)[^"]*"', page.split('id="report-data"')[0]) == []
    assert "<script src" not in page
    data = data_in(page)
    assert data["week"] == "2026 年第 47 周（2026-11-16 至 2026-11-22）"
    assert [board["board"] for board in data["boards"]] == list(BOARDS)
    assert data["notes"] == ["生成于 2026-11-23 12:00"]


def test_without_a_week_it_is_the_last_one_that_is_over(tmp_path: Path) -> None:
    out = tmp_path / "week.html"
    assert run("--html", "--out", str(out))[0] == 0
    assert "第 47 周" in data_in(out.read_text("utf-8"))["week"]


def test_a_week_that_is_not_over_says_so(tmp_path: Path) -> None:
    out = tmp_path / "week.html"
    assert run("--html", "--week", "2026-W48", "--out", str(out))[0] == 0
    assert data_in(out.read_text("utf-8"))["notes"][0].startswith("本周还没有过完，数字截至 2026-11-23 12:00")


@pytest.mark.parametrize("week", ["2026-47", "2026-W54", "W47", "2026-W00", "0000-W01", "x"])
def test_what_is_no_week_is_refused(tmp_path: Path, week: str) -> None:
    out = tmp_path / "week.html"
    code, said = run("--html", "--week", week, "--out", str(out))
    assert code == 2
    assert "2026-W47" in said
    assert not out.exists()


def test_without_a_browser_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    out = tmp_path / "week.pdf"
    code, said = run("--week", "2026-W47", "--out", str(out))
    assert code == 1
    assert "no Chromium" in said
    assert "--html" in said
    assert not out.exists()


def test_a_browser_that_prints_nothing_leaves_the_old_file_alone(tmp_path: Path) -> None:
    out, browser = tmp_path / "week.pdf", tmp_path / "chromium"
    out.write_bytes(b"%PDF-old")
    browser.write_text("#!/bin/sh\necho 'no display' >&2\nexit 1\n")
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(PrintingFailed, match="no display"):
        print_pdf("<p>x</p>", out, chromium=str(browser))
    assert out.read_bytes() == b"%PDF-old"


def test_a_place_where_nothing_can_be_written_is_told(tmp_path: Path) -> None:
    code, said = run("--html", "--week", "2026-W47", "--out", str(tmp_path / "none" / "week.html"))
    assert code == 1
    assert "cannot be written" in said


@pytest.mark.browser
def test_chromium_prints_it_as_pdf(tmp_path: Path) -> None:
    if not any(map(shutil.which, CHROMIUMS)):
        pytest.skip("there is no Chromium here")
    out = tmp_path / "week.pdf"
    assert run("--week", "2026-W47", "--out", str(out))[0] == 0
    made = out.read_bytes()
    assert made.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", made)) >= 2
    boxes = {tuple(map(float, box.split())) for box in re.findall(rb"/MediaBox\s*\[([^\]]*)\]", made)}
    [(left, bottom, width, height)] = boxes
    assert (left, bottom) == (0, 0)
    assert width == pytest.approx(842, abs=1)  # A4, lying
    assert height == pytest.approx(595, abs=1)


def test_sentences_name_only_figures_that_there_are() -> None:
    words = report_words(DATA)
    for key, board in BOARDS.items():
        known = {kpi.key for kpi in board.kpis}
        for sentence in words.sentences.get(key, ()):
            assert names_in(sentence) <= known
    assert set(words.headline) & {kpi.key for kpi in BOARDS["service"].kpis}


def test_sentences_are_made_of_the_figures_and_left_out_where_one_has_no_value() -> None:
    own = ("来访 {conversations}（{conversations.change}）。", "离开 {left}。")
    words = report_words(DATA).model_copy(update={"sentences": {"service": own}, "tables": {}, "headline": ()})
    board = json.loads((FIXTURES / "service.json").read_text("utf-8"))
    said = sentences_of(board, words)
    assert said[0] == "来访 742 个（较上周 +7.7%）。"
    assert not [line for line in said if line.startswith("离开")]
    assert said[1].startswith("变好的：机器人独立解决率 76.4%，较上周 +2.3 个百分点；")
    assert "没听懂的消息 312 条，较上周 +16.4%" in said[2]


@pytest.mark.parametrize("change", ["前期为零", "本期未完"])
def test_a_change_that_is_words_is_not_said_to_be_against_the_week_before(change: str) -> None:
    words = report_words(DATA).model_copy(update={"sentences": {"service": ("{conversations.change}",)}, "tables": {}})
    board = json.loads((FIXTURES / "service.json").read_text("utf-8"))
    for one in figures_of(board):
        one.update(change_text=change)  # type: ignore[attr-defined]  # it is a dict here
    assert sentences_of(board, words)[0] == change


def test_what_moved_is_named_as_far_as_somebody_would_read_it() -> None:
    words = report_words(DATA).model_copy(update={"sentences": {}, "tables": {}, "most_names": 1})
    board = json.loads((FIXTURES / "service.json").read_text("utf-8"))
    better = [one for one in figures_of(board) if one["verdict"] == "good"]
    assert len(better) > 1
    assert sentences_of(board, words)[0].endswith(f"；等共 {len(better)} 项。")


def test_what_stands_on_the_first_page_is_named_before_all_else_that_moved() -> None:
    words = report_words(DATA).model_copy(update={"sentences": {}, "tables": {}, "most_names": 1})
    board = json.loads((FIXTURES / "service.json").read_text("utf-8"))
    last = [one for one in figures_of(board) if one["verdict"] == "bad"][-1]
    named = [
        sentences_of(board, words.model_copy(update={"headline": keys}))[1].startswith(f"需要留意：{last['name']} ")
        for keys in ((last["key"],), ())
    ]
    assert named == [True, False]


def test_a_board_with_nothing_before_it_is_not_said_to_be_steady_and_its_note_comes_first() -> None:
    words = report_words(DATA).model_copy(update={"sentences": {}, "tables": {}})
    board = json.loads((FIXTURES / "customers.json").read_text("utf-8"))
    for one in figures_of(board):
        one.update(value=1, previous=1, verdict="none")  # type: ignore[attr-defined]  # it is a dict here
    assert sentences_of(board, words) == [words.steady]
    for one in figures_of(board):
        one.update(previous=None)  # type: ignore[attr-defined]  # it is a dict here
    assert sentences_of({**board, "note": "这是之后第一次分群的结果。"}, words) == ["这是之后第一次分群的结果。"]


def test_a_week_without_any_value_says_that_there_is_nothing_to_say() -> None:
    words = report_words(DATA)
    board = json.loads((FIXTURES / "service.json").read_text("utf-8"))
    for one in figures_of(board):
        one.update(value=None, previous=None, verdict="none")  # type: ignore[attr-defined]  # it is a dict here
    assert sentences_of(board, words) == [words.nothing]


def test_weeks_are_those_of_the_calendar() -> None:
    from api.insight.report import Week

    week = Week.parse("2026-W53")
    assert (str(week), week.span.first.isoformat(), week.span.last.isoformat()) == (
        "2026-W53", "2026-12-28", "2027-01-03"
    )  # fmt: skip
    assert Week.before(NOON.date()) == Week(2026, 47)
    assert Week.before(NOON.date() - timedelta(days=1)) == Week(2026, 46)
    with pytest.raises(BadSpan):
        Week.parse("2025-W53")
