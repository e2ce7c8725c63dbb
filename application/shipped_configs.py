"""Takes in the pipeline configs that come with the server as files."""

from __future__ import annotations

from dataclasses import dataclass, replace

from application.config_check import CheckedConfig, ConfigCheck
from application.ports.clock import Clock
from application.ports.config_parser import ConfigParser
from application.ports.pipeline_adapter import PipelineAdapterRegistry
from application.ports.unit_of_work import PipelineConfigs, UnitOfWork
from domain.findings import UnparseableConfig
from domain.identity import derived_id
from domain.pipeline_config import ConfigChanged, ConfigNotFound, ConfigSource, PipelineConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedConfigs:
    """Keeps one stored config per shipped file. Its id derives from the path, so two servers that start at once agree."""

    work: UnitOfWork
    parser: ConfigParser
    registry: PipelineAdapterRegistry
    clock: Clock

    async def import_shipped(self, name: str, yaml: str, source_path: str) -> CheckedConfig:
        """Store the file's text at its first sight, and a further version when the *file* has changed since.

        A version that someone edited through the API stays until then; an inactive config stays inactive.
        Raises UnparseableConfig.
        """
        check = ConfigCheck(parser=self.parser, registry=self.registry)
        checked = await check.of(yaml)
        if not checked.is_parseable:
            raise UnparseableConfig(checked.report)
        now = self.clock.now()
        shipped = PipelineConfig(
            id=derived_id("shipped config", source_path),
            name=name,
            yaml=yaml,
            created_at=now,
            updated_at=now,
            source=ConfigSource.FILE,
            source_path=source_path,
        )
        try:
            return await check.config(await self._kept(shipped))
        except ConfigChanged:  # another server was quicker: what it stored is there now
            return await check.config(await self._kept(shipped))

    async def _kept(self, shipped: PipelineConfig) -> PipelineConfig:
        async with self.work.begin() as repositories:
            configs = repositories.configs
            try:
                latest = await configs.get(shipped.id)
            except ConfigNotFound:
                await configs.add(shipped)
                return shipped
            if (await _last_from_file(configs, latest)).yaml == shipped.yaml:
                return latest
            edited = latest.edited(at=shipped.updated_at, name=shipped.name, yaml=shipped.yaml)
            following = replace(edited, source=ConfigSource.FILE)
            await configs.replace(following, expected_version=latest.version)
            return following


async def _last_from_file(configs: PipelineConfigs, latest: PipelineConfig) -> PipelineConfig:
    """The newest version that came from the file; the first one always did."""
    version = latest
    while version.source is not ConfigSource.FILE and version.version > 1:
        version = await configs.get(latest.id, version=version.version - 1)
    return version
