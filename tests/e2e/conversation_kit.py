"""Conversations as data: what a customer says and presses, what must be heard, and what must stand in the databases.

A file under `conversations/<behaviour>/` is one conversation (conversations/README.md describes the keys). It is played
over the published interface against the whole stack: the trained model, the real action server, real databases.
"""

from __future__ import annotations

import io
import re
import time
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from conftest import within
from conversation_files import Scenario
from conversation_stage import RECOVERED, Faults, Orders, Stage
from outside_client import Client, Message, buttons_of, cards_of, words_of

from core.clock import SHANGHAI

WRITTEN = 5.0
SETTLED = 1.5  # after it nothing more comes unasked
# Units and names that Chinese customers read every day; any other word of Latin letters is a leak.
LATIN = re.compile(r"[A-Za-z_]{2,}")
ALLOWED = {
    "App", "APP", "kWh", "kW", "kVA", "kvar", "kWp", "LED", "PDF", "OFD", "SIM", "NFC", "IC", "WiFi", "GB", "CO", "UPS",
    "TV", "MPa", "mA", "cm", "mm", "km",
}  # fmt: skip
NEVER = ("None", "{", "}", "utter_", "Traceback", "action_", "null", "nan")


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
