"""The bridge alone, without a bot, over a demonstration with sixty days of talks: for pages that only look at them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from core.seed.agents import DEMO_PASSWORD
from ops import environment
from ops.stack import Stack

SUPERVISOR = "tanyun"
STARTS_WITHIN = 60.0


@contextmanager
def past_bridge(root: Path, *, segmented: int = 0) -> Iterator[Stack]:
    """Give a prepared stack of which the bridge runs, and nothing else; `segmented`: how many runs it has."""
    stack = Stack(root, customers=60, months=26, history=True)
    stack.prepare()
    for _ in range(segmented):
        stack.tool("segment", "run")
    variables = {**stack.variables, **stack.secrets}
    environment.complete(variables)
    log = stack.log.open("ab")
    api = subprocess.Popen([sys.executable, "-m", "api"], cwd=root, env=variables, stdout=log, stderr=log)
    try:
        _await(api, stack)
        yield stack
    finally:
        api.terminate()
        api.wait(20)
        log.close()


@contextmanager
def signed_in(stack: Stack) -> Iterator[httpx.Client]:
    """Give a client whose session is the supervisor's."""
    with httpx.Client(base_url=stack.url, timeout=60, trust_env=False) as client:
        client.post("/v1/desk/login", json={"login": SUPERVISOR, "password": DEMO_PASSWORD}).raise_for_status()
        yield client


def _await(api: subprocess.Popen[bytes], stack: Stack) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while True:
        try:
            httpx.get(f"{stack.url}/desk", trust_env=False)
        except httpx.TransportError:
            said = stack.log.read_text(errors="replace")
            assert api.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.2)
        else:
            return
