"""Which process is given which variables, and what is said of those that are missing or bad."""

import os

import pytest

from core.fields import new_key
from ops import environment, keys
from ops.environment import ACTIONS_NEVER, API_NEVER, Settings


def test_sound_settings_have_no_problems() -> None:
    assert environment.problems(os.environ) == []


def test_all_unset_keys_are_listed_at_once() -> None:
    for name in keys.MAKERS:
        del os.environ[name]
    assert environment.problems(os.environ) == sorted(f"{name} is not set" for name in keys.MAKERS)


def test_bad_values_of_every_kind_are_listed_at_once_without_their_values() -> None:
    os.environ |= {
        "DIANFU_API_PORT": "99999",
        "DIANFU_SESSION_KEY": "short",
        "DIANFU_RASA_TOKEN": "development-" + "x" * 40,
        "DIANFU_FIELD_KEYS": "k1:bm90IGxvbmcgZW5vdWdo",
        "DIANFU_LOOKUP_KEY": "***",
        "DIANFU_ENV": "staging",
    }
    found = environment.problems(os.environ)
    assert [line.split()[0] for line in found] == [
        "DIANFU_API_PORT", "DIANFU_ENV", "DIANFU_FIELD_KEYS", "DIANFU_LOOKUP_KEY", "DIANFU_RASA_TOKEN",
        "DIANFU_SESSION_KEY",
    ]  # fmt: skip
    assert not any(secret in " ".join(found) for secret in ("99999", "bm90IG", "xxxx", "***"))


def test_a_development_secret_is_good_enough_for_development() -> None:
    os.environ |= {"DIANFU_ENV": "development", "DIANFU_RASA_TOKEN": "development-" + "x" * 40}
    assert environment.problems(os.environ) == []


def test_rasa_is_given_no_database_and_no_key() -> None:
    os.environ |= {
        "DIANFU_BILLING_URL": "postgresql+psycopg://u:p@db/billing",
        "PGPASSWORD": "p",
        "AWS_SECRET_ACCESS_KEY": "s",
    }
    given = environment.rasa_environment(os.environ, Settings.load().rasa)
    ours = {name for name in given if name.startswith("DIANFU_")}
    assert ours == {"DIANFU_RASA_TOKEN", "DIANFU_ACTIONS_TOKEN", "DIANFU_ACTIONS_URL", "DIANFU_TRACKER_URL"}
    assert {"PGPASSWORD", "AWS_SECRET_ACCESS_KEY"}.isdisjoint(given)
    assert given["CUDA_VISIBLE_DEVICES"] == "-1"
    assert given["RASA_TELEMETRY_ENABLED"] == "false"
    assert given["PATH"] == os.environ["PATH"]


def test_training_is_given_nothing_of_ours_at_all() -> None:
    assert [name for name in environment.training_environment(os.environ) if name.startswith("DIANFU_")] == []


@pytest.mark.parametrize(("settings", "never"), [("api", API_NEVER), ("actions", ACTIONS_NEVER)])
def test_no_process_is_denied_a_variable_that_it_needs(settings: str, never: frozenset[str]) -> None:
    for name in never:
        os.environ.pop(name, None)
    assert environment.SETTINGS[settings]()


def test_the_action_server_cannot_make_customer_or_session_tokens() -> None:
    given = environment.service_environment(os.environ, ACTIONS_NEVER)
    assert {"DIANFU_CUSTOMER_TOKEN_KEY", "DIANFU_SESSION_KEY", "DIANFU_RASA_TOKEN"}.isdisjoint(given)


def test_processes_find_one_another_by_the_ports_that_are_set() -> None:
    values = {"DIANFU_RASA_PORT": "6005", "DIANFU_ACTIONS_HOST": "0.0.0.0", "DIANFU_ACTIONS_PORT": "6055"}
    environment.complete(values)
    assert values["DIANFU_RASA_URL"] == "http://127.0.0.1:6005"
    assert values["DIANFU_ACTIONS_URL"] == "http://127.0.0.1:6055/webhook"


def test_an_address_that_is_set_stays() -> None:
    values = {"DIANFU_RASA_URL": "http://rasa:5005", "DIANFU_RASA_PORT": "6005"}
    environment.complete(values)
    assert values["DIANFU_RASA_URL"] == "http://rasa:5005"


def test_a_new_field_key_beside_the_old_one_is_sound() -> None:
    os.environ["DIANFU_FIELD_KEYS"] = f"k2:{new_key()},{os.environ['DIANFU_FIELD_KEYS']}"
    assert environment.problems(os.environ) == []
