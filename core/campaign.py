"""Campaigns: one message to groups of customers, to those alone who agreed to hear offers (the notice kind `offer`).

A campaign is drafted by one and approved by another; started, it is a broadcast like any other (core.proactive), with
its quiet hours and its rate. The groups are those of the published run; who is held out, or wants nothing recommended
ever again, is not among the recipients.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.campaign_reach import Reach
from core.proactive import broadcast
from core.proactive.kinds import Notices
from core.proactive.tables import OFFER, Broadcast
from core.recommend.rules import Rules
from core.recommend.tables import Campaign
from core.segment.tables import SEGMENTS

DRAFT, APPROVED, RUNNING, STOPPED, DONE = "draft", "approved", "running", "stopped", "done"
MAX_NAME = 60


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
        BadCampaign: if it is empty or too long, names a group, or presses people.
    """
    rule = rules.campaigns
    if not 0 < len(text) <= rule.longest:
        raise BadCampaign("text")
    if found := [word for word in rule.segment_words if word in text]:
        raise BadCampaign("segment_words", found)
    if found := [word for word in rule.pressure_words if word in text]:
        raise BadCampaign("pressure_words", found)


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


def states(session: Session, campaigns: Collection[Campaign]) -> dict[int, str]:
    """Return the state of each campaign as it is now: one whose broadcast is over is `done`, or was stopped there."""
    ids = [one.broadcast_id for one in campaigns if one.broadcast_id is not None and one.state == RUNNING]
    query = select(Broadcast.id, Broadcast.state).where(Broadcast.id.in_(ids))
    sent = {row[0]: row[1] for row in session.execute(query)} if ids else {}
    return {
        one.id: sent.get(one.broadcast_id, one.state) if one.state == RUNNING and one.broadcast_id else one.state
        for one in campaigns
    }


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
    if found.state == STOPPED and found.broadcast_id is not None:
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
    if states(session, [found])[found.id] == DONE:
        raise WrongStep(DONE)
    if found.broadcast_id is not None and found.state == RUNNING:
        broadcast.stop(session, found.broadcast_id, by=by, now=now)
    found.state = STOPPED
    return found


def _resume(session: Session, found: Campaign, *, now: datetime) -> None:
    try:
        broadcast.resume(session, int(found.broadcast_id or 0), now=now)
    except broadcast.WrongState as error:
        raise WrongStep(str(error)) from None
    found.state = RUNNING
