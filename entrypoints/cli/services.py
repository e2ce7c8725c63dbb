"""Whether the services answer that the settings name: PostgreSQL, RabbitMQ, the storage."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from domain.errors import FactflowError
from entrypoints.cli import machine
from entrypoints.cli.machine import Check, State
from entrypoints.settings import Settings, variable

PATIENCE_SECONDS = 20.0
"""Longer than each of them waits for its own connection, so that its own words are told."""


def services(settings: Settings) -> Sequence[Check]:
    """One check for each that has an address, all asked at once. No message has a password."""
    has_bucket = urlsplit(settings.storage_url or "").scheme == "s3"
    checks: list[Check] = []
    if settings.database_url or settings.queue_url or has_bucket:
        with _silence():
            checks += asyncio.run(_asked(settings, has_bucket=has_bucket))
    if settings.storage_url and not has_bucket:
        checks.append(machine.storage_folder(Path(settings.storage_url)))
    return checks


async def _asked(settings: Settings, *, has_bucket: bool) -> Sequence[Check]:
    try:
        from entrypoints.composition import looking
    except ImportError:
        return ()  # the check of the packages tells of it
    asked = []
    if settings.database_url is not None:
        asked.append(_check("database", "database_url", looking.at_database(settings)))
    if settings.queue_url is not None:
        asked.append(_check("queue", "queue_url", looking.at_queue(settings.queue_url, settings)))
    if has_bucket:
        asked.append(_check("storage", "storage_url", looking.at_bucket(settings)))
    return await asyncio.gather(*asked)


async def _check(name: str, setting: str, look: Awaitable[str]) -> Check:
    hint = f"check {variable(setting)}, and whether what it names is up"
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return Check(name, State.OK, await look)
    except TimeoutError:
        return Check(name, State.FAILED, f"no answer within {PATIENCE_SECONDS:g} seconds", hint)
    except FactflowError as error:
        return Check(name, State.FAILED, error.message, hint)
    except Exception as error:  # noqa: BLE001  # a driver's own words may have the password
        return Check(name, State.FAILED, f"it could not be asked ({type(error).__name__})", hint)


@contextmanager
def _silence() -> Iterator[None]:
    """What adapters log while they try again is told in the checks, once."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
