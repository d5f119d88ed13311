"""The redactor itself: known values in any spelling, and whatever looks like personal data by its form."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from core.masking import mask_address
from core.redact.known import Known
from core.redact.marks import DOOR, Marks, plain, solid, spoken
from core.redact.names import mark_name, mark_names
from core.redact.numbers import LONG, mark_numbers
from core.redact.places import mark_doors

SHORTEST_NUMBER, SHORTEST_ROOM = 7, 3
_AREA_CODE = re.compile(r"0(?:10|2\d|[3-9]\d\d)")
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}(?=@[\w-]{1,60}(?:\.[\w-]{1,60})+)", re.ASCII)
_WECHAT = re.compile(r"(?:微信号?|[Vv][Xx]|QQ号?)[是为:：\s]{0,3}([A-Za-z][A-Za-z0-9_-]{5,19})")
# Ids and instants of our own, in which digits mean nobody.
_MACHINE = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?=[0-9]*[a-f])[0-9a-f]{32}|b_[\w-]{16}"
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)"
)
# Keys of trees (labels of forms, fields of cards) whose value as a whole is of one kind.
_NAME_KEY = re.compile(r"姓名|名字|户主$|联系人$|申请人$|单位名称|怎么称呼|^(?:customer|contact|owner)_name$|^owner$")
_ADDRESS_KEY = re.compile(r"地址$|^address$")
_NUMBER_KEY = re.compile(r"电话$|手机$|户号$|^(?:phone|contact|mobile|account_no|certificate)$")
_LABELLED = ("label", "title", "name")  # {"label": 联系电话, "value": …}


class Redactor:
    """Hides personal data from texts and trees; made once for a customer and used for all that is shown of them."""

    def __init__(self, known: Known | None = None) -> None:
        known = known or Known()
        # Each value, and how much of it stays to be read at both ends.
        self._numbers = [(number, *((3, 4) if len(number) >= LONG else (0, 2))) for number in _numbers(known)]
        self._numbers += [(solid(value), 1, 1) for value in known.certificates if len(value) >= SHORTEST_NUMBER]
        self._names = [solid(name) for name in known.names if len(solid(name)) > 1]
        self._addresses = [solid(address) for address in known.addresses]
        self._rooms = [_room(number) for number in _room_numbers(known)]

    def text(self, text: str, *, asked: str = "", staff: Collection[str] | None = None) -> str:
        """Return a text without personal data; `asked` is the question that it answers, if there was one.

        `staff`: the text is not the customer's but ours, and these names are of colleagues: they stay.
        """
        if not text:
            return text
        marks = Marks(text)
        self._mark_known(marks)
        phones = mark_numbers(marks)
        mark_doors(marks)
        mark_names(marks, phones, asked, staff)
        for found in _EMAIL.finditer(marks.plain):
            marks.hide(found.start() + 1, found.end())
        for found in _WECHAT.finditer(marks.plain):
            marks.hide(found.start(1) + 1, found.end(1))
        return marks.result()

    def tree(self, value: Any) -> Any:
        """Return a tree of dicts, lists and texts (a card, buttons, the details of an order) without personal data.

        A value whose key or label names it (联系电话, 户主) is masked as a whole. Keys of our own stay as they are.
        """
        if isinstance(value, str):
            return value if _MACHINE.fullmatch(value) else self.text(value)
        if isinstance(value, Mapping):
            return self._mapping(value)
        if isinstance(value, list | tuple):
            return [self.tree(one) for one in value]
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**SHORTEST_NUMBER:
            shown = self.text(str(value))
            return value if shown == str(value) else shown
        return value

    def _mapping(self, value: Mapping[Any, Any]) -> dict[Any, Any]:
        label = next((value[key] for key in _LABELLED if isinstance(value.get(key), str) and "value" in value), "")
        return {
            self._key(key): self._of_key(label if key == "value" and label else str(key), one)
            for key, one in value.items()
        }

    def _key(self, key: Any) -> Any:
        return self.text(key) if isinstance(key, str) and not key.isidentifier() else key

    def _of_key(self, key: str, value: Any) -> Any:
        """Return a value that its key tells the kind of; what says more than one value goes the common way too."""
        if not isinstance(value, str) or _MACHINE.fullmatch(value):
            return self.tree(value)
        if _NAME_KEY.search(key) and len(value) <= 40:
            return self._whole_name(value)
        if _ADDRESS_KEY.search(key):
            return self.text(mask_address(value))
        if _NUMBER_KEY.search(key):
            return self._whole_number(value)
        return self.text(value)

    def _whole_name(self, value: str) -> str:
        if "*" in value:  # masked already
            return self.text(value)
        marks = Marks(value)
        mark_name(marks, 0, len(value))
        return self.text(marks.result())

    def _whole_number(self, value: str) -> str:
        marks = Marks(value)
        for found in re.finditer(r"[0-9][0-9\s\-]*", marks.spoken):
            digits = len(re.sub(r"\D", "", found[0]))
            if digits >= SHORTEST_NUMBER:
                long = digits >= LONG
                marks.hide_digits(*found.span(), first=3 if long else 0, last=4 if long else 2)
        return self.text(marks.result())

    def _mark_known(self, marks: Marks) -> None:
        for number, first, last in self._numbers:
            for span in marks.find(number):
                marks.hide_digits(*span, first=first, last=last)
        for name in self._names:
            for span in marks.find(name):
                mark_name(marks, *span)
        for address in self._addresses:
            for span in marks.find(address):
                _mark_address(marks, *span)
        for found in (one for room in self._rooms for one in room.finditer(marks.spoken)):
            marks.hide(*found.span(1), DOOR)


def _mark_address(marks: Marks, start: int, end: int) -> None:
    """Hide every figure of an address that is known: all of them together are the door."""
    for found in re.finditer(r"[0-9十百]+(?![路街])", marks.spoken[start:end]):
        marks.hide(start + found.start(), start + found.end(), DOOR)


def _numbers(known: Known) -> list[str]:
    """Return the known numbers as digits; a landline also without its area code."""
    numbers = []
    for value in (*known.phones, *known.account_nos):
        digits = re.sub(r"\D", "", spoken(plain(value)))
        area = _AREA_CODE.match(digits)
        numbers += [digits, digits[area.end() :]] if area else [digits]
    return [number for number in dict.fromkeys(numbers) if len(number) >= SHORTEST_NUMBER]


def _room_numbers(known: Known) -> list[str]:
    """Return the numbers of rooms in the known addresses, which are doors even where they stand alone."""
    found = (re.findall(r"(\d+)室?$", spoken(plain(address.strip()))) for address in known.addresses)
    return list(dict.fromkeys(number for numbers in found for number in numbers if len(number) >= SHORTEST_ROOM))


def _room(number: str) -> re.Pattern[str]:
    body = r"[ \u200b]?".join(number)
    return re.compile(
        rf"(?<![0-9.¥￥$])(?<![¥￥$] )({body})"
        r"(?![0-9]|[.,][0-9]|[ ]?(?:元|块|度|毛|年|月|日|天|点|多|余|来|个|户|人|千|万|kw|kva|%|[:：]))",
        re.IGNORECASE,
    )
