"""Gathering, grouping and giving out let others write meanwhile, and a kill in between leaves what was there in use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from core.conversation import Message
from core.learning import group_rows, jobs, marks, review
from core.learning.collect import Collected, collect
from core.learning.export import Guard, write
from core.learning.group_rows import Overtaken
from core.learning.groups import regroup
from core.learning.likeness import Likeness
from core.learning.tables import LearningGroup
from tests.core.learning_kit import DATA, SETS, SETTINGS, LearningRoom, reviewer, rooms
from tests.dialects import DIALECTS

if TYPE_CHECKING:
    from tests.conftest import NewUrl

PILE = ["充电桩多久能装", "充电桩多久能装好", "充电桩要多久才能装"]
TREE = ["树枝碰电线了", "树枝碰到电线", "树枝快碰电线了"]
GUARD = Guard.load(DATA, SETS)


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture(params=DIALECTS)
def room(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[LearningRoom]:
    yield from rooms(new_url, request.param, tmp_path)


def groups(room: LearningRoom) -> None:
    regroup(room.bridge, SETTINGS, room.sources.rules, [], now=room.now)


def shown(room: LearningRoom) -> list[tuple[Any, ...]]:
    """Return all that a reviewer sees of groups and of the messages in them."""
    with room.bridge.reading() as session:
        rows = session.scalars(select(LearningGroup).order_by(LearningGroup.id))
        made = [(one.id, one.name, one.size, one.harm, one.parts, one.example, one.made_at) for one in rows]
    return [*made, *((item.id, item.group_id) for item in room.items())]


def gathers(room: LearningRoom, while_it_looks: Callable[[], Any]) -> Collected:
    """Gather, and do something while names are looked for in the first message."""
    left = [while_it_looks]

    def names_in(_text: str) -> Collection[str]:
        if left:
            left.pop()()
        return ()

    return collect(room.sources, SETTINGS, now=room.now, find_names=names_in)


def test_others_may_write_while_messages_are_looked_through(room: LearningRoom) -> None:
    room.says(room.talk(), "表箱门板烂了个洞", "out_of_scope")

    def others() -> None:
        with room.writing() as session:
            marks.put_mark(session, "other", {"written": True}, now=room.now)

    assert gathers(room, others).new == 1
    with room.bridge.reading() as session:
        assert marks.mark(session, "other") == {"written": True}


def test_what_two_gather_at_once_is_kept_once(room: LearningRoom) -> None:
    room.says(room.talk(), "表箱门板烂了个洞", "out_of_scope")
    inner: list[Collected] = []
    outer = gathers(room, lambda: inner.append(room.collects()))
    assert (inner[0].new, outer.new) == (1, 0)
    assert room.texts() == {"表箱门板烂了个洞": ["unanswered"]}


def test_what_is_erased_while_it_is_looked_through_is_not_kept(room: LearningRoom) -> None:
    room.says(room.talk(), "表箱门板烂了个洞", "out_of_scope")

    def erased() -> None:
        with room.writing() as session:
            session.execute(update(Message).values(text=""))

    assert gathers(room, erased).new == 0
    assert room.items() == []


@pytest.mark.parametrize("step", ["_weigh", "_change_groups", "_move", "_tidy"])
def test_a_kill_while_groups_are_written_leaves_the_old_ones_in_use_and_the_next_run_finishes(
    room: LearningRoom, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    for text in PILE:
        room.item(text)
    groups(room)
    before = shown(room)
    for text in [*TREE, "充电桩究竟多久能装"]:
        room.item(text)
    room.passes(days=1)
    real, calls = getattr(group_rows, step), iter(range(100))

    def killed(*given: Any) -> None:
        real(*given)
        if step != "_weigh" or next(calls) == 1:  # of several transactions the second
            raise Killed

    monkeypatch.setattr(group_rows, "BATCH", 3)
    monkeypatch.setattr(group_rows, step, killed)
    with pytest.raises(Killed):
        groups(room)
    monkeypatch.undo()
    kept = shown(room)
    assert [row for row in kept if row in before] == before
    assert [row[1] for row in kept if row not in before] == [None] * 4  # the new ones are in no group yet
    groups(room)
    assert [item.group_id is None for item in room.items()] == [False] * 7
    with room.bridge.reading() as session:
        assert sorted(one.size for one in session.scalars(select(LearningGroup))) == [3, 4]


def test_a_group_that_was_erased_meanwhile_is_made_anew(room: LearningRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    for text in PILE:
        room.item(text)
    groups(room)
    real = Likeness.distances

    def erased(self: Likeness, texts: Any) -> Any:
        with room.writing() as session:
            session.delete(session.scalars(select(LearningGroup)).one())
        return real(self, texts)

    monkeypatch.setattr(Likeness, "distances", erased)
    with pytest.raises(Overtaken):  # nobody can tell it from another run
        groups(room)
    monkeypatch.undo()
    groups(room)
    assert len({item.group_id for item in room.items()}) == 1


def test_small_talk_stands_by_itself_and_ranks_behind(room: LearningRoom) -> None:
    for text in ("跟你说不清", "跟你说不清啊", "唉 跟你说不清", "你没听懂我的话", *PILE):
        room.item(text)
    groups(room)
    with room.bridge.reading() as session:
        rows = list(session.scalars(select(LearningGroup).order_by(LearningGroup.harm.desc())))
    assert "充电桩" in rows[0].name
    assert [one.name.startswith("没说具体事：") for one in rows] == [False] + [True] * (len(rows) - 1)
    share = SETTINGS.harm.phrase_share
    assert sum(one.harm for one in rows[1:]) == pytest.approx(4 * share)
    assert [one.harm for one in rows] == [pytest.approx(sum(one.parts.values())) for one in rows]


def test_a_run_that_was_overtaken_leaves_what_the_faster_one_told(
    room: LearningRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"state": "done", "at": room.now.isoformat()}

    def faster(*_given: Any, **_more: Any) -> None:
        with room.writing() as session:
            marks.put_mark(session, marks.RUN, told, now=room.now)
        raise Overtaken

    monkeypatch.setattr(jobs, "_grouped", faster)
    with pytest.raises(Overtaken):
        jobs.refresh(room.sources, SETTINGS, DATA / "nlu", now=room.now)
    with room.bridge.reading() as session:
        assert marks.mark(session, marks.RUN) == told


def labelled(room: LearningRoom, text: str) -> int:
    number = room.item(text)
    with room.writing() as session:
        review.label(session, [number], "ask_solar", intents={"ask_solar"}, by=reviewer(), now=room.now)
    return number


def test_what_is_taken_back_while_an_export_judges_is_not_noted_as_given_out(
    room: LearningRoom, tmp_path: Path
) -> None:
    first, second = labelled(room, "屋脊上发的那点电卖得脱不"), labelled(room, "瓦面上铺板子要批不")
    taken = [first]

    class Judge:
        """The validation sets; a reviewer takes a message back while they are asked."""

        def holds(self, text: str, like: float) -> bool:
            if taken:
                with room.writing() as session:
                    review.undo(session, [taken.pop()], by=reviewer(2), now=room.now)
            return GUARD.held_out.holds(text, like)

    write(room.bridge, tmp_path, now=room.now, guard=replace(GUARD, held_out=Judge()))  # type: ignore[arg-type]  # as is
    states = {item.id: (item.state, item.exported_at) for item in room.items()}
    assert states == {first: ("open", None), second: ("labelled", room.now)}
    write(room.bridge, tmp_path, now=room.now, guard=GUARD)
    assert "屋脊" not in (tmp_path / "nlu" / "learned.yml").read_text(encoding="utf-8")


def test_an_export_that_cannot_write_its_files_notes_nothing(room: LearningRoom, tmp_path: Path) -> None:
    labelled(room, "屋脊上发的那点电卖得脱不")
    (tmp_path / "nlu").write_text("no folder", encoding="utf-8")
    with pytest.raises(OSError, match="nlu"):
        write(room.bridge, tmp_path, now=room.now, guard=GUARD)
    assert [item.exported_at for item in room.items()] == [None]
    with room.bridge.reading() as session:
        assert marks.mark(session, marks.EXPORT) == {}
