"""Where a message about an outage means: an own account, or an address in words. Nobody learns of other accounts.

An account number that is not bound to the asker is never looked up: whether it exists, and where, would show in the
answer. Its owner is asked for the address instead, in the same words as the sender of a number that does not exist.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from actions import choice
from actions.question import Question
from actions.services import Services
from core.account import Account, address_context, find_account, list_accounts
from core.place import Place, locate
from core.text import clean, folded

MAX_ADDRESS = 200
# Characters below which an address is too short for a crew; one that names a district needs more.
ADDRESS, IN_A_DISTRICT = 4, 6


@dataclass(frozen=True)
class Where:
    """The place that is meant, or what must be asked first: where, exact, account, which or number."""

    place: Place | None = None
    account_no: str | None = None
    ask: str = ""
    candidates: tuple[Place, ...] = ()
    pinned: bool = False  # it was not said: a point on the map was sent before


@dataclass(frozen=True)
class PlaceFinder:
    """Finds places for one turn; `billing` and `workorder` are open sessions."""

    services: Services
    billing: Session
    workorder: Session
    question: Question

    @property
    def own(self) -> tuple[str, ...]:
        """The accounts that the asker has proved to be theirs."""
        identity = self.question.identity
        return identity.accounts if identity.assurance >= 1 else ()

    def find(self, *, before: str | None = None, typed: str = "", elsewhere: bool = False) -> Where:
        """Return the place of this message; `typed` is its text if it answers our question for an address.

        `before` is the own account that was asked about last, `elsewhere` that the own account is not meant.
        """
        named = self.question.values("account_no")
        if named and named[0] in self.own:
            return self.of_account(named[0])
        said = self.question.values("address")
        text = clean(max(said, key=len, default="") or typed)[:MAX_ADDRESS]
        text = self._grown(text) if said else text
        if said and typed and not _known(locate(self.workorder, address_text=text)):
            # The understanding may have cut the name short (狮子山 of 狮子山下): the whole answer is looked through.
            text = clean(typed)[:MAX_ADDRESS] if _known(locate(self.workorder, address_text=typed)) else text
        if said and not typed and not _known(locate(self.workorder, address_text=text)):
            text = self._whole(text)
        if text:
            return self.of_text(text)
        if named:
            return Where(ask="number")
        if not self.own or elsewhere:
            return self._pinned() if not elsewhere else Where(ask="where")
        fitting = self._by_words()
        if len(self.own) == 1 or len(fitting) == 1:
            return self.of_account(fitting[0] if fitting else self.own[0])
        if before in self.own:
            return self.of_account(str(before))
        return Where(ask="account")

    def _pinned(self) -> Where:
        """Return the place of the point on the map that was sent before, if one was."""
        point = clean(self.question.pinned)[:MAX_ADDRESS]
        if not point:
            return Where(ask="where")
        where = self.of_text(point)
        return replace(where, ask="" if where.ask == "exact" else where.ask, pinned=True)

    def _grown(self, part: str) -> str:
        """Return an address whose end was cut off (新华路北湖 of 新华路北湖小筑5栋), if the message names the place."""
        text = clean(self.question.text)
        found, at = locate(self.workorder, address_text=text), text.find(part)
        if at < 0 or isinstance(found, list) or not found.known:
            return part
        name = re.escape(found.area.removeprefix(found.district or ""))
        match, end = re.search(name + self.services.phrases.raw("outage.words.door"), text), at + len(part)
        if match is None or match.end() <= end or match.start() > end:
            return part
        return text[min(at, match.start()) : match.end()]

    def _whole(self, part: str) -> str:
        """Return an address whose beginning was cut off (新居8栋 of 积玉新居8栋), if the message names the place."""
        found = locate(self.workorder, address_text=self.question.text)
        if isinstance(found, list) or not found.known:
            return part
        shared = next((n for n in range(len(part), 1, -1) if found.area.endswith(part[:n])), 0)
        return found.area + part[shared:] if shared else part

    def of_account(self, account_no: str) -> Where:
        """Return the place of an own account."""
        account = find_account(self.billing, account_no=account_no, allowed=self.own)
        found = locate(self.workorder, account_no=account_no, address_text=self.address_of(account))
        place = found if isinstance(found, Place) else found[0]
        if not place.known:
            # The network has no such place: the area class of the account still holds.
            place = Place(account.district, area_class=account.area_class, district=account.district)
        return Where(place, account_no)

    def of_text(self, text: str) -> Where:
        """Return the place that words name: an own account's if one lies there."""
        found = locate(self.workorder, address_text=text)
        if isinstance(found, list):
            return self._one_of(found)
        if found.known:
            return Where(found, self._own_at(found))
        exact = self._is_exact(text, found)
        fitting = [] if exact and self._is_written(text) else self._by_words()
        if len(fitting) == 1:
            return self.of_account(fitting[0])
        return Where(found, ask="" if exact else "exact")

    def address_of(self, account: Account) -> str:
        """Return the address of an account in clear."""
        return self.services.keyring.decrypt(account.address_cipher, address_context(account.account_no))

    def _is_exact(self, text: str, place: Place) -> bool:
        """Tell whether a crew could go by a text that the network does not know."""
        told = self.question.values("address") or self._is_written(text)
        return bool(told) and len(folded(text)) >= (IN_A_DISTRICT if place.district else ADDRESS)

    def _is_written(self, text: str) -> bool:
        """Tell whether a text is worded like an address, not like 洪山那套."""
        return bool(re.search(self.services.phrases.raw("outage.words.address"), text))

    def _one_of(self, found: Sequence[Place]) -> Where:
        mine = [(one, number) for one in found if (number := self._own_at(one))]
        if len(mine) == 1:
            return Where(mine[0][0], mine[0][1])
        return Where(ask="which", candidates=tuple(found))

    def _own_at(self, place: Place) -> str | None:
        """Return the one own account that a transformer of the place supplies."""
        at = [
            number for number in self.own
            if isinstance(one := locate(self.workorder, account_no=number), Place) and set(one.codes) & set(place.codes)
        ]  # fmt: skip
        return at[0] if len(at) == 1 else None

    def _by_words(self) -> list[str]:
        views = list_accounts(self.billing, allowed=self.own, keyring=self.services.keyring)
        return choice.by_words(views, self.question, self.services.labels)


def _known(found: Place | list[Place]) -> bool:
    return isinstance(found, list) or found.known
