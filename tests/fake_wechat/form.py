"""The two forms of a push and of its answer: XML and JSON."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

Fields = dict[str, Any]
_NUMBERS = {"CreateTime", "MsgId", "MsgID", "Location_X", "Location_Y", "Scale", "Count", "Latitude", "Longitude",
            "Precision", "MsgDataId", "Idx"}  # fmt: skip


class BadAnswer(Exception):
    """An answer that Tencent would not understand."""


def to_xml(fields: Fields) -> str:
    """Return the fields as Tencent writes them: text in CDATA, numbers bare, lists as items."""
    return f"<xml>{''.join(_element(name, value) for name, value in fields.items())}</xml>"


def to_json(fields: Fields) -> str:
    """Return the fields as JSON, without spaces and as real UTF-8."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def read(body: bytes, form: str) -> Fields:
    """Return what an answer says.

    Raises:
        BadAnswer: if it is not of that form.
    """
    return _read_json(body) if form == "json" else _read_xml(body)


def _element(name: str, value: Any) -> str:
    if isinstance(value, dict):
        inner = "".join(_element(key, one) for key, one in value.items())
    elif isinstance(value, list) and name == "List":  # of events about subscription messages
        return "".join(_element(name, one) for one in value)
    elif isinstance(value, list):
        inner = "".join(_element("item", one) for one in value)
    elif name in _NUMBERS or isinstance(value, int | float):
        inner = escape(str(value))
    else:
        inner = f"<![CDATA[{str(value).replace(']]>', ']]]]><![CDATA[>')}]]>"
    return f"<{name}>{inner}</{name}>"


def _read_json(body: bytes) -> Fields:
    try:
        fields = json.loads(body)
    except ValueError as error:
        raise BadAnswer(f"no JSON: {error}") from error
    if not isinstance(fields, dict):
        raise BadAnswer("no JSON object")
    return fields


def _read_xml(body: bytes) -> Fields:
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise BadAnswer("it has a DOCTYPE")
    try:
        root = ElementTree.fromstring(body.decode())
    except (ElementTree.ParseError, ValueError) as error:
        raise BadAnswer(f"no XML: {error}") from error
    if root.tag != "xml":
        raise BadAnswer(f"its root is {root.tag}, not xml")
    return {child.tag: _value(child) for child in root}


def _value(element: ElementTree.Element) -> Any:
    children = list(element)
    if not children:
        return element.text or ""
    if all(child.tag == "item" for child in children):
        return [_value(child) for child in children]
    return {child.tag: _value(child) for child in children}
