"""Starts the bridge: `python -m api`."""

from __future__ import annotations

import uvicorn

from api.app import create_app
from api.logs import configure
from api.settings import ApiSettings


def main() -> None:
    """Read the settings and serve until told to stop."""
    settings = ApiSettings()  # pyright: ignore[reportCallIssue]
    configure(settings.log_level)
    uvicorn.run(
        create_app(settings), host=settings.api_host, port=settings.api_port, log_config=None, access_log=False,
        ws_ping_interval=20, ws_max_size=64 * 1024, timeout_graceful_shutdown=10, server_header=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
