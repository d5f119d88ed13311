"""The boards as JSON."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from api.deps import PartsDep
from api.insight.access import AskedDep, InsightRoute, SupervisorDep, in_thread, sources_of, words_for
from core.insight.boards import board_json

router = APIRouter(prefix="/v1/insight", tags=["insight"], route_class=InsightRoute)


@router.get("/boards/{board}")
async def board(board: str, parts: PartsDep, _signed: SupervisorDep, asked: AskedDep) -> dict[str, Any]:
    """Return a board (service, customers, network, model): figures and charts of the days from `from` to `to`."""
    return await in_thread(lambda: board_json(board, sources_of(parts), asked, words_for(parts)))
