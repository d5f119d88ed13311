"""A whole stack of its own (keys, data, ports, four processes), for the benchmark and for the tests of the whole."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ops import keys, training

PROJECT = Path(__file__).resolve().parents[1]
# What the processes read, relative to their folder; everything that they write goes to `var` of that folder.
READ = (".venv-bot", "actions", "api", "bot", "core", "data", "models")
PORTS = ("API", "RASA", "ACTIONS")
READY_WITHIN, STOPPED_WITHIN, TOLD_EVERY = 240.0, 30.0, 5.0
_SETTLED = "dianfu is ready"
_NAMES = {"api": ("-m", "api"), "sender": ("-m", "api.sender"), "actions": ("-m", "actions"), "rasa": ("rasa", "run")}


class StackFailed(Exception):
    """The stack could not be prepared or started; the message ends with what its processes said last."""


class Stack:
    """The processes under one `dianfu serve`, in a folder of their own, with demonstration data of any size."""

    def __init__(
        self, root: Path, *, customers: int, months: int, more: Mapping[str, str] | None = None, history: bool = False
    ) -> None:  # fmt: skip
        self.root, self._customers, self._months, self._more = root, customers, months, dict(more or {})
        self._history = history  # sixty days of conversations, which most who measure or test have no use for
        self.ports = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
        self.log = root / "var" / "serve.log"
        self._serve: subprocess.Popen[bytes] | None = None
        self.secrets: dict[str, str] = {}

    @property
    def url(self) -> str:
        """Return where the bridge answers."""
        return f"http://127.0.0.1:{self.ports['API']}"

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment in which the stack and its tools run: none of the caller's own settings."""
        mine = {name: value for name, value in os.environ.items() if not name.startswith("DIANFU_")}
        chosen = {f"DIANFU_{name}_PORT": str(port) for name, port in self.ports.items()}
        return {**mine, **chosen, **self._more, "DIANFU_ROOT": str(self.root), "DIANFU_ENV": "development"}

    def prepare(self) -> None:
        """Make the folder, the keys, and the seeded databases.

        Raises:
            StackFailed: if there is no model, or seeding fails.
        """
        if not training.models(PROJECT):
            raise StackFailed("there is no model in models/: run `make train`")
        self.log.parent.mkdir(parents=True)
        for name in READ:
            (self.root / name).symlink_to(PROJECT / name)
        self.secrets, _ = keys.ensure_dev_file(self.root)
        history = "--history" if self._history else "--no-history"
        self.tool("seed", "--customers", str(self._customers), "--months", str(self._months), history)

    def tool(self, *words: str) -> str:
        """Run one `dianfu` command on this stack's data and return what it printed.

        Raises:
            StackFailed: if it fails.
        """
        done = subprocess.run(
            [sys.executable, "-m", "ops", *words], cwd=PROJECT, env=self.variables, capture_output=True, text=True,
            timeout=300, check=False,
        )  # fmt: skip
        if done.returncode:
            raise StackFailed(f"dianfu {' '.join(words)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout.strip()

    def start(self, told: Callable[[str], None] = lambda _line: None) -> None:
        """Start `dianfu serve` and return when all is ready; `told` hears now and then how it stands.

        Raises:
            StackFailed: if it ends or is not ready in time.
        """
        began = heard = time.monotonic()
        with self.log.open("ab") as output:
            offset = output.tell()
            self._serve = subprocess.Popen(
                [sys.executable, "-m", "ops", "serve", "--no-train", "--no-seed"], cwd=PROJECT, env=self.variables,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        while _SETTLED not in self.log.read_text(errors="replace")[offset:]:
            now = time.monotonic()
            if self._serve.poll() is not None or now - began > READY_WITHIN:
                self.stop()
                raise StackFailed(f"the stack did not start\n{self.last_words()}")
            if now - heard > TOLD_EVERY:
                heard = now
                told(f"waiting for the stack ({now - began:.0f} s)")
            time.sleep(0.1)

    def stop(self) -> None:
        """End `dianfu serve` as Ctrl-C does."""
        if self._serve is None:
            return
        self._serve.send_signal(signal.SIGINT)
        try:
            self._serve.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            self._serve.kill()
            self._serve.wait()
        self._serve = None

    @property
    def serve_pid(self) -> int:
        """Return the process id of `dianfu serve`."""
        assert self._serve is not None
        return self._serve.pid

    def reap(self) -> None:
        """Forget a `dianfu serve` that somebody killed."""
        if self._serve is not None:
            self._serve.wait(STOPPED_WITHIN)
            self._serve = None

    def processes(self) -> dict[int, str]:
        """Return the command lines of all processes that work in the stack's folder, by process id (Linux)."""
        found = {}
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdecimal() and (entry / "cwd").readlink() == self.root:
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        return found

    def pids(self, name: str) -> list[int]:
        """Return the process ids of `api`, `actions` or `rasa`, without the launcher that `serve` puts before it."""
        wanted = " ".join(_NAMES[name])
        return [pid for pid, line in self.processes().items() if f"{wanted} " in f"{line} " and "child.py" not in line]

    def last_words(self, lines: int = 50) -> str:
        """Return the last lines of each process."""
        said = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        parts = []
        for name in ("dianfu", "actions", "rasa", "api", "sender"):
            own = [line for line in said if line.startswith(f"{name:<8}|")]
            parts += [f"--- {name}, its last {min(lines, len(own))} lines", *own[-lines:]]
        rest = [line for line in said if "|" not in line[:9]]
        return "\n".join([*parts, "--- other lines", *rest[-lines:]])


@contextlib.contextmanager
def running(
    root: Path, *, customers: int, months: int, told: Callable[[str], None] = lambda _line: None,
    more: Mapping[str, str] | None = None, history: bool = False,
) -> Iterator[Stack]:  # fmt: skip
    """Give a prepared and started stack, with `more` settings, and end it."""
    stack = Stack(root, customers=customers, months=months, more=more, history=history)
    stack.prepare()
    try:
        stack.start(told)
        yield stack
    finally:
        stack.stop()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
