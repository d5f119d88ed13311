"""The measurement, against small servers that take a known time."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from core.clock import system_clock
from core.identity import read_identity
from ops import bench

KEY = "k" * 40
ACCOUNT = "0123456789"
Answer = Callable[[str, str, dict[str, Any]], dict[str, Any]]


@contextmanager
def server(answer: Answer, seconds: Callable[[], float]) -> Iterator[str]:
    """Serve JSON answers over HTTP, each `seconds()` after its question."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: two would wait for each other

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            time.sleep(seconds())
            content = json.dumps(answer(self.path, self.headers["Authorization"], body)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{listening.server_port}"
    listening.shutdown()
    listening.server_close()


@pytest.fixture(autouse=True)
def short_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "WARM_UP", 1)
    monkeypatch.setattr(bench, "CONVERSATIONS", 2)
    monkeypatch.setattr(bench, "EARLY", range(1, 3))
    monkeypatch.setattr(bench, "LATE", range(5, 7))


def rasa_answers(path: str, authorization: str, body: dict[str, Any]) -> dict[str, Any]:
    """Answer as Rasa does, if the question is put as the bridge puts it."""
    assert (path, authorization) == ("/webhooks/bridge/turn", "Bearer rasa")
    identity = read_identity(KEY, body["metadata"]["identity"], now=system_clock(), sender=body["sender"])
    assert identity.accounts == (ACCOUNT,)
    return {"messages": [{"custom": {"type": "bill_card", "text": "…"}}]}


def bridge_answers(path: str, authorization: str, _body: dict[str, Any]) -> dict[str, Any]:
    if path == "/v1/sessions":
        assert authorization == "Bearer customer"
        return {"token": "session"}
    assert (path, authorization) == ("/v1/messages", "Bearer session")
    return {"messages": [{"type": "bill_card"}], "mode": "bot"}


def measured(bridge: Answer, bridge_seconds: Callable[[], float]) -> bench.Figures:
    with server(rasa_answers, lambda: 0.02) as rasa_url, server(bridge, bridge_seconds) as bridge_url:
        site = bench.Site(bridge_url, rasa_url, "C1", ACCOUNT, "customer", "rasa", KEY)
        return bench.Bench(site).measure(6, lambda _what, _done, _total: None)


def test_what_is_added_and_the_ratio_are_those_of_the_times_that_turns_took() -> None:
    asked = iter(range(1000))

    def seconds() -> float:
        # An opening and 7 turns beside Rasa; two openings, and two conversations of 6 turns that slow down at the end.
        return 0.04 if next(asked) < 8 + 2 + 8 else 0.08

    figures = measured(bridge_answers, seconds)
    assert (len(figures.bridge), len(figures.rasa), len(figures.early), len(figures.late)) == (6, 6, 4, 4)
    assert figures.added_ms == pytest.approx(20, abs=12)
    assert figures.ratio == pytest.approx(2, abs=0.5)


def test_an_apology_is_not_measured_as_an_answer() -> None:
    def apologises(path: str, authorization: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = bridge_answers(path, authorization, body)
        return answer if "token" in answer else {"messages": [{"type": "text", "text": "抱歉"}], "mode": "bot"}

    with pytest.raises(bench.NoAnswer, match="without a bill"):
        measured(apologises, lambda: 0)


def test_the_table_shows_times_difference_and_ratio() -> None:
    table = bench.table(bench.Figures([0.055] * 3, [0.05] * 3, early=[0.05], late=[0.06]))
    assert "| The bridge adds, at the median | 5.0 ms (x 1.10) | ≤ 10 ms |" in table
    assert "| Turn 300 against turn 10 | x 1.20 | ≤ 1.3 |" in table


def test_the_table_goes_between_the_marks_and_nowhere_else(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n")
    bench.put_between_marks(page, "new")
    bench.put_between_marks(page, "newer")
    assert page.read_text() == "before\n<!-- bench -->\nnewer\n<!-- /bench -->\nafter\n"
    page.write_text("no marks")
    bench.put_between_marks(page, "new")
    assert page.read_text() == "no marks"


def test_what_other_benchmarks_wrote_stays_on_the_page(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    assert bench.kept(page) == "\n<!-- broadcast -->\n<!-- /broadcast -->\n"
    others = "<!-- broadcast -->\nfast\n<!-- /broadcast -->\n\n<!-- segments -->\ntable\n<!-- /segments -->\n"
    page.write_text(f"# Benchmarks\n\nold\n\n{others}")
    assert bench.kept(page) == f"\n{others}"
