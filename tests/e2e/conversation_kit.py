"""Conversations as data: what a customer says and presses, what must be heard, and what must stand in the databases.

A file under `conversations/<behaviour>/` is one conversation (conversations/README.md describes the keys). It is played
over the published interface against the whole stack: the trained model, the real action server, real databases.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml
from conftest import Customer, within
from outside_client import Client, Message, buttons_of, cards_of, words_of

from core.clock import SHANGHAI
from ops.stack import Stack

HERE = Path(__file__).parent / "conversations"
RECOVERED = 120.0
PROCESSES, DATABASES = ("api", "actions", "rasa"), ("bridge", "billing", "workorder")
WRITTEN = 5.0
SETTLED = 1.5  # after it nothing more comes unasked
STEP_KEYS = {
    "as", "say", "press", "photo", "again", "signal", "dianfu", "hears", "quiet", "words", "any", "not", "once",
    "buttons", "card", "mode", "understood", "code",
    "later",
}  # fmt: skip
KEYS = {"about", "known", "customer", "assurance", "turns", "orders", "rows"}
ORDER_KEYS = {
    "kind", "count", "state", "category", "priority", "account", "address", "contact", "details", "events", "promise",
    "urges",
}  # fmt: skip
# Units and names that Chinese customers read every day; any other word of Latin letters is a leak.
LATIN = re.compile(r"[A-Za-z_]{2,}")
ALLOWED = {
    "App", "APP", "kWh", "kW", "kVA", "kvar", "kWp", "LED", "PDF", "OFD", "SIM", "NFC", "IC", "WiFi", "GB", "CO", "UPS",
    "TV", "MPa", "mA", "cm", "mm", "km",
}  # fmt: skip
NEVER = ("None", "{", "}", "utter_", "Traceback", "action_", "null", "nan")


@dataclass(frozen=True)
class Scenario:
    """One conversation as it stands in its file."""

    path: Path
    customer: str
    assurance: int
    turns: list[dict[str, Any]]
    orders: list[dict[str, Any]]
    rows: list[dict[str, Any]]
    known: str | None = None  # the defect for which it fails at present

    @property
    def name(self) -> str:
        return f"{self.path.parent.name}/{self.path.stem}"

    @property
    def disturbs(self) -> bool:
        """Whether others cannot talk meanwhile: processes stop, outages are moved, neighbours report."""
        return any({"signal", "dianfu", "as"} & set(turn) for turn in self.turns)


def load(path: Path) -> Scenario:
    """Read a file; an unknown key is an error, or a check could silently not be made."""
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(raw) <= KEYS, f"{path}: unknown keys {set(raw) - KEYS}"
    for turn in raw["turns"]:
        assert set(turn) <= STEP_KEYS, f"{path}: unknown keys {set(turn) - STEP_KEYS}"
    for order in raw.get("orders", []):
        assert set(order) <= ORDER_KEYS, f"{path}: unknown keys {set(order) - ORDER_KEYS}"
    assert (
        raw.get("orders") is not None
        or raw.get("rows")
        or any(set(turn) & STEP_KEYS - {"say"} for turn in raw["turns"])
    )
    return Scenario(
        path, raw["customer"], raw.get("assurance", 1), raw["turns"], raw.get("orders", []), raw.get("rows", []),
        raw.get("known"),
    )  # fmt: skip


def scenarios() -> list[Scenario]:
    return [load(path) for path in sorted(HERE.glob("*/*.yaml"))]


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


class Play:
    """One conversation being played, with the conversations of neighbours beside it."""

    def __init__(self, stage: Stage, scenario: Scenario) -> None:
        self.stage, self.scenario = stage, scenario
        self.faults = Faults(stage.stack)
        self.clients = {"": stage.client(scenario.customer, scenario.assurance)}
        self.heard: dict[str, list[Message]] = {}
        self.speaker = ""
        self.opened: list[str] = []
        self.said = ""  # by the customers: their own words may come back to them
        self.outages_before = stage.last_outage()
        self.values: dict[str, str] = {"conversation": self.client.conversation_id}
        for name, days in {"today": 0, "tomorrow": 1, "in_nine_days": 9}.items():
            self.values[name] = f"{datetime.now(SHANGHAI) + timedelta(days=days):%Y-%m-%d}"
        if scenario.customer != "nobody":
            for place, number in enumerate(stage.customers[scenario.customer].accounts):
                self.values[f"account{place or ''}"], self.values[f"tail{place or ''}"] = number, number[-4:]
        for other in stage.customers.values():
            self.values[other.name], self.values[f"{other.name}_tail"] = other.accounts[0], other.accounts[0][-4:]

    def run(self) -> None:
        try:
            for place, turn in enumerate(self.scenario.turns, 1):
                self._step(turn)
                self._check(turn, f"turn {place}: {turn.get('say') or turn.get('press') or turn}")
            self._check_orders()
            self._check_rows()
            log = self.client.history()
            assert [one["seq"] for one in log] == list(range(1, len(log) + 1))
        finally:
            self.faults.over()
            for outage in self.opened:
                self.stage.sql("workorder", "UPDATE outages SET state = 'restored' WHERE outage_no = :no", no=outage)
            for client in self.clients.values():
                self.stage.forget(client.conversation_id, self.outages_before)
                client.close()

    # -- who speaks

    @property
    def client(self) -> Client:
        return self.clients[self.speaker]

    @property
    def replies(self) -> list[Message]:
        """What the one who speaks heard last."""
        return self.heard.get(self.speaker, [])

    def _speaks(self, who: str) -> None:
        """Let another conversation go on: `nobody/2` is the second of those who are not logged in."""
        self.speaker = who
        if who not in self.clients:
            self.clients[who] = self.stage.client(who.partition("/")[0], 1)

    # -- steps

    def _step(self, turn: Mapping[str, Any]) -> None:
        self._speaks(turn.get("as", ""))
        if "signal" in turn:
            self._signal(turn["signal"])
        if "dianfu" in turn:
            self._operate(self._filled(turn["dianfu"]).split())
        self._speak(turn)
        self._listen(turn)

    def _speak(self, turn: Mapping[str, Any]) -> None:
        if "say" in turn:
            self._say(self._filled(turn["say"]), again=bool(turn.get("again")))
        if "press" in turn:
            title = self._filled(turn["press"])
            found = [button for shown, button in buttons_of(self.replies).items() if title in shown]
            assert found, f"no button {title!r} among {list(buttons_of(self.replies))}"
            self._answered(self.client.press(found[0]))
        if "code" in turn:
            self._answered(self.client.ask(self._value("code")))
        if "photo" in turn:
            self._answered(self._photo())

    def _say(self, text: str, *, again: bool) -> None:
        client_id = uuid.uuid4().hex
        self.said += f"{text}\n"
        self._answered(self.client.ask(text, client_id))
        if again:
            before = self.replies
            self._answered(self.client.ask(text, client_id))
            assert self.replies == before, "the same message sent twice was answered twice"

    def _listen(self, turn: Mapping[str, Any]) -> None:
        if "hears" in turn:
            self._hears([self._filled(word) for word in turn["hears"]])
        if "later" in turn:
            self._later([self._filled(word) for word in turn["later"]])
        if turn.get("quiet"):
            time.sleep(SETTLED)
            assert not self._unasked(), f"unasked: {words_of(self._unasked())!r}"

    def _operate(self, words: list[str]) -> None:
        """Run an operator's command; an outage that it opens is `<outage>` from then on."""
        printed = self.stage.stack.tool(*words)
        if words[0] == "outage" and (found := re.search(r"T\d{12}", printed)):
            self.opened.append(found[0])

    def _answered(self, replies: list[Message]) -> None:
        self.heard[self.speaker] = replies
        for message in replies:
            text = message["text"]
            assert text.strip(), "an empty reply"
            leaked = [word for word in NEVER if word in text]
            latin = [word for word in LATIN.findall(text) if word not in ALLOWED and word not in self.said]
            assert not leaked, f"{leaked} in {text!r}"
            assert not latin, f"{latin} in {text!r}"

    def _signal(self, what: str) -> None:
        if what == "await ready":
            assert within(RECOVERED, self.stage.ready), self.stage.stack.last_words()
        else:
            self.faults.do(what)

    def _photo(self) -> list[Message]:
        from PIL import Image

        picture = io.BytesIO()
        Image.new("RGB", (640, 480), (90, 120, 60)).save(picture, "JPEG")
        sent = self.client.http.post(
            "/v1/uploads", content=picture.getvalue(), headers={**self.client.headers, "Content-Type": "image/jpeg"}
        )
        assert sent.status_code == 201, sent.text
        response = self.client.post(upload_id=sent.json()["upload_id"])
        return self.client._replies(response)

    def _hears(self, words: list[str]) -> None:
        """Wait for something that comes unasked, once; its buttons can be pressed next."""

        def said() -> str:
            return words_of(self._unasked())

        assert within(15, lambda: all(word in said() for word in words)), f"{words} not in {said()!r}"
        heard = said()
        time.sleep(SETTLED)
        assert said() == heard, "told twice"
        texts = [one["text"] for one in self._unasked()]
        assert len(set(texts)) == len(texts), f"told twice: {texts}"
        self._answered(self._unasked())

    def _later(self, words: list[str]) -> None:
        """Wait for the answer that was promised when something was out of order; it is given once."""
        after = self.replies[-1]["seq"]

        def said() -> list[Message]:
            return [one for one in self.client.history(after) if one["author"] in ("bot", "system")]

        assert within(RECOVERED / 3, lambda: all(word in words_of(said()) for word in words)), (
            f"{words} not in {words_of(said())!r}"
        )
        time.sleep(SETTLED)
        texts = [one["text"] for one in said()]
        assert len(set(texts)) == len(texts), f"answered twice: {texts}"
        self._answered(said())

    def _unasked(self) -> list[Message]:
        after = self.replies[-1]["seq"] if self.replies else 0
        return [one for one in self.client.history(after) if one["author"] == "system"]

    # -- checks

    def _check(self, turn: Mapping[str, Any], where: str) -> None:
        said = words_of(self.replies)
        shown = list(buttons_of(self.replies))
        missing = [word for word in turn.get("words", []) if self._filled(word) not in said]
        assert not missing, f"{where}: {missing} not in {said!r}"
        if "any" in turn:
            assert any(self._filled(word) in said for word in turn["any"]), (
                f"{where}: none of {turn['any']} in {said!r}"
            )
        present = [word for word in turn.get("not", []) if self._filled(word) in said]
        assert not present, f"{where}: {present} in {said!r}"
        often = {word: said.count(self._filled(word)) for word in turn.get("once", [])}
        assert set(often.values()) <= {1}, f"{where}: {often} in {said!r}"
        absent = [title for title in turn.get("buttons", []) if not any(self._filled(title) in one for one in shown)]
        assert not absent, f"{where}: no button {absent} among {shown}"
        if "card" in turn:
            assert cards_of(self.replies, turn["card"]), f"{where}: no {turn['card']}"
        if "mode" in turn:
            assert self.client.mode == turn["mode"], where
        if "understood" in turn:
            assert self._understood() == turn["understood"], f"{where}: {self._understood()}"

    def _understood(self) -> str | None:
        rows = self.stage.sql(
            "bridge",
            "SELECT json_extract(understood, '$.intent') FROM messages WHERE conversation_id = :conversation"
            " AND author = 'customer' ORDER BY seq DESC LIMIT 1",
            conversation=self.client.conversation_id,
        )
        return rows[0][0] if rows else None

    def _check_orders(self) -> None:
        """Look at the orders; one of a danger is written by way of the outbox, a moment after it was promised."""
        until = time.monotonic() + WRITTEN
        while True:
            try:
                return self._orders_stand()
            except AssertionError:
                if time.monotonic() > until:
                    raise
            time.sleep(0.2)

    def _orders_stand(self) -> None:
        filed = Orders(self.stage, [client.conversation_id for client in self.clients.values()])
        expected = sum(one.get("count", 1) for one in self.scenario.orders)
        assert len(filed.rows) == expected, f"{len(filed.rows)} orders filed: {[row['kind'] for row in filed.rows]}"
        for one in self.scenario.orders:
            found = [row for row in filed.rows if row["kind"] == one["kind"]]
            assert len(found) == one.get("count", 1), f"{one['kind']}: {[row['kind'] for row in filed.rows]}"
            for row in found:
                filed.check(row, one, self._filled)

    def _check_rows(self) -> None:
        for check in self.scenario.rows:
            rows = self.stage.sql(check["database"], check["sql"], **self.values)
            assert [list(row) for row in rows] == check["are"], f"{check['sql']}: {rows}"

    def _filled(self, text: str) -> str:
        return re.sub(r"<(\w+)>", lambda found: self._value(found[1]), str(text))

    def _value(self, name: str) -> str:
        if name == "order":
            return self._newest("SELECT order_no FROM work_orders WHERE conversation_id = :of ORDER BY id DESC")
        if name == "code":
            return self._code()
        if name == "outage" and self.opened:
            return self.opened[-1]
        if name == "outage":
            return self._newest(
                "SELECT o.outage_no FROM outages o JOIN outage_reports r ON r.outage_id = o.id"
                " WHERE r.conversation_id = :of ORDER BY o.id DESC"
            )
        return self.values[name]

    def _code(self) -> str:
        """Return the newest one-time code of the conversation that speaks, as its telephone would show it."""
        shown = self.client.http.get("/demo/codes", headers=self.client.headers)
        assert shown.status_code == 200, shown.text
        assert shown.json(), "no code was sent"
        return str(shown.json()[0]["code"])

    def _newest(self, query: str) -> str:
        """Return what the conversation that speaks has, else the first of the others that has one."""
        for client in (self.client, *self.clients.values()):
            if found := self.stage.sql("workorder", query, of=client.conversation_id):
                return str(found[0][0])
        raise AssertionError(f"nothing found: {query}")


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
