"""PostgreSQL for tests: one embedded server a session, one database a test."""

from __future__ import annotations

import asyncio
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from adapters.embedded_postgres.server import EmbeddedPostgres
from adapters.postgres.database import Database
from adapters.postgres.migration import migrate

TEMPLATE = "factflow_template"

# A server that is thrown away need not survive a power cut; processes may be killed all the same.
UNSAFE = (
    "ALTER SYSTEM SET fsync = off",
    "ALTER SYSTEM SET full_page_writes = off",
    "ALTER SYSTEM SET wal_compression = off",
    "SELECT pg_reload_conf()",
)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of an embedded server that lasts for the session, with a migrated template database."""
    # A thread of its own, because an async fixture may ask for this one while its loop is running.
    with tempfile.TemporaryDirectory(prefix="factflow-tests-") as folder, ThreadPoolExecutor(1) as thread:
        server = EmbeddedPostgres(Path(folder) / "postgres")
        thread.submit(asyncio.run, _start(server)).result()
        try:
            yield server.url
        finally:
            thread.submit(asyncio.run, server.__aexit__(None, None, None)).result()


async def _start(server: EmbeddedPostgres) -> None:
    await server.__aenter__()
    with psycopg.connect(server.url, autocommit=True) as connection:
        for statement in UNSAFE:
            connection.execute(statement)
    await _prepare_template(server.url)


async def _prepare_template(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {TEMPLATE}")
    async with Database(_named(url, TEMPLATE)) as database:
        await migrate(database)


def _named(url: str, name: str) -> str:
    return url.replace("/postgres?", f"/{name}?")


@asynccontextmanager
async def fresh_database(postgres_url: str) -> AsyncIterator[Database]:
    """A migrated database of its own, dropped at the end."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        # Copying the files costs a tenth of writing every page of the template to the log, as is the default.
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy")
    try:
        async with Database(_named(postgres_url, name)) as database:
            yield database
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    """A migrated database for one test."""
    async with fresh_database(postgres_url) as fresh:
        yield fresh
