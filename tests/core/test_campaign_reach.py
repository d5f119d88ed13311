"""How far a campaign reaches: by the run and what happened since, without the held out and whoever refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from campaign_kit import NOBODY, NOW, RULES, agree, run
from dialects import DIALECTS, NewUrl
from sqlalchemy import event, insert, select

from core.binding import Binding
from core.campaign_reach import NoRun, reached
from core.channel.tables import ChannelUser
from core.conversation import open_conversation
from core.db import Database
from core.fields import Keyring
from core.migrations import upgrade
from core.portrait.tables import Portrait, PortraitEvent
from core.proactive.tables import Choice
from core.recommend.choosing import held_out
from core.recommend.refusals import refuse
from core.recommend.tables import ALL
from core.segment.standing import standing_of
from core.segment.tables import RETIRED

MANY, AT = 20_000, {"changed_at": NOW}


@pytest.fixture(params=DIALECTS)
def bridge(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Database]:
    database = Database(new_url(request.param, tmp_path))
    upgrade("bridge", database)
    yield database
    database.dispose()


def test_a_customer_belongs_to_the_strongest_of_their_accounts(bridge: Database, keyring: Keyring) -> None:
    with bridge.transaction() as session:
        run(session, {"A": ["basic", "high_value"], "B": ["basic"], "C": ["high_risk", "basic", "special_service"]})
        agree(session, "A", "B", "C")
        found, people = reached(session, NOBODY, ["special_service", "high_value", "basic"], keyring=keyring)
    assert {one.segment: (one.audience, one.reached) for one in found} == {
        "special_service": (1, 1), "high_value": (1, 1), "basic": (1, 1),
    }  # fmt: skip
    assert sorted(people) == ["A", "B", "C"]


def test_the_held_out_and_those_who_refused_everything_are_left_out_and_counted(
    bridge: Database, keyring: Keyring
) -> None:
    numbers = [f"C{number:04d}" for number in range(1200)]
    out = {number for number in numbers if held_out(keyring, number, RULES)}
    shut = [number for number in numbers if number not in out][:3]
    with bridge.transaction() as session:
        run(session, {number: ["growth"] for number in numbers})
        agree(session, *numbers)
        for number in shut:
            refuse(session, f"customer:{number}", "saving_measure", now=NOW)  # one kind leaves the others
        refuse(session, f"customer:{shut[0]}", ALL, now=NOW)  # and shuts offers
        agree(session, shut[0])  # a choice that is older than nothing: the refusal stands all the same
        ((one,), people) = reached(session, RULES, ["growth"], keyring=keyring)
    assert (one.audience, one.consenting, one.held_out, one.refused) == (1200, 1200, len(out), 1)
    assert set(people) == set(numbers) - out - {shut[0]}
    assert one.reached == len(people)


def test_only_the_published_run_counts(bridge: Database, keyring: Keyring) -> None:
    with bridge.transaction() as session:
        run(session, {"A": ["growth"]}, state=RETIRED)
        agree(session, "A")
        with pytest.raises(NoRun):
            reached(session, RULES, ["growth"], keyring=keyring)


def test_what_happened_since_the_run_counts(bridge: Database, keyring: Keyring) -> None:
    with bridge.transaction() as session:
        run(session, {"A": ["growth"], "B": ["growth"], "C": ["basic"]})
        agree(session, "A", "B", "C", "N")
        first = session.scalars(select(Portrait.account_no).where(Portrait.customer_no == "A")).one()
        # A registered a need (the event names the account alone), C and a new customer bought a car.
        for number, account, kind, segment in (
            (None, first, "special_need", "special_service"), ("C", "4209000000001", "application", "growth"),
            ("N", "4209000000002", "application", "growth"),
        ):  # fmt: skip
            session.add(
                PortraitEvent(account_no=account, customer_no=number, at=NOW, kind=kind, cause=account, segment=segment)
            )
        session.flush()
        _, people = reached(session, NOBODY, ["growth"], keyring=keyring)
    assert sorted(people) == ["B", "C", "N"]


def test_who_refused_before_it_was_known_who_that_is_is_left_out(bridge: Database, keyring: Keyring) -> None:
    """One by the conversation that is theirs now, one by what they bound in it, one as the user of a channel."""
    with bridge.transaction() as session:
        run(session, {number: ["growth"] for number in "ABCDE"})
        agree(session, *"ABCDE")
        talks = {
            name: open_conversation(session, channel="web", customer_no=None, accounts=[], assurance=0, now=NOW)
            for name in "ABD"
        }
        home = open_conversation(session, channel="wechat", customer_no="D", accounts=[], assurance=1, now=NOW)
        user = ChannelUser(channel="wechat", user_id="o1", conversation_id=home.id, created_at=NOW)
        session.add(user)
        session.flush()
        for subject in (f"talk:{talks['A'].id}", f"talk:{talks['B'].id}", f"talk:{talks['D'].id}", f"user:{user.id}"):
            refuse(session, subject, ALL, now=NOW)
        _, people = reached(session, NOBODY, ["growth"], keyring=keyring)
        assert people == ["A", "B", "C", "D", "E"]
        talks["A"].customer_no, talks["D"].joined_to, user.customer_no = "A", home.id, "C"
        session.add(
            Binding(
                conversation_id=talks["B"].id, channel="web", customer_no=None, channel_user=None,
                account_no="4209000000009", owner_no="B", since=NOW, ended_at=None,
            )
        )  # fmt: skip
        session.flush()
        ((one,), people) = reached(session, NOBODY, ["growth"], keyring=keyring)
    assert (people, one.consenting, one.refused) == (["E"], 5, 4)


def test_the_statements_do_not_grow_with_the_customers(bridge: Database, keyring: Keyring) -> None:
    """Twenty thousand agreed, to a quarter something has happened since; what is said of each is what stands."""
    counted: list[int] = []
    groups = ["growth", "basic", "high_risk", None]
    with bridge.transaction() as session:
        run_id = run(session, {})
        for first, last in ((0, 100), (100, MANY)):
            numbers = range(first, last)
            session.execute(insert(Choice), [
                {"subject": f"customer:C{number:06d}", "kind": "offer", "wanted": True, "channel": "chat"} | AT
                for number in numbers
            ])  # fmt: skip
            session.execute(insert(Portrait), [
                {
                    "run_id": run_id, "account_id": number, "account_no": f"{4_200_000_000_000 + number}",
                    "customer_no": f"C{number // 2 * 2:06d}", "customer_kind": "person", "district": "江岸区",
                    "area_class": "city", "user_class": "residential", "history_months": 24, "tags": [],
                    "segment": groups[number % 4],
                }
                for number in numbers
            ])  # fmt: skip
            session.execute(insert(PortraitEvent), [
                {
                    "account_no": f"{4_200_000_000_000 + number}", "at": NOW, "kind": kind, "cause": f"x{number}",
                    "customer_no": f"C{number:06d}" if number % 8 else None, "segment": segment, "tags": [], "data": {},
                }
                for number in numbers if number % 4 == 0
                for kind, segment in [("cleared", "basic") if number % 3 else ("special_need", "special_service")]
            ])  # fmt: skip
            said: list[str] = []
            log = lambda *call, log=said: log.append(call[2])  # noqa: E731  an engine wants the very same one back
            event.listen(bridge.engine, "before_cursor_execute", log)
            found, people = reached(session, NOBODY, ["growth", "special_service", "high_risk"], keyring=keyring)
            event.remove(bridge.engine, "before_cursor_execute", log)
            counted.append(len(said))
        for number in range(0, MANY, 1 + MANY // 80):
            customer_no = f"C{number:06d}"
            accounts = session.scalars(select(Portrait.account_no).where(Portrait.customer_no == customer_no)).all()
            stands = standing_of(session, customer_no=customer_no, account_nos=accounts).segment
            assert (customer_no in people) == (stands in ("growth", "special_service", "high_risk")), customer_no
    assert counted[0] == counted[1] <= 8
    assert sum(one.reached for one in found) == len(people) == len(set(people)) > 5000
