"""`dianfu serve`: prepares what is missing (in development), checks, keeps five processes running."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from core.settings import CoreSettings
from ops import databases, environment, fake_wechat, keys, probes, training
from ops.environment import (
    ACTIONS_NEVER,
    API_NEVER,
    SEGMENT_NEVER,
    SENDER_NEVER,
    RasaSettings,
    Settings,
    rasa_environment,
    service_environment,
)
from ops.output import Exit, Progressing, fail, show
from ops.procs import SELF, NotReady, Process, Supervisor

RASA_READY_WITHIN = 180.0
ALIVE = "var/sender.alive"  # touched by the sender, which listens nowhere
PORTRAITS_ALIVE = "var/segments.alive"  # by what keeps portraits up to date


def serve(
    train: Annotated[bool, typer.Option(help="Train the model if there is none (development).")] = True,
    seed: Annotated[bool, typer.Option(help="Make demonstration data if there is none (development).")] = True,
    with_fake_wechat: Annotated[
        bool, typer.Option("--with-fake-wechat", help="Also a WeChat to try the account with (development).")
    ] = False,
) -> None:
    """Start Rasa, the actions, the bridge, the sender and the portraits; keep them running until Ctrl-C."""
    root = Path.cwd()
    if os.environ.get("DIANFU_ENV") == "development":
        _take_dev_keys(root)
    beside = _fake_wechat(root) if with_fake_wechat else []
    environment.complete(os.environ)
    settings = _checked_settings()
    _check_ports(settings, with_fake_wechat=with_fake_wechat)
    if settings.api.development:
        _prepare(settings.api, root, train=train, seed=seed)
    _check_prepared(settings.api, root)
    raise typer.Exit(asyncio.run(_run(settings, beside + processes(settings, root))))


def processes(settings: Settings, root: Path) -> list[Process]:
    """Return the five processes in the order in which they start."""
    api, actions, rasa = settings.api, settings.actions, settings.rasa
    python = sys.executable
    rasa_host, actions_host, api_host = (_reach(one) for one in (rasa.rasa_host, actions.actions_host, api.api_host))
    return [
        Process(
            "actions", (python, "-m", "actions"), service_environment(os.environ, ACTIONS_NEVER), cwd=root,
            ready=probes.answers(f"http://{actions_host}:{actions.actions_port}/health"),
            listens=probes.listening(actions_host, actions.actions_port),
        ),
        Process(
            "rasa", rasa_command(rasa), rasa_environment(os.environ, rasa), cwd=root,
            ready=probes.warmed_up(f"http://{rasa_host}:{rasa.rasa_port}", rasa.rasa_token.get_secret_value()),
            listens=probes.listening(rasa_host, rasa.rasa_port), ready_within=RASA_READY_WITHIN,
        ),
        Process(
            "api", (python, "-m", "api"), service_environment(os.environ, API_NEVER), cwd=root,
            ready=probes.answers(f"http://{api_host}:{api.api_port}/healthz"),
            listens=probes.listening(api_host, api.api_port),
        ),
        Process(
            "sender", (python, "-m", "api.sender", "--alive", ALIVE), service_environment(os.environ, SENDER_NEVER),
            cwd=root, ready=probes.touched(root / ALIVE), listens=probes.touched(root / ALIVE),
        ),
        Process(
            "segments", (python, "-m", "ops.segment_watch", "--alive", PORTRAITS_ALIVE),
            service_environment(os.environ, SEGMENT_NEVER), cwd=root,
            ready=probes.touched(root / PORTRAITS_ALIVE), listens=probes.touched(root / PORTRAITS_ALIVE),
        ),
    ]  # fmt: skip


def rasa_command(settings: RasaSettings) -> tuple[str, ...]:
    """Return the command that runs Rasa, relative to the project's folder."""
    return (
        str(training.BOT_PYTHON), "-m", "rasa", "run", "--model", "models",
        "--endpoints", "bot/endpoints.yml", "--credentials", "bot/credentials.yml",
        "-i", settings.rasa_host, "-p", str(settings.rasa_port),
    )  # fmt: skip


def _reach(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)


def _take_dev_keys(root: Path) -> None:
    try:
        variables, added = keys.ensure_dev_file(root)
    except keys.BadDevFile as error:
        fail(str(error), Exit.SETTINGS)
    keys.adopt(variables, os.environ)
    if added:
        show(SELF, f"made random keys in {keys.DEV_FILE}")


def _checked_settings() -> Settings:
    wrong = environment.problems(os.environ)
    if wrong:
        hint = (
            ""
            if os.environ.get("DIANFU_ENV") == "development"
            else "\n`dianfu keys new` prints fresh keys; to try dianfu on this machine, use `make run`."
        )
        fail("these settings are missing or bad:\n  " + "\n  ".join(wrong) + hint, Exit.SETTINGS)
    return Settings.load()


def _fake_wechat(root: Path) -> list[Process]:
    try:
        fake_wechat.prepare(os.environ, root)
    except fake_wechat.NotPossible as error:
        fail(str(error), Exit.SETTINGS)
    return [fake_wechat.process(os.environ, root)]


def _check_ports(settings: Settings, *, with_fake_wechat: bool) -> None:
    wanted = [
        ("DIANFU_API_PORT", settings.api.api_host, settings.api.api_port),
        ("DIANFU_RASA_PORT", settings.rasa.rasa_host, settings.rasa.rasa_port),
        ("DIANFU_ACTIONS_PORT", settings.actions.actions_host, settings.actions.actions_port),
    ]
    if with_fake_wechat:
        wanted.append((fake_wechat.PORT_VARIABLE, fake_wechat.HOST, fake_wechat.port(os.environ)))
    wrong = probes.port_problems(wanted)
    if wrong:
        fail("\n  ".join(["not all ports can be had:", *wrong]), Exit.PORT)


def _prepare(settings: CoreSettings, root: Path, *, train: bool, seed: bool) -> None:
    try:
        databases.migrate(settings)
        if not databases.is_readable(settings):
            fail(
                f"the demonstration data was made with other keys than those in {keys.DEV_FILE}; "
                "make it anew with `dianfu seed --reset`",
                Exit.SETTINGS,
            )
        if seed and not databases.is_seeded(settings):
            show(SELF, "making the demonstration data, about a minute")
            with Progressing() as report:
                databases.fill(settings, report, customers=500, months=36)
        if seed:
            databases.fill_desk(settings)
        if seed and not databases.has_history(settings):
            show(SELF, "making sixty days of conversations for the demonstration, some ten seconds")
            with Progressing() as report:
                databases.fill_history(settings, report)
    except SQLAlchemyError as error:
        fail(f"a database could not be prepared: {error}", Exit.PREPARATION)
    if train and not training.models(root):
        show(SELF, "training the model, two or three minutes")
        try:
            seconds = asyncio.run(training.train(root, show))
        except training.TrainingFailed as error:
            fail(f"training failed: {error}", Exit.PREPARATION)
        show(SELF, f"the model is trained ({seconds:.0f} s)")


def _check_prepared(settings: CoreSettings, root: Path) -> None:
    if not training.models(root):
        fail("there is no model in models/: run `make train` (or `dianfu train`)", Exit.NOT_PREPARED)
    try:
        behind = databases.behind(settings)
    except SQLAlchemyError as error:
        fail(f"a database does not answer: {type(error).__name__}: {error}", Exit.NOT_PREPARED)
    if behind:
        fail(f"not migrated: {', '.join(behind)}; run `dianfu migrate`", Exit.NOT_PREPARED)


async def _run(settings: Settings, started: list[Process]) -> int:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    supervisor, names = Supervisor(started, show), {one.name for one in started}
    menu: set[asyncio.Task[None]] = set()

    def ready() -> None:
        _announce(settings, names)
        if "wechat" in names:
            menu.add(asyncio.create_task(fake_wechat.make_menu(Path.cwd(), show)))

    try:
        await supervisor.run(stop, ready)
    except NotReady as error:
        show(SELF, str(error))
        return Exit.NOT_READY
    show(SELF, "all processes have ended")
    return Exit.OK


def _announce(settings: Settings, names: set[str]) -> None:
    base = f"http://{_reach(settings.api.api_host)}:{settings.api.api_port}"
    rasa, actions = settings.rasa, settings.actions
    lines = [
        f"dianfu is ready ({settings.api.env})",
        *([f"  chat page     {base}/", f"  API           {base}/docs"] if settings.api.development else []),
        *([f"  WeChat phone  {fake_wechat.url(os.environ)}/"] if "wechat" in names else []),
        f"  agents' desk  {base}/desk",
        f"  bridge        {base}",
        f"  can it answer {base}/readyz",
        f"  rasa          http://{_reach(rasa.rasa_host)}:{rasa.rasa_port} (private)",
        f"  actions       http://{_reach(actions.actions_host)}:{actions.actions_port} (private)",
        "  end           Ctrl-C",
    ]
    print("\n" + "\n".join(lines) + "\n", flush=True)
