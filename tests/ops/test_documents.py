"""docs/operations.md, the Makefile and the scripts say what is so."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from ops.cli import app
from ops.environment import ACTIONS_NEVER, API_NEVER, RASA_TAKES, SETTINGS, variables
from ops.output import Exit

PROJECT = Path(__file__).resolve().parents[2]
OPERATIONS = (PROJECT / "docs/operations.md").read_text()
MAKEFILE = (PROJECT / "Makefile").read_text()


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the tables in a chapter."""
    chapter = OPERATIONS.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in chapter.splitlines() if line.startswith("|") and not set(line) <= set("|- ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_the_settings_table_lists_every_variable_with_its_default() -> None:
    shown = {cells[0].strip("`"): cells[1].strip("`") for cells in rows("Settings")[1:]}
    assert shown == {name: "must be set" if default is None else default for name, default in variables().items()}


@pytest.mark.parametrize("process", ["api", "actions", "rasa"])
def test_the_settings_table_says_who_uses_a_variable(process: str) -> None:
    shown = {cells[0].strip("`") for cells in rows("Settings")[1:] if process in cells[2].split(", ")}
    withheld = {"api": API_NEVER, "actions": ACTIONS_NEVER, "rasa": frozenset[str]()}[process]
    assert shown == set(variables([SETTINGS[process]])) - withheld | (set(RASA_TAKES) if process == "rasa" else set())


def test_every_exit_code_is_explained() -> None:
    assert {int(cells[0]) for cells in rows("Start and stop") if cells[0].isdigit()} == {int(code) for code in Exit}


def test_every_command_is_explained() -> None:
    shown = {cells[0].strip("`").split()[1] for cells in rows("Commands")[1:]}
    assert shown == set(get_command(app).commands)


def test_make_help_explains_every_target() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.M)
    assert phony is not None
    # Under `make test` the outer make would hand its own options down.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "--no-print-directory", "help"]
    said = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True, env=env).stdout
    assert [line.split()[1] for line in said.splitlines()] == phony[1].split()
    assert all(len(line.split()) > 4 for line in said.splitlines())


@pytest.mark.parametrize("script", ["ops/setup.sh", "ops/lock.sh", ".ci/run"])
def test_scripts_are_sound_shell(script: str) -> None:
    shell = (PROJECT / script).read_text().splitlines()[0].rpartition("/")[2].split()[-1]
    subprocess.run([shell, "-n", script], cwd=PROJECT, check=True)


@pytest.mark.parametrize(
    "file", ["Makefile", "Dockerfile", "compose.yaml", ".ci/run", "ops/setup.sh", "ops/lock.sh", "docs/operations.md"]
)
def test_no_registry_and_no_path_of_a_machine_is_written_anywhere(file: str) -> None:
    text = (PROJECT / file).read_text()
    assert re.findall(r"pypi\.|pythonhosted|files\.|/root\b|/work\b|/opt\b|/home/", text) == []
