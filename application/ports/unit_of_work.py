"""Repositories in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, Required, TypedDict, Unpack
from uuid import UUID

from domain.execution import Execution, ExecutionStatus, ExecutionSummary
from domain.pipeline_config import PipelineConfig


class PipelineConfigs(Protocol):
    """Stored pipeline configs; every version is kept."""

    async def add(self, config: PipelineConfig) -> None:
        """Store a new config; raises ConfigChanged when its id is taken."""
        ...

    async def get(self, config_id: UUID, *, version: int | None = None) -> PipelineConfig:
        """The latest version, or the one asked for; raises ConfigNotFound."""
        ...

    async def replace(self, config: PipelineConfig, *, expected_version: int) -> None:
        """Store a further version if the latest is still the expected one; raises ConfigChanged, ConfigNotFound.

        A config that has the expected version itself changes ``is_active`` and ``updated_at`` of what is there; whether
        a config is active holds for all its versions.
        """
        ...

    async def list(
        self, *, is_active: bool | None = True, limit: int, offset: int = 0
    ) -> tuple[Sequence[PipelineConfig], int]:
        """A page of the latest versions, by creation, and how many there are in all."""
        ...

    async def versions(
        self, config_id: UUID, *, limit: int, offset: int = 0
    ) -> tuple[Sequence[PipelineConfig], int]:
        """A page of a config's versions, the latest first, and how many there are in all; raises ConfigNotFound.

        They are numbered from 1 without gaps, so the number of versions is that of the latest.
        """
        ...

    async def by_source_path(self, source_path: str) -> PipelineConfig | None:
        """The latest version of the config that came from that file, or None."""
        ...


class WantedExecutions(TypedDict, total=False):
    """Which page of executions is meant: of those for which everything that is given holds."""

    status: ExecutionStatus | None
    config_id: UUID | None
    parent_execution_id: UUID | None
    limit: Required[int]
    offset: int
    before: UUID | None


class Executions(Protocol):
    """Reads executions; they begin and end through the ledger."""

    async def get(self, execution_id: UUID) -> Execution:
        """One execution; raises ExecutionNotFound."""
        ...

    async def by_tag(self, tag: str) -> Execution:
        """The execution with that tag; raises ExecutionNotFound."""
        ...

    async def list(self, **wanted: Unpack[WantedExecutions]) -> tuple[Sequence[Execution], int]:
        """A page of executions, the latest first, and how many there are in all, up to one more than ``COUNTED_EXACTLY``.

        With ``before`` the page begins behind that execution, whether or not it is there; the total remains that of
        all pages. Their snapshots are left out: each is as large as all else about a hundred executions.
        """
        ...

    async def summaries(self, **wanted: Unpack[WantedExecutions]) -> tuple[Sequence[ExecutionSummary], int]:
        """A page of executions, as ``list`` has it, for showing them."""
        ...

    async def replays(
        self,
        *,
        status: ExecutionStatus | None = None,
        parent_execution_id: UUID | None = None,
        limit: int,
        before: UUID | None = None,
    ) -> tuple[Sequence[Execution], int]:
        """A page of the executions that replay another, as ``list``; of their snapshots ``replay`` alone is there."""
        ...

    async def by_replay_batch(self, batch_id: UUID) -> Execution:
        """The execution of that replay batch, with its whole snapshot; raises ReplayBatchNotFound."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Repositories:
    """What one transaction can read and write."""

    configs: PipelineConfigs
    executions: Executions


class UnitOfWork(Protocol):
    """Begins transactions."""

    def begin(self) -> AbstractAsyncContextManager[Repositories]:
        """One transaction: a clean exit commits, an exception rolls back all of it."""
        ...

    def reading(self) -> AbstractAsyncContextManager[Repositories]:
        """Repositories for reading one thing: what is asked twice may have changed in between, and nothing is written."""
        ...

    async def is_reachable(self) -> bool:
        """Whether a transaction could be begun now; never raises."""
        ...
