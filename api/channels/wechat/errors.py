"""What Tencent's interface may say instead of yes, and what follows from it."""

from __future__ import annotations

import re
from enum import StrEnum

BUSY = -1
NOT_AGREED = 43101  # to a subscription message
NO_MENU = 46003
STALE_TOKEN = frozenset({40001, 40014, 42001})
MAX_MESSAGE = 120
_SECRET = re.compile(r"[A-Za-z0-9_\-]{20,}")
_RID = re.compile(r"\brid: ?([0-9a-f]{6,8}(?:-[0-9a-f]{6,8}){2})\b")  # what Tencent's support asks for


class Verdict(StrEnum):
    """What a refusal means for whoever wanted to send."""

    RETRY = "retry"  # busy; the client has tried again already
    TOKEN = "token"  # the token was not taken, nor a fresh one
    WINDOW_CLOSED = "window_closed"  # nothing may be sent until the user does something
    COUNT_USED = "count_used"  # as many were sent as the window allows
    UNREACHABLE_USER = "unreachable_user"  # no such user, or one who has left or refuses messages
    MEDIA_GONE = "media_gone"  # kept for three days; upload it again
    CONFIG = "config"  # the operator's: AppID, AppSecret or the list of allowed addresses
    CHARSET = "charset"
    TEMPLATE_BUG = "template_bug"  # unknown template, or a value that its field does not take
    NOT_ALLOWED = "not_allowed"  # this kind of account may not do it
    TOO_LONG = "too_long"
    RATE = "rate"  # too many calls a minute or a day
    TYPING = "typing"  # the typing signal alone
    REFUSED = "refused"  # anything else; the same again would be refused again


_VERDICTS = {
    Verdict.RETRY: (BUSY,),
    Verdict.TOKEN: (*STALE_TOKEN, 41001),
    Verdict.WINDOW_CLOSED: (45015,),
    Verdict.COUNT_USED: (45047,),
    Verdict.UNREACHABLE_USER: (40003, 43004, 43019, 48002, 50005),
    Verdict.MEDIA_GONE: (40007,),
    Verdict.CONFIG: (40013, 40125, 40164, 40243, 41002, 41004),
    Verdict.CHARSET: (40033,),
    Verdict.TEMPLATE_BUG: (40037, 47003),
    Verdict.NOT_ALLOWED: (40200, 48001, 48004, 65400),
    Verdict.TOO_LONG: (45002,),
    Verdict.RATE: (45009, 45011),
    Verdict.TYPING: (45072, 45080, 45081),
    Verdict.REFUSED: (40029, 40163, 42003, 43101, 45008, NO_MENU),
}
_BY_CODE = {code: verdict for verdict, codes in _VERDICTS.items() for code in codes}
KNOWN = frozenset(_BY_CODE)  # explained in docs/wechat.md


def verdict(code: int) -> Verdict:
    """Return what an error code means; codes that nobody has met are refusals."""
    return _BY_CODE.get(code, Verdict.REFUSED)


class WeChatError(Exception):
    """A call of Tencent's interface that came to nothing."""


class WeChatRefused(WeChatError):
    """Tencent understood the call and will have none of it."""

    def __init__(self, code: int, message: str = "") -> None:
        self.code, self.message = code, scrubbed(message)
        super().__init__(f"{code} {self.message}".strip())

    @property
    def verdict(self) -> Verdict:
        """What follows from it."""
        return verdict(self.code)


class WeChatUnreachable(WeChatError):
    """Tencent did not answer, or not as it should; `sent`: the call may have been carried out all the same."""

    def __init__(self, sent: bool, reason: str = "") -> None:
        self.sent, self.reason = sent, reason
        super().__init__(f"{reason or 'no answer'}{' after the call was sent' if sent else ''}")


def scrubbed(message: str) -> str:
    """Return Tencent's words without what looks like a token, a secret or an openid, and not too many of them."""
    rid = _RID.search(message)
    short = _SECRET.sub("…", _RID.sub("", message)).strip()[:MAX_MESSAGE]
    return f"{short} rid: {rid[1]}" if rid else short
