"""PostgreSQL for tests: one server a session, one database a test.

Most tests use the embedded server. Those marked ``external`` use one over TCP: the one at ``FACTFLOW_TEST_DATABASE_URL``
(a superuser's address; databases are made there and dropped), else one in a container where a Docker engine answers,
else the oldest server in the wheel, on a free port and with a password.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import uuid
import warnings
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from adapters.embedded_postgres.server import EmbeddedPostgres
from adapters.postgres.database import Database
from adapters.postgres.migration import migrate
from tests.postgres_server import shipped_versions, tcp_server
from tests.services import docker_answers, skip_for_want_of

TEMPLATE = "factflow_template"
ADDRESS = "FACTFLOW_TEST_DATABASE_URL"
IMAGE = "pgvector/pgvector:pg18"

# A server that is thrown away need not survive a power cut; processes may be killed all the same.
UNSAFE = (
    "ALTER SYSTEM SET fsync = off",
    "ALTER SYSTEM SET full_page_writes = off",
    "ALTER SYSTEM SET wal_compression = off",
    "ALTER SYSTEM SET max_wal_size = '128MB'",
    "SELECT pg_reload_conf()",
)

SERVERS = (
    pytest.param("postgres", marks=pytest.mark.slow),
    pytest.param("postgres", marks=pytest.mark.external, id="external"),
)
"""Parameters of a suite that runs over PostgreSQL: over the embedded server, and over the external one.

Over the external one a sample of the suite always runs, and the rest with the soak tests.
"""


@pytest.fixture
def postgres_url(request: pytest.FixtureRequest) -> str:
    """The address of a server that lasts for the session, with a migrated template database."""
    is_external = request.node.get_closest_marker("external") is not None
    url: str = request.getfixturevalue("external_postgres_url" if is_external else "embedded_postgres_url")
    return url


@pytest.fixture(scope="session")
def embedded_postgres_url() -> Iterator[str]:
    """An embedded server over its Unix socket."""
    # A thread of its own, because an async fixture may ask for this one while its loop is running.
    with tempfile.TemporaryDirectory(prefix="factflow-tests-") as folder, ThreadPoolExecutor(1) as thread:
        server = EmbeddedPostgres(Path(folder) / "postgres")
        thread.submit(asyncio.run, _start(server)).result()
        try:
            yield server.url
        finally:
            thread.submit(asyncio.run, server.__aexit__(None, None, None)).result()


@pytest.fixture(scope="session")
def external_postgres_url() -> Iterator[str]:
    """A server over TCP; without any the test is left out, in CI it fails."""
    with ExitStack() as stack, ThreadPoolExecutor(1) as thread:
        if (url := os.environ.get(ADDRESS)) is None:
            url = stack.enter_context(_tcp_server())
        thread.submit(asyncio.run, _prepare_template(url)).result()
        try:
            yield url
        finally:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(f"DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)")


@contextmanager
def _tcp_server() -> Iterator[str]:
    shipped = shipped_versions()
    if docker_answers():
        with _container() as url:
            yield url
    elif shipped:
        with tcp_server(next(iter(shipped.values()))) as url:
            yield url
    else:
        skip_for_want_of("a PostgreSQL server over TCP", how=f"set {ADDRESS} or start a Docker engine")


@contextmanager
def _container() -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from testcontainers.postgres import PostgresContainer
    with PostgresContainer(IMAGE, username="postgres", dbname="postgres", driver=None) as server:
        yield str(server.get_connection_url())


async def _start(server: EmbeddedPostgres) -> None:
    await server.__aenter__()
    with psycopg.connect(server.url, autocommit=True) as connection:
        for statement in UNSAFE:
            connection.execute(statement)
    await _prepare_template(server.url)


async def _prepare_template(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {TEMPLATE} ENCODING 'UTF8' TEMPLATE template0")
    async with Database(named(url, TEMPLATE)) as database:
        await migrate(database)


def named(url: str, name: str) -> str:
    """The address of another database of that server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@contextmanager
def own_database(server_url: str, *, template: str = TEMPLATE) -> Iterator[str]:
    """The address of a database of its own for processes, migrated unless another template is named; dropped at the end."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE {template} STRATEGY file_copy")
        yield named(server_url, name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def fresh_database(postgres_url: str) -> AsyncIterator[Database]:
    """A migrated database of its own, dropped at the end."""
    async with _fresh(postgres_url, TEMPLATE) as database:
        yield database


@asynccontextmanager
async def empty_database(postgres_url: str) -> AsyncIterator[Database]:
    """As ``fresh_database``, with nothing in it."""
    async with _fresh(postgres_url, "template0") as database:
        yield database


@asynccontextmanager
async def _fresh(postgres_url: str, template: str) -> AsyncIterator[Database]:
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        # Copying the files costs a tenth of writing every page of the template to the log, as is the default.
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    try:
        async with Database(named(postgres_url, name)) as database:
            yield database
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    """A migrated database for one test."""
    async with fresh_database(postgres_url) as fresh:
        yield fresh
