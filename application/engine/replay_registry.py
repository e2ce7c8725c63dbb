"""Lets the engine, and nobody else, build the pipeline adapter that seeds replays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from application.engine.replay_route import SEEDER
from application.engine.replay_seeder import ReplaySeeder
from application.engine.replay_sources import ReplaySources
from application.ports.pipeline_adapter import BuiltAdapter, PipelineAdapterRegistry
from domain.findings import ConfigProblem
from domain.json import JsonObject
from domain.replay import replay_of


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedingRegistry:
    """A registry that also builds ``SEEDER``; to those who ask for types, checks and versions it is the one within."""

    registry: PipelineAdapterRegistry
    sources: ReplaySources

    def types(self) -> Mapping[str, str]:
        """See the port."""
        return self.registry.types()

    def check(self, type: str, config: JsonObject) -> Sequence[ConfigProblem]:
        """See the port."""
        return self.registry.check(type, config)

    def collects(self, type: str) -> bool:
        """See the port."""
        return self.registry.collects(type)

    def version(self, type: str) -> str:
        """See the port."""
        return self.registry.version(type)

    def build(self, type: str, config: JsonObject) -> BuiltAdapter:
        """See the port; for ``SEEDER`` the config is a frozen replay, and InvalidReplay is raised for any other."""
        if type == SEEDER:
            return ReplaySeeder(replay=replay_of(config), sources=self.sources)
        return self.registry.build(type, config)
