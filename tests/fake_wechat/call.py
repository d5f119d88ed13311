"""One request to the API, and a refusal as Tencent words it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


class Refused(Exception):
    """The API refuses: it answers 200 with this code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code, self.message = code, message


@dataclass(slots=True)
class Call:
    """What came in; `openid` is noted by the handler, for the record of what was refused."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    openid: str | None = field(default=None)

    def json(self) -> dict[str, Any]:
        try:
            value = json.loads(self.body)
        except ValueError as error:
            raise Refused(47001, "data format error") from error
        if not isinstance(value, dict):
            raise Refused(47001, "data format error")
        return value


@dataclass(slots=True)
class Binary:
    """An answer that is no JSON: a file, or a page."""

    data: bytes
    media_type: str
    name: str | None = None
