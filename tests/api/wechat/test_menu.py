"""The menu: within what Tencent takes, and every item means something that the dialogue knows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from api.channels.wechat.menu import Menu, MenuItem

ROOT = Path(__file__).parents[3]
URL = "https://service.example.cn"
MENU = Menu.load(ROOT / "data/wechat/menu.yaml")
ITEMS = [item for button in MENU.buttons for item in button.items]


def test_the_menu_has_three_buttons_and_a_way_to_a_person() -> None:
    assert len(MENU.buttons) == 3
    human = next(item for item in ITEMS if item.payload == "/request_human")
    assert MENU.key(human.key) == human


def test_every_payload_is_an_intent_of_the_domain() -> None:
    known = set()
    for path in (ROOT / "bot/domain").glob("*.yml"):
        known |= set(re.findall(r"^  - ([a-z_]+):?$", path.read_text(), re.M))
    assert {item.payload.strip("/") for item in ITEMS if item.payload} <= known


def test_the_menu_is_written_as_tencent_wants_it() -> None:
    written = MENU.as_json(URL + "/")
    assert list(written) == ["button"]
    subs = [sub for button in written["button"] for sub in button["sub_button"]]
    assert len(subs) == len(ITEMS)
    assert {tuple(sorted(sub)) for sub in subs} == {("key", "name", "type"), ("name", "type", "url")}
    assert [sub["url"] for sub in subs if sub["type"] == "view"] == [f"{URL}/wechat/h5"]
    for button in written["button"]:
        assert len(button["name"].encode()) <= 16
        assert all(len(sub["name"].encode()) <= 60 for sub in button["sub_button"])
        assert 1 <= len(button["sub_button"]) <= 5


def test_a_key_stands_for_a_message_and_an_old_key_for_nothing() -> None:
    assert MENU.key("bill") == MenuItem(name="电费账单", key="bill", text="查电费账单", payload="/query_bill")
    assert MENU.key("of_an_older_menu") is None
    assert MENU.key("") is None
    assert all(MENU.key(item.key) == item for item in ITEMS if item.key)


def test_the_menu_that_tencent_has_is_compared_without_what_tencent_adds() -> None:
    remote: dict[str, Any] = {"menuid": 208396938, **MENU.as_json(URL)}
    for button in remote["button"]:
        for sub in button["sub_button"]:
            sub["sub_button"] = []
    assert MENU.same_as(remote, URL)
    assert not MENU.same_as(remote, "https://elsewhere.example.cn")
    remote["button"][0]["sub_button"][0]["name"] = "旧名字"
    assert not MENU.same_as(remote, URL)
    for nothing in (None, {}, {"button": None}, {"button": ["x"]}):
        assert not MENU.same_as(nothing, URL)


def test_the_menu_can_be_read_by_people() -> None:
    lines = MENU.lines(URL)
    assert len(lines) == len(ITEMS) + 3
    assert f"  在线办理  {URL}/wechat/h5" in lines


def _item(**changed: Any) -> dict[str, Any]:
    return {"name": "查电费", "key": "bill", "text": "查电费", **changed}


BAD = {
    "four buttons": [{"name": "查", "items": [_item(key=f"k{n}")]} for n in range(4)],
    "no button": [],
    "no item": [{"name": "查", "items": []}],
    "six items": [{"name": "查", "items": [_item(key=f"k{n}") for n in range(6)]}],
    "five 汉字 on a button": [{"name": "查询电费吧", "items": [_item()]}],
    "nine 汉字 on an item": [{"name": "查", "items": [_item(name="我想查一查电费多少")]}],
    "no name": [{"name": "", "items": [_item()]}],
    "key twice": [{"name": "查", "items": [_item(), _item()]}],
    "key and page": [{"name": "查", "items": [_item(page="/x")]}],
    "neither": [{"name": "查", "items": [{"name": "查"}]}],
    "key without text": [{"name": "查", "items": [_item(text="")]}],
    "page with payload": [{"name": "查", "items": [{"name": "查", "page": "/x", "payload": "/bill"}]}],
    "payload that is none": [{"name": "查", "items": [_item(payload="query_bill")]}],
    "page elsewhere": [{"name": "查", "items": [{"name": "查", "page": "https://x.cn"}]}],
    "unknown word": [{"name": "查", "items": [_item(colour="red")]}],
    "key too long": [{"name": "查", "items": [_item(key="k" * 129)]}],
}


@pytest.mark.parametrize("name", BAD)
def test_menus_that_tencent_would_refuse_are_refused_at_start(name: str, tmp_path: Path) -> None:
    path = tmp_path / "menu.yaml"
    path.write_text(yaml.safe_dump({"buttons": BAD[name]}, allow_unicode=True))
    with pytest.raises(ValidationError):
        Menu.load(path)


def test_an_address_that_is_missing_or_too_long_is_refused() -> None:
    for url in ("", "https://" + "x" * 1024):
        with pytest.raises(ValueError, match="address"):
            MENU.as_json(url)
