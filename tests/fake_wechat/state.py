"""Everything that the fake knows, in memory: the account's settings, the users and what their phones showed."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import string
import time
from array import array
from collections import Counter, deque
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

from tests.fake_wechat.clock import Clock
from tests.fake_wechat.quotas import Quotas

if TYPE_CHECKING:
    from tests.fake_wechat.faults import Faults
    from tests.fake_wechat.media import Media
    from tests.fake_wechat.menus import Menus
    from tests.fake_wechat.oauth import Codes
    from tests.fake_wechat.pusher import Pusher
    from tests.fake_wechat.scenes import Scenes
    from tests.fake_wechat.templates import Templates
    from tests.fake_wechat.tokens import Tokens

Way = Literal["passive", "custom", "template", "subscription", "notice", "own"]
NOTICE = "该公众号提供的服务出现故障，请稍后再试"
KEPT = 200_000  # refusals and pushes that are remembered
DEMO = ("小陈", "老李", "王阿姨", "周晓雯", "Daniel 高", "便民超市刘姐")


@dataclass
class Settings:
    """The official account, and how this WeChat behaves; the control API changes all of it while it runs."""

    appid: str = "wxfake00000000dianfu"
    secret: str = ""
    token: str = ""
    aes_key: str = ""
    account: str = "gh_fake0dianfu"
    account_name: str = "电小服 · 供电服务"
    push_url: str = ""
    mode: Literal["plain", "compatible", "safe"] = "safe"
    form: Literal["xml", "json"] = "xml"
    timeout: float = 5.0  # seconds that one try of a push may take
    pace: float = 5.0  # seconds from the start of a try that failed early to the next
    tries: int = 3
    sign_with_offset: bool = False  # whether signatures carry the fake's time or the machine's
    template_rate: float = 0  # template and subscription messages a second; 0: any number
    template_events: bool = True  # push TEMPLATESENDJOBFINISH
    custom_rate: float = 0  # customer-service messages a second
    msgmenu: bool = True  # false: 40200, as for test accounts
    unfollowed_code: int = 43004  # of a customer-service message to somebody who has left; 45015 is seen too
    kf_accounts: tuple[str, ...] = ()
    apart: dict[str, tuple[str, str]] = field(default_factory=dict)  # openid -> mode and form of what concerns them

    def change(self, wanted: dict[str, Any]) -> None:
        """Take over new values; a name that there is not is an error."""
        known = {one.name for one in fields(self)}
        if unknown := set(wanted) - known:
            raise ValueError(f"no such settings: {', '.join(sorted(unknown))}")
        for name, value in wanted.items():
            setattr(self, name, tuple(value) if name == "kf_accounts" else value)

    def manner(self, openid: str) -> tuple[str, str]:
        """Return the mode and the form in which a user's messages are pushed and answered."""
        mode, form = self.apart.get(openid, (self.mode, self.form))
        return mode, form

    def public(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name not in {"secret", "token", "aes_key"}}


@dataclass(slots=True)
class Shown:
    """One thing on a phone: a bubble of the account, a notice, or (way `own`) what the user sent."""

    n: int
    at: float
    openid: str
    way: Way
    type: str
    content: dict[str, Any]
    push: str | None = None  # the push that it answers, or that carries it

    @property
    def text(self) -> str:
        """All words of it, as a person reads them."""
        return _words(self.type, self.content)

    def public(self) -> dict[str, Any]:
        return {"n": self.n, "at": self.at, "openid": self.openid, "way": self.way, "type": self.type,
                "content": self.content, "text": self.text, "push": self.push}  # fmt: skip


def _words(kind: str, content: dict[str, Any]) -> str:
    if kind == "msgmenu":
        items = [str(item.get("content", "")) for item in content.get("list", [])]
        return "\n".join([content.get("head_content", ""), *items, content.get("tail_content", "")]).strip("\n")
    if kind in {"template", "subscription"}:
        return "\n".join([content.get("title", ""), *(f"{one['value']}" for one in content["data"].values())])
    if kind == "news":
        return "\n".join(f"{one.get('title', '')}\n{one.get('description', '')}" for one in content["articles"])
    return str(content.get("content") or content.get("label") or content.get("title") or "")


@dataclass(slots=True)
class User:
    """Somebody with WeChat on a phone; the openid is theirs towards this account."""

    openid: str
    name: str
    following: bool = False
    since: float = 0.0
    last_contact: float = 0.0
    typing_until: float = 0.0
    demo: bool = False
    snapshot: bool = False  # OAuth gives a virtual openid
    scene: str = ""
    subscriptions: dict[str, int | None] = field(default_factory=dict)  # template id -> messages left, None: long-term
    screen: list[Shown] = field(default_factory=list)


def openid_of(name: str) -> str:
    """Return an openid of 28 characters, the same for the same name."""
    letters = string.ascii_letters + string.digits + "-_"
    return "oFk" + "".join(letters[byte % 64] for byte in hashlib.sha256(name.encode()).digest()[:25])


class World:
    """The whole state; `reset` makes it new and leaves the account's settings."""

    tokens: Tokens
    media: Media
    menus: Menus
    templates: Templates
    scenes: Scenes
    codes: Codes
    faults: Faults
    pusher: Pusher

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.url = ""
        self.reset()

    def reset(self) -> None:
        from tests.fake_wechat import faults, media, menus, oauth, pusher, scenes, templates, tokens

        if hasattr(self, "pusher"):
            self.pusher.forget()
        self.clock, self.quotas = Clock(), Quotas()
        self.tokens, self.media, self.menus = tokens.Tokens(), media.Media(), menus.Menus()
        self.templates, self.scenes, self.codes = templates.Templates(), scenes.Scenes(), oauth.Codes()
        self.faults, self.pusher = faults.Faults(), pusher.Pusher(self)
        self.page_ticket = ("", 0.0)  # and until when it is good
        self.users: dict[str, User] = {}
        self.counters: Counter[str] = Counter()
        self.refused: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self.all_shown: list[Shown] = []
        self.calls: dict[str, array[float]] = {}  # path -> when (the machine's monotonic clock)
        self.arrivals_custom: deque[float] = deque()
        self.arrivals_template: deque[float] = deque()
        self.shown_at: dict[str, array[float]] = {}  # way -> when (likewise)
        self.changed = asyncio.Event()
        for name in DEMO:
            self.add_user(openid_of(name), name, following=False, demo=True)

    def now(self) -> float:
        return self.clock.now()

    def add_user(self, openid: str, name: str = "", *, following: bool = True, demo: bool = False) -> User:
        """Return the user, made if new; an old one is left as it is."""
        user = self.users.get(openid)
        if user is None:
            since = self.now() if following else 0.0
            user = self.users[openid] = User(openid, name or f"微信用户{openid[-4:]}", following, since, demo=demo)
        return user

    def show(self, openid: str, way: Way, kind: str, content: dict[str, Any], push: str | None = None) -> Shown:
        """Put something on a phone."""
        shown = Shown(len(self.all_shown) + 1, self.now(), openid, way, kind, content, push)
        self.all_shown.append(shown)
        user = self.users[openid]
        user.screen.append(shown)
        if way not in {"own", "notice"}:
            user.typing_until = 0.0
        self.counters[f"shown.{way}"] += 1
        self.shown_at.setdefault(way, array("d")).append(time.monotonic())
        self.stir()
        return shown

    def stir(self) -> None:
        """Wake those who wait for something new on a screen."""
        waiting, self.changed = self.changed, asyncio.Event()
        waiting.set()

    def refuse(self, where: str, code: int | None, why: str, openid: str | None = None, what: str = "") -> None:
        """Note what was not taken, and why."""
        self.refused.append({"at": self.now(), "where": where, "code": code, "why": why, "openid": openid,
                             "what": what[:200]})  # fmt: skip
        self.counters["refused"] += 1


def new_secret() -> str:
    return secrets.token_hex(16)


def new_aes_key() -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(42)) + "A"
