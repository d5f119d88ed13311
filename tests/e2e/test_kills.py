"""Any process may be killed at any moment: the customer is told, nothing is lost, doubled or out of order."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from billing_facts import BillingFacts, month_of, today, yuan
from conftest import Customer, within
from outside_client import Client, Message, buttons_of, cards_of, next_message, words_of

from ops.stack import Stack

OpenAs = Callable[[str | None], Client]
DEADLINE, MARGIN = 8.0, 2.0
RECOVERED = 120.0
QUESTION = "我上个月电费多少"
SORRY = "95598"
DANGER = "路边的高压线断了，垂在地上，好多人围着看"


def ready(stack: Stack) -> bool:
    try:
        return httpx.get(f"{stack.url}/readyz", timeout=5, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture(autouse=True)
def _whole(stack: Stack) -> Iterator[None]:
    """Each test begins with a stack that can answer, and lets no process sleep on."""
    assert within(RECOVERED, lambda: ready(stack)), stack.last_words()
    yield
    for name in ("api", "actions", "rasa"):
        send(stack, name, signal.SIGCONT)


def send(stack: Stack, name: str, number: signal.Signals) -> list[int]:
    pids = stack.pids(name)
    for pid in pids:
        os.kill(pid, number)
    return pids


def in_the_middle(
    client: Client, stack: Stack, stopped: str, text: str, act: Callable[[], object]
) -> tuple[list[Message], float]:
    """Ask while a process sleeps, do something when the message is in the log; return the replies and the seconds."""
    before = len(client.history())
    assert send(stack, stopped, signal.SIGSTOP)
    with ThreadPoolExecutor() as pool:
        began = time.monotonic()
        asking = pool.submit(client.ask, text)
        reader = Client.__new__(Client)
        reader.http, reader.headers = httpx.Client(base_url=stack.url, timeout=10, trust_env=False), client.headers
        assert within(5, lambda: len(reader.history()) > before)
        time.sleep(0.5)
        act()
        replies = asking.result(timeout=30)
        reader.close()
        return replies, time.monotonic() - began


def assert_apology(replies: list[Message], seconds: float) -> None:
    assert seconds <= DEADLINE + MARGIN
    assert not cards_of(replies)
    assert SORRY in words_of(replies)
    assert set(buttons_of(replies)) == {"再试一次", "转人工"}


def assert_last_bill(replies: list[Message], customer: Customer, facts: BillingFacts) -> None:
    [bill] = facts.bills(customer.accounts[0], month_of(today(), -1), today())
    [card] = cards_of(replies, "bill_card")
    assert card["amount"] == yuan(bill.amount)


@pytest.mark.parametrize("name", ["rasa", "actions"])
def test_a_process_killed_in_the_middle_of_a_turn_becomes_an_apology_and_the_next_turn_works(
    name: str, stack: Stack, client_of: OpenAs, customers: dict[str, Customer], facts: BillingFacts
) -> None:
    client = client_of("family")
    killed: list[int] = []
    replies, seconds = in_the_middle(
        client, stack, name, QUESTION, lambda: killed.extend(send(stack, name, signal.SIGKILL))
    )
    assert killed
    assert_apology(replies, seconds)
    log = client.history()
    assert [one["text"] for one in log if one["author"] == "customer"] == [QUESTION]
    assert within(RECOVERED, lambda: ready(stack))
    assert set(stack.pids(name)).isdisjoint(killed)
    again = client.press(buttons_of(replies)["再试一次"])
    assert_last_bill(again, customers["family"], facts)
    assert [one["seq"] for one in client.history()] == list(range(1, len(client.history()) + 1))


def test_a_rasa_that_hangs_becomes_an_apology_within_the_deadline(
    stack: Stack, client_of: OpenAs, customers: dict[str, Customer], facts: BillingFacts
) -> None:
    client = client_of("family")
    replies, seconds = in_the_middle(client, stack, "rasa", QUESTION, lambda: None)
    assert_apology(replies, seconds)
    send(stack, "rasa", signal.SIGCONT)
    assert within(RECOVERED, lambda: ready(stack))
    assert_last_bill(client.ask(QUESTION), customers["family"], facts)


def test_danger_is_answered_at_once_and_filed_once_while_rasa_is_dead(stack: Stack, client_of: OpenAs) -> None:
    client = client_of("family")
    send(stack, "rasa", signal.SIGKILL)
    began = time.monotonic()
    replies = client.ask(DANGER)
    assert time.monotonic() - began < 3
    assert [one["type"] for one in replies] == ["safety"]
    assert "8 米" in words_of(replies)
    assert "95598" in words_of(replies)
    assert client.mode == "queued"
    orders = f"file:{stack.root}/var/workorder.db?mode=ro"
    query = "SELECT count(*), max(priority) FROM work_orders WHERE cause LIKE ?"

    def filed() -> tuple[int, str]:
        database = sqlite3.connect(orders, uri=True)
        found: tuple[int, str] = database.execute(query, (f"{client.conversation_id}:%",)).fetchone()
        database.close()
        return found

    assert within(20, lambda: filed()[0] > 0)
    time.sleep(2)
    assert filed() == (1, "urgent")


def test_a_person_can_be_had_while_rasa_is_dead(stack: Stack, client_of: OpenAs) -> None:
    client = client_of("family")
    send(stack, "rasa", signal.SIGKILL)
    replies = client.ask("转人工")
    assert client.mode == "queued"
    assert "95598" in words_of(replies)
    assert words_of(client.ask("我是来问上个月账单的"))
    kept = [one["text"] for one in client.history() if one["author"] == "customer"]
    assert kept == ["转人工", "我是来问上个月账单的"]


def send_until_answered(client: Client, text: str, client_id: str) -> list[Message]:
    """What a good client does: the same `client_id` again until there is an answer."""
    until = time.monotonic() + RECOVERED
    while True:
        try:
            answer = client.http.post(
                "/v1/messages", json={"client_id": client_id, "text": text}, headers=client.headers
            )
            if answer.status_code == 200 and not answer.json()["pending"]:
                return list(answer.json()["messages"])
        except httpx.HTTPError:
            pass
        assert time.monotonic() < until, "no answer in time"
        time.sleep(0.2)


def assert_log_is_whole(log: list[Message], sent: list[str]) -> None:
    assert [one["seq"] for one in log] == list(range(1, len(log) + 1))
    assert [one["text"] for one in log if one["author"] == "customer"] == sent


def test_a_turn_cut_off_by_the_death_of_the_bridge_is_answered_once_when_asked_again(
    stack: Stack, client_of: OpenAs, customers: dict[str, Customer], facts: BillingFacts
) -> None:
    client, client_id = client_of("family"), uuid.uuid4().hex
    send(stack, "actions", signal.SIGSTOP)
    with ThreadPoolExecutor() as pool:
        sending = pool.submit(client.ask, QUESTION, client_id)
        assert within(5, lambda: _logged(stack, client.conversation_id) == 1)
        killed = send(stack, "api", signal.SIGKILL)
        assert killed
        send(stack, "actions", signal.SIGCONT)
        with pytest.raises(httpx.HTTPError):
            sending.result(timeout=30)
    replies = send_until_answered(client, QUESTION, client_id)
    assert_last_bill(replies, customers["family"], facts)
    time.sleep(2)  # a second answer would come by the sweep
    log = client.history()
    assert_log_is_whole(log, [QUESTION])
    assert log[1:] == replies
    assert send_until_answered(client, QUESTION, client_id) == replies


def _logged(stack: Stack, conversation_id: str) -> int:
    database = sqlite3.connect(f"file:{stack.root}/var/bridge.db?mode=ro", uri=True)
    [(count,)] = database.execute("SELECT count(*) FROM messages WHERE conversation_id = ?", (conversation_id,))
    database.close()
    return int(count)


def test_twenty_messages_survive_two_deaths_of_the_bridge(stack: Stack, client_of: OpenAs) -> None:
    client = client_of("family")
    words = ["上个月电费多少", "那用了多少度呢", "谢谢", "余额还有多少", "你好"]
    sent = [f"{words[number % len(words)]}，第{number}次问" for number in range(20)]
    reached = threading.Semaphore(0)

    def killing() -> int:
        deaths = 0
        for _ in range(2):
            for _ in range(6):
                reached.acquire()
            deaths += len(send(stack, "api", signal.SIGKILL))
            within(RECOVERED, lambda: ready(stack))
        return deaths

    with ThreadPoolExecutor() as pool:
        deaths = pool.submit(killing)
        for text in sent:
            reached.release()
            assert send_until_answered(client, text, uuid.uuid4().hex)
        assert deaths.result(timeout=RECOVERED) == 2
    log = client.history()
    assert_log_is_whole(log, sent)
    asked = [place for place, one in enumerate(log) if one["author"] == "customer"]
    following = [*asked[1:], len(log)]
    assert all(after > place + 1 for place, after in zip(asked, following, strict=True)), "a message without an answer"
    with client.stream() as socket:
        assert [next_message(socket) for _ in log] == log


def test_a_stream_taken_up_again_shows_what_was_missed_once(stack: Stack, client_of: OpenAs) -> None:
    client = client_of("family")
    with client.stream() as socket:
        first = client.ask("你好")
        seen = [next_message(socket) for _ in range(len(first) + 1)]
        send(stack, "api", signal.SIGKILL)
    assert within(RECOVERED, lambda: ready(stack))
    client.ask(QUESTION)
    rest = client.history(after=seen[-1]["seq"])
    with client.stream(after=seen[-1]["seq"]) as socket:
        assert [next_message(socket) for _ in rest] == rest


@pytest.mark.last
def test_the_death_of_serve_leaves_no_process(stack: Stack) -> None:
    assert len(stack.processes()) > 3
    os.kill(stack.serve_pid, signal.SIGKILL)
    stack.reap()
    assert within(30, lambda: not stack.processes()), stack.processes()
