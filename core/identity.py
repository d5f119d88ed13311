"""Who asks: the four signed tokens (JWT, HS256 alone, with expiry and audience) and what each proves.

* customer token: the company's app or site issues it after its own login; it opens a session.
* session token: the bridge issues it for one conversation; every further call of the page carries it.
* identity token: the bridge signs it for one turn; the actions believe it and nothing else.
* grant: the actions sign, for one turn, what the customer has proved in it or chosen to hear of; the bridge changes the
  identity, or keeps the choice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

from core.signed_token import Audience, sign, verify
from core.signed_token import BadToken as BadToken

CUSTOMER_NO = re.compile(r"[A-Za-z0-9_-]{1,12}")
ACCOUNT_NO = re.compile(r"[0-9]{1,13}", re.ASCII)
CUSTOMER: Audience = "dianfu-customer"
Via = Literal["web", "app", "h5"]  # the page of a session: of the site, of the company's app, or inside WeChat
SESSION: Audience = "dianfu-session"
ACTIONS: Audience = "dianfu-actions"
BRIDGE: Audience = "dianfu-bridge"

# The sender of a rehearsal is draft.<conversation>.<number>: a dialogue of its own, no turn of which changes anything.
DRAFT = "draft."

# One turn has a deadline of seconds; a token that leaks is worthless soon after it.
IDENTITY_LIFETIME = timedelta(seconds=60)


@dataclass(frozen=True)
class Identity:
    """Whom a conversation belongs to. Assurance: 0 anonymous, 1 bound account, 2 fresh one-time code.

    `assurance` is 2 only if a fresh code covers all accounts; `assured` are those that one covers. `conversations` were
    joined to this one: what was filed and promised there is theirs too. `style` of the wording and what a greeting
    offers `first` are fitted to the customer (`core.fitting`); the segment itself goes no further than the bridge.
    """

    conversation_id: str
    customer_no: str | None
    accounts: tuple[str, ...]
    assurance: int
    channel: str
    assured: tuple[str, ...] = ()
    conversations: tuple[str, ...] = ()
    style: str = ""
    first: tuple[str, ...] = ()

    @property
    def talks(self) -> tuple[str, ...]:
        """Return the conversation and those that were joined to it."""
        return (self.conversation_id, *self.conversations)

    def assurance_for(self, account_no: str) -> int:
        """Return the assurance for one of the accounts; 0 for any other."""
        if account_no not in self.accounts:
            return 0
        return 2 if account_no in self.assured else self.assurance


@dataclass(frozen=True)
class NoticeWish:
    """What somebody wants to hear of, or does not, and over which channel (`core.proactive.choices`)."""

    kind: str
    wanted: bool
    channel: str


@dataclass(frozen=True)
class Grant:
    """What a customer has proved in one turn: accounts to bind or to let go, and those whose telephone they hold.

    `choices` are what `subject` wants to be told from now on without having asked; `offer`: `core.recommend.record`.
    """

    conversation_id: str
    turn: str
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    assured: tuple[str, ...] = ()
    subject: str = ""
    choices: tuple[NoticeWish, ...] = ()
    offer: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class CustomerClaim:
    """What a customer token proves."""

    customer_no: str
    accounts: tuple[str, ...]
    assurance: int


@dataclass(frozen=True)
class Seat:
    """What a session token says: which conversation, by which page, and whose login opened it, if any's."""

    conversation_id: str
    via: Via
    claim: CustomerClaim | None
    user_id: int | None  # of a channel (`core.channel`), of a page that the channel itself opened
    began: datetime


def issue_customer(
    key: str,
    *,
    customer_no: str,
    accounts: tuple[str, ...],
    assurance: int,
    now: datetime,
    lifetime: timedelta,
) -> str:
    """Return a customer token, as the company's app issues it."""
    return sign(key, CUSTOMER, customer_no, {"accounts": list(accounts), "assurance": assurance}, now, lifetime)


def read_customer(key: str, token: str, *, now: datetime) -> CustomerClaim:
    """Return what a customer token proves.

    Raises:
        BadToken: if it proves nothing.
    """
    claims = verify(key, token, CUSTOMER, now)
    if not CUSTOMER_NO.fullmatch(claims["sub"]):
        raise BadToken("the subject is no customer number")
    return CustomerClaim(claims["sub"], _accounts(claims), _assurance(claims))


def issue_session(
    key: str,
    *,
    conversation_id: str,
    now: datetime,
    lifetime: timedelta,
    via: Via = "web",
    claim: CustomerClaim | None = None,
    user_id: int | None = None,
) -> str:
    """Return the token of one conversation: over which page, and for which customer or user of a channel, if any."""
    more: dict[str, Any] = {"via": via}
    if claim is not None and claim.customer_no:
        more |= {"customer_no": claim.customer_no, "accounts": list(claim.accounts), "assurance": claim.assurance}
    if user_id is not None:
        more["user"] = user_id
    return sign(key, SESSION, conversation_id, more, now, lifetime)


def read_session(key: str, token: str, *, now: datetime) -> str:
    """Return the conversation id of a session token.

    Raises:
        BadToken: if it proves nothing.
    """
    return read_seat(key, token, now=now).conversation_id


def read_seat(key: str, token: str, *, now: datetime) -> Seat:
    """Return all that a session token says.

    Raises:
        BadToken: if it proves nothing.
    """
    claims = verify(key, token, SESSION, now)
    via, customer_no, user_id = claims.get("via", "web"), claims.get("customer_no"), claims.get("user")
    if via not in get_args(Via) or not isinstance(user_id, int | None):
        raise BadToken("no session of ours")
    claim = None
    if customer_no is not None:
        claim = CustomerClaim(str(customer_no), _accounts(claims), _assurance(claims))
    began = datetime.fromtimestamp(claims["iat"], UTC) if isinstance(claims["iat"], int) else now
    return Seat(claims["sub"], via, claim, user_id, began)


def issue_identity(key: str, identity: Identity, *, now: datetime) -> str:
    """Return the token with which the actions may answer for this identity during one turn."""
    more: dict[str, Any] = {
        "customer_no": identity.customer_no,
        "accounts": list(identity.accounts),
        "assurance": identity.assurance,
        "channel": identity.channel,
        "assured": list(identity.assured),
        "conversations": list(identity.conversations),
    }
    more |= {"style": identity.style} if identity.style else {}
    more |= {"first": list(identity.first)} if identity.first else {}
    return sign(key, ACTIONS, identity.conversation_id, more, now, IDENTITY_LIFETIME)


def read_identity(key: str, token: str, *, now: datetime, sender: str) -> Identity:
    """Return the identity of a turn.

    Raises:
        BadToken: if the token proves nothing, or was issued for another conversation than the `sender` of the turn.
    """
    claims = verify(key, token, ACTIONS, now)
    if sender.removeprefix(DRAFT).partition(".")[0] != claims["sub"]:
        raise BadToken("issued for another conversation")
    customer_no = claims.get("customer_no")
    return Identity(
        conversation_id=claims["sub"],
        customer_no=None if customer_no is None else str(customer_no),
        accounts=_accounts(claims),
        assurance=_assurance(claims),
        channel=str(claims.get("channel", "")),
        assured=_accounts(claims, "assured"),
        conversations=tuple(str(one) for one in claims.get("conversations", ())),
        style=str(claims.get("style", "")),
        first=tuple(str(one) for one in claims.get("first", ())),
    )


def is_rehearsal(sender: str, metadata: Mapping[str, Any] | None) -> bool:
    """Tell whether a turn is only to show what would be said: by its sender, or because its metadata say so."""
    return sender.startswith(DRAFT) or bool((metadata or {}).get("rehearsal"))


def turn_of(conversation_id: str, asked_at: datetime) -> str:
    """Return what names a customer's message to both sides, the same when its turn is run again."""
    return f"{conversation_id}@{asked_at.astimezone(UTC).isoformat()}"


def issue_grant(key: str, grant: Grant, *, now: datetime) -> str:
    """Return the token with which the bridge may change the identity of a conversation."""
    more: dict[str, Any] = {
        "turn": grant.turn, "add": list(grant.add), "remove": list(grant.remove), "assured": list(grant.assured),
    }  # fmt: skip
    if grant.choices:
        chosen = [[one.kind, one.wanted, one.channel] for one in grant.choices]
        more |= {"subject": grant.subject, "choices": chosen}
    more |= {"offer": dict(grant.offer)} if grant.offer else {}
    return sign(key, BRIDGE, grant.conversation_id, more, now, IDENTITY_LIFETIME)


def read_grant(key: str, token: str, *, now: datetime, conversation_id: str, turn: str) -> Grant:
    """Return what a grant proves.

    Raises:
        BadToken: if it proves nothing, or was issued for another conversation or another turn.
    """
    claims = verify(key, token, BRIDGE, now)
    if claims["sub"] != conversation_id or claims.get("turn") != turn:
        raise BadToken("issued for another conversation or turn")
    add, remove, assured = (_accounts(claims, name) for name in ("add", "remove", "assured"))
    subject, offer = str(claims.get("subject", "")), claims.get("offer") or {}
    return Grant(conversation_id, turn, add, remove, assured, subject, _choices(claims), offer)


def _accounts(claims: Mapping[str, Any], name: str = "accounts") -> tuple[str, ...]:
    accounts = claims.get(name, [])
    if not isinstance(accounts, list) or not all(
        isinstance(number, str) and ACCOUNT_NO.fullmatch(number) for number in accounts
    ):
        raise BadToken(f"{name} is not a list of account numbers")
    return tuple(accounts)


def _choices(claims: Mapping[str, Any]) -> tuple[NoticeWish, ...]:
    found = []
    for one in claims.get("choices", []):
        match one:
            case [str(kind), bool(wanted), str(channel)]:
                found.append(NoticeWish(kind, wanted, channel))
            case _:
                raise BadToken("choices are no choices")
    return tuple(found)


def _assurance(claims: Mapping[str, Any]) -> int:
    assurance = claims.get("assurance", 1)
    if assurance not in (0, 1, 2):
        raise BadToken("assurance is not 0, 1 or 2")
    return int(assurance)
