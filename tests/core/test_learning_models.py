"""The life of models: states, what may run, files and rows that stay one through kills, the way back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Thread

import pytest
from dialects import DIALECTS, NewUrl
from model_kit import BY, NOW, Room, content, put, rooms
from sqlalchemy import select

from core.audit import AuditEntry
from core.learning import model_change, model_files, models
from core.learning.model_files import Bundle, Busy
from core.learning.model_needs import LowMemory, NoSets, check_memory, check_sets, free_mib
from core.learning.model_progress import COMPARE, TRAIN, Teller, progress_of
from core.learning.tables import ModelVersion


@pytest.fixture(params=DIALECTS)
def room(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Room]:
    yield from rooms(new_url, request.param, tmp_path)


@pytest.fixture
def file_room(new_url: NewUrl, tmp_path: Path) -> Iterator[Room]:
    """A room on SQLite alone, for what is about files."""
    yield from rooms(new_url, "sqlite", tmp_path)


def test_every_state_leads_only_where_the_table_says() -> None:
    for state in models.MOVES:
        for other in models.MOVES:
            row = ModelVersion(name="m", state=state)
            if other in models.MOVES[state]:
                models.move(row, other)
                assert row.state == other
            else:
                with pytest.raises(models.WrongState):
                    models.move(row, other)


def test_a_model_that_was_trained_by_hand_is_registered_as_the_one_that_runs(room: Room) -> None:
    model_change.reconcile(room.garage, NOW)
    assert room.states() == []
    room.runs()
    room.runs()
    assert room.states() == ["running"]
    room.files.live.archive.write_text("second")
    model_change.reconcile(room.garage, room.later())
    assert room.states() == ["retired", "running"]
    with pytest.raises(models.NothingBefore):  # its file was written over
        room.rollback()


def test_a_compared_candidate_runs_with_all_that_belongs_to_it_and_the_one_before_is_kept(room: Room) -> None:
    room.runs()
    row = room.promote(room.candidate("second"))
    assert (row.state, row.file, row.promoted_at) == ("running", "dianfu.tar.gz", room.now)
    assert content(room.files.live) == ("second", "second cost", "second taught")
    with room.garage.bridge.reading() as session:
        first = models.all_of(session)[1]
        (entry,) = session.scalars(select(AuditEntry)).all()
    assert (first.state, first.file) == ("retired", f"previous/{first.name}.tar.gz")
    assert content(room.files.previous(first.name)) == ("first", "first cost", "first taught")
    assert not room.files.candidate(row.name).exists
    assert (entry.action, entry.subject, entry.agent_id) == ("model_promoted", f"model:{row.id}", 7)
    assert entry.detail == {"name": row.name, "before": first.name}


def test_a_rollback_goes_back_step_by_step_and_what_was_rolled_back_may_be_promoted_again(room: Room) -> None:
    room.runs()
    second = room.candidate("second")
    room.promote(second)
    room.promote(room.candidate("third"))
    room.rollback()
    assert content(room.files.live)[0] == "second"
    room.rollback()
    assert content(room.files.live) == ("first", "first cost", "first taught")
    assert room.states() == ["running", "retired", "retired"]
    with pytest.raises(models.NothingBefore):
        room.rollback()
    assert content(room.files.live)[0] == "first"
    room.promote(second)  # it was compared with the first, which runs
    assert content(room.files.live) == ("second", "second cost", "second taught")


@pytest.mark.parametrize(
    ("given", "error"),
    [({"verdict": None}, models.NotCompared), ({"verdict": "worse"}, models.GotWorse),
     ({"against": "another"}, models.OtherRunning)],
)  # fmt: skip
def test_what_was_not_found_equal_to_the_model_that_runs_now_is_not_promoted(
    room: Room, given: dict[str, str | None], error: type[Exception]
) -> None:
    room.runs()
    with pytest.raises(error):
        room.promote(room.candidate("second", **given))  # type: ignore[arg-type]
    assert content(room.files.live) == ("first", "first cost", "first taught")
    assert room.states() == ["running", "candidate"]


def test_after_a_promotion_other_candidates_have_to_be_compared_anew(room: Room) -> None:
    room.runs()
    second, third = room.candidate("second"), room.candidate("third")
    room.promote(second)
    with pytest.raises(models.OtherRunning):
        room.promote(third)
    for wrong in (second, 999):
        with pytest.raises(models.ModelError):
            room.promote(wrong)


def test_a_file_that_was_changed_or_is_gone_is_not_promoted(room: Room) -> None:
    room.runs()
    second = room.candidate("second")
    with room.garage.bridge.reading() as session:
        bundle = room.files.candidate(models.find(session, second).name)
    bundle.archive.write_text("something else")
    with pytest.raises(models.FileGone):
        room.promote(second)
    bundle.remove()
    with pytest.raises(models.FileGone):
        room.promote(second)
    assert content(room.files.live)[0] == "first"


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("way", ["promote", "rollback"])
@pytest.mark.parametrize("after", range(9))
def test_a_kill_between_any_two_steps_leaves_one_whole_model_and_rows_that_fit(
    file_room: Room, monkeypatch: pytest.MonkeyPatch, after: int, way: str
) -> None:
    room = file_room
    room.runs()
    second = room.candidate("second")
    if way == "rollback":
        room.promote(second)
    real, steps = model_files._copy, iter(range(100))

    def copy(source: Path, target: Path) -> None:
        if next(steps) == after:
            raise Killed
        real(source, target)

    monkeypatch.setattr(model_files, "_copy", copy)
    if after == 8:  # eight files were copied: the kill comes before the rows are written
        monkeypatch.setattr(model_change, "_let_run", _killed)
    with pytest.raises(Killed):
        room.promote(second) if way == "promote" else room.rollback()
    monkeypatch.undo()
    model_change.reconcile(room.garage, room.later())
    which = content(room.files.live)[0]
    assert which == (
        ("second" if after == 8 else "first") if way == "promote" else ("first" if after == 8 else "second")
    )
    assert content(room.files.live) == (which, f"{which} cost", f"{which} taught")
    with room.garage.bridge.reading() as session:
        running = models.running(session)
        assert running is not None
        assert running.sha256 == room.files.live.sha256()
    assert sorted(room.states()).count("running") == 1
    if which == "first" and way == "promote":
        room.promote(second)
        assert content(room.files.live) == ("second", "second cost", "second taught")


def _killed(*_: object, **__: object) -> None:
    raise Killed


def test_of_two_who_promote_at_once_one_is_told_and_exactly_one_model_runs(room: Room) -> None:
    room.runs()
    ids = [room.candidate("second"), room.candidate("third")]
    barrier, errors = Barrier(2), []

    def go(model_id: int) -> None:
        barrier.wait()
        try:
            model_change.promote(room.garage, model_id, by=BY, now=NOW + timedelta(hours=1))
        except (models.OtherRunning, Busy) as error:
            errors.append(error)

    threads = [Thread(target=go, args=(model_id,)) for model_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 1
    assert room.states().count("running") == 1
    which = content(room.files.live)[0]
    assert content(room.files.live) == (which, f"{which} cost", f"{which} taught")


def test_who_comes_while_another_process_changes_models_is_refused_and_a_kill_frees_the_lock(room: Room) -> None:
    room.runs()
    second = room.candidate("second")
    code = (
        "import sys, time; from pathlib import Path; from core.learning.model_files import ModelFiles\n"
        f"with ModelFiles(Path({str(room.files.folder)!r})).changing(): print('in', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    assert other.stdout is not None
    assert other.stdout.readline() == b"in\n"
    with pytest.raises(Busy):
        room.promote(second)
    other.kill()
    other.wait()
    assert room.promote(second).state == "running"


def test_only_so_many_files_of_old_models_and_candidates_are_kept(room: Room) -> None:
    room.kept(previous=2, candidates=2)
    room.runs()
    for number in range(4):
        room.promote(room.candidate(f"model {number}"))
    for number in range(3):
        room.candidate(f"candidate {number}")
    model_change.prune(room.garage)
    assert len([*room.files.folder.glob("previous/*.tar.gz")]) == 2
    assert len([*room.files.folder.glob("candidates/*.tar.gz")]) == 2
    with room.garage.bridge.reading() as session:
        rows = models.all_of(session)
    assert [row.state for row in rows] == ["candidate", "candidate", "retired", "running"] + ["retired"] * 4
    assert [bool(row.file) for row in rows] == [True, True, False, True, True, True, False, False]


def test_one_model_is_trained_at_a_time_and_a_training_whose_process_is_gone_has_failed(room: Room) -> None:
    with room.garage.bridge.transaction() as session:
        first = models.begin(session, now=NOW, asked_by=None)
        with pytest.raises(models.TrainingNow):
            models.begin(session, now=NOW, asked_by=None)
    put(room.files.candidate(first.name), "half")
    model_change.reconcile(room.garage, NOW + timedelta(seconds=80))
    assert room.states() == ["training"]  # it has time to begin
    with room.files.training():
        model_change.reconcile(room.garage, NOW + timedelta(minutes=30))
        assert room.states() == ["training"]  # somebody trains
    model_change.reconcile(room.garage, NOW + timedelta(minutes=30))
    assert room.states() == ["failed"]
    assert not room.files.candidate(first.name).exists
    with room.garage.bridge.transaction() as session:
        row = models.find(session, first.id)
        models.fail(row, "training_failed")
        assert row.error == models.ENDED
        assert models.begin(session, now=NOW, asked_by=None).name == f"{first.name}-2"


def test_progress_is_told_for_the_model_that_is_being_made_and_for_no_other(room: Room) -> None:
    teller = Teller(room.garage, 3, lambda: room.now)
    teller.tell(TRAIN, 0.5)
    teller.tell(TRAIN, 0.6)  # too soon to be written
    with room.garage.bridge.reading() as session:
        found = progress_of(session, 3, NOW + timedelta(seconds=40))
        assert found == {"stage": TRAIN, "percent": 29.0, "seconds": 40}
        assert progress_of(session, 4, NOW) is None
    teller.tell(COMPARE, 5)
    with room.garage.bridge.reading() as session:
        assert (progress_of(session, 3, NOW) or {})["percent"] == 100
    teller.end()
    with room.garage.bridge.reading() as session:
        assert progress_of(session, 3, NOW) is None


def test_a_machine_without_memory_or_validation_sets_is_told(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:    2097152 kB\n")
    assert free_mib(tmp_path / "meminfo") == 2048
    assert free_mib(tmp_path / "none") is None
    check_memory(2048, 2048)
    check_memory(2048, None)
    with pytest.raises(LowMemory) as told:
        check_memory(2049, 2048)
    assert told.value.more == {"needed": 2049, "free": 2048}
    with pytest.raises(NoSets):
        check_sets(tmp_path)


def test_a_hash_is_taken_anew_when_a_file_changes(tmp_path: Path) -> None:
    bundle = Bundle(tmp_path / "dianfu")
    put(bundle, "one")
    before = bundle.sha256()
    bundle.archive.write_text("two")
    os.utime(bundle.archive, ns=(1, 1))
    assert bundle.sha256() != before


def test_the_bridge_and_the_actions_load_no_learning_library_with_models() -> None:
    heavy = "('sklearn', 'numpy', 'scipy', 'jieba')"
    code = f"import sys, api.insight.models, actions.faq; print([one for one in {heavy} if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          cwd=Path(__file__).parents[2])  # fmt: skip
    assert done.stdout == "[]\n"
