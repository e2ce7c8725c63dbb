"""Brings a database's schema up to date, one numbered SQL file after another."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from adapters.postgres.database import Connection, Database
from domain.errors import Conflict, Refused

log = logging.getLogger(__name__)

# Any number will do as long as it is always the same one.
ADVISORY_LOCK = 0x666163746677
OLDEST_PGVECTOR = (0, 8, 0)
PGVECTOR_WITHOUT_KNOWN_CORRUPTION = (0, 8, 4)


class SchemaTooNew(Conflict):
    """The database's schema was made by a newer version of the server."""

    code = "schema_too_new"


class SchemaDiffers(Conflict):
    """The database's schema was made by another form of one of our migrations."""

    code = "schema_differs"


class PgvectorMissing(Refused):
    """The database has no pgvector extension of version 0.8 or later, and none can be created."""

    code = "pgvector_missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step: its number and name from the file's name, its statements, and their checksum."""

    number: int
    name: str
    statements: str

    @property
    def checksum(self) -> str:
        """Hex SHA-256 of the statements."""
        return hashlib.sha256(self.statements.encode()).hexdigest()


_CREATE_TABLE = """
    CREATE TABLE IF NOT EXISTS schema_migration (
        number integer PRIMARY KEY,
        name text NOT NULL,
        checksum text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    )
"""


_APPLIED = "SELECT number, checksum FROM schema_migration"


def shipped_migrations() -> Sequence[Migration]:
    """The migrations that come with the server, in order."""
    found = (
        entry
        for entry in files("adapters.postgres").joinpath("migrations").iterdir()
        if entry.name.endswith(".sql")
    )
    return sorted(
        (_read(entry.name, entry.read_text()) for entry in found), key=lambda migration: migration.number
    )


def _read(file_name: str, statements: str) -> Migration:
    number, _, name = file_name.removesuffix(".sql").partition("_")
    return Migration(number=int(number), name=name, statements=statements)


async def migrate(database: Database, migrations: Sequence[Migration] | None = None) -> Sequence[Migration]:
    """Apply what is missing, all in one transaction under an advisory lock; returns what was applied.

    Raises SchemaTooNew when the database knows a migration that we do not, SchemaDiffers when it knows one of ours in
    another form, PgvectorMissing.
    """
    wanted = shipped_migrations() if migrations is None else migrations
    async with database.transaction() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (ADVISORY_LOCK,))
        await _require_pgvector(connection)
        await connection.execute(_CREATE_TABLE)
        applied = dict(await (await connection.execute(_APPLIED)).fetchall())
        _require_known(applied, wanted)
        missing = [migration for migration in wanted if migration.number not in applied]
        for migration in missing:
            await _apply(connection, migration)
    return missing


def _require_known(applied: Mapping[int, str], wanted: Sequence[Migration]) -> None:
    ours = {migration.number: migration for migration in wanted}
    if applied.keys() - ours.keys():
        raise SchemaTooNew
    for number, checksum in sorted(applied.items()):
        if ours[number].checksum != checksum:
            name = ours[number].name
            raise SchemaDiffers(f"the database was made by another form of migration {number:04d} {name}")


async def _apply(connection: Connection, migration: Migration) -> None:
    await connection.execute(migration.statements.encode())
    await connection.execute(
        "INSERT INTO schema_migration (number, name, checksum) VALUES (%s, %s, %s)",
        (migration.number, migration.name, migration.checksum),
    )


async def pgvector_version(connection: Connection) -> tuple[int, ...] | None:
    """The version of pgvector that is installed or could be, None when the server has none."""
    cursor = await connection.execute(
        "SELECT coalesce(installed_version, default_version) FROM pg_available_extensions WHERE name = 'vector'"
    )
    row = await cursor.fetchone()
    return tuple(int(part) for part in row[0].split(".")) if row else None


async def _require_pgvector(connection: Connection) -> None:
    version = await pgvector_version(connection)
    if version is None or version < OLDEST_PGVECTOR:
        raise PgvectorMissing
    if version < PGVECTOR_WITHOUT_KNOWN_CORRUPTION:
        found, wanted = (".".join(map(str, one)) for one in (version, PGVECTOR_WITHOUT_KNOWN_CORRUPTION))
        log.warning("pgvector %s has known faults in its indexes; upgrade it to %s or later", found, wanted)
    await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
