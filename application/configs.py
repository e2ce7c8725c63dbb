"""Stored pipeline configs: writing, reading, and the gate that only valid ones pass to run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from application.config_check import CheckedConfig, CheckedText, ConfigCheck
from application.ports.clock import Clock
from application.ports.config_parser import ConfigParser
from application.ports.id_source import IdSource
from application.ports.pipeline_adapter import PipelineAdapterRegistry
from application.ports.unit_of_work import UnitOfWork
from domain.findings import ConfigNotRunnable, UnparseableConfig, ValidationReport
from domain.json import JsonObject
from domain.pipeline import Pipeline
from domain.pipeline_config import ConfigChanged, ConfigInactive, ConfigSource, PipelineConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Configs:
    """What can be done with stored pipeline configs. Errors of validation keep one from running, not from being saved;
    a text that cannot be read at all is not saved (UnparseableConfig).
    """

    work: UnitOfWork
    parser: ConfigParser
    registry: PipelineAdapterRegistry
    clock: Clock
    ids: IdSource

    async def validate(self, yaml: str) -> ValidationReport:
        """Everything wrong with a text; nothing is stored."""
        return (await self._check.of(yaml)).report

    async def create(
        self,
        *,
        name: str,
        yaml: str,
        description: str | None = None,
        source: ConfigSource = ConfigSource.API,
        source_path: str | None = None,
    ) -> CheckedConfig:
        """Store a new config; raises UnparseableConfig, InvalidConfigName, InvalidConfigText."""
        checked = await self._readable(yaml)
        now = self.clock.now()
        config = PipelineConfig(
            id=self.ids.new_id(),
            name=name,
            yaml=yaml,
            created_at=now,
            updated_at=now,
            source=source,
            source_path=source_path,
            description=description,
        )
        async with self.work.begin() as repositories:
            await repositories.configs.add(config)
        return CheckedConfig(config=config, report=checked.report)

    async def get(self, config_id: UUID, version: int | None = None) -> CheckedConfig:
        """A config's latest version, or the one asked for; raises ConfigNotFound."""
        async with self.work.begin() as repositories:
            config = await repositories.configs.get(config_id, version=version)
        return await self._check.config(config)

    async def list(
        self, limit: int = 100, offset: int = 0, *, is_active: bool | None = True
    ) -> tuple[Sequence[CheckedConfig], int]:
        """A page of configs by creation, and how many there are in all; None asks for inactive ones too."""
        async with self.work.begin() as repositories:
            configs, total = await repositories.configs.list(is_active=is_active, limit=limit, offset=offset)
        return [await self._check.config(config) for config in configs], total

    async def update(
        self,
        config_id: UUID,
        *,
        name: str | None = None,
        yaml: str | None = None,
        description: str | None = None,
        expected_version: int | None = None,
    ) -> CheckedConfig:
        """Store the next version with what is given changed; without a change the latest version stays.

        Raises ConfigChanged when the latest version is not the expected one or changes meanwhile, ConfigInactive,
        ConfigNotFound, UnparseableConfig, InvalidConfigName, InvalidConfigText.
        """
        if yaml is not None:
            await self._readable(yaml)
        async with self.work.begin() as repositories:
            latest = await repositories.configs.get(config_id)
            if expected_version not in {None, latest.version}:
                raise ConfigChanged
            if not latest.is_active:
                raise ConfigInactive
            edited = latest.edited(at=self.clock.now(), name=name, yaml=yaml, description=description)
            config = replace(edited, source=ConfigSource.API)
            if config.says_the_same_as(latest):
                config = latest
            else:
                await repositories.configs.replace(config, expected_version=latest.version)
        return await self._check.config(config)

    async def deactivate(self, config_id: UUID, *, expected_version: int | None = None) -> None:
        """Take a config out of use, keeping every version; twice is as good as once.

        Raises ConfigNotFound, ConfigChanged when another version than the expected one is the latest.
        """
        async with self.work.begin() as repositories:
            latest = await repositories.configs.get(config_id)
            if expected_version is not None and latest.version != expected_version:
                raise ConfigChanged
            if latest.is_active:
                inactive = latest.deactivated(at=self.clock.now())
                await repositories.configs.replace(inactive, expected_version=latest.version)

    async def runnable(self, config_id: UUID) -> tuple[PipelineConfig, Pipeline, JsonObject]:
        """The latest version with its pipeline and its plain value, for a snapshot.

        Raises ConfigNotFound, ConfigInactive, ConfigNotRunnable.
        """
        async with self.work.begin() as repositories:
            config = await repositories.configs.get(config_id)
        if not config.is_active:
            raise ConfigInactive
        checked = await self._check.of(config.yaml)
        if checked.pipeline is None or checked.value is None:
            raise ConfigNotRunnable(checked.report)
        return config, checked.pipeline, checked.value

    async def _readable(self, yaml: str) -> CheckedText:
        checked = await self._check.of(yaml)
        if not checked.is_parseable:
            raise UnparseableConfig(checked.report)
        return checked

    @property
    def _check(self) -> ConfigCheck:
        return ConfigCheck(parser=self.parser, registry=self.registry)
