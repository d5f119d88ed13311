"""Keys: made anew for a production site, or once for development and kept in `var/dev.env`."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path

from core.fields import new_key

DEV_FILE = Path("var/dev.env")


class BadDevFile(ValueError):
    """`var/dev.env` holds a line that is not KEY=value."""


def _field_keys() -> str:
    return f"k{secrets.token_hex(3)}:{new_key()}"  # a random id: two keys of one ring must not share it


def _token() -> str:
    return secrets.token_urlsafe(32)


MAKERS: dict[str, Callable[[], str]] = {
    "DIANFU_FIELD_KEYS": _field_keys,
    "DIANFU_LOOKUP_KEY": new_key,
    "DIANFU_IDENTITY_KEY": _token,
    "DIANFU_CUSTOMER_TOKEN_KEY": _token,
    "DIANFU_SESSION_KEY": _token,
    "DIANFU_RASA_TOKEN": _token,
    "DIANFU_ACTIONS_TOKEN": _token,
}


def fresh() -> dict[str, str]:
    """Return a fresh random value for each key variable."""
    return {name: make() for name, make in MAKERS.items()}


def read_dev_file(root: Path) -> dict[str, str]:
    """Return the variables in `var/dev.env`, none if there is no such file.

    Raises:
        BadDevFile: if a line is not KEY=value.
    """
    path = root / DEV_FILE
    if not path.exists():
        return {}
    found = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        name, equals, value = line.strip().partition("=")
        if not name or name.startswith("#"):
            continue
        if not equals:
            raise BadDevFile(f"{DEV_FILE}, line {number}: not KEY=value")
        found[name.strip()] = value.strip()
    return found


def ensure_dev_file(root: Path) -> tuple[dict[str, str], list[str]]:
    """Add the keys that `var/dev.env` lacks; return all its variables, and the names that were added."""
    found = read_dev_file(root)
    made = {"DIANFU_ENV": "development"} | fresh()
    added = [name for name in made if name not in found]
    if added:
        found |= {name: made[name] for name in added}
        _write(root / DEV_FILE, found)
    return found, added


def adopt(variables: Mapping[str, str], environment: MutableMapping[str, str]) -> None:
    """Put variables into an environment; those that are set already win."""
    for name, value in variables.items():
        environment.setdefault(name, value)


def use_dev_file(root: Path, environment: MutableMapping[str, str]) -> None:
    """Let a tool work beside a running `make run`: take `var/dev.env`, except in production."""
    if environment.get("DIANFU_ENV", "development") == "development":
        adopt(read_dev_file(root), environment)


def _write(path: Path, variables: Mapping[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh_path = path.with_suffix(".new")
    fresh_path.unlink(missing_ok=True)
    descriptor = os.open(fresh_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in variables.items())
        file.flush()
        os.fsync(file.fileno())
    fresh_path.replace(path)
