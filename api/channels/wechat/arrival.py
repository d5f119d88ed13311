"""The first transaction of a push: it is recorded once, its user is known, and it is clear what it means."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from api.channels.wechat import events, subscription
from api.channels.wechat.channel import WeChat
from api.channels.wechat.intake import (
    SUBSCRIPTION,
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
from core.channel import erase, passive
from core.channel.link import reconsider
from core.channel.numbered import button_of, last_shown_in, was_shown
from core.channel.tables import WECHAT, ChannelUser, Push
from core.channel.users import begin_anew, conversation_of, known_user, user_of
from core.channel.windows import open_window
from core.conversation import Button, ButtonNotFound, Conversation

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
        _is_reachable(session, parts, user, now=now)
        user.last_wrote_at = now
        open_window(session, user.id, said.cause, now=now, at=created_at(received.fields, now=now))
        if said.media_id:
            push.todo = {"media_id": said.media_id}
    if push.conversation_id is None:
        push.conversation_id = _place_for(session, parts, wechat, user, said, now=now).id
    conversation = log_of.find_conversation(session, push.conversation_id)
    inbound = _inbound(session, wechat, conversation, user, said, external_id)
    media_id = said.media_id if push.todo is not None else None
    return Arrived(external_id, user.id, conversation.id, inbound, media_id)


def _place_for(
    session: Session, parts: Parts, wechat: WeChat, user: ChannelUser, said: Said, *, now: datetime
) -> Conversation:
    """Return the conversation into which a message goes: a new one if the present one is over and does not take it.

    What is over takes the answer to its question for satisfaction, also when another has begun in the meantime.
    """
    present = conversation_of(session, user)
    ended = _ended(session, user, present, said)
    if ended is not None:
        button = _button(session, wechat, ended, user, said)
        payload = _payload(session, ended, button) if button else None
        if (button or not said.is_choice) and parts.dialogue.takes(session, ended, "", payload):
            return ended
    button = _button(session, wechat, present, user, said)
    payload = _payload(session, present, button) if button else said.payload
    if parts.dialogue.takes(session, present, said.text, payload):
        return present
    return begin_anew(session, user, now=now)


def _ended(session: Session, user: ChannelUser, present: Conversation, said: Said) -> Conversation | None:
    """Return the conversation of the user that is over and that a choice, or the next sentence, may be meant for."""
    if said.payload is not None or said.type is not None or said.media_id or said.answer:
        return None
    conversation_id = last_shown_in(session, user.id)
    if said.is_choice:
        button = session.get(Button, said.tapped)
        known = button is not None and was_shown(session, button.conversation_id, user.id)
        conversation_id = button.conversation_id if button is not None and known else None
    if conversation_id is None:
        return None
    found = log_of.find_conversation(session, conversation_id)
    return found if found.id != present.id and found.mode == "closed" else None


def _payload(session: Session, conversation: Conversation, button_id: str) -> str | None:
    try:
        return log_of.find_button(session, conversation, button_id).payload
    except ButtonNotFound:
        return None


def _button(session: Session, wechat: WeChat, conversation: Conversation, user: ChannelUser, said: Said) -> str | None:
    """Return the id of the button of this conversation that was tapped, or whose number was written."""
    if said.is_choice:
        return said.tapped if _payload(session, conversation, said.tapped or "") is not None else None
    if said.type is not None or said.payload is not None:
        return None
    number = wechat.words.number_in(said.text)
    if number is None:
        return None
    return button_of(session, conversation.id, user.id, number, numbering=wechat.words.numbering)


def _inbound(
    session: Session, wechat: WeChat, conversation: Conversation, user: ChannelUser, said: Said, external_id: str
) -> Inbound:
    inbound = Inbound(
        external_id, said.text, payload=said.payload, channel=WECHAT, channel_user_id=user.id, type=said.type,
        card=said.card, answer=draft_of(said.answer) if said.answer else None,
    )  # fmt: skip
    if button_id := _button(session, wechat, conversation, user, said):
        return replace(inbound, text="", button_id=button_id)
    return replace(inbound, answer=draft_of(wechat.words.choice_gone)) if said.is_choice else inbound


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
        events.left(session, user, parts.settings.session_key.get_secret_value(), now=now)
        return None
    if name.startswith(SUBSCRIPTION):
        if is_new:
            subscription.note(session, user, name, fields, wechat.templates, parts.manner.notices, now=now)
        return None
    return _stirred(session, parts, wechat, user, push, fields, is_new=is_new, now=now)


def _stirred(
    session: Session, parts: Parts, wechat: WeChat, user: ChannelUser, push: Push, fields: Fields, *, is_new: bool,
    now: datetime,
) -> Arrived | None:  # fmt: skip
    """Return what an event that may be answered puts into the log."""
    name, external_id = str(fields.get("Event") or "").lower(), push.external_id
    if is_new and name in events.CAUSES:
        _is_reachable(session, parts, user, now=now)
        open_window(session, user.id, events.CAUSES[name], now=now, at=created_at(fields, now=now))
    if name == "click" and (said := clicked(fields, wechat.menu)):
        return _chosen(session, parts, wechat, user, push, said, now=now)
    if name in events.MEETS and (scene := events.scene_of(fields)):
        found = _scanned(session, parts, user, push, fields, scene, now=now)
        if found is not None:
            return found
    if is_new and (name in ("subscribe", "click") or (name == "scan" and events.is_stranger(session, user))):
        push.conversation_id = _greeted(session, parts, wechat, user, fields, now=now).id
        session.flush()
        passive.hold_back(session, user.id, now=now, until=now + HELD_BACK)
    return Arrived(external_id, user.id, push.conversation_id) if push.conversation_id else None


def _is_reachable(session: Session, parts: Parts, user: ChannelUser, *, now: datetime) -> None:
    """Note that a user follows; what they have proved on the web page before counts from now on."""
    if user.followed:
        return
    user.followed = True
    reconsider(session, user, open_for=timedelta(hours=parts.settings.session_hours), now=now)


def _greeted(
    session: Session, parts: Parts, wechat: WeChat, user: ChannelUser, fields: Fields, *, now: datetime
) -> Conversation:
    """Say the first words to who comes, or that the menu has changed."""
    if str(fields.get("Event")).lower() == "click":
        return events.menu_gone(session, user, fields, wechat.words, now=now)
    again = erase.was_bound(session, user, parts.settings.session_key.get_secret_value(), now=now)
    return events.welcome(session, user, fields, wechat.words, now=now, bind_again=again)


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
        push.conversation_id = _place_for(session, parts, wechat, user, said, now=now).id
    conversation = log_of.find_conversation(session, push.conversation_id)
    inbound = _inbound(session, wechat, conversation, user, said, push.external_id)
    return Arrived(push.external_id, user.id, conversation.id, inbound)


def done(session: Session, external_id: str) -> None:
    """Note that nothing is left to be done of a push."""
    push = session.get(Push, (WECHAT, external_id))
    if push is not None:
        push.todo = None
