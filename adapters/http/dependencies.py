"""The use-cases by the names under which controllers ask for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from litestar.di import Provide

from adapters.http.settings import HttpSettings
from application.contents import Application


def provided(application: Application, settings: HttpSettings) -> Mapping[str, Provide]:
    """One provider per use-case, named as in `Application`, and the settings as `settings`."""
    values = {field.name: getattr(application, field.name) for field in fields(application)}
    return {
        name: Provide(_giving(value), sync_to_thread=False)
        for name, value in (values | {"settings": settings}).items()
    }


def _giving(value: Any) -> Callable[[], Any]:
    def give() -> Any:
        return value

    return give
