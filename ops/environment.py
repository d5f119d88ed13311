"""All `DIANFU_` variables: which process takes which, what is wrong with those set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from actions.settings import ActionsSettings
from api.sender.settings import SenderSettings
from api.settings import ApiSettings
from core.fields import FieldKeyError, Keyring
from core.settings import MIN_SECRET, CoreSettings

PREFIX = "DIANFU_"


class RasaSettings(BaseSettings):
    """What Rasa is started with; `bot/endpoints.yml` and `bot/credentials.yml` read these variables."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore")

    rasa_host: str = "127.0.0.1"
    rasa_port: int = Field(5005, ge=1, le=65535)
    rasa_token: SecretStr
    actions_token: SecretStr
    actions_url: str = "http://127.0.0.1:5055/webhook"
    tracker_url: str = "sqlite:///var/tracker.db"


class TokenSettings(CoreSettings):
    """What `dianfu token` needs."""

    customer_token_key: SecretStr


SETTINGS: dict[str, type[BaseSettings]] = {
    "api": ApiSettings,
    "actions": ActionsSettings,
    "rasa": RasaSettings,
    "sender": SenderSettings,
}

# Each process gets its own secrets alone. Rasa, on libraries past their end of life, gets an allow-list.
RASA_TAKES = frozenset({"DIANFU_RASA_TOKEN", "DIANFU_ACTIONS_TOKEN", "DIANFU_ACTIONS_URL", "DIANFU_TRACKER_URL"})
ACTIONS_NEVER = frozenset(
    {
        "DIANFU_RASA_TOKEN",
        "DIANFU_CUSTOMER_TOKEN_KEY",
        "DIANFU_SESSION_KEY",
        "DIANFU_TRACKER_URL",
        "DIANFU_CHATWOOT_TOKEN",
        "DIANFU_CHATWOOT_WEBHOOK_SECRET",
        "DIANFU_WECHAT_SECRET",
        "DIANFU_WECHAT_TOKEN",
        "DIANFU_WECHAT_AES_KEY",
        "DIANFU_WECHAT_AES_KEY_PREVIOUS",
    }
)
API_NEVER = frozenset({"DIANFU_ACTIONS_TOKEN", "DIANFU_TRACKER_URL"})
SEGMENT_NEVER = ACTIONS_NEVER | API_NEVER  # it reads the databases, and speaks to nobody
SENDER_NEVER = (ACTIONS_NEVER | API_NEVER) - {"DIANFU_WECHAT_SECRET"}  # it sends, and lets nothing in

_SYSTEM = frozenset(
    {
        "PATH",
        "HOME",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "TZ",
        "TMPDIR",
        "LD_LIBRARY_PATH",
        "MPLCONFIGDIR",
        "RASA_HOME",
    }
)
_LIBRARIES = ("OPENBLAS_", "OMP_", "MKL_", "TF_")  # how many threads, which kernels: the machine's own affair
QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
    "CUDA_VISIBLE_DEVICES": "-1",
    "RASA_TELEMETRY_ENABLED": "false",
    "PYTHONUNBUFFERED": "1",
}


@dataclass(frozen=True)
class Settings:
    """The checked settings of all three processes."""

    api: ApiSettings
    actions: ActionsSettings
    rasa: RasaSettings

    @classmethod
    def load(cls) -> Settings:
        """Read them from the environment; raises pydantic's `ValidationError` (see `problems` for words)."""
        return cls(ApiSettings(), ActionsSettings(), RasaSettings())  # pyright: ignore[reportCallIssue]


def complete(environment: MutableMapping[str, str]) -> None:
    """Derive the addresses by which the processes find one another from hosts and ports, where unset."""
    rasa = _address(environment, "RASA", "5005")
    actions = _address(environment, "ACTIONS", "5055")
    environment.setdefault("DIANFU_RASA_URL", f"http://{rasa}")
    environment.setdefault("DIANFU_ACTIONS_URL", f"http://{actions}/webhook")


def variables(classes: Iterable[type[BaseSettings]] = tuple(SETTINGS.values())) -> dict[str, str | None]:
    """Return the default of each variable, None where it has to be set."""
    fields = {name: info for one in classes for name, info in one.model_fields.items()}
    return {PREFIX + name.upper(): None if info.is_required() else str(info.default) for name, info in fields.items()}


def problems(environment: Mapping[str, str]) -> list[str]:
    """Return one line for each variable that is missing or bad, sorted; never a value."""
    found = _weak_secrets(environment)
    for one in SETTINGS.values():
        try:
            one()
        except ValidationError as error:
            found = _by_name(error) | found
    return _lines(found)


def problems_of(error: ValidationError) -> list[str]:
    """Return the same for one failed check of settings."""
    return _lines(_by_name(error))


def rasa_environment(environment: Mapping[str, str], settings: RasaSettings) -> dict[str, str]:
    """Return all that Rasa and its command line are given: no way to a business database, no key of ours."""
    kept = {name: value for name, value in environment.items() if name in _SYSTEM or name.startswith(_LIBRARIES)}
    return kept | QUIET | {
        "DIANFU_RASA_TOKEN": settings.rasa_token.get_secret_value(),
        "DIANFU_ACTIONS_TOKEN": settings.actions_token.get_secret_value(),
        "DIANFU_ACTIONS_URL": settings.actions_url,
        "DIANFU_TRACKER_URL": settings.tracker_url,
    }  # fmt: skip


def training_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what Rasa is given to train: no variable of ours at all."""
    kept = {name: value for name, value in environment.items() if name in _SYSTEM or name.startswith(_LIBRARIES)}
    return kept | QUIET


def service_environment(environment: Mapping[str, str], without: frozenset[str]) -> dict[str, str]:
    """Return the environment for one of our own processes."""
    kept = {name: value for name, value in environment.items() if name not in without}
    return kept | {"PYTHONUNBUFFERED": "1"}


def _by_name(error: ValidationError) -> dict[str, str]:
    found = {}
    for item in error.errors(include_input=False, include_url=False, include_context=False):
        name = PREFIX + str(item["loc"][0]).upper() if item["loc"] else ""
        found[name] = "is not set" if item["type"] == "missing" else item["msg"].removeprefix("Value error, ")
    return found


def _lines(found: Mapping[str, str]) -> list[str]:
    # An error without a name is a check of the whole, which only repeats what is listed by name.
    named = {name: message for name, message in found.items() if name} or found
    return sorted(f"{name} {message}".strip() for name, message in named.items())


def _address(environment: Mapping[str, str], name: str, port: str) -> str:
    host = environment.get(f"DIANFU_{name}_HOST", "127.0.0.1")
    if host in {"0.0.0.0", "::"}:  # where it listens is not where one calls it
        host = "127.0.0.1"
    return f"{host}:{environment.get(f'DIANFU_{name}_PORT', port)}"


def _weak_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    found = {}
    fields = {name for one in SETTINGS.values() for name, info in one.model_fields.items() if info.is_required()}
    for name in sorted(fields - {"field_keys", "lookup_key"}):
        value = environment.get(PREFIX + name.upper(), "")
        if value and len(value) < MIN_SECRET:
            found[PREFIX + name.upper()] = f"needs at least {MIN_SECRET} characters"
        elif value.startswith("development-") and environment.get("DIANFU_ENV") != "development":
            found[PREFIX + name.upper()] = "is a development secret; set a real one"
    return found | _bad_field_keys(environment)


def _bad_field_keys(environment: Mapping[str, str]) -> dict[str, str]:
    field_keys, lookup = environment.get("DIANFU_FIELD_KEYS"), environment.get("DIANFU_LOOKUP_KEY")
    found = {}
    # Each is tried with a sound partner, so that a fault is put down to the right variable.
    for name, keys, key in (
        ("DIANFU_FIELD_KEYS", field_keys, _SOUND),
        ("DIANFU_LOOKUP_KEY", f"a:{_SOUND}", lookup),
    ):
        if keys is None or key is None:
            continue
        try:
            Keyring.parse(keys, key)
        except FieldKeyError as error:
            found[name] = f"is bad: {error}"
    return found


_SOUND = "A" * 43 + "="
