"""How a tool command gets its settings: from the environment and, in development, from `var/dev.env`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from ops import environment, keys
from ops.output import Exit, fail

S = TypeVar("S", bound=BaseSettings)


def settings_of(kind: type[S]) -> S:
    """Return the settings a command needs; end the command with a list of what is missing or bad."""
    try:
        keys.use_dev_file(Path.cwd(), os.environ)
    except keys.BadDevFile as error:
        fail(str(error), Exit.SETTINGS)
    environment.complete(os.environ)
    try:
        return kind()
    except ValidationError as error:
        wrong = environment.problems_of(error)
        hint = "; in development they are in var/dev.env, which `make run` makes" if _unset(wrong) else ""
        fail("these settings are missing or bad" + hint + ":\n  " + "\n  ".join(wrong), Exit.SETTINGS)


def _unset(wrong: list[str]) -> bool:
    return any(line.endswith("is not set") for line in wrong)
