"""Reads the sender's settings and puts its parts together: what announces, and what sends."""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path

import structlog

from api.channels.wechat.client import WeChatClient
from api.channels.wechat.templates import Templates
from api.logs import configure
from api.sender.lane import MOST_AT_ONCE, Lane
from api.sender.line import SendingLine
from api.sender.loop import Sender
from api.sender.settings import SenderSettings
from api.sender.watch import causes_of, watch
from api.sender.ways import SmsWay, TemplateWay
from core.clock import system_clock
from core.db import Database
from core.proactive.kinds import SMS, Notices
from core.proactive.rules import SourceRules
from core.proactive.sources import sources

log = structlog.get_logger("api.sender")
WECHAT = "wechat"


def run() -> None:
    """Read the settings and send until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m api.sender", description="The sender of broadcasts.")
    parser.add_argument("--alive", type=Path, help="a file that is touched while it works")
    alive = parser.parse_args().alive
    settings = SenderSettings()  # pyright: ignore[reportCallIssue]
    configure(settings.log_level)
    asyncio.run(serve(settings, alive=alive))


async def serve(settings: SenderSettings, *, alive: Path | None = None) -> None:
    """Run the sender until SIGINT or SIGTERM."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    database, billing = Database(settings.bridge_url), Database(settings.billing_url, read_only=True)
    workorder = Database(settings.workorder_url, read_only=True)
    notices = Notices.load(settings.data_dir / "notices.yaml")
    client = _client(settings)
    templates = Templates.load(settings.data_dir / "wechat" / "templates.yaml", settings.wechat_templates)
    sms = SmsWay(settings, billing, settings.keyring(), notices, system_clock)
    lanes = {
        WECHAT: Lane(WECHAT, TemplateWay(client, templates, settings.public_url), settings.wechat_rate),
        SMS: Lane(SMS, sms, settings.wechat_rate),
    }
    looked_at = sources(
        billing=billing, workorder=workorder, bridge=database, notices=notices,
        rules=SourceRules.load(settings.data_dir / "notice_sources.yaml"), causes=causes_of(settings.data_dir),
    )  # fmt: skip
    log.info("started", rate=settings.wechat_rate, wechat=client is not None, sms=bool(settings.sms_url))
    try:
        async with asyncio.TaskGroup() as group:  # the sender sets `stop` also when it fails
            group.create_task(watch(looked_at, system_clock, stop))
            sender = Sender(database, notices, lanes, system_clock, alive=alive, singles=templates.singles)
            group.create_task(sender.run(stop))
    finally:
        await sms.close()
        if client is not None:
            await client.close()
        for one in (database, billing, workorder):
            one.dispose()
    log.info("stopped")


def _client(settings: SenderSettings) -> WeChatClient | None:
    if not settings.wechat_appid:
        return None
    secret = settings.wechat_secret.get_secret_value()
    line = SendingLine(settings.wechat_url, MOST_AT_ONCE)
    return WeChatClient(settings.wechat_appid, secret, settings.wechat_url, line=line)
