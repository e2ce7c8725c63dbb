"""Whether the settings are enough for a way to run, and do not contradict each other."""

from __future__ import annotations

from domain.errors import Invalid
from entrypoints.settings import Settings, variable


class MissingSetting(Invalid):
    """A setting is missing without which the server cannot run in that way."""

    code = "missing_setting"


class ContradictorySettings(Invalid):
    """Two settings contradict each other."""

    code = "contradictory_settings"


_WHY = {
    "database_url": "the address of the PostgreSQL to work on",
    "queue_url": "the address of the RabbitMQ that the processes share",
    "storage_url": "where all processes find the stored objects, s3://bucket/prefix or a folder that they share",
}

_OF_BUCKETS = (
    "storage_endpoint",
    "storage_region",
    "storage_access_key",
    "storage_secret_key",
    "storage_create_bucket",
)


def require_for_serving(settings: Settings, *, embedded: bool) -> None:
    """Raise MissingSetting or ContradictorySettings when a server cannot run so."""
    if not embedded:
        _require(settings, "a server without --embedded", "database_url")
        if settings.queue_url is not None:
            _require(settings, "a server on a shared queue", "storage_url")
    if not settings.routes and settings.queue_url is None:
        raise ContradictorySettings(
            "nobody else can process what is in a queue in the server's own process: "
            f"{variable('routes')} is 0 (or --no-routes was given), so set {variable('queue_url')}"
        )
    if not settings.routes and embedded and settings.database_url is None:
        raise ContradictorySettings(
            "no worker can reach an embedded database: "
            f"without routes a server needs {variable('database_url')}, and no --embedded"
        )
    _require_consistent_storage(settings)


def require_for_working(settings: Settings) -> None:
    """Raise MissingSetting or ContradictorySettings when a worker cannot run so."""
    _require(settings, "a worker", "database_url", "queue_url", "storage_url")
    if not settings.routes:
        raise ContradictorySettings(f"a worker without routes has nothing to do: {variable('routes')} is 0")
    _require_consistent_storage(settings)


def _require(settings: Settings, who: str, *names: str) -> None:
    missing = [name for name in names if getattr(settings, name) is None]
    if missing:
        error = MissingSetting(f"{who} needs {', '.join(map(variable, missing))}")
        for name in missing:
            error.add_note(f"{variable(name)}: {_WHY[name]}")
        raise error


def _require_consistent_storage(settings: Settings) -> None:
    names = [name for name in _OF_BUCKETS if getattr(settings, name)]
    if names and not (settings.storage_url or "").startswith("s3://"):
        raise ContradictorySettings(
            f"{variable(names[0])} is set, and {variable('storage_url')} is no s3:// address"
        )
    if (settings.storage_access_key is None) != (settings.storage_secret_key is None):
        raise ContradictorySettings(
            f"{variable('storage_access_key')} and {variable('storage_secret_key')} go together: one of them is not set"
        )
