"""The console of models: what runs, candidates with their comparison, train, compare, promote, roll back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from api.deps import Parts, PartsDep, parts_of
from api.desk.access import Signed, SupervisorDep
from api.desk.cases import agent_names
from api.desk.errors import DeskRoute, document
from api.insight import models_start
from core.audit import Auditor
from core.learning import model_change, models
from core.learning.model_files import FOLDER, Busy, ModelFiles
from core.learning.model_progress import WAIT, progress_of
from core.learning.model_settings import CompareSettings, compare_settings
from core.learning.models import Garage, ModelError, ModelNotFound
from core.learning.tables import ModelVersion
from core.learning.verdict import ALL

__all__ = ["router"]
ROOT = Path()  # the folder of the project, in which the bridge runs


class _OwnErrors(APIRoute):
    """A route that answers the errors of models with problem documents."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler of the route."""
        handle = super().get_route_handler()

        async def handling(request: Request) -> Response:
            try:
                return await handle(request)
            except ModelNotFound as error:
                return _said(request, HTTPStatus.NOT_FOUND, error.code, error.more)
            except ModelError as error:
                return _said(request, HTTPStatus.CONFLICT, error.code, error.more)
            except Busy:
                return _said(request, HTTPStatus.CONFLICT, "changing", {})

        return handling


class ModelRoute(DeskRoute, _OwnErrors):
    """A route of models: our own errors first, then those that all of the desk shares."""


router = APIRouter(prefix="/v1/insight/models", tags=["insight"], route_class=ModelRoute)


class Learned(BaseModel):
    """How much of what reviewers approved a model was trained with."""

    messages: int = 0
    faqs: int = 0


class Changed(BaseModel):
    """One figure that changed beyond what is let pass; `set` and `metric` as in `figures`."""

    set: str
    metric: str
    before: float | None
    after: float | None
    why: str
    lost: int
    gained: int


class Progress(BaseModel):
    """How far a training or a comparison is."""

    stage: str
    text: str
    percent: float
    share: float
    seconds: int


class ModelView(BaseModel):
    """One model; figures by the names of set and metric."""

    id: int
    name: str
    state: str
    started_at: datetime
    trained_at: datetime | None
    promoted_at: datetime | None
    learned: Learned
    figures: dict[str, dict[str, float]]
    compared: dict[str, Any]
    error: str | None
    progress: Progress | None
    asked_by: str | None


class ModelList(BaseModel):
    """All models, the newest first; `running` is the name of the one in use, `before` that of a rollback."""

    models: list[ModelView]
    running: str | None
    before: str | None


class Rollback(BaseModel):
    """The name of the model that is to go, as the console showed it: a second click goes back no further."""

    model_config = ConfigDict(extra="forbid", strict=True)

    running: Annotated[str, Field(min_length=1, max_length=60)]


@router.get("")
async def models_list(parts: PartsDep, _signed: SupervisorDep) -> ModelList:
    """Return all models."""
    garage, now = garage_of(parts), parts.clock()
    await asyncio.to_thread(model_change.reconcile, garage, now)

    def work(session: Session) -> ModelList:
        names, running = agent_names(session), models.running(session)
        before = model_change.before_running(session, garage.files)
        return ModelList(
            models=[_view(row, garage.settings, names, session, now) for row in models.all_of(session)],
            running=running.name if running else None, before=before.name if before else None,
        )  # fmt: skip

    return await parts.store.read(work)


@router.post("/train", status_code=HTTPStatus.ACCEPTED)
async def train(parts: PartsDep, signed: SupervisorDep) -> ModelView:
    """Train a candidate with what was labelled and approved, and compare it; the list tells how far it is."""
    row = await models_start.train(parts, garage_of(parts), _auditor(parts, signed), ROOT)
    return await _one(parts, row.id)


@router.post("/rollback")
async def rollback(parts: PartsDep, signed: SupervisorDep, body: Rollback | None = None) -> ModelView:
    """Let the model run again that ran before the present one."""
    garage, by = garage_of(parts), _auditor(parts, signed)
    going = body.running if body else None
    row = await asyncio.to_thread(model_change.rollback, garage, by=by, now=parts.clock(), instead_of=going)
    return await _one(parts, row.id)


@router.get("/{model_id}")
async def model(parts: PartsDep, _signed: SupervisorDep, model_id: int) -> ModelView:
    """Return one model."""
    return await _one(parts, model_id)


@router.post("/{model_id}/compare", status_code=HTTPStatus.ACCEPTED)
async def compare(parts: PartsDep, signed: SupervisorDep, model_id: int) -> ModelView:
    """Compare a candidate anew, as when another model runs by now."""
    row = await models_start.compare(parts, garage_of(parts), _auditor(parts, signed), ROOT, model_id)
    return await _one(parts, row.id)


@router.post("/{model_id}/promote")
async def promote(parts: PartsDep, signed: SupervisorDep, model_id: int) -> ModelView:
    """Let a candidate run that was compared with the present model and got nothing worse."""
    garage, by = garage_of(parts), _auditor(parts, signed)
    row = await asyncio.to_thread(model_change.promote, garage, model_id, by=by, now=parts.clock())
    return await _one(parts, row.id)


def garage_of(parts: Parts) -> Garage:
    """Return where the models are."""
    return Garage(ModelFiles(FOLDER), parts.bridge, compare_settings(parts.settings.data_dir))


def _auditor(parts: Parts, signed: Signed) -> Auditor:
    return Auditor.of(parts.settings.keyring(), signed.agent_id)


async def _one(parts: Parts, model_id: int) -> ModelView:
    settings, now = compare_settings(parts.settings.data_dir), parts.clock()

    def work(session: Session) -> ModelView:
        return _view(models.find(session, model_id), settings, agent_names(session), session, now)

    return await parts.store.read(work)


def _view(
    row: ModelVersion, settings: CompareSettings, names: Mapping[int, str], session: Session, now: datetime
) -> ModelView:  # fmt: skip
    return ModelView(
        id=row.id, name=row.name, state=row.state, started_at=row.started_at, trained_at=row.trained_at,
        promoted_at=row.promoted_at, learned=Learned.model_validate(row.learned), figures=_figures(row, settings),
        compared=_compared(row, settings), error=settings.errors.get(row.error, row.error) if row.error else None,
        progress=_progress(row, settings, session, now),
        asked_by=names.get(row.asked_by) if row.asked_by is not None else None,
    )  # fmt: skip


def _figures(row: ModelVersion, settings: CompareSettings) -> dict[str, dict[str, float]]:
    """Return the figures that are judged, by Chinese names; all messages together come first."""
    sets = sorted((name for name in settings.sets if name in row.figures), key=lambda name: name != ALL)
    return {
        settings.sets[name]: {
            label: value for key, label in settings.metrics.items() if (value := row.figures[name].get(key)) is not None
        }
        for name in sets
    }


def _compared(row: ModelVersion, settings: CompareSettings) -> dict[str, Any]:
    if not row.compared.get("verdict"):
        return {}
    found = {"with": row.compared["with"], "verdict": row.compared["verdict"], "at": row.compared["at"]}
    for side in ("worse", "better"):
        found[side] = [_changed(one, settings).model_dump() for one in row.compared[side]]
    return found


def _changed(one: Mapping[str, Any], settings: CompareSettings) -> Changed:
    named = {"set": settings.sets[one["set"]], "metric": settings.metrics[one["metric"]]}
    return Changed.model_validate({**one, **named, "why": settings.why[one["why"]]})


def _progress(row: ModelVersion, settings: CompareSettings, session: Session, now: datetime) -> Progress | None:
    found = progress_of(session, row.id, now)
    if found is None and row.state == models.TRAINING:
        seconds = max(0, round((now - row.started_at).total_seconds()))
        found = {"stage": WAIT, "percent": 0.0, "seconds": seconds}
    if found is None:
        return None
    return Progress(text=settings.stages[found["stage"]], share=found["percent"] / 100, **found)


def _said(request: Request, status: HTTPStatus, code: str, more: Mapping[str, Any]) -> Response:
    problems = compare_settings(parts_of(request).settings.data_dir).problems
    return document(request, status, code, {code: problems[code].format(**more)}, **more)
