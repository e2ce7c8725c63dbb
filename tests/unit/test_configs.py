"""Stored pipeline configs, by their use-cases."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from adapters.memory.clock import ManualClock
from adapters.memory.configs import MemoryPipelineConfigs, Versions
from adapters.yaml.parser import YamlConfigParser
from application.configs import Configs
from application.ports.pipeline_adapter import PipelineAdapter
from application.ports.unit_of_work import Repositories
from application.shipped_configs import ShippedConfigs
from domain.findings import ConfigNotRunnable, ConfigProblem, UnknownPipelineAdapter, UnparseableConfig
from domain.json import JsonObject
from domain.pipeline_config import (
    ConfigChanged,
    ConfigInactive,
    ConfigNotFound,
    ConfigSource,
    InvalidConfigName,
    InvalidConfigText,
)

VALID = """\
version: "1.0"
routes:
  read: { inbound: { queue: read }, adapters: [{ type: reader }] }
init_message: { route: read }
"""
WITH_ERRORS = VALID.replace("reader", "writer")


class Work:
    """Transactions on a dictionary, which is put back as it was when one fails."""

    def __init__(self) -> None:
        self.stored: dict[UUID, Versions] = {}

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Repositories]:
        copy = dict(self.stored)
        yield Repositories(configs=MemoryPipelineConfigs(copy), executions=None)  # type: ignore[arg-type]
        self.stored = copy

    def reading(self) -> AbstractAsyncContextManager[Repositories]:
        return self.begin()

    async def is_reachable(self) -> bool:
        return True


@dataclass
class Registry:
    """Knows the types it is told."""

    known: set[str] = field(default_factory=lambda: {"reader"})

    def types(self) -> Mapping[str, str]:
        return dict.fromkeys(self.known, "")

    def check(self, type: str, config: JsonObject) -> Sequence[ConfigProblem]:
        if type in self.known:
            return ()
        return [ConfigProblem(code="E103", path="", message=f"no {type}", remediation="Use another.")]

    def collects(self, type: str) -> bool:
        return False

    def version(self, type: str) -> str:
        raise UnknownPipelineAdapter

    def build(self, type: str, config: JsonObject) -> PipelineAdapter:
        raise UnknownPipelineAdapter


class Ids:
    """Random ones."""

    def new_id(self) -> UUID:
        return uuid4()

    def randomness(self) -> float:
        return 0.5


@dataclass
class Bench:
    """The use-cases on one store."""

    work: Work = field(default_factory=Work)
    registry: Registry = field(default_factory=Registry)
    clock: ManualClock = field(default_factory=ManualClock)

    @property
    def configs(self) -> Configs:
        return Configs(
            work=self.work, parser=YamlConfigParser(), registry=self.registry, clock=self.clock, ids=Ids()
        )

    @property
    def shipped(self) -> ShippedConfigs:
        return ShippedConfigs(
            work=self.work, parser=YamlConfigParser(), registry=self.registry, clock=self.clock
        )


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_a_config_is_created_checked_and_read(bench: Bench) -> None:
    """Its report comes with it."""
    created = await bench.configs.create(name="documents", yaml=VALID, description="All of them")
    assert created.is_runnable
    assert created.report.findings == ()
    assert created.config.source is ConfigSource.API
    assert await bench.configs.get(created.config.id) == created


async def test_a_config_with_errors_is_saved_but_does_not_run(bench: Bench) -> None:
    """The errors come with every reading and with the refusal."""
    created = await bench.configs.create(name="documents", yaml=WITH_ERRORS)
    assert not created.is_runnable
    assert [(finding.code, finding.line) for finding in created.report.errors] == [("E103", 3)]
    with pytest.raises(ConfigNotRunnable, match="E103 no writer") as refusal:
        await bench.configs.runnable(created.config.id)
    assert refusal.value.report == created.report


async def test_a_text_that_cannot_be_read_is_not_saved(bench: Bench) -> None:
    """Neither at first nor as an edit; it can be validated all the same."""
    with pytest.raises(UnparseableConfig) as refusal:
        await bench.configs.create(name="documents", yaml="a: [")
    assert refusal.value.report == await bench.configs.validate("a: [")
    created = await bench.configs.create(name="documents", yaml=VALID)
    with pytest.raises(UnparseableConfig):
        await bench.configs.update(created.config.id, name="x", yaml="\0", description=None)
    assert await bench.configs.list(100, 0) == ([created], 1)


async def test_validating_stores_nothing(bench: Bench) -> None:
    """It tells what is wrong."""
    assert (await bench.configs.validate(VALID)).is_valid
    assert not (await bench.configs.validate(WITH_ERRORS)).is_valid
    assert bench.work.stored == {}


@pytest.mark.parametrize("name", ["", "a" * 201, "a\nb", "a\0b", "\ud800"])
async def test_a_name_that_cannot_be_shown_is_refused(bench: Bench, name: str) -> None:
    """Nothing is stored."""
    with pytest.raises(InvalidConfigName):
        await bench.configs.create(name=name, yaml=VALID)
    assert bench.work.stored == {}


@pytest.mark.parametrize("description", ["\0", "\ud800", "a" * 2001])
async def test_a_description_that_cannot_be_stored_is_refused(bench: Bench, description: str) -> None:
    """Before the store sees it."""
    with pytest.raises(InvalidConfigText):
        await bench.configs.create(name="documents", yaml=VALID, description=description)


async def test_an_edit_is_a_new_version(bench: Bench) -> None:
    """What is not given stays; earlier versions can still be read."""
    created = await bench.configs.create(name="documents", yaml=VALID, description="All of them")
    await bench.clock.advance(60)
    updated = await bench.configs.update(
        created.config.id, name="papers", yaml=WITH_ERRORS, description=None, expected_version=1
    )
    assert (updated.config.version, updated.config.name, updated.config.description) == (
        2,
        "papers",
        "All of them",
    )
    assert updated.config.updated_at - created.config.updated_at == timedelta(minutes=1)
    assert not updated.is_runnable
    assert await bench.configs.get(created.config.id, version=1) == created


async def test_an_edit_that_changes_nothing_makes_no_version(bench: Bench) -> None:
    """Doing it twice is as good as once."""
    created = await bench.configs.create(name="documents", yaml=VALID)
    updated = await bench.configs.update(created.config.id, name="documents", yaml=VALID, description=None)
    assert updated == created


async def test_an_edit_of_another_version_than_expected_is_refused(bench: Bench) -> None:
    """So nobody's change is lost."""
    created = await bench.configs.create(name="documents", yaml=VALID)
    with pytest.raises(ConfigChanged):
        await bench.configs.update(
            created.config.id, name="x", yaml=VALID, description=None, expected_version=2
        )


async def test_a_deactivated_config_neither_runs_nor_changes(bench: Bench) -> None:
    """It can still be read, and deactivated again."""
    config_id = (await bench.configs.create(name="documents", yaml=VALID)).config.id
    await bench.configs.deactivate(config_id)
    await bench.configs.deactivate(config_id)
    read = await bench.configs.get(config_id)
    assert (read.config.is_active, read.is_runnable, read.report.is_valid) == (False, False, True)
    assert (await bench.configs.list(100, 0))[1] == 0
    assert (await bench.configs.list(100, 0, is_active=None))[1] == 1
    with pytest.raises(ConfigInactive):
        await bench.configs.runnable(config_id)
    with pytest.raises(ConfigInactive):
        await bench.configs.update(config_id, name="x", yaml=VALID, description=None)


async def test_a_config_that_is_not_there_is_not_found(bench: Bench) -> None:
    """Whatever is wanted of it."""
    for act in (bench.configs.get, bench.configs.runnable, bench.configs.deactivate):
        with pytest.raises(ConfigNotFound):
            await act(uuid4())


async def test_what_runs_is_the_pipeline_with_the_plain_value(bench: Bench) -> None:
    """The value is for the snapshot."""
    created = await bench.configs.create(name="documents", yaml=VALID)
    config, pipeline, value = await bench.configs.runnable(created.config.id)
    assert config == created.config
    assert list(pipeline.routes) == ["read"]
    assert value["init_message"] == {"route": "read"}


async def test_a_pipeline_adapter_that_is_gone_shows_on_the_next_reading(bench: Bench) -> None:
    """The report is made anew each time."""
    created = await bench.configs.create(name="documents", yaml=VALID)
    bench.registry.known.clear()
    read = await bench.configs.get(created.config.id)
    assert [finding.code for finding in read.report.errors] == ["E103"]


async def test_a_shipped_file_is_imported_once(bench: Bench) -> None:
    """A further version comes with a further text alone."""
    first = await bench.shipped.import_shipped("documents", VALID, "documents.yaml")
    assert (first.config.source, first.config.source_path) == (ConfigSource.FILE, "documents.yaml")
    assert await bench.shipped.import_shipped("documents", VALID, "documents.yaml") == first
    second = await bench.shipped.import_shipped("documents", WITH_ERRORS, "documents.yaml")
    assert (second.config.id, second.config.version) == (first.config.id, 2)
    other = await bench.shipped.import_shipped("documents", VALID, "other.yaml")
    assert other.config.id != first.config.id


async def test_an_edit_of_a_shipped_config_stays_until_the_file_changes(bench: Bench) -> None:
    """A restart alone does not undo it."""
    config_id = (await bench.shipped.import_shipped("documents", VALID, "documents.yaml")).config.id
    for name in ("mine", "mine again"):
        await bench.configs.update(config_id, name=name, yaml=VALID + "# mine", description=None)
    kept = await bench.shipped.import_shipped("documents", VALID, "documents.yaml")
    assert (kept.config.version, kept.config.name) == (3, "mine again")
    newer = await bench.shipped.import_shipped("documents", VALID + "# new", "documents.yaml")
    assert (newer.config.version, newer.config.yaml) == (4, VALID + "# new")


async def test_a_shipped_config_that_was_deactivated_stays_so(bench: Bench) -> None:
    """Also when its file changes."""
    config_id = (await bench.shipped.import_shipped("documents", VALID, "documents.yaml")).config.id
    await bench.configs.deactivate(config_id)
    again = await bench.shipped.import_shipped("documents", VALID + "# new", "documents.yaml")
    assert (again.config.version, again.config.is_active) == (2, False)


async def test_a_shipped_file_that_cannot_be_read_is_refused(bench: Bench) -> None:
    """Nothing is stored."""
    with pytest.raises(UnparseableConfig):
        await bench.shipped.import_shipped("documents", "a: [", "documents.yaml")
    assert bench.work.stored == {}
