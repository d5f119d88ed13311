"""Dockerfile and compose.yaml, read and compared with the tree and the settings (nothing is built here)."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.sender.settings import SenderSettings
from core.settings import CoreSettings
from ops import serve, training
from ops.environment import ACTIONS_NEVER, RASA_TAKES, SEGMENT_NEVER, SENDER_NEVER, RasaSettings, variables

PROJECT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("api", "sender", "segments", "actions", "rasa", "migrate")


def stages() -> dict[str, list[tuple[str, str]]]:
    """Return the instructions of each build stage, continued lines joined."""
    text = re.sub(r"\\\n\s*", " ", (PROJECT / "Dockerfile").read_text())
    found: dict[str, list[tuple[str, str]]] = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        word, rest = line.split(None, 1)
        if word == "FROM":
            found[rest.rpartition(" AS ")[2]] = []
        list(found.values())[-1].append((word, rest))
    return found


STAGES = stages()


def instructions(stage: str, word: str) -> list[str]:
    return [rest for name, rest in STAGES[stage] if name == word]


def copied(stage: str) -> list[tuple[str, str]]:
    """Return (source in the tree, target in the image) of a stage."""
    return [
        (source, target)
        for source, target in (rest.split() for rest in instructions(stage, "COPY") if not rest.startswith("--from"))
    ]


def in_image(stage: str, path: str) -> bool:
    """Tell whether a path of the tree is copied into the image at the same place."""
    return (PROJECT / path).exists() and any(
        path == target or path.startswith(target + "/") for _, target in copied(stage)
    )


@pytest.mark.parametrize("stage", STAGES)
def test_every_copied_path_exists_and_is_not_ignored(stage: str) -> None:
    ignored = (PROJECT / ".dockerignore").read_text().splitlines()
    for source, _ in copied(stage):
        assert (PROJECT / source).exists(), source
        assert f"!{source.split('/')[0]}" in ignored


@pytest.mark.parametrize("stage", ["bot", "service"])
def test_what_is_taken_from_a_build_stage_is_made_there(stage: str) -> None:
    made = " ".join(rest for word, rest in STAGES[f"{stage}-build"] if word == "RUN")
    for rest in instructions(stage, "COPY"):
        if rest.startswith("--from"):
            origin, source, _ = rest.split()
            assert origin == f"--from={stage}-build"
            assert {"/venv": "uv venv /venv", "/app/models": "--out models"}[source] in made


@pytest.mark.parametrize("stage", ["bot", "service"])
def test_final_images_run_as_nobody_special_without_a_compiler_and_with_a_health_check(stage: str) -> None:
    users = instructions(stage, "USER")
    assert users == ["10001"]
    runs = " ".join(instructions(stage, "RUN"))
    assert not re.search(r"build-essential|apt-get|pip|\buv\b", runs)
    assert len(instructions(stage, "HEALTHCHECK")) == 1
    words = [word for word, _ in STAGES[stage]]
    assert words.index("USER") > max(index for index, word in enumerate(words) if word == "RUN")


@pytest.mark.parametrize(("stage", "python"), [("bot", "3.10"), ("service", "3.11")])
def test_each_image_has_the_python_of_its_environment_and_its_locked_requirements(stage: str, python: str) -> None:
    for name in (stage, f"{stage}-build"):
        assert instructions(name, "FROM") == [f"python:{python}-slim AS {name}"]
    sync = " ".join(instructions(f"{stage}-build", "RUN"))
    assert f"--require-hashes requirements/{stage}.txt" in sync
    assert python in (PROJECT / ".python-version").read_text().split()


def test_health_checks_are_python_that_compiles() -> None:
    checks = [json.loads(rest.partition(" CMD ")[2]) for rest in
              (instructions("bot", "HEALTHCHECK") + instructions("service", "HEALTHCHECK"))]  # fmt: skip
    checks += [SERVICES[name]["healthcheck"]["test"][1:] for name in ("actions", "sender", "segments")]
    for words in checks:
        assert words[:2] == ["python", "-c"]
        compile(words[2], "health check", "exec")


def test_the_bot_image_trains_and_runs_rasa_as_the_command_line_does() -> None:
    train = " ".join(instructions("bot-build", "RUN"))
    words = training.command(Path("models"), force=False)[1:]
    assert " ".join(words) in re.sub(r"\s+", " ", train)
    run = json.loads(instructions("bot", "CMD")[0])
    own = serve.rasa_command(RasaSettings(rasa_host="0.0.0.0", rasa_token="t", actions_token="t"))
    assert run[1:] == list(own)[1:]
    for path in ("bot/endpoints.yml", "bot/credentials.yml"):
        assert in_image("bot", path)
    for path in ("bot/config.yml", "bot/domain", *training.DATA):
        assert in_image("bot-build", path)


@pytest.mark.parametrize("name", ["api", "sender", "segments", "actions", "migrate"])
def test_modules_that_are_run_are_in_the_service_image(name: str) -> None:
    command = SERVICES[name]["command"]
    assert command[:2] == ["python", "-m"]
    module = command[2].replace(".", "/")
    assert in_image("service", f"{module}/__main__.py") or in_image("service", f"{module}.py")


def test_the_service_image_holds_all_packages_and_their_data() -> None:
    for path in (
        "core/migrations/env.py", "core/migrations/script.py.mako", "data/tariffs", "data/wording.yaml",
        "data/portrait", "data/segments", "data/nlu", "data/desk",
    ):  # fmt: skip
        assert in_image("service", path)


@pytest.mark.parametrize("name", OURS)
def test_every_variable_of_compose_is_a_setting_of_ours(name: str) -> None:
    given = {key for key in SERVICES[name]["environment"] if key.startswith("DIANFU_")}
    assert given - set(variables()) == set()


def test_every_variable_that_the_files_name_is_a_setting_of_ours() -> None:
    text = (PROJECT / "compose.yaml").read_text() + (PROJECT / "Dockerfile").read_text()
    assert set(re.findall(r"DIANFU_[A-Z_]+", text)) - set(variables()) == set()


def test_every_required_variable_is_demanded_and_has_no_default_in_the_file() -> None:
    text = (PROJECT / "compose.yaml").read_text()
    for name in (name for name, default in variables().items() if default is None):
        assert re.search(rf"\$\{{{name}:\?", text), name
        assert not re.search(rf"\$\{{{name}:?-", text), name


def test_each_process_gets_the_secrets_that_serve_gives_it() -> None:
    required = {name for name, default in variables().items() if default is None}
    started = ("api", "sender", "segments", "actions", "rasa")
    given = {name: required & set(SERVICES[name]["environment"]) for name in started}
    assert given["rasa"] == required & RASA_TAKES
    assert given["actions"] == required - ACTIONS_NEVER
    assert given["api"] == required - {"DIANFU_ACTIONS_TOKEN"}
    assert given["sender"] == required - SENDER_NEVER
    assert given["segments"] == required - SEGMENT_NEVER


def test_the_sender_runs_as_serve_runs_it_with_all_its_settings_and_none_of_the_endpoints() -> None:
    sender = SERVICES["sender"]
    assert sender["command"][2:4] == ["api.sender", "--alive"]
    assert sender["command"][4].startswith(f"{sender['tmpfs'][0]}/")  # all else is read only
    assert sender["command"][4] in sender["healthcheck"]["test"][3]
    own = set(SenderSettings.model_fields) - set(CoreSettings.model_fields)
    given = {key.removeprefix("DIANFU_").lower() for key in sender["environment"]}
    assert own <= given
    assert not SENDER_NEVER & set(sender["environment"])


def test_what_keeps_portraits_up_to_date_runs_as_serve_runs_it_and_reaches_the_databases_alone() -> None:
    segments = SERVICES["segments"]
    assert segments["command"][2:4] == ["ops.segment_watch", "--alive"]
    assert segments["command"][4].startswith(f"{segments['tmpfs'][0]}/")  # all else is read only
    assert segments["command"][4] in segments["healthcheck"]["test"][3]
    assert segments["networks"] == ["data"]
    assert set(segments["environment"]) == set(SERVICES["migrate"]["environment"])
    assert not SEGMENT_NEVER & set(segments["environment"])


def test_rasa_is_given_no_database_of_the_business() -> None:
    assert set(SERVICES["rasa"]["environment"]) == RASA_TAKES
    assert "data" not in SERVICES["rasa"]["networks"]


def test_only_the_bridge_publishes_a_port_and_on_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"api": ["127.0.0.1:8000:8000"]}


def test_rasa_and_the_actions_have_no_way_out() -> None:
    inner = {name for name, network in COMPOSE["networks"].items() if (network or {}).get("internal")}
    assert inner == {"bot", "data"}
    for name in ("rasa", "actions"):
        assert set(SERVICES[name]["networks"]) <= inner


@pytest.mark.parametrize("name", OURS)
def test_our_containers_are_read_only_and_can_gain_no_right(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "user" not in service  # the image's own, which is not root
    assert service["build"]["target"] in STAGES


def test_every_volume_and_network_that_is_used_is_declared() -> None:
    for service in SERVICES.values():
        assert set(service.get("networks", [])) <= set(COMPOSE["networks"])
        assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= set(COMPOSE["volumes"])
        assert set(service.get("depends_on", {})) <= set(SERVICES)


def test_postgresql_and_redis_are_profiles_and_postgresql_has_three_databases() -> None:
    profiles = {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service}
    assert profiles == {"postgres": ["postgres"], "redis": ["redis"]}
    made = re.findall(r"CREATE DATABASE (\w+)", COMPOSE["configs"]["databases"]["content"])
    assert {*made, SERVICES["postgres"]["environment"]["POSTGRES_DB"]} == {"billing", "workorder", "bridge"}
    assert SERVICES["postgres"]["healthcheck"]["test"][1] == "pg_isready"
