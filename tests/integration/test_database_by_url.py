"""A database that is reached by URL: what is said when it cannot be used, and that it is used with care."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from adapters.postgres.address import DatabaseAddressInvalid, address
from adapters.postgres.database import Database
from adapters.postgres.migration import migrate
from adapters.postgres.pgvector import PgvectorMissing, unusable
from adapters.postgres.suitability import (
    DatabaseEncodingUnsuitable,
    DatabaseTooOld,
    TooManyConnections,
    require_suitable,
)
from adapters.postgres.translation import (
    DatabaseLoginRefused,
    DatabaseNotFound,
    DatabaseReadOnly,
    DatabaseUnavailable,
    NotPermitted,
)
from domain.errors import FactflowError
from tests.databases import empty_database, named
from tests.postgres_server import free_port
from tests.proof.links import linked_port

pytestmark = [pytest.mark.slow, pytest.mark.external]

PASSWORD = "hunter2/äöü"
ESCAPED = "hunter2%2F%C3%A4%C3%B6%C3%BC"


def changed(url: str, **options: str) -> str:
    """The address with other parameters."""
    return url + ("&" if "?" in url else "?") + "&".join(f"{name}={value}" for name, value in options.items())


def logged_in(url: str, user: str, password: str) -> str:
    """The address for another user."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.netloc.rpartition('@')[2]}"))


async def refused(url: str, **options: Any) -> tuple[FactflowError, float]:
    """Why the database cannot be opened, and after how many seconds."""
    began = monotonic()
    with pytest.raises(FactflowError) as caught:
        async with Database(url, **options):
            raise AssertionError("opened")
    return caught.value, monotonic() - began


@contextmanager
def role(url: str) -> Iterator[str]:
    """A user who may log in and nothing else."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
        try:
            yield name
        finally:
            connection.execute(f"DROP OWNED BY {name}")
            connection.execute(f"DROP ROLE {name}")


async def _execute(database: Database, statement: str, *, wait: float = 0) -> None:
    async with database.transaction() as connection:
        await connection.execute(statement.encode())
        await asyncio.sleep(wait)
        await connection.execute("SELECT 1")


async def test_a_wrong_password_is_refused_at_once(postgres_url: str) -> None:
    """Nobody waits for what waiting does not cure, and the password is not told."""
    error, seconds = await refused(logged_in(postgres_url, "postgres", ESCAPED))
    assert isinstance(error, DatabaseLoginRefused)
    assert 'password authentication failed for user "postgres"' in error.message
    assert seconds < 5
    assert "hunter" not in repr(error) + error.message + str(error.__cause__)


async def test_an_unknown_database_is_named(postgres_url: str) -> None:
    """At once."""
    error, seconds = await refused(named(postgres_url, "nowhere"))
    assert isinstance(error, DatabaseNotFound)
    assert 'database "nowhere" does not exist' in error.message
    assert seconds < 5


async def test_a_server_that_is_not_there_is_waited_for() -> None:
    """It may just be starting; then its address is told, and what the network said."""
    port = free_port()
    error, seconds = await refused(
        f"postgresql://someone:{ESCAPED}@127.0.0.1:{port}/postgres", connect_seconds=0.7
    )
    assert isinstance(error, DatabaseUnavailable)
    assert f'"127.0.0.1", port {port} failed: Connection refused' in error.message
    assert seconds >= 0.7
    assert "hunter" not in error.message + str(error.__cause__)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:hunter2/x@db/factflow",
        "postgresql://user:hunter2@x@db/factflow",
        "postgresql://user:hunter2%zz@db/factflow",
        "postgresql://user:hunter2:x@db:x/factflow",
        "postgresql://user:secret@db/factflow?hunter2=1",
        "postgresql://user:secret@db/factflow?connect_timeout=hunter2",
    ],
)
async def test_an_address_that_cannot_be_read_is_not_repeated(url: str) -> None:
    """What cannot be read is mostly a password that nobody has escaped."""
    error, _ = await refused(url)
    assert isinstance(error, DatabaseAddressInvalid)
    assert "hunter" not in error.message + str(error.__cause__) + str(error.__context__)


def test_what_the_address_says_goes_before_what_we_would() -> None:
    """Of TLS and of time limits, say; our own options come first, so that those of the URL hold."""
    stated = psycopg.conninfo.conninfo_to_dict(
        address(
            "postgresql://u:p@h/d?sslmode=verify-full&sslrootcert=/etc/ca.pem&connect_timeout=2&options=-c%20a%3D2",
            application_name="test",
            options="-c a=1",
        )
    )
    assert (stated["sslmode"], stated["sslrootcert"], stated["connect_timeout"]) == (
        "verify-full",
        "/etc/ca.pem",
        "2",
    )
    assert (stated["options"], stated["application_name"], stated["password"]) == (
        "-c a=1 -c a=2",
        "test",
        "p",
    )


async def test_tls_that_the_server_does_not_have_is_refused_at_once(postgres_url: str) -> None:
    """The parameters of the URL reach the driver."""
    error, seconds = await refused(postgres_url.replace("sslmode=disable", "sslmode=require"))
    assert isinstance(error, DatabaseLoginRefused)
    assert "SSL" in error.message
    assert seconds < 5


async def test_a_standby_is_refused(postgres_url: str) -> None:
    """A server that is read-only by default is as good as one."""
    error, _ = await refused(changed(postgres_url, options="-c%20default_transaction_read_only%3Don"))
    assert isinstance(error, DatabaseReadOnly)
    assert "primary" in error.message


async def test_a_database_that_becomes_read_only_is_unavailable(postgres_url: str) -> None:
    """So that what was begun is tried again, once the other server has taken over."""
    async with empty_database(postgres_url) as database:
        with pytest.raises(DatabaseReadOnly):
            await _execute(database, "SET TRANSACTION READ ONLY; CREATE TABLE a (b integer)")


async def test_another_encoding_is_refused(postgres_url: str) -> None:
    """It could not hold every text."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        try:
            error, _ = await refused(named(postgres_url, name))
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    assert isinstance(error, DatabaseEncodingUnsuitable)
    assert "LATIN1" in error.message


async def test_a_pool_larger_than_the_server_allows_is_refused(postgres_url: str) -> None:
    """With both numbers, and what limits it."""
    error, _ = await refused(postgres_url, max_size=10_000)
    assert isinstance(error, TooManyConnections)
    assert "10006 connections" in error.message
    assert "max_connections" in error.message


async def test_a_limit_of_the_user_counts_too(postgres_url: str) -> None:
    with role(postgres_url) as name:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(f"ALTER ROLE {name} CONNECTION LIMIT 5")
        error, _ = await refused(logged_in(postgres_url, name, ESCAPED))
    assert isinstance(error, TooManyConnections)
    assert "allows 5 (the user's limit)" in error.message


FINE = (18, "UTF8", False, "factflow", 100, None, None, 3)


def test_little_room_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """Other processes may have to wait for it."""
    with caplog.at_level(logging.WARNING):
        require_suitable(FINE, pool=8)
        assert caplog.text == ""
        require_suitable((*FINE[:7], 95), pool=8)
    assert "of the 100 that its server allows (max_connections) 95 are in use" in caplog.text


def test_an_old_server_is_refused() -> None:
    """By its number."""
    with pytest.raises(DatabaseTooOld, match="PostgreSQL 14, and 15 or later is needed"):
        require_suitable((14, *FINE[1:]), pool=8)


async def test_a_statement_that_takes_too_long_is_ended(postgres_url: str) -> None:
    """By the server, in the pool alone: migrations and indexes may take their time."""
    async with Database(postgres_url, statement_seconds=0.1) as database:
        with pytest.raises(DatabaseUnavailable, match="statement timeout"):
            await _execute(database, "SELECT pg_sleep(5)")
        async with await database.connect("test") as alone:
            await alone.execute("SELECT pg_sleep(0.2)")


async def test_a_transaction_that_is_left_idle_is_ended(postgres_url: str) -> None:
    """It would hold its locks."""
    async with Database(postgres_url, idle_seconds=0.1) as database:
        with pytest.raises(DatabaseUnavailable):
            await _execute(database, "SELECT 1", wait=0.5)


async def test_a_connection_whose_transaction_was_cut_off_is_given_up(postgres_url: str) -> None:
    """Cut off at the wrong moment it stays open, and what the next user is told is committed would be lost."""

    async def asleep(database: Database) -> None:
        async with database.pipelined() as connection:
            await (await connection.execute("SELECT pg_sleep(5)")).fetchall()

    async with Database(postgres_url, min_size=1, max_size=1) as database:
        before = await _backend(database)
        sleeping = asyncio.ensure_future(asleep(database))
        await asyncio.sleep(0.1)
        sleeping.cancel()
        await asyncio.gather(sleeping, return_exceptions=True)
        assert await _backend(database) != before


async def test_what_reads_in_a_pipeline_leaves_nothing_behind(postgres_url: str) -> None:
    """Neither a setting of its transaction nor the transaction, whether it ends well or one of its statements fails."""
    setting = "SELECT set_config('statement_timeout', '12345', true)"

    async def failing(database: Database) -> None:
        async with database.pipelined_reads() as connection:
            for statement in (setting, "SELECT 1 / 0", "SELECT 2"):
                await connection.execute(statement.encode())

    async with Database(postgres_url, min_size=1, max_size=1) as database:
        before = await _backend(database)
        async with database.pipelined_reads() as connection:
            await connection.execute(setting)
            told = await connection.execute("SHOW statement_timeout")
        assert await told.fetchone() == ("12345ms",)
        with pytest.raises(FactflowError):
            await failing(database)
        async with database.connection() as connection:
            assert connection.info.transaction_status is TransactionStatus.IDLE
            (kept,) = await (await connection.execute("SHOW statement_timeout")).fetchone() or ("",)
            assert kept != "12345ms"
        assert await _backend(database) == before


async def _backend(database: Database) -> int:
    async with database.connection() as connection:
        return connection.info.backend_pid


async def test_a_connection_that_falls_silent_is_given_up(postgres_url: str) -> None:
    """Nothing is closed and no kernel notices; the next statement goes over another connection."""
    parts = urlsplit(postgres_url)
    async with linked_port(parts.port or 5432) as (link, port):
        netloc = f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{port}"
        async with Database(urlunsplit(parts._replace(netloc=netloc))) as database:
            async with asyncio.timeout(10):
                async with database.connection(within=0.3) as connection:
                    link.fall_silent()
                    with pytest.raises(psycopg.OperationalError):
                        await connection.execute("SELECT 1")
                link.is_silent = False
                async with database.transaction() as connection:
                    await connection.execute("SELECT pg_sleep(0.5)")


async def test_what_is_missing_for_pgvector_is_said(postgres_url: str) -> None:
    """The statement to run, by whom and where; then it works."""
    async with empty_database(postgres_url) as owned:
        name = str(psycopg.conninfo.conninfo_to_dict(owned.url)["dbname"])
        with role(postgres_url) as user:
            async with owned.connection() as connection:
                await connection.execute(f"GRANT CREATE ON SCHEMA public TO {user}".encode())
            async with Database(logged_in(owned.url, user, ESCAPED)) as database:
                with pytest.raises(PgvectorMissing, match=f"superuser run CREATE EXTENSION vector in {name}"):
                    await migrate(database)
                async with owned.connection() as connection:
                    await connection.execute("CREATE EXTENSION vector")
                assert len(await migrate(database)) > 0
            with psycopg.connect(owned.url, autocommit=True) as connection:
                connection.execute(f"DROP OWNED BY {user}")


async def test_who_may_not_create_tables_is_told_what_to_ask_for(postgres_url: str) -> None:
    """Since PostgreSQL 15 the owner of a database must grant it."""
    async with empty_database(postgres_url) as owned:
        async with owned.connection() as connection:
            await connection.execute("CREATE EXTENSION vector")
        with role(postgres_url) as user:
            async with Database(logged_in(owned.url, user, ESCAPED)) as database:
                with pytest.raises(NotPermitted, match=f"GRANT CREATE ON SCHEMA public TO {user}"):
                    await migrate(database)


async def test_pgvector_out_of_sight_is_said(postgres_url: str) -> None:
    """In a schema that is not on the path its types have no names."""
    async with empty_database(postgres_url) as database:
        async with database.connection() as connection:
            await connection.execute("CREATE SCHEMA elsewhere")
            await connection.execute("CREATE EXTENSION vector SCHEMA elsewhere")
        with pytest.raises(PgvectorMissing, match="search_path"):
            await migrate(database)


@pytest.mark.parametrize(
    ("installed", "available", "said"),
    [
        (None, None, "postgresql-17-pgvector"),
        (None, "0.7.4", "upgrade it on the server to 0.8.0 or later"),
        ("0.7.4", "0.7.4", "upgrade it on the server to 0.8.0 or later"),
        ("0.7.4", "0.8.5", "superuser run ALTER EXTENSION vector UPDATE in db"),
        ("0.8.0", "0.8.5", None),
        (None, "0.8.0", None),
        (None, "1.0", None),
    ],
)
def test_of_pgvector_what_helps_is_said(
    installed: str | None, available: str | None, said: str | None
) -> None:
    """A package where there is none, an update where there is a newer one."""
    told = unusable(installed, available, name="db", server=17)
    assert (told is None) if said is None else (told is not None and said in told)
