"""Outages: who lives where the power goes hears of it, of every change, and of its end; each piece of news once.

A piece of news is a broadcast whose key names it. People are found from the nodes of the network down to the accounts,
some hundred at a time. Who asked to be told in a conversation that is pushed to them hears it there and not a second
time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from core.clock import SHANGHAI
from core.db import Database
from core.network import SupplyPoint, below
from core.outage import PLANNED, TEMPORARY, Outage, OutageNode, OutageSubscriber
from core.proactive import fanout, people
from core.proactive.broadcast import announce
from core.proactive.kinds import Notices
from core.proactive.people import Elsewhere
from core.proactive.rules import OutageRules, SourceRules
from core.proactive.tables import RUNNING, STOPPED, Broadcast, Send

PREFIX = "outage:"
FORTHCOMING, SUDDEN = "planned_outage", "outage"  # kinds
AT_LEAST = timedelta(hours=1)  # before it begins one hears of it; where the morning is too late for that, by night
TOLD_WITHIN = timedelta(days=90)  # news of what is under way or ahead is not older
SENDING_TAKES = timedelta(hours=2)  # at most, when all that had to wait goes out in the morning


@dataclass(frozen=True)
class News:
    """One piece of news of an outage: `key` names it, what is wanted of `planned` is told by that kind."""

    key: str
    kind: str
    wording: str
    values: Mapping[str, str]
    expires_at: datetime


class Outages:
    """Announces what is new, and finds the people of one piece of news after the other."""

    def __init__(
        self, billing: Database, workorder: Database, bridge: Database, notices: Notices, rules: SourceRules,
        causes: Mapping[str, str],
    ) -> None:  # fmt: skip
        self._billing, self._workorder, self._bridge = billing, workorder, bridge
        self._notices, self._rules, self._causes = notices, rules, causes
        self._at: tuple[int, list[str], Elsewhere] | None = None  # broadcast, transformers, who hears it elsewhere

    def step(self, now: datetime) -> bool:
        """Go on with the people of a piece of news, else look for news; tell whether there may be more."""
        with self._bridge.reading() as session:
            current = session.scalar(_unfinished(now))
        if current is not None:
            self._add(current, now)
            return True
        return self._look(now)

    # -- news

    def _look(self, now: datetime) -> bool:
        with self._workorder.reading() as session:
            outages = _of_interest(session, self._rules.outages, now)
        if not outages:
            return False
        with self._bridge.reading() as session:
            told = _told(session, [one.id for one in outages], now)
        fresh = [(one, news) for one in outages if (news := self._news(one, told[one.id], now)) is not None]
        for outage, news in fresh:
            self._announce(outage, news, now)
        return bool(fresh)

    def _announce(self, outage: Outage, news: News, now: datetime) -> None:
        with self._bridge.transaction() as session:
            older = select(Broadcast).where(
                Broadcast.key.startswith(f"{PREFIX}{outage.id}:", autoescape=True),
                Broadcast.state.in_((RUNNING, STOPPED)),
            )
            for row in session.scalars(older):
                row.expires_at = now  # what it says does not hold any more
            announce(
                session, self._notices, kind=news.kind, key=news.key, wording=news.wording, values=news.values,
                audience={"listed": True}, now=now, expires_at=news.expires_at,
            )  # fmt: skip

    def _news(self, one: Outage, told: Sequence[str], now: datetime) -> News | None:
        """Return what is to be told of an outage now, None if nothing is new."""
        base = f"{PREFIX}{one.id}:"
        fresh_until = now + timedelta(hours=self._rules.outages.news_hours)
        if one.state == "cancelled":
            kind = FORTHCOMING if one.kind in (PLANNED, TEMPORARY) else SUDDEN
            wording = "planned_outage_cancelled" if kind == FORTHCOMING else "outage_cancelled"
            until = max(self._morning(fresh_until, now), one.started_at)
            found = News(f"{base}cancelled", kind, wording, {"area": one.area}, until) if told else None
        elif one.state == "restored" and one.restored_at is not None:
            values = {"area": one.area, "restored_at": one.restored_at.isoformat()}
            until = self._morning(fresh_until, now)
            found = News(f"{base}restored", SUDDEN, "outage_restored", values, until) if told else None
        elif one.started_at > now:
            found = self._ahead(one, base, told, now)
        else:
            found = self._under_way(one, base, told, fresh_until, now)
        if found is None or (told and _is_same(told[-1], found.key)):
            return None
        # A time that was moved there and back is news again.
        return replace(found, key=f"{found.key}:{len(told)}") if found.key in told else found

    def _morning(self, until: datetime, now: datetime) -> datetime:
        """Return until when news that wakes nobody is of use: it may have to wait for the end of the quiet hours."""
        quiet = self._notices.quiet
        return max([until, *(quiet.over(at) + SENDING_TAKES for at in (now, until) if quiet.holds(at))])

    def _ahead(self, one: Outage, base: str, told: Sequence[str], now: datetime) -> News | None:
        rules, key = self._rules.outages, f"{base}planned:{_times(one)}"
        if one.started_at - now > timedelta(days=rules.ahead_days) and not told:
            return None
        end = one.expected_at or one.started_at
        values = {
            "area": one.area, "started_at": one.started_at.isoformat(), "expected_at": end.isoformat(),
            "cause": self._causes.get(one.cause or "", self._causes["maintenance"]),
        }  # fmt: skip
        return News(key, FORTHCOMING, self._words_ahead(one, now, first=not told), values, one.started_at)

    def _words_ahead(self, one: Outage, now: datetime, *, first: bool) -> str:
        quiet, left = self._notices.quiet, one.started_at - now
        if any(quiet.holds(at) and one.started_at < quiet.over(at) + AT_LEAST for at in (now, now + SENDING_TAKES)):
            return "planned_outage_soon" if first else "planned_outage_moved_soon"
        if not first:
            return "planned_outage_moved"
        if left >= timedelta(days=self._rules.outages.announced_days):
            return "planned_outage"
        return "planned_outage_short" if one.kind == TEMPORARY else "planned_outage_late"

    def _under_way(
        self, one: Outage, base: str, told: Sequence[str], until: datetime, now: datetime
    ) -> News | None:  # fmt: skip
        recent = timedelta(hours=self._rules.outages.news_hours)
        said_at = one.expected_said_at or one.started_at
        if one.expected_at is not None and one.expected_at > now and now - said_at < recent:
            if _end_told(told, f"{base}planned:") == _seconds(one.expected_at):
                return None  # it goes as it was announced
            values = {"area": one.area, "expected_at": one.expected_at.isoformat()}
            return News(f"{base}expected:{_seconds(one.expected_at)}", SUDDEN, "outage_expected", values, until)
        if one.state == "planned" or told or now - one.started_at >= recent:
            return None
        return News(f"{base}begun", SUDDEN, "outage_begun", {"area": one.area}, until)

    # -- people

    def _add(self, broadcast: Broadcast, now: datetime) -> None:
        """Add the people of the next supply points, or say that these were all."""
        _, codes, elsewhere = self._of(broadcast)
        accounts, last = self._points(codes, broadcast.cursor)
        with self._billing.reading() as session:
            owners = people.owners_of(session, accounts, today=now.astimezone(SHANGHAI).date())
        with self._bridge.transaction() as session:
            row = session.get_one(Broadcast, broadcast.id, with_for_update=True)
            if last is None:
                row.fanned_out = True
                self._at = None
                return
            who = people.hearers(session, owners)
            subjects = dict.fromkeys(subject for found in who.values() for subject in found)
            wanted: list[tuple[str, dict[str, str]]] = [(one, {}) for one in subjects if one not in elsewhere.pushed]
            fanout.add(session, self._notices, row.id, wanted, now=now)
            logged = [one for one in subjects if one in elsewhere.logged]
            if logged:  # the conversation has it: it need not be brought in a second time
                mine = update(Send).where(Send.broadcast_id == row.id, Send.recipient.in_(logged))
                session.execute(mine.values(told_at=now))
            row.cursor = last

    def _of(self, broadcast: Broadcast) -> tuple[int, list[str], Elsewhere]:
        """Return which transformers a piece of news is about, and who hears it in a conversation."""
        if self._at is not None and self._at[0] == broadcast.id:
            return self._at
        number = int(broadcast.key.split(":")[1])
        with self._workorder.reading() as session:
            nodes = list(session.scalars(select(OutageNode.node_code).where(OutageNode.outage_id == number)))
            codes = [node.code for node in below(session, nodes)]
            waiting = select(OutageSubscriber.conversation_id).where(OutageSubscriber.outage_id == number)
            conversations = list(session.scalars(waiting))
        with self._bridge.reading() as session:
            elsewhere = people.hearing_in(session, conversations)
        self._at = (broadcast.id, codes, elsewhere)
        return self._at

    def _points(self, codes: Sequence[str], cursor: int) -> tuple[list[str], int | None]:
        query = select(SupplyPoint.id, SupplyPoint.account_no).where(
            SupplyPoint.transformer_code.in_(codes), SupplyPoint.id > cursor, SupplyPoint.account_no.is_not(None)
        )
        with self._workorder.reading() as session:
            rows = session.execute(query.order_by(SupplyPoint.id).limit(self._rules.step)).all()
        return [str(row[1]) for row in rows], rows[-1][0] if rows else None


def _unfinished(now: datetime) -> Select[Broadcast]:
    query = select(Broadcast).where(
        Broadcast.state == RUNNING, Broadcast.fanned_out.is_(False), Broadcast.kind.in_((FORTHCOMING, SUDDEN)),
        Broadcast.key.startswith(PREFIX, autoescape=True), Broadcast.audience["listed"].as_boolean().is_(True),
        (Broadcast.expires_at.is_(None)) | (Broadcast.expires_at > now),
    )  # fmt: skip
    return query.order_by(Broadcast.id).limit(1)


def _of_interest(session: Session, rules: OutageRules, now: datetime) -> list[Outage]:
    """Return outages of which something may be new: under way, ahead, or just over."""
    recent = now - timedelta(hours=rules.news_hours)
    ended = (Outage.state == "restored") & (Outage.restored_at > recent)
    dropped = (Outage.state == "cancelled") & (Outage.started_at > recent)
    query = select(Outage).where(Outage.state.in_(("active", "confirmed", "planned")) | ended | dropped)
    return list(session.scalars(query.order_by(Outage.id)))


def _told(session: Session, outage_ids: Sequence[int], now: datetime) -> dict[int, list[str]]:
    """Return what was told of each outage, in order."""
    query = select(Broadcast.key).where(
        Broadcast.key.startswith(PREFIX, autoescape=True), Broadcast.kind.in_((FORTHCOMING, SUDDEN)),
        Broadcast.created_at > now - TOLD_WITHIN,
    )  # fmt: skip
    found: dict[int, list[str]] = {one: [] for one in outage_ids}
    for key in session.scalars(query.order_by(Broadcast.id)):
        number = key.split(":")[1]
        if number.isdecimal() and int(number) in found:
            found[int(number)].append(key)
    return found


def _is_same(told: str, key: str) -> bool:
    """Tell whether what was told last is this, for the first time or again."""
    return told == key or told.startswith(f"{key}:")


def _end_told(told: Sequence[str], planned: str) -> int | None:
    """Return the end of planned works as it was told, if nothing was told since."""
    if not told or not told[-1].startswith(planned):
        return None
    return int(told[-1].removeprefix(planned).partition(":")[0].partition("-")[2])


def _times(one: Outage) -> str:
    return f"{_seconds(one.started_at)}-{_seconds(one.expected_at) if one.expected_at else 0}"


def _seconds(at: datetime) -> int:
    return int(at.timestamp())
