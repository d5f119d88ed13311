"""Settings of the bridge."""

from __future__ import annotations

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from core.settings import CoreSettings


class ApiSettings(CoreSettings):
    """What the bridge needs besides `CoreSettings`."""

    # A message about a wrong setting must not repeat the other ones: they are secrets.
    model_config = SettingsConfigDict(hide_input_in_errors=True)

    api_host: str = "127.0.0.1"
    api_port: int = Field(8000, ge=1, le=65535)
    rasa_url: str = "http://127.0.0.1:5005"
    rasa_token: SecretStr
    customer_token_key: SecretStr
    session_key: SecretStr
    session_hours: float = Field(24, gt=0, le=24 * 30)
    turn_deadline: float = Field(8, gt=0.5, le=60)  # seconds until the customer gets an answer or an apology
    sms_token: SecretStr = SecretStr("")  # what the gateway for short messages asks for
    allowed_origins: list[str] = []  # pages that may talk to the bridge from a browser, beside its own
