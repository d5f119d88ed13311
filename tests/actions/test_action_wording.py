"""What actions name exists in the domain, and no sentence for customers stands in their code."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from actions_desk import ROOT, Desk

import actions.server
from actions.labels import Labels
from core.errors import BusinessError

CODE = sorted((ROOT / "actions").glob("*.py"))
CHINESE = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")


def _kinds(kind: type[BusinessError] = BusinessError) -> Iterator[type[BusinessError]]:
    for one in kind.__subclasses__():
        yield one
        yield from _kinds(one)


def _raised() -> set[str]:
    """Return the codes of the errors that the queries of the billing database raise."""
    assert actions.server.TOPICS
    return {f"utter_{kind.code}" for kind in _kinds() if kind.__module__.partition(".")[0] in {"actions", "core"}}


def test_every_response_that_code_names_exists_in_the_domain(desk: Desk) -> None:
    literal = re.compile(r'"(utter_[a-z_]+)"')
    named = {name for file in CODE for name in literal.findall(file.read_text(encoding="utf-8"))}
    # Caught where they are raised: a note on the card, a person instead of figures, staff alone, words about the code.
    caught = {"no_plan_in_force", "bill_not_reproduced", "order_wrong_state", "too_many_codes"}
    caught |= {"no_such_day", "no_such_month"}  # said in the words of data/phrases/period.yaml
    named |= _raised() - {f"utter_{code}" for code in caught}
    assert len(named) > 10
    assert named - desk.templates.keys() == set()


def test_every_placeholder_of_these_responses_stands_on_known_values(desk: Desk) -> None:
    code = "".join(file.read_text(encoding="utf-8") for file in CODE)
    given = set(re.findall(r'"([a-z_]+)":|\["([a-z_]+)"\]|(\w+)=', code))
    known = {name for names in given for name in names if name}
    for response, forms in desk.templates.items():
        if f'"{response}"' not in code:
            continue
        wanted = {name for _text, name, _form, _way in string.Formatter().parse(forms[0].get("text", "")) if name}
        assert wanted <= known, response


@pytest.mark.parametrize("file", CODE, ids=lambda file: file.name)
def test_no_chinese_stands_in_the_code_of_actions(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body and isinstance(node.body[0], ast.Expr)
    }  # fmt: skip
    found = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
        and CHINESE.search(node.value)
    ]  # fmt: skip
    assert found == []


def test_answers_begin_with_the_answer_and_end_with_the_age_of_the_data(desk: Desk) -> None:
    for response in (
        "utter_bill_month", "utter_bill_months", "utter_usage", "utter_balance_owed", "utter_balance_due",
        "utter_balance_owed_late",
        "utter_balance_clear", "utter_balance_prepaid", "utter_payments", "utter_payments_failed",
    ):  # fmt: skip
        text = desk.templates[response][0]["text"]
        assert text.endswith("截至{as_of}）"), response
        assert not text.startswith("户号"), response


def test_every_label_is_used(desk: Desk) -> None:
    code = "".join(file.read_text(encoding="utf-8") for file in CODE)
    unused = [name for name in Labels.model_fields if not re.search(rf"(labels|self|services)\.{name}\b", code)]
    assert unused == []


def test_a_time_that_was_never_recorded_is_said_to_be_unknown(desk: Desk, tmp_path: Path) -> None:
    account = desk.account("user_class = 'residential'")
    for name in ("bill", "usage", "balance", "payment"):
        directory = tmp_path / name
        directory.mkdir()
        said = desk.changed(directory, ("delete from feeds",)).ask(f"action_query_{name}", account)
        assert "截至未知时间" in said.text
