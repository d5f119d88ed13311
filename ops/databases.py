"""What the commands do with the three databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Select, delete, func, or_, select

from core.account import (
    Account,
    Customer,
    address_context,
    certificate_context,
    name_context,
    phone_context,
)
from core.agent import renew_totp
from core.audit import Auditor
from core.business import BusinessTable
from core.clock import system_clock
from core.conversation import Conversation
from core.db import BillingBase, Database
from core.fields import Keyring, UnreadableField
from core.migrations import METADATA, is_current, upgrade
from core.network import NetworkNode
from core.promise import Commitments
from core.seed import SeedSummary, seed
from core.seed.agents import demo_agents
from core.seed.history import HistorySummary, seed_history
from core.seed.history_gone import take_away
from core.seed.network import NetworkSummary, seed_network
from core.seed.orders import OrderSummary, seed_orders
from core.settings import CoreSettings
from core.tariff import TariffBook
from core.upload import renew_uploads
from core.work_order.renewal import renew_orders
from ops.output import Report

BATCH = 200


class UnknownAccount(Exception):
    """The billing database has no such account."""


@dataclass(frozen=True)
class Holder:
    """Who holds an account."""

    customer_no: str
    account_no: str


@contextmanager
def opened(url: str, *, read_only: bool = False) -> Iterator[Database]:
    """Give a database and close its connections in the end."""
    database = Database(url, read_only=read_only)
    try:
        yield database
    finally:
        database.dispose()


def urls(settings: CoreSettings) -> dict[str, str]:
    """Return the URL of each database by its name."""
    return {
        "billing": settings.billing_url,
        "workorder": settings.workorder_url,
        "bridge": settings.bridge_url,
    }


def migrate(settings: CoreSettings, names: list[str] | None = None) -> None:
    """Bring the databases (all, or those named) to the newest revision."""
    for name in names or METADATA:
        with opened(urls(settings)[name]) as database:
            upgrade(name, database)


def behind(settings: CoreSettings) -> list[str]:
    """Return the names of the databases that are not at the newest revision."""
    found = []
    for name, url in urls(settings).items():
        with opened(url) as database:
            if not is_current(name, database):
                found.append(name)
    return found


def is_seeded(settings: CoreSettings) -> bool:
    """Tell whether the (migrated) databases hold a customer and the network."""
    return _has_customers(settings) and _has_network(settings)


def _has_customers(settings: CoreSettings) -> bool:
    with opened(settings.billing_url, read_only=True) as billing, billing.reading() as session:
        return session.scalar(select(Customer.id).limit(1)) is not None


def _has_network(settings: CoreSettings) -> bool:
    with opened(settings.workorder_url) as workorder, workorder.reading() as session:
        return session.scalar(select(NetworkNode.code).limit(1)) is not None


def is_readable(settings: CoreSettings) -> bool:
    """Tell whether the keys open the billing database's fields; true if there is none yet."""
    with opened(settings.billing_url, read_only=True) as billing, billing.reading() as session:
        customer = session.scalar(select(Customer).order_by(Customer.id).limit(1))
        if customer is None:
            return True
        try:
            settings.keyring().decrypt(customer.name_cipher, name_context(customer.customer_no))
        except UnreadableField:
            return False
    return True


def fill(settings: CoreSettings, report: Report, *, customers: int, months: int) -> SeedSummary | None:
    """Put the demonstration region into the empty billing database, its network and orders into that of orders.

    Where only the customers are there already (an older version made them, or it was interrupted), the rest is made
    and None returned. Raises what `core.seed.seed` raises.
    """
    if _has_customers(settings) and not _has_network(settings):
        fill_orders(settings)
        return None
    book = TariffBook.load(settings.data_dir / "tariffs")
    with opened(settings.billing_url) as billing:
        made = seed(
            billing, book=book, keyring=settings.keyring(), today=system_clock().date(),
            customers=customers, months=months, progress=report, directory=settings.data_dir / "demo",
        )  # fmt: skip
    fill_orders(settings)
    return made


def fill_orders(settings: CoreSettings) -> tuple[NetworkSummary, OrderSummary]:
    """Put the network, outages and work orders of the demonstration region into the work-order database, anew."""
    now, directory, keyring = system_clock(), settings.data_dir / "demo", settings.keyring()
    businesses = BusinessTable.load(settings.data_dir / "business")
    commitments = Commitments.load(settings.data_dir / "promises.yaml")
    with (
        opened(settings.workorder_url) as workorder,
        opened(settings.billing_url, read_only=True) as billing,
    ):
        orders = seed_orders(
            workorder, billing, keyring=keyring, businesses=businesses, commitments=commitments, now=now,
            directory=directory,
        )  # fmt: skip
        # The network comes last: by it, `is_seeded` knows that all is there.
        network = seed_network(workorder, billing, keyring=keyring, now=now, directory=directory)
    return network, orders


def fill_desk(settings: CoreSettings) -> int:
    """Put the demonstration's agents into the bridge database; return how many were missing (development)."""
    directory, now = settings.data_dir / "desk", system_clock()
    with opened(settings.bridge_url) as bridge, bridge.transaction() as session:
        return demo_agents(session, now, auditor=Auditor.of(settings.keyring()), directory=directory)


def has_history(settings: CoreSettings) -> bool:
    """Tell whether the bridge holds a conversation, be it one of the demonstration's past."""
    with opened(settings.bridge_url) as bridge, bridge.reading() as session:
        return session.scalar(select(Conversation.id).limit(1)) is not None


def fill_history(settings: CoreSettings, report: Report) -> HistorySummary:
    """Put sixty days of the demonstration's past into bridge and work orders (development).

    Customers, network and agents are there. Raises what `core.seed.history.seed_history` raises.
    """
    with (
        opened(settings.billing_url, read_only=True) as billing,
        opened(settings.workorder_url) as workorder,
        opened(settings.bridge_url) as bridge,
    ):
        return seed_history(
            billing, workorder, bridge, keyring=settings.keyring(), today=system_clock().date(),
            data_dir=settings.data_dir, progress=report,
        )  # fmt: skip


def empty_billing(settings: CoreSettings) -> None:
    """Delete all rows of the billing database, and the past of the demonstration, which was that of its customers."""
    with opened(settings.bridge_url) as bridge, opened(settings.workorder_url) as workorder:
        take_away(bridge, workorder)
    with opened(settings.billing_url) as billing, billing.transaction() as session:
        for table in reversed(BillingBase.metadata.sorted_tables):
            session.execute(delete(table))


def holders(settings: CoreSettings, account_nos: list[str]) -> list[Holder]:
    """Return who holds each account, in the order asked for; raises UnknownAccount naming the missing."""
    query = select(Account.account_no, Customer.customer_no).join(Customer).where(Account.account_no.in_(account_nos))
    with opened(settings.billing_url, read_only=True) as billing, billing.reading() as session:
        found = {account_no: Holder(customer_no, account_no) for account_no, customer_no in session.execute(query)}
    missing = [number for number in account_nos if number not in found]
    if missing:
        raise UnknownAccount(", ".join(missing))
    return [found[number] for number in account_nos]


def any_holder(settings: CoreSettings) -> Holder | None:
    """Return a household with a single account and bills, None if there is none."""
    single = select(Account.customer_id).group_by(Account.customer_id).having(func.count() == 1)
    query = (
        select(Account.account_no, Customer.customer_no)
        .join(Customer)
        .where(Customer.kind == "person", Account.customer_id.in_(single), Account.closed_on.is_(None))
        .order_by(Account.opened_on, Account.id)
        .limit(1)
    )
    with opened(settings.billing_url, read_only=True) as billing, billing.reading() as session:
        row = session.execute(query).one_or_none()
    return None if row is None else Holder(customer_no=row.customer_no, account_no=row.account_no)


def rotate_fields(settings: CoreSettings, report: Report) -> int:
    """Write all encrypted fields anew under the active key; return how many rows changed.

    It works in small transactions and passes over current rows, so an interrupted one goes on where it stopped.

    Raises:
        UnreadableField: if a field's key is no longer in the ring.
    """
    keyring = settings.keyring()
    with opened(settings.billing_url) as billing, opened(settings.workorder_url) as workorder:
        changed = _rotate_customers(billing, keyring, report) + _rotate_accounts(billing, keyring, report)
        changed += _rotate_orders(workorder, keyring)
    with opened(settings.bridge_url) as bridge, bridge.transaction() as session:
        changed += renew_totp(session, keyring)
        return changed + renew_uploads(session, directory=settings.upload_dir, keyring=keyring)


def _rotate_orders(workorder: Database, keyring: Keyring) -> int:
    total = 0
    while True:
        with workorder.transaction() as session:
            done = renew_orders(session, keyring=keyring, limit=BATCH)
        if not done:
            return total
        total += done


def _rotate_customers(billing: Database, keyring: Keyring, report: Report) -> int:
    active = f"v1.{keyring.active}."
    columns = (Customer.name_cipher, Customer.phone_cipher, Customer.certificate_cipher)
    stale = or_(*(~column.startswith(active, autoescape=True) for column in columns))
    done, total = 0, _count(billing, select(func.count()).select_from(Customer).where(stale))
    while done < total:
        with billing.transaction() as session:
            rows = session.scalars(select(Customer).where(stale).order_by(Customer.id).limit(BATCH)).all()
            for row in rows:
                row.name_cipher = keyring.renew(row.name_cipher, name_context(row.customer_no))
                row.phone_cipher = keyring.renew(row.phone_cipher, phone_context(row.customer_no))
                if row.certificate_cipher is not None:
                    context = certificate_context(row.customer_no)
                    row.certificate_cipher = keyring.renew(row.certificate_cipher, context)
        done = min(done + len(rows), total) if rows else total
        report("customers", done, total)
    return total


def _rotate_accounts(billing: Database, keyring: Keyring, report: Report) -> int:
    stale = ~Account.address_cipher.startswith(f"v1.{keyring.active}.", autoescape=True)
    done, total = 0, _count(billing, select(func.count()).select_from(Account).where(stale))
    while done < total:
        with billing.transaction() as session:
            rows = session.scalars(select(Account).where(stale).order_by(Account.id).limit(BATCH)).all()
            for row in rows:
                row.address_cipher = keyring.renew(row.address_cipher, address_context(row.account_no))
        done = min(done + len(rows), total) if rows else total
        report("accounts", done, total)
    return total


def _count(billing: Database, query: Select[int]) -> int:
    with billing.reading() as session:
        return session.scalars(query).one()
