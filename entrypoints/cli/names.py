"""Finds the config or the execution that a person names."""

from __future__ import annotations

import difflib
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from domain.errors import Conflict, NotFound
from entrypoints.cli.client import Server

PAGE = 1000


class NoConfigOfThatName(NotFound):
    """There is no active pipeline config with that name."""

    code = "no_config_of_that_name"


class AmbiguousConfigName(Conflict):
    """Several active pipeline configs have that name."""

    code = "ambiguous_config_name"


async def config_id_of(server: Server, name: str) -> str:
    """The id of an active config: itself when it is one, else that of the only config so named."""
    try:
        return str(UUID(name))
    except ValueError:
        configs = [one async for one in _active(server)]
    ids = [str(one.get("id")) for one in configs if one.get("name") == name]
    if len(ids) == 1:
        return ids[0]
    if ids:
        raise _told(AmbiguousConfigName(f"{len(ids)} configs are named {name!r}; give an id"), ids)
    names = sorted({str(one.get("name")) for one in configs})
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) or names[:10]
    raise _told(
        NoConfigOfThatName(f"there is no active config named {name!r}"),
        [f"there is: {', '.join(near)}"] if near else [],
    )


async def execution_id_of(server: Server, name: str | None) -> str | None:
    """The id of an execution: itself when it is one, else that of the execution with that tag."""
    if name is None:
        return None
    try:
        return str(UUID(name))
    except ValueError:
        return str((await server.get("executions", name)).value().get("id"))


async def _active(server: Server) -> AsyncIterator[dict[str, Any]]:
    offset = 0
    while True:
        reply = await server.get("configs", query={"limit": PAGE, "offset": offset})
        page = reply.items("configs")
        for one in page:
            yield one
        offset += len(page)
        if not page or not reply.value().get("has_more"):
            return


def _told(error: NotFound | Conflict, hints: list[str]) -> NotFound | Conflict:
    for hint in hints:
        error.add_note(hint)
    return error
