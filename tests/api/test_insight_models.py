"""The console of models over HTTP: who may, the list with its figures, train, compare, promote, roll back."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from supervision_kit import Office, Seat, office

from api.insight import models as console
from api.insight import models_start
from core.audit import AuditEntry
from core.learning import model_needs, models
from core.learning.export import KNOWLEDGE
from core.learning.model_files import Bundle, ModelFiles
from core.learning.model_progress import TRAIN, Teller
from core.learning.tables import ModelVersion

BASE = "/v1/insight/models"
WORSE = {"set": "validation_web", "metric": "danger_recall", "before": 1.0, "after": 0.9, "why": "danger", "lost": 2,
         "gained": 0}  # fmt: skip


@pytest.fixture
async def desk(urls: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    """A desk whose models lie in a folder of the test, on a machine that can train."""
    monkeypatch.setattr(console, "FOLDER", tmp_path / "models")
    monkeypatch.setattr(console, "ROOT", tmp_path)
    monkeypatch.setattr(models_start, "OUTPUT", tmp_path / "var" / "training.log")
    monkeypatch.setattr(model_needs, "free_mib", lambda: 9000)
    (tmp_path / "tests" / "nlu").mkdir(parents=True)
    (tmp_path / "tests" / "nlu" / "validation.tsv").write_text("上月电费\tquery_bill\t[]\n", encoding="utf-8")
    (tmp_path / model_needs.BOT_PYTHON).parent.mkdir(parents=True)
    (tmp_path / model_needs.BOT_PYTHON).touch()
    put(ModelFiles(tmp_path / "models").live, "first")
    async with office(urls) as one:
        yield one


@pytest.fixture
async def boss(desk: Office) -> Seat:
    return await desk.seat("supervisor", name="陈主管")


@pytest.fixture
def files(tmp_path: Path) -> ModelFiles:
    return ModelFiles(tmp_path / "models")


def put(bundle: Bundle, content: str) -> None:
    (bundle.learned / KNOWLEDGE).parent.mkdir(parents=True, exist_ok=True)
    (bundle.learned / KNOWLEDGE).write_text(f"# {content}", encoding="utf-8")
    bundle.archive.write_text(content, encoding="utf-8")


async def call(seat: Seat, method: str, path: str = "", **body: Any) -> tuple[int, Any]:
    answer = await seat.http.request(method, BASE + path, headers={"X-CSRF-Token": seat.csrf}, json=body or None)
    return answer.status_code, answer.json()


def candidate(desk: Office, files: ModelFiles, *, verdict: str = "no_worse") -> int:
    """Put a candidate there that was compared with the model that runs."""

    def work(session: Any) -> int:
        row = models.begin(session, now=desk.clock.on(minutes=1), asked_by=None)
        put(files.candidate(row.name), row.name)
        garage = console.garage_of(desk.bridge.parts)
        models.end_training(row, garage, learned={"messages": 12, "faqs": 1, "refused": {}}, now=desk.clock())
        running = models.running(session)
        assert running is not None
        row.figures = {
            "validation_web": {"danger_recall": 0.9, "messages": 259},
            "all": {"accuracy": 0.94, "ece": None},
        }
        row.compared = {"with": running.name, "with_sha256": running.sha256, "verdict": verdict, "better": [],
                        "at": desk.clock().isoformat(), "worse": [WORSE] if verdict == "worse" else []}  # fmt: skip
        return row.id

    return desk.write(work)


def audited(desk: Office) -> list[tuple[str, int | None]]:
    def work(session: Any) -> list[tuple[str, int | None]]:
        rows = session.query(AuditEntry).order_by(AuditEntry.id)
        return [(one.action, one.agent_id) for one in rows if one.action.startswith("model_")]

    return desk.write(work)


def answers(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let a small program stand in place of `dianfu model`."""
    monkeypatch.setattr(models_start, "COMMAND", (sys.executable, "-c", code))


async def settled() -> None:
    while models_start._waiting:
        await asyncio.gather(*models_start._waiting)


async def test_only_supervisors_see_or_change_anything(desk: Office) -> None:
    agent, nobody = await desk.seat("agent"), await desk.nobody()
    for method, path in [("GET", ""), ("GET", "/1"), ("POST", "/train"), ("POST", "/1/compare"), ("POST", "/1/promote"),
                         ("POST", "/rollback")]:  # fmt: skip
        assert (await call(agent, method, path))[0] == 403, path
        assert (await call(nobody, method, path))[0] == 401, path


async def test_the_list_shows_what_runs_and_candidates_with_figures_by_their_names(
    desk: Office, boss: Seat, files: ModelFiles
) -> None:
    _, found = await call(boss, "GET")
    assert [one["state"] for one in found["models"]] == ["running"]
    assert (found["running"], found["before"]) == (found["models"][0]["name"], None)
    number = candidate(desk, files, verdict="worse")
    _, found = await call(boss, "GET")
    first, second = found["models"]
    assert (first["id"], first["state"], second["state"]) == (number, "candidate", "running")
    assert list(first["figures"].items()) == [("全部消息", {"意图正确率": 0.94}), ("网上问法", {"用电危险不漏": 0.9})]
    assert first["learned"] == {"messages": 12, "faqs": 1}
    assert (first["compared"]["with"], first["compared"]["verdict"]) == (second["name"], "worse")
    (worse,) = first["compared"]["worse"]
    assert (worse["set"], worse["metric"], worse["lost"]) == ("网上问法", "用电危险不漏", 2)
    assert "危险" in worse["why"]
    assert (await call(boss, "GET", f"/{number}"))[1] == first
    code, said = await call(boss, "GET", "/999")
    assert (code, said["code"], said["detail"]) == (404, "no_such_model", "没有这个模型。")


async def test_a_supervisor_promotes_and_rolls_back_and_the_log_says_so(
    desk: Office, boss: Seat, files: ModelFiles
) -> None:
    await call(boss, "GET")
    number = candidate(desk, files)
    code, row = await call(boss, "POST", f"/{number}/promote")
    assert (code, row["state"], files.live.archive.read_text()) == (200, "running", row["name"])
    _, found = await call(boss, "GET")
    assert found["before"] == found["models"][1]["name"]
    code, row = await call(boss, "POST", "/rollback")
    assert (code, row["state"], files.live.archive.read_text()) == (200, "running", "first")
    code, said = await call(boss, "POST", "/rollback")
    assert (code, said["code"]) == (409, "nothing_before")
    assert audited(desk) == [("model_promoted", boss.id), ("model_rolled_back", boss.id)]


async def test_a_second_click_on_rollback_goes_back_no_further(desk: Office, boss: Seat, files: ModelFiles) -> None:
    await call(boss, "GET")
    await call(boss, "POST", f"/{candidate(desk, files)}/promote")
    _, found = await call(boss, "GET")
    going = found["running"]
    code, _ = await call(boss, "POST", "/rollback", running=going)
    assert code == 200
    code, said = await call(boss, "POST", "/rollback", running=going)
    assert (code, said["code"], said["running"]) == (409, "already_changed", found["before"])
    assert found["before"] in said["detail"]


async def test_what_got_worse_is_refused_in_words(desk: Office, boss: Seat, files: ModelFiles) -> None:
    await call(boss, "GET")
    number = candidate(desk, files, verdict="worse")
    code, said = await call(boss, "POST", f"/{number}/promote")
    assert (code, said["code"], said["detail"]) == (409, "got_worse", "这个模型有 1 项变差，不能上线。")
    assert files.live.archive.read_text() == "first"
    with files.changing():
        code, said = await call(boss, "POST", f"/{number}/promote")
    assert (code, said["code"]) == (409, "changing")


async def test_a_training_is_started_once_and_tells_how_far_it_is(
    desk: Office, boss: Seat, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answers(monkeypatch, f"import pathlib, sys, time; pathlib.Path({str(tmp_path / 'words')!r}).write_text(' '.join("
                         "sys.argv[1:])); time.sleep(1.5)")  # fmt: skip
    code, row = await call(boss, "POST", "/train")
    assert (code, row["state"], row["asked_by"]) == (202, "training", "陈主管")
    assert row["progress"] == {"stage": "wait", "text": "正在启动", "percent": 0, "share": 0, "seconds": 0}
    Teller(console.garage_of(desk.bridge.parts), row["id"], desk.clock).tell(TRAIN, 0.5)
    desk.clock.on(seconds=30)
    _, found = await call(boss, "GET", f"/{row['id']}")
    assert found["progress"] == {"stage": "train", "text": "正在训练", "percent": 29, "share": 0.29, "seconds": 30}
    code, said = await call(boss, "POST", "/train")
    assert (code, said["code"]) == (409, "busy")
    await settled()
    assert (tmp_path / "words").read_text() == f"train --id {row['id']}"
    assert audited(desk) == [("model_training", boss.id)]


async def test_a_training_that_dies_without_a_word_has_failed(
    desk: Office, boss: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, "raise SystemExit(9)")
    _, row = await call(boss, "POST", "/train")
    await settled()
    _, row = await call(boss, "GET", f"/{row['id']}")
    assert (row["state"], row["error"], row["progress"]) == ("failed", "训练进程意外结束", None)
    monkeypatch.setattr(models_start, "COMMAND", ("/nowhere/at/all",))
    _, row = await call(boss, "POST", "/train")
    await settled()
    _, row = await call(boss, "GET", f"/{row['id']}")
    assert (row["state"], row["error"]) == ("failed", "训练没有启动")


async def test_the_process_gets_the_settings_of_the_bridge_and_lives_on_by_itself(
    desk: Office, boss: Seat, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answers(monkeypatch, "import os; print(os.environ['DIANFU_BRIDGE_URL'], os.getsid(0) == os.getpid())")
    await call(boss, "POST", "/train")
    await settled()
    said = (tmp_path / "var" / "training.log").read_text()
    assert said.split() == [desk.bridge.parts.settings.bridge_url, "True"]


@pytest.mark.parametrize("lack", ["low_memory", "no_sets", "not_installed"])
async def test_a_machine_that_cannot_train_refuses_in_words(
    desk: Office, boss: Seat, lack: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if lack == "low_memory":
        monkeypatch.setattr(model_needs, "free_mib", lambda: 900)
    elif lack == "no_sets":
        (tmp_path / "tests" / "nlu" / "validation.tsv").unlink()
    else:
        (tmp_path / model_needs.BOT_PYTHON).unlink()
    code, said = await call(boss, "POST", "/train")
    assert (code, said["code"]) == (409, lack)
    if lack == "low_memory":
        assert "2600 MB" in said["detail"]
    assert desk.write(lambda session: session.query(ModelVersion).count()) == 0


async def test_a_candidate_is_compared_anew_by_its_name(
    desk: Office, boss: Seat, files: ModelFiles, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answers(monkeypatch, "import sys; print(' '.join(sys.argv[1:])); raise SystemExit(1)")
    _, found = await call(boss, "GET")
    code, said = await call(boss, "POST", f"/{found['models'][0]['id']}/compare")
    assert (code, said["code"]) == (409, "wrong_state")  # it runs
    number = candidate(desk, files)
    code, row = await call(boss, "POST", f"/{number}/compare")
    assert (code, row["state"]) == (202, "candidate")
    await settled()
    assert (tmp_path / "var" / "training.log").read_text() == f"compare {row['name']}\n"
    assert (await call(boss, "GET", f"/{number}"))[1]["state"] == "candidate"  # it failed, and is what it was
