"""Is a port free, does a process listen, is it ready."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from ops.procs import Probe

TIMEOUT = 2.0
ALIVE_WITHIN = 30.0
WARM_UP_TIMEOUT = 60.0
WARM_UP_SENDER = "dianfu-warm-up"
WARM_UP_TEXT = "你好"


def taken(host: str, port: int) -> bool:
    """Tell whether another program has the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # A server that has just ended leaves connections in TIME_WAIT, which do not hinder the next one.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def port_problems(wanted: Sequence[tuple[str, str, int]]) -> list[str]:
    """Return one line for each (variable, host, port) that cannot be had, or is wanted twice."""
    found = []
    owners: dict[int, str] = {}
    for variable, host, port in wanted:
        if port in owners:
            found.append(f"{variable} and {owners[port]} are both {port}; change one of them")
        elif taken(host, port):
            found.append(
                f"port {port} on {host} is taken (or {host} is not of this machine); "
                f"end the program that has it, or set {variable} to a free port"
            )
        owners.setdefault(port, variable)
    return found


def touched(path: Path, *, within: float = ALIVE_WITHIN) -> Probe:
    """Return a probe: whether a file was touched lately, and since the probe was made."""
    made = time.time()

    async def probe() -> bool:
        try:
            at = path.stat().st_mtime
        except OSError:
            return False
        return at >= made and time.time() - at < within

    return probe


def listening(host: str, port: int) -> Probe:
    """Return a probe: false only if the connection is refused, which no mere load brings about."""

    async def probe() -> bool:
        try:
            async with asyncio.timeout(TIMEOUT):
                _, writer = await asyncio.open_connection(host, port)
        except ConnectionRefusedError:
            return False
        except (TimeoutError, OSError):
            return True
        writer.close()
        return True

    return probe


def answers(url: str, *, token: str | None = None, expect: Mapping[str, Any] | None = None) -> Probe:
    """Return a probe: GET `url` gives 200, and a JSON object that holds what is expected."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def probe() -> bool:
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=TIMEOUT) as client:
                answer = await client.get(url, headers=headers)
            if answer.status_code != httpx.codes.OK:
                return False
            return not expect or expect.items() <= answer.json().items()
        except (httpx.HTTPError, ValueError, AttributeError):
            return False

    return probe


def warmed_up(rasa: str, token: str) -> Probe:
    """Return a probe: Rasa has a model and has answered one turn.

    The first turn after a start fills caches and takes several times as long as others, on a small machine longer
    than a customer's turn may: no customer should meet it.
    """
    has_model = answers(f"{rasa}/webhooks/bridge/health", token=token, expect={"model": True})

    async def probe() -> bool:
        if not await has_model():
            return False
        body = {"sender": WARM_UP_SENDER, "text": WARM_UP_TEXT, "kind": "typed", "metadata": {}}
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=WARM_UP_TIMEOUT) as client:
                await client.post(
                    f"{rasa}/webhooks/bridge/turn", json=body, headers={"Authorization": f"Bearer {token}"}
                )
        except httpx.HTTPError:
            return False
        return True  # whatever it answered: whether answers are good is not a matter of being ready

    return probe
