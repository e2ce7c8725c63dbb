"""Diagnoses, totals and settings on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from adapters.http.settings import SettingFact
from application.diagnostics import Diagnosis, Step
from application.ports.broker_probe import BrokerTarget
from application.ports.inspection import DatabaseFacts, Relation, Totals

Milliseconds = Annotated[int, Meta(ge=0, le=600_000)]
Seconds = Annotated[float, Meta(gt=0, le=60)]


class MQDiagnosticRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A broker that speaks STOMP, to be tried in place of the server's own queue.

    With `test_pubsub` so many messages are sent to a queue of their own and awaited back. Between two of them
    `message_delay_ms` pass and up to `jitter_ms` besides, by chance, and never are there more than `throttle_rps` in a
    second. `broker_arn`, `report_modulo` and `test_retry` are taken and change nothing.
    """

    host: Annotated[str, Meta(min_length=1, max_length=253, examples=["broker.example.org"])]
    port: Annotated[int, Meta(ge=1, le=65_535)] = 61_614
    username: Annotated[str, Meta(max_length=500, examples=["factflow"])]
    password: Annotated[str, Meta(max_length=500, examples=["a password"])]
    ssl_enabled: bool = True
    ssl_verify: bool = True
    heartbeat_send_ms: Milliseconds = 30_000
    heartbeat_receive_ms: Milliseconds = 30_000
    connect_timeout: Seconds = 10.0
    test_pubsub: bool = False
    pubsub_timeout: Seconds = 10.0
    message_count: Annotated[int, Meta(ge=1, le=1000)] = 1
    message_delay_ms: Milliseconds = 0
    jitter_ms: Milliseconds = 0
    throttle_rps: Annotated[float, Meta(ge=0.001, le=1_000_000, examples=[10.0])] | None = None
    test_retry: bool = False
    broker_arn: Annotated[str, Meta(max_length=2000)] | None = None
    report_modulo: Annotated[int, Meta(ge=0)] = 0

    def target(self) -> BrokerTarget:
        """The broker."""
        return BrokerTarget(
            host=self.host,
            port=self.port,
            username=self.username,
            password=self.password,
            is_encrypted=self.ssl_enabled,
            is_verified=self.ssl_verify,
            heartbeat_send_ms=self.heartbeat_send_ms,
            heartbeat_receive_ms=self.heartbeat_receive_ms,
            messages=self.message_count if self.test_pubsub else 0,
            pause_seconds=max(self.message_delay_ms / 1000, self._seconds_between),
            jitter_seconds=self.jitter_ms / 1000,
        )

    @property
    def _seconds_between(self) -> float:
        return 1 / self.throttle_rps if self.throttle_rps else 0.0

    @property
    def step_seconds(self) -> float:
        """How long each step may take."""
        return max(self.connect_timeout, self.pubsub_timeout) if self.test_pubsub else self.connect_timeout


class StepResponse(Struct, frozen=True, kw_only=True):
    """One thing that was tried; `error` is null when it succeeded."""

    name: str
    ok: bool
    duration_ms: float
    error: str | None


class RelationResponse(Struct, frozen=True, kw_only=True):
    """A table with its indexes; `rows` is the planner's estimate."""

    name: str
    rows: int
    size_bytes: int


class DatabaseFactsResponse(Struct, frozen=True, kw_only=True):
    """What the data lies in, its largest tables first."""

    product: str
    version: str
    vector_version: str | None
    schema_version: int
    size_bytes: int
    connections: int
    max_connections: int
    tables: list[RelationResponse]


class DiagnosisResponse(Struct, frozen=True, kw_only=True):
    """What became of a trial. After a step that failed nothing more was tried."""

    component: str
    ok: bool
    duration_ms: float
    steps: list[StepResponse]
    database: DatabaseFactsResponse | UnsetType = UNSET


class TotalsResponse(Struct, frozen=True, kw_only=True):
    """How much there is of everything, by status or state, in the whole database."""

    executions: dict[str, int]
    messages: dict[str, int]
    webhook_deliveries: dict[str, int]
    documents: int
    uptime_seconds: float


class SettingResponse(Struct, frozen=True, kw_only=True):
    """One setting; the value of a secret is `***`, and null means that it is unset."""

    name: str
    variable: str
    value: str | None
    is_default: bool
    about: str


class SettingListResponse(Struct, frozen=True, kw_only=True):
    """What this process was started with."""

    settings: list[SettingResponse]
    total: int


def diagnosis_response(diagnosis: Diagnosis) -> DiagnosisResponse:
    """A diagnosis as it travels."""
    return DiagnosisResponse(
        component=diagnosis.component,
        ok=diagnosis.is_well,
        duration_ms=round(sum(step.duration_ms for step in diagnosis.steps), 3),
        steps=[_step(step) for step in diagnosis.steps],
        database=_facts(diagnosis.database) if diagnosis.database else UNSET,
    )


def totals_response(totals: Totals, *, uptime_seconds: float) -> TotalsResponse:
    """Totals as they travel."""
    return TotalsResponse(
        executions=dict(totals.executions),
        messages=dict(totals.messages),
        webhook_deliveries=dict(totals.deliveries),
        documents=totals.documents,
        uptime_seconds=uptime_seconds,
    )


def setting_list_response(facts: Sequence[SettingFact]) -> SettingListResponse:
    """Settings as they travel."""
    told = [
        SettingResponse(
            name=fact.name,
            variable=fact.variable,
            value=fact.value,
            is_default=fact.is_default,
            about=fact.about,
        )
        for fact in facts
    ]
    return SettingListResponse(settings=told, total=len(told))


def _step(step: Step) -> StepResponse:
    return StepResponse(
        name=step.name, ok=step.error is None, duration_ms=round(step.duration_ms, 3), error=step.error
    )


def _facts(facts: DatabaseFacts) -> DatabaseFactsResponse:
    return DatabaseFactsResponse(
        product=facts.product,
        version=facts.version,
        vector_version=facts.vector_version,
        schema_version=facts.schema_version,
        size_bytes=facts.size,
        connections=facts.connections,
        max_connections=facts.max_connections,
        tables=[_relation(relation) for relation in facts.relations],
    )


def _relation(relation: Relation) -> RelationResponse:
    return RelationResponse(name=relation.name, rows=relation.rows, size_bytes=relation.size)
