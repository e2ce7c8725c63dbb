"""Looks at the services of the settings as a start would, and leaves nothing behind in them."""

from __future__ import annotations

from adapters.postgres.migration import rehearse
from application.ports.readiness import Health
from domain.errors import Unavailable
from entrypoints.composition import choosing
from entrypoints.settings import Settings

READ_SECONDS = 8.0


async def at_database(settings: Settings) -> str:
    """What the PostgreSQL is, and what a start would do to it. Raises what opening and migrating it do."""
    async with choosing.database(settings, None) as database:
        found = await rehearse(database)
    tables = f"{len(found.missing)} migrations to come" if found.missing else "tables up to date"
    return f"PostgreSQL {found.version} with pgvector {found.vector_version}, {tables}"


async def at_queue(url: str, settings: Settings) -> str:
    """Which broker answers. Raises what opening a queue does."""
    async with choosing.broker(url, settings) as queue:
        answer = await queue.check()
        if answer.health is Health.UNHEALTHY:
            raise Unavailable(answer.message)
        return f"RabbitMQ answers at {answer.details['host']}"


async def at_bucket(settings: Settings) -> str:
    """Which bucket answers, or will be made. Raises what opening a storage in S3 does, but for the right to write."""
    from adapters.s3.translation import S3BucketMissing

    storage = choosing.bucket(settings, attempts=1, read_timeout=READ_SECONDS)
    try:
        await storage.look()
    except S3BucketMissing:
        if not settings.storage_create_bucket:
            raise
        return f"the S3 server answers; the bucket {storage.bucket} is made at the start"
    return f"the bucket {storage.bucket} answers"
