"""What a migration of a real database does, once and again."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from adapters.postgres.database import Database
from adapters.postgres.migration import (
    ADVISORY_LOCK,
    Migration,
    SchemaDiffers,
    SchemaTooNew,
    migrate,
    shipped_migrations,
)
from adapters.postgres.translation import StatementRefused
from entrypoints.composition.migrating import migrated
from entrypoints.data_folder import DataFolder, DataFolderInUse
from entrypoints.settings import Settings
from tests.databases import empty_database

pytestmark = pytest.mark.slow

FURTHER = Migration(number=9000, name="further", statements="CREATE TABLE further (id integer)")

_WAITING = """
    SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE l.locktype = 'advisory' AND NOT l.granted AND d.datname = current_database()
"""

TAKES_AWAY = re.compile(
    r"\b(DROP\s+(TABLE|COLUMN|SCHEMA|DATABASE|TYPE)|TRUNCATE|DELETE\s+FROM)\b", re.IGNORECASE
)


async def test_a_database_that_is_up_to_date_is_left_alone(database: Database) -> None:
    """Nothing is applied twice."""
    assert list(await migrate(database)) == []


async def test_a_further_migration_is_applied_once(database: Database) -> None:
    """With those before it known."""
    migrations = [*shipped_migrations(), FURTHER]
    assert list(await migrate(database, migrations)) == [FURTHER]
    assert list(await migrate(database, migrations)) == []


async def test_a_migration_that_fails_leaves_nothing(database: Database) -> None:
    """Neither its own steps nor its entry; what came before it stays."""
    broken = Migration(
        number=9001, name="broken", statements="CREATE TABLE half (id integer); SELECT nonsense"
    )
    with pytest.raises(StatementRefused):
        await migrate(database, [*shipped_migrations(), FURTHER, broken])
    mended = replace(broken, statements="CREATE TABLE half (id integer)")
    assert list(await migrate(database, [*shipped_migrations(), FURTHER, mended])) == [mended]


async def test_of_two_processes_one_migrates(postgres_url: str) -> None:
    """The other waits, and finds all done."""
    async with empty_database(postgres_url) as database:
        applied = await asyncio.gather(migrate(database), migrate(database), migrate(database))
        assert sorted(map(len, applied)) == [0, 0, len(shipped_migrations())]


async def test_a_process_waits_for_one_that_migrates(database: Database) -> None:
    """However long it takes: nobody ends that wait."""
    with psycopg.connect(database.url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (ADVISORY_LOCK,))
        waiting = asyncio.create_task(migrate(database, [*shipped_migrations(), FURTHER]))
        async with asyncio.timeout(20):
            while not other.execute(_WAITING).fetchall():  # noqa: ASYNC110  # PostgreSQL tells it no other way
                await asyncio.sleep(0.02)
        assert not waiting.done()
        other.execute("SELECT pg_advisory_unlock(%s)", (ADVISORY_LOCK,))
        assert list(await waiting) == [FURTHER]


async def test_a_database_from_the_future_is_refused(database: Database) -> None:
    """An older server would not know what it sees; it says what it does not know."""
    *known, last = shipped_migrations()
    with pytest.raises(
        SchemaTooNew, match=f"does not know {last.number:04d} {last.name}; start that version"
    ):
        await migrate(database, known)


async def test_a_database_made_by_another_form_of_a_migration_is_refused(database: Database) -> None:
    """It may lack what the present form makes, and nothing further is applied."""
    first, *others = shipped_migrations()
    changed = replace(first, statements=first.statements + "\n-- changed")
    with pytest.raises(SchemaDiffers, match="0001 ledger"):
        await migrate(database, [changed, *others, FURTHER])
    assert list(await migrate(database, [first, *others, FURTHER])) == [FURTHER]


async def test_what_is_there_is_kept(postgres_url: str) -> None:
    """Rows of the first version are there, with what they said, after all that came later."""
    first, *others = shipped_migrations()
    execution, message = uuid4(), uuid4()
    async with empty_database(postgres_url) as database:
        await migrate(database, [first])
        async with database.transaction() as connection:
            await connection.execute(
                "INSERT INTO pipeline_execution (id, config_id, status, config_snapshot, started_at, tag, done)"
                " VALUES (%s, %s, 'completed', '{\"a\": 1}', %s, 'kept', 7)",
                (execution, uuid4(), datetime(2026, 1, 1, tzinfo=UTC)),
            )
            await connection.execute(
                "INSERT INTO message (id, execution_id, route_id, state, payload, error, settled_at)"
                " VALUES (%s, %s, 'route', 'dead', '{\"b\": 2}', '{}', now())",
                (message, execution),
            )
        assert list(await migrate(database)) == others
        async with database.connection() as connection:
            cursor = await connection.execute(
                "SELECT e.tag, e.done, e.config_snapshot, m.state, m.payload FROM pipeline_execution e"
                " JOIN message m ON m.execution_id = e.id WHERE m.id = %s",
                (message,),
            )
            assert await cursor.fetchall() == [("kept", 7, {"a": 1}, "dead", {"b": 2})]


async def test_a_database_by_its_address_is_migrated_beside_whoever_uses_the_data_folder(
    postgres_url: str, tmp_path: Path
) -> None:
    """Servers and workers that share the folder, and others that migrate: they take turns at the database."""
    async with empty_database(postgres_url) as database, DataFolder(tmp_path, is_shared=True):
        settings = Settings(database_url=database.url, data_dir=tmp_path, queue_url="amqp://there")
        applied = await asyncio.gather(migrated(settings), migrated(settings))
        assert sorted(map(len, applied)) == [0, len(shipped_migrations())]


async def test_an_embedded_database_that_a_server_uses_is_not_migrated(tmp_path: Path) -> None:
    """It is in the folder, and begins with the server."""
    async with DataFolder(tmp_path):
        with pytest.raises(DataFolderInUse):
            await migrated(Settings(data_dir=tmp_path))


def test_no_migration_takes_data_away() -> None:
    """What a column or table is no longer used for stays until somebody has decided about it.

    A trigger that keeps somebody from it names it too.
    """
    taking = [
        f"{migration.number:04d} {migration.name}: {found[0]}"
        for migration in shipped_migrations()
        for found in TAKES_AWAY.finditer(
            re.sub(r"--[^\n]*|AS \$\$.*?\$\$|BEFORE [A-Z ]+ ON", "", migration.statements, flags=re.DOTALL)
        )
    ]
    assert taking == []


def test_migrations_are_numbered_and_named() -> None:
    """Each number once, each with a name."""
    numbers = [migration.number for migration in shipped_migrations()]
    assert numbers == sorted(set(numbers))
    assert all(migration.name for migration in shipped_migrations())
