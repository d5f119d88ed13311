"""A rehearsal says what would be said and changes nothing: every action that writes, and the same in earnest."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from actions_desk import KEY, NOW, ROOT, Desk
from outage_desk import SETTLED, Grid, address
from sqlalchemy import func, select

from actions.base import Reply
from actions.energy import ActionAskChargingPile
from core.code_sender import DevelopmentSender, shown_codes
from core.db import Database
from core.fields import Keyring
from core.identity import BadToken, Identity, issue_identity, read_identity
from core.migrations import upgrade
from core.notice import Notice
from core.rehearsal import RehearsedDatabase, SilentSender
from core.seed.network import seed_network
from core.work_order import Filing, file_order, progress

WHO = Identity("c1", None, (), 0, "web")


@dataclass
class Stage:
    """A desk with the network, a sender of codes, and the same turn in earnest and as a rehearsal."""

    desk: Desk
    accounts: tuple[str, ...]
    slots: dict[str, Any]
    turns: int = 0

    @property
    def databases(self) -> dict[str, Database]:
        services = self.desk.services
        return {"billing": services.billing, "workorder": services.workorder, "bridge": services.bridge}

    def dump(self) -> dict[str, list[str]]:
        """Return all three databases as text, row by row."""
        return {name: _rows(Path(str(database.url.database))) for name, database in self.databases.items()}

    def run(self, name: str, text: str, entities: dict[str, str], *, rehearsal: bool) -> Reply:
        """Run one turn; in earnest the dialogue goes on from it."""
        assurance = 1 if self.accounts else 0
        who = Identity("c1", "C1" if self.accounts else None, self.accounts, assurance, "web")
        intent = {"action_inform": "inform", "action_voice": "complain"}.get(name)
        tracker = self.desk.tracker(
            name, self.accounts, text, [{"entity": key, "value": value} for key, value in entities.items()],
            self.slots, intent=intent, identity=issue_identity(KEY, who, now=NOW),
            sender="draft.c1.7" if rehearsal else "c1.1", now=NOW + timedelta(seconds=self.turns),
        )  # fmt: skip
        if rehearsal:
            tracker.latest_message["metadata"]["rehearsal"] = True
        else:
            self.turns += 1
        reply = self.desk.action(name).answer(tracker)
        if not rehearsal:
            self.slots = {**self.slots, **reply.slots}
        return reply

    @property
    def digits(self) -> str:
        with self.desk.services.bridge.reading() as session:
            found = shown_codes(session, conversation_id="c1", keyring=self.desk.services.keyring, now=NOW)
        return found[0].digits


def _rows(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        return list(connection.iterdump())


@pytest.fixture
def grid(writing: Desk) -> Iterator[Grid]:
    services = writing.services
    seed_network(
        services.workorder, services.billing, keyring=services.keyring, now=NOW, directory=ROOT / "data" / "demo"
    )
    yield Grid(replace(writing, services=replace(services, codes=DevelopmentSender(services.keyring))))
    services.workorder.dispose()


@pytest.fixture
def stage(grid: Grid) -> Stage:
    return Stage(grid.desk, (grid.account(SETTLED),), {})


def file(stage: Stage, *states: str, conversation: str = "c1") -> str:
    services = stage.desk.services
    filing = Filing(
        cause="c1:1", kind="repair", category="故障报修→低压停电→一户停电", conversation_id=conversation,
        customer_no="C1", promises=[("arrival", NOW + timedelta(minutes=45))], area_class="city",
    )  # fmt: skip
    with services.workorder.transaction() as session:
        filed = file_order(session, filing, keyring=services.keyring, now=NOW - timedelta(hours=1))
        for state in states:
            progress(session, filed.order, state, now=NOW - timedelta(minutes=30))
        return filed.order.order_no


Turn = tuple[str, str, dict[str, str]]


def reports_an_outage(stage: Stage) -> Turn:
    return "action_report_outage", "家里突然没电了", {}


def asks_about_an_outage_under_way(stage: Stage) -> Turn:
    (outage,) = Grid(stage.desk).outages("active")
    stage.accounts = (Grid(stage.desk).supplied_by(outage),)
    return "action_query_outage", "我家那片停电吗", {}


def reports_a_known_outage(stage: Stage) -> Turn:
    asks_about_an_outage_under_way(stage)
    return "action_report_outage", "停电了", {}


def says_that_the_power_is_back(stage: Stage) -> Turn:
    stage.run("action_report_outage", "家里突然没电了", {}, rehearsal=False)
    return "action_inform", "来电了", {}


def confirms_a_repair(stage: Stage) -> Turn:
    stage.run("action_report_outage", "家里突然没电了", {}, rehearsal=False)
    for choice in ("household", "meter_dark"):
        stage.run("action_inform", f'/inform{{"choice": "{choice}"}}', {"choice": choice}, rehearsal=False)
    return "action_affirm", "确认", {}


def confirms_a_complaint(stage: Stage) -> Turn:
    said = "柜台那个女的嫌我老，很不耐烦，昨天上午在中北路"
    stage.run("action_voice", said, {}, rehearsal=False)
    return "action_affirm", "确认", {}


def hurries_an_order(stage: Stage) -> Turn:
    file(stage, "dispatched")
    return "action_urge_work_order", "催一下", {}


def asks_for_progress(stage: Stage) -> Turn:
    file(stage, "dispatched", conversation="c0")  # who asks in another conversation hears there when the time moves
    return "action_query_work_order", "到哪一步了", {}


def says_that_it_is_mended(stage: Stage) -> Turn:
    number = file(stage, "dispatched", "taken", "working", "done")
    return "action_query_work_order", "/query_work_order", {"work_order_no": number, "choice": "fixed"}


def says_that_it_is_not_mended(stage: Stage) -> Turn:
    number = file(stage, "dispatched", "taken", "working", "done")
    return "action_query_work_order", "/query_work_order", {"work_order_no": number, "choice": "not_fixed"}


def withdraws_an_order(stage: Stage) -> Turn:
    return "action_cancel_work_order", "撤掉吧", {"work_order_no": file(stage)}


def has_a_code_sent(stage: Stage) -> Turn:
    number = stage.accounts[0]
    stage.accounts = ()
    return "action_bind_account", f"帮我绑定{number}", {"account_no": number}


def gives_a_wrong_code(stage: Stage) -> Turn:
    stage.run(*has_a_code_sent(stage), rehearsal=False)
    return "action_inform", f"{(int(stage.digits) + 1) % 1_000_000:06d}", {}


def gives_the_right_code(stage: Stage) -> Turn:
    stage.run(*has_a_code_sent(stage), rehearsal=False)
    return "action_inform", stage.digits, {}


WRITING: tuple[Callable[[Stage], Turn], ...] = (
    reports_an_outage, asks_about_an_outage_under_way, reports_a_known_outage, says_that_the_power_is_back,
    confirms_a_repair, confirms_a_complaint, hurries_an_order, asks_for_progress, says_that_it_is_mended,
    says_that_it_is_not_mended, withdraws_an_order, has_a_code_sent, gives_a_wrong_code, gives_the_right_code,
)  # fmt: skip


def _comparable(reply: Reply) -> tuple[Any, ...]:
    """Return what the customer would read, without what is drawn anew each time: the numbers of orders."""
    values = {name: value for name, value in reply.values.items() if name != "order_no"}
    return reply.response, json.dumps(values, ensure_ascii=False), [title for title, _ in reply.buttons]


@pytest.mark.parametrize("scene", WRITING, ids=lambda scene: scene.__name__)
def test_rehearsal_says_the_same_as_in_earnest_and_leaves_the_databases_equal(
    stage: Stage, scene: Callable[[Stage], Turn]
) -> None:
    turn = scene(stage)
    before = stage.dump()
    said = stage.run(*turn, rehearsal=True)
    assert stage.dump() == before
    assert not [one for one in said.commands if one["type"] == "grant"]
    really = stage.run(*turn, rehearsal=False)
    assert _comparable(said) == _comparable(really)
    assert stage.dump() != before


def test_letting_an_account_go_is_no_grant_in_a_rehearsal(stage: Stage) -> None:
    turn = ("action_unbind_account", f"解绑{stage.accounts[0]}", {"account_no": stage.accounts[0]})
    asked = stage.run(*turn, rehearsal=False)
    yes = ("action_inform", dict(asked.buttons)[asked.buttons[0][0]], _entities(asked.buttons[0][1]))
    assert not [one for one in stage.run(*yes, rehearsal=True).commands if one["type"] == "grant"]
    assert [one for one in stage.run(*yes, rehearsal=False).commands if one["type"] == "grant"]


def _entities(payload: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(payload.removeprefix("/inform"))
    return found


def test_an_action_that_has_worked_in_earnest_before_still_changes_nothing(stage: Stage) -> None:
    """What an action keeps from its first use must not be taken over."""
    action = ActionAskChargingPile(stage.desk.services)
    assert not isinstance(action.form.services.workorder, RehearsedDatabase)
    twin = action.rehearsing()
    for services in (twin.services, twin.form.services):
        for name in ("billing", "workorder", "bridge"):
            assert isinstance(getattr(services, name), RehearsedDatabase)
        assert isinstance(services.codes, SilentSender)


def test_sender_of_a_draft_is_a_rehearsal_even_if_nobody_says_so(stage: Stage) -> None:
    before = stage.dump()
    who = issue_identity(KEY, WHO, now=NOW)
    entities = address("汉阳区知音苑")
    tracker = stage.desk.tracker("action_report_outage", (), "停电了", entities, identity=who, sender="draft.c1.2")
    assert stage.desk.action("action_report_outage").answer(tracker).response.startswith("utter_outage")
    assert stage.dump() == before


def test_identity_of_a_conversation_holds_for_its_own_drafts_alone() -> None:
    token = issue_identity(KEY, WHO, now=NOW)
    assert read_identity(KEY, token, now=NOW, sender="draft.c1.4") == WHO
    for other in ("draft.c2.4", "c2.1", "draft", "draft.draft.c1", "c1draft.1"):
        with pytest.raises(BadToken):
            read_identity(KEY, token, now=NOW, sender=other)


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_rehearsed_transaction_is_checked_told_and_gone(
    dialect: str, new_url: Callable[[str, Path], str], tmp_path: Path, keyring: Keyring
) -> None:
    database = Database(new_url(dialect, tmp_path))
    upgrade("workorder", database)
    filing = Filing(cause="c1:9", kind="repair", category="故障报修→低压停电→一户停电", conversation_id="c1")
    rehearsed = RehearsedDatabase(database)
    with rehearsed.transaction() as session:
        filed = file_order(session, filing, keyring=keyring, now=NOW)
    assert filed.order.order_no.isdigit()
    assert filed.order.title == "一户停电"
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Notice)) == 0
        assert session.scalars(select(type(filed.order))).all() == []
    with database.transaction() as session:
        file_order(session, filing, keyring=keyring, now=NOW)
    with database.reading() as session:
        assert len(session.scalars(select(type(filed.order))).all()) == 1
    database.dispose()
