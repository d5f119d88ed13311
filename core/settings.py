"""Settings from the environment (`DIANFU_…`), validated at start; unsafe defaults are refused outside development."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.fields import Keyring

MIN_SECRET = 32
# Checked in another way, or made by another system, whose length is not ours to ask for.
_MADE_ELSEWHERE = frozenset({
    "field_keys", "lookup_key", "sms_token", "chatwoot_token", "chatwoot_webhook_secret", "wechat_secret",
    "wechat_token", "wechat_aes_key", "wechat_aes_key_previous",
})  # fmt: skip


class CoreSettings(BaseSettings):
    """What every process of the service side needs."""

    model_config = SettingsConfigDict(env_prefix="DIANFU_", extra="ignore", hide_input_in_errors=True)

    env: Literal["production", "development"] = "production"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    data_dir: Path = Path("data")
    billing_url: str = "sqlite:///var/billing.db"
    workorder_url: str = "sqlite:///var/workorder.db"
    bridge_url: str = "sqlite:///var/bridge.db"
    upload_dir: Path = Path("var/uploads")  # customers' photos, encrypted
    field_keys: SecretStr
    lookup_key: SecretStr
    identity_key: SecretStr
    sms_url: str = ""  # where the gateway for short messages takes them; empty: one-time codes cannot be sent

    @property
    def development(self) -> bool:
        """Tell whether what helps a visitor to try the product may be shown."""
        return self.env == "development"

    def keyring(self) -> Keyring:
        """Return the keys of field encryption."""
        return Keyring.parse(self.field_keys.get_secret_value(), self.lookup_key.get_secret_value())

    @model_validator(mode="after")
    def _refuse_weak_secrets(self) -> Self:
        self.keyring()
        for name, value in self:
            if not isinstance(value, SecretStr) or name in _MADE_ELSEWHERE:
                continue
            secret = value.get_secret_value()
            if len(secret) < MIN_SECRET:
                raise ValueError(f"DIANFU_{name.upper()} needs at least {MIN_SECRET} characters")
            if not self.development and secret.startswith("development-"):
                raise ValueError(f"DIANFU_{name.upper()} is a development secret; set a real one")
        return self
