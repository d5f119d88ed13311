"""Template messages: which field of which template shows what, read from `data/wechat/templates.yaml`.

Tencent refuses a value that its field does not take (47003); so values are made to fit, and never refused for length.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from string import Formatter
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from api.channels.wechat.wire import clean
from core.clock import SHANGHAI

# What the senders give for each kind: always, and sometimes. Names that end in _at are instants (ISO).
GIVEN: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "bill_ready": (frozenset({"account_tail", "amount", "due_at"}), frozenset({"month", "energy"})),
    "balance_low": (frozenset({"account_tail", "balance"}), frozenset({"days", "amount", "due_at"})),
    "planned_outage": (frozenset({"area"}), frozenset({"started_at", "expected_at", "cause", "state"})),
    "outage": (frozenset({"area"}), frozenset({"expected_at", "restored_at", "cause", "state"})),
    "order_progress": (frozenset({"title", "state"}), frozenset({"order_no", "due_at"})),
    "promise_moved": (frozenset({"due_at"}), frozenset({"order_no", "title", "what"})),
    "agent_replied": (frozenset(), frozenset({"agent"})),
}
_KEY = re.compile(r"(thing|phrase|character_string|amount|time|date|const|number)[0-9]{1,3}", re.ASCII)
_THING, _PHRASE, _CHARACTERS = 20, 5, 32
_CUT = "…"
SUBSCRIBE = "subscribe:"  # before the id of a template for subscription messages (订阅通知)

Data = dict[str, dict[str, str]]


class NoTemplate(LookupError):
    """The account has no template for this kind: none is set in DIANFU_WECHAT_TEMPLATES."""


class BadValue(ValueError):
    """A value that a template needs is missing, or is none of its kind."""


class Shown(BaseModel):
    """What a field shows: a text with values in braces; `missing` stands there if one of them is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: str = Field(min_length=1)
    missing: str = ""

    @property
    def needs(self) -> frozenset[str]:
        """Return the names of the values that it needs."""
        return frozenset(name for _, name, _, _ in Formatter().parse(self.value) if name is not None)


class Template(BaseModel):
    """One kind's template."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = Field(min_length=1)
    page: str = Field("", pattern=r"^(/[!-~]*)?$")
    fields: dict[str, Shown] = Field(min_length=1)
    says: dict[str, dict[str, str]] = {}
    instead: dict[str, dict[str, Shown]] = {}

    @field_validator("fields")
    @classmethod
    def _fields_have_types(cls, fields: dict[str, Shown]) -> dict[str, Shown]:
        for key, shown in fields.items():
            if not _KEY.fullmatch(key):
                raise ValueError(f"{key} is no field of a template")
            if not shown.needs or shown.missing:
                _FIT[_type(key)](shown.missing or shown.value)
        return fields

    def check(self, kind: str) -> None:
        """See that whatever it needs is given.

        Raises:
            ValueError: if a value is not known, or one that may be missing has nothing in its place.
        """
        always, sometimes = GIVEN[kind]
        for key, shown in self.fields.items():
            if unknown := shown.needs - always - sometimes:
                raise ValueError(f"{kind}.{key}: there is no value {', '.join(sorted(unknown))}")
            if not shown.missing and shown.needs - always:
                raise ValueError(f"{kind}.{key}: its value is not always known, say what is shown when it is `missing`")
        for wording, fields in self.instead.items():
            if strange := {name for one in fields.values() for name in one.needs} - always - sometimes:
                raise ValueError(f"{kind}.instead.{wording}: there is no value {', '.join(sorted(strange))}")
            if added := fields.keys() - self.fields.keys():
                raise ValueError(f"{kind}.instead.{wording}: there is no field {', '.join(sorted(added))}")
        for wording, values in self.says.items():
            if strange := values.keys() - always - sometimes:
                raise ValueError(f"{kind}.says.{wording}: there is no value {', '.join(sorted(strange))}")


class Templates(BaseModel):
    """All templates by kind, and the ids that the account has for them; `subscribe:<id>`: of a subscription message."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kinds: dict[str, Template]
    ids: dict[str, str]

    @classmethod
    def load(cls, path: Path, ids: Mapping[str, str]) -> Self:
        """Read the file; `ids`: kind → id of the template at Tencent.

        Raises:
            pydantic.ValidationError: if a kind is missing or unknown, or a template needs what nobody gives.
        """
        return cls.model_validate({"kinds": yaml.safe_load(path.read_text(encoding="utf-8")), "ids": dict(ids)})

    @model_validator(mode="after")
    def _kinds_are_known(self) -> Self:
        for what, wrong in {
            "missing kinds": GIVEN.keys() - self.kinds.keys(),
            "unknown kinds": self.kinds.keys() - GIVEN.keys(),
            "ids of unknown kinds": self.ids.keys() - self.kinds.keys(),
        }.items():
            if wrong:
                raise ValueError(f"{what}: {', '.join(sorted(wrong))}")
        for kind, template in self.kinds.items():
            template.check(kind)
        for kind, one in self.ids.items():
            if one.removeprefix(SUBSCRIBE).strip() != one.removeprefix(SUBSCRIBE) or one == SUBSCRIBE:
                raise ValueError(f"{kind}: {one} is no id")
        return self

    @property
    def singles(self) -> dict[str, str]:
        """The templates by kind of which a user agrees to each message beforehand."""
        return {kind: one.removeprefix(SUBSCRIBE) for kind, one in self.ids.items() if one.startswith(SUBSCRIBE)}

    def has(self, kind: str) -> bool:
        """Tell whether the account has a template for this kind."""
        return bool(self.ids.get(kind))

    @property
    def without_id(self) -> list[str]:
        """The kinds for which the account has no template."""
        return [kind for kind in self.kinds if not self.has(kind)]

    def fill(self, kind: str, values: Mapping[str, str], *, wording: str = "") -> tuple[str, Data]:
        """Return the template's id and its data; `wording`: which one of data/notices.yaml it is, if that matters.

        Raises:
            NoTemplate: if the account has none for this kind.
            BadValue: if a value is missing, or is none of its kind.
        """
        if not self.has(kind):
            raise NoTemplate(kind)
        template = self.kinds[kind]
        known = {**template.says.get(wording, {}), **{name: value for name, value in values.items() if value}}
        fields = {**template.fields, **template.instead.get(wording, {})}
        return self.ids[kind].removeprefix(SUBSCRIBE), {
            key: {"value": _filled(key, one, known)} for key, one in fields.items()
        }

    def url(self, kind: str, public_url: str) -> str | None:
        """Return the address that a tap on the message opens."""
        page = self.kinds[kind].page
        return public_url.rstrip("/") + page if page else None


def _filled(key: str, shown: Shown, values: Mapping[str, str]) -> str:
    kind = _type(key)
    if shown.needs - values.keys():
        if not shown.missing:
            raise BadValue(f"{key}: no {', '.join(sorted(shown.needs - values.keys()))}")
        return _FIT[kind](shown.missing)
    said = {name: _said(name, values[name], whole=kind in ("time", "date")) for name in shown.needs}
    return _FIT[kind](shown.value.format(**said))


def _said(name: str, value: str, *, whole: bool) -> str:
    """Return a value as it stands in a text; an instant without its year unless it is the `whole` field."""
    if not name.endswith("_at"):
        return value
    try:
        at = datetime.fromisoformat(value)
    except ValueError as error:
        raise BadValue(name) from error
    at = at.astimezone(SHANGHAI) if at.tzinfo else at
    day = f"{at.month}月{at.day}日"
    return f"{at.year}年{day} {at:%H:%M}" if whole else f"{day}{at:%H:%M}"


def _type(key: str) -> str:
    return key.rstrip("0123456789")


def _thing(text: str) -> str:
    line = " ".join(clean(text).split())
    if not line:
        raise BadValue("nothing to show")
    return line if len(line) <= _THING else line[: _THING - len(_CUT)] + _CUT


def _phrase(text: str) -> str:
    found = "".join(c for c in text if "\u4e00" <= c <= "\u9fff")[:_PHRASE]  # 汉字 alone: no place for …
    if not found:
        raise BadValue("a phrase without 汉字")
    return found


def _characters(text: str) -> str:
    found = "".join(c for c in text if "!" <= c <= "~")
    if not found:
        raise BadValue("no letter, digit or sign")
    return found if len(found) <= _CHARACTERS else found[: _CHARACTERS - 3] + "..."


def _amount(text: str) -> str:
    try:
        amount = Decimal(text.strip().removeprefix("￥").removeprefix("¥").removesuffix("元"))
    except InvalidOperation as error:
        raise BadValue("no amount") from error
    if not amount.is_finite() or abs(amount) >= Decimal(10) ** 10:
        raise BadValue("no amount")
    return f"{amount:.2f}元"


def _number(text: str) -> str:
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text, re.ASCII):
        raise BadValue("no number")
    return text[:_CHARACTERS]


def _time(text: str) -> str:
    if not re.fullmatch(r"(\d{4}年)?(\d{1,2}月\d{1,2}日)?( ?\d{1,2}:\d{2})?", text, re.ASCII) or not text:
        raise BadValue("no time")
    return text


_FIT: Mapping[str, Callable[[str], str]] = {
    "thing": _thing, "phrase": _phrase, "character_string": _characters, "amount": _amount, "number": _number,
    "time": _time, "date": _time, "const": _thing,
}  # fmt: skip
