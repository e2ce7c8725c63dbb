"""What helps to write the config of one pipeline adapter: a check of it alone, and an example to begin with."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from application.adapter_examples import example_pipeline
from application.config_check import ConfigCheck
from application.pipeline_adapters import Catalogue
from domain.findings import ValidationReport
from domain.json import JsonObject
from domain.validation.collected import Collected


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterConfigs:
    """Asks the same registry as the validation of whole pipelines, so both find the same."""

    catalogue: Catalogue
    check: ConfigCheck

    async def validate(self, type: str, config: JsonObject) -> ValidationReport:
        """Everything wrong with a config, with paths relative to it; raises UnknownPipelineAdapter."""
        await self.catalogue.get(type)
        found = Collected()
        for problem in await asyncio.to_thread(self.check.registry.check, type, config):
            found.add(problem.code, problem.path, problem.message, remediation=problem.remediation)
        return found.report()

    async def example(self, type: str) -> str:
        """A small pipeline of it as YAML; raises UnknownPipelineAdapter.

        What must be filled in before that can run, which no pipeline adapter of the server needs, is told in comments on top.
        """
        adapter = await self.catalogue.get(type)
        text = _comment(adapter.description) + example_pipeline(adapter)
        findings = (await self.check.of(text)).report.errors
        return "".join(_comment(f"{one.path}: {one.message}") for one in findings) + text


def _comment(text: str) -> str:
    """On one line, whatever a package says of itself."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return f"# {' '.join(printable.split())}\n"
