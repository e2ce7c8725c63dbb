"""The behaviour that ``application.ports.unit_of_work`` promises of ``PipelineConfigs``, for every repository."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from adapters.memory.configs import MemoryPipelineConfigs, Versions
from adapters.postgres.configs import PostgresPipelineConfigs
from application.ports.unit_of_work import PipelineConfigs
from domain.pipeline_config import ConfigChanged, ConfigNotFound, ConfigSource, PipelineConfig
from tests.databases import SERVERS, fresh_database

NOW = datetime(2026, 1, 1, 12, 30, 15, 123456, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)

Begin = Callable[[], AbstractAsyncContextManager[PipelineConfigs]]
"""Opens a transaction with the configs in it."""


def new_config(**fields: object) -> PipelineConfig:
    given = {
        "id": uuid4(),
        "name": "documents",
        "yaml": "version: '1.0'",
        "created_at": NOW,
        "updated_at": NOW,
    }
    return PipelineConfig(**(given | fields))  # type: ignore[arg-type]


@pytest.fixture(params=["memory", *SERVERS])
async def begin(request: pytest.FixtureRequest) -> AsyncIterator[Begin]:
    """Each repository there is."""
    if request.param == "memory":
        stored: dict[UUID, Versions] = {}

        @asynccontextmanager
        async def of_memory() -> AsyncIterator[PipelineConfigs]:
            yield MemoryPipelineConfigs(stored)

        yield of_memory
        return
    async with fresh_database(request.getfixturevalue("postgres_url")) as database:

        @asynccontextmanager
        async def of_postgres() -> AsyncIterator[PipelineConfigs]:
            async with database.transaction() as connection:
                yield PostgresPipelineConfigs(connection)

        yield of_postgres


async def test_what_is_added_comes_back(begin: Begin) -> None:
    """Every field, in another transaction."""
    config = new_config(
        source=ConfigSource.FILE, source_path="a/b.yaml", description="Größe 🦆", yaml="a: 'ø'\n" * 1000
    )
    async with begin() as configs:
        await configs.add(config)
    async with begin() as configs:
        assert await configs.get(config.id) == config
        assert await configs.get(config.id, version=1) == config
        assert (await configs.get(config.id)).config_hash == config.config_hash


async def test_a_config_that_is_not_there_is_not_found(begin: Begin) -> None:
    """Nor is a version that is not there."""
    config = new_config()
    async with begin() as configs:
        await configs.add(config)
        for absent in ((uuid4(), None), (config.id, 2), (config.id, 0)):
            with pytest.raises(ConfigNotFound):
                await configs.get(absent[0], version=absent[1])
        with pytest.raises(ConfigNotFound):
            await configs.replace(new_config(version=2), expected_version=1)


async def test_an_id_is_added_once(begin: Begin) -> None:
    """The second is refused, and the transaction goes on."""
    config = new_config()
    async with begin() as configs:
        await configs.add(config)
        with pytest.raises(ConfigChanged):
            await configs.add(replace(config, name="other"))
        assert await configs.get(config.id) == config


async def test_every_version_is_kept(begin: Begin) -> None:
    """The latest is what is read unless another is asked for."""
    first = new_config(description="one")
    second = first.edited(at=LATER, name="renamed", yaml="version: '1.0' # more")
    async with begin() as configs:
        await configs.add(first)
        await configs.replace(second, expected_version=1)
    async with begin() as configs:
        assert await configs.get(first.id) == second
        assert await configs.get(first.id, version=2) == second
        assert await configs.get(first.id, version=1) == first


async def test_a_version_follows_only_the_one_it_was_made_from(begin: Begin) -> None:
    """Of two edits of the same version the second is refused."""
    first = new_config()
    async with begin() as configs:
        await configs.add(first)
        await configs.replace(first.edited(at=LATER, name="one"), expected_version=1)
        with pytest.raises(ConfigChanged):
            await configs.replace(first.edited(at=LATER, name="other"), expected_version=1)
        assert (await configs.get(first.id)).name == "one"


async def test_of_edits_at_the_same_time_one_succeeds(begin: Begin) -> None:
    """Each in a transaction of its own."""
    first = new_config()
    async with begin() as configs:
        await configs.add(first)

    async def edit(name: str) -> bool:
        try:
            async with begin() as configs:
                await configs.replace(first.edited(at=LATER, name=name), expected_version=1)
        except ConfigChanged:
            return False
        return True

    succeeded = await asyncio.gather(*(edit(f"name {n}") for n in range(5)))
    assert succeeded.count(True) == 1
    async with begin() as configs:
        assert (await configs.get(first.id)).version == 2


async def test_standing_changes_without_a_new_version(begin: Begin) -> None:
    """It is that of the config as a whole, whichever version is read."""
    first = new_config()
    second = first.edited(at=NOW, name="two")
    async with begin() as configs:
        await configs.add(first)
        await configs.replace(second, expected_version=1)
        await configs.replace(second.deactivated(at=LATER), expected_version=2)
    async with begin() as configs:
        assert await configs.get(first.id) == second.deactivated(at=LATER)
        assert await configs.get(first.id, version=1) == replace(first, is_active=False)
        with pytest.raises(ConfigChanged):
            await configs.replace(first.deactivated(at=LATER), expected_version=1)


async def test_a_list_is_a_page_of_latest_versions_by_creation(begin: Begin) -> None:
    """With how many there are in all, also beyond the end."""
    made = [new_config(name=str(n), created_at=NOW + timedelta(seconds=-n)) for n in range(5)]
    async with begin() as configs:
        for config in made:
            await configs.add(config)
        await configs.replace(made[4].edited(at=LATER, name="first"), expected_version=1)
        page, total = await configs.list(limit=2, offset=0)
        assert ([config.name for config in page], total) == (["first", "3"], 5)
        page, total = await configs.list(limit=10, offset=3)
        assert ([config.name for config in page], total) == (["1", "0"], 5)
        page, total = await configs.list(limit=10, offset=7)
        assert (list(page), total) == ([], 5)


async def test_a_list_leaves_out_what_is_not_asked_for(begin: Begin) -> None:
    """Active ones, inactive ones, or both."""
    active, inactive = new_config(), new_config(is_active=False, created_at=LATER)
    async with begin() as configs:
        await configs.add(active)
        await configs.add(inactive)
        for wanted, expected in ((True, [active]), (False, [inactive]), (None, [active, inactive])):
            page, total = await configs.list(is_active=wanted, limit=10)
            assert (list(page), total) == (expected, len(expected))


async def test_configs_at_the_same_moment_are_ordered_by_id(begin: Begin) -> None:
    """So that pages do not overlap."""
    made = [new_config() for _ in range(6)]
    async with begin() as configs:
        for config in made:
            await configs.add(config)
        pages = [(await configs.list(limit=2, offset=offset))[0] for offset in (0, 2, 4)]
    assert [config.id for page in pages for config in page] == sorted(config.id for config in made)


async def test_a_config_is_found_by_its_source_path(begin: Begin) -> None:
    """In its latest version; None when no file of that name was taken in."""
    config = new_config(source=ConfigSource.FILE, source_path="a.yaml")
    async with begin() as configs:
        await configs.add(config)
        await configs.add(new_config(source_path="b.yaml"))
        await configs.replace(config.edited(at=LATER, name="two"), expected_version=1)
        found = await configs.by_source_path("a.yaml")
        assert found is not None
        assert (found.id, found.version) == (config.id, 2)
        assert await configs.by_source_path("c.yaml") is None


async def test_versions_are_listed_the_latest_first(begin: Begin) -> None:
    """A page at a time, each as it was stored; whether it is active holds for all."""
    config = new_config(name="one")
    async with begin() as configs:
        await configs.add(config)
        await configs.add(new_config(name="another"))
        latest = config
        for name in ("two", "three"):
            edited = latest.edited(at=latest.updated_at + timedelta(seconds=1), name=name)
            await configs.replace(edited, expected_version=latest.version)
            latest = edited
        await configs.replace(latest.deactivated(at=latest.updated_at), expected_version=3)
        page, total = await configs.versions(config.id, limit=2)
        assert ([(one.version, one.name, one.is_active) for one in page], total) == (
            [(3, "three", False), (2, "two", False)],
            3,
        )
        page, total = await configs.versions(config.id, limit=9, offset=2)
        assert ([(one.name, one.updated_at) for one in page], total) == ([("one", config.updated_at)], 3)
        page, total = await configs.versions(config.id, limit=9, offset=9)
        assert (list(page), total) == ([], 3)
        with pytest.raises(ConfigNotFound):
            await configs.versions(uuid4(), limit=1)
