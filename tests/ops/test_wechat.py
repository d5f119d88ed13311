"""`dianfu wechat`: against an interface that answers over HTTP as Tencent's does."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from api.channels.wechat.errors import KNOWN
from api.channels.wechat.templates import GIVEN
from ops.cli import app
from ops.output import Exit

ROOT = Path(__file__).parents[2]
SECRET = "appsecret5f0c6b1d4c8e9a533a8a8d1d"
URL = "https://service.example.cn"


class Tencent:
    """Keeps one menu; `refusing` answers every call with this code."""

    def __init__(self) -> None:
        self.menu: dict[str, Any] | None = None
        self.refusing = 0
        self.scenes: list[dict[str, Any]] = []
        self.calls: list[str] = []

    def answer(self, path: str, params: dict[str, list[str]], body: bytes) -> dict[str, Any]:
        self.calls.append(path)
        if self.refusing:
            return {"errcode": self.refusing, "errmsg": f"no, {SECRET} rid: 65a4c5f2-1b2c3d4e-5f6a7b8c"}
        if path == "/cgi-bin/stable_token":
            assert json.loads(body)["secret"] == SECRET
            return {"access_token": "T" * 80, "expires_in": 7200}
        assert params["access_token"] == ["T" * 80]
        if path == "/cgi-bin/menu/create":
            self.menu = json.loads(body)
        elif path == "/cgi-bin/menu/delete":
            self.menu = None
        elif path == "/cgi-bin/menu/get":
            return {"menu": {**self.menu, "menuid": 7}} if self.menu else {"errcode": 46003, "errmsg": "menu no exist"}
        elif path == "/cgi-bin/qrcode/create":
            self.scenes.append(json.loads(body))
            return {"ticket": "gQH4/7jo+==", "url": "http://weixin.qq.com/q/x", "expire_seconds": 60}
        else:
            raise AssertionError(path)
        return {"errcode": 0, "errmsg": "ok"}


@pytest.fixture
def tencent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tencent]:
    it = Tencent()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            where = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            answer = json.dumps(it.answer(where.path, parse_qs(where.query), body)).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, value in {
        "ENV": "development", "WECHAT_APPID": "wx2c2769f8efd9abc2", "WECHAT_SECRET": SECRET, "WECHAT_TOKEN": "spamtest",
        "WECHAT_URL": f"http://127.0.0.1:{server.server_port}", "PUBLIC_URL": URL,
    }.items():  # fmt: skip
        monkeypatch.setenv(f"DIANFU_{name}", value)
    yield it
    server.shutdown()
    server.server_close()


def run(*arguments: str) -> Result:
    """Run the command; nothing secret may ever be printed."""
    result = CliRunner().invoke(app, ["wechat", *arguments])
    assert SECRET not in result.output
    assert "T" * 80 not in result.output
    return result


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the tables of a chapter of docs/wechat.md, without their heads."""
    chapter = (ROOT / "docs/wechat.md").read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in chapter.splitlines() if line.startswith("| ") and not line.startswith("|---")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def test_the_document_explains_every_code_that_we_know() -> None:
    explained = {int(code) for cells in rows("Error codes")[1:-1] for code in cells[0].split(",")}
    assert explained == KNOWN


def test_the_document_lists_the_values_of_every_kind_of_message() -> None:
    listed = {
        cells[0].strip("`"): tuple(frozenset(re.findall(r"`(\w+)`", cell)) for cell in cells[1:])
        for cells in rows("Templates")
        if cells[0].strip("`") in GIVEN
    }
    assert listed == GIVEN


def test_the_menu_is_shown_and_made_and_taken_away(tencent: Tencent) -> None:
    assert "there is no menu" in run("menu", "--show").output
    made = run("menu")
    assert made.exit_code == Exit.OK
    planned = yaml.safe_load((ROOT / "data/wechat/menu.yaml").read_text())["buttons"]
    assert tencent.menu is not None
    assert [button["name"] for button in tencent.menu["button"]] == [button["name"] for button in planned]
    for name in [item["name"] for button in planned for item in button["items"]]:
        assert name in made.output
    shown = run("menu", "--show").output
    assert "it is that of data/wechat/menu.yaml" in shown
    assert f"在线办理  {URL}/wechat/h5" in shown
    tencent.menu["button"][0]["name"] = "旧菜单"
    assert "it differs" in run("menu", "--show").output
    assert run("menu", "--delete").exit_code == Exit.OK
    assert tencent.menu is None


def test_the_file_is_checked_without_calling_anybody(tencent: Tencent, monkeypatch: pytest.MonkeyPatch) -> None:
    assert f"  在线办理  {URL}/wechat/h5" in run("menu", "--check").output
    for name in ("APPID", "SECRET", "TOKEN"):
        monkeypatch.delenv(f"DIANFU_WECHAT_{name}")
    monkeypatch.delenv("DIANFU_PUBLIC_URL")
    assert run("menu", "--check").exit_code == Exit.OK
    assert tencent.calls == []


def test_a_menu_that_tencent_would_refuse_is_never_sent(
    tencent: Tencent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wechat").mkdir()
    monkeypatch.setenv("DIANFU_DATA_DIR", str(tmp_path))
    path = tmp_path / "wechat/menu.yaml"
    item = {"name": "查", "key": "bill", "text": "查电费"}
    for bad in (
        yaml.safe_dump({"buttons": [{"name": "名字太长了吧", "items": [item]}]}), "buttons: [", "", None,
        yaml.safe_dump({"buttons": [{"name": "查", "items": [item, item]}]}),
    ):  # fmt: skip
        if bad is None:
            path.unlink()
        else:
            path.write_text(bad)
        result = run("menu")
        assert result.exit_code == Exit.SETTINGS
        assert "menu.yaml is bad" in result.output
    assert tencent.calls == []


def test_check_says_what_is_right_and_what_is_missing(tencent: Tencent, monkeypatch: pytest.MonkeyPatch) -> None:
    before = run("check")
    assert before.exit_code == Exit.FAILED
    assert "a token can be had" in before.output
    assert "run `dianfu wechat menu`" in before.output
    assert "outage (停电通知)" in before.output
    run("menu")
    kinds = yaml.safe_load((ROOT / "data/wechat/templates.yaml").read_text())
    monkeypatch.setenv("DIANFU_WECHAT_TEMPLATES", json.dumps(dict.fromkeys(kinds, "id")))
    after = run("check")
    assert after.exit_code == Exit.OK
    assert "all kinds have one" in after.output
    monkeypatch.setenv("DIANFU_WECHAT_TEMPLATES", '{"weather": "id"}')
    wrong = run("check")
    assert wrong.exit_code == Exit.SETTINGS
    assert "weather" in wrong.output


def test_a_code_is_printed_as_the_address_of_its_picture(tencent: Tencent) -> None:
    address = "https://mp.weixin.qq.com/cgi-bin/showqrcode?ticket=gQH4%2F7jo%2B%3D%3D"
    assert run("qr", "hall_17").output.strip() == address
    assert run("qr", "hall_17", "--seconds", "600").output.strip() == address
    assert [one["action_name"] for one in tencent.scenes] == ["QR_LIMIT_STR_SCENE", "QR_STR_SCENE"]
    assert run("qr", "s" * 65).exit_code == Exit.SETTINGS
    assert run("qr", "s", "--seconds", "0").exit_code == Exit.SETTINGS
    assert len(tencent.scenes) == 2


@pytest.mark.parametrize(
    ("code", "hint"), [(40164, "IP白名单"), (40013, "AppID"), (48001, "verified"), (45009, "later"), (99999, "99999")]
)
def test_refusals_say_what_an_operator_can_do(tencent: Tencent, code: int, hint: str) -> None:
    tencent.refusing = code
    for arguments in (["menu"], ["menu", "--show"], ["menu", "--delete"], ["check"], ["qr", "s"]):
        result = run(*arguments)
        assert result.exit_code == Exit.FAILED
        assert str(code) in result.output
        assert hint in result.output
        assert "65a4c5f2-1b2c3d4e-5f6a7b8c" in result.output


def test_when_wechat_cannot_be_reached_the_command_says_so(tencent: Tencent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIANFU_WECHAT_URL", "http://127.0.0.1:9")
    result = run("check")
    assert result.exit_code == Exit.FAILED
    assert "cannot be reached" in result.output


def test_without_an_account_or_with_two_wishes_nothing_is_called(
    tencent: Tencent, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("menu", "--show", "--delete").exit_code == Exit.SETTINGS
    monkeypatch.delenv("DIANFU_WECHAT_APPID")
    for arguments in (["menu"], ["check"], ["qr", "s"]):
        result = run(*arguments)
        assert result.exit_code == Exit.SETTINGS
        assert "DIANFU_WECHAT_APPID" in result.output
    assert tencent.calls == []
