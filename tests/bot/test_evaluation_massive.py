"""MASSIVE: its loader, and our real classes on a few messages."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bot.components.encoders import Encoder
from bot.components.linear_intents import LinearIntentClassifier
from bot.components.normaliser import TextNormaliser
from bot.evaluation import massive_run
from bot.evaluation.massive import MassiveError, Messages, load_massive

TRAIN = Messages(
    ["关灯", "把灯关掉", "请关灯", "灯关了", "放首歌", "来点音乐", "放音乐", "播放歌曲"], ["off"] * 4 + ["play"] * 4
)
TEST = Messages(["关掉灯吧", "放点歌"], ["off", "play"])


def write_tsv(path: Path, messages: Messages) -> Path:
    lines = (f"{text}\t{intent}\n" for text, intent in zip(messages.texts, messages.intents, strict=True))
    path.write_text("".join(lines), encoding="utf-8")
    return path


def row(**changes: object) -> str:
    return json.dumps({"locale": "zh-CN", "partition": "train", "utt": "关灯", "intent": "off", "id": "1"} | changes)


def write_jsonl(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_tsv_files_say_their_partition_in_their_names(tmp_path: Path) -> None:
    train = write_tsv(tmp_path / "massive_zh_train.tsv", TRAIN)
    test = write_tsv(tmp_path / "massive_zh_test.tsv", TEST)
    assert load_massive([test, train]) == (TRAIN, TEST)


def test_a_head_line_of_a_tsv_file_is_no_message(tmp_path: Path) -> None:
    train, test = write_tsv(tmp_path / "train.tsv", TRAIN), write_tsv(tmp_path / "test.tsv", TEST)
    train.write_text("text\tintent\n" + train.read_text(encoding="utf-8"), encoding="utf-8")
    assert load_massive([train, test]) == (TRAIN, TEST)


def test_the_published_file_holds_all_partitions_and_perhaps_other_locales(tmp_path: Path) -> None:
    path = write_jsonl(
        tmp_path / "zh-CN.jsonl",
        row(),
        row(partition="dev", utt="开灯"),
        row(partition="test", utt="放歌", intent=46),
        row(locale="zh-TW", utt="關燈"),
        "",
    )
    assert load_massive([path]) == (Messages(["关灯"], ["off"]), Messages(["放歌"], ["46"]))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "line 1: no JSON"),
        ("[1]", "no JSON object"),
        ('{"utt": "关灯", "label": 1}', "without partition, intent, locale; it has utt, label"),
        (row(partition="all"), "unknown partition 'all'"),
        (row(intent=None), "`intent` text or a whole number"),
        (row(intent=True), "`intent` text or a whole number"),
        (row(), "no test partition for zh-CN"),
        (row(partition="test"), "no train partition for zh-CN"),
        (row(locale="en-US"), "no train partition for zh-CN"),
    ],
)
def test_a_jsonl_file_of_another_form_is_an_error(tmp_path: Path, content: str, words: str) -> None:
    with pytest.raises(MassiveError, match=words.replace("(", r"\(")):
        load_massive([write_jsonl(tmp_path / "zh-CN.jsonl", content)])


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("train.tsv", b"one\n", "line 1: 1 columns"),
        ("train.tsv", b"one\ta\tb\n", "line 1: 3 columns"),
        ("other.tsv", b"one\ta\n", "must hold one of train, dev, test"),
        ("train_test.tsv", b"one\ta\n", "must hold one of train, dev, test"),
        ("train.tsv", b"one\ta\n", "no test partition"),
        ("train.tsv", b"\xff\xfe\n", "cannot be read"),
        ("train.csv", b"one,a\n", "known are .tsv, .jsonl, .json"),
    ],
)
def test_a_file_of_another_form_is_an_error(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(MassiveError, match=words):
        load_massive([path])


def test_the_command_says_which_file_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert massive_run.main([str(tmp_path / "train.tsv")]) == 1
    assert "train.tsv: there is no such file" in capsys.readouterr().err
    assert massive_run.main([]) == 1
    assert "name a training and a test file" in capsys.readouterr().err


def test_the_settings_are_those_of_the_pipeline(tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    name = "bot.components.linear_intents.LinearIntentClassifier"
    config.write_text(f"pipeline:\n- {{name: {name}, c: 0.125}}\n", encoding="utf-8")
    found = massive_run.settings(LinearIntentClassifier, config)
    assert (found["c"], found["folds"]) == (0.125, LinearIntentClassifier.get_default_config()["folds"])
    with pytest.raises(MassiveError, match="config.yml has no bot.components.normaliser.TextNormaliser"):
        massive_run.settings(TextNormaliser, config)


def test_our_classes_learn_and_read_the_messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the cache of vectors stands below the folder of the call
    toy = Encoder(
        "toy", "1", (("toy", 2),), lambda texts: np.array([["灯" in text, "灯" not in text] for text in texts], float)
    )
    result = massive_run.score(TRAIN, TEST, [toy], print)
    assert (result.accuracy, result.macro_f1, result.trained, result.tested) == (1.0, 1.0, 8, 2)
    assert result.encoders == ("toy",)
    assert "accuracy    1.0000" in massive_run._said(result)
