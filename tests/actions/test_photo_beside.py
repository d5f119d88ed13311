"""Photos that no question asked for, points on the map that came before it, and the way out of where it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from actions_desk import NOW, ROOT, Desk
from outage_desk import INFORM, REPORT, Grid
from test_action_form import Chat

from actions.outage import ActionReportOutage
from actions.question import Question
from core.identity import Identity
from core.seed.network import seed_network

PLACE = "珞喻路726号光谷步行街"


@pytest.fixture
def grid(writing: Desk) -> Iterator[Grid]:
    services = writing.services
    seed_network(
        services.workorder, services.billing, keyring=services.keyring, now=NOW, directory=ROOT / "data" / "demo"
    )
    yield Grid(writing)
    services.workorder.dispose()


@pytest.fixture
def chat(writing: Desk) -> Chat:
    return Chat(writing, (writing.account("user_class = 'residential'"),))


def _photo() -> list[dict[str, str]]:
    return [{"entity": "upload", "value": "u1"}]


def test_a_photo_at_a_question_for_words_is_taken_and_the_question_put_again(chat: Chat) -> None:
    asked = chat.say("我要校表", "apply_meter_check")
    before = chat.slots["form"]
    said = chat.say('/inform{"upload": "u1"}', upload="u1")
    assert said.text.startswith("照片收到了。")
    assert asked.text.splitlines()[-1] in said.text
    assert chat.slots["form"]["failures"] == before["failures"]


def test_a_photo_at_where_it_is_is_taken_too(grid: Grid) -> None:
    asked = grid.say(REPORT, assurance=0, text="停电了")
    said = grid.say(INFORM, assurance=0, after=asked, text='/inform{"upload": "u1"}', entities=_photo())
    assert said.text.startswith("照片收到了。")
    assert "哪里停电了" in said.text


@pytest.mark.parametrize("text", ["不用了", "算了", "不用", "那算了吧", "没事了"])
def test_where_it_is_can_be_left_open(grid: Grid, text: str) -> None:
    asked = grid.say(REPORT, assurance=0, text="停电了")
    assert re.search(asked.slots["form"]["drop"], text)
    assert not re.search(asked.slots["form"]["drop"], "不用了的老厂房那边")


def test_a_point_sent_before_is_the_place_and_is_named(grid: Grid) -> None:
    question = Question(
        Identity("c1", None, (), 0, "wechat"), "report_outage", "家里没电", (), {}, NOW, (), pinned=PLACE
    )
    action = ActionReportOutage(grid.desk.services)
    with grid.desk.services.billing.reading() as session:
        said = action.handle(session, question)
        assert f"按您刚发的位置“{PLACE}”来报" in said.values["said"]
        assert said.slots["form"]["address"] == PLACE
        elsewhere = action.handle(session, replace(question, text="不是这里", slots=dict(said.slots), intent="inform"))
    assert "哪里停电了" in elsewhere.values["said"]
