"""Brings a database's schema up to date, one numbered SQL file after another."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import psycopg

from adapters.postgres.database import Connection, Database
from adapters.postgres.pgvector import require_pgvector
from adapters.postgres.translation import NotPermitted, translating
from domain.errors import Conflict

log = logging.getLogger(__name__)

# Any number will do as long as it is always the same one.
ADVISORY_LOCK = 0x666163746677


class SchemaTooNew(Conflict):
    """The database's schema was made by a newer version of the server."""

    code = "schema_too_new"


class SchemaDiffers(Conflict):
    """The database's schema was made by another form of one of our migrations."""

    code = "schema_differs"


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


_APPLIED = "SELECT number, name, checksum FROM schema_migration"

_VERSIONS = """
    SELECT current_setting('server_version'), (SELECT extversion FROM pg_extension WHERE extname = 'vector')
"""

_SETTLE = "INSERT INTO schema_migration (number, name, checksum) VALUES (%s, %s, %s)"


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
    """Apply what is missing, each in a transaction of its own, under an advisory lock; returns what was applied.

    One process migrates at a time; others wait and find all done. A migration that fails leaves those before it.
    Raises SchemaTooNew when the database knows a migration that we do not, SchemaDiffers when it knows one of ours in
    another form, PgvectorMissing, NotPermitted; before anything is changed.
    """
    wanted = shipped_migrations() if migrations is None else migrations
    # A migration may take longer than any other statement, so it gets no connection of the pool.
    async with await database.connect("factflow migrate") as connection:
        with translating():
            await _take_turn(connection)
            missing = await _missing(connection, wanted)
            for migration in missing:
                await _apply(connection, migration)
    return missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What a start would find: the versions of PostgreSQL and pgvector, and the migrations that are to be applied."""

    version: str
    vector_version: str
    missing: Sequence[Migration]


async def rehearse(database: Database) -> Rehearsal:
    """Do what comes before the first migration, and undo it: nothing is left behind. Raises what ``migrate`` does."""
    async with database.connection() as connection, connection.transaction(force_rollback=True):
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (ADVISORY_LOCK,))
        missing = await _missing(connection, shipped_migrations())
        found = await (await connection.execute(_VERSIONS)).fetchone()
    version, vector_version = found or ("", "")
    return Rehearsal(version=version, vector_version=vector_version, missing=missing)


async def _take_turn(connection: Connection) -> None:
    """Take the lock, which ends with the connection."""
    row = await (await connection.execute("SELECT pg_try_advisory_lock(%s)", (ADVISORY_LOCK,))).fetchone()
    if not (row and row[0]):
        log.info("another process is migrating the database; waiting for it")
        await connection.execute("SELECT pg_advisory_lock(%s)", (ADVISORY_LOCK,))


async def _missing(connection: Connection, wanted: Sequence[Migration]) -> Sequence[Migration]:
    async with connection.transaction():
        await require_pgvector(connection)
        await _make_table(connection)
        rows = await (await connection.execute(_APPLIED)).fetchall()
        _require_known(rows, wanted)
    applied = {number for number, _, _ in rows}
    return [migration for migration in wanted if migration.number not in applied]


async def _make_table(connection: Connection) -> None:
    try:
        await connection.execute(_CREATE_TABLE)
    except psycopg.errors.InsufficientPrivilege as error:
        raise NotPermitted(
            f"the database user may not create tables ({error.diag.message_primary}): let the owner of the database run"
            f" GRANT CREATE ON SCHEMA public TO {connection.info.user}"
        ) from error


def _require_known(applied: Sequence[tuple[int, str, str]], wanted: Sequence[Migration]) -> None:
    ours = {migration.number: migration for migration in wanted}
    strange = [f"{number:04d} {name}" for number, name, _ in sorted(applied) if number not in ours]
    if strange:
        raise SchemaTooNew(
            f"the database was made by a newer version of the server: this one does not know {', '.join(strange)}; start"
            " that version or a later one"
        )
    for number, name, checksum in sorted(applied):
        if ours[number].checksum != checksum:
            raise SchemaDiffers(f"the database was made by another form of migration {number:04d} {name}")


async def _apply(connection: Connection, migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(migration.statements.encode())
        await connection.execute(_SETTLE, (migration.number, migration.name, migration.checksum))
    log.debug("applied migration %04d %s", migration.number, migration.name)
