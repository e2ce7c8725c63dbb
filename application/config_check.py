"""Checks the text of a pipeline config against the pipeline adapters there are now."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from application.ports.config_parser import ConfigParser
from application.ports.pipeline_adapter import PipelineAdapterRegistry
from domain.findings import ValidationReport
from domain.json import JsonObject
from domain.pipeline import Pipeline
from domain.pipeline_config import PipelineConfig
from domain.validation import validate


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedText:
    """What a text was found to say. ``value`` is None when it could not be read or is no mapping; there is a
    ``pipeline`` exactly when the report has no errors.
    """

    report: ValidationReport
    value: JsonObject | None = None
    pipeline: Pipeline | None = None
    is_parseable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedConfig:
    """A stored config with what is wrong with it now: the report is made on every read, so that a pipeline adapter
    which was renamed or removed since shows.
    """

    config: PipelineConfig
    report: ValidationReport

    @property
    def is_runnable(self) -> bool:
        """Whether an execution of it may start."""
        return self.config.is_active and self.report.is_valid


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigCheck:
    """Parses and validates."""

    parser: ConfigParser
    registry: PipelineAdapterRegistry

    async def of(self, yaml: str) -> CheckedText:
        """Check a text, on a thread: the largest take a second, during which the service goes on."""
        return await asyncio.to_thread(self._check, yaml)

    def _check(self, yaml: str) -> CheckedText:
        parsed = self.parser.parse(yaml)
        if parsed.value is None:
            return CheckedText(report=ValidationReport(findings=parsed.findings), is_parseable=False)
        pipeline, report = validate(
            parsed.value,
            parsed.lines,
            check=self.registry.check,
            found=parsed.findings,
            collects=self.registry.collects,
        )
        value = parsed.value if isinstance(parsed.value, dict) else None
        return CheckedText(report=report, value=value, pipeline=pipeline)

    async def config(self, config: PipelineConfig) -> CheckedConfig:
        """Check a stored config."""
        return CheckedConfig(config=config, report=(await self.of(config.yaml)).report)
