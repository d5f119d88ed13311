"""`dianfu order …`: work orders as staff see and move them, until a desk does it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated

import typer
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core import promise, work_order
from core.clock import SHANGHAI, system_clock
from core.fields import Keyring, UnreadableField
from core.masking import mask_address, mask_phone
from core.promise import KINDS, Commitments, Subject
from core.settings import CoreSettings
from core.work_order import OPEN, STATES, OrderNotFound, WorkOrder, WrongState
from ops import databases
from ops.output import fail
from ops.tool import settings_of

order_app = typer.Typer(help="Work orders: list them, read one, move it on, set a time.", no_args_is_help=True)
OrderNo = Annotated[str, typer.Argument(help="The number of the order.")]


@contextmanager
def _orders(settings: CoreSettings) -> Iterator[Session]:
    """Give a transaction on the work orders; what staff may run into ends the command with a line that says it."""
    try:
        with databases.opened(settings.workorder_url) as database, database.transaction() as session:
            yield session
    except OrderNotFound as error:
        fail(f"there is no order {error.values['order_no']}")
    except WrongState as error:
        fail(f"order {error.values['order_no']} is {error.values['state']}; it cannot take that step")
    except UnreadableField as error:
        fail(f"the order cannot be read, its key is missing in DIANFU_FIELD_KEYS: {error}")
    except SQLAlchemyError as error:
        fail(f"the work-order database cannot be asked (`dianfu migrate`): {error}")


@order_app.command("list")
def list_orders(
    state: Annotated[str | None, typer.Option(help=f"One of {', '.join(STATES)}; all open ones if not given.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
) -> None:
    """List orders, urgent ones first; no personal data."""
    if state is not None and state not in STATES:
        fail(f"no state is called {state}; there are {', '.join(STATES)}")
    query = select(WorkOrder).where(WorkOrder.state.in_((state,) if state else OPEN))
    ordered = query.order_by(WorkOrder.priority.desc(), WorkOrder.opened_at).limit(limit)
    with _orders(settings_of(CoreSettings)) as session:
        for order in session.scalars(ordered):
            marks = " ".join(
                [
                    order.priority,
                    f"urged {order.urges}x" if order.urges else "",
                    "ESCALATED" if order.escalated_at else "",
                ]
            )
            typer.echo(
                f"{order.order_no}  {order.state:<10}  {_at(order.opened_at)}  {order.category}"
                f"  {order.district or '-'}  {marks.strip()}"
            )


@order_app.command("show")
def show_order(
    order_no: OrderNo,
    clear: Annotated[bool, typer.Option("--clear", help="Show telephone and address in clear.")] = False,
) -> None:
    """Show one order with its promises and all that happened to it."""
    settings = settings_of(CoreSettings)
    with _orders(settings) as session:
        order = work_order.order_by_no(session, order_no)
        text = work_order.reveal(order, keyring=settings.keyring())
        typer.echo(f"{order.order_no}  {order.category}  {order.kind}  {order.priority}  {order.state}")
        typer.echo(f"account {order.account_no or '-'}  place {order.place_code or '-'}")
        address, contact = text.address or "-", text.contact or "-"
        shown = (address, contact) if clear else (mask_address(address), mask_phone(contact))
        typer.echo(f"address {shown[0]}  contact {shown[1]}")
        typer.echo(f"description {text.description or '-'}")
        for label, value in text.details.items() if clear else ():
            typer.echo(f"  {label}: {value}")
        for one in promise.standing(session, Subject("order", order.id)):
            typer.echo(f"promised: {one.kind} by {_at(one.due_at)} (told {_at(one.since)})")
        for line in _events(order, settings.keyring()):
            typer.echo(line)


@order_app.command("move")
def move_order(
    order_no: OrderNo,
    state: Annotated[str, typer.Argument(help=f"One of {', '.join(STATES)}.")],
    note: Annotated[str, typer.Option(help="A word to the customer, without personal data.")] = "",
) -> None:
    """Move an order to a state; its customers are told."""
    if state not in STATES:
        fail(f"no state is called {state}; there are {', '.join(STATES)}")
    settings = settings_of(CoreSettings)
    commitments = Commitments.load(settings.data_dir / "promises.yaml")
    with _orders(settings) as session:
        order = work_order.order_by_no(session, order_no)
        changed = work_order.progress(
            session, order, state, now=system_clock(), note=note, commitments=commitments
        )  # fmt: skip
    typer.echo(f"{order_no} is {state}" + ("" if changed else " already"))


@order_app.command("expect")
def expect_order(
    order_no: OrderNo,
    kind: Annotated[str, typer.Argument(help=f"One of {', '.join(KINDS)}.")],
    at: Annotated[datetime, typer.Argument(formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"], help="In Shanghai.")],
    reason: Annotated[str, typer.Option(help="Why, as customers are told it.")] = "",
) -> None:
    """Set a new time for an order; whoever was told another is told this one."""
    if kind not in KINDS:
        fail(f"no promise is called {kind}; there are {', '.join(KINDS)}")
    with _orders(settings_of(CoreSettings)) as session:
        order = work_order.order_by_no(session, order_no)
        if not order.is_open:
            fail(f"order {order_no} is {order.state}")
        told = promise.move(
            session, Subject("order", order.id), kind, at.replace(tzinfo=SHANGHAI), now=system_clock(),
            reason=reason, values={"order_no": order.order_no, "title": order.title},
        )  # fmt: skip
    typer.echo(f"{order_no}: {kind} by {at:%Y-%m-%d %H:%M}, {told} told")


@order_app.callback()
def _group() -> None:
    """Work orders."""


def _events(order: WorkOrder, keyring: Keyring) -> Iterator[str]:
    for event in order.events:
        more = " ".join(f"{name}={value}" for name, value in event.values.items())
        context = work_order.note_context(order.order_no, event.seq)
        note = keyring.decrypt(event.note_cipher, context) if event.note_cipher else ""
        yield f"{_at(event.at)}  {event.kind:<10} {event.by:<9} {more} {note}".rstrip()


def _at(at: datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
