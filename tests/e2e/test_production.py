"""Started for production, the bridge has nothing that helps a visitor to try it, and refuses weak keys."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from conftest import within

from ops import keys
from ops.stack import PROJECT


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    mine = {name: value for name, value in os.environ.items() if not name.startswith("DIANFU_")}
    urls = {
        f"DIANFU_{name.upper()}_URL": f"sqlite:///{tmp_path}/{name}.db" for name in ("billing", "workorder", "bridge")
    }
    return {**mine, **keys.fresh(), **urls, "DIANFU_ENV": "production", "DIANFU_API_PORT": str(port)}


@contextmanager
def bridge(variables: dict[str, str], output: Path) -> Iterator[subprocess.Popen[bytes]]:
    with output.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-m", "api"], cwd=PROJECT, env=variables, stdout=file, stderr=file)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def test_production_shows_no_demonstration(variables: dict[str, str], tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "ops", "migrate"], cwd=PROJECT, env=variables, check=True, timeout=60)
    url = f"http://127.0.0.1:{variables['DIANFU_API_PORT']}"

    def alive() -> bool:
        try:
            return httpx.get(f"{url}/healthz").status_code == 200
        except httpx.HTTPError:
            return False

    with bridge(variables, tmp_path / "output"):
        assert within(30, alive), (tmp_path / "output").read_text()
        for path in ("/", "/docs", "/redoc", "/demo/customers", "/demo/static/demo.js", "/demo/static/index.html"):
            assert (path, httpx.get(url + path).status_code) == (path, 404)
        assert httpx.post(f"{url}/demo/login", json={"id": "tier"}).status_code == 404
        assert httpx.get(f"{url}/widget/v1.js").status_code == 200
        assert httpx.post(f"{url}/v1/sessions", json={"channel": "web"}).status_code == 201


@pytest.mark.parametrize("name", ["DIANFU_SESSION_KEY", "DIANFU_CUSTOMER_TOKEN_KEY", "DIANFU_IDENTITY_KEY"])
@pytest.mark.parametrize("value", ["short", "development-key-that-is-long-enough-to-pass-otherwise"])
def test_production_refuses_a_weak_key_by_name(
    name: str, value: str, variables: dict[str, str], tmp_path: Path
) -> None:
    output = tmp_path / "output"
    with bridge(variables | {name: value}, output) as process:
        assert process.wait(30) != 0
    said = output.read_text()
    assert name in said
    for secret in (value, *(variables[one] for one in keys.MAKERS)):
        assert secret not in said
