"""Is the bridge alive, can it answer, and what do its figures say."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError

from api.deps import PartsDep
from core.db import Database

router = APIRouter(tags=["operations"])


@router.get("/healthz")
async def alive() -> dict[str, str]:
    """Tell that the process runs and its event loop turns."""
    return {"status": "alive"}


@router.get("/readyz")
async def ready(parts: PartsDep) -> JSONResponse:
    """Tell whether a question would be answered, part by part; 503 if not."""
    names = {"bridge_database": parts.bridge, "workorder_database": parts.workorder}
    databases = await asyncio.gather(*(asyncio.to_thread(_answers, one) for one in names.values()))
    state = dict(zip(names, databases, strict=True)) | await parts.rasa.health()
    ok = all(state.values())
    status = HTTPStatus.OK if ok else HTTPStatus.SERVICE_UNAVAILABLE
    return JSONResponse({"status": "ready" if ok else "not ready", "parts": state}, status)


@router.get("/metrics")
async def metrics(parts: PartsDep) -> Response:
    """Return the figures for Prometheus."""
    return Response(parts.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _answers(database: Database) -> bool:
    try:
        database.ping()
    except SQLAlchemyError:
        return False
    return True
