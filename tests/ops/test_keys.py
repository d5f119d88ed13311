"""Keys: made once for development, kept in `var/dev.env`, never overwritten."""

import stat
from pathlib import Path

import pytest

from core.fields import Keyring
from ops import keys
from ops.environment import variables


def test_every_variable_that_has_to_be_set_has_a_maker_of_fresh_values() -> None:
    assert {name for name, default in variables().items() if default is None} == set(keys.MAKERS)


def test_two_sets_of_fresh_keys_share_nothing() -> None:
    assert set(keys.fresh().values()).isdisjoint(keys.fresh().values())


def test_fresh_field_keys_can_be_joined_into_one_ring() -> None:
    first, second = keys.fresh(), keys.fresh()
    ring = Keyring.parse(f"{second['DIANFU_FIELD_KEYS']},{first['DIANFU_FIELD_KEYS']}", first["DIANFU_LOOKUP_KEY"])
    assert len(ring.keys) == 2


def test_the_development_file_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    made, added = keys.ensure_dev_file(tmp_path)
    again, added_again = keys.ensure_dev_file(tmp_path)
    assert made == again == keys.read_dev_file(tmp_path)
    assert made["DIANFU_ENV"] == "development"
    assert set(added) == {"DIANFU_ENV", *keys.MAKERS}
    assert added_again == []
    assert stat.S_IMODE((tmp_path / keys.DEV_FILE).stat().st_mode) == 0o600


def test_a_missing_key_is_added_and_the_others_stay(tmp_path: Path) -> None:
    made, _ = keys.ensure_dev_file(tmp_path)
    path = tmp_path / keys.DEV_FILE
    kept = [line for line in path.read_text().splitlines() if not line.startswith("DIANFU_SESSION_KEY")]
    path.write_text("# mine\n" + "\n".join(kept) + "\nDIANFU_API_PORT=8100\n")
    found, added = keys.ensure_dev_file(tmp_path)
    assert added == ["DIANFU_SESSION_KEY"]
    assert found.pop("DIANFU_SESSION_KEY") != made.pop("DIANFU_SESSION_KEY")
    assert found == made | {"DIANFU_API_PORT": "8100"}


def test_a_line_that_is_no_setting_is_named_by_its_number(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / keys.DEV_FILE).write_text("DIANFU_ENV=development\nwhat is this\n")
    with pytest.raises(keys.BadDevFile, match="line 2"):
        keys.read_dev_file(tmp_path)


def test_a_variable_that_is_set_wins_over_the_file(tmp_path: Path) -> None:
    keys.ensure_dev_file(tmp_path)
    environment = {"DIANFU_SESSION_KEY": "mine"}
    keys.use_dev_file(tmp_path, environment)
    assert environment["DIANFU_SESSION_KEY"] == "mine"
    assert environment["DIANFU_ENV"] == "development"


def test_the_development_file_is_never_read_in_production(tmp_path: Path) -> None:
    keys.ensure_dev_file(tmp_path)
    environment = {"DIANFU_ENV": "production"}
    keys.use_dev_file(tmp_path, environment)
    assert environment == {"DIANFU_ENV": "production"}
