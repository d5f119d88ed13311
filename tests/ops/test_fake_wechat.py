"""Where the fake WeChat may be started beside `dianfu serve`, and what is said where it may not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ops import fake_wechat
from ops.cli import app
from ops.environment import Settings
from ops.fake_wechat import NotPossible
from tests.fake_wechat.state import Settings as Account
from tests.fake_wechat.templates import DEMO

PROJECT = Path(__file__).resolve().parents[2]


def development(environment: dict[str, str], **more: str) -> dict[str, str]:
    return {**environment, "DIANFU_ENV": "development", **more}


def test_production_refuses_it_in_clear_words(environment: dict[str, str]) -> None:
    with pytest.raises(NotPossible, match="DIANFU_ENV=development"):
        fake_wechat.prepare(environment, PROJECT)
    done = CliRunner().invoke(app, ["serve", "--with-fake-wechat"])
    assert done.exit_code == 2
    assert "DIANFU_ENV=development" in done.stderr


def test_an_install_without_the_tests_says_what_is_missing(environment: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(NotPossible, match="tests/fake_wechat"):
        fake_wechat.prepare(development(environment), tmp_path)


def test_a_real_account_is_not_overwritten(environment: dict[str, str]) -> None:
    with pytest.raises(NotPossible, match="DIANFU_WECHAT_APPID is set"):
        fake_wechat.prepare(development(environment, DIANFU_WECHAT_APPID="wx1"), PROJECT)


@pytest.mark.parametrize("port", ["70000", "many", "0"])
def test_a_bad_port_is_named(environment: dict[str, str], port: str) -> None:
    with pytest.raises(NotPossible, match="DIANFU_FAKE_WECHAT_PORT"):
        fake_wechat.prepare(development(environment, DIANFU_FAKE_WECHAT_PORT=port), PROJECT)


def test_the_settings_that_it_makes_are_sound_for_the_bridge(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = development(environment, DIANFU_API_PORT="8123")
    fake_wechat.prepare(made, PROJECT)
    for name, value in made.items():
        monkeypatch.setenv(name, value)
    api = Settings.load().api
    assert api.wechat_url == "http://127.0.0.1:8900"
    assert api.public_url == "http://127.0.0.1:8123"
    assert set(api.wechat_templates) == set(DEMO)
    assert api.wechat_appid == Account.appid
    assert json.loads(made["DIANFU_WECHAT_TEMPLATES"])["outage"] == "FAKE-outage"


def test_the_fake_is_given_the_accounts_secrets_and_none_of_ours(environment: dict[str, str]) -> None:
    made = development(environment)
    fake_wechat.prepare(made, PROJECT)
    given = fake_wechat.process(made, PROJECT).environment
    assert {name for name in given if name.startswith("DIANFU_")} == {
        "DIANFU_WECHAT_APPID", "DIANFU_WECHAT_SECRET", "DIANFU_WECHAT_TOKEN", "DIANFU_WECHAT_AES_KEY",
    }  # fmt: skip
