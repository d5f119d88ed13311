"""Messages of the log as WeChat shows them: text alone, at most 2048 bytes at once.

Several messages become one text; cards become lines, with one link to the page inside WeChat where there is more to
see. Buttons are numbered. As `links` a tap sends the title back with the button's id (`weixin://bizmsgmenu`), as `menu`
they are a message of their own kind, which only some accounts may send, as `numbers` the number is all there is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import quote

from api.channels.wechat.cards import lines_of
from api.channels.wechat.words import Words
from core.channel.numbered import Choice, together
from core.channel.passive import Fitted, Item
from core.conversation import Message

LIMIT = 2048  # bytes of one text
MAX_MENU = 10  # buttons of one menu message
WELCOME = "welcome"
Style = Literal["menu", "links", "numbers"]
_TAG = re.compile(r"<(?=[/!a-zA-Z])")
_ENDS = (re.compile(r"(?<=[。！？；])"), re.compile(r"(?<=[，、：])"))  # where a text may be cut, the best first
_PICTURED = ("bill_card", "usage_chart")  # the page shows more than lines can say


class Render:
    """Writes messages as the settings want it."""

    def __init__(self, words: Words, *, style: Style, public_url: str) -> None:
        self._words, self._style, self._page = words, style, f"{public_url.rstrip('/')}/wechat/h5"

    def as_text(self, messages: Sequence[Message]) -> str:
        """Return one text with all that the messages say; it may be longer than fits at once, see `split`.

        The choices of all of them stand at the end, if that is clear; else each under its own message.
        """
        choices = self._words.numbering.choices(messages)
        apart = not together(choices)
        paragraphs: list[str] = []
        said, linked = "", False
        for message, own in zip(messages, choices, strict=True):
            text, more = self._text(message, said)
            paragraphs += [text, self._link(message, more) if more and not linked else ""]
            if apart:
                paragraphs += self._listed(own)
            said, linked = said + message.text, linked or bool(more)
        if not apart:
            paragraphs += self._listed([one for own in choices for one in own])
        return "\n\n".join(filter(None, (paragraph.strip("\n") for paragraph in paragraphs)))

    def as_service(self, messages: Message | Sequence[Message]) -> list[dict[str, Any]]:
        """Return the customer-service messages that say it, in order, without the addressee."""
        several = [messages] if isinstance(messages, Message) else list(messages)
        pieces = split(self.as_text(several))
        if len(pieces) == 1 and self._is_menu(several):
            return [self._menu(several)]
        return [{"msgtype": "text", "text": {"content": piece}} for piece in pieces]

    def parts(self, message: Message) -> list[str]:
        """Return a message in parts that fit, which `Delivery.part` counts."""
        return split(self.as_text([message]))

    def fit(self, items: Sequence[Item]) -> Fitted:
        """Return as much as fits into one answer: whole messages from the first on, or the beginning of a long one."""
        chosen = Fitted("", 0)
        for count in range(1, len(items) + 1):
            if count > 1 and items[0].delivery.part and items[0].message.buttons:
                break  # the choices of what was begun have their numbers already
            text = self._together(items[:count])
            if _size(text) > LIMIT:
                break
            chosen = Fitted(text, count)
        if chosen.whole:
            return chosen
        parts = self.parts(items[0].message)
        return Fitted(parts[min(items[0].delivery.part, len(parts) - 1)], 0, 1)

    def _together(self, items: Sequence[Item]) -> str:
        first, part = items[0].message, items[0].delivery.part
        if not part:
            return self.as_text([item.message for item in items])
        rest = "\n".join(self.parts(first)[part:])
        return "\n\n".join(filter(None, [rest, self.as_text([item.message for item in items[1:]])]))

    def _text(self, message: Message, said: str) -> tuple[str, str]:
        """Return what a message says without its buttons, and the title of a link to more, if there is more."""
        words, card = self._words, message.card
        text = plain(message.text)
        if message.author == "agent":
            text = words.agent.format(name=plain(message.agent_name or words.person), text=text)
        if message.type == "image":
            return text, words.more_photo
        if message.type == WELCOME:
            return text, words.open_large
        if not card:
            return text, ""
        lines = lines_of(message.type, card, words, said=said)
        cut = bool(lines) and lines[-1].startswith(words.rests)
        more = words.more if cut or message.type in _PICTURED else ""
        if lines:
            return plain("\n".join(lines)), more
        return ("" if said else text), more

    def _listed(self, choices: Sequence[Choice]) -> list[str]:
        """Return the lists of choices: those with a number, in its order, and those without."""
        words, bare = self._words, self._style == "numbers"
        counted = [one for one in choices if one.number is not None]
        others = [one for one in choices if one.number is None]
        lines = [words.choice.format(number=one.number, title=self._shown(one)) for one in counted]
        return [
            "\n".join([head, *shown])
            for head, shown in (
                (words.numbers if bare else words.links, lines),
                (words.say_one if bare else words.tap_one, [self._shown(one) for one in others]),
            )
            if shown
        ]

    def _shown(self, choice: Choice) -> str:
        return plain(choice.title) if self._style == "numbers" else _anchor(choice)

    def _link(self, message: Message, title: str) -> str:
        return f'<a href="{self._page}#seq={message.seq}">{title}</a>'

    def _is_menu(self, messages: Sequence[Message]) -> bool:
        """Tell whether it can be one menu message: buttons stand under the last message alone."""
        last = messages[-1].buttons or []
        others = any(message.buttons for message in messages[:-1])
        return self._style == "menu" and 0 < len(last) <= MAX_MENU and not others

    def _menu(self, messages: Sequence[Message]) -> dict[str, Any]:
        bare = [_without_buttons(message) for message in messages]
        items = [{"id": button["id"], "content": button["title"]} for button in messages[-1].buttons]
        head = self.as_text(bare) or self._words.choose
        return {"msgtype": "msgmenu", "msgmenu": {"head_content": head, "list": items, "tail_content": ""}}


def plain(text: str) -> str:
    """Return a text in which nothing is a tag."""
    return _TAG.sub("＜", text)


def split(text: str, limit: int = LIMIT) -> list[str]:
    """Return a text in pieces of at most `limit` bytes: at ends of lines, else of sentences, else between characters.

    A line with a link is never broken, unless it alone is longer.
    """
    pieces: list[str] = []
    held = ""
    for line in text.split("\n"):
        joined = f"{held}\n{line}" if held else line
        if _size(joined) <= limit:
            held = joined
            continue
        whole, held = [held] if held else [], ""
        *full, held = _broken(line, limit)
        pieces += whole + full
    return [piece.strip("\n") for piece in [*pieces, held] if piece.strip("\n")]


def _broken(line: str, limit: int) -> list[str]:
    found = [""]
    for bit in _bits(line, limit):
        if _size(found[-1]) + _size(bit) > limit:
            found.append("")
        found[-1] += bit
    return found


def _bits(text: str, limit: int, level: int = 0) -> list[str]:
    """Return what may not be broken: sentences, of a long one its clauses, of a long one of these its characters."""
    if _size(text) <= limit and (level or "<a " in text):
        return [text]
    if level == len(_ENDS):
        return list(text)
    return [bit for piece in _ENDS[level].split(text) for bit in _bits(piece, limit, level + 1)]


def _anchor(choice: Choice) -> str:
    title = choice.title.replace("<", "＜").replace(">", "＞")
    content = quote(choice.title, safe="")
    return f'<a href="weixin://bizmsgmenu?msgmenucontent={content}&msgmenuid={choice.id}">{title}</a>'


def _without_buttons(message: Message) -> Message:
    return Message(
        conversation_id=message.conversation_id, seq=message.seq, at=message.at, author=message.author,
        type=message.type, text=message.text, card=message.card, buttons=[], agent_name=message.agent_name,
    )  # fmt: skip


def _size(text: str) -> int:
    return len(text.encode())
