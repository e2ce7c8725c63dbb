"""Pipeline configs in a dictionary."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import replace
from typing import TypeAlias
from uuid import UUID

from domain.pipeline_config import ConfigChanged, ConfigNotFound, PipelineConfig

Versions: TypeAlias = tuple[PipelineConfig, ...]
"""A config's versions, the first first. Only the last one's ``is_active`` counts, for all of them."""


class MemoryPipelineConfigs:
    """The configs of a dictionary, whose values are never changed in place: a copy of it is a snapshot."""

    def __init__(self, versions: MutableMapping[UUID, Versions]) -> None:
        self._versions = versions

    async def add(self, config: PipelineConfig) -> None:
        """Store a new config; raises ConfigChanged when its id is taken."""
        if config.id in self._versions:
            raise ConfigChanged("a config of that id exists already")
        self._versions[config.id] = (config,)

    async def get(self, config_id: UUID, *, version: int | None = None) -> PipelineConfig:
        """The latest version or the one asked for."""
        versions = self._versions.get(config_id, ())
        for config in reversed(versions):
            if version in {None, config.version}:
                return replace(config, is_active=versions[-1].is_active)
        raise ConfigNotFound

    async def replace(self, config: PipelineConfig, *, expected_version: int) -> None:
        """Compare-and-set on the latest version."""
        latest = await self.get(config.id)
        if latest.version != expected_version:
            raise ConfigChanged
        kept = self._versions[config.id]
        if config.version == expected_version:
            kept = kept[:-1]
            config = replace(latest, is_active=config.is_active, updated_at=config.updated_at)
        self._versions[config.id] = (*kept, config)

    async def list(
        self, *, is_active: bool | None = True, limit: int, offset: int = 0
    ) -> tuple[Sequence[PipelineConfig], int]:
        """A page of the latest versions, by creation, and how many there are in all."""
        wanted = [config for config in self._latest() if is_active in {None, config.is_active}]
        return tuple(wanted[offset : offset + limit]), len(wanted)

    async def versions(
        self, config_id: UUID, *, limit: int, offset: int = 0
    ) -> tuple[Sequence[PipelineConfig], int]:
        """A page of a config's versions, the latest first, and how many there are in all."""
        latest = await self.get(config_id)
        kept = [replace(config, is_active=latest.is_active) for config in reversed(self._versions[config_id])]
        return kept[offset : offset + limit], len(kept)

    async def by_source_path(self, source_path: str) -> PipelineConfig | None:
        """The latest version of the first config that came from that file."""
        return next((config for config in self._latest() if config.source_path == source_path), None)

    def _latest(self) -> Sequence[PipelineConfig]:
        latest = (versions[-1] for versions in self._versions.values())
        return sorted(latest, key=lambda config: (config.created_at, config.id))
