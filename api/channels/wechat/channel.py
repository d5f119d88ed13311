"""The parts of the WeChat channel."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime

from api.channels.wechat.client import WeChatClient
from api.channels.wechat.flights import Flights
from api.channels.wechat.holds import Holds
from api.channels.wechat.menu import Menu
from api.channels.wechat.page_ticket import PageTicket
from api.channels.wechat.render import Render
from api.channels.wechat.reply import Replies
from api.channels.wechat.templates import Templates
from api.channels.wechat.wire import Gate
from api.channels.wechat.words import Words
from api.channels.wechat.written import FILE, Written
from api.settings import ApiSettings
from core.clock import Clock


@dataclass(frozen=True)
class WeChat:
    """The official account: what comes in through the gate, and the ways out."""

    client: WeChatClient
    gate: Gate
    replies: Replies
    templates: Templates
    menu: Menu
    words: Words
    render: Render
    written: Written
    up_since: datetime  # when this process began to take pushes
    boot: str = field(default_factory=lambda: str(uuid.uuid4()))  # names this process
    page_ticket: PageTicket = field(default_factory=PageTicket)
    holds: Holds = field(default_factory=Holds)
    flights: Flights = field(default_factory=Flights)


def connect(settings: ApiSettings, clock: Clock) -> WeChat:
    """Return the channel as the settings say; nothing is called yet."""
    directory = settings.data_dir / "wechat"
    gate = Gate.of(settings)
    words = Words.load(directory / "wording.yaml")
    return WeChat(
        client=WeChatClient.of(settings, clock=clock),
        gate=gate, replies=Replies(gate),
        templates=Templates.load(directory / "templates.yaml", settings.wechat_templates),
        menu=Menu.load(directory / "menu.yaml"), words=words,
        render=Render(words, style=settings.wechat_choices, public_url=settings.public_url),
        written=Written(settings.upload_dir.parent / FILE), up_since=clock(),
    )  # fmt: skip
