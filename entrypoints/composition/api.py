"""The HTTP API over the use-cases, as an ASGI application."""

from __future__ import annotations

import logging

from adapters.http.app import HttpApi, create_app
from adapters.http.correlation import RequestIdFilter
from adapters.http.settings import HttpSettings
from application.contents import Application
from entrypoints.settings import Settings
from factflow_server import __version__


def http_api(application: Application, settings: Settings, *, port: int) -> HttpApi:
    """The API of an embedded server, which answers this machine alone and needs no key.

    Log records get the id of the request that they belong to.
    """
    for handler in logging.getLogger().handlers:
        handler.addFilter(RequestIdFilter())
    return create_app(
        application,
        settings=HttpSettings(
            version=__version__,
            mode="embedded",
            refuses_foreign_hosts=True,
            host_names=frozenset({settings.host, f"{settings.host}:{port}"}),
        ),
    )
