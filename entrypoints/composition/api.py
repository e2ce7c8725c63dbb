"""The HTTP API over the use-cases, as an ASGI application."""

from __future__ import annotations

import logging

from adapters.http.app import HttpApi, create_app
from adapters.http.correlation import RequestIdFilter
from adapters.http.settings import HttpSettings
from application.contents import Application
from entrypoints.setting_facts import setting_facts
from entrypoints.settings import Settings
from factflow_server import __version__


def http_api(application: Application, settings: Settings, *, port: int, mode: str = "embedded") -> HttpApi:
    """The API of a server that answers this machine alone and needs no key; ``mode`` is what it says it is.

    Log records get the id of the request that they belong to.
    """
    for handler in logging.getLogger().handlers:
        handler.addFilter(RequestIdFilter())
    return create_app(
        application,
        settings=HttpSettings(
            version=__version__,
            mode=mode,
            refuses_foreign_hosts=True,
            host_names=frozenset({settings.host, f"{settings.host}:{port}"}),
            facts=setting_facts(settings),
        ),
    )
