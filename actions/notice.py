"""What customers are told without asking: which kinds are on and where, switched in the chat at once.

Choices are kept by the bridge, on the signed command that goes with the answer (`core.identity.Grant.choices`). Paper,
telephone calls and numbers of other people stay work orders (the businesses subscribe and unsubscribe).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from actions.base import BusinessAction
from actions.form_hooks import ENTRIES
from actions.notice_lines import Changes, NoticeLines, States, can_tell
from actions.notice_words import LIST, TOKEN, UNDO, WHERE, Wish, pressed, read, token
from actions.question import Question
from actions.reply import Reply
from core.account import find_account
from core.errors import NotIdentified
from core.identity import Grant, NoticeWish, issue_grant, turn_of
from core.proactive.choices import Chosen
from core.proactive.kinds import SMS
from core.proactive.speaker import OF_ACCOUNTS, Speaker, holding, speaker_of
from core.proactive.tables import KINDS, OFFER

if TYPE_CHECKING:
    from actions.form import ActionForm

KIND = "notices"
INTENT = "subscribe_notice"
SUBSCRIBE, UNSUBSCRIBE = "subscribe", "unsubscribe"
WECHAT, CHAT = "wechat", "chat"
BY_FORM = "form"  # the choice of the button that wants the form all the same


class ActionNotices(BusinessAction):
    """Shows and switches what somebody is told first."""

    def name(self) -> str:
        """Return the name that the domain uses."""
        return "action_notices"

    def handle(self, session: Session, question: Question) -> Reply:
        """See `BusinessAction.handle`: the answer to which kind is meant."""
        speaker = self.speaker(session, question)
        if speaker is None:
            raise NotIdentified
        return self.go(question, speaker, self.wish(question))

    @property
    def lines(self) -> NoticeLines:
        """Return what puts it into words."""
        return NoticeLines(self.services)

    def dropped(self) -> Reply:
        """Say that nothing was changed."""
        return Reply("utter_form_ask", {"lead": "", "question": self._say("button.dropped")})

    def speaker(self, session: Session, question: Question) -> Speaker | None:
        """Return whose choices this turn is about; None if nothing is proved of who asks."""
        who = question.identity
        proved = who.accounts if who.assurance >= 1 else ()
        owner = find_account(session, account_no=proved[0], allowed=proved).customer.customer_no if proved else None
        with self.services.bridge.reading() as bridge:
            return speaker_of(
                bridge, who.conversation_id, channel=who.channel, owner_no=owner,
                customer_no=who.customer_no if who.assurance >= 1 else None,
            )  # fmt: skip

    def wish(self, question: Question) -> Wish:
        """Return what the message wants, leaning on the question that was asked."""
        wish = read(self.services.phrases, self.services.businesses.get(UNSUBSCRIBE), question.text)
        form = question.slots.get("form")
        if isinstance(form, Mapping) and form.get("kind") == KIND and question.intent != INTENT and wish.wanted:
            if form.get("wanted") is None:
                return wish
            return replace(wish, wanted=bool(form.get("wanted")), channel=wish.channel or form.get("channel"))
        return wish

    def go(self, question: Question, speaker: Speaker, wish: Wish) -> Reply:
        """Do what is wanted, or ask which kind is meant."""
        with self.services.bridge.reading() as bridge:
            states = holding(bridge, speaker, self.services.notices)
        choice = next((one for one in question.values("choice") if one.startswith(TOKEN)), None)
        press = pressed(choice) if choice is not None else None
        if press is not None and press.what == WHERE:
            return self._where(speaker, states)
        if press is not None and press.changes:
            return self._change(question, speaker, states, press.changes, back=press.what == UNDO)
        if press is not None or wish.wanted is None:
            return self._list(question, speaker, states)
        if wish.wanted and wish.channel == SMS and not speaker.is_customer:
            bind = (self._say("button.bind"), "/bind_account")
            return self._reply(speaker, states, self._say("done.sms_unbound"), [bind, self._other()])
        on = {k: (True, self._channel(speaker, str(wish.channel), k)) for k in KINDS if states[k].wanted}
        if not wish.kinds and wish.wanted and wish.channel and on:
            return self._change(question, speaker, states, on)
        if not wish.kinds:
            return self._list(question, speaker, states, wanted=wish.wanted, channel=wish.channel)
        if wish.wanted:
            where = {kind: self._channel(speaker, wish.channel or states[kind].channel, kind) for kind in wish.kinds}
            shut = {kind: (False, states[kind].channel) for kind in wish.shut}
            return self._change(question, speaker, states, {kind: (True, where[kind]) for kind in wish.kinds} | shut)
        return self._off(question, speaker, states, wish)

    # -- changing

    def _off(self, question: Question, speaker: Speaker, states: States, wish: Wish) -> Reply:
        there = [kind for kind in wish.kinds if states[kind].wanted and states[kind].channel == wish.refused]
        on = [kind for kind in wish.kinds if states[kind].wanted]
        if wish.refused and on and not there:
            off = {kind: (False, states[kind].channel) for kind in on}
            lead = self._say(
                "done.other_channel", names=self._names(on), refused=self._say(f"channel.{wish.refused}"),
                channel=self._say(f"done.to_{states[on[0]].channel}"),
            )  # fmt: skip
            button = (self._say("button.shuts", name=self._names(on)), self._payload(token(off)))
            return self._reply(speaker, states, lead, [button, self._other()])
        kinds = there or wish.kinds
        return self._change(question, speaker, states, {kind: (False, states[kind].channel) for kind in kinds})

    def _change(
        self, question: Question, speaker: Speaker, states: States, changes: Changes, *, back: bool = False
    ) -> Reply:  # fmt: skip
        """Make changes; `back`: they take back others."""
        differing = {
            kind: to for kind, to in changes.items()
            if _is_new(states[kind], *to) or (not to[0] and self._is_open(speaker, states, kind))
        }  # fmt: skip
        after = {**states, **{kind: Chosen(*to, own=True) for kind, to in differing.items()}}
        lead, buttons = self.lines.done(changes, same=not differing), []
        if back:
            lead = self._say("done.undone")
        elif differing:
            before = {kind: self._before(speaker, states, kind) for kind in differing}
            buttons.append((self._say("button.undo"), self._payload(token(before, back=True))))
        on = [kind for kind, (wanted, _) in changes.items() if wanted]
        if on and not back and not speaker.known and OF_ACCOUNTS.intersection(on):
            lead += self._say("done.bind")
            buttons.append((self._say("button.bind"), "/bind_account"))
        elif on:
            buttons += self._channels(speaker, on, but=changes[on[0]][1])
        commands = [self._command(question, speaker, differing)] if differing else []
        slots = self._open(question, None, None)
        return replace(self._reply(speaker, after, lead, [*buttons, self._other()]), commands=commands, slots=slots)

    def _is_open(self, speaker: Speaker, states: States, kind: str) -> bool:
        """Tell whether a kind that needs an account will be as for all customers once there is one."""
        return not states[kind].own and not can_tell(speaker, kind)

    def _before(self, speaker: Speaker, states: States, kind: str) -> tuple[bool, str]:
        one = states[kind]
        wanted = self.services.notices.kinds[kind].customers if self._is_open(speaker, states, kind) else one.wanted
        return wanted, one.channel

    def _command(self, question: Question, speaker: Speaker, changes: Changes) -> dict[str, Any]:
        wishes = tuple(NoticeWish(kind, wanted, channel) for kind, (wanted, channel) in changes.items())
        who = question.identity.conversation_id
        grant = Grant(who, turn_of(who, question.now), subject=speaker.subject, choices=wishes)
        return {"type": "grant", "token": issue_grant(self.services.identity_key, grant, now=self.services.clock())}

    def _channel(self, speaker: Speaker, wanted: str, kind: str) -> str:
        """Return the channel over which somebody can be told, the wanted one if it can be."""
        if wanted not in self.services.notices.kinds[kind].ways:
            return self.services.notices.kinds[kind].channel
        if wanted == WECHAT and not speaker.pushed:
            return self.services.notices.kinds[kind].fallback
        return CHAT if wanted == SMS and not speaker.is_customer else wanted

    # -- showing

    def _list(
        self, question: Question, speaker: Speaker, states: States, *, wanted: bool | None = None,
        channel: str | None = None,
    ) -> Reply:  # fmt: skip
        """Show what is on, with a button for each kind that can be switched; with `wanted` ask which is meant."""
        shown = [kind for kind in KINDS if wanted is None or _differs(states[kind], wanted, channel)]
        if wanted:  # what needs an account can be chosen before there is one
            shown = [kind for kind in KINDS if kind in shown or not can_tell(speaker, kind)]
        told = [kind for kind in shown or KINDS if wanted or can_tell(speaker, kind)]
        buttons = [self._switch(speaker, states, kind, channel, wanted=wanted) for kind in told]
        if wanted is not None and len(shown) > 1:
            every = {
                kind: (wanted, self._channel(speaker, channel or states[kind].channel, kind))
                for kind in shown if not wanted or kind != OFFER
            }  # fmt: skip
            buttons.append((self._say("button.all_on" if wanted else "button.all_off"), self._payload(token(every))))
        if any(one.wanted for one in states.values()):
            buttons.append((self._say("button.where"), self._payload(TOKEN + WHERE)))
        if not speaker.known:
            buttons.append((self._say("button.bind"), "/bind_account"))
        else:
            buttons += [(self._say("button.form"), _give(start=SUBSCRIBE)), self.lines.no_advice()]
        if wanted is False:
            buttons.append((self._say("button.paper"), _give(start=UNSUBSCRIBE, choice=BY_FORM)))
        ask = "" if wanted is None else self._say("ask.opens" if wanted else "ask.shuts")
        slots = self._open(question, wanted, channel)
        answered = question.intent != INTENT and not question.values("start") and _is_ours(question)
        if wanted is not None and answered:  # the list stands above already
            said = {"lead": self._say("ask.unread"), "question": ask}
            return Reply("utter_form_ask", said, buttons, slots=slots)
        return replace(self._reply(speaker, states, ask, buttons), slots=slots)

    def _where(self, speaker: Speaker, states: States) -> Reply:
        on = [kind for kind in KINDS if states[kind].wanted]
        return self._reply(speaker, states, self._say("ask.where"), self._channels(speaker, on))

    def _reply(self, speaker: Speaker, states: States, lead: str, buttons: list[tuple[str, str]]) -> Reply:
        lines = [self.lines.line(speaker, states, kind) for kind in KINDS]
        said = "\n".join([self._say("list.now"), *lines, self.lines.quiet()])
        return Reply("utter_form_ask", {"lead": f"{lead}\n" if lead else "", "question": said}, buttons)

    def _switch(
        self, speaker: Speaker, states: States, kind: str, channel: str | None, *, wanted: bool | None = None
    ) -> tuple[str, str]:  # fmt: skip
        one = states[kind]
        off = one.wanted and channel is None and (not wanted or can_tell(speaker, kind))
        to = {kind: (not off, self._channel(speaker, channel or one.channel, kind))}
        title = self._say("button.shuts" if off else "button.opens", name=self._names([kind]))
        return title, self._payload(token(to))

    def _channels(self, speaker: Speaker, kinds: list[str], but: str = "") -> list[tuple[str, str]]:
        ways = [WECHAT] * speaker.pushed + [SMS] * speaker.is_customer + [CHAT]
        open_to = self.services.notices.kinds
        movable = {way: [kind for kind in kinds if way in open_to[kind].ways] for way in ways if way != but}
        return [
            (self._say(f"button.{way}"), self._payload(token(dict.fromkeys(found, (True, way)))))
            for way, found in movable.items() if found
        ]  # fmt: skip

    def _other(self) -> tuple[str, str]:
        return self._say("button.other"), self._payload(TOKEN + LIST)

    def _names(self, kinds: Iterable[str]) -> str:
        return self.lines.names(kinds)

    def _open(self, question: Question, wanted: bool | None, channel: str | None) -> dict[str, Any]:
        """Return the slot with which a typed answer is understood; a form that is being filled in stays."""
        if not (question.slots.get("form") is None or _is_ours(question)):
            return {}
        answer = "notice.words.beside" if wanted is None else "notice.words.answer"
        return {
            "asked": self.name(),
            "form": {
                "kind": KIND, "action": self.name(), "wanted": wanted, "channel": channel, "quiet": True,
                "intents": [], "entities": [], "words": [], "free": False,
                "pattern": self._pattern(answer),
            },
        }  # fmt: skip

    def _pattern(self, key: str) -> str:
        beside, own = self.services.phrases.raw("notice.words.beside"), self.services.phrases.raw(key)
        return beside if own == beside else f"(?:{own})|(?:{beside})"

    @staticmethod
    def _payload(choice: str) -> str:
        return f"/{INTENT}" + json.dumps({"choice": choice}, ensure_ascii=False)

    def _say(self, key: str, **values: object) -> str:
        return self.lines.say(key, **values)


def at_once(form: ActionForm, session: Session, question: Question) -> Reply | None:
    """Answer what can be switched at once; None: it takes a form, or nobody knows who asks."""
    start = question.values("start")
    if start and (start[0] != UNSUBSCRIBE or question.values("choice")):
        return None  # the form was asked for
    action = ActionNotices(form.services)
    wish = Wish(wanted=False) if start else action.wish(question)
    speaker = None if wish.elsewhere else action.speaker(session, question)
    if speaker is None or form.words.only_asks(question.text):
        return None
    if not speaker.is_customer and SMS in (wish.channel, wish.refused):
        return None  # short messages that are not ours, or a telephone that nobody has proved
    return action.go(question, speaker, wish)


def _is_new(one: Chosen, wanted: bool, channel: str) -> bool:
    return one.wanted != wanted or (wanted and one.channel != channel)


def _differs(one: Chosen, wanted: bool, channel: str | None) -> bool:
    return one.wanted != wanted or (wanted and channel is not None and one.channel != channel)


def _is_ours(question: Question) -> bool:
    form = question.slots.get("form")
    return isinstance(form, Mapping) and form.get("kind") == KIND


def _give(**values: str) -> str:
    return "/inform" + json.dumps(values, ensure_ascii=False)


ENTRIES[SUBSCRIBE] = ENTRIES[UNSUBSCRIBE] = at_once
ACTIONS: tuple[type[BusinessAction], ...] = (ActionNotices,)
