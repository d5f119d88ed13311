"""Papers of the hall that customers scan: what a scan puts into the log, and the order that it opens.

The paper is claimed in the bridge's transaction, the order is opened in one of the work-order database before the
dialogue is asked about it. The same scan again does both again and changes nothing.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path

import structlog
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.channels.seats import SeatDep, placed
from api.deps import Parts, PartsDep
from api.inbound import Inbound
from core import conversation as log_of
from core.business import BusinessTable
from core.channel.tables import ChannelUser
from core.conversation import Conversation, Draft
from core.hall_paper import Begins, Refused, Shows, open_order, scanned
from core.hall_words import HallWords
from core.work_order import OrderNotFound, WorkOrder, order_by_no

log = structlog.get_logger("api.papers")
router = APIRouter(tags=["web"])


@dataclass(frozen=True)
class Scan:
    """What a scan means: the customer's message, and the order (by paper) that it opens before.

    Of an order that is not `proved` to be theirs, and is of none of their `accounts`, only the progress is told.
    """

    inbound: Inbound
    paper_id: int
    order_no: str | None = None
    proved: bool = True
    accounts: tuple[str, ...] = ()


class ScanRequest(BaseModel):
    """What the code of a paper says."""

    model_config = ConfigDict(extra="forbid")

    scene: str = Field(min_length=1, max_length=64)


class ScanAnswer(BaseModel):
    """Whether the code is one of a paper; what it means is in the conversation."""

    known: bool


@router.post("/v1/papers")
async def scan_in_page(body: ScanRequest, parts: PartsDep, seat: SeatDep) -> ScanAnswer:
    """Take a scan that has opened a page; the same one again within a quarter of an hour is the same message."""
    now, place = parts.clock(), await placed(parts, seat)
    external_id = f"{seat.conversation_id}:paper:{body.scene}:{int(now.timestamp()) // 900}"

    def work(session: Session) -> Scan | None:
        conversation = log_of.find_conversation(session, place.id, lock=True)
        user = session.get(ChannelUser, seat.user_id) if seat.user_id is not None else None
        return scan_of(session, parts, conversation, user, body.scene, external_id, now=now)

    scan = await parts.store.write(work)
    if scan is None:
        return ScanAnswer(known=False)
    inbound = replace(
        await opened(parts, place.id, scan), channel=seat.via, channel_user_id=seat.user_id, seat=seat
    )  # fmt: skip
    await parts.dialogue.customer_says(place.id, inbound)
    return ScanAnswer(known=True)


def scan_of(
    session: Session, parts: Parts, conversation: Conversation, user: ChannelUser | None, scene: str,
    external_id: str, *, now: datetime,
) -> Scan | None:  # fmt: skip
    """Return what a scan means in a conversation (locked), None if the code is none of a paper."""
    found, words = scanned(session, conversation, user, scene, now=now), hall_words_of(parts.settings.data_dir)
    if found is None:
        return None
    inbound = Inbound(external_id, words.begins.format(title=found.title))
    if isinstance(found, Shows):
        payload = "/query_work_order" + json.dumps({"work_order_no": found.order_no}, ensure_ascii=False)
        inbound = replace(inbound, text=words.shows.format(title=found.title), payload=payload)
        accounts = tuple(conversation.accounts)
        return Scan(inbound, found.paper_id, found.order_no, proved=found.proved, accounts=accounts)
    if isinstance(found, Begins) and _is_offered(parts, found.business):
        payload = "/inform" + json.dumps({"start": found.business}, ensure_ascii=False)
        return Scan(replace(inbound, payload=payload), found.paper_id)
    others = isinstance(found, Refused) and found.why == "others"
    inbound = replace(
        inbound, text=words.shows.format(title=found.title),
        answer=Draft("system", words.others if others else words.over),
    )  # fmt: skip
    return Scan(inbound, found.paper_id)


async def opened(parts: Parts, conversation_id: str, scan: Scan) -> Inbound:
    """Open the order of a scan for its conversation; return the message, with the answer if it was not opened."""
    if scan.order_no is None:
        return scan.inbound
    order_no, now, words = scan.order_no, parts.clock(), hall_words_of(parts.settings.data_dir)

    def work() -> Draft | None:
        with parts.workorder.transaction() as session:
            order = order_by_no(session, order_no)
            if not scan.proved and order.account_no not in scan.accounts:
                return _glimpse(order, words)
            open_order(session, order_no, conversation_id=conversation_id, paper_id=scan.paper_id, now=now)
            return None

    try:
        answer = await asyncio.to_thread(work)
    except (SQLAlchemyError, OrderNotFound) as error:
        log.error("paper_not_opened", paper=scan.paper_id, error=type(error).__name__)
        answer = Draft("system", words.unavailable)
    return replace(scan.inbound, payload=None, answer=answer) if answer else scan.inbound


def _glimpse(order: WorkOrder, words: HallWords) -> Draft:
    text = words.glimpse.format(title=order.title, tail=order.order_no[-4:], state=words.states[order.state])
    return Draft("system", text, buttons=((words.bind, "/bind_account"),))


@cache
def hall_words_of(data_dir: Path) -> HallWords:
    """Read the words of the hall, once."""
    return HallWords.load(data_dir / "hall.yaml")


@cache
def _businesses(data_dir: Path) -> BusinessTable:
    return BusinessTable.load(data_dir / "business")


def _is_offered(parts: Parts, key: str) -> bool:
    table = _businesses(parts.settings.data_dir)
    return key in table and not table.get(key).unavailable
