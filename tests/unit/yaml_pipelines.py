"""Runs a pipeline as an operator writes it: YAML, parsed, validated, and through the engine."""

from __future__ import annotations

from dataclasses import dataclass, field

from adapters.yaml.parser import YamlConfigParser
from application.ports.pipeline_adapter import AdapterResult, Emission, PipelineContext
from domain.execution import Execution
from domain.json import JsonObject
from domain.pipeline import Pipeline
from domain.validation import validate
from tests.unit.engines import Act, bench


@dataclass(slots=True)
class Seen:
    """A pipeline adapter for each route's end: what came there, by route, in order."""

    payloads: dict[str, list[JsonObject]] = field(default_factory=dict)

    async def __call__(self, context: PipelineContext) -> AdapterResult:
        self.payloads.setdefault(context.route_id, []).append(context.message)
        return AdapterResult(message=context.message)

    def at(self, route: str, name: str = "n") -> list[object]:
        """The named field of everything that came to a route, sorted."""
        return sorted((payload[name] for payload in self.payloads.get(route, ())), key=repr)


def emitting(*payloads: JsonObject) -> Act:
    """A pipeline adapter that emits these."""

    async def emit(context: PipelineContext) -> AdapterResult:
        return AdapterResult(
            message=context.message, emitted=[Emission(payload=payload) for payload in payloads]
        )

    return emit


def pipeline_of(text: str) -> Pipeline:
    """The pipeline of a config without errors."""
    parsed = YamlConfigParser().parse(text)
    pipeline, report = validate(
        parsed.value, parsed.lines, check=lambda _type, _config: (), found=parsed.findings
    )
    assert pipeline is not None, report.errors
    return pipeline


async def run(text: str, acts: dict[str, Act], payload: JsonObject | None = None) -> Execution:
    """Run a config whose first route gets the init message, to its end."""
    async with bench(acts) as on:
        return await on.run(*pipeline_of(text).routes.values(), payload=payload)
