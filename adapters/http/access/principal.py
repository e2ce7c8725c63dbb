"""The principal of a request, as a controller gets it: an argument ``principal: RequestPrincipal``."""

from __future__ import annotations

from typing import Any, TypeAlias

from litestar import Request
from litestar.di import NamedDependency, Provide
from litestar.params import SkipValidation

from adapters.http.access.exchange import exchange_of
from domain.access.principal import LOCAL, Principal

RequestPrincipal: TypeAlias = NamedDependency[SkipValidation[Principal]]


def _give(request: Request[Any, Any, Any]) -> Principal:
    return exchange_of(request.scope).principal or LOCAL


PRINCIPAL = Provide(_give, sync_to_thread=False)
