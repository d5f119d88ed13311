"""Events: who follows and who leaves, codes that were scanned, items of the menu."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from api.channels.wechat.intake import Fields, draft_of
from api.channels.wechat.render import WELCOME
from api.channels.wechat.words import Words
from core import conversation as log_of
from core.channel import erase
from core.channel.tables import ChannelUser
from core.channel.users import begin_anew, conversation_of
from core.channel.windows import Cause
from core.conversation import Conversation, Draft
from core.mode import WAITING, WITH_PERSON

FOLLOWED_BY = "qrscene_"  # stands before the scene when a new follower came by a code
MAX_SCENE = 64
CAUSES: dict[str, Cause] = {
    "subscribe": "follow", "scan": "scan", "click": "tap", "scancode_push": "tap", "scancode_waitmsg": "tap",
}  # fmt: skip
MEETS = frozenset({"subscribe", "scan"})  # events by which somebody may become known


def meet(session: Session, user: ChannelUser, fields: Fields, *, now: datetime) -> Conversation:
    """Return the conversation, locked, of who follows or has scanned a code."""
    conversation = conversation_of(session, user, lock=True)
    if conversation.mode == "closed":
        conversation = begin_anew(session, user, now=now)
    conversation.channel, conversation.channel_user_id = user.channel, user.id
    user.scene = scene_of(fields) or user.scene
    return conversation


def welcome(
    session: Session, user: ChannelUser, fields: Fields, words: Words, *, now: datetime, bind_again: bool = False
) -> Conversation:
    """Greet who follows, or who is new and has scanned a code of which nobody knows.

    `bind_again`: they may have bound an account before they left.
    """
    conversation = meet(session, user, fields, now=now)
    if conversation.mode not in WAITING | WITH_PERSON:
        log_of.record_reply(session, conversation, greeting(words, bind_again=bind_again), now=now)
    return conversation


def is_stranger(session: Session, user: ChannelUser) -> bool:
    """Tell whether nothing was ever said to or by a user."""
    return conversation_of(session, user).next_seq == 1


def greeting(words: Words, *, bind_again: bool = False) -> Draft:
    """Return the welcome with the main things to do."""
    buttons = tuple((one.title, one.payload) for one in words.welcome_buttons)
    lines = [words.welcome, *([words.bind_again] if bind_again else []), words.welcome_hint]
    return Draft("system", "\n".join(lines), WELCOME, buttons=buttons)


def left(session: Session, user: ChannelUser, key: str, *, now: datetime) -> None:
    """Forget who has left, as the law and Tencent's rules want it; `key`: of the trace of who had bound."""
    erase.user_left(session, user, now, key=key)


def menu_gone(session: Session, user: ChannelUser, _: Fields, words: Words, *, now: datetime) -> Conversation:
    """Say that the menu has changed since."""
    conversation = conversation_of(session, user, lock=True)
    conversation.channel, conversation.channel_user_id = user.channel, user.id
    log_of.record_reply(session, conversation, draft_of(words.menu_gone), now=now)
    return conversation


def scene_of(fields: Fields) -> str:
    """Return the scene of the code by which somebody came, empty if by none."""
    key = str(fields.get("EventKey") or "")
    if str(fields.get("Event")).lower() == "subscribe":
        return key.removeprefix(FOLLOWED_BY)[:MAX_SCENE] if key.startswith(FOLLOWED_BY) else ""
    return key[:MAX_SCENE]
