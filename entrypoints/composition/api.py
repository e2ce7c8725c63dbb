"""The HTTP API over the use-cases, as an ASGI application."""

from __future__ import annotations

import logging

from adapters.http.app import HttpApi, create_app
from adapters.http.correlation import RequestIdFilter
from adapters.http.settings import MEBIBYTE, HttpSettings
from adapters.opentelemetry.spans import Spans
from application.contents import Application
from entrypoints.setting_facts import setting_facts
from entrypoints.settings import Settings
from factflow_server import __version__


def http_api(
    application: Application,
    settings: Settings,
    *,
    port: int,
    mode: str = "embedded",
    spans: Spans | None = None,
) -> HttpApi:
    """The API of a server; ``mode`` is what it says it is. One that needs no keys answers this machine alone.

    Log records get the id of the request that they belong to.
    """
    for handler in logging.getLogger().handlers:
        handler.addFilter(RequestIdFilter())
    needs_keys = settings.needs_keys(embedded=mode == "embedded")
    return create_app(
        application,
        around=None if spans is None else spans.answering,
        settings=HttpSettings(
            version=__version__,
            mode=mode,
            needs_keys=needs_keys,
            sso_user_header=settings.sso_user_header,
            sso_groups_header=settings.sso_groups_header,
            refuses_foreign_hosts=not needs_keys,
            host_names=frozenset({settings.host, f"{settings.host}:{port}"}),
            cors_origins=tuple(settings.cors_origins),
            max_body_bytes=settings.max_body_mib * MEBIBYTE,
            max_upload_bytes=settings.max_upload_mib * MEBIBYTE,
            piece_seconds=settings.body_timeout_seconds,
            answer_seconds=settings.answer_timeout_seconds,
            facts=setting_facts(settings),
        ),
    )
