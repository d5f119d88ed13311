"""The supervisor, run with small Python programs in place of Rasa, the actions and the bridge."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from ops.procs import NotReady, Process, Supervisor, Timing

QUICK = Timing(first_delay=0.05, longest_delay=0.2, grace=1, ready_poll=0.02, listen_poll=0.05, notice_every=0.2)

# Says its name, marks itself as ready, then lives until it is ended.
STEADY = """
import os, sys, time
from pathlib import Path
print("up", os.getpid(), flush=True)
Path(sys.argv[1]).write_text(str(os.getpid()))
time.sleep(60)
"""
DEAF_TO_TERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + STEADY
WITH_CHILD = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("child", child.pid, flush=True)
""" + STEADY  # fmt: skip
CRASHES = "import sys; print('no such setting'); sys.exit(3)"


class Log:
    """Keeps the lines that the supervisor shows."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __call__(self, name: str, line: str) -> None:
        self.lines.append((name, line))

    def of(self, name: str) -> list[str]:
        return [line for who, line in self.lines if who == name]

    def pids(self, word: str = "up") -> list[int]:
        return [int(line.split()[1]) for _, line in self.lines if line.startswith(word + " ")]


async def yes() -> bool:
    return True


async def no() -> bool:
    return False


def process(
    folder: Path, name: str, script: str = STEADY, *, listens: Callable[[], Awaitable[bool]] = yes, within: float = 10
) -> Process:
    mark = folder / f"{name}.pid"

    async def ready() -> bool:
        return mark.exists()

    return Process(
        name, (sys.executable, "-c", script, str(mark)), os.environ, ready, listens, ready_within=within
    )  # fmt: skip


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def until(condition: Callable[[], bool], within: float = 10) -> None:
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.02)


async def run(
    processes: list[Process], log: Log, during: Callable[[], Awaitable[None]], timing: Timing = QUICK
) -> list[str]:
    """Run the supervisor, do something once all are ready, stop it; return what was announced."""
    stop, said = asyncio.Event(), []
    up = asyncio.Event()

    def started() -> None:
        said.append("started")
        up.set()

    task = asyncio.create_task(Supervisor(processes, log, timing=timing).run(stop, started))
    await asyncio.wait({task, asyncio.create_task(up.wait())}, timeout=15, return_when="FIRST_COMPLETED")
    try:
        if not task.done():
            await during()
    finally:
        stop.set()
        await task
    return said


async def nothing() -> None:
    """Do nothing."""


async def test_processes_start_in_order_each_when_the_one_before_it_is_ready(tmp_path: Path) -> None:
    log = Log()
    said = await run([process(tmp_path, name) for name in ("actions", "rasa", "api")], log, nothing)
    events = [line.split(" (")[0] for line in log.of("dianfu") if not line.startswith("waiting")]
    assert events == [
        "starting actions", "actions is ready", "starting rasa", "rasa is ready", "starting api", "api is ready",
    ]  # fmt: skip
    assert said == ["started"]


async def test_every_line_carries_the_name_of_its_process(tmp_path: Path) -> None:
    log = Log()
    script = "import sys; print('one'); print('two', file=sys.stderr); print('half\\rwhole')\n" + STEADY
    await run([process(tmp_path, "rasa", script)], log, nothing)
    assert {"one", "two", "whole"} <= set(log.of("rasa"))


async def test_stopping_leaves_no_process_and_no_grandchild(tmp_path: Path) -> None:
    log = Log()
    await run([process(tmp_path, "actions", WITH_CHILD), process(tmp_path, "api")], log, nothing)
    pids = log.pids() + log.pids("child")
    assert len(pids) == 3
    # The last signal is sent before the supervisor returns; the kernel may still be at it.
    await until(lambda: not any(alive(pid) for pid in pids), within=2)


async def test_a_process_that_ignores_sigterm_is_killed_after_the_grace_period(tmp_path: Path) -> None:
    log = Log()
    began = time.monotonic()
    await run([process(tmp_path, "rasa", DEAF_TO_TERM)], log, nothing)
    assert time.monotonic() - began >= QUICK.grace
    assert [pid for pid in log.pids() if alive(pid)] == []


async def test_a_process_killed_with_minus_nine_comes_back_and_the_others_stay(tmp_path: Path) -> None:
    log = Log()

    async def kill_rasa() -> None:
        (tmp_path / "rasa.pid").unlink()
        os.kill(log.pids()[1], signal.SIGKILL)
        await until(lambda: len(log.pids()) == 3 and log.of("dianfu")[-1].startswith("rasa is ready"))
        assert alive(log.pids()[0])

    await run([process(tmp_path, "actions"), process(tmp_path, "rasa")], log, kill_rasa)
    assert "rasa ended (SIGKILL); starting it again in 0.05 s" in log.of("dianfu")


async def test_the_workers_of_a_killed_process_do_not_outlive_it(tmp_path: Path) -> None:
    log = Log()

    async def kill_main() -> None:
        os.kill(log.pids()[0], signal.SIGKILL)
        await until(lambda: len(log.pids()) == 2)
        assert not alive(log.pids("child")[0])

    await run([process(tmp_path, "actions", WITH_CHILD)], log, kill_main)


async def test_a_process_whose_launcher_is_killed_does_not_run_on_beside_the_new_one(tmp_path: Path) -> None:
    log = Log()

    async def kill_launcher() -> None:
        first = log.pids()[0]
        launcher = int(Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(launcher, signal.SIGKILL)
        await until(lambda: len(log.pids()) == 2)
        assert not alive(first)

    await run([process(tmp_path, "api")], log, kill_launcher)


async def test_a_process_that_no_longer_listens_is_restarted(tmp_path: Path) -> None:
    log, open_port = Log(), [True]

    async def listens() -> bool:
        return open_port[0]

    async def close_port() -> None:
        open_port[0] = False
        await until(lambda: len(log.pids()) >= 2)
        open_port[0] = True

    await run([process(tmp_path, "actions", listens=listens)], log, close_port)
    assert any("no longer listened" in line for line in log.of("dianfu"))
    assert [pid for pid in log.pids() if alive(pid)] == []


async def test_a_process_that_dies_before_it_was_ever_ready_is_given_up_with_its_own_words_shown(
    tmp_path: Path,
) -> None:
    log = Log()
    with pytest.raises(NotReady, match="rasa ended 3 times before it was ready"):
        await run([process(tmp_path, "actions"), process(tmp_path, "rasa", CRASHES)], log, nothing)
    assert log.of("rasa") == ["no such setting"] * 3
    assert "rasa ended (exit code 3)" in log.of("dianfu")
    assert [pid for pid in log.pids() if alive(pid)] == []


async def test_a_process_that_never_gets_ready_is_waited_for_aloud_and_then_given_up(tmp_path: Path) -> None:
    log = Log()
    slow = process(tmp_path, "rasa", "import time; time.sleep(60)", within=0.5)
    with pytest.raises(NotReady, match="rasa was not ready within 0.5 s"):
        await run([slow], log, nothing)
    assert any(line.startswith("waiting for rasa") for line in log.of("dianfu"))


async def test_a_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    log = Log()
    missing = Process("rasa", (str(tmp_path / "python"),), os.environ, no, yes)
    with pytest.raises(NotReady):
        await run([missing], log, nothing)
    assert f"cannot start {tmp_path}/python: No such file or directory" in log.of("rasa")


def test_the_wait_before_a_restart_doubles_up_to_thirty_seconds() -> None:
    assert [Timing().delay(deaths) for deaths in range(1, 10)] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert Timing().delay(100_000) == 30


async def deaths_with(tmp_path: Path, lifetime: float, count: int) -> list[float]:
    """Return the waits that a process got which was ready and lived so long, each time."""
    waits: list[float] = []
    enough, clock = asyncio.Event(), [0.0]

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == count:
            enough.set()
            await asyncio.Event().wait()

    async def ready() -> bool:
        # The process lives in the clock that is injected: ready at once, dead after `lifetime`.
        mark = tmp_path / "go"
        if not mark.exists():
            mark.touch()
            return True
        return False

    def now() -> float:
        clock[0] += lifetime
        return clock[0]

    script = (
        "import sys, time; from pathlib import Path; mark = Path(sys.argv[1])\n"
        "while not mark.exists(): time.sleep(0.01)\n"
        "time.sleep(0.1); mark.unlink()"
    )
    dies = Process("api", (sys.executable, "-c", script, str(tmp_path / "go")), os.environ, ready, yes)
    supervisor = Supervisor([dies], Log(), timing=Timing(ready_poll=0.01, notice_every=1), now=now, sleep=sleep)
    stop = asyncio.Event()
    task = asyncio.create_task(supervisor.run(stop, lambda: None))
    await asyncio.wait_for(enough.wait(), 20)
    stop.set()
    await task
    return waits


async def test_a_crash_loop_waits_longer_each_time(tmp_path: Path) -> None:
    assert await deaths_with(tmp_path, lifetime=0.1, count=4) == [0.5, 1, 2, 4]


async def test_a_minute_of_health_forgives_what_was_before(tmp_path: Path) -> None:
    assert await deaths_with(tmp_path, lifetime=61, count=3) == [0.5, 0.5, 0.5]
