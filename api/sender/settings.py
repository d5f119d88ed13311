"""Settings of the sender."""

from __future__ import annotations

from pydantic import Field, SecretStr

from core.settings import CoreSettings


class SenderSettings(CoreSettings):
    """What the sender needs besides `CoreSettings`; `api.settings` says what each is, and checks that all fit."""

    wechat_appid: str = ""
    wechat_secret: SecretStr = SecretStr("")
    wechat_url: str = "https://api.weixin.qq.com"
    wechat_templates: dict[str, str] = {}
    wechat_rate: float = Field(50, gt=0, le=5000)
    public_url: str = ""
    sms_token: SecretStr = SecretStr("")
