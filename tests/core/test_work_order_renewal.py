from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from core.db import Database
from core.fields import Keyring, UnreadableField, new_key
from core.migrations import upgrade
from core.work_order import Filing, WorkOrder, add_note, file_order, note_context, reveal
from core.work_order.renewal import renew_orders

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_every_encrypted_part_comes_under_the_new_key(
    new_url: Callable[[str, Path], str], tmp_path: Path, dialect: str
) -> None:
    database = Database(new_url(dialect, tmp_path))
    upgrade("workorder", database)
    old, fresh, lookup = f"old:{new_key()}", f"new:{new_key()}", new_key()
    for number in range(3):
        with database.transaction() as session:
            filing = Filing(
                cause=str(number), kind="repair", category="故障报修→停电", address="万松里" if number else None,
                contact="13800002842", description="没电", details={"范围": "一户"},
            )  # fmt: skip
            order = file_order(session, filing, keyring=Keyring.parse(old, lookup), now=NOW).order
            add_note(session, order, "快点", keyring=Keyring.parse(old, lookup), now=NOW)
    with pytest.raises(UnreadableField), database.transaction() as session:
        renew_orders(session, keyring=Keyring.parse(fresh, lookup))
    both, counts = Keyring.parse(f"{fresh},{old}", lookup), []
    while not counts or counts[-1]:
        with database.transaction() as session:
            counts.append(renew_orders(session, keyring=both, limit=2))
    assert counts == [2, 1, 2, 1, 0]
    alone = Keyring.parse(fresh, lookup)
    with database.reading() as session:
        for order in session.scalars(select(WorkOrder)):
            assert reveal(order, keyring=alone).description == "没电"
            note = order.events[-1]
            assert alone.decrypt(str(note.note_cipher), note_context(order.order_no, note.seq)) == "快点"
    database.dispose()
