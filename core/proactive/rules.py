"""When something is an event of which customers are told first (data/notice_sources.yaml)."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OutageRules(_Model):
    """How far ahead planned works are told, and how old news may be."""

    announced_days: float = Field(gt=0)
    ahead_days: float = Field(gt=0)
    news_hours: float = Field(gt=0)


class BillRules(_Model):
    """Which bills are new."""

    old_days: int = Field(gt=0)
    settle_minutes: float = Field(ge=0)
    month: str  # how a month is written


class BalanceRules(_Model):
    """When somebody is reminded to pay or to top up."""

    hour: int = Field(ge=0, le=23)
    days: int = Field(gt=0)
    yuan: int = Field(ge=0)
    due_days: int = Field(ge=0)
    again_days: int = Field(gt=0)


class SourceRules(_Model):
    """The whole file."""

    step: int = Field(gt=0, le=1000)
    outages: OutageRules
    bills: BillRules
    balances: BalanceRules
    progress: dict[str, str]
    moved: dict[str, str]

    @classmethod
    def load(cls, path: Path) -> SourceRules:
        """Read the file.

        Raises:
            pydantic.ValidationError: if something in it is missing, unknown or does not fit.
        """
        return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
