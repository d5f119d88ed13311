"""`make setup`'s script, with a small program in place of uv (the real one needs the package registry)."""

import os
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]

# Notes each call, and makes an environment that has the wanted Python and nothing else.
UV = """#!/bin/sh
echo "$UV_DEFAULT_INDEX $UV_FIND_LINKS $UV_INDEX $UV_INDEX_STRATEGY|$*" >>calls
if [ "$1" = venv ]; then
    for last; do :; done
    mkdir -p "$last/bin"
    printf '#!/bin/sh\\nexec "%s" "$@"\\n' "$5" >"$last/bin/python"
    chmod +x "$last/bin/python"
fi
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "requirements").mkdir()
    for name in ("service-dev", "bot-dev"):
        (tmp_path / f"requirements/{name}.txt").write_text("nothing==1\n")
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "uv").write_text(UV)
    (tmp_path / "uv").chmod(0o755)
    return tmp_path


def setup(project: Path, **variables: str) -> list[str]:
    """Run the script; return the calls of uv since the last time."""
    (project / "calls").write_text("")
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "PIP_"))}
    subprocess.run(
        ["sh", str(PROJECT / "ops/setup.sh")], cwd=project, check=True, capture_output=True,
        env={**bare, **variables, "UV": str(project / "uv")},
    )  # fmt: skip
    return [line for line in (project / "calls").read_text().splitlines() if not line.endswith("|--version")]


def version(environment: Path) -> str:
    words = [str(environment / "bin/python"), "-c", "import sys; print(*sys.version_info[:2], sep='.')"]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


def test_both_environments_are_made_with_their_python_and_locked_requirements(project: Path) -> None:
    calls = setup(project)
    assert version(project / ".venv-bot") == "3.10"
    assert tuple(map(int, version(project / ".venv").split("."))) >= (3, 11)
    assert [call.partition("|")[2].split()[:2] for call in calls] == [
        ["venv", "--quiet"], ["pip", "sync"], ["pip", "install"], ["venv", "--quiet"], ["pip", "sync"],
    ]  # fmt: skip
    assert calls[1].endswith("--require-hashes requirements/service-dev.txt")
    assert calls[2].endswith("--no-deps --editable .")
    assert calls[4].endswith("--require-hashes requirements/bot-dev.txt")


def test_a_second_call_does_nothing(project: Path) -> None:
    setup(project)
    assert setup(project) == []


def test_a_changed_requirement_brings_only_its_environment_up_to_date(project: Path) -> None:
    setup(project)
    (project / "requirements/bot-dev.txt").write_text("nothing==2\n")
    calls = setup(project)
    assert len(calls) == 1
    assert calls[0].endswith("pip sync --quiet --python .venv-bot/bin/python --require-hashes requirements/bot-dev.txt")


def test_a_folder_that_was_moved_is_set_up_again(project: Path) -> None:
    setup(project)
    moved = project.with_name(project.name + "-moved")
    project.rename(moved)
    assert any("pip sync" in call for call in setup(moved))


def test_pips_registry_settings_are_handed_on_and_written_nowhere(project: Path) -> None:
    calls = setup(
        project,
        PIP_INDEX_URL="https://index.test/simple",
        PIP_FIND_LINKS="wheels",
        PIP_EXTRA_INDEX_URL="https://more.test",
    )
    assert calls[1].startswith("https://index.test/simple wheels https://more.test unsafe-best-match|")
    written = [path for path in project.rglob("*") if path.is_file() and path.name != "calls"]
    assert [path for path in written if "index.test" in path.read_text()] == []


def test_uvs_own_registry_settings_win_over_pips(project: Path) -> None:
    calls = setup(project, PIP_INDEX_URL="https://pip.test", UV_DEFAULT_INDEX="https://uv.test")
    assert calls[1].startswith("https://uv.test ")
