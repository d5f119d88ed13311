"""Tenancy: what was bound by the earlier customer of an account ends when the account has another one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from core.account import Account, Customer
from core.channel import link, tenancy, writer
from core.db import Database
from core.masking import mask_account_no
from tests.conftest import Seeded
from tests.core.channel_kit import ALICE, BOB, DAY, HERS, NOW, SECOND, World, fresh

if TYPE_CHECKING:
    from tests.conftest import NewUrl

TEXT = "户号（{account}）已解除绑定"


@pytest.fixture(params=["sqlite", "postgresql"])
def bridge(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Database]:
    yield from fresh(new_url, request.param, tmp_path)


@pytest.fixture
def world(bridge: Database) -> Iterator[World]:
    with bridge.transaction() as session:
        yield World(session)


def test_the_billing_system_says_whose_an_account_is(seeded: Seeded) -> None:
    with seeded.database.reading() as session:
        rows = session.execute(select(Account.account_no, Customer.customer_no).join(Customer).limit(3)).all()
        known = {row.account_no: row.customer_no for row in rows}
        assert tenancy.owners(session, {*known, "0000000000000"}) == known


def test_the_earlier_tenant_loses_account_and_conversation_and_is_told_once(world: World) -> None:
    user = world.user("o-tenant")
    talk = world.talk(user)
    world.proves(talk, HERS)
    world.says(talk, "上个月电费")
    (bound,) = tenancy.bound_after(world.session, 0)
    assert (bound.account_no, bound.owner_no) == (HERS, ALICE)
    for _ in range(2):
        tenancy.void(world.session, bound.binding_id, BOB, text=TEXT, open_for=DAY, now=NOW)
    fresh_talk = world.talk(user)
    assert (user.customer_no, fresh_talk.accounts, talk.mode) == (None, [], "closed")
    assert world.texts(fresh_talk.id) == [TEXT.format(account=mask_account_no(HERS))]
    assert HERS not in world.texts(fresh_talk.id)[0]
    assert tenancy.bound_after(world.session, 0) == []
    assert link.home_of(world.session, ALICE, now=NOW) is None


def test_with_another_account_left_the_conversation_goes_on_without_the_void_one(world: World) -> None:
    user = world.user("o-tenant")
    talk = world.talk(user)
    world.proves(talk, HERS)
    world.proves(talk, SECOND)
    bound = {one.account_no: one for one in tenancy.bound_in(world.session, talk)}
    assert set(bound) == {HERS, SECOND}
    tenancy.void(world.session, bound[SECOND].binding_id, BOB, text=TEXT, open_for=DAY, now=NOW)
    assert (world.talk(user).id, talk.accounts, user.customer_no) == (talk.id, [HERS], ALICE)
    assert SECOND not in talk.assured


def test_what_a_page_bound_ends_too(world: World) -> None:
    page = world.web(None)
    message = world.says(page, "绑定", world.seat(page))
    writer.grant_to(world.session, page, message, world._grant(page, add=HERS), now=NOW)
    world.settle()
    (bound,) = tenancy.bound_in(world.session, page)
    assert tenancy.void(world.session, bound.binding_id, BOB, text=TEXT, open_for=DAY, now=NOW) == [page.id]
    assert (page.accounts, page.assured, page.assurance) == ([], [], 0)


def test_who_still_holds_the_account_keeps_it(world: World) -> None:
    user = world.user("o-alice")
    world.proves(world.talk(user), HERS)
    (bound,) = tenancy.bound_after(world.session, 0)
    assert tenancy.void(world.session, bound.binding_id, ALICE, text=TEXT, open_for=DAY, now=NOW) == []
    assert world.talk(user).accounts == [HERS]
