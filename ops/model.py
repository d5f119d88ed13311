"""`dianfu model …`: train a candidate with what was learned, compare it with the running model, promote it, go back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy.exc import SQLAlchemyError

from core.audit import Auditor
from core.clock import SHANGHAI, system_clock
from core.learning import model_change, model_progress, models
from core.learning.export import Guard
from core.learning.held_out import BadHeldOutFile
from core.learning.model_files import FOLDER, Busy, ModelFiles
from core.learning.model_needs import check_memory, free_mib
from core.learning.model_settings import BadCompareFile, compare_settings
from core.learning.models import Garage, ModelError
from core.learning.settings import BadLearningFile
from core.learning.tables import ModelVersion
from core.learning.training import BadTrainingFile
from core.settings import CoreSettings
from ops import candidate, databases
from ops.candidate import CompareFailed, Workshop
from ops.output import Exit, fail, show
from ops.tool import settings_of
from ops.training import TrainingFailed

model_app = typer.Typer(help="Models: trained with what was learned, compared, promoted.", no_args_is_help=True)
NICE = 10  # whoever answers a customer comes first
Name = Annotated[str | None, typer.Argument(help="Its name; the newest candidate unless said.")]


@model_app.command("list")
def list_models() -> None:
    """Show all models, and put right what a kill left."""
    with _garage() as (garage, _settings):
        now = system_clock()
        model_change.reconcile(garage, now)
        with garage.bridge.reading() as session:
            for row in reversed(models.all_of(session)):
                typer.echo(_line(row, model_progress.progress_of(session, row.id, now)))


@model_app.command()
def train(
    compare: Annotated[bool, typer.Option(help="Compare it with the running model, too.")] = True,
    force: Annotated[bool, typer.Option("--force", help="Train all parts anew.")] = False,
    model_id: Annotated[int | None, typer.Option("--id", hidden=True, help="The row that the console began.")] = None,
) -> None:
    """Train a candidate with the messages and answers that reviewers approved; the running model is left alone."""
    with suppress(OSError):
        os.nice(NICE)
    with _garage() as (garage, settings):
        try:
            with garage.files.training():
                _train(garage, settings, model_id, compare=compare, force=force)
        except Busy:
            fail("a model is being trained already")


@model_app.command()
def compare(name: Name = None) -> None:
    """Measure a candidate and the running model on all validation sets, and say whether anything got worse."""
    with suppress(OSError):
        os.nice(NICE)
    with _garage() as (garage, settings):
        row = candidate.compare(_workshop(garage, settings), _chosen(garage, name).id)
    _tell_verdict(row, compare_settings(settings.data_dir).metrics)


@model_app.command()
def promote(name: Name = None) -> None:
    """Let a candidate run for which `compare` found nothing worse; the one before is kept."""
    with _garage() as (garage, settings):
        by = Auditor.of(settings.keyring())
        row = model_change.promote(garage, _chosen(garage, name).id, by=by, now=system_clock())
    typer.echo(f"{row.name} runs; the bot takes it within seconds")


@model_app.command()
def rollback() -> None:
    """Let the model run again that ran before the present one."""
    with _garage() as (garage, settings):
        row = model_change.rollback(garage, by=Auditor.of(settings.keyring()), now=system_clock())
    typer.echo(f"{row.name} runs again; the bot takes it within seconds")


def _train(garage: Garage, settings: CoreSettings, model_id: int | None, *, compare: bool, force: bool) -> None:
    now = system_clock()
    model_change.reconcile(garage, now, alone=True)
    if model_id is None:
        check_memory(garage.settings.training.memory_mib, free_mib())
        with garage.bridge.transaction() as session:
            model_id = models.begin(session, now=now, asked_by=None).id
    row = candidate.train(_workshop(garage, settings), model_id, force=force, then_compare=compare)
    typer.echo(_line(row, None))
    if row.compared:
        _tell_verdict(row, garage.settings.metrics)


def _workshop(garage: Garage, settings: CoreSettings) -> Workshop:
    return Workshop(Path.cwd(), garage, Guard.load(settings.data_dir), show, system_clock)


def _chosen(garage: Garage, name: str | None) -> ModelVersion:
    model_change.reconcile(garage, system_clock())
    with garage.bridge.reading() as session:
        if name is not None:
            return models.by_name(session, name)
        found = next((row for row in models.all_of(session) if row.state == models.CANDIDATE), None)
    if found is None:
        raise models.ModelNotFound("there is no candidate; `dianfu model train` makes one")
    return found


@contextmanager
def _garage() -> Iterator[tuple[Garage, CoreSettings]]:
    """Give the models; end the command with what went wrong, in one line."""
    settings = settings_of(CoreSettings)
    try:
        with databases.opened(settings.bridge_url) as bridge:
            yield Garage(ModelFiles(FOLDER), bridge, compare_settings(settings.data_dir)), settings
    except (BadCompareFile, BadLearningFile, BadHeldOutFile, BadTrainingFile) as error:
        fail(str(error), Exit.SETTINGS)
    except TrainingFailed as error:
        fail(f"training failed: {error}", Exit.PREPARATION)
    except ModelError as error:
        fail(f"refused ({error.code}): {error}")
    except CompareFailed as error:
        fail(f"not compared: {error}")
    except Busy:
        fail("another process is changing models; try again in a moment")
    except SQLAlchemyError as error:
        fail(f"a database cannot be asked (`dianfu migrate`): {str(error).splitlines()[0]}")


def _line(row: ModelVersion, progress: dict[str, Any] | None) -> str:
    at = row.promoted_at or row.trained_at or row.started_at
    parts = [f"{row.name:<24}", f"{row.state:<9}", f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"]
    if row.learned:
        parts.append(f"{row.learned.get('messages', 0)} messages, {row.learned.get('faqs', 0)} answers learned")
    if row.compared.get("verdict"):
        parts.append(f"{row.compared['verdict']} (with {row.compared['with']})")
    if progress:
        parts.append(f"{progress['stage']} {progress['percent']:.0f} %")
    return "  ".join([*parts, *([f"error: {row.error}"] if row.error else [])])


def _tell_verdict(row: ModelVersion, metrics: dict[str, str]) -> None:
    for word in ("worse", "better"):
        for one in row.compared.get(word) or ():
            before, after = (f"{one[side]:.4f}" if one[side] is not None else "-" for side in ("before", "after"))
            detail = f"{one['lost']} lost, {one['gained']} gained, {one['why']}"
            typer.echo(f"  {word}: {one['set']}  {metrics[one['metric']]}  {before} -> {after}  ({detail})")
    typer.echo(f"{row.name} against {row.compared['with']}: {row.compared['verdict']}")
