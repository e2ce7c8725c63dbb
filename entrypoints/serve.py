"""`serve`: the whole service in one process."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
import uvloop

from adapters.http.app import HttpApi
from application.contents import Application
from domain.errors import Conflict, FactflowError, Refused
from domain.execution import ExecutionStatus
from entrypoints.composition.adapters import Adapters, EmbeddedAdapters, ServerAdapters
from entrypoints.composition.api import http_api
from entrypoints.composition.running import running
from entrypoints.ingestion import Ingested, ingest_folder
from entrypoints.logs import configure_logging
from entrypoints.modes import ContradictorySettings, require_for_serving
from entrypoints.progress import shown
from entrypoints.settings import Settings
from entrypoints.stop_signal import StopSignal
from entrypoints.welcome import subject, summary, things_to_try

log = logging.getLogger(__name__)

GRACE_SECONDS = 3


class AddressUnusable(Conflict):
    """The address to listen on is taken or not ours."""

    code = "address_unusable"


class NotOnLoopback(Refused):
    """A server without authentication listens on this machine alone."""

    code = "not_on_loopback"


class _Server(uvicorn.Server):
    """Uvicorn, with the signals left to us, that does not wait for whoever reads a stream of events."""

    def __init__(self, config: uvicorn.Config, api: HttpApi) -> None:
        super().__init__(config)
        self._api = api

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams first: their clients then have an answer that is whole."""
        self._api.streams.end()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run(settings: Settings, *, embedded: bool) -> int:
    """Serve until a signal comes; returns the exit code. Errors of ours are the caller's to tell."""
    require_for_serving(settings, embedded=embedded)
    if not settings.needs_keys(embedded=embedded):
        _require_loopback(settings.host)
        _require_named_origins(settings)
    configure_logging(settings)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, embedded=embedded))
    except asyncio.CancelledError:
        print("Stopped before it had started.", file=sys.stderr)
    return 0


async def _serve(settings: Settings, *, embedded: bool) -> None:
    stop = StopSignal()
    stop.listen()
    with listening(settings.host, settings.port) as listener:
        address = listener.getsockname()
        print("Starting the embedded stack …" if embedded else "Starting …", file=sys.stderr, flush=True)
        adapters = (EmbeddedAdapters if embedded else ServerAdapters)(settings=settings)
        async with running(settings, adapters, hurried=stop.hurried) as application:
            stop.has_started()
            if settings.needs_keys(embedded=embedded):
                await _provide_first_key(application, settings)
            mode = "embedded" if embedded else "server"
            server = _http_server(application, settings, port=address[1], mode=mode, adapters=adapters)
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            folder = settings.docs or (default_docs() if embedded else None)
            greeting = asyncio.create_task(_take_in_and_greet(application, settings, folder, port=address[1]))
            greeting.add_done_callback(_tell_of_defect)
            await asyncio.wait(
                {serving, asyncio.create_task(stop.requested.wait())}, return_when=asyncio.FIRST_COMPLETED
            )
            print("\nStopping …", file=sys.stderr, flush=True)
            greeting.cancel()
            await asyncio.wait({greeting})
            server.should_exit = True
            await serving


def _require_loopback(host: str) -> None:
    if not is_loopback(host):
        raise NotOnLoopback(
            f"a server without authentication listens on this machine alone, and {host} is not it: "
            "set FACTFLOW_AUTHENTICATION=keys, and it may listen there and ask for API keys"
        )


def _require_named_origins(settings: Settings) -> None:
    if "*" in settings.cors_origins:
        raise ContradictorySettings(
            "without authentication every page in a browser could read and change everything here: "
            "FACTFLOW_CORS_ORIGINS is *, so set FACTFLOW_AUTHENTICATION=keys, or name the origins"
        )


async def _provide_first_key(application: Application, settings: Settings) -> None:
    made = await application.keys.bootstrap(settings.bootstrap_key)
    if made is not None:
        print(f"The first API key, with every scope, shown this once: {made}", file=sys.stderr, flush=True)


def is_loopback(host: str) -> bool:
    """Whether a host stands for this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _tell_of_defect(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("taking in the documents failed", exc_info=error)


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket bound to the address before anything else starts; raises AddressUnusable."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol must be named: without it asyncio would not switch off Nagle's algorithm on what is accepted.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            # Listen at once: a second server that binds the same port before we serve must fail.
            listener.listen(128)
        except OSError as error:
            raise AddressUnusable(
                f"cannot listen on {host}:{port}: {error.strerror}; {_remedy(error)}"
            ) from error
        yield listener


def _remedy(error: OSError) -> str:
    if error.errno in {errno.EADDRINUSE, errno.EACCES}:
        return "choose another port with --port"
    return "choose an address of this machine with --host"


def _http_server(
    application: Application,
    settings: Settings,
    *,
    port: int,
    mode: str = "embedded",
    adapters: Adapters | None = None,
) -> _Server:
    spans = None if adapters is None else adapters.spans()
    api = http_api(application, settings, port=port, mode=mode, spans=spans)
    config = uvicorn.Config(
        api,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        # Whom to believe about addresses is the gate's to decide; uvicorn would believe everybody on this machine.
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return _Server(config, api)


async def _take_in_and_greet(
    application: Application, settings: Settings, folder: Path | None, *, port: int
) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    base = f"http://{host}:{port}"
    if folder is None:
        print(f"Serving at {base}; API page: {base}/docs", file=sys.stderr, flush=True)
        return
    print(f"Serving at {base}; taking in {folder} …", file=sys.stderr, flush=True)
    try:
        with shown("Taking in") as progress:
            ingested = await ingest_folder(application, folder, progress)
        about = None if folder == default_docs() else await subject(application, folder)
    except FactflowError as error:
        print(f"error: {folder} could not be taken in: {error.message} ({error.code})", file=sys.stderr)
        return
    _tell(ingested, folder)
    print(things_to_try(base, about), flush=True)


def _tell(ingested: Ingested, folder: Path) -> None:
    for line in summary(ingested, folder):
        print(line, file=sys.stderr, flush=True)
    if ingested.execution.status is not ExecutionStatus.COMPLETED:
        log.warning("the run over %s is %s", folder, ingested.execution.status)


def default_docs() -> Path:
    """The project's own documentation, beside the packages in a checkout."""
    return Path(__file__).resolve().parent.parent / "docs"
