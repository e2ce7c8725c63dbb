"""What a migration of a real database does, once and again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.postgres.database import Database
from adapters.postgres.migration import Migration, SchemaDiffers, SchemaTooNew, migrate, shipped_migrations
from adapters.postgres.translation import StatementRefused

pytestmark = pytest.mark.slow


async def test_a_database_that_is_up_to_date_is_left_alone(database: Database) -> None:
    """Nothing is applied twice."""
    assert list(await migrate(database)) == []


async def test_a_further_migration_is_applied_once(database: Database) -> None:
    """With those before it known."""
    further = Migration(number=9000, name="further", statements="CREATE TABLE further (id integer)")
    migrations = [*shipped_migrations(), further]
    assert list(await migrate(database, migrations)) == [further]
    assert list(await migrate(database, migrations)) == []


async def test_a_migration_that_fails_leaves_nothing(database: Database) -> None:
    """Neither its own steps nor its entry."""
    broken = Migration(
        number=9000, name="broken", statements="CREATE TABLE half (id integer); SELECT nonsense"
    )
    with pytest.raises(StatementRefused):
        await migrate(database, [*shipped_migrations(), broken])
    mended = replace(broken, statements="CREATE TABLE half (id integer)")
    assert list(await migrate(database, [*shipped_migrations(), mended])) == [mended]


async def test_a_database_from_the_future_is_refused(database: Database) -> None:
    """An older server would not know what it sees."""
    with pytest.raises(SchemaTooNew):
        await migrate(database, shipped_migrations()[:-1])


async def test_a_database_made_by_another_form_of_a_migration_is_refused(database: Database) -> None:
    """It may lack what the present form makes."""
    first, *others = shipped_migrations()
    with pytest.raises(SchemaDiffers, match="0001 ledger"):
        await migrate(database, [replace(first, statements=first.statements + "\n-- changed"), *others])
