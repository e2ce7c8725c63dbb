"""What there is to name in a pipeline's YAML, and whether all that is installed can be used."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from application.ports.pipeline_adapter import (
    DescribedAdapter,
    PipelineAdapterCatalogue,
    UnusableAdapter,
)
from application.ports.readiness import ComponentHealth, Health
from domain.findings import UnknownPipelineAdapter


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Asks once, on a thread, because that may import the packages that are installed; they stay what they are."""

    adapters: PipelineAdapterCatalogue
    _known: list[Sequence[DescribedAdapter]] = field(default_factory=list)
    _unusable: list[Sequence[UnusableAdapter]] = field(default_factory=list)

    async def list(self, *, limit: int, offset: int = 0) -> tuple[Sequence[DescribedAdapter], int]:
        """A page of the pipeline adapters, by type, and how many there are in all."""
        described = await self._described()
        return described[offset : offset + limit], len(described)

    async def get(self, type: str) -> DescribedAdapter:
        """One pipeline adapter; raises UnknownPipelineAdapter, with the reason when it is installed and unusable."""
        for described in await self._described():
            if described.type == type:
                return described
        for unusable in await self.unusable():
            if unusable.type == type:
                raise UnknownPipelineAdapter(
                    f"the pipeline adapter {type!r} cannot be used: {unusable.reason}"
                )
        raise UnknownPipelineAdapter(f"there is no pipeline adapter {type!r}")

    async def unusable(self) -> Sequence[UnusableAdapter]:
        """What installed packages declare and cannot be used, by type."""
        if not self._unusable:
            self._unusable.append(await asyncio.to_thread(self.adapters.unusable))
        return self._unusable[0]

    async def _described(self) -> Sequence[DescribedAdapter]:
        if not self._known:
            self._known.append(await asyncio.to_thread(self.adapters.described))
        return self._known[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueReadiness:
    """Degraded while an installed package declares a pipeline adapter that cannot be used."""

    catalogue: Catalogue
    component: str = "pipeline_adapters"

    async def check(self) -> ComponentHealth:
        """See the port. Details: the reason for each type."""
        unusable = await self.catalogue.unusable()
        if not unusable:
            return ComponentHealth(name=self.component, health=Health.HEALTHY)
        return ComponentHealth(
            name=self.component,
            health=Health.DEGRADED,
            message=f"cannot be used: {', '.join(one.type for one in unusable)}",
            details={"unusable": {one.type: one.reason for one in unusable}},
        )
