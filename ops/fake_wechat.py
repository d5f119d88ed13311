"""The fake WeChat beside `dianfu serve`: a try-out as a WeChat customer, in development alone."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import string
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from ops import probes
from ops.environment import service_environment
from ops.procs import Process
from ops.spawn import Show

PORT_VARIABLE, PORT = "DIANFU_FAKE_WECHAT_PORT", 8900
HOST = "127.0.0.1"
APPID = "wxfake00000000dianfu"
# The fake's account has one template for each of these kinds (data/wechat/templates.yaml), under this id.
KINDS = ("bill_ready", "balance_low", "planned_outage", "outage", "order_progress", "promise_moved", "agent_replied")
_PROGRAM = Path("tests") / "fake_wechat" / "__main__.py"
_HOME = Path(__file__).resolve().parent.parent
_TAKES = frozenset({"DIANFU_WECHAT_APPID", "DIANFU_WECHAT_SECRET", "DIANFU_WECHAT_TOKEN", "DIANFU_WECHAT_AES_KEY"})


class NotPossible(Exception):
    """There is no fake WeChat here, and why."""


def prepare(environment: MutableMapping[str, str], root: Path) -> None:
    """Set what makes the bridge talk to the fake: fresh secrets, its address, the bridge's own.

    Raises:
        NotPossible: outside development, without its files, or beside a real account.
    """
    if environment.get("DIANFU_ENV") != "development":
        raise NotPossible("--with-fake-wechat is for trying things out: it needs DIANFU_ENV=development")
    if not (root / _PROGRAM).is_file():
        raise NotPossible(f"--with-fake-wechat needs {_PROGRAM}, which comes with the source and not with an install")
    if environment.get("DIANFU_WECHAT_APPID"):
        raise NotPossible("DIANFU_WECHAT_APPID is set: unset it, or leave --with-fake-wechat out")
    if not port(environment):
        raise NotPossible(f"{PORT_VARIABLE} is no port")
    letters = string.ascii_letters + string.digits
    environment.update({
        "DIANFU_WECHAT_APPID": APPID,
        "DIANFU_WECHAT_SECRET": secrets.token_hex(16),
        "DIANFU_WECHAT_TOKEN": secrets.token_hex(12),
        "DIANFU_WECHAT_AES_KEY": "".join(secrets.choice(letters) for _ in range(42)) + "A",
        "DIANFU_WECHAT_ENCRYPTED_ONLY": "false",  # its page lets one choose the mode while we run
        "DIANFU_WECHAT_URL": url(environment),
        "DIANFU_WECHAT_OAUTH_URL": url(environment),
    })  # fmt: skip
    environment.setdefault("DIANFU_WECHAT_TEMPLATES", json.dumps({kind: f"FAKE-{kind}" for kind in KINDS}))
    environment.setdefault("DIANFU_PUBLIC_URL", f"http://{HOST}:{environment.get('DIANFU_API_PORT', '8000')}")


def process(environment: Mapping[str, str], root: Path) -> Process:
    """Return the process of the fake; it is given the account's secrets and none of ours."""
    push_url = f"http://{HOST}:{environment.get('DIANFU_API_PORT', '8000')}/wechat"
    mine = frozenset(name for name in environment if name.startswith("DIANFU_")) - _TAKES
    return Process(
        "wechat",
        (sys.executable, "-m", "tests.fake_wechat", "--port", str(port(environment)), "--push-url", push_url),
        service_environment(environment, mine),
        cwd=root,
        ready=probes.answers(f"{url(environment)}/_fake/ready"),
        listens=probes.listening(HOST, port(environment)),
    )


async def make_menu(root: Path, show: Show) -> None:
    """Put the menu of data/wechat/menu.yaml on the fake's account, by the operator's own command."""
    command = (sys.executable, "-m", "ops", "wechat", "menu")
    given = {**os.environ, "DIANFU_ROOT": str(root)}
    made = await asyncio.create_subprocess_exec(*command, cwd=_HOME, env=given, stdout=PIPE, stderr=STDOUT)
    said, _ = await made.communicate()
    if made.returncode:
        show("wechat", f"the menu was not made: {said.decode('utf-8', 'replace').strip()[-300:]}")


def port(environment: Mapping[str, str]) -> int:
    """Return the port of the phone page; 0 if the variable is no port."""
    chosen = environment.get(PORT_VARIABLE, str(PORT))
    return int(chosen) if chosen.isdecimal() and int(chosen) <= 65535 else 0


def url(environment: Mapping[str, str]) -> str:
    """Return where the phone page and the fake's API are."""
    return f"http://{HOST}:{port(environment)}"
