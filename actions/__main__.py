"""Starts the action server: `python -m actions`."""

from __future__ import annotations

from actions.server import create_server
from actions.settings import ActionsSettings


def main() -> None:
    """Read the settings and serve until told to stop."""
    settings = ActionsSettings()  # pyright: ignore[reportCallIssue]
    app = create_server(settings)
    app.run(
        host=settings.actions_host, port=settings.actions_port, single_process=True, access_log=False, motd=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
