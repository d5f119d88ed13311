"""The fake as a process for tests: started on free ports, driven through its control API, surely ended."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import httpx

from tests.fake_wechat.seen import Pushed, Shown
from tests.fake_wechat.state import DEMO, Settings, new_aes_key, new_secret, openid_of
from tests.fake_wechat.templates import DEMO as TEMPLATES

PROJECT = Path(__file__).resolve().parents[2]
READY_WITHIN = 30.0
__all__ = ["FakeWeChat", "Pushed", "Shown"]


class FakeWeChat:
    """`with FakeWeChat(push_url) as wechat:`; give `variables` to the bridge."""

    def __init__(
        self,
        push_url: str = "",
        *,
        mode: Literal["plain", "compatible", "safe"] = "safe",
        form: Literal["xml", "json"] = "xml",
        **settings: Any,
    ) -> None:
        self.push_url, self.mode, self.form, self._settings = push_url, mode, form, settings
        self.appid, self.secret = Settings.appid, new_secret()
        self.token, self.aes_key = new_secret()[:24], new_aes_key()
        self._process: subprocess.Popen[bytes] | None = None
        self.port = self.api_port = 0
        self._client: httpx.Client | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Return where the phone page and the control API are."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_url(self) -> str:
        """Return where the API is; connections there can be refused."""
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment that makes the bridge talk to this WeChat (without DIANFU_PUBLIC_URL)."""
        return {
            "DIANFU_WECHAT_APPID": self.appid, "DIANFU_WECHAT_SECRET": self.secret,
            "DIANFU_WECHAT_TOKEN": self.token, "DIANFU_WECHAT_AES_KEY": self.aes_key,
            "DIANFU_WECHAT_ENCRYPTED_ONLY": "false",  # the mode may change while the bridge runs
            "DIANFU_WECHAT_URL": self.api_url, "DIANFU_WECHAT_OAUTH_URL": self.url,
            "DIANFU_WECHAT_TEMPLATES": json.dumps({kind: f"FAKE-{kind}" for kind in TEMPLATES}),
        }  # fmt: skip

    def start(self) -> None:
        """Start it and return when it is ready; on the same ports as before if it was started once."""
        command = [sys.executable, "-m", "tests.fake_wechat", "--port", str(self.port), "--api-port",
                   str(self.api_port), "--push-url", self.push_url, "--mode", self.mode, "--form", self.form,
                   "--leash"]  # fmt: skip
        secrets = {"DIANFU_WECHAT_APPID": self.appid, "DIANFU_WECHAT_SECRET": self.secret,
                   "DIANFU_WECHAT_TOKEN": self.token, "DIANFU_WECHAT_AES_KEY": self.aes_key}  # fmt: skip
        self._process = subprocess.Popen(
            command, cwd=PROJECT, env={**os.environ, **secrets}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        timer = threading.Timer(READY_WITHIN, self._process.kill)
        timer.start()
        assert self._process.stdout is not None
        words = self._process.stdout.readline().split()
        timer.cancel()
        if len(words) != 3 or words[0] != b"ready":
            self.stop()
            raise RuntimeError("the fake WeChat did not start")
        self.port, self.api_port = int(words[1]), int(words[2])
        self._client = httpx.Client(base_url=self.url, timeout=120, trust_env=False)
        if self._settings:
            self.settings(**self._settings)

    def stop(self) -> None:
        """End it."""
        if self._client is not None:
            self._client.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._process = None

    # What happens on the phones

    def say(self, openid: str, text: str, *, wait: bool = True) -> Pushed:
        """Write a text; with `wait` return when Tencent's server is done with it (at most three tries)."""
        return self.act("say", openid, text=text, wait=wait)

    def act(self, do: str, openid: str, *, wait: bool = True, **fields: Any) -> Pushed:
        """Do one of `acts.ACTS`: say, voice, photo, video, location, link, follow, unfollow, scan, …"""
        return Pushed(**self._post("act", do=do, openid=openid, wait=wait, **fields))

    def event(self, openid: str, event: str, *, wait: bool = True, **fields: Any) -> Pushed:
        return self.act("event", openid, wait=wait, event=event, fields=fields)

    def message(self, openid: str, kind: str, *, wait: bool = True, **fields: Any) -> Pushed:
        return self.act("message", openid, wait=wait, type=kind, fields=fields)

    def photo(self, openid: str, data: bytes, *, wait: bool = True) -> Pushed:
        return self.act("photo", openid, wait=wait, data=base64.b64encode(data).decode())

    def follow(self, openid: str, scene: str = "", *, wait: bool = True) -> Pushed:
        """Follow the account (the user is made, not following, if new), through a code if `scene` is given."""
        self.users(openid, following=False)
        return self.act("follow", openid, scene=scene, wait=wait)

    def unfollow(self, openid: str, *, wait: bool = True) -> Pushed:
        return self.act("unfollow", openid, wait=wait)

    def scan(self, openid: str, scene: str = "", *, ticket: str = "", wait: bool = True) -> Pushed:
        return self.act("scan", openid, scene=scene, ticket=ticket, wait=wait)

    def tap(self, openid: str, what: str, *, wait: bool = True) -> Pushed | str:
        """Tap the newest link or menu item with these words or this id; return the push, or the address that opens."""
        return self._pushed_or_url(self._post("tap", openid=openid, words=what, wait=wait))

    def press(self, openid: str, name: str, *, wait: bool = True) -> Pushed | str:
        """Press a button of the menu by name or key; return the push, or the address that opens."""
        return self._pushed_or_url(self._post("press", openid=openid, name=name, wait=wait))

    def again(self, push: Pushed, *, wait: bool = True) -> Pushed:
        """Push the same message once more after it was over."""
        return Pushed(**self._post("again", id=push.id, wait=wait))

    def users(self, *openids: str, count: int = 0, prefix: str = "oMany", following: bool = True) -> list[str]:
        """Make users who follow without an event: those named, or `count` with a prefix; return their openids."""
        asked = {"openids": list(openids)} if openids else {"count": count, "prefix": prefix}
        found: list[str] = self._post("users", following=following, **asked)["openids"]
        return found

    def demo(self, name: str = DEMO[0]) -> str:
        """Return the openid of one of the users on the phone page."""
        return openid_of(name)

    def subscribe(self, openid: str, template_id: str, times: int | None = None, *, status: str = "accept") -> None:
        """Let a user answer the window that asks for subscription messages; without `times`: for ever."""
        self._post("subscribe", openid=openid, template_id=template_id, times=times, status=status)

    def end_subscription(self, openid: str, template_id: str) -> None:
        """Let a user decline all messages of a template."""
        self._post("subscribe", openid=openid, template_id=template_id, end=True)

    # How it behaves

    def settings(self, **wanted: Any) -> dict[str, Any]:
        """Change `state.Settings`: mode, form, apart (by user), push_url, timeout, pace, template_rate, msgmenu …"""
        found: dict[str, Any] = self._post("settings", **wanted)
        return found

    def clock(self, *, advance: float = 0, offset: float | None = None) -> float:
        """Move the fake's time; return it."""
        asked = {"advance": advance} | ({} if offset is None else {"offset": offset})
        return float(self._post("clock", **asked)["now"])

    def faults(self, path: str, how: str, **more: Any) -> None:
        """Let calls fail: errcode, status, hang, drop, garbage, delay; see `faults.Fault` (and `seconds`)."""
        self._post("faults", path=path, how=how, **more)

    def clear_faults(self) -> None:
        self._post("faults/clear")

    def down(self, how: Literal["refuse", "502", "drop", "hang"] | None = "refuse") -> None:
        """Take the whole API away; None gives it back. `refuse`: nothing listens at `api_url`."""
        self._post("down", how=how)

    def plan(self, **wanted: Any) -> None:
        """Disturb pushes from now on; see `pusher.Plan`."""
        self._post("plan", **wanted)

    def template(self, template_id: str, title: str = "", fields: list[str] | None = None) -> None:
        self._post("templates", id=template_id, title=title or template_id, fields=fields)

    def grant(self, openid: str, kind: str) -> None:
        """Give a quota as a cause of that kind would (`pay` has no push)."""
        self._post("grant", openid=openid, kind=kind)

    def code(self, openid: str, *, snapshot: bool = False) -> str:
        """Return an OAuth code of the user."""
        return str(self._post("code", openid=openid, snapshot=snapshot)["code"])

    def spoil_tokens(self) -> None:
        self._post("spoil-tokens")

    def forget_media(self, media_id: str) -> None:
        self._post("forget-media", media_id=media_id)

    def reset(self) -> None:
        """Forget everything but the account's settings."""
        self._post("reset")

    def check_url(self) -> bool:
        """Verify the bridge's address as Tencent does when it is registered."""
        return bool(self._post("check-url")["good"])

    # What came of it

    def phone(self, openid: str, *, after: int = 0) -> list[Shown]:
        """Return all that the account (or the notice) put on this phone, in order."""
        return [one for one in self.screen(openid, after=after) if one.way != "own"]

    def screen(self, openid: str, *, after: int = 0) -> list[Shown]:
        """Return the same with the user's own messages between."""
        return [Shown(**one) for one in self._get("shown", openid=openid, after=after)]

    def shown(self, way: str = "") -> list[Shown]:
        return [Shown(**one) for one in self._get("shown", way=way)]

    def wait_for(self, openid: str, words: str, *, after: int = 0, within: float = 20) -> Shown:
        """Return the first thing with these words that the phone shows after number `after`."""
        end = time.monotonic() + within
        while True:
            if found := [one for one in self.phone(openid, after=after) if words in one.text]:
                return found[0]
            if time.monotonic() > end:
                raise AssertionError(f"{words!r} was not shown; shown: {[one.text for one in self.phone(openid)]}")
            time.sleep(0.05)

    def pushes(self, openid: str = "") -> list[Pushed]:
        return [Pushed(**one) for one in self._get("pushes", openid=openid)]

    def idle(self, within: float = 60) -> bool:
        """Wait until no push is under way; tell whether that came."""
        return bool(self._post("idle", timeout=within)["idle"])

    def refused(self, where: str = "") -> list[dict[str, Any]]:
        """Return what was not taken (at, where, code, why, openid, what), by a part of the path or `passive`."""
        found: list[dict[str, Any]] = self._get("refused", where=where)
        return found

    def counters(self) -> dict[str, int]:
        found: dict[str, int] = self._get("counters")
        return found

    def quotas(self, openid: str) -> dict[str, int | None]:
        """Return how many messages are left by kind of window."""
        user = self._get("screen", openid=openid)["user"]
        return {one["kind"]: one["left"] for one in user["quotas"]}

    def typing(self, openid: str) -> bool:
        return bool(self._get("screen", openid=openid)["user"]["typing"])

    def tally(self, way: str = "template", words: str = "") -> dict[str, Any]:
        """Return `shown`, `phones` ({"1": how many showed it once, …}), `most_in_a_second`."""
        found: dict[str, Any] = self._get("tally", way=way, words=words)
        return found

    def calls(self, path: str) -> dict[str, Any]:
        """Return how many requests came to a path of the API, and the most in any second."""
        found: dict[str, Any] = self._get("calls", path=path)
        return found

    def menu(self) -> dict[str, Any]:
        found: dict[str, Any] = self._get("menu")
        return found

    def _pushed_or_url(self, answer: dict[str, Any]) -> Pushed | str:
        # A button of the kind `view` pushes an event too; what the person sees is the page.
        return str(answer["url"]) if answer["url"] else Pushed(**answer["push"])

    def _post(self, what: str, **body: Any) -> Any:
        assert self._client is not None, "it was not started"
        return self._read(self._client.post(f"/_fake/{what}", json=body))

    def _get(self, what: str, **query: Any) -> Any:
        assert self._client is not None, "it was not started"
        return self._read(self._client.get(f"/_fake/{what}", params=query))

    def _read(self, answer: httpx.Response) -> Any:
        if answer.status_code == httpx.codes.BAD_REQUEST:
            raise ValueError(answer.json()["error"])
        answer.raise_for_status()
        return answer.json()
