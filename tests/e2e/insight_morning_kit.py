"""What a supervisor's morning needs: a stack with a past and models of its own, and what was meant by what was said."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from core.seed.agents import DEMO_PASSWORD
from ops.stack import PROJECT, Stack

if TYPE_CHECKING:
    from playwright.sync_api import Page

SUPERVISOR = "tanyun"
MODEL = "dianfu.tar.gz"
TAKEN = "a new model answers from now on"  # what Rasa says in the log


@contextmanager
def office(root: Path, told: Callable[[str], None]) -> Iterator[Stack]:
    """Give a running stack with sixty days behind it, whose models may be replaced; nothing of it is left."""
    stack = Stack(root, customers=150, months=26, history=True)
    stack.prepare()
    (root / "models").unlink()
    (root / "models").mkdir()
    for path in (PROJECT / "models").glob("dianfu*"):
        if path.is_file():
            shutil.copy2(path, root / "models")
    (root / "tests").symlink_to(PROJECT / "tests")  # the validation sets
    try:
        stack.start(told)
        yield stack
    finally:
        stack.stop()
    deadline = time.monotonic() + 5
    while stack.processes() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not stack.processes(), f"still running: {stack.processes()}"


def meant() -> dict[str, str]:
    """Return what the people of the demonstration's past meant, by what they said, where an intent fits it."""
    themes = yaml.safe_load((PROJECT / "data" / "demo" / "talks.yaml").read_text("utf-8"))["themes"]
    return {text: theme["intent"] for theme in themes if theme.get("intent") for text in theme["messages"]}


def sign_in(page: Page, url: str) -> None:
    """Sign in by the form, as the demonstration's supervisor."""
    page.goto(f"{url}/insight")
    page.get_by_label("登录名", exact=True).fill(SUPERVISOR)
    page.get_by_label("密码", exact=True).fill(DEMO_PASSWORD)
    page.get_by_role("button", name="登录", exact=True).click()
    page.get_by_role("navigation", name="看板").wait_for()


def settled(page: Page) -> None:
    """Wait until nothing is being read or drawn."""
    page.locator("main.page").wait_for()  # before that there is nothing to be read
    page.locator(".bone").first.wait_for(state="hidden", timeout=120_000)
    page.get_by_text("正在读取").first.wait_for(state="hidden", timeout=120_000)
    page.wait_for_timeout(400)


def asked(page: Page, url: str, path: str) -> Any:
    """Return what the bridge answers the page's session."""
    answer = page.request.get(f"{url}/v1/insight/{path}")
    assert answer.ok, answer.text()
    return answer.json()


def groups_about(page: Page, url: str, intent: str) -> list[dict[str, Any]]:
    """Return the groups with messages whose meaning is known, those first in which most people meant `intent`."""
    truth, found = meant(), []
    for group in asked(page, url, "learning/groups?limit=50")["groups"]:
        items = asked(page, url, f"learning/groups/{group['id']}?state=open&limit=200")["items"]
        texts = {one["text"] for one in items} & set(truth)
        found.append((sum(truth[text] == intent for text in texts), len(texts), group))
    return [group for _, known, group in sorted(found, key=lambda one: one[:2], reverse=True) if known]


def intents_of(stack: Stack, conversation_id: str) -> list[str | None]:
    """Return what the model made of each message that a customer wrote."""
    with closing(sqlite3.connect(f"file:{stack.root / 'var' / 'bridge.db'}?mode=ro", uri=True)) as database:
        rows = database.execute(
            "SELECT understood FROM messages WHERE conversation_id = ? AND author = 'customer' ORDER BY seq",
            (conversation_id,),
        ).fetchall()
    return [(json.loads(one) or {}).get("intent") if one else None for (one,) in rows]


def times_taken(stack: Stack) -> int:
    """Return how often Rasa has taken a new model."""
    return stack.log.read_text(errors="replace").count(TAKEN)


def within(seconds: float, true: Callable[[], bool]) -> bool:
    """Tell whether something becomes true in time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True


def pictures_of(pdf: Path, folder: Path) -> list[Path]:
    """Draw the pages of a PDF where there is something to draw them with."""
    tool = shutil.which("pdftoppm")
    if tool is None:
        return []
    subprocess.run([tool, "-r", "80", "-png", str(pdf), str(folder / "insight-weekly")], check=True, timeout=60)
    return sorted(folder.glob("insight-weekly*.png"))
