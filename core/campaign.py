"""Campaigns: one message to groups of customers, to those alone who agreed to hear offers (the notice kind `offer`).

A campaign is drafted by one and approved by another; started, it is a broadcast like any other (core.proactive), with
its quiet hours and its rate. The groups are those of the published run; who is held out, or wants nothing recommended
ever again, is not among the recipients.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.campaign_reach import Reach
from core.proactive import broadcast
from core.proactive.kinds import Notices
from core.proactive.tables import OFFER, Broadcast, Send
from core.recommend.rules import Rules
from core.recommend.tables import Campaign
from core.segment.tables import SEGMENTS

DRAFT, APPROVED, RUNNING, STOPPED, DONE = "draft", "approved", "running", "stopped", "done"
MAX_NAME = 60
_MARKUP = re.compile(r"[<>{}]|weixin:|javascript:", re.IGNORECASE)  # WeChat makes links of <a>, and acts on some


class BadCampaign(ValueError):
    """The campaign says what may not be said, or nothing; `words` are those that are in the way."""

    def __init__(self, problem: str, words: Sequence[str] = ()) -> None:
        super().__init__(problem)
        self.problem, self.words = problem, tuple(words)


class CampaignNotFound(LookupError):
    """There is no such campaign."""


class WrongStep(Exception):
    """The campaign is not in the state from which this can be done."""


class OwnCampaign(Exception):
    """Whoever drafted a campaign cannot approve it."""


class NobodyAgreed(Exception):
    """Nobody of these groups has agreed to hear offers."""


def draft(
    session: Session, rules: Rules, *, name: str, segments: Sequence[str], text: str, by: int | None, now: datetime
) -> Campaign:  # fmt: skip
    """Write a campaign down; nobody hears of it yet.

    Raises:
        BadCampaign: if name, groups or text cannot stand.
    """
    name, text, groups = name.strip(), text.strip(), [one for one in SEGMENTS if one in segments]
    if not 0 < len(name) <= MAX_NAME:
        raise BadCampaign("name")
    if not groups or len(groups) != len(set(segments)):
        raise BadCampaign("segments")
    check_text(rules, text)
    row = Campaign(
        key=secrets.token_hex(8), name=name, segments=groups, text=text, state=DRAFT, audience=0, consenting=0,
        held_out=0, broadcast_id=None, created_by=by, approved_by=None, created_at=now, started_at=None,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def check_text(rules: Rules, text: str) -> None:
    """See that a text may be sent to many.

    Raises:
        BadCampaign: if it is empty or too long, holds markup or what cannot be seen, names a group, or presses people.
    """
    rule, bare = rules.campaigns, _bare(text)
    if not 0 < len(text) <= rule.longest or not bare:
        raise BadCampaign("text")
    if found := [*dict.fromkeys(_MARKUP.findall(text)), *(one for one in text if not _is_plain(one))]:
        raise BadCampaign("markup", found)
    if found := [word for word in rule.segment_words if word in bare]:
        raise BadCampaign("segment_words", found)
    if found := [word for word in rule.pressure_words if word in bare]:
        raise BadCampaign("pressure_words", found)


def _bare(text: str) -> str:
    """Return what is read, however it is spaced or written: 限 时 and 限\u200b时 are 限时."""
    return "".join(one for one in unicodedata.normalize("NFKC", text) if one.isalnum())


def _is_plain(one: str) -> bool:
    return one == "\n" or unicodedata.category(one)[0] != "C"


def find(session: Session, campaign_id: int, *, lock: bool = False) -> Campaign:
    """Return a campaign.

    Raises:
        CampaignNotFound: if there is none.
    """
    query = select(Campaign).where(Campaign.id == campaign_id)
    found = session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise CampaignNotFound(str(campaign_id))
    return found


def latest(session: Session, *, limit: int = 50) -> list[Campaign]:
    """Return the newest campaigns."""
    return list(session.scalars(select(Campaign).order_by(Campaign.id.desc()).limit(limit)))


def states(session: Session, campaigns: Collection[Campaign], *, now: datetime) -> dict[int, str]:
    """Return the state of each campaign as it is now: `done` when it is too late to tell it, or stopped elsewhere.

    Offers wait in the conversations: that its broadcast has nothing more to hand out does not end a campaign.
    """
    ids = [one.broadcast_id for one in campaigns if one.broadcast_id is not None and one.state == RUNNING]
    query = select(Broadcast.id, Broadcast.state, Broadcast.expires_at).where(Broadcast.id.in_(ids))
    sent = {row[0]: _state_of(row[1], row[2], now) for row in session.execute(query)} if ids else {}
    return {
        one.id: sent.get(one.broadcast_id, one.state) if one.state == RUNNING and one.broadcast_id else one.state
        for one in campaigns
    }


def told(session: Session, campaigns: Collection[Campaign]) -> dict[int, int]:
    """Return how many customers have read each campaign so far: what is handed out still waits for their next word."""
    ids = [one.broadcast_id for one in campaigns if one.broadcast_id is not None]
    query = select(Send.broadcast_id, func.count()).where(Send.broadcast_id.in_(ids), Send.told_at.is_not(None))
    found = {row[0]: row[1] for row in session.execute(query.group_by(Send.broadcast_id))} if ids else {}
    return {one.id: found.get(one.broadcast_id or 0, 0) for one in campaigns}


def had_lately(session: Session, rules: Rules, recipients: Collection[str], *, now: datetime) -> bool:
    """Tell whether somebody (`customer:` or `user:`) has read an offer so lately that another one has to wait."""
    since = now - timedelta(days=rules.campaigns.apart_days)
    query = select(Send.id).join(Broadcast, Broadcast.id == Send.broadcast_id).where(
        Send.recipient.in_(recipients), Broadcast.kind == OFFER, Send.told_at > since
    )  # fmt: skip
    return session.scalar(query.limit(1)) is not None


def approve(session: Session, campaign_id: int, *, by: int) -> Campaign:
    """Let a campaign be started.

    Raises:
        CampaignNotFound, WrongStep: if there is none, or it is no draft.
        OwnCampaign: if it is by the same person.
    """
    found = find(session, campaign_id, lock=True)
    if found.state != DRAFT:
        raise WrongStep(found.state)
    if found.created_by is None or found.created_by == by:
        raise OwnCampaign
    found.state, found.approved_by = APPROVED, by
    return found


def start(
    session: Session, notices: Notices, rules: Rules, campaign_id: int, *, reach: Sequence[Reach],
    recipients: Sequence[str], now: datetime,
) -> Campaign:  # fmt: skip
    """Announce an approved campaign to those who agreed; a stopped one goes on where it was.

    `reach` and `recipients` are of `core.campaign_reach.reached`, worked out before, as that may take long; whoever
    shuts offers in between is left out when it is sent.

    Raises:
        CampaignNotFound, WrongStep: if there is none, or it is not approved.
        NobodyAgreed: if there is nobody to tell.
        BadCampaign: if the text may not be said any more.
    """
    found = find(session, campaign_id, lock=True)
    if found.broadcast_id is not None and states(session, [found], now=now)[found.id] == STOPPED:
        _resume(session, found, now=now)
        return found
    if found.state != APPROVED:
        raise WrongStep(found.state)
    check_text(rules, found.text)
    if not recipients:
        raise NobodyAgreed
    row = broadcast.announce(
        session, notices, kind=OFFER, key=f"campaign:{found.key}", wording=OFFER, values={"text": found.text},
        audience={"customers": list(recipients)}, now=now, expires_at=now + timedelta(days=rules.campaigns.good_days),
    )  # fmt: skip
    session.flush()
    found.state, found.started_at, found.broadcast_id = RUNNING, now, row.id
    found.audience, found.consenting = sum(one.audience for one in reach), sum(one.consenting for one in reach)
    found.held_out = sum(one.held_out for one in reach)
    return found


def stop(session: Session, campaign_id: int, *, by: str, now: datetime) -> Campaign:
    """Stop a campaign; who was not told yet is not told. Stopping twice changes nothing.

    Raises:
        CampaignNotFound, WrongStep: if there is none, or it is over.
    """
    found = find(session, campaign_id, lock=True)
    if states(session, [found], now=now)[found.id] == DONE:
        raise WrongStep(DONE)
    if found.broadcast_id is not None and found.state == RUNNING:
        sent = broadcast.find(session, found.broadcast_id, lock=True)
        if sent.state == DONE:  # handed out, and read by few: the rest must not hear it any more (`bring_offer`)
            sent.state = RUNNING
        broadcast.stop(session, sent.id, by=by, now=now)
    found.state = STOPPED
    return found


def _state_of(sent: str, expires_at: datetime | None, now: datetime) -> str:
    if sent == STOPPED:
        return STOPPED
    return DONE if expires_at is not None and expires_at <= now else RUNNING


def _resume(session: Session, found: Campaign, *, now: datetime) -> None:
    try:
        broadcast.resume(session, int(found.broadcast_id or 0), now=now)
    except broadcast.WrongState as error:
        raise WrongStep(str(error)) from None
    found.state = RUNNING
