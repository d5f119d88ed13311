"""`dianfu serve` as a whole, as a program of its own, with small servers in place of the four processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ops import keys

PROJECT = Path(__file__).resolve().parents[2]

# Answers GET with `{"model": true}` if the bearer token is right, and leaves its pid and variables in var/<name>.json.
SERVER = """
import http.server, json, os, sys
from pathlib import Path

name, port, token = sys.argv[1], int(sys.argv[2]), sys.argv[3]

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        good = not token or self.headers.get("Authorization") == "Bearer " + token
        self.send_response(200 if good else 401)
        self.end_headers()
        self.wfile.write(b'{"model": true}')

    def do_POST(self):
        words = self.rfile.read(int(self.headers["Content-Length"])).decode()
        print("turn", self.path, words, flush=True)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"messages": []}')

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
print(name, "speaks", flush=True)
state = {"pid": os.getpid(), "variables": dict(os.environ), "arguments": sys.argv}
Path(f"var/{name}.new").write_text(json.dumps(state))
Path(f"var/{name}.new").replace(f"var/{name}.json")
server.serve_forever()
"""
# Listens nowhere: touches the file that it is told to, and so is alive.
SENDER = """
import json, os, sys, time
from pathlib import Path

print("sender speaks", flush=True)
state = {"pid": os.getpid(), "variables": dict(os.environ), "arguments": sys.argv}
Path("var/sender.new").write_text(json.dumps(state))
Path("var/sender.new").replace("var/sender.json")
while True:
    Path(sys.argv[sys.argv.index("--alive") + 1]).touch()
    time.sleep(0.1)
"""
MODULE = "import os, runpy, sys; sys.argv[1:] = [{name!r}, os.environ[{port!r}], '']; runpy.run_path('server.py')"


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


class Site:
    """A project folder with a model, migrated databases, and stand-ins for the processes."""

    def __init__(self, root: Path, variables: dict[str, str]) -> None:
        self.root = root
        self.ports = dict(zip(("API", "RASA", "ACTIONS"), free_ports(3), strict=True))
        chosen = {f"DIANFU_{name}_PORT": str(port) for name, port in self.ports.items()}
        self.variables = {**os.environ, **variables, **chosen, "DIANFU_ROOT": str(root)}
        self.output = root / "output.txt"
        for folder in ("models", "var", "actions", "api", "api/sender", "ops", ".venv-bot/bin"):
            (root / folder).mkdir(parents=True)
        (root / "models/dianfu.tar.gz").touch()
        (root / "server.py").write_text(SERVER)
        for name in ("actions", "api"):
            script = MODULE.format(name=name, port=f"DIANFU_{name.upper()}_PORT")
            (root / name / "__init__.py").touch()
            (root / name / "__main__.py").write_text(script)
        (root / "api/sender/__init__.py").touch()
        (root / "api/sender/__main__.py").write_text(SENDER)
        (root / "ops/__init__.py").touch()
        (root / "ops/segment_watch.py").write_text(SENDER.replace("sender", "segments"))
        rasa = root / ".venv-bot/bin/python"
        rasa.write_text(
            "#!/bin/sh\n"
            "for last; do :; done\n"  # the port is the last word of Rasa's command
            f'exec {sys.executable} server.py rasa "$last" "$DIANFU_RASA_TOKEN"\n'
        )
        rasa.chmod(0o755)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ops", *words], cwd=PROJECT, env=self.variables, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        with self.output.open("wb") as file:
            return subprocess.Popen(
                [sys.executable, "-m", "ops", *words], cwd=PROJECT, env=self.variables, stdout=file, stderr=file
            )

    def said(self) -> str:
        return self.output.read_text()

    def state(self, name: str) -> dict[str, Any]:
        state: dict[str, Any] = json.loads((self.root / f"var/{name}.json").read_text())
        return state

    def pids(self) -> list[int]:
        return [int(self.state(name)["pid"]) for name in ("actions", "rasa", "api", "sender", "segments")]


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three migrated, empty databases, to be copied."""
    root = tmp_path_factory.mktemp("migrated")
    variables = {**os.environ, **keys.fresh(), "DIANFU_ENV": "production", "DIANFU_ROOT": str(root)}
    subprocess.run([sys.executable, "-m", "ops", "migrate"], cwd=PROJECT, env=variables, check=True, timeout=60)
    return root / "var"


@pytest.fixture
def site(tmp_path: Path, migrated: Path, environment: dict[str, str]) -> Iterator[Site]:
    made = Site(tmp_path, environment)
    for name in ("billing", "workorder", "bridge"):
        (tmp_path / "var" / f"{name}.db").write_bytes((migrated / f"{name}.db").read_bytes())
    yield made
    for state in (tmp_path / "var").glob("*.json"):  # if a test has failed half-way
        pid = json.loads(state.read_text())["pid"]
        if alive(pid):
            os.kill(pid, signal.SIGKILL)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(condition: Callable[[], bool], site: Site, within: float = 20) -> None:
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, site.said()
        time.sleep(0.05)


@pytest.fixture
def serving(site: Site) -> Iterator[subprocess.Popen[bytes]]:
    """`dianfu serve`, ready."""
    serve = site.start("serve")
    until(lambda: "dianfu is ready" in site.said() or serve.poll() is not None, site)
    assert serve.poll() is None, site.said()
    yield serve
    serve.kill()
    serve.wait()


def test_serve_says_where_things_are_and_names_who_speaks(site: Site, serving: subprocess.Popen[bytes]) -> None:
    said = site.said()
    assert f"http://127.0.0.1:{site.ports['API']}" in said
    order = [said.index(f"{name:<8}| {name} speaks") for name in ("actions", "rasa", "api", "sender", "segments")]
    assert order == sorted(order)


def test_rasas_slow_first_turn_is_over_before_the_bridge_starts(site: Site, serving: subprocess.Popen[bytes]) -> None:
    said = site.said()
    assert said.index("rasa    | turn /webhooks/bridge/turn") < said.index("api     | api speaks")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_end_everything(
    site: Site, serving: subprocess.Popen[bytes], number: signal.Signals
) -> None:
    serving.send_signal(number)
    assert serving.wait(15) == 0, site.said()
    assert [pid for pid in site.pids() if alive(pid)] == []


def test_nothing_outlives_a_serve_that_is_killed_with_minus_nine(site: Site, serving: subprocess.Popen[bytes]) -> None:
    pids = site.pids()
    serving.kill()
    until(lambda: not any(alive(pid) for pid in pids), site)


def test_a_killed_rasa_is_started_again(site: Site, serving: subprocess.Popen[bytes]) -> None:
    first = site.pids()
    os.kill(first[1], signal.SIGKILL)
    until(lambda: site.said().count("rasa is ready") == 2, site)
    assert "rasa ended (SIGKILL); starting it again in 0.5 s" in site.said()
    second = site.pids()
    assert (second[0], *second[2:]) == (first[0], *first[2:])
    assert second[1] != first[1]


def test_each_process_is_given_its_own_secrets_alone(site: Site, serving: subprocess.Popen[bytes]) -> None:
    given = {
        name: {variable for variable in site.state(name)["variables"] if variable.startswith("DIANFU_")}
        for name in ("actions", "rasa", "api", "sender", "segments")
    }
    assert given["rasa"] == {
        "DIANFU_RASA_TOKEN", "DIANFU_ACTIONS_TOKEN", "DIANFU_ACTIONS_URL", "DIANFU_TRACKER_URL",
    }  # fmt: skip
    assert "DIANFU_SESSION_KEY" in given["api"]
    assert "DIANFU_ACTIONS_TOKEN" not in given["api"]
    assert "DIANFU_SESSION_KEY" not in given["actions"]
    for name in ("sender", "segments"):
        assert not given[name] & {"DIANFU_SESSION_KEY", "DIANFU_RASA_TOKEN", "DIANFU_CUSTOMER_TOKEN_KEY"}
    assert not given["segments"] & {"DIANFU_WECHAT_SECRET", "DIANFU_ACTIONS_TOKEN", "DIANFU_TRACKER_URL"}


def test_a_taken_port_is_named_with_the_setting_that_changes_it(site: Site) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", site.ports["RASA"]))
        other.listen()
        done = site.run("serve")
    assert done.returncode == 3
    assert f"port {site.ports['RASA']} on 127.0.0.1 is taken" in done.stderr
    assert "DIANFU_RASA_PORT" in done.stderr
    assert "DIANFU_API_PORT" not in done.stderr


def test_a_missing_model_is_said_together_with_what_makes_one(site: Site) -> None:
    (site.root / "models/dianfu.tar.gz").unlink()
    done = site.run("serve")
    assert done.returncode == 4
    assert "there is no model in models/: run `make train`" in done.stderr


def test_unset_keys_are_listed_in_one_message_and_none_is_made_in_production(site: Site) -> None:
    for name in keys.MAKERS:
        del site.variables[name]
    done = site.run("serve")
    assert done.returncode == 2
    assert [name for name in keys.MAKERS if f"{name} is not set" not in done.stderr] == []
    assert not (site.root / keys.DEV_FILE).exists()


def test_without_a_chosen_environment_serve_takes_no_development_keys(site: Site) -> None:
    keys.ensure_dev_file(site.root)
    for name in ("DIANFU_ENV", *keys.MAKERS):
        del site.variables[name]
    done = site.run("serve")
    assert done.returncode == 2
    assert "make run" in done.stderr


def test_production_demands_migrated_databases(site: Site) -> None:
    (site.root / "var/workorder.db").unlink()
    done = site.run("serve")
    assert done.returncode == 4
    assert "not migrated: workorder; run `dianfu migrate`" in done.stderr


def test_development_makes_its_keys_and_databases_itself(site: Site) -> None:
    for name in keys.MAKERS:
        del site.variables[name]
    for database in (site.root / "var").glob("*.db"):
        database.unlink()
    site.variables["DIANFU_ENV"] = "development"
    serve = site.start("serve", "--no-seed")
    try:
        until(lambda: "dianfu is ready (development)" in site.said() or serve.poll() is not None, site)
        assert serve.poll() is None, site.said()
        made = keys.read_dev_file(site.root)
        assert site.state("api")["variables"]["DIANFU_SESSION_KEY"] == made["DIANFU_SESSION_KEY"]
        assert f"http://127.0.0.1:{site.ports['API']}/docs" in site.said()
    finally:
        serve.terminate()
        assert serve.wait(15) == 0


def test_a_fake_wechat_is_started_beside_and_the_bridge_told_where_it_is(site: Site) -> None:
    [port] = free_ports(1)
    (site.root / "tests").symlink_to(PROJECT / "tests")
    (site.root / "data").symlink_to(PROJECT / "data")
    site.variables |= {"DIANFU_ENV": "development", "DIANFU_FAKE_WECHAT_PORT": str(port)}
    serve = site.start("serve", "--no-seed", "--with-fake-wechat")
    try:
        until(
            lambda: f"WeChat phone  http://127.0.0.1:{port}/" in site.said() or serve.poll() is not None,
            site,
            within=60,
        )
        assert serve.poll() is None, site.said()
        given = site.state("api")["variables"]
        assert given["DIANFU_WECHAT_URL"] == f"http://127.0.0.1:{port}"
        assert given["DIANFU_PUBLIC_URL"] == f"http://127.0.0.1:{site.ports['API']}"
        assert "DIANFU_WECHAT_SECRET" not in site.state("actions")["variables"]

        def menu() -> Any:
            return json.loads(urllib.request.urlopen(f"http://127.0.0.1:{port}/_fake/menu", timeout=5).read())["button"]

        until(lambda: bool(menu()), site, within=60)
    finally:
        serve.terminate()
        assert serve.wait(15) == 0
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)


def test_a_bridge_that_cannot_start_ends_serve_with_its_words_shown(site: Site) -> None:
    (site.root / "api/__main__.py").write_text("raise SystemExit('the bridge has no wording')")
    serve = site.start("serve")
    assert serve.wait(30) == 6, site.said()
    assert "api     | the bridge has no wording" in site.said()
    assert [pid for pid in (site.state(name)["pid"] for name in ("actions", "rasa")) if alive(pid)] == []
