"""The whole stack as customers meet it: Rasa, the actions and the bridge under `dianfu serve`, on data of its own."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from billing_facts import BillingFacts
    from outside_client import Client
    from wechat_kit import WeChatStack
    from xdist.remote import Producer

    from ops.stack import Stack

# Whom the tests play: each found by SQL, the first that fits. Accounts that are closed are not bound.
CUSTOMERS = {
    "family": "SELECT customer_id FROM accounts WHERE profile = 'children' AND prepaid = 0 AND customer_id IN"
    " (SELECT customer_id FROM accounts GROUP BY customer_id HAVING count(*) = 1) AND id IN (SELECT b.account_id FROM"
    " bills b JOIN bill_lines l ON l.bill_id = b.id WHERE l.tier = 2) AND id NOT IN ({debtors})",
    "charging": "SELECT customer_id FROM accounts WHERE profile = 'charging' AND opened_on < :long_ago",
    "three_homes": "SELECT customer_id FROM accounts GROUP BY customer_id HAVING count(*) = 3",
    "factory": "SELECT a.customer_id FROM accounts a JOIN bills b ON b.account_id = a.id JOIN bill_lines l ON"
    " l.bill_id = b.id WHERE l.code = 'power_factor'",
    "arrears": "SELECT a.customer_id FROM accounts a JOIN customers c ON c.id = a.customer_id WHERE c.kind = 'person'"
    " AND a.id IN ({debtors}) AND c.id IN (SELECT customer_id FROM accounts GROUP BY customer_id HAVING count(*) = 1)",
    "prepaid": "SELECT customer_id FROM accounts WHERE prepaid = 1",
    "newcomer": "SELECT customer_id FROM accounts WHERE closed_on IS NULL AND profile = 'tenant'"
    " ORDER BY opened_on DESC",
    "shop": "SELECT customer_id FROM accounts WHERE profile = 'food'",
    "farm": "SELECT customer_id FROM accounts WHERE profile = 'crops'",
    "large": "SELECT customer_id FROM accounts WHERE profile = 'large'",
}
DEBTORS = (
    "SELECT account_id FROM bills WHERE due_on < :today AND account_id IN (SELECT id FROM accounts WHERE prepaid = 0)"
    " AND amount > coalesce((SELECT sum(amount) FROM payments WHERE bill_id = bills.id AND status = 'succeeded'), 0)"
)
# The files whose tests share the fixture `stack`; another file that uses it only costs a second start.
SHARED = {
    "test_browser", "test_conversations", "test_desk", "test_form_kills", "test_intruders", "test_kills",
    "test_questions", "test_two_wishes",
}  # fmt: skip


@dataclass(frozen=True)
class Customer:
    name: str
    customer_no: str
    accounts: tuple[str, ...]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Stack]:
    """The running stack; at the end of the session none of its processes may be left."""
    from ops.stack import Stack, StackFailed

    reporter = pytestconfig.pluginmanager.get_plugin("terminalreporter")  # a worker of xdist has none
    tell = reporter.write_line if reporter else print
    made = Stack(tmp_path_factory.mktemp("stack").resolve(), customers=80, months=36)
    try:
        made.prepare()
        made.start(lambda line: tell(f"e2e: {line}"))
    except StackFailed as error:
        pytest.exit(f"the stack for the end-to-end tests cannot be had: {error}", returncode=3)
    yield made
    made.stop()
    left = within(5, lambda: not made.processes())
    assert left, f"still running: {made.processes()}"


@pytest.fixture(scope="session")
def wechat_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WeChatStack]:
    """Another stack, with an official account at the fake WeChat, and a desk that is open at any hour."""
    from wechat_kit import running

    from ops.stack import PROJECT

    data = tmp_path_factory.mktemp("data").resolve() / "data"
    shutil.copytree(PROJECT / "data", data)
    hall = data / "hall.yaml"  # by a code of its own each answer is known again
    hall.write_text(hall.read_text("utf-8").replace("same: true", "same: false"), "utf-8")
    with running(tmp_path_factory.mktemp("wechat").resolve(), DIANFU_DATA_DIR=str(data)) as made:
        yield made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Show what the processes said last under a test of the stack that has failed."""
    report = yield
    given = getattr(item, "funcargs", {})
    running = given.get("stack")
    if report.failed and running is not None and "which" not in given:  # not under each of a hundred questions
        report.sections.append(("the stack's last words", running.last_words()))
    return report


@pytest.fixture(scope="session")
def facts(stack: Stack) -> BillingFacts:
    from billing_facts import BillingFacts

    return BillingFacts(stack.root / "var" / "billing.db")


@pytest.fixture(scope="session")
def customers(facts: BillingFacts) -> dict[str, Customer]:
    from billing_facts import today

    day = today()
    found: dict[str, Customer] = {}
    for name, query in CUSTOMERS.items():
        text = query.format(debtors=DEBTORS)
        for key, value in {":today": day, ":long_ago": day - timedelta(days=500)}.items():
            text = text.replace(key, f"'{value}'")
        taken = {customer.customer_no for customer in found.values()}
        for (customer_id,) in facts.rows(text):
            [(number,)] = facts.rows("SELECT customer_no FROM customers WHERE id = ?", customer_id)
            if number not in taken:
                break
        else:
            pytest.fail(f"the demonstration data has no customer of the kind {name!r}")
        accounts = facts.rows(
            "SELECT account_no FROM accounts WHERE customer_id = ? AND closed_on IS NULL ORDER BY id", customer_id
        )
        found[name] = Customer(name, number, tuple(account for (account,) in accounts))
    return found


@pytest.fixture(scope="session")
def tokens(stack: Stack, customers: dict[str, Customer]) -> dict[str, str]:
    """A customer token for each, as `dianfu token` prints it."""
    return {
        name: stack.tool("token", *(word for number in one.accounts for word in ("--account-no", number)))
        for name, one in customers.items()
    }


@pytest.fixture
def client_of(stack: Stack, tokens: dict[str, str]) -> Iterator[Callable[[str | None], Client]]:
    """Return a function that opens a conversation for a customer by name, or for nobody."""
    from outside_client import Client

    opened: list[Client] = []

    def open_(name: str | None) -> Client:
        opened.append(Client(stack.url, tokens[name] if name else None))
        return opened[-1]

    yield open_
    for client in opened:
        client.close()


def within(seconds: float, true: Callable[[], bool]) -> bool:
    """Wait until something is true; tell whether it came true in time."""
    until = time.monotonic() + seconds
    while not (done := true()) and time.monotonic() < until:
        time.sleep(0.1)
    return done


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "last: ends the stack, so it runs after all others")
    config.addinivalue_line("markers", "alone: counts on the whole machine, so nothing runs beside it")


class Lanes(LoadScopeScheduling):
    """Two lanes of files side by side: those that share the one stack, and those that have others."""

    def _split_scope(self, nodeid: str) -> str:
        return "shared" if Path(nodeid.partition("::")[0]).stem in SHARED else "others"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Lanes:
    return Lanes(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)
