"""One-time codes for the forms: ask for one, and check what the customer typed.

The state of a code is in the bridge's database; an action that is run again for the same message gets the same result.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from actions.question import Question
from actions.services import Services
from core import one_time_code
from core.account import Account, Customer, phone_context
from core.errors import AccountNotYours
from core.fields import Keyring
from core.identity import Grant, issue_grant, turn_of
from core.masking import mask_phone
from core.one_time_code import LIMITS, Purpose, Request, TooManySends

log = structlog.get_logger("actions")

Result = Literal["verified", "wrong", "expired", "too_many", "not_a_code"]
_RESULTS: dict[type, Result] = {
    one_time_code.Right: "verified", one_time_code.Wrong: "wrong", one_time_code.Expired: "expired",
    one_time_code.TooMany: "too_many", one_time_code.NotACode: "not_a_code",
}  # fmt: skip


@dataclass(frozen=True)
class Sent:
    """Whether a code was sent; `reason` is a sentence about it, `phone` the masked telephone if the asker may know it.

    `result`: sent; too_many (no further code within 24 hours); no_way (this installation cannot send any).
    """

    result: Literal["sent", "too_many", "no_way"]
    reason: str
    phone: str = ""

    @property
    def sent(self) -> bool:
        """Tell whether a code may be asked for now."""
        return self.result == "sent"


@dataclass(frozen=True)
class Checked:
    """What came of a try, `reason` in a sentence; `commands` belong into the reply if the code was right.

    `result`: verified; wrong (`left` tries remain); expired (too old, used, or never sent); too_many (this code is
    worth nothing now); not_a_code (the message holds no six digits, no try was counted).
    """

    result: Result
    reason: str
    left: int = 0
    commands: tuple[dict[str, Any], ...] = ()

    @property
    def verified(self) -> bool:
        """Tell whether the code was right."""
        return self.result == "verified"

    @property
    def over(self) -> bool:
        """Tell whether only a new code can help."""
        return self.result in ("expired", "too_many")


def request_code(
    services: Services, question: Question, account_no: str | None = None, *, phone: str | None = None
) -> Sent:
    """Send a code to the telephone on file of one of the customer's accounts, or else to `phone`; once for each turn.

    Raises:
        AccountNotYours: if the account is not bound to the customer.
    """
    if account_no is None:
        if phone is None:
            raise ValueError("a code goes to an account's telephone or to a number")
        return _send(services, question, "contact", subject=phone, phone=phone, known=True)
    if account_no not in question.identity.accounts:
        raise AccountNotYours
    return _send(services, question, "confirm", subject=account_no, phone=_phone_of(services, account_no), known=True)


def request_binding_code(services: Services, question: Question, account_no: str) -> Sent:
    """Send a code to the telephone on file of any account; whether there is one, nothing tells the asker."""
    return _send(services, question, "bind", subject=account_no, phone=_phone_of(services, account_no), known=False)


def check_code(
    services: Services, question: Question, account_no: str | None = None, *, phone: str | None = None
) -> Checked:
    """Compare the message with the latest code that was sent for this account or number.

    The right code for an account raises the assurance of this conversation (`commands`).
    """
    if account_no is None:
        return _check(services, question, "contact", phone)
    checked = _check(services, question, "confirm", account_no)
    return _with_grant(services, question, checked, account_no)


def check_binding_code(services: Services, question: Question, account_no: str) -> Checked:
    """Compare the message with the latest code that was sent to bind this account; the right one binds it."""
    checked = _check(services, question, "bind", account_no)
    return _with_grant(services, question, checked, account_no, add=(account_no,))


def release(services: Services, question: Question, account_no: str) -> dict[str, Any]:
    """Return the command that ends the binding of an account."""
    return _command(services, question, remove=(account_no,))


def _sentence(services: Services, key: str, **values: object) -> str:
    minutes, hours = LIMITS.lifetime.total_seconds() // 60, LIMITS.window.total_seconds() // 3600
    figures = {"minutes": int(minutes), "hours": int(hours), "sends": LIMITS.sends, "tries": LIMITS.tries}
    return services.phrases.say(f"binding.code.{key}", **figures, **values)


def _send(
    services: Services, question: Question, purpose: Purpose, *, subject: str, phone: str | None, known: bool
) -> Sent:
    if services.codes is None:
        log.error("no_way_to_send_codes", purpose=purpose)
        return Sent("no_way", _sentence(services, "no_way"))
    identity = question.identity
    wanted = Request(
        purpose=purpose, subject=subject, phone=phone, conversation_id=identity.conversation_id,
        asker=identity.customer_no or identity.conversation_id, turn=_turn(question),
    )  # fmt: skip
    try:
        with services.bridge.transaction() as session:
            one_time_code.issue(session, wanted, sender=services.codes, keyring=services.keyring, now=question.now)
    except TooManySends:
        return Sent("too_many", _sentence(services, "too_many_sends"))
    if not (known and phone):
        return Sent("sent", _sentence(services, "sent"))
    return Sent("sent", _sentence(services, "sent_to", phone=mask_phone(phone)), mask_phone(phone))


def _check(services: Services, question: Question, purpose: Purpose, subject: str | None) -> Checked:
    with services.bridge.transaction() as session:
        found = one_time_code.check(
            session, conversation_id=question.identity.conversation_id, purpose=purpose, subject=subject,
            text=question.text, turn=_turn(question), keyring=services.keyring, now=question.now,
        )  # fmt: skip
    result, left = _RESULTS[type(found)], found.left if isinstance(found, one_time_code.Wrong) else 0
    return Checked(result, _sentence(services, result, left=left), left)


def _with_grant(
    services: Services, question: Question, checked: Checked, account_no: str, *, add: tuple[str, ...] = ()
) -> Checked:
    """Return the result with the grant: the code covers all accounts whose telephone is the one that got it."""
    if not checked.verified:
        return checked
    phone = _phone_of(services, account_no)
    own = dict.fromkeys((*question.identity.accounts, *add))
    assured = tuple(number for number in own if phone and _phone_of(services, number) == phone)
    return replace(checked, commands=(_command(services, question, add=add, assured=assured),))


def _command(
    services: Services, question: Question, *, add: tuple[str, ...] = (), remove: tuple[str, ...] = (),
    assured: tuple[str, ...] = (),
) -> dict[str, Any]:  # fmt: skip
    grant = Grant(question.identity.conversation_id, _turn(question), add, remove, assured)
    return {"type": "grant", "token": issue_grant(services.identity_key, grant, now=services.clock())}


def _turn(question: Question) -> str:
    return turn_of(question.identity.conversation_id, question.now)


def _phone_of(services: Services, account_no: str) -> str | None:
    """Return the telephone on file; it takes as long for an account that does not exist."""
    with services.billing.reading() as session:
        row = _row(session, account_no)
    if row is None:
        _decoy(services.keyring)
        return None
    return services.keyring.decrypt(row[1], phone_context(row[0])) or None


def _row(session: Session, account_no: str) -> tuple[str, str] | None:
    query = select(Customer.customer_no, Customer.phone_cipher).join(Account).where(Account.account_no == account_no)
    found = session.execute(query).first()
    return (found[0], found[1]) if found else None


def _decoy(keyring: Keyring) -> None:
    keyring.decrypt(keyring.encrypt("0" * 11, "decoy"), "decoy")
