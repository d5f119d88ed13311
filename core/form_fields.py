"""Answers to the fields of a form: what a message says, in its normal form, or why it says nothing.

The understanding (entities) comes first; what it missed is looked for in the text itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from core.business import Field
from core.text import clean, folded

MAX_TEXT, MAX_NAME = 500, 40
_PHONE = re.compile(r"1[3-9]\d{9}|0\d{2,3}-?\d{7,8}|400-?\d{3}-?\d{4}")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_CAPACITY = re.compile(r"(\d+(?:\.\d+)?)(kva|kw|千伏安|千瓦|个千瓦)", re.IGNORECASE)
# 我叫王建国, 户主是王建国, 改成王建国: the name is what remains.
_NAME_INTRO = re.compile(
    r"^(?:我的?名字(?:是|叫)?|我叫|姓名(?:是)?|名字(?:是|叫)?|户主(?:是|叫)?|他?她?叫|就?写|改成|换成|是)[:： ]*"
)
NAME_END = re.compile(r"[。.!！~，, 吧啊呀的哈]+$")
_YES = re.compile(r"^(?:是的?|对的?|有的?|要的?|嗯+|好的?|可以|同意|没错|需要|愿意)[。!！啊呀吧]*$")
_NO = re.compile(r"^(?:不是|不|没有|没得|冇得|不要|不用|否|不需要|算了|不同意)[。!！啊呀吧了]*$")
# Which entity of the understanding fills which kind of field.
ENTITY_OF = {
    "phone": "phone", "address": "address", "capacity": "capacity", "energy": "energy", "amount": "amount",
    "date": "date",
}  # fmt: skip
# Kinds that are recognised anywhere in a message, so that nobody is asked what was said already.
TELLING = frozenset(ENTITY_OF) | {"choice"}


CHINESE_DIGITS = str.maketrans("零一二三四五六七八九两", "01234567892")


class Unreadable(Exception):
    """What was said is no answer to the question; `reason` names why: empty, no_match, too_long, too_small, too_big."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Said:
    """What a message offers to a form: its text, the values of its entities, and the value of a pressed button."""

    text: str
    entities: Mapping[str, Sequence[str]] = field(default_factory=dict)
    choice: str | None = None
    upload: str | None = None


def read(one: Field, said: Said, *, today: date) -> str:
    """Return the answer to a field in its normal form.

    Raises:
        Unreadable: if the message holds none.
    """
    if one.kind == "photo":
        if said.upload is None:
            raise Unreadable("no_photo")
        return said.upload
    if one.kind in ("choice", "yes_no"):
        return _choice(one, said)
    return _READERS.get(one.kind, _text)(one, said, today)


def tells(one: Field, said: Said) -> bool:
    """Tell whether the message holds something of this kind."""
    if one.kind == "choice":
        return any(_fits(option.words, said.text) for option in one.options)
    if one.kind == "phone" and _PHONE.search(said.text):
        return True
    return bool(said.entities.get(ENTITY_OF.get(one.kind, "")))


def _fits(words: Sequence[str], text: str) -> bool:
    return any(re.search(word, text) for word in words)


def _choice(one: Field, said: Said) -> str:
    if one.kind == "yes_no":
        return _yes_no(said)
    values = [option.value for option in one.options]
    if said.choice in values:
        return str(said.choice)
    text = folded(said.text)
    for option in one.options:
        if folded(option.label) == text or _fits(option.words, said.text):
            return option.value
    for option in one.options:
        if folded(option.label) in text or (len(text) > 1 and text in folded(option.label)):
            return option.value
    ordinal = re.fullmatch(r"(?:第|选)?([1-9一二三四五六七八九])(?:个|种|项)?", text)
    if ordinal:
        place = int(ordinal[1].translate(CHINESE_DIGITS)) - 1
        if place < len(values):
            return values[place]
    raise Unreadable("no_match")


def _yes_no(said: Said) -> str:
    text = folded(said.text)
    if said.choice in ("yes", "no"):
        return str(said.choice)
    if _NO.match(text):
        return "no"
    if _YES.match(text):
        return "yes"
    raise Unreadable("no_match")


def _text(_one: Field, said: Said, _today: date) -> str:
    text = clean(said.text)
    if not text or text.startswith("/"):
        raise Unreadable("empty")
    if len(text) > MAX_TEXT:
        raise Unreadable("too_long")
    return text


def _name(_one: Field, said: Said, _today: date) -> str:
    text = NAME_END.sub("", _NAME_INTRO.sub("", clean(said.text)))
    if not text or text.startswith("/"):
        raise Unreadable("empty")
    if len(text) > MAX_NAME or _NUMBER.fullmatch(text) or re.search(r"[?？]", text):
        raise Unreadable("no_match")
    return text


def _phone(_one: Field, said: Said, _today: date) -> str:
    for candidate in (*said.entities.get("phone", ()), re.sub(r"[\s—]", "", said.text)):
        found = _PHONE.search(candidate)
        if found:
            return found[0].replace("-", "")
    raise Unreadable("no_match")


def _address(_one: Field, said: Said, _today: date) -> str:
    found = said.entities.get("address", ())
    text = max(found, key=len) if found else clean(said.text)
    # An address is at least a compound with a building: 那边 is none.
    if len(folded(text)) < 4 or text.startswith("/") or (not found and re.search(r"[?？]|多少|怎么", text)):
        raise Unreadable("no_match")
    return text[:MAX_TEXT]


def _number(one: Field, said: Said, _today: date) -> str:
    values = said.entities.get(ENTITY_OF.get(one.kind, ""), ())
    found = _NUMBER.search(values[0] if values else said.text.translate(CHINESE_DIGITS))
    if found is None:
        raise Unreadable("no_match")
    value = Decimal(found[0])
    if one.min is not None and value < Decimal(str(one.min)):
        raise Unreadable("too_small")
    if one.max is not None and value > Decimal(str(one.max)):
        raise Unreadable("too_big")
    return format(value.normalize(), "f")


def _capacity(one: Field, said: Said, today: date) -> str:
    values = [*said.entities.get("capacity", ()), said.text]
    for value in values:
        found = _CAPACITY.search(value)
        if found:
            return found[1] + ("kVA" if found[2].lower() in ("kva", "千伏安") else "kW")
    return _number(one, said, today) + (one.unit or "kW")


def _date(one: Field, said: Said, today: date) -> str:
    values = sorted(said.entities.get("date", ()))
    if not values:
        return _text(one, said, today)  # 下周一上午 is kept in the customer's own words
    return values[0]


_READERS = {
    "text": _text, "name": _name, "phone": _phone, "address": _address, "number": _number, "energy": _number,
    "amount": _number, "capacity": _capacity, "date": _date,
}  # fmt: skip
