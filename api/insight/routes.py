"""All routes of the dashboards: the `router` of every module beside this one, each once, by the names of modules."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from pathlib import Path

from fastapi import APIRouter


def _routers() -> tuple[APIRouter, ...]:
    names = sorted(one.name for one in pkgutil.iter_modules([str(Path(__file__).parent)]) if one.name != "routes")
    modules = [import_module(f"{__package__}.{name}") for name in names]
    found = [router for module in modules if isinstance(router := getattr(module, "router", None), APIRouter)]
    return tuple({id(one): one for one in found}.values())  # modules of one subject share their router


ROUTERS = _routers()
