"""A running fake WeChat with an account's server beside it, and a caller of its interface with a valid token."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.fake_wechat.echo import EchoServer
from tests.fake_wechat.process import FakeWeChat

OPENID = "oFakeUser" + "y" * 19


@pytest.fixture(scope="module")
def echo() -> Iterator[EchoServer]:
    with EchoServer(lambda _message: None) as server:
        yield server


@pytest.fixture(scope="module")
def running(echo: EchoServer) -> Iterator[FakeWeChat]:
    with FakeWeChat(echo.url) as fake:
        echo.knows(fake)
        yield fake


@pytest.fixture
def fake(running: FakeWeChat, echo: EchoServer) -> FakeWeChat:
    running.reset()
    running.settings(mode="safe", form="xml", timeout=5, pace=0.2, template_rate=0, msgmenu=True, push_url=echo.url)
    echo.answer, echo.sleeps = lambda _message: None, []
    echo.taken.clear()
    return running


class Api:
    """A caller with a valid token."""

    def __init__(self, fake: FakeWeChat) -> None:
        self.fake = fake
        self.http = httpx.Client(base_url=fake.api_url, trust_env=False)
        self.token = self.stable()["access_token"]

    def stable(self, *, force: bool = False) -> dict[str, Any]:
        asked = {"grant_type": "client_credential", "appid": self.fake.appid, "secret": self.fake.secret}
        found: dict[str, Any] = self.http.post("/cgi-bin/stable_token", json={**asked, "force_refresh": force}).json()
        return found

    def post(self, path: str, body: dict[str, Any]) -> int:
        return int(self.whole(path, body)["errcode"])

    def whole(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.http.post(path, params={"access_token": self.token}, json=body).json()
        return found

    def say(self, text: str = "您好", openid: str = OPENID) -> int:
        return self.custom("text", {"content": text}, openid)

    def custom(self, kind: str, content: dict[str, Any], openid: str = OPENID) -> int:
        return self.post("/cgi-bin/message/custom/send", {"touser": openid, "msgtype": kind, kind: content})

    def typing(self, command: str = "Typing") -> int:
        return self.post("/cgi-bin/message/custom/typing", {"touser": OPENID, "command": command})

    def template(self, data: dict[str, str], key: str | None = None, openid: str = OPENID) -> int:
        values = {name: {"value": value} for name, value in data.items()}
        body = {"touser": openid, "template_id": "FAKE-outage", "data": values}
        return self.post("/cgi-bin/message/template/send", body if key is None else {**body, "client_msg_id": key})


@pytest.fixture
def api(fake: FakeWeChat) -> Api:
    fake.users(OPENID)
    return Api(fake)
