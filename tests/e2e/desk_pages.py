"""The agents' console as a person uses it in a browser, and a colleague who clears what earlier tests left behind."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from core.seed.agents import DEMO_PASSWORD
from ops.stack import PROJECT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

    from ops.stack import Stack

SECONDS = 1000.0
WIDE = {"width": 1440, "height": 900}
SHOTS = PROJECT / os.environ.get("DIANFU_SCREENSHOTS", "var/ci")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
WATCH = """
window.__broken = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.__broken.push(event.violatedDirective + " " + event.blockedURI));
"""
# What the changed copy of data/desk says instead: a test cannot wait for 90 seconds, nor for the hours of the desk.
SHORTER = {
    "limits.yaml": {"vanish_seconds: 90": "vanish_seconds: 25"},
    "hours.yaml": {f"  {skill}: desk": f"  {skill}: round_the_clock" for skill in ("billing", "business", "complaint")},
}


def objections(page: Page) -> list[Any]:
    """What axe finds on a page against WCAG 2.1 AA."""
    import axe_playwright_python

    page.evaluate((Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    found: list[Any] = page.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}}).then(result => result.violations.map("
        "one => [one.id, one.impact, one.nodes.map(node => node.html.slice(0, 160) + ' ' + node.failureSummary)]))",
        RULES,
    )
    return found


class Seat:
    """An agent's browser window."""

    def __init__(self, browser: Browser, url: str, login: str) -> None:
        self.url, self.login, self.complaints = url, login, list[str]()
        self.context = browser.new_context(locale="zh-CN", viewport=WIDE)
        self.context.add_init_script(WATCH)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(20 * SECONDS)
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(f"{url}/desk")

    def sign_in(self) -> None:
        self.page.get_by_label("登录名", exact=True).fill(self.login)
        self.page.get_by_label("密码", exact=True).fill(DEMO_PASSWORD)
        self.page.get_by_role("button", name="登录", exact=True).click()
        self.page.get_by_role("navigation", name="会话列表").wait_for()
        self.page.get_by_text("正在连接").wait_for(state="hidden")

    def leave(self) -> None:
        """Sign out, so that nobody is offered to this agent any more, and close the window."""
        if self.page.is_closed():
            return
        session = self.context.request.get(f"{self.url}/v1/desk/me")
        if session.ok:
            token = {"X-CSRF-Token": session.json()["csrf_token"]}
            self.context.request.post(f"{self.url}/v1/desk/logout", headers=token)
        self.context.close()

    def be(self, status: str) -> None:
        """Choose 在线, 忙碌 or 离线."""
        button = self.page.get_by_role("button", name="接待状态")
        button.click()
        self.page.get_by_role("menuitemradio").filter(has_text=status).click()
        button.filter(has_text=status).wait_for()

    def cases(self, title: str) -> Locator:
        """The cases under 派给我, 我的会话, 待小结, 排队 or 留言."""
        section = self.page.locator("section.list").filter(has=self.page.get_by_role("button", name=title))
        return section.locator("li.case")

    def accept(self) -> None:
        """Take what is offered, and see the conversation."""
        self.cases("派给我").first.get_by_role("button", name="接入").click()
        self.box.wait_for()

    def open(self, case: Locator) -> None:
        case.locator("button.case-button").click()
        self.log.wait_for()

    @property
    def log(self) -> Locator:
        return self.page.get_by_role("log", name="会话记录")

    @property
    def side(self) -> Locator:
        return self.page.get_by_role("complementary", name="客户资料")

    @property
    def box(self) -> Locator:
        return self.page.get_by_role("textbox", name="回复客户")

    @property
    def note_box(self) -> Locator:
        return self.page.get_by_role("textbox", name="内部备注，客户看不到")

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    def said(self, author: str, text: str) -> Locator:
        """Messages of `customer`, `bot` or `agent` that have arrived."""
        kind = f"li.said.{author}:not(.pending):not(.refused)"
        return self.log.locator(kind).filter(has_text=text)

    def reply(self, text: str) -> None:
        self.box.fill(text)
        self.box.press("Enter")
        self.said("agent", text).wait_for()

    def do(self, name: str) -> Locator:
        """Press one of the conversation's buttons; return the dialog that opens."""
        self.page.get_by_role("toolbar", name="会话操作").get_by_role("button", name=name).click()
        self.dialog.wait_for()
        return self.dialog

    def part(self, title: str) -> Locator:
        """A part of the customer's panel, by its heading; other buttons may hold the same words (an order 绑定户号)."""
        button = self.page.get_by_role("button", name=re.compile(rf"^\s*{title}\s*\d*\s*$"))
        return self.side.locator("section.part").filter(has=button)

    def shot(self, name: str) -> None:
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.wait_for_timeout(350)  # movements come to rest
        self.page.screenshot(path=SHOTS / f"console-{name}.png")

    def assert_clean(self) -> None:
        """Nothing broke the page's own policy, and no script failed."""
        assert self.page.evaluate("window.__broken") == []
        assert [text for text in self.complaints if "ERR_" not in text and "Failed to load resource" not in text
                and "WebSocket" not in text] == []  # fmt: skip


class Colleague:
    """An agent without a browser, for what stands around a test."""

    def __init__(self, url: str, login: str) -> None:
        self.http = httpx.Client(base_url=f"{url}/v1/desk", timeout=30, trust_env=False)
        session = self.post("/login", login=login, password=DEMO_PASSWORD)
        self.id = session["agent"]["id"]
        self.http.headers["X-CSRF-Token"] = session["csrf_token"]

    def get(self, path: str) -> Any:
        answer = self.http.get(path)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, **body: Any) -> Any:
        answer = self.http.post(path, json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def clear(self, conversations: list[str]) -> None:
        """End the cases of these conversations, whoever has them (a supervisor may)."""
        end = {"category": "no_matter", "outcome": "no_answer", "then": "close"}
        for one in conversations:
            for _ in range(3):
                self.post(f"/conversations/{one}/take_over")
                answer = self.http.post(f"/conversations/{one}/wrap_up", json=end)
                if answer.status_code != httpx.codes.FORBIDDEN:
                    break  # else the desk has taken the case back in between: nobody here has a page that is open
            answer.raise_for_status()
        self.post("/me/status", status="offline")

    def leave(self) -> None:
        self.post("/logout")
        self.http.close()


@contextmanager
def shorter_limits(stack: Stack) -> Iterator[None]:
    """Let the stack's bridge read a copy of data/desk with `SHORTER`; it has to be started again before and after."""
    data = stack.root / "data"
    data.unlink()
    (data / "desk").mkdir(parents=True)
    for entry in (PROJECT / "data").iterdir():
        if entry.name != "desk":
            (data / entry.name).symlink_to(entry)
    for file in (PROJECT / "data" / "desk").iterdir():
        text = file.read_text(encoding="utf-8")
        for before, after in SHORTER.get(file.name, {}).items():
            assert before in text, f"{file.name} has no line {before!r}"
            text = text.replace(before, after)
        (data / "desk" / file.name).write_text(text, encoding="utf-8")
    try:
        yield
    finally:
        for entry in [*(data / "desk").iterdir(), *data.iterdir()]:
            (entry.rmdir if entry.is_dir() and not entry.is_symlink() else entry.unlink)()
        data.rmdir()
        data.symlink_to(PROJECT / "data")
