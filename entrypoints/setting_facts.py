"""The settings as anybody may see them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from typing import Any

from adapters.http.settings import SettingFact
from entrypoints.settings import Settings, variable

SECRET = "***"  # noqa: S105 (what stands for one)
_USER_INFO = re.compile(r"(?<=://)[^/@]*(?=@)")


def setting_facts(settings: Settings) -> tuple[SettingFact, ...]:
    """Every setting with its value; of secrets, and of what stands before the `@` of an address, only that it is there."""
    return tuple(_facts(settings))


def _facts(settings: Settings) -> Iterator[SettingFact]:
    for item in fields(settings):
        value = getattr(settings, item.name)
        yield SettingFact(
            name=item.name,
            variable=variable(item.name),
            value=_shown(value, is_secret=item.metadata["is_secret"]),
            is_default=value == _default(item),
            about=item.metadata["meaning"],
        )


def _default(item: Field[Any]) -> Any:
    return item.default_factory() if item.default_factory is not MISSING else item.default


def _shown(value: object, *, is_secret: bool) -> str | None:
    if value is None:
        return None
    if is_secret:
        return SECRET
    if isinstance(value, bool):
        return str(int(value))
    return _USER_INFO.sub(SECRET, str(value))
