"""Runs the shipped pipeline ``documents`` and shows how it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from application.contents import Application
from domain.dead_letter import DeadLetterFilter
from domain.execution import Execution, ExecutionStatus
from domain.identity import derived_id
from domain.json import JsonObject

CONFIG_ID = derived_id("shipped config", "pipelines/documents.yaml")
LOOK_SECONDS = 0.5

Progress = Callable[[Execution], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """What a run of the pipeline came to: the execution, and why each dead message is dead."""

    execution: Execution
    failures: tuple[str, ...]


async def ingest(application: Application, payload: JsonObject, progress: Progress) -> Ingested:
    """Run ``documents`` with a payload to its end; a run over the same that was interrupted ends first.

    The second run then finds everything unchanged, so nothing is embedded twice.
    """
    running, _ = await application.executions.list(
        status=ExecutionStatus.RUNNING, config_id=CONFIG_ID, limit=100
    )
    for execution in reversed(running):
        await _followed(application, execution, progress)
    started = await application.executions.start(CONFIG_ID, init_payload_overrides=payload)
    ended = await _followed(application, started, progress)
    dead = await application.dead_letters.list(DeadLetterFilter(execution_id=ended.id), limit=1000)
    failures = tuple(_reason(one.message.payload, one.error) for one in dead.letters)
    return Ingested(execution=ended, failures=failures)


async def ingest_folder(application: Application, folder: Path, progress: Progress) -> Ingested:
    """Take in every readable file of a folder."""
    return await ingest(application, {"folder": str(absolute(folder))}, progress)


def absolute(folder: Path) -> Path:
    """The folder as documents name it in their origin."""
    return folder.expanduser().absolute()


async def _followed(application: Application, execution: Execution, progress: Progress) -> Execution:
    async for now in application.executions.follow(execution.id, look_seconds=LOOK_SECONDS):
        execution = now
        progress(execution)
    return execution


def _reason(payload: JsonObject, error: JsonObject) -> str:
    name = payload.get("path") or payload.get("object_key") or payload.get("url") or payload.get("folder")
    return (
        f"{name or payload.get('document_id') or 'a message'}: {error.get('message')} ({error.get('code')})"
    )
