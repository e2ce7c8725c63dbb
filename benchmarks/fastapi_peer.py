"""FastAPI with pydantic on uvicorn, serving what we serve from the same database.

Run by the peers' Python, without anything of ours: `fastapi_peer.py PORT DATABASE_URL CATALOGUE PARTS`. The catalogue is a
file with the answer to `GET /adapters`, which this serves from objects in memory. PARTS is `plain` for uvicorn as it
installs by itself (h11 on asyncio) or `fast` for its C parts (httptools on uvloop).
"""

# What it imports is installed where it runs.
# mypy: disable-error-code="import-not-found,misc,untyped-decorator,no-any-unimported,unused-ignore"

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import uvicorn
import yaml
from fastapi import FastAPI, Query
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel, ConfigDict, ValidationError

PORT, DATABASE, CATALOGUE = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
HTTP, LOOP = ("httptools", "uvloop") if sys.argv[4] == "fast" else ("h11", "asyncio")


class Live(BaseModel):
    status: str


class Adapter(BaseModel):
    type: str
    description: str
    version: str
    package: str
    config_schema: dict[str, Any]


class Adapters(BaseModel):
    adapters: list[Adapter]
    unusable: list[dict[str, str]]
    total: int
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None


class Counts(BaseModel):
    total: int
    outstanding: int
    done: int
    skipped: int
    dead: int
    cancelled: int


class Execution(BaseModel):
    id: UUID
    config_id: UUID
    status: str
    started_at: datetime
    completed_at: datetime | None
    parent_execution_id: UUID | None
    replay_source: str | None
    tag: str | None
    messages: Counts
    paused_at: datetime | None


class Executions(BaseModel):
    executions: list[Execution]
    total: int
    is_total_exact: bool
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Inbound(Strict):
    queue: str
    subscription: str | None = None
    concurrency: int = 5
    prefetch: int | None = None


class Condition(Strict):
    field: str
    operator: str
    value: Any = None


class Step(Strict):
    type: str
    config: dict[str, Any] = {}
    condition: Condition | None = None


class Outbound(Strict):
    queue: str
    condition: Condition | None = None


class ErrorHandling(Strict):
    max_retries: int = 3
    retry_delay_seconds: float = 10
    dead_letter_queue: str | None = None


class Backpressure(Strict):
    target_latency_ms: float = 500
    max_concurrency: int = 20


class Route(Strict):
    name: str | None = None
    description: str | None = None
    inbound: Inbound
    adapters: list[Step]
    outbound: str | Outbound | list[str | Outbound] | None = None
    error_handling: ErrorHandling | None = None
    backpressure: Backpressure | None = None


class InitMessage(Strict):
    route: str
    payload: dict[str, Any] = {}


class Pipeline(Strict):
    version: str
    name: str | None = None
    description: str | None = None
    routes: dict[str, Route]
    init_message: InitMessage | None = None
    error_handling: ErrorHandling | None = None
    backpressure: Backpressure | None = None


class ValidateRequest(Strict):
    config_yaml: str


class Report(BaseModel):
    is_valid: bool
    findings: list[dict[str, Any]]
    error_count: int
    warning_count: int


COLUMNS = """
    id, config_id, status, started_at, completed_at, parent_execution_id, replay_source, tag, outstanding, done,
    skipped, dead, cancelled, paused_at
"""
COUNTED = 10_000
LIST = f"""
    SELECT {COLUMNS}, (SELECT count(*) FROM (SELECT 1 FROM pipeline_execution LIMIT {COUNTED + 1}) AS counted)
    FROM pipeline_execution ORDER BY id DESC LIMIT %s OFFSET %s
"""  # noqa: S608 - constants

pool = AsyncConnectionPool(DATABASE, min_size=1, max_size=8, open=False, kwargs={"autocommit": True})


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with pool:
        yield


app = FastAPI(lifespan=lifespan)
catalogue = Adapters(**json.loads(CATALOGUE.read_bytes()))


@app.get("/live")
async def live() -> Live:
    return Live(status="ok")


@app.get("/adapters")
async def adapters() -> Adapters:
    return catalogue


@app.get("/executions")
async def executions(
    limit: Annotated[int, Query(ge=1, le=1000)] = 100, offset: Annotated[int, Query(ge=0)] = 0
) -> Executions:
    async with pool.connection() as connection:
        rows = await (await connection.execute(LIST, (limit + 1, offset))).fetchall()
    found = [_execution(row) for row in rows[:limit]]
    more, total = len(rows) > limit, rows[0][-1] if rows else 0
    return Executions(
        executions=found,
        total=min(total, COUNTED),
        is_total_exact=total <= COUNTED,
        limit=limit,
        offset=offset,
        has_more=more,
        next_cursor=str(found[-1].id) if more else None,
    )


def _execution(row: Any) -> Execution:
    outstanding, done, skipped, dead, cancelled = row[8:13]
    return Execution(
        id=row[0],
        config_id=row[1],
        status=row[2],
        started_at=row[3],
        completed_at=row[4],
        parent_execution_id=row[5],
        replay_source=row[6],
        tag=row[7],
        messages=Counts(
            total=outstanding + done + skipped + dead + cancelled,
            outstanding=outstanding,
            done=done,
            skipped=skipped,
            dead=dead,
            cancelled=cancelled,
        ),
        paused_at=row[13],
    )


@app.post("/validate")
async def validate(request: ValidateRequest) -> Report:
    try:
        Pipeline.model_validate(yaml.safe_load(request.config_yaml))
    except (yaml.YAMLError, ValidationError) as error:
        return Report(is_valid=False, findings=[{"message": str(error)}], error_count=1, warning_count=0)
    return Report(is_valid=True, findings=[], error_count=0, warning_count=0)


uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="warning", access_log=False, http=HTTP, loop=LOOP)
