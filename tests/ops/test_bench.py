"""The measurement, against small servers that take a known time."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from core.clock import system_clock
from core.identity import read_customer, read_identity
from ops import bench
from ops.databases import Holder
from ops.environment import Settings

HOLDER = Holder("C1", "0123456789")
Answer = Callable[[str, dict[str, str], dict[str, object]], dict[str, object]]


@asynccontextmanager
async def server(answer: Answer, seconds: Callable[[], float]) -> AsyncIterator[str]:
    """Serve JSON answers over HTTP, each `seconds()` after its question."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := (await reader.readuntil(b"\r\n\r\n")).decode():
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            body = json.loads(await reader.readexactly(int(headers["content-length"])))
            await asyncio.sleep(seconds())
            content = json.dumps(answer(first.split()[1], headers, body)).encode()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(content) + content)
            if reader.at_eof():
                break

    async def quietly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except asyncio.IncompleteReadError:
            writer.close()

    listening = await asyncio.start_server(quietly, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    listening.close()


@pytest.fixture
def short_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RUN_IN": 1, "AROUND": 1, "SHORT": 2, "LONG": 12}.items():
        monkeypatch.setattr(bench, name, value)


async def measured(rasa: Answer, bridge: Answer, bridge_seconds: Callable[[], float]) -> bench.Result:
    async with server(rasa, lambda: 0.02) as rasa_url, server(bridge, bridge_seconds) as base:
        os.environ["DIANFU_RASA_URL"] = rasa_url
        return await bench.measure(Settings.load(), base, HOLDER, 5)


def rasa_answers(path: str, headers: dict[str, str], body: dict[str, object]) -> dict[str, object]:
    """Answer as Rasa does, if the question is put as the bridge puts it."""
    assert path == "/webhooks/bridge/turn"
    assert headers["authorization"] == f"Bearer {os.environ['DIANFU_RASA_TOKEN']}"
    metadata = body["metadata"]
    assert isinstance(metadata, dict)
    assert isinstance(body["sender"], str)
    identity = read_identity(
        os.environ["DIANFU_IDENTITY_KEY"], metadata["identity"], now=system_clock(), sender=body["sender"]
    )
    assert identity.accounts == (HOLDER.account_no,)
    return {"messages": [{"custom": {"type": "bill_card", "text": "…"}}]}


def bridge_answers(path: str, headers: dict[str, str], _body: dict[str, object]) -> dict[str, object]:
    if path == "/v1/sessions":
        token = headers["authorization"].removeprefix("Bearer ")
        claim = read_customer(os.environ["DIANFU_CUSTOMER_TOKEN_KEY"], token, now=system_clock())
        assert claim.customer_no == HOLDER.customer_no
        return {"token": "session"}
    assert (path, headers["authorization"]) == ("/v1/messages", "Bearer session")
    return {"messages": [{"type": "bill_card"}], "mode": "bot"}


@pytest.mark.usefixtures("short_run")
async def test_the_ratios_are_those_of_the_times_that_turns_took() -> None:
    asked = iter(range(1000))

    def seconds() -> float:
        # One opening, 6 turns beside Rasa, one opening, then the long conversation, which slows down at its end.
        return 0.04 if next(asked) < 8 + 8 else 0.08

    result = await measured(rasa_answers, bridge_answers, seconds)
    assert result.direct == pytest.approx(20, abs=15)
    assert result.bridge / result.direct == pytest.approx(2, abs=0.8)
    assert result.long / result.short == pytest.approx(2, abs=0.5)


@pytest.mark.usefixtures("short_run")
async def test_an_apology_is_not_measured_as_an_answer() -> None:
    def apologises(path: str, headers: dict[str, str], body: dict[str, object]) -> dict[str, object]:
        answer = bridge_answers(path, headers, body)
        return answer if "token" in answer else {"messages": [{"type": "text", "text": "抱歉"}], "mode": "bot"}

    with pytest.raises(bench.NoAnswer, match="without a bill"):
        await measured(rasa_answers, apologises, lambda: 0)


def test_the_table_shows_times_and_ratios() -> None:
    table = bench.Result(direct=50, bridge=55, short=54, long=60).table()
    assert "| bill question, through the bridge | 55.0 | 1.10 (adds 5.0 ms) |" in table
    assert "| through the bridge, turn 300 | 60.0 | 1.11 |" in table
