"""Whether a page that is open has to be read again."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter

from api.deps import PartsDep
from api.insight.access import InsightRoute, SupervisorDep, sources_of
from core.insight.pulse import version

router = APIRouter(prefix="/v1/insight", tags=["insight"], route_class=InsightRoute)


@router.get("/pulse")
async def pulse(parts: PartsDep, _signed: SupervisorDep) -> dict[str, str]:
    """Return a version that changes when anything shown may have changed; cheap, to be asked for every ten seconds."""
    return {"version": await asyncio.to_thread(version, sources_of(parts), now=parts.clock())}
