"""The principal of a request, as a controller gets it: an argument ``principal: RequestPrincipal``."""

from __future__ import annotations

from typing import Any, TypeAlias

from litestar import Request
from litestar.di import NamedDependency, Provide
from litestar.params import SkipValidation
from litestar.types import Scope

from domain.access.principal import LOCAL, Principal

RequestPrincipal: TypeAlias = NamedDependency[SkipValidation[Principal]]
_PLACE = "factflow_principal"


def remember_principal(scope: Scope, principal: Principal) -> None:
    """Keep who asks with the request."""
    scope["state"][_PLACE] = principal


def principal_of(scope: Scope) -> Principal:
    """Who asks; everybody is LOCAL where nobody is asked who they are."""
    found: Principal = scope["state"].get(_PLACE, LOCAL)
    return found


def _give(request: Request[Any, Any, Any]) -> Principal:
    return principal_of(request.scope)


PRINCIPAL = Provide(_give, sync_to_thread=False)
