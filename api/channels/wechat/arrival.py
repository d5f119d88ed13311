"""The first transaction of a push: it is recorded once, its user is known, and it is clear what it means."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from api.channels.wechat import events
from api.channels.wechat.channel import WeChat
from api.channels.wechat.intake import (
    BUTTON,
    Fields,
    Said,
    clicked,
    created_at,
    draft_of,
    external_id_of,
    is_event,
    said_of,
)
from api.channels.wechat.wire import Received
from api.inbound import Inbound
from api.papers import Scan, scan_of
from core import conversation as log_of
from core.channel import passive
from core.channel.numbered import bare_number, button_of
from core.channel.tables import WECHAT, ChannelUser, Push
from core.channel.users import begin_anew, conversation_of, known_user, user_of
from core.channel.windows import open_window
from core.conversation import ButtonNotFound, Conversation

if TYPE_CHECKING:
    from api.deps import Parts

HELD_BACK = timedelta(seconds=5)  # so long what an event is answered with waits for its own request


@dataclass(frozen=True)
class Arrived:
    """A push that is recorded: whose it is, and what has to be put into the log, if anything."""

    external_id: str
    user_id: int
    conversation_id: str
    inbound: Inbound | None = None
    media_id: str | None = None
    paper: Scan | None = None  # of the hall, that was scanned


def arrive(session: Session, parts: Parts, wechat: WeChat, received: Received, *, now: datetime) -> Arrived | None:
    """Record a push and return what is to be done; None if nothing has to be, and nothing may be said.

    Raises:
        Replayed: if its signature came with another push before.
    """
    fields = received.fields
    external_id = external_id_of(fields)
    passive.use_signature(session, received.signature, external_id, now=now)
    if is_event(fields):
        return _event(session, parts, wechat, fields, external_id, now=now)
    said = said_of(fields, words=wechat.words, photo=parts.wording.photo)
    user = user_of(session, WECHAT, fields["FromUserName"], now=now)
    return _message(session, parts, wechat, user, said, received, external_id, now=now)


def _message(
    session: Session, parts: Parts, wechat: WeChat, user: ChannelUser, said: Said, received: Received, external_id: str,
    *, now: datetime,
) -> Arrived | None:  # fmt: skip
    push, is_new = passive.record(session, user, external_id, now=now)
    if push.channel_user_id != user.id:
        return None
    if is_new:
        user.followed, user.last_wrote_at = True, now
        open_window(session, user.id, said.cause, now=now, at=created_at(received.fields, now=now))
        if said.media_id:
            push.todo = {"media_id": said.media_id}
    if push.conversation_id is None:
        push.conversation_id = _place_for(session, parts, user, said, now=now).id
    conversation = log_of.find_conversation(session, push.conversation_id)
    inbound = _inbound(session, wechat, conversation, user, said, external_id)
    media_id = said.media_id if push.todo is not None else None
    return Arrived(external_id, user.id, conversation.id, inbound, media_id)


def _place_for(session: Session, parts: Parts, user: ChannelUser, said: Said, *, now: datetime) -> Conversation:
    """Return the conversation into which a message goes: a new one if the present one is over and does not take it."""
    conversation = conversation_of(session, user)
    payload = said.payload
    if said.tapped and BUTTON.fullmatch(said.tapped):
        payload = _payload(session, conversation, said.tapped)
    if parts.dialogue.takes(session, conversation, said.text, payload):
        return conversation
    return begin_anew(session, user, now=now)


def _payload(session: Session, conversation: Conversation, button_id: str) -> str | None:
    try:
        return log_of.find_button(session, conversation, button_id).payload
    except ButtonNotFound:
        return None


def _inbound(
    session: Session, wechat: WeChat, conversation: Conversation, user: ChannelUser, said: Said, external_id: str
) -> Inbound:
    inbound = Inbound(
        external_id, said.text, payload=said.payload, channel=WECHAT, channel_user_id=user.id, type=said.type,
        card=said.card, answer=draft_of(said.answer) if said.answer else None,
    )  # fmt: skip
    button_id = None
    if said.tapped and BUTTON.fullmatch(said.tapped):
        button_id = said.tapped if _payload(session, conversation, said.tapped) is not None else None
    elif said.type is None and said.payload is None and (number := bare_number(said.text)):
        offers = wechat.words.offers_numbers
        button_id = button_of(session, conversation.id, user.id, number, offers=offers)
    return replace(inbound, text="", button_id=button_id) if button_id else inbound


def _event(
    session: Session, parts: Parts, wechat: WeChat, fields: Fields, external_id: str, *, now: datetime
) -> Arrived | None:
    name = str(fields.get("Event") or "").lower()
    openid = fields["FromUserName"]
    user = user_of(session, WECHAT, openid, now=now) if name in (*events.MEETS, "click") else None
    user = user or known_user(session, WECHAT, openid)
    if user is None:
        return None
    push, is_new = passive.record(session, user, external_id, now=now)
    if push.channel_user_id != user.id:
        return None  # of who has left; the same person may follow again before the channel stops asking
    if name == "unsubscribe":
        events.left(session, user, now=now)
        return None
    if is_new and name in events.CAUSES:
        user.followed = True
        open_window(session, user.id, events.CAUSES[name], now=now, at=created_at(fields, now=now))
    if name == "click" and (said := clicked(fields, wechat.menu)):
        return _chosen(session, parts, wechat, user, push, said, now=now)
    if name in events.MEETS and (scene := events.scene_of(fields)):
        found = _scanned(session, parts, user, push, fields, scene, now=now)
        if found is not None:
            return found
    if is_new and name in (*events.MEETS, "click"):
        greet = events.menu_gone if name == "click" else events.welcome
        push.conversation_id = greet(session, user, fields, wechat.words, now=now).id
        session.flush()
        passive.hold_back(session, user.id, now=now, until=now + HELD_BACK)
    return Arrived(external_id, user.id, push.conversation_id) if push.conversation_id else None


def _scanned(
    session: Session, parts: Parts, user: ChannelUser, push: Push, fields: Fields, scene: str, *, now: datetime
) -> Arrived | None:
    """Return what a paper of the hall puts into the log; None if the code is of none."""
    if push.conversation_id is None:
        conversation = events.meet(session, user, fields, now=now)
    else:
        conversation = log_of.find_conversation(session, push.conversation_id, lock=True)
    scan = scan_of(session, parts, conversation, user, scene, push.external_id, now=now)
    if scan is None:
        return None
    push.conversation_id = conversation.id
    inbound = replace(scan.inbound, channel=WECHAT, channel_user_id=user.id)
    return Arrived(push.external_id, user.id, conversation.id, inbound, paper=scan)


def _chosen(
    session: Session, parts: Parts, wechat: WeChat, user: ChannelUser, push: Push, said: Said, *, now: datetime
) -> Arrived:
    """Return what an item of the menu puts into the log."""
    if push.conversation_id is None:
        push.conversation_id = _place_for(session, parts, user, said, now=now).id
    conversation = log_of.find_conversation(session, push.conversation_id)
    inbound = _inbound(session, wechat, conversation, user, said, push.external_id)
    return Arrived(push.external_id, user.id, conversation.id, inbound)


def done(session: Session, external_id: str) -> None:
    """Note that nothing is left to be done of a push."""
    push = session.get(Push, (WECHAT, external_id))
    if push is not None:
        push.todo = None
