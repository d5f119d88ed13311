"""Between the confirmation and the write any process may die: one order, never two, and never none."""

from __future__ import annotations

import signal
import sqlite3
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from conftest import Customer, within
from outside_client import Client, Message, buttons_of, words_of
from test_kills import RECOVERED, ready, send

from ops.stack import Stack

NUMBER = r"20\d{12}"


@pytest.fixture(autouse=True)
def _whole(stack: Stack) -> Iterator[None]:
    assert within(RECOVERED, lambda: ready(stack)), stack.last_words()
    yield
    for name in ("api", "actions", "rasa"):
        send(stack, name, signal.SIGCONT)


@pytest.fixture
def client(stack: Stack, customers: dict[str, Customer]) -> Iterator[Client]:
    """A farmer with a fresh one-time code, before whose eyes the summary of a form stands."""
    [number] = customers["farm"].accounts
    _orders(stack, "UPDATE work_orders SET state = 'closed' WHERE account_no = ?", number)
    opened = Client(stack.url, stack.tool("token", "--account-no", number, "--assurance", "2"))
    replies = opened.ask("我要申请校表，觉得表走得太快了")
    for _ in range(6):
        if "请核对" in words_of(replies):
            break
        titles = buttons_of(replies)
        assert titles, words_of(replies)
        skip = [button for title, button in titles.items() if "跳过" in title]
        replies = opened.press([*skip, *titles.values()][0])
    assert "请核对" in words_of(replies), words_of(replies)
    yield opened
    opened.close()


def _orders(stack: Stack, query: str, *values: str) -> list[tuple[str, ...]]:
    database = sqlite3.connect(stack.root / "var" / "workorder.db", timeout=10)
    with database:
        found = database.execute(query, values).fetchall()
    database.close()
    return found


def filed(stack: Stack, client: Client) -> list[str]:
    query = "SELECT order_no FROM work_orders WHERE conversation_id = ?"
    return [number for (number,) in _orders(stack, query, client.conversation_id)]


def told(client: Client) -> list[Message]:
    return [one for one in client.history() if one["author"] == "bot" and "已受理" in one["text"]]


def logged(stack: Stack, client: Client) -> int:
    database = sqlite3.connect(f"file:{stack.root}/var/bridge.db?mode=ro", uri=True)
    query = "SELECT count(*) FROM messages WHERE conversation_id = ? AND author = 'customer'"
    [(count,)] = database.execute(query, (client.conversation_id,))
    database.close()
    return int(count)


def repeat_until_done(client: Client, client_id: str) -> None:
    """What a good client does: the same message again until it is answered for good."""
    until = time.monotonic() + RECOVERED
    while time.monotonic() < until:
        try:
            answer = client.post(client_id=client_id, text="确认")
            if answer.status_code == 200 and not answer.json()["pending"]:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.3)
    pytest.fail("no answer in time")


def assert_one_order_told_once(stack: Stack, client: Client) -> None:
    [number] = filed(stack, client)
    [answer] = told(client)
    assert number in answer["text"]
    log = client.history()
    assert [one["seq"] for one in log] == list(range(1, len(log) + 1))
    assert [one["text"] for one in log if one["author"] == "customer"].count("确认") == 1


@pytest.mark.parametrize("killed", ["api", "actions", "rasa"])
@pytest.mark.parametrize("asleep", ["actions"])
def test_a_confirmation_cut_off_by_a_death_becomes_one_order(
    killed: str, asleep: str, stack: Stack, client: Client
) -> None:
    before, client_id = logged(stack, client), uuid.uuid4().hex
    send(stack, asleep, signal.SIGSTOP)
    with ThreadPoolExecutor() as pool:
        sending = pool.submit(client.post, client_id=client_id, text="确认")
        assert within(5, lambda: logged(stack, client) > before)
        time.sleep(0.4)
        assert send(stack, killed, signal.SIGKILL)
        send(stack, asleep, signal.SIGCONT)
        sending.exception(timeout=30)
    repeat_until_done(client, client_id)
    time.sleep(4)  # a second run would come by the sweep
    assert_one_order_told_once(stack, client)


def test_a_confirmation_killed_right_after_the_write_is_told_the_same_number(stack: Stack, client: Client) -> None:
    """The order is there before Rasa has heard of it: the turn that is run again finds it."""
    client_id = uuid.uuid4().hex
    with ThreadPoolExecutor() as pool:
        sending = pool.submit(client.post, client_id=client_id, text="确认")
        assert within(8, lambda: bool(filed(stack, client)))
        send(stack, "rasa", signal.SIGKILL)
        send(stack, "api", signal.SIGKILL)
        sending.exception(timeout=30)
    repeat_until_done(client, client_id)
    time.sleep(4)
    assert_one_order_told_once(stack, client)


def test_twelve_confirmations_at_once_file_one_order(stack: Stack, client: Client) -> None:
    client_id = uuid.uuid4().hex
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: client.post(client_id=client_id, text="确认"), range(12)))
    assert {answer.status_code for answer in answers} == {200}
    repeat_until_done(client, client_id)
    assert_one_order_told_once(stack, client)


def test_a_second_and_third_press_file_nothing_more(stack: Stack, client: Client) -> None:
    shown = buttons_of(client.history())
    submit = next(button for title, button in shown.items() if "确认提交" in title)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: client.post(button_id=submit), range(3)))
    assert within(10, lambda: bool(told(client)))
    [number] = filed(stack, client)
    assert len(told(client)) == 1
    assert number in told(client)[0]["text"]
