"""What conversations are played on: the running stack, its databases, its faults, and the orders that were filed."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from conftest import Customer
from outside_client import Client

from ops.stack import Stack

RECOVERED = 120.0
PROCESSES, DATABASES = ("api", "actions", "rasa"), ("bridge", "billing", "workorder")


@dataclass
class Stage:
    """The stack and the tokens of those who play."""

    stack: Stack
    customers: Mapping[str, Customer]
    tokens: dict[tuple[str, int], str] = field(default_factory=dict)

    def client(self, name: str, assurance: int) -> Client:
        if name == "nobody":
            return Client(self.stack.url)
        if (name, assurance) not in self.tokens:
            words = [word for number in self.customers[name].accounts for word in ("--account-no", number)]
            self.tokens[name, assurance] = self.stack.tool("token", *words, "--assurance", str(assurance))
        return Client(self.stack.url, self.tokens[name, assurance])

    def sql(self, database: str, query: str, **values: object) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.stack.root / "var" / f"{database}.db", timeout=10)
        try:
            with connection:
                return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.stack.url}/readyz", timeout=5, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def tidy(self, name: str) -> None:
        """Let what this customer filed before be over: another day, another conversation."""
        if name == "nobody":
            return
        customer = self.customers[name]
        for account in customer.accounts:
            self.sql(
                "workorder",
                "UPDATE work_orders SET state = 'closed' WHERE (account_no = :account OR customer_no = :customer)"
                " AND cause NOT LIKE 'seed%'",
                account=account, customer=customer.customer_no,
            )  # fmt: skip

    def last_outage(self) -> int:
        return int(self.sql("workorder", "SELECT coalesce(max(id), 0) FROM outages")[0][0])

    def forget(self, conversation_id: str, outages_since: int) -> None:
        """Let what a conversation left be over: another half hour, another neighbourhood."""
        of_it = {"conversation": conversation_id}
        reported = "SELECT outage_id FROM outage_reports WHERE conversation_id = :conversation"
        over = f"UPDATE outages SET state = 'restored' WHERE id > :since AND id IN ({reported})"
        self.sql("workorder", over, since=outages_since, **of_it)
        aged = "UPDATE outage_reports SET at = datetime(at, '-1 day') WHERE conversation_id = :conversation"
        self.sql("workorder", aged, **of_it)
        filed = (
            "UPDATE work_orders SET state = 'closed' WHERE conversation_id = :conversation AND cause NOT LIKE 'seed%'"
        )
        self.sql("workorder", filed, **of_it)
        # What somebody bound or let go would hold for their next conversation, and codes are counted for a day.
        self.sql("bridge", "DELETE FROM bindings WHERE conversation_id = :conversation", **of_it)
        older = "UPDATE one_time_codes SET sent_at = datetime(sent_at, '-2 days') WHERE conversation_id = :conversation"
        self.sql("bridge", older, **of_it)


class Faults:
    """What is out of order: processes that sleep, databases that cannot be written."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.locks: dict[str, sqlite3.Connection] = {}
        self.timers: list[threading.Timer] = []
        self.asleep: set[str] = set()

    def do(self, what: str) -> None:
        """Obey "stop rasa", "go rasa", "kill rasa", "pause rasa 3" (goes on by itself); databases: all but kill."""
        verb, name, *seconds = what.split()
        if verb == "pause":
            self.stop(name)
            self.timers.append(threading.Timer(float(seconds[0]), self.go, [name]))
            self.timers[-1].start()
        elif verb == "kill":
            self._send(name, signal.SIGKILL)
        else:
            {"stop": self.stop, "go": self.go}[verb](name)

    def stop(self, name: str) -> None:
        if name in DATABASES:
            path = self.stack.root / "var" / f"{name}.db"
            lock = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
            lock.execute("BEGIN IMMEDIATE")
            self.locks[name] = lock
        else:
            self._send(name, signal.SIGSTOP)
            self.asleep.add(name)

    def go(self, name: str) -> None:
        if name in DATABASES:
            self.locks.pop(name).close()
        else:
            self._send(name, signal.SIGCONT)
            self.asleep.discard(name)

    def over(self) -> None:
        """Let everything work again."""
        for timer in self.timers:
            timer.join()
        for name in (*self.asleep, *self.locks):
            self.go(name)

    def _send(self, name: str, number: signal.Signals) -> None:
        assert name in PROCESSES, f"neither a process nor a database: {name}"
        pids = self.stack.pids(name)
        assert pids or number == signal.SIGCONT, f"no process {name}"
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


class Orders:
    """The orders that some conversations filed, with their encrypted parts in clear."""

    def __init__(self, stage: Stage, conversations: list[str]) -> None:
        from core.fields import Keyring

        self.stage = stage
        secrets = stage.stack.secrets
        self.keyring = Keyring.parse(secrets["DIANFU_FIELD_KEYS"], secrets["DIANFU_LOOKUP_KEY"])
        names = "id order_no kind category priority state account_no urges address_cipher contact_cipher details_cipher"
        query = f"SELECT {', '.join(names.split())} FROM work_orders WHERE conversation_id = :conversation ORDER BY id"
        found = [row for one in conversations for row in stage.sql("workorder", query, conversation=one)]
        self.rows = [dict(zip(names.split(), row, strict=True)) for row in found]

    def check(self, row: Mapping[str, Any], one: Mapping[str, Any], filled: Callable[[str], str]) -> None:
        for name in ("state", "priority", "urges"):
            if name in one:
                assert row[name] == one[name], f"{name}: {row[name]}"
        if "category" in one:
            assert one["category"] in row["category"], row["category"]
        if "account" in one:
            assert row["account_no"] == (filled(one["account"]) if one["account"] else None)
        for part in ("address", "contact", "details"):
            if part in one:
                said = self._clear(row, part)
                words = one[part] if isinstance(one[part], list) else [one[part]]
                assert all(filled(word) in said for word in words), f"{part}: {said!r}"
        if "events" in one:
            kinds = self.stage.sql(
                "workorder", "SELECT kind FROM order_events WHERE order_id = :id ORDER BY seq", id=row["id"]
            )
            assert [kind for (kind,) in kinds] == one["events"], kinds
        if "promise" in one:
            query = "SELECT kind FROM promises WHERE subject_kind = 'order' AND subject_id = :id AND moved_to IS NULL"
            assert one["promise"] in [kind for (kind,) in self.stage.sql("workorder", query, id=row["id"])]

    def _clear(self, row: Mapping[str, Any], part: str) -> str:
        from core.work_order.tables import order_context

        cipher = row[f"{part}_cipher"]
        return self.keyring.decrypt(cipher, order_context(part, row["order_no"])) if cipher else ""
