"""A disk that is full, files that are damaged, and clicks that come twice: the model that runs stays whole."""

from __future__ import annotations

import errno
from collections import namedtuple
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from dialects import NewUrl
from model_kit import BY, Room, content, rooms
from sqlalchemy import select

from core.audit import AuditEntry
from core.learning import model_change, model_files, models

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def room(new_url: NewUrl, tmp_path: Path) -> Iterator[Room]:
    yield from rooms(new_url, "sqlite", tmp_path)


def audited(room: Room) -> list[str]:
    with room.garage.bridge.reading() as session:
        return list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))


def lying(room: Room) -> list[str]:
    """Return the names of all files of models but the locks."""
    found = (path.relative_to(room.files.folder).as_posix() for path in room.files.folder.rglob("*") if path.is_file())
    return sorted(name for name in found if not name.endswith(".lock"))


@pytest.mark.parametrize("way", ["promote", "rollback"])
@pytest.mark.parametrize("after", range(8))
def test_a_disk_that_fills_up_between_any_two_files_leaves_the_model_that_runs_whole(
    room: Room, monkeypatch: pytest.MonkeyPatch, way: str, after: int
) -> None:
    room.runs()
    second = room.candidate("second")
    if way == "rollback":
        room.promote(second)
    before, entries = content(room.files.live), audited(room)
    kept = lying(room)
    real, steps = model_files._copy, count()

    def copy(source: Path, target: Path) -> None:
        if next(steps) == after:  # then there is room for a small file again
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target)

    monkeypatch.setattr(model_files, "_copy", copy)
    with pytest.raises(models.NotWritten, match="No space"):
        room.promote(second) if way == "promote" else room.rollback()
    monkeypatch.undo()
    assert (content(room.files.live), audited(room), lying(room)) == (before, entries, kept)
    assert room.states().count("running") == 1
    room.promote(second) if way == "promote" else room.rollback()
    assert content(room.files.live)[0] == ("second" if way == "promote" else "first")


def test_a_disk_that_takes_nothing_any_more_is_mended_by_the_next_look(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.runs()
    second = room.candidate("second")
    real, steps = model_files._copy, count()

    def copy(source: Path, target: Path) -> None:
        if next(steps) >= 6:  # what belongs to the second model is half there
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target)

    monkeypatch.setattr(model_files, "_copy", copy)
    with pytest.raises(models.NotWritten):
        room.promote(second)
    assert content(room.files.live)[0] == "first"
    monkeypatch.undo()
    model_change.reconcile(room.garage, room.later())
    assert content(room.files.live) == ("first", "first cost", "first taught")


def test_what_would_fill_the_disk_is_not_begun(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.runs()
    second = room.candidate("second")
    monkeypatch.setattr(model_change.shutil, "disk_usage", lambda _path: Usage(10**9, 10**9, model_change.MARGIN))
    monkeypatch.setattr(model_files, "_copy", _never)
    with pytest.raises(models.NotWritten):
        room.promote(second)
    assert content(room.files.live) == ("first", "first cost", "first taught")


def _never(*_given: Any) -> None:
    raise AssertionError("something was written")


def test_a_rollback_passes_over_a_model_whose_file_was_damaged(room: Room) -> None:
    room.runs()
    room.promote(room.candidate("second"))
    room.promote(room.candidate("third"))
    with room.garage.bridge.reading() as session:
        second = models.all_of(session)[1]
    room.files.previous(second.name).archive.write_text("sec")
    room.rollback()
    assert content(room.files.live) == ("first", "first cost", "first taught")


def test_a_second_click_goes_back_no_further(room: Room) -> None:
    room.runs()
    room.promote(room.candidate("second"))
    third = room.promote(room.candidate("third"))
    model_change.rollback(room.garage, by=BY, now=room.later(), instead_of=third.name)
    with pytest.raises(models.AlreadyChanged) as told:
        model_change.rollback(room.garage, by=BY, now=room.later(), instead_of=third.name)
    assert content(room.files.live)[0] == "second"
    with room.garage.bridge.reading() as session:
        running = models.running(session)
    assert running is not None
    assert told.value.more == {"running": running.name}
