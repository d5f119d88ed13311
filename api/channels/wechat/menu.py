"""The menu below the conversation, read from `data/wechat/menu.yaml`."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

# Source: developers.weixin.qq.com, 创建自定义菜单: bytes of a name; the telephone shows 4 and 8 汉字 of it.
_TOP, _SUB = (16, 4), (60, 8)
_MAX_KEY, _MAX_URL = 128, 1024


class MenuItem(BaseModel):
    """An item: with a `key` it stands for a message of the customer, with a `page` it opens one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    key: str = Field("", max_length=_MAX_KEY, pattern=r"^[a-z0-9_]*$")
    text: str = ""
    payload: str | None = Field(None, pattern=r"^/[a-z_]+(\{.*\})?$")
    page: str = Field("", pattern=r"^(/[!-~]*)?$")

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if bool(self.key) == bool(self.page):
            raise ValueError(f"{self.name}: either a key or a page")
        if bool(self.key) != bool(self.text) or (self.payload and not self.key):
            raise ValueError(f"{self.name}: a key needs a text, and a page has neither text nor payload")
        return self


class MenuButton(BaseModel):
    """One of the buttons that are always seen, and what unfolds above it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    items: list[MenuItem] = Field(min_length=1, max_length=5)


class Menu(BaseModel):
    """The whole menu."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    buttons: list[MenuButton] = Field(min_length=1, max_length=3)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the file.

        Raises:
            pydantic.ValidationError: if it is more than Tencent takes, or not a menu at all.
        """
        return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for button in self.buttons:
            _check_name(button.name, *_TOP)
            for item in button.items:
                _check_name(item.name, *_SUB)
        keys = [item.key for item in self._items() if item.key]
        if len(set(keys)) < len(keys):
            raise ValueError("two items have the same key")
        return self

    def key(self, event_key: str) -> MenuItem | None:
        """Return what a key stands for; None for one that only an older menu knew."""
        return next((item for item in self._items() if item.key == event_key != ""), None)

    def as_json(self, public_url: str) -> dict[str, Any]:
        """Return the menu as Tencent wants it.

        Raises:
            ValueError: if an address becomes longer than Tencent takes.
        """
        return {
            "button": [
                {"name": button.name, "sub_button": [_as_json(item, public_url) for item in button.items]}
                for button in self.buttons
            ]
        }

    def same_as(self, remote: Mapping[str, Any] | None, public_url: str) -> bool:
        """Tell whether this is the menu that Tencent has (`WeChatClient.get_menu`)."""
        return remote is not None and _bare(remote.get("button")) == _bare(self.as_json(public_url)["button"])

    def lines(self, public_url: str) -> list[str]:
        """Return the menu for people to read."""
        said = []
        for button in self.buttons:
            said.append(button.name)
            for item in button.items:
                said.append(f"  {item.name}  {public_url.rstrip('/') + item.page if item.page else '→ ' + item.text}")
        return said

    def _items(self) -> list[MenuItem]:
        return [item for button in self.buttons for item in button.items]


def _check_name(name: str, most_bytes: int, most_wide: int) -> None:
    width = sum(1 if unicodedata.east_asian_width(c) in "WFA" else 0.5 for c in name)
    if len(name.encode()) > most_bytes or width > most_wide:
        raise ValueError(f"{name}: a name has at most {most_wide} 汉字 here")


def _as_json(item: MenuItem, public_url: str) -> dict[str, str]:
    if item.key:
        return {"type": "click", "name": item.name, "key": item.key}
    url = public_url.rstrip("/") + item.page
    if not public_url or len(url.encode()) > _MAX_URL:
        raise ValueError(f"{item.name}: an address has 1 to {_MAX_URL} bytes")
    return {"type": "view", "name": item.name, "url": url}


def _bare(buttons: Any) -> Any:
    """Return buttons without what Tencent adds of its own accord."""
    if not isinstance(buttons, list):
        return []
    return [
        {name: one[name] for name in ("type", "name", "key", "url") if one.get(name)}
        | {"sub_button": _bare(one.get("sub_button"))}
        for one in buttons
        if isinstance(one, Mapping)
    ]
