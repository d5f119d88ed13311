"""`dianfu learn …`: gathered, grouped, given out, and told in lines."""

from __future__ import annotations

import stat
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from core.audit import Auditor
from core.clock import SHANGHAI
from core.conversation import Draft, open_conversation, record_customer, record_reply
from core.db import Database
from core.learning.review import Reviewer, label
from core.learning.tables import LearningItem
from core.migrations import upgrade
from core.settings import CoreSettings
from ops.cli import app

SAID = datetime(2026, 11, 20, 10, 0, tzinfo=SHANGHAI)


@pytest.fixture
def bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """The databases that the settings point to."""
    for name in ("bridge", "workorder", "billing"):
        url = f"sqlite:///{tmp_path / name}.db"
        monkeypatch.setenv(f"DIANFU_{name.upper()}_URL", url)
        upgrade(name, made := Database(url))
        if name == "bridge":
            bridge = made
    return bridge


def asks(bridge: Database, *texts: str) -> None:
    with bridge.transaction() as session:
        for text in texts:
            talk = open_conversation(session, channel="web", customer_no=None, accounts=[], assurance=0, now=SAID)
            message, _ = record_customer(session, talk, external_id=talk.id, text=text, payload=None, now=SAID)
            message.understood, message.turn = {"intent": "out_of_scope", "confidence": 0.3, "form": None}, "done"
            record_reply(session, talk, Draft("bot", "不太明白"), now=SAID, in_reply_to=message.seq)


def learn(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["learn", *words])
    return done.exit_code, done.output


def test_what_was_asked_in_vain_is_gathered_labelled_and_given_out(bridge: Database, tmp_path: Path) -> None:
    asks(bridge, "屋脊上发的那点电卖得脱不", "我叫王小明，绿电怎么买", "？？")
    code, said = learn("collect")
    assert (code, said) == (0, "2 new messages, 0 with a further reason; left out: empty 1\n")
    assert learn("collect") == (0, "0 new messages, 0 with a further reason\n")
    with bridge.transaction() as session:
        rows = session.query(LearningItem).order_by(LearningItem.text).all()
        assert [row.text for row in rows] == ["屋脊上发的那点电卖得脱不", "我叫某人，绿电怎么买"]
        by = Reviewer(1, Auditor.of(CoreSettings().keyring(), 1))
        label(session, [rows[0].id], "ask_solar", intents={"ask_solar"}, by=by, now=SAID + timedelta(days=1))
    folder = tmp_path / "out"
    assert learn("export", "--folder", str(folder)) == (0, f"1 messages and 0 answers are in {folder}\n")
    (block,) = yaml.safe_load((folder / "nlu" / "learned.yml").read_text(encoding="utf-8"))["nlu"]
    assert block["intent"] == "ask_solar"
    assert stat.S_IMODE((folder / "nlu" / "learned.yml").stat().st_mode) == 0o600
    code, said = learn("status")
    assert code == 0
    assert "messages: labelled 1, open 1" in said


def test_groups_are_made_of_what_is_new_and_the_worst_are_listed(bridge: Database) -> None:
    asks(bridge, "绿电怎么买")
    code, said = learn("groups")
    assert code == 0
    assert "1 new messages; 1 open ones in 1 groups, 0 of them as before" in said
    assert "'state': 'done'" in learn("status")[1]


def test_the_hashes_of_validation_sets_are_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "learning").mkdir()
    (tmp_path / "sets").mkdir()
    (tmp_path / "sets" / "some.tsv").write_text("查电费\tquery_bill\t[]\n", encoding="utf-8")
    monkeypatch.setenv("DIANFU_DATA_DIR", str(tmp_path))
    assert learn("held-out", "--sets", str(tmp_path / "sets"))[0] == 0
    assert len((tmp_path / "learning" / "held_out.txt").read_text(encoding="ascii").split()) == 1
    assert learn("held-out", "--sets", str(tmp_path / "none"))[0] == 2


def test_a_database_that_is_not_there_and_a_bad_file_are_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIANFU_BRIDGE_URL", f"sqlite:///{tmp_path / 'none.db'}")
    code, said = learn("status")
    assert (code, said.count("\n"), "dianfu migrate" in said) == (1, 1, True)
    monkeypatch.setenv("DIANFU_DATA_DIR", str(tmp_path))
    code, said = learn("export")
    assert (code, "learning.yaml" in said) == (2, True)
