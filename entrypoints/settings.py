"""The server's settings: each is read from a flag, else from an environment variable, else it has its default."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from entrypoints.setting_problems import InvalidSettings, SettingProblem
from entrypoints.setting_values import (
    BROKERS,
    DATABASE,
    HOST,
    NAME,
    PATH,
    SECRET,
    SWITCH,
    Kind,
    address,
    number,
    one_of,
    whole_number,
)
from entrypoints.setting_values import about as _about
from entrypoints.setting_values import shared as _shared
from entrypoints.storage_settings import StorageSettings

PREFIX = "FACTFLOW_"
_PASSWORD = re.compile(r"//[^/]*@")
CLIENT_VARIABLES = (
    "FACTFLOW_URL",
    "FACTFLOW_API_KEY",
    "FACTFLOW_PROFILE",
    "FACTFLOW_BROKER_PASSWORD",
    "FACTFLOW_DEBUG",
)
"""Variables that the command line reads and the server does not."""


def usable_cores() -> int:
    """How many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Settings(StorageSettings):
    """Everything that can be set for a server; the environment variable of ``port`` is ``FACTFLOW_PORT``."""

    host: str = field(default="127.0.0.1", metadata=_about(HOST, "The address the API listens on."))
    port: int = field(
        default=8000,
        metadata=_about(whole_number(0, 65_535), "The port the API listens on; 0 takes any that is free."),
    )
    data_dir: Path = field(
        default=Path(".factflow"),
        metadata=_about(
            PATH, "The folder for all that an embedded server keeps, and for the model of every other."
        ),
    )
    models_dir: Path | None = field(
        default=None,
        metadata=_about(
            PATH, "The folder for the converted embedding model; unset, `models` in the data folder."
        ),
    )
    docs: Path | None = field(
        default=None,
        metadata=_about(
            PATH,
            "The folder a server ingests at its start; unset, an embedded one takes the project's own docs.",
        ),
    )
    database_url: str | None = field(
        default=None,
        metadata=_shared(
            DATABASE, "The PostgreSQL to use; unset, an embedded server starts its own.", is_secret=True
        ),
    )
    database_pool_size: int = field(
        default=8,
        metadata=_about(
            whole_number(2, 1000), "How many connections to the database a process keeps open at most."
        ),
    )
    queue_url: str | None = field(
        default=None,
        metadata=_shared(
            BROKERS,
            "The RabbitMQ that many processes share, several hosts of one cluster by commas; unset, the queue is in the process.",
            is_secret=True,
        ),
    )
    queue_type: str = field(
        default="classic",
        metadata=_shared(one_of("classic", "quorum"), "The type of RabbitMQ's queues."),
    )
    routes: bool = field(
        default=True,
        metadata=_about(
            SWITCH, "Whether a server processes messages itself; 0 leaves that to workers on a shared queue."
        ),
    )
    name: str | None = field(
        default=None,
        metadata=_about(
            NAME, "What this process is called in the list of workers; unset, its host and process id."
        ),
    )
    drain_seconds: float = field(
        default=20.0,
        metadata=_about(
            number(0, 3600),
            "How long what is at work may take when a process on a shared queue stops, before it is handed back, in seconds.",
        ),
    )
    llm_base_url: str | None = field(
        default=None,
        metadata=_about(
            address("http", "https"),
            "An OpenAI-compatible endpoint, up to and with /v1, that writes answers; unset, they are extracts.",
        ),
    )
    llm_api_key: str | None = field(
        default=None, metadata=_about(SECRET, "The key for that endpoint.", is_secret=True)
    )
    llm_model: str = field(default="default", metadata=_about(NAME, "The model to ask that endpoint for."))
    llm_timeout_seconds: float = field(
        default=60.0, metadata=_about(number(0.1, 3600), "How long to wait for that endpoint, in seconds.")
    )
    llm_attempts: int = field(
        default=3, metadata=_about(whole_number(1, 20), "How often a request to that endpoint is tried.")
    )
    llm_max_concurrency: int = field(
        default=50,
        metadata=_about(
            whole_number(1, 1000),
            "How many requests to that endpoint may be under way at once, while it lets.",
        ),
    )
    config_validator_strict: bool = field(
        default=True,
        metadata=_about(
            SWITCH, "Whether a shipped pipeline with errors keeps the server from starting; 0 warns."
        ),
    )
    max_concurrent_executions: int = field(
        default=10,
        metadata=_about(
            whole_number(1, 10_000),
            "How many executions may run at once; over RabbitMQ a process consumes the queues of about 2,000 routes at most.",
        ),
    )
    max_dead_letters: int | None = field(
        default=None,
        metadata=_about(
            whole_number(0, 1_000_000_000),
            "With more dead messages an execution fails, unless its pipeline says otherwise; unset, there is no limit.",
        ),
    )
    model_threads: int = field(
        default_factory=usable_cores,
        metadata=_about(
            whole_number(1, 1024), "How many threads the embedding model uses.", shown="the usable cores"
        ),
    )
    model_compute_type: str = field(
        default="auto",
        metadata=_shared(
            one_of("auto", "int8", "float32"),
            "How the embedding model computes; auto takes int8 where the processor can.",
        ),
    )
    group_commit_ms: float = field(
        default=5.0,
        metadata=_about(
            number(0, 1000), "How many milliseconds the ledger gathers settlements before a commit."
        ),
    )
    lease_seconds: float = field(
        default=15.0,
        metadata=_shared(number(1, 3600), "After how many silent seconds a server or worker counts as dead."),
    )
    breaker_open_seconds: float = field(
        default=30.0,
        metadata=_about(
            number(0.1, 3600),
            "How long a route rests when one of its pipeline adapters keeps failing, before it tries again, in seconds.",
        ),
    )
    log_level: str = field(
        default="info",
        metadata=_about(one_of("debug", "info", "warning", "error"), "The least severe messages to log."),
    )
    log_format: str = field(
        default="text", metadata=_about(one_of("text", "json"), "How log lines are written.")
    )

    @classmethod
    def read(cls, environment: Mapping[str, str], flags: Mapping[str, str | None] | None = None) -> Settings:
        """The settings that flags (by setting name; None is not given) and the environment state.

        A flag goes before the variable. An empty variable counts as unset. Raises InvalidSettings with every problem.
        """
        values: dict[str, Any] = {}
        problems: list[SettingProblem] = []
        for item in fields(cls):
            text, source = _stated(item.name, environment, flags or {})
            if text is None:
                continue
            try:
                values[item.name] = _value(item, text)
            except ValueError:
                problems.append(_problem(item, text, source))
        if problems:
            raise InvalidSettings(problems)
        return cls(**values)

    def __repr__(self) -> str:
        shown = (f"{item.name}={_shown(item, getattr(self, item.name))}" for item in fields(self))
        return f"Settings({', '.join(shown)})"


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def unknown_variables(environment: Mapping[str, str]) -> Sequence[str]:
    """A warning for each FACTFLOW_ variable that nothing reads, with what was probably meant."""
    known = [variable(item.name) for item in fields(Settings)] + list(CLIENT_VARIABLES)
    strange = sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
    return tuple(_warning(name, known) for name in strange)


def _warning(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(
        name.removeprefix(PREFIX), [other.removeprefix(PREFIX) for other in known], n=1, cutoff=0.7
    )
    return f"nothing reads {name}" + (f"; did you mean {PREFIX}{near[0]}?" if near else "")


def _stated(
    name: str, environment: Mapping[str, str], flags: Mapping[str, str | None]
) -> tuple[str | None, str]:
    flag = flags.get(name)
    if flag is not None:
        return flag, "--" + name.replace("_", "-")
    return environment.get(variable(name), "").strip() or None, variable(name)


def _value(item: Field[Any], text: str) -> Any:
    kind: Kind = item.metadata["kind"]
    if not text.strip():
        raise ValueError(text)
    return kind.read(text.strip())


def _problem(item: Field[Any], text: str, source: str) -> SettingProblem:
    value = "not shown here" if item.metadata["is_secret"] else ascii(_PASSWORD.sub("//***@", text[:200]))
    return SettingProblem(name=item.name, value=value, allowed=item.metadata["kind"].allowed, source=source)


def _shown(item: Field[Any], value: object) -> str:
    return "***" if item.metadata["is_secret"] and value is not None else repr(value)
