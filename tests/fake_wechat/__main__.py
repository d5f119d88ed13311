"""`python -m tests.fake_wechat --port 8900 --push-url http://127.0.0.1:8000/wechat`: the fake as a process.

The account's secrets come from the environment, under the names that the bridge has for them. It prints one line
`ready PORT API_PORT`. The API is served on two ports; the second one can refuse connections (`/_fake/down`).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import uvicorn

from tests.fake_wechat.app import App
from tests.fake_wechat.oauth import LOOPBACK
from tests.fake_wechat.state import Settings, World, new_aes_key, new_secret

HOST = "127.0.0.1"


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fake_wechat")
    parser.add_argument("--port", type=int, default=8900, help="phone page, control and API; 0: any free one")
    parser.add_argument("--api-port", type=int, default=0, help="the API alone; 0: any free one")
    parser.add_argument("--push-url", default="", help="where pushes go; empty: nowhere")
    parser.add_argument("--mode", choices=("plain", "compatible", "safe"), default=None)
    parser.add_argument("--form", choices=("xml", "json"), default="xml")
    parser.add_argument("--leash", action="store_true", help="end when standard input ends")
    found = parser.parse_args(words)
    if found.push_url and urlsplit(found.push_url).hostname not in LOOPBACK:
        parser.error("--push-url: pushes go to addresses of this machine alone")
    return found


def settings(chosen: argparse.Namespace, environment: Mapping[str, str]) -> Settings:
    made = Settings(push_url=chosen.push_url, form=chosen.form)
    made.appid = environment.get("DIANFU_WECHAT_APPID") or made.appid
    made.secret = environment.get("DIANFU_WECHAT_SECRET") or new_secret()
    made.token = environment.get("DIANFU_WECHAT_TOKEN") or new_secret()[:24]
    given = "DIANFU_WECHAT_TOKEN" in environment
    made.aes_key = environment.get("DIANFU_WECHAT_AES_KEY") or ("" if given else new_aes_key())
    made.mode = chosen.mode or ("safe" if made.aes_key else "plain")
    if made.mode != "plain" and not made.aes_key:
        raise SystemExit("this mode needs DIANFU_WECHAT_AES_KEY")
    return made


class Server(uvicorn.Server):
    """A server that leaves signals to the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Site:
    """Both servers, and the switch that takes the API away."""

    def __init__(self, world: World, port: int, api_port: int) -> None:
        self.app = App(world, self.set_down)
        self._main = _bound(port)
        # Holds the API's port while nothing listens on it: a connection is refused then.
        self._keeps_port = _bound(api_port, shared=True)
        self.port, self.api_port = self._main.getsockname()[1], self._keeps_port.getsockname()[1]
        world.url = f"http://{HOST}:{self.port}"
        self._api: tuple[Server, asyncio.Task[None]] | None = None

    async def run(self) -> None:
        await self._listen()
        server = _server(self.app)
        task = asyncio.create_task(server.serve(sockets=[self._main]))
        while not server.started and not task.done():
            await asyncio.sleep(0.01)
        print(f"ready {self.port} {self.api_port}", flush=True)
        await task

    async def set_down(self, how: str | None) -> None:
        """Change how the API fails; None: it works."""
        self.app.api.down = "502" if how == "refuse" else how
        if how == "refuse":
            await self._refuse()
        elif self._api is None:
            await self._listen()

    async def _listen(self) -> None:
        server = _server(self.app)
        self._api = server, asyncio.create_task(server.serve(sockets=[_bound(self.api_port, shared=True)]))
        while not server.started:
            await asyncio.sleep(0.01)

    async def _refuse(self) -> None:
        if self._api is not None:
            server, task = self._api
            self._api = None
            server.should_exit = True
            await task


def _bound(port: int, *, shared: bool = False) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((HOST, port))
    return made


def _server(app: App) -> Server:
    return Server(
        uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off", timeout_graceful_shutdown=1,
                       timeout_keep_alive=30, backlog=4096)
    )  # fmt: skip


def _leash() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    """Serve until a signal comes."""
    chosen = arguments(sys.argv[1:])
    if chosen.leash:
        threading.Thread(target=_leash, daemon=True).start()

    async def serve() -> None:
        await Site(World(settings(chosen, os.environ)), chosen.port, chosen.api_port).run()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.Runner(loop_factory=_loop()).run(serve())


def _loop() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.Loop


if __name__ == "__main__":
    main()
