"""The registry of pipeline adapters: what YAML may name, checked and built."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from adapters.pipeline.configuration import UNKNOWN_TYPE, closest, configured, problems
from application.ports.pipeline_adapter import PipelineAdapter
from domain.errors import Conflict
from domain.findings import ConfigProblem, UnknownPipelineAdapter
from domain.json import JsonObject

ConfigStruct: TypeAlias = type[msgspec.Struct]


class PipelineAdapterTaken(Conflict):
    """Two pipeline adapters are registered under one type."""

    code = "pipeline_adapter_taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One pipeline adapter: the ``type`` that YAML names, one sentence on what it does, and how it is built.

    ``version`` changes whenever the same message may come out differently. ``config`` is a msgspec Struct with
    ``forbid_unknown_fields``; its ``__post_init__`` may raise ValueError for fields that contradict each other.
    ``build`` takes an instance of it and does no I/O.
    """

    type: str
    description: str
    version: str
    config: ConfigStruct
    build: Callable[[Any], PipelineAdapter]


class PipelineAdapters:
    """Implements PipelineAdapterRegistry over a sequence of registrations."""

    def __init__(self, registrations: Sequence[Registration]) -> None:
        self._registrations: dict[str, Registration] = {}
        for registration in registrations:
            if registration.type in self._registrations:
                raise PipelineAdapterTaken(f"two pipeline adapters are registered as {registration.type!r}")
            self._registrations[registration.type] = registration

    def types(self) -> Mapping[str, str]:
        """Every type, in the order of the alphabet, with one sentence on what it does."""
        return {name: self._registrations[name].description for name in sorted(self._registrations)}

    def check(self, type: str, config: JsonObject) -> Sequence[ConfigProblem]:
        """Everything wrong with a step's config; an unknown type is the only problem of its step."""
        registration = self._registrations.get(type)
        if registration is None:
            return (self._unknown(type),)
        return tuple(problems(config, registration.config))

    def version(self, type: str) -> str:
        """The version of a type's implementation; raises UnknownPipelineAdapter."""
        return self._registered(type).version

    def schema(self, type: str) -> Mapping[str, Any]:
        """The JSON Schema of a type's config; raises UnknownPipelineAdapter."""
        return msgspec.json.schema(self._registered(type).config)

    def build(self, type: str, config: JsonObject) -> PipelineAdapter:
        """A pipeline adapter for one route; raises UnknownPipelineAdapter, InvalidAdapterConfig."""
        registration = self._registered(type)
        return registration.build(configured(config, registration.config))

    def _registered(self, name: str) -> Registration:
        registration = self._registrations.get(name)
        if registration is None:
            problem = self._unknown(name)
            raise UnknownPipelineAdapter(f"{problem.message}: {problem.remediation}")
        return registration

    def _unknown(self, name: str) -> ConfigProblem:
        return ConfigProblem(
            code=UNKNOWN_TYPE,
            path="type",
            message=f"there is no pipeline adapter {name!r}",
            remediation=closest(
                name, self._registrations, f"registered types: {', '.join(sorted(self._registrations))}"
            ),
        )
