"""The bridge alone, in a folder of its own, with agents at its desk and limits of its own; Rasa is not there.

What leads to a person does not need Rasa: this is all that a drill wants, and what is left of a site without Rasa.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml

from core.agent import NewAgent, add_agent, hash_password
from core.audit import Auditor
from core.clock import system_clock
from core.db import Database
from core.fields import Keyring
from core.migrations import METADATA, upgrade
from ops import keys
from ops.child import die_with_parent
from ops.simulation.staff import PASSWORD, Staff

PROJECT = Path(__file__).resolve().parents[2]
STARTED_WITHIN, STOPPED_WITHIN = 120.0, 15.0


class SiteFailed(Exception):
    """The bridge did not start; the message ends with what it said last."""


class Site:
    """One `python -m api` with databases, keys and data of its own; it may be killed and started again."""

    def __init__(self, root: Path, *, limits: Mapping[str, Any] | None = None, rasa_url: str | None = None) -> None:
        self.root, self._limits = root, dict(limits or {})
        port, nobody = _free_ports(2)
        self.url = f"http://127.0.0.1:{port}"
        self.secrets = keys.fresh()
        self._variables = {
            **self.secrets, "DIANFU_ENV": "development", "DIANFU_DATA_DIR": str(root / "data"),
            "DIANFU_UPLOAD_DIR": str(root / "uploads"), "DIANFU_API_PORT": str(port), "DIANFU_LOG_LEVEL": "WARNING",
            "DIANFU_RASA_URL": rasa_url or f"http://127.0.0.1:{nobody}",
            **{f"DIANFU_{name.upper()}_URL": f"sqlite:///{root}/{name}.db" for name in METADATA},
        }  # fmt: skip
        self.log = root / "api.log"
        self._api: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the process id of the bridge."""
        assert self._api is not None
        return self._api.pid

    def database(self, name: str) -> Database:
        """Return one of the databases; dispose of it."""
        return Database(self._variables[f"DIANFU_{name.upper()}_URL"])

    @property
    def keyring(self) -> Keyring:
        """Return the keys of field encryption."""
        return Keyring.parse(self.secrets["DIANFU_FIELD_KEYS"], self.secrets["DIANFU_LOOKUP_KEY"])

    def prepare(self, staff: Sequence[Staff]) -> None:
        """Make the data with the limits, the databases, and the agents (all with PASSWORD)."""
        shutil.copytree(PROJECT / "data", self.root / "data")
        path = self.root / "data" / "desk" / "limits.yaml"
        limits = yaml.safe_load(path.read_text(encoding="utf-8"))
        path.write_text(yaml.safe_dump({**limits, **self._limits}), encoding="utf-8")
        for name in METADATA:
            database = self.database(name)
            upgrade(name, database)
            database.dispose()
        self._add(staff)

    def start(self) -> None:
        """Start the bridge and return when it answers.

        Raises:
            SiteFailed: if it ends or does not answer in time.
        """
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start the bridge, from a thread that stays: the kernel ends the bridge when that thread is gone (Linux)."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("DIANFU_")}
        with self.log.open("ab") as output:
            self._api = subprocess.Popen(
                [sys.executable, "-m", "api"], cwd=PROJECT, env={**clean, **self._variables},
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                preexec_fn=_die_with_us,  # one call that allocates nothing
            )  # fmt: skip

    def wait(self) -> None:
        """Return when the bridge that was launched answers; raises `SiteFailed`."""
        assert self._api is not None
        until = time.monotonic() + STARTED_WITHIN
        while not self.alive():
            if self._api.poll() is not None or time.monotonic() > until:
                self.stop()
                raise SiteFailed(f"the bridge did not start\n{self.last_words()}")
            time.sleep(0.05)

    def alive(self) -> bool:
        """Tell whether the bridge answers."""
        try:
            return httpx.get(f"{self.url}/healthz", timeout=2, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        """End the bridge as a failure of the machine would (SIGKILL)."""
        assert self._api is not None
        self._api.kill()
        self._api.wait()

    def stop(self) -> None:
        """End the bridge as an operator would."""
        if self._api is None or self._api.poll() is not None:
            return
        self._api.send_signal(signal.SIGTERM)
        try:
            self._api.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            self.kill()

    def last_words(self, lines: int = 40) -> str:
        """Return the last lines that the bridge has logged."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    def _add(self, staff: Sequence[Staff]) -> None:
        now, auditor, bridge = system_clock(), Auditor.of(self.keyring), self.database("bridge")
        hashed = hash_password(PASSWORD, login="")
        with bridge.transaction() as session:
            for number, one in enumerate(staff, 1):
                new = NewAgent(one.login, f"坐席{number}", f"{7000 + number}", one.role, one.skills, one.capacity)
                add_agent(session, new, hashed, auditor=auditor, now=now)
        bridge.dispose()


@contextlib.contextmanager
def running(root: Path, staff: Sequence[Staff], *, limits: Mapping[str, Any] | None = None) -> Iterator[Site]:
    """Give a prepared and started site, and end it."""
    site = Site(root, limits=limits)
    site.prepare(staff)
    site.start()
    try:
        yield site
    finally:
        site.stop()


def _die_with_us() -> None:
    die_with_parent(signal.SIGKILL)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
