"""Puts the HTTP API together."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from litestar import Litestar
from litestar.types import ASGIApp, Receive, Scope, Send

from adapters.http.access.admission import PLACE, Gate, admission
from adapters.http.access.principal import PRINCIPAL
from adapters.http.allowed_methods import methods_by_path, telling_methods
from adapters.http.bodies import JsonRequest
from adapters.http.controllers.adapters import AdaptersController
from adapters.http.controllers.audit import AuditController
from adapters.http.controllers.chat import ChatController
from adapters.http.controllers.chat_messages import MessagesController
from adapters.http.controllers.chat_threads import ThreadsController
from adapters.http.controllers.config_versions import ConfigVersionsController
from adapters.http.controllers.configs import ConfigsController
from adapters.http.controllers.content import ContentController
from adapters.http.controllers.dead_letters import DeadLettersController
from adapters.http.controllers.diagnostics import DiagnosticsController
from adapters.http.controllers.documents import DocumentsController
from adapters.http.controllers.embeddings import EmbeddingsController
from adapters.http.controllers.execution_dead_letters import ExecutionDeadLettersController
from adapters.http.controllers.execution_events import ExecutionEventsController
from adapters.http.controllers.executions import ExecutionsController
from adapters.http.controllers.indexes import IndexesController
from adapters.http.controllers.keys import KeysController
from adapters.http.controllers.lineage import LineageController
from adapters.http.controllers.lineage_reports import LineageReportsController
from adapters.http.controllers.monitoring import MonitoringController
from adapters.http.controllers.openai import OpenAiController
from adapters.http.controllers.pages import PagesController
from adapters.http.controllers.pausing import ExecutionPausesController, PipelinesController
from adapters.http.controllers.replays import ReplaysController
from adapters.http.controllers.search import ChatSearchController, SearchController
from adapters.http.controllers.storage import StorageController
from adapters.http.controllers.storage_stream import StorageStreamController
from adapters.http.controllers.storage_usage import StorageUsageController
from adapters.http.controllers.system import SystemController
from adapters.http.controllers.templates import TemplatesController
from adapters.http.controllers.webhook_deliveries import WebhookDeliveriesController
from adapters.http.controllers.webhooks import WebhooksController
from adapters.http.dependencies import provided
from adapters.http.edge import Edge
from adapters.http.error_handling import answer_with_problem
from adapters.http.idempotency import idempotent, keep_repeats
from adapters.http.metrics import RequestMetrics
from adapters.http.open_streams import PLACE as STREAMS
from adapters.http.open_streams import OpenStreams
from adapters.http.patience import Patience
from adapters.http.queries import require_plain_query
from adapters.http.settings import HttpSettings
from adapters.http.unchanging import UnchangingAnswers
from application.contents import Application

CONTROLLERS = (
    PagesController,
    ConfigsController,
    ConfigVersionsController,
    ExecutionsController,
    ExecutionEventsController,
    StorageStreamController,
    DeadLettersController,
    ExecutionDeadLettersController,
    ReplaysController,
    SearchController,
    EmbeddingsController,
    IndexesController,
    ChatController,
    ThreadsController,
    MessagesController,
    OpenAiController,
    ChatSearchController,
    StorageController,
    StorageUsageController,
    ContentController,
    DocumentsController,
    TemplatesController,
    LineageController,
    LineageReportsController,
    MonitoringController,
    PipelinesController,
    ExecutionPausesController,
    AdaptersController,
    WebhooksController,
    WebhookDeliveriesController,
    KeysController,
    AuditController,
    SystemController,
    DiagnosticsController,
)


class HttpApi(Litestar):
    """Litestar behind the edge, which sees every request, those to unknown paths too."""

    edge: Edge
    inside: ASGIApp
    unchanging: UnchangingAnswers

    @property
    def streams(self) -> OpenStreams:
        """The event streams that are open."""
        return self.state[STREAMS]  # type: ignore[no-any-return]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one connection, or start and stop with the server."""
        await self.edge(scope, receive, send)

    async def route(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What lies behind the edge."""
        await super().__call__(scope, receive, send)


def create_app(
    application: Application,
    *,
    settings: HttpSettings | None = None,
    around: Callable[[ASGIApp], ASGIApp] | None = None,
) -> HttpApi:
    """The ASGI application over a set of use-cases; it opens nothing and owns nothing.

    ``around`` is laid around all that answers, inside of what knows the request's trace.
    """
    settings = settings or HttpSettings()
    app = HttpApi(
        route_handlers=list(CONTROLLERS),
        dependencies={**provided(application, settings), "principal": PRINCIPAL},
        exception_handlers={Exception: answer_with_problem},
        middleware=[admission, idempotent],
        request_class=JsonRequest,
        before_request=require_plain_query,
        request_max_body_size=settings.max_body_bytes,
        openapi_config=None,
        logging_config=None,
    )
    metrics = app.state["metrics"] = RequestMetrics()
    patient = partial(Patience, piece_seconds=settings.piece_seconds, answer_seconds=settings.answer_seconds)
    told = telling_methods(app.route, methods_by_path(app.routes))
    app.unchanging = UnchangingAnswers(told, app.routes, patient=patient)
    app.inside = metrics.measured(app.unchanging)
    if around is not None:
        app.inside = around(app.inside)
    equip(app, application, settings)
    return app


def equip(app: HttpApi, application: Application, settings: HttpSettings) -> None:
    """Let the application's own principals in, write into its own audit log, and have no streams open yet."""
    app.state[STREAMS] = OpenStreams()
    gate = app.state[PLACE] = Gate(doorkeeper=application.doorkeeper, settings=settings)
    app.unchanging.begin(gate)
    keep_repeats(app.state, application.repeats, body_limit=settings.max_body_bytes)
    app.edge = Edge(app.inside, settings, application.audit)
