"""The versions of a pipeline config, and taking a deactivated one into use again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from application.config_check import CheckedConfig, ConfigCheck
from application.ports.clock import Clock
from application.ports.unit_of_work import UnitOfWork
from domain.config_comparison import ConfigComparison, compared
from domain.findings import ConfigNotRunnable
from domain.pipeline import Pipeline
from domain.pipeline_config import ConfigChanged, ConfigInactive, ConfigSource, PipelineConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigVersions:
    """What can be done with what a config was. Every method raises ConfigNotFound for a config or version unknown."""

    work: UnitOfWork
    check: ConfigCheck
    clock: Clock

    async def list(
        self, config_id: UUID, *, limit: int, offset: int = 0
    ) -> tuple[Sequence[PipelineConfig], int]:
        """A page of the versions, the latest first, and how many there are in all."""
        async with self.work.begin() as repositories:
            return await repositories.configs.versions(config_id, limit=limit, offset=offset)

    async def compare(
        self, config_id: UUID, before: int | None = None, after: int | None = None
    ) -> ConfigComparison:
        """What changed to a version, the latest unless it is named, from another, the one before unless it is named."""
        async with self.work.begin() as repositories:
            later = await repositories.configs.get(config_id, version=after)
            version = max(1, later.version - 1) if before is None else before
            earlier = await repositories.configs.get(config_id, version=version)
        return await asyncio.to_thread(compared, earlier, later)

    async def restore(
        self, config_id: UUID, version: int, *, expected_version: int | None = None
    ) -> CheckedConfig:
        """Store the next version with name, text and description of an earlier one.

        The latest stays when it says the same. Raises ConfigInactive, ConfigChanged when the latest version is not the
        expected one or changes meanwhile.
        """
        async with self.work.begin() as repositories:
            latest = await repositories.configs.get(config_id)
            if expected_version not in {None, latest.version}:
                raise ConfigChanged
            if not latest.is_active:
                raise ConfigInactive
            wanted = await repositories.configs.get(config_id, version=version)
            config = replace(
                wanted,
                version=latest.version + 1,
                updated_at=self.clock.now(),
                source=ConfigSource.API,
                source_path=latest.source_path,
            )
            if config.says_the_same_as(latest):
                config = latest
            else:
                await repositories.configs.replace(config, expected_version=latest.version)
        return await self.check.config(config)

    async def activate(self, config_id: UUID) -> CheckedConfig:
        """Take a deactivated config into use again, as it was; twice is as good as once. Raises ConfigChanged."""
        async with self.work.begin() as repositories:
            config = await repositories.configs.get(config_id)
            if not config.is_active:
                config = replace(config, is_active=True, updated_at=self.clock.now())
                await repositories.configs.replace(config, expected_version=config.version)
        return await self.check.config(config)

    async def pipeline(self, config_id: UUID, version: int | None = None) -> tuple[PipelineConfig, Pipeline]:
        """A version, the latest unless it is named, with its pipeline; raises ConfigNotRunnable."""
        async with self.work.begin() as repositories:
            config = await repositories.configs.get(config_id, version=version)
        checked = await self.check.of(config.yaml)
        if checked.pipeline is None:
            raise ConfigNotRunnable(checked.report)
        return config, checked.pipeline
