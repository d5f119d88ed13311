"""Settings of the action server."""

from __future__ import annotations

from pydantic import Field, SecretStr

from core.settings import CoreSettings


class ActionsSettings(CoreSettings):
    """What the action server needs besides `CoreSettings`."""

    actions_host: str = "127.0.0.1"
    actions_port: int = Field(5055, ge=1, le=65535)
    actions_token: SecretStr
