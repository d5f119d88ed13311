"""Forms (业务表单): what a business still needs, read from what the customer says, corrected, and complete at the end.

Pure functions over `FormState`; who keeps the state and how things are worded is not decided here.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Any

from core.business import Business, Field
from core.form_fields import CHINESE_DIGITS, MAX_TEXT, NAME_END, TELLING, Said, Unreadable, asks, read, tells
from core.text import clean, folded

# What is asked besides the fields: which business, whether to begin, which account, whether all is right, a code, what
# to change.
WHICH, OFFER, ACCOUNT, CONFIRM, CODE, CHANGE = "_which", "_offer", "_account", "_confirm", "_code", "_change"
SKIPPED = ""
_OTHER_HOME = re.compile(
    r"不是我(?:这|家|屋|的|自己)|(?:[他她]|爸|妈|爷爷|奶奶|爹|婆婆|老人|老的)[^，,。 ]{0,6}住|不住(?:我|这|一起)|地址"
)
TELLING_LENGTH = 6  # characters: a shorter message adds nothing to a description
_NOT_THIS = re.compile(
    r"(?:不是|不要|别写|莫写)(?P<old>[^，,。;；!！]{1,20})[，,。;； ]*"
    r"(?:而?是|应该是|改成|要改成|换成)(?P<new>[^，,。;；!！]{1,20})"
)
_THIS_NOT = re.compile(
    r"(?:应该)?是(?P<new>[^，,。;；!！]{1,20})[，,。;； ]*(?:可)?(?:不是|莫是|并不是)(?P<old>[^，,。;；!！]{1,20})"
)
_CHANGING = re.compile("岔|混|记差|少报|多报|报少|报多|错|改|不对|应该是|换成|换一个|换个|更正|写成")


@dataclass(frozen=True)
class FormState:
    """A form in progress; `id` is the cause of the order that it ends in, so that it can only be filed once."""

    id: str
    business: str
    values: Mapping[str, str] = field(default_factory=dict)
    account_no: str | None = None
    asking: str | None = None
    failures: int = 0
    opening: str = ""
    verified: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)  # what the business's own steps remember

    @classmethod
    def new(cls, business: str, *, opening: str = "") -> FormState:
        """Return an empty form."""
        return cls(id=uuid.uuid4().hex, business=business, opening=clean(opening)[:MAX_TEXT])

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> FormState:
        """Return the state that `dump` wrote; keys of other readers are passed over."""
        return cls(**{name: raw[name] for name in cls.__dataclass_fields__ if name in raw})

    def dump(self) -> dict[str, Any]:
        """Return the state as JSON."""
        return asdict(self)

    def with_value(self, name: str, value: str) -> FormState:
        """Return the state with one more answer."""
        return replace(self, values={**self.values, name: value})


def wanted(business: Business, state: FormState) -> list[Field]:
    """Return the fields that matter, given the answers so far, in order."""
    return [one for one in business.fields if all(state.values.get(name) in ok for name, ok in one.when.items())]


def next_field(business: Business, state: FormState) -> Field | None:
    """Return the first field without an answer; None when the form is complete."""
    return next((one for one in wanted(business, state) if one.name not in state.values), None)


def take(business: Business, state: FormState, said: Said, *, today: date, opening: bool = False) -> FormState:
    """Return the state with everything that the message tells of fields not answered yet.

    `opening`: the message that started the form, of which a field may take the whole text.
    """
    for one in business.fields:
        if one.name in state.values or not all(name in state.values for name in one.when):
            continue
        if one.default == "message" and opening:
            if len(folded(said.text)) >= 8:
                state = state.with_value(one.name, clean(said.text)[:MAX_TEXT])
        elif one.kind in TELLING and tells(one, said):
            try:
                state = state.with_value(one.name, read(one, said, today=today))
            except Unreadable:
                continue
    return state


def correct(
    business: Business, state: FormState, said: Said, *, today: date, complete: bool = False
) -> tuple[FormState, list[str]]:
    """Return the state corrected by the message (不是三楼是四楼, 电话错了是139…), and what was changed.

    `complete`: nothing else is being asked, so that a telephone number can only mean the one telephone of the form, and
    another answer to a choice another choice.
    """
    swapped = _swap(state, said)
    if swapped is not None:
        return swapped
    contrast = _NOT_THIS.search(said.text) or _THIS_NOT.search(said.text)
    changing = contrast is not None or bool(_CHANGING.search(said.text))
    fields = wanted(business, state)
    phones = [one.name for one in fields if one.kind == "phone"] if complete else []
    changed: list[str] = []
    for one in fields:
        told = changing or phones == [one.name] or (complete and one.kind in _PLAIN and tells(one, said))
        told = told or (complete and one.kind == "address" and _elsewhere(said))
        if one.name not in state.values or not told:
            continue
        value = _corrected(one, said, today=today)
        if value is not None and value != state.values[one.name]:
            state, changed = state.with_value(one.name, value), [*changed, one.name]
    return state, changed


def _elsewhere(said: Said) -> bool:
    """Tell whether a place is named that is not the own home (她住在月湖湾3栋, 不是我这个户)."""
    named = max(said.entities.get("address", ()), key=len, default="")
    return bool(named) and not named[0].isdigit() and bool(_OTHER_HOME.search(said.text))


def sharper(business: Business, state: FormState, said: Said, *, today: date) -> FormState | None:
    """Return the state with a fuller address of the same place (荷叶塘村 → 柳河乡荷叶塘村3组), None without one."""
    for one in wanted(business, state):
        known = state.values.get(one.name, "")
        if one.kind == "address" and known and tells(one, said):
            fuller = read(one, said, today=today)
            if len(fuller) > len(known) and any(known[place : place + 3] in fuller for place in range(len(known) - 2)):
                return state.with_value(one.name, fuller)
    return None


def added(business: Business, state: FormState, said: Said) -> FormState | None:
    """Return the state with a sentence more in the description; None if the message is none (嗯, a question)."""
    text = clean(said.text)
    told = next((one for one in wanted(business, state) if one.default == "message"), None)
    if told is None or len(folded(text)) < TELLING_LENGTH or asks(text) or text in state.values.get(told.name, ""):
        return None
    return state.with_value(told.name, "；".join(filter(None, (state.values.get(told.name), text)))[:MAX_TEXT])


def named_field(business: Business, state: FormState, text: str) -> Field | None:
    """Return the field that a message names by its label (电话要改)."""
    said = folded(text)
    for one in wanted(business, state):
        words = {folded(one.label), *_SHORT_LABELS.get(one.kind, ())}
        if any(word in said for word in words):
            return one
    return None


def forget(state: FormState, name: str) -> FormState:
    """Return the state without the answer to a field, so that it is asked again."""
    return replace(state, values={key: value for key, value in state.values.items() if key != name}, failures=0)


_SHORT_LABELS = {
    "phone": ("电话", "手机", "号码"), "address": ("地址", "地点", "位置"), "name": ("名字", "姓名"),
    "photo": ("照片", "图片"), "date": ("日期", "时间"), "capacity": ("容量",),
}  # fmt: skip


_PLAIN = frozenset({"choice", "number", "capacity", "date"})  # what of a complete form is told again is told anew


def _swap(state: FormState, said: Said) -> tuple[FormState, list[str]] | None:
    found = _NOT_THIS.search(said.text) or _THIS_NOT.search(said.text)
    if found is None:
        return None
    old, new = clean(found["old"]), NAME_END.sub("", clean(found["new"]))
    for name, value in state.values.items():
        if old and old in value:
            return state.with_value(name, value.replace(old, new)), [name]
        digits = _digit_form(old)
        if digits and digits in value:
            return state.with_value(name, value.replace(digits, _digit_form(new) or new)), [name]
    return None


def _digit_form(text: str) -> str | None:
    """Return a floor or door with Arabic digits (三楼 → 3楼), None if it has no Chinese digit."""
    turned = text.translate(CHINESE_DIGITS)
    return turned if turned != text else None


def _corrected(one: Field, said: Said, *, today: date) -> str | None:
    """Return the new value of a field that was answered, if the message holds one."""
    worded = one.kind in ("name", "text")
    if not worded and one.kind not in TELLING:
        return None
    if worded and folded(one.label)[-2:] not in folded(said.text) and not (one.kind == "name" and "名字" in said.text):
        return None
    if one.kind in TELLING and not tells(one, said):
        return None
    text = re.split(r"应该是|改成|换成|写成|是", said.text)[-1] if worded else said.text
    try:
        return read(one, replace(said, text=text), today=today)
    except Unreadable:
        return None
