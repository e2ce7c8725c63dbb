"""The catalogue of pipeline adapters on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from adapters.http.wire.pages import page_numbers
from application.ports.pipeline_adapter import DescribedAdapter, UnusableAdapter


class AdapterConfigRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pipeline adapter's config, as a route's YAML would have it under `config:`; nothing is stored."""

    config: dict[str, Any]


class AdapterResponse(Struct, frozen=True, kw_only=True):
    """What a route's `adapters:` may name. `package` is what it was installed with; `config_schema` is JSON Schema."""

    type: str
    description: str
    version: str
    package: str
    config_schema: dict[str, Any]


class UnusableAdapterResponse(Struct, frozen=True, kw_only=True):
    """What an installed package declares and cannot be used, with the reason."""

    type: str
    package: str
    reason: str


class AdapterListResponse(Struct, frozen=True, kw_only=True):
    """A page of pipeline adapters, and every one that is installed and cannot be used."""

    adapters: list[AdapterResponse]
    unusable: list[UnusableAdapterResponse]
    total: int
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None = None


def adapter_response(adapter: DescribedAdapter) -> AdapterResponse:
    """A pipeline adapter as it travels."""
    return AdapterResponse(
        type=adapter.type,
        description=adapter.description,
        version=adapter.version,
        package=adapter.package,
        config_schema=dict(adapter.config_schema),
    )


def adapter_list_response(
    page: Sequence[DescribedAdapter],
    unusable: Sequence[UnusableAdapter],
    *,
    total: int,
    limit: int,
    offset: int,
) -> AdapterListResponse:
    """A page of the catalogue as it travels."""
    return AdapterListResponse(
        adapters=[adapter_response(one) for one in page],
        unusable=[
            UnusableAdapterResponse(type=one.type, package=one.package, reason=one.reason) for one in unusable
        ],
        **page_numbers(len(page), total=total, limit=limit, offset=offset),
    )
