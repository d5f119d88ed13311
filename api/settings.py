"""Settings of the bridge."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from core.handoff.tables import SKILLS
from core.settings import CoreSettings

_AES_KEY = re.compile(r"[A-Za-z0-9]{43}", re.ASCII)
MIN_WEBHOOK_SECRET = 16  # Chatwoot makes them, not we


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
    desk: Literal["builtin", "chatwoot"] = "builtin"  # where people answer
    chatwoot_url: str = ""  # of the desk `chatwoot`: its address without a path
    chatwoot_token: SecretStr = SecretStr("")  # access token of somebody there; a bot's may not see who is online
    chatwoot_webhook_secret: SecretStr = SecretStr("")  # what Chatwoot signs its webhooks with
    chatwoot_account: int = Field(0, ge=0)
    chatwoot_inbox: int = Field(0, ge=0)  # of the kind "API"
    chatwoot_team_by_skill: dict[str, int] = {}  # skill -> team there
    chatwoot_capacity: int = Field(4, ge=1, le=50)  # conversations that somebody there has at once
    wechat_appid: str = ""  # of the official account; empty: no WeChat
    wechat_secret: SecretStr = SecretStr("")  # its AppSecret
    wechat_token: SecretStr = SecretStr("")  # what pushes are signed with
    wechat_aes_key: SecretStr = SecretStr("")  # EncodingAESKey, 43 characters; empty: plain mode alone
    wechat_aes_key_previous: SecretStr = SecretStr("")  # while keys rotate
    wechat_encrypted_only: bool | None = None  # refuse pushes in plain mode; None: where there is a key
    wechat_url: str = "https://api.weixin.qq.com"
    wechat_oauth_url: str = "https://open.weixin.qq.com"
    wechat_choices: Literal["menu", "links", "numbers"] = (
        "links"  # how buttons are shown; menu: verified service accounts
    )
    wechat_templates: dict[str, str] = {}  # kind of data/wechat/templates.yaml -> its id, or `subscribe:<id>`
    wechat_rate: float = Field(50, gt=0, le=5000)  # messages that we send first, a second
    public_url: str = ""  # under which customers reach the bridge (https); links in messages begin with it
    sms_token: SecretStr = SecretStr("")  # what the gateway for short messages asks for
    allowed_origins: list[str] = []  # pages that may talk to the bridge from a browser, beside its own

    @model_validator(mode="after")
    def _wechat_is_complete(self) -> Self:
        if not self.wechat_appid:
            return self
        needed = {
            "WECHAT_SECRET": self.wechat_secret.get_secret_value(),
            "WECHAT_TOKEN": self.wechat_token.get_secret_value(),
            "PUBLIC_URL": self.public_url,
        }  # fmt: skip
        missing = [f"DIANFU_{name}" for name, value in needed.items() if not value]
        if missing:
            raise ValueError(f"WeChat needs {', '.join(missing)}")
        for name in ("wechat_aes_key", "wechat_aes_key_previous"):
            key = getattr(self, name).get_secret_value()
            if key and not _AES_KEY.fullmatch(key):
                raise ValueError(f"DIANFU_{name.upper()} is no EncodingAESKey of 43 letters and digits")
        if self.wechat_encrypted_only and not self.wechat_aes_key.get_secret_value():
            raise ValueError("DIANFU_WECHAT_ENCRYPTED_ONLY needs DIANFU_WECHAT_AES_KEY")
        for name in ("wechat_url", "wechat_oauth_url", "public_url"):
            if not getattr(self, name).startswith(("https://", "http://") if self.development else "https://"):
                raise ValueError(f"DIANFU_{name.upper()} is no https address")
        return self

    @model_validator(mode="after")
    def _chatwoot_is_complete(self) -> Self:
        if self.desk != "chatwoot":
            return self
        secret = self.chatwoot_webhook_secret.get_secret_value()
        needed = {
            "url": self.chatwoot_url, "token": self.chatwoot_token.get_secret_value(), "webhook_secret": secret,
            "account": self.chatwoot_account, "inbox": self.chatwoot_inbox,
        }  # fmt: skip
        missing = [f"DIANFU_CHATWOOT_{name.upper()}" for name, value in needed.items() if not value]
        if missing:
            raise ValueError(f"the desk chatwoot needs {', '.join(missing)}")
        if not self.chatwoot_url.startswith(("https://", "http://")):
            raise ValueError("DIANFU_CHATWOOT_URL is no http(s) address")
        if not set(self.chatwoot_team_by_skill) <= set(SKILLS):
            raise ValueError(f"DIANFU_CHATWOOT_TEAM_BY_SKILL has other skills than {', '.join(SKILLS)}")
        if len(secret) < MIN_WEBHOOK_SECRET:
            raise ValueError(f"DIANFU_CHATWOOT_WEBHOOK_SECRET needs at least {MIN_WEBHOOK_SECRET} characters")
        return self
