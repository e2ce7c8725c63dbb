"""What changed from one version of a pipeline config to another."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from domain.pipeline_config import PipelineConfig

CONTEXT_LINES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigComparison:
    """Two versions of one config and what differs. ``lines`` are a unified diff of the YAML, without line ends."""

    before: PipelineConfig
    after: PipelineConfig
    lines: Sequence[str]

    @property
    def changed(self) -> Sequence[str]:
        """The fields that differ: of `name`, `description` and `config_yaml`, those that do."""
        before, after = self.before, self.after
        pairs = {
            "name": (before.name, after.name),
            "description": (before.description, after.description),
            "config_yaml": (before.yaml, after.yaml),
        }
        return [field for field, (old, new) in pairs.items() if old != new]

    @property
    def added(self) -> int:
        """How many lines the later one has that the earlier one lacks."""
        return sum(line.startswith("+") for line in self.lines[2:])

    @property
    def removed(self) -> int:
        """How many lines of the earlier one are gone."""
        return sum(line.startswith("-") for line in self.lines[2:])


def compared(before: PipelineConfig, after: PipelineConfig) -> ConfigComparison:
    """Compare two versions, line by line."""
    lines = difflib.unified_diff(
        before.yaml.splitlines(),
        after.yaml.splitlines(),
        f"version {before.version}",
        f"version {after.version}",
        lineterm="",
        n=CONTEXT_LINES,
    )
    return ConfigComparison(before=before, after=after, lines=list(lines))
