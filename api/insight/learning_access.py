"""What the routes of learning share: who reviews, the names of things, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from sqlalchemy.orm import Session

from api.deps import Parts, parts_of
from api.desk.access import Signed
from api.desk.cases import agent_names
from api.desk.errors import DeskRoute, document
from api.desk.options import options_of
from api.insight.learning_refresh import Running
from api.insight.learning_views import Namer
from core.audit import Auditor
from core.learning.export import refused_answers, refused_items
from core.learning.faq import BadFaq, FaqChanged, FaqNotFound
from core.learning.review import (
    AlreadyReviewed,
    GroupNotFound,
    GroupReviewed,
    ItemNotFound,
    NotReviewed,
    Reviewer,
    UnknownIntent,
)
from core.learning.settings import LearningSettings, learning_settings

KNOWN: Mapping[type[Exception], tuple[HTTPStatus, str]] = {
    GroupNotFound: (HTTPStatus.NOT_FOUND, "no_such_group"),
    ItemNotFound: (HTTPStatus.NOT_FOUND, "no_such_item"),
    FaqNotFound: (HTTPStatus.NOT_FOUND, "no_such_faq"),
    UnknownIntent: (HTTPStatus.UNPROCESSABLE_ENTITY, "unknown_intent"),
    NotReviewed: (HTTPStatus.CONFLICT, "not_reviewed"),
    BadFaq: (HTTPStatus.UNPROCESSABLE_ENTITY, "bad_faq"),
    Running: (HTTPStatus.CONFLICT, "running"),
}


class BadPage(ValueError):
    """The `after` of a page is none that was given out."""


class _OwnErrors(APIRoute):
    """A route that answers the errors of learning with problem documents."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler of the route."""
        handle = super().get_route_handler()

        async def handling(request: Request) -> Response:
            try:
                return await handle(request)
            except (AlreadyReviewed, FaqChanged) as error:
                return await _faster(request, error)
            except BadPage:
                return _said(request, HTTPStatus.UNPROCESSABLE_ENTITY, "bad_cursor")
            except tuple(KNOWN) as error:
                status, code = next(found for kind, found in KNOWN.items() if isinstance(error, kind))
                more = {"field": error.field, "why": error.why} if isinstance(error, BadFaq) else {}
                return _said(request, status, code, **more)

        return handling


class LearningRoute(DeskRoute, _OwnErrors):
    """A route of learning: our own errors first, then those that all of the desk shares."""


router = APIRouter(prefix="/v1/insight/learning", tags=["insight"], route_class=LearningRoute)


def reviewer_of(parts: Parts, signed: Signed) -> Reviewer:
    """Return the caller as a reviewer."""
    return Reviewer(signed.agent_id, Auditor.of(parts.settings.keyring(), signed.agent_id))


def settings_of(parts: Parts) -> LearningSettings:
    """Return what `data/learning.yaml` says."""
    return learning_settings(parts.settings.data_dir)


def namer_of(parts: Parts, session: Session) -> Namer:
    """Return what gives things their names."""
    refused, answers = refused_items(session), refused_answers(session)
    return Namer(settings_of(parts), options_of(parts.settings.data_dir), agent_names(session), refused, answers)


async def _faster(request: Request, error: AlreadyReviewed | FaqChanged) -> Response:
    """Tell who was faster."""
    parts = parts_of(request)
    names = await parts.store.read(agent_names)
    codes = ((FaqChanged, "faq_changed"), (GroupReviewed, "group_reviewed"), (AlreadyReviewed, "already_reviewed"))
    code = next(code for kind, code in codes if isinstance(error, kind))
    return _said(request, HTTPStatus.CONFLICT, code, who=names.get(error.agent_id or 0, ""))


def _said(request: Request, status: HTTPStatus, code: str, **more: Any) -> Response:
    problems = settings_of(parts_of(request)).problems
    return document(request, status, code, {code: problems[code].format(who=more.get("who", ""))}, **more)
