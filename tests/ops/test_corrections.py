"""`dianfu corrections`: what agents corrected, as examples that a person looks through; nothing of a person in them."""

from __future__ import annotations

import re
import stat
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import select
from typer.testing import CliRunner

from core.account import Account, address_context, name_context, phone_context
from core.clock import SHANGHAI
from core.conversation import Draft, open_conversation, record_customer, record_reply
from core.db import Database
from core.handoff.tables import Handoff
from core.migrations import upgrade
from core.seed import seed
from core.settings import CoreSettings
from core.tariff import TariffBook
from ops.cli import app

ENDED = datetime(2026, 11, 20, 10, 0, tzinfo=SHANGHAI)
ROOT = Path(__file__).parents[2]


class Site:
    """The three databases that the settings point to, with one customer of the demonstration region."""

    def __init__(self, bridge: Database, billing: Database) -> None:
        self.bridge, self.keyring = bridge, CoreSettings().keyring()
        with billing.reading() as session:
            account = session.scalars(select(Account).where(Account.closed_on.is_(None))).first()
            assert account is not None
            self.account_no, customer = account.account_no, account.customer
            self.customer_no = customer.customer_no
            self.name = self.keyring.decrypt(customer.name_cipher, name_context(customer.customer_no))
            self.phone = self.keyring.decrypt(customer.phone_cipher, phone_context(customer.customer_no))
            self.address = self.keyring.decrypt(account.address_cipher, address_context(account.account_no))

    def case(
        self, *said: tuple[str, str | None, str | None], agent: int | None = 1, ended: datetime | None = ENDED,
        confidence: float | None = 0.41, **more: Any,
    ) -> None:  # fmt: skip
        """Add a case: what was said, what the model understood, what the agent says it is."""
        with self.bridge.transaction() as session:
            conversation = open_conversation(
                session, channel="web", customer_no=self.customer_no, accounts=[self.account_no], assurance=1, now=ENDED
            )
            corrected = {}
            for place, (text, understood, right) in enumerate(said):
                record_reply(session, conversation, Draft("bot", "请讲。"), now=ENDED)
                message, _ = record_customer(
                    session, conversation, external_id=f"{conversation.id}{place}", text=text, payload=None, now=ENDED,
                    **more,
                )  # fmt: skip
                if understood:
                    message.understood = {"intent": understood, "confidence": confidence}
                if right:
                    corrected[str(message.seq)] = right
            session.add(Handoff(
                conversation_id=conversation.id, reason="asked", skill="billing", requested_at=ENDED, rank_at=ENDED,
                agent_id=agent, ended_at=ended, corrected=corrected,
            ))  # fmt: skip


@pytest.fixture
def site(book: TariffBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site whose billing system knows the customer."""
    databases = {}
    for name in ("bridge", "workorder", "billing"):
        url = f"sqlite:///{tmp_path / name}.db"
        monkeypatch.setenv(f"DIANFU_{name.upper()}_URL", url)
        databases[name] = Database(url)
        upgrade(name, databases[name])
    seed(
        databases["billing"], book=book, keyring=CoreSettings().keyring(), today=date(2026, 11, 22), customers=3,
        months=2, directory=ROOT / "data" / "demo",
    )  # fmt: skip
    return Site(databases["bridge"], databases["billing"])


def corrections(*words: str, since: str = "2026-11-01") -> tuple[int, str]:
    done = CliRunner().invoke(app, ["corrections", "--since", since, *words])
    return done.exit_code, done.output


def examples(said: str) -> dict[str, list[str]]:
    """Return intent -> examples as Rasa's own reader splits them."""
    read = yaml.safe_load(said)
    assert read["version"] == "3.1"
    return {one["intent"]: [line.removeprefix("- ") for line in one["examples"].splitlines()] for one in read["nlu"]}


def test_corrected_messages_come_out_as_examples_by_intent(site: Site) -> None:
    site.case(
        ("上个月咋个多出来一百多", "query_usage", "query_bill"), ("屋里跳闸了推不上去", "report_outage", None),
        ("表箱里头滋滋响\n要紧不", "smalltalk", "report_fault"),
    )  # fmt: skip
    site.case(("改天再来问哈", "query_bill", "goodbye"))
    code, said = corrections()
    assert code == 0
    assert examples(said) == {
        "goodbye": ["改天再来问哈"],
        "query_bill": ["上个月咋个多出来一百多"],
        "report_fault": ["表箱里头滋滋响 要紧不"],
    }
    assert "NOT for training as it is" in said.partition("version:")[0]


def test_only_what_a_confident_model_was_wrong_about_in_an_agents_ended_case_counts(site: Site) -> None:
    wrong = ("query_usage", "query_bill")
    site.case(("没有坐席接过的", *wrong), agent=None)
    site.case(("还没有结束的", *wrong), ended=None)
    site.case(("十月份结束的", *wrong), ended=ENDED - timedelta(days=30))
    site.case(("模型没有把握数的", *wrong), confidence=None)
    site.case(("模型没有听过的", None, "query_bill"), ("模型本来就对的", "query_bill", "query_bill"))
    site.case(("[图片]", *wrong), upload_id="u1")
    assert corrections() == (0, said := corrections()[1])
    assert yaml.safe_load(said)["nlu"] == []
    assert examples(corrections(since="2026-10-01")[1]) == {"query_bill": ["十月份结束的"]}


def test_the_same_words_stand_once_as_the_last_agent_saw_them(site: Site) -> None:
    site.case(("电费 怎么算的", "query_usage", "query_bill"))
    site.case(("电费怎么算的", "query_usage", "query_tariff"), ended=ENDED + timedelta(hours=1))
    site.case(("怎么交", "query_bill", "query_payment"), ("怎么 交", "query_bill", "query_payment"))
    assert examples(corrections()[1]) == {"query_payment": ["怎么 交"], "query_tariff": ["电费怎么算的"]}


def test_nothing_that_is_known_of_the_customer_comes_out(site: Site) -> None:
    known = (site.name, site.phone, site.address, site.account_no)
    site.case(*[(f"麻烦看下{value}的电费", "query_usage", "query_bill") for value in known])
    said = corrections()[1]
    assert len(examples(said)["query_bill"]) == len(known)
    assert [value for value in known if value in said] == []
    assert said.count("*") >= 10


def test_brackets_do_not_become_entities_and_every_line_is_one_message(site: Site) -> None:
    site.case(("[上月](month)电费\u2028- 第二行\x85\u0000: |", "query_usage", "query_bill"))
    [text] = examples(corrections()[1])["query_bill"]
    assert text == "［上月］(month)电费 - 第二行: |"


def test_a_file_is_its_owners_and_is_not_written_over(site: Site, tmp_path: Path) -> None:
    site.case(("上个月咋个多出来一百多", "query_usage", "query_bill"))
    out = tmp_path / "corrections.yml"
    assert corrections("--out", str(out)) == (0, f"1 messages of 1 intents are in {out}\n")
    assert examples(out.read_text()) == {"query_bill": ["上个月咋个多出来一百多"]}
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    out.write_text("somebody's work")
    code, said = corrections("--out", str(out))
    assert (code, re.sub(r"\s+", " ", said).endswith("it may hold somebody's work ")) == (2, True)
    assert out.read_text() == "somebody's work"


def test_without_the_billing_system_nothing_is_given_out(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.case((f"{site.name}家的电费", "query_usage", "query_bill"))
    monkeypatch.setenv("DIANFU_BILLING_URL", "postgresql+psycopg://nobody:nothing@127.0.0.1:1/none")
    code, said = corrections()
    assert (code, site.name in said, "a database cannot be asked" in said) == (1, False, True)
