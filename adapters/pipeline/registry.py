"""The registry of pipeline adapters: what YAML may name, checked and built."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Lock

from adapters.pipeline.configuration import (
    UNKNOWN_TYPE,
    WRONG_VALUE,
    closest,
    configured,
    problems,
    schema_of,
)
from adapters.pipeline.discovery import Discovered
from application.ports.pipeline_adapter import (
    SERVER_PACKAGE,
    BuiltAdapter,
    DescribedAdapter,
    Registration,
    UnusableAdapter,
)
from domain.errors import Conflict
from domain.findings import ConfigProblem, InvalidAdapterConfig, UnknownPipelineAdapter
from domain.grouping import Grouping
from domain.json import JsonObject

__all__ = ["PipelineAdapterTaken", "PipelineAdapters", "Registration"]

log = logging.getLogger(__name__)

MEANT_FOR_THE_PROCESS = (KeyboardInterrupt, GeneratorExit)
"""What a plugin's code may raise without being to blame; anything else is a problem of that plugin, SystemExit too."""


class PipelineAdapterTaken(Conflict):
    """Two pipeline adapters are registered under one type."""

    code = "pipeline_adapter_taken"


class PipelineAdapters:
    """Implements PipelineAdapterRegistry and PipelineAdapterCatalogue over registrations and what is installed.

    ``discover`` is called once, at the first use: what it finds is imported then and not before. A plugin never takes
    the type of one of the ``registrations``.
    """

    def __init__(
        self,
        registrations: Sequence[Registration],
        discover: Callable[[], Iterable[Discovered]] = tuple,
    ) -> None:
        self._own: dict[str, Registration] = {}
        for registration in registrations:
            if registration.type in self._own:
                raise PipelineAdapterTaken(f"two pipeline adapters are registered as {registration.type!r}")
            self._own[registration.type] = registration
        self._discover = discover
        self._lock = Lock()
        self._found: tuple[dict[str, Registration], dict[str, UnusableAdapter]] | None = None

    def types(self) -> Mapping[str, str]:
        """Every type, in the order of the alphabet, with one sentence on what it does."""
        usable = self._all[0]
        return {name: usable[name].description for name in sorted(usable)}

    def check(self, type: str, config: JsonObject) -> Sequence[ConfigProblem]:
        """Everything wrong with a step's config; an unknown type is the only problem of its step."""
        registration = self._all[0].get(type)
        if registration is None:
            return (self._unknown(type),)
        try:
            return tuple(problems(config, registration.config))
        except BaseException as error:
            if registration.package == SERVER_PACKAGE or isinstance(error, MEANT_FOR_THE_PROCESS):
                raise
            return (_not_checked(registration, error),)

    def collects(self, type: str) -> bool:
        """See the port."""
        registration = self._all[0].get(type)
        return registration is not None and registration.collects

    def version(self, type: str) -> str:
        """The version of a type's implementation; raises UnknownPipelineAdapter."""
        return self._registered(type).version or ""

    def build(self, type: str, config: JsonObject) -> BuiltAdapter:
        """A pipeline adapter for one route; raises UnknownPipelineAdapter, InvalidAdapterConfig."""
        registration = self._registered(type)
        value: object = configured(config, registration.config)
        if registration.package == SERVER_PACKAGE:
            return registration.build(value)
        return _built(registration, value)

    def described(self) -> Sequence[DescribedAdapter]:
        """See the port."""
        usable = self._all[0]
        return [
            DescribedAdapter(
                type=one.type,
                description=one.description,
                version=one.version or "",
                package=one.package,
                config_schema=schema_of(one.config),
                example=one.example,
            )
            for one in (usable[name] for name in sorted(usable))
        ]

    def unusable(self) -> Sequence[UnusableAdapter]:
        """See the port."""
        unusable = self._all[1]
        return [unusable[name] for name in sorted(unusable)]

    @property
    def _all(self) -> tuple[dict[str, Registration], dict[str, UnusableAdapter]]:
        with self._lock:
            if self._found is None:
                self._found = self._load()
            return self._found

    def _load(self) -> tuple[dict[str, Registration], dict[str, UnusableAdapter]]:
        usable, unusable = dict(self._own), dict[str, UnusableAdapter]()
        for found in self._discover():
            outcome = found.loaded(taken=self._own)
            if isinstance(outcome, Registration):
                usable[found.type] = outcome
                log.info("pipeline adapter %s %s from %s", found.type, outcome.version, outcome.package)
            else:
                unusable[found.type] = outcome
                log.warning("the pipeline adapter %s cannot be used: %s", outcome.type, outcome.reason)
        return usable, unusable

    def _registered(self, name: str) -> Registration:
        registration = self._all[0].get(name)
        if registration is None:
            problem = self._unknown(name)
            raise UnknownPipelineAdapter(f"{problem.message}: {problem.remediation}")
        return registration

    def _unknown(self, name: str) -> ConfigProblem:
        usable, unusable = self._all
        if name in unusable:
            return ConfigProblem(
                code=UNKNOWN_TYPE,
                path="type",
                message=f"the pipeline adapter {name!r} cannot be used: {unusable[name].reason}",
                remediation=f"mend or remove the package {unusable[name].package}, then start the server again",
            )
        return ConfigProblem(
            code=UNKNOWN_TYPE,
            path="type",
            message=f"there is no pipeline adapter {name!r}",
            remediation=closest(name, usable, f"registered types: {', '.join(sorted(usable))}"),
        )


def _built(registration: Registration, value: object) -> BuiltAdapter:
    """What a plugin builds; whatever goes wrong there is a problem of that plugin and not of the server."""
    who = f"the pipeline adapter {registration.type} of {registration.package}"
    try:
        adapter = registration.build(value)
    except MEANT_FOR_THE_PROCESS:
        raise
    except BaseException as error:
        raise InvalidAdapterConfig(
            f"{who} could not be built: {error.__class__.__name__}: {error}"
        ) from error
    needed = "collect" if registration.collects else "process"
    if not callable(getattr(adapter, needed, None)):
        raise InvalidAdapterConfig(f"{who} was built as {type(adapter).__name__}, which has no `{needed}`")
    if registration.collects and not isinstance(getattr(adapter, "grouping", None), Grouping):
        raise InvalidAdapterConfig(
            f"{who} was built as {type(adapter).__name__}, whose `grouping` is no Grouping"
        )
    return adapter


def _not_checked(registration: Registration, error: BaseException) -> ConfigProblem:
    return ConfigProblem(
        code=WRONG_VALUE,
        path="",
        message=f"the config could not be checked: {error.__class__.__name__}: {error}",
        remediation=f"ask the makers of {registration.package}: its config class must raise ValueError",
    )
