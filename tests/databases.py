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
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
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
