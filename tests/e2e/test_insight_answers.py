"""The answers prepared for the stage of the dashboards have the keys of the real ones: none missing, none made up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from insight_stage import read
from past_bridge import past_bridge, signed_in
from pydantic import TypeAdapter

from api.insight import campaigns, effect, learning, models
from core.clock import SHANGHAI, system_clock

MODELLED = {
    "learning_summary": "learning/summary", "learning_groups": "learning/groups",
    "learning_group": "learning/groups/{group_id}", "learning_faqs": "learning/faqs",
    "learning_intents": "learning/intents", "models": "models", "campaigns": "campaigns", "effect": "effect",
}  # fmt: skip
ROUTERS: tuple[APIRouter, ...] = (campaigns.router, effect.router, learning.router, models.router)
BOARDS = ("service", "customers", "network", "model")
PARTS = ("series", "areas", "nodes", "links", "columns")  # of a chart; a table's lines have the keys of its columns


def keys(value: Any) -> Any:
    """Return the keys of a document and of all that is in it."""
    if isinstance(value, dict):
        return {key: keys(one) for key, one in value.items()}
    return [keys(one) for one in value] if isinstance(value, list) else None


def kinds(rows: list[dict[str, Any]]) -> set[frozenset[str]]:
    """Return the sets of keys that the things of a list have."""
    return {frozenset(one) for one in rows}


def shape(chart: dict[str, Any]) -> Any:
    """Return what the page can count on in a chart."""
    inner = {key: frozenset(kinds(chart[key])) for key in PARTS if chart.get(key)}
    return chart["kind"], frozenset(chart), tuple(sorted(inner.items()))


def in_groups(board: dict[str, Any], what: str) -> list[dict[str, Any]]:
    """Return all `figures` or `charts` of a board."""
    return [one for group in board["groups"] for one in group[what]]


@pytest.mark.parametrize("name", MODELLED)
def test_what_has_a_model_is_prepared_as_the_model_has_it(name: str) -> None:
    path = f"/v1/insight/{MODELLED[name]}"
    [route] = [
        one for router in ROUTERS for one in router.routes
        if isinstance(one, APIRoute) and one.path == path and "GET" in one.methods
    ]  # fmt: skip
    prepared, model = read(name), TypeAdapter[Any](route.response_model)
    assert keys(prepared) == keys(model.dump_python(model.validate_python(prepared), mode="json"))


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """The bridge over a demonstration with two segmentations; a supervisor has signed in."""
    with past_bridge(tmp_path_factory.mktemp("past").resolve(), segmented=2) as stack, signed_in(stack) as client:
        yield client


def asked(bridge: httpx.Client, path: str) -> Any:
    answer = bridge.get(f"/v1/insight/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def boards(bridge: httpx.Client) -> dict[str, dict[str, Any]]:
    """The real boards of the last thirty days."""
    today = system_clock().astimezone(SHANGHAI).date()
    span = f"from={today - timedelta(days=29)}&to={today}"
    return {name: asked(bridge, f"boards/{name}?{span}") for name in BOARDS}


@pytest.mark.e2e
@pytest.mark.parametrize("name", BOARDS)
def test_a_board_its_groups_and_figures_are_prepared_as_they_come(name: str, boards: dict[str, dict[str, Any]]) -> None:
    prepared, real = read(name), boards[name]
    assert set(prepared) == set(real)
    assert kinds(prepared["groups"]) == kinds(real["groups"])
    assert kinds(in_groups(prepared, "figures")) == kinds(in_groups(real, "figures"))
    units = {one["unit"] for board in boards.values() for one in in_groups(board, "figures")}
    assert {one["unit"] for one in in_groups(prepared, "figures")} <= units


@pytest.mark.e2e
@pytest.mark.parametrize("name", BOARDS)
def test_every_prepared_chart_looks_like_a_real_one_of_its_kind(name: str, boards: dict[str, dict[str, Any]]) -> None:
    real = {shape(one) for board in boards.values() for one in in_groups(board, "charts") if not one["empty"]}
    hollow = {frozenset(one) for board in boards.values() for one in in_groups(board, "charts") if one["empty"]}
    for chart in in_groups(read(name), "charts"):
        assert (frozenset(chart) in hollow) if chart["empty"] else (shape(chart) in real), chart["key"]


@pytest.mark.e2e
def test_every_kind_of_chart_that_comes_is_prepared_and_no_other(boards: dict[str, dict[str, Any]]) -> None:
    prepared = {one["kind"] for name in BOARDS for one in in_groups(read(name), "charts")}
    assert prepared == {one["kind"] for board in boards.values() for one in in_groups(board, "charts")}


@pytest.mark.e2e
def test_rows_a_portrait_and_the_pulse_are_prepared_as_they_come(bridge: httpx.Client) -> None:
    today = system_clock().astimezone(SHANGHAI).date()
    real = asked(bridge, f"rows/contacts?from={today - timedelta(days=29)}&to={today}")
    prepared = read("rows")
    assert set(prepared) == set(real)
    assert kinds(prepared["rows"]) == kinds(real["rows"])
    assert prepared["columns"] == real["columns"]
    account = asked(bridge, "portraits?segment=basic")["rows"][0]["ref"]
    real, prepared = asked(bridge, f"portraits/{account}"), read("portrait")
    assert set(prepared) == set(real)
    for part in ("shown", "standing", "counts"):
        assert set(prepared[part]) == set(real[part])
    features = [[one for dimension in each["dimensions"] for one in dimension["features"]] for each in (prepared, real)]
    assert kinds(features[0]) == kinds(features[1])
    assert set(read("pulse")) == set(asked(bridge, "pulse"))
