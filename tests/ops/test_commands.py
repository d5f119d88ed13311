"""The tool commands, each as a program of its own on databases of its own."""

import json
import os
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from core.clock import system_clock
from core.fields import Keyring, new_key
from core.identity import read_customer
from ops import keys

PROJECT = Path(__file__).resolve().parents[2]

Run = Callable[..., subprocess.CompletedProcess[str]]


def dianfu(root: Path, variables: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("DIANFU_")}
    chosen = {"DIANFU_ROOT": str(root), "DIANFU_DATA_DIR": str(PROJECT / "data")}
    return subprocess.run(
        [sys.executable, "-m", "ops", *words], cwd=PROJECT, env={**bare, **variables, **chosen},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder with a small demonstration region, and the variables it was made with."""
    root = tmp_path_factory.mktemp("region")
    variables = {"DIANFU_ENV": "development", **keys.fresh()}
    done = dianfu(root, variables, "seed", "--customers", "60", "--months", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("60 customers, ")
    assert "customers 60/60" in done.stderr
    return root, variables


@pytest.fixture
def run(region: tuple[Path, dict[str, str]]) -> Run:
    """Run a command on the region; keyword arguments change variables."""
    root, variables = region

    def command(*words: str, **changed: str) -> subprocess.CompletedProcess[str]:
        return dianfu(root, {**variables, **changed}, *words)

    return command


def numbers(root: Path) -> list[tuple[str, str]]:
    """Return (account number, customer number) of the first accounts."""
    with sqlite3.connect(root / "var/billing.db") as billing:
        query = "select a.account_no, c.customer_no from accounts a join customers c on c.id = a.customer_id limit 5"
        return list(billing.execute(query))


def test_a_token_proves_its_accounts_and_nothing_else_is_printed(region: tuple[Path, dict[str, str]], run: Run) -> None:
    (first, customer_no), (second, _), *_ = numbers(region[0])
    done = run("token", "--account-no", first, "--account-no", second, "--assurance", "2", "--minutes", "5")
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    claim = read_customer(region[1]["DIANFU_CUSTOMER_TOKEN_KEY"], done.stdout.strip(), now=system_clock())
    assert (claim.customer_no, claim.accounts, claim.assurance) == (customer_no, (first, second), 2)


def test_a_token_for_an_account_that_does_not_exist_is_refused_on_stderr(run: Run) -> None:
    done = run("token", "--account-no", "0000000000")
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no account 0000000000" in done.stderr


def test_a_token_needs_no_settings_beside_a_running_make_run(region: tuple[Path, dict[str, str]]) -> None:
    root, variables = region
    (root / keys.DEV_FILE).write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    try:
        beside = dianfu(root, {}, "token", "--account-no", numbers(root)[0][0])
        production = dianfu(root, {"DIANFU_ENV": "production"}, "token", "--account-no", numbers(root)[0][0])
    finally:
        (root / keys.DEV_FILE).unlink()
    assert read_customer(variables["DIANFU_CUSTOMER_TOKEN_KEY"], beside.stdout.strip(), now=system_clock())
    assert (production.returncode, production.stdout) == (2, "")


def test_seeding_again_is_refused_and_changes_nothing(region: tuple[Path, dict[str, str]], run: Run) -> None:
    before = numbers(region[0])
    done = run("seed", "--customers", "5", "--months", "1")
    assert done.returncode == 1
    assert "holds customers already" in done.stderr
    assert numbers(region[0]) == before


def test_seed_reset_is_refused_in_production(run: Run) -> None:
    done = run("seed", "--reset", DIANFU_ENV="production")
    assert done.returncode == 2
    assert "development alone" in done.stderr


def test_rotation_brings_every_field_under_the_new_key_and_can_be_repeated(
    region: tuple[Path, dict[str, str]], run: Run
) -> None:
    root, variables = region
    fields = f"fresh:{new_key()},{variables['DIANFU_FIELD_KEYS']}"
    first = run("rotate-fields", DIANFU_FIELD_KEYS=fields)
    second = run("rotate-fields", DIANFU_FIELD_KEYS=fields)
    try:
        with sqlite3.connect(root / "var/billing.db") as billing:
            total = sum(
                billing.execute(f"select count(*) from {table}").fetchone()[0] for table in ("customers", "accounts")
            )
            ciphers = billing.execute("select customer_no, name_cipher from customers").fetchall()
            addresses = billing.execute("select account_no, address_cipher from accounts").fetchall()
        with sqlite3.connect(root / "var/workorder.db") as orders:
            total += orders.execute("select count(*) from work_orders").fetchone()[0]
        assert first.stdout == f"{total} rows written under the active key\n", first.stderr
        assert second.stdout == "0 rows written under the active key\n"
        alone = Keyring.parse(fields.partition(",")[0], variables["DIANFU_LOOKUP_KEY"])
        assert all(alone.decrypt(cipher, f"customers.name:{number}") for number, cipher in ciphers)
        assert all(alone.decrypt(cipher, f"accounts.address:{number}") for number, cipher in addresses)
    finally:
        variables["DIANFU_FIELD_KEYS"] = fields


def test_rotation_without_the_old_key_says_so_and_loses_nothing(region: tuple[Path, dict[str, str]], run: Run) -> None:
    done = run("rotate-fields", DIANFU_FIELD_KEYS=f"other:{new_key()}")
    assert done.returncode == 1
    assert "keep its old key" in done.stderr
    with sqlite3.connect(region[0] / "var/billing.db") as billing:
        assert billing.execute("select count(*) from customers where name_cipher like 'v1.other.%'").fetchone() == (0,)


def test_fresh_keys_make_a_sound_production_environment(tmp_path: Path) -> None:
    made = dict(line.split("=", 1) for line in dianfu(tmp_path, {}, "keys", "new").stdout.splitlines())
    assert set(made) == set(keys.MAKERS)
    assert dianfu(tmp_path, {**made, "DIANFU_ENV": "production"}, "migrate").returncode == 0


def test_env_gives_a_shell_what_rasa_needs_and_no_key(region: tuple[Path, dict[str, str]], run: Run) -> None:
    given = (
        run("env").stdout + f"{shlex.quote(sys.executable)} -c 'import json, os; print(json.dumps(dict(os.environ)))'"
    )
    seen = json.loads(subprocess.run(["sh", "-c", given], env={}, capture_output=True, check=True).stdout)
    ours = {name for name in seen if name.startswith("DIANFU_")}
    assert ours == {"DIANFU_RASA_TOKEN", "DIANFU_ACTIONS_TOKEN", "DIANFU_ACTIONS_URL", "DIANFU_TRACKER_URL"}
    assert seen["DIANFU_RASA_TOKEN"] == region[1]["DIANFU_RASA_TOKEN"]


def test_missing_settings_of_a_tool_are_listed(tmp_path: Path) -> None:
    done = dianfu(tmp_path, {}, "token", "--account-no", "1")
    assert done.returncode == 2
    assert "DIANFU_CUSTOMER_TOKEN_KEY is not set" in done.stderr
    assert "var/dev.env" in done.stderr


def test_migrating_an_unknown_database_is_refused(run: Run) -> None:
    done = run("migrate", "--only", "customers")
    assert done.returncode == 2
    assert "no database is called customers" in done.stderr


def test_migrating_one_database_leaves_the_others_alone(tmp_path: Path) -> None:
    done = dianfu(tmp_path, {**keys.fresh(), "DIANFU_ENV": "production"}, "migrate", "--only", "bridge")
    assert done.stdout == "at the newest revision: bridge\n"
    assert [path.name for path in (tmp_path / "var").glob("*.db")] == ["bridge.db"]
