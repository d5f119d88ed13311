"""The sender as a process over three databases: what happens in billing and in the network is announced by itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sources_kit import World, worlds

from core.clock import SHANGHAI, system_clock
from core.proactive import waves
from ops import keys
from ops.environment import SENDER_NEVER, service_environment

ROOT = Path(__file__).parents[2]
WITHIN = 40.0


@pytest.fixture
def world(new_url: Callable[[str, Path], str], tmp_path: Path) -> Iterator[World]:
    with worlds(lambda _name: new_url("sqlite", tmp_path)) as found:
        yield found


def test_the_process_announces_an_outage_and_a_new_bill(world: World, tmp_path: Path) -> None:
    account, reader = world.account("C1"), world.follower("a", "C1")
    log = tmp_path / "sender.log"
    with log.open("ab") as output:
        sender = subprocess.Popen(
            [sys.executable, "-m", "api.sender"], cwd=ROOT, env=_environment(world), stdout=output, stderr=output
        )
    try:
        _until(lambda: _bills_were_read(world), log)  # what was there before the first reading is no news
        now = system_clock()
        world.outage("F1", started_at=now, now=now)
        world.bill(account, issued_on=now.astimezone(SHANGHAI).date())
        _until(lambda: world.told().keys() >= {"outage_begun", "bill_ready"}, log)
        assert {wording: list(people) for wording, people in world.told().items() if wording != "bill_unpaid"} == {
            "outage_begun": [reader], "bill_ready": [reader],
        }  # fmt: skip
        sender.terminate()
        assert sender.wait(15) == 0
    finally:
        sender.kill()
        sender.wait()


def _environment(world: World) -> dict[str, str]:
    """Return what `ops serve` gives to a sender."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("DIANFU_")}
    given = {
        **mine, **keys.fresh(), "DIANFU_ENV": "development",
        "DIANFU_BRIDGE_URL": _url(world, "bridge"), "DIANFU_BILLING_URL": _url(world, "billing"),
        "DIANFU_WORKORDER_URL": _url(world, "workorder"),
    }  # fmt: skip
    return service_environment(given, SENDER_NEVER)


def _url(world: World, name: str) -> str:
    return str(getattr(world, name).url.render_as_string(hide_password=False))


def _bills_were_read(world: World) -> bool:
    with world.bridge.reading() as session:
        return bool(waves.mark_of(session, "bill_ready"))


def _until(done: Callable[[], bool], log: Path) -> None:
    end = time.monotonic() + WITHIN
    while not done():
        assert time.monotonic() < end, log.read_text()[-3000:]
        time.sleep(0.1)
