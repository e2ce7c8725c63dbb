"""The config as an execution keeps it, and the pipeline that it stands for later."""

from __future__ import annotations

from collections.abc import Mapping

from application.engine.replay_route import with_seeding
from application.ports.pipeline_adapter import PipelineAdapterRegistry
from domain.errors import Conflict, FactflowError, Invalid
from domain.execution import Execution
from domain.json import JsonObject
from domain.pipeline import Pipeline
from domain.pipeline_config import PipelineConfig
from domain.replay import ReplayRouteUnknown, replay_of
from domain.validation import validate


class SnapshotNotRunnable(Conflict):
    """The execution's frozen config no longer runs with the pipeline adapters there are."""

    code = "snapshot_not_runnable"


def snapshot_of(
    config: PipelineConfig, pipeline: Pipeline, value: JsonObject, registry: PipelineAdapterRegistry
) -> JsonObject:
    """What is frozen on an execution: where the config came from, its plain value, the adapters' versions."""
    types = {step.type for route in pipeline.routes.values() for step in route.adapters}
    return {
        "config_id": str(config.id),
        "name": config.name,
        "version": config.version,
        "config_hash": config.config_hash,
        "pipeline": value,
        "pipeline_adapters": {name: registry.version(name) for name in sorted(types)},
    }


def pipeline_of(execution: Execution, registry: PipelineAdapterRegistry) -> Pipeline:
    """The pipeline that an execution runs, that of a replay with the route that seeds it.

    Raises SnapshotNotRunnable when a pipeline adapter is gone or has changed.
    """
    return _seeded(execution, frozen_pipeline_of(execution, registry))


def readable_pipeline_of(execution: Execution, registry: PipelineAdapterRegistry) -> Pipeline:
    """The same whatever the adapters' versions; raises SnapshotNotRunnable when the frozen config has errors."""
    return _seeded(execution, _validated(execution, registry))


def frozen_pipeline_of(execution: Execution, registry: PipelineAdapterRegistry) -> Pipeline:
    """The pipeline as the operator wrote it; raises SnapshotNotRunnable when an adapter is gone or has changed."""
    pipeline = _validated(execution, registry)
    frozen = execution.config_snapshot.get("pipeline_adapters")
    for name, version in (frozen if isinstance(frozen, Mapping) else {}).items():
        present = _version(registry, name)
        if present != version:
            raise SnapshotNotRunnable(
                f"the pipeline adapter {name} was version {version} when the execution began and is {present} now"
            )
    return pipeline


def _validated(execution: Execution, registry: PipelineAdapterRegistry) -> Pipeline:
    pipeline, report = validate(execution.config_snapshot.get("pipeline"), check=registry.check)
    if pipeline is None:
        first = report.errors[0]
        raise SnapshotNotRunnable(
            f"the frozen config does not validate any more: {first.code} {first.message}"
        )
    return pipeline


def _seeded(execution: Execution, pipeline: Pipeline) -> Pipeline:
    replay = execution.config_snapshot.get("replay")
    if replay is None:
        return pipeline
    try:
        return with_seeding(pipeline, replay_of(replay))
    except (Invalid, ReplayRouteUnknown) as error:
        raise SnapshotNotRunnable(error.message) from error


def _version(registry: PipelineAdapterRegistry, name: str) -> str | None:
    try:
        return registry.version(name)
    except FactflowError:
        return None
