"""What WeChat tells of subscription messages (订阅通知): agreed to, declined, arrived or not.

`accept` in the window that a page or a text opens is one more message; `reject` there is a No for this time. Who
declines later, in the list of service notices, takes none any more. Templates that we do not use are ignored.
"""

from __future__ import annotations

from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from api.channels.wechat.intake import Fields, listed
from api.channels.wechat.templates import Templates
from core.channel import subscriptions
from core.channel.tables import ChannelUser
from core.proactive import arrived
from core.proactive.kinds import Notices

log = structlog.get_logger("api.wechat.subscription")
POPUP, CHANGE, SENT = "subscribe_msg_popup_event", "subscribe_msg_change_event", "subscribe_msg_sent_event"
ACCEPT, REJECT = "accept", "reject"
ARRIVED = "0"


def note(
    session: Session, user: ChannelUser, name: str, fields: Fields, templates: Templates, notices: Notices, *,
    now: datetime,
) -> None:  # fmt: skip
    """Take an event about subscription messages of a user (locked) into account, once."""
    used = set(templates.singles.values())
    for one in listed(fields):
        template_id = str(one.get("TemplateId") or "")
        if template_id not in used:
            continue
        status = str(one.get("SubscribeStatusString") or "").lower()
        if name == POPUP and status == ACCEPT:
            subscriptions.agreed(session, user.id, template_id, now=now)
        elif name == CHANGE and status == REJECT:
            subscriptions.ended(session, [(user.id, template_id)], now=now)
        elif name == SENT:
            _sent(session, user, template_id, one, templates, notices, now=now)


def _sent(
    session: Session, user: ChannelUser, template_id: str, one: Fields, templates: Templates, notices: Notices, *,
    now: datetime,
) -> None:  # fmt: skip
    kinds = [kind for kind, used in templates.singles.items() if used == template_id]
    code = str(one.get("ErrorCode") or ARRIVED)
    number = str(one.get("MsgID") or one.get("MsgId") or "")
    fate = arrived.Fate(number, None if code == ARRIVED else f"wechat {code}")
    if arrived.heard(session, notices, user.id, kinds, fate, now=now) is None:
        log.info("sent_event_of_nothing", code=code)
    elif fate.failure is not None:
        log.warning("subscription_failed", code=code)
